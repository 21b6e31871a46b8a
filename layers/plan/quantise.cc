// Rewrites a graph node by node, so that convolutions compute with 8-bit integers (see quantise.h).

#include "layers/plan/quantise.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/graph/uses.h"
#include "layers/ops/convolution.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/quantise.h"

namespace cotangent::layers {
namespace {

ElementType TypeOf(const TensorScale& scale) {
  return scale.is_signed ? ElementType::kS8 : ElementType::kU8;
}

class Quantiser {
 public:
  Quantiser(const Quantisation& quantisation, TensorId result, const ParameterStore& store,
            QuantisedFor target, Graph& graph)
      : quantisation_(quantisation),
        result_(result),
        store_(store),
        target_(target),
        graph_(graph) {}

  absl::Status Run() {
    absl::flat_hash_map<int, const QuantisedLayer*> layers;  // by convolution node
    for (const QuantisableConvolution& c : QuantisableConvolutions(graph_, result_)) {
      const auto found = quantisation_.find(c.weight);
      if (found == quantisation_.end() || found->second.in.scale == 0) continue;
      const bool computes =
          target_ == QuantisedFor::kExport || HasKernels(c.node, found->second.in);
      RETURN_IF_ERROR(Note(c, found->second, computes));
      if (computes) layers[c.node] = &found->second;
    }
    // Rewrite() and TakeReal() insert nodes: `original` is the index of a node in the graph before
    // the rewriting, `at` is the current index of the same node.
    const int count = static_cast<int>(graph_.nodes().size());
    for (int original = 0, at = 0; original < count; ++original, ++at) {
      const auto layer = layers.find(original);
      if (layer == layers.end()) {
        TakeReal(at);
      } else {
        Rewrite(at);
      }
    }
    return absl::OkStatus();
  }

 private:
  // A quantised tensor: its scale, and the tensors that hold its integers and the real numbers for
  // which they stand.
  struct Forms {
    TensorScale scale;
    TensorId integers = kNoTensor, real = kNoTensor;
  };

  bool HasKernels(int node, const TensorScale& in) const {
    const auto& attributes = graph_.node(node).as<ConvolutionAttributes>();
    return !tensor::Int8Candidates(attributes.shape, TypeOf(in), ElementType::kF32).empty();
  }

  // Checks the scales that a layer uses and, if `computes` (the layer computes with integers),
  // notes them in forms_.
  absl::Status Note(const QuantisableConvolution& c, const QuantisedLayer& layer, bool computes) {
    const auto note = [&](TensorId t, const TensorScale& scale) -> absl::Status {
      if (t == kNoTensor || t == result_ || scale.scale == 0) return absl::OkStatus();
      if (!(scale.scale > 0) || !std::isfinite(scale.scale) || !std::isnormal(scale.scale))
        return absl::InvalidArgumentError(absl::StrCat("the quantisation of ", c.weight,
                                                       " has the scale ", scale.scale,
                                                       ": expected a positive number"));
      if (computes) forms_.try_emplace(t, Forms{scale});
      return absl::OkStatus();
    };
    RETURN_IF_ERROR(note(c.in, layer.in));
    if (c.addend != kNoTensor && (layer.addend.scale == 0 || c.out == result_))
      return absl::OkStatus();
    RETURN_IF_ERROR(note(c.addend, layer.addend));
    return note(c.out, layer.out);
  }

  // Returns the tensor of t's integers, for the node at index `at`. If that tensor has to be
  // inserted before the node, `at` grows by 1.
  TensorId Integers(TensorId t, int& at) {
    Forms& forms = forms_.at(t);
    if (forms.integers == kNoTensor) {
      forms.integers = graph_.InsertNode(
          at++, kQuantise, graph_.tensor(t).name, {t},
          QuantiseAttributes{forms.scale.scale, forms.scale.is_signed}, Shape(graph_.shape(t)));
    }
    return forms.integers;
  }

  // Returns the real numbers for which the integers of t stand, or t itself if there are no
  // integers. If a node has to be inserted before the node at index `at`, `at` grows by 1.
  TensorId Real(TensorId t, int& at) {
    const auto found = forms_.find(t);
    if (found == forms_.end() || found->second.integers == kNoTensor) return t;
    Forms& forms = found->second;
    if (forms.real == kNoTensor) {
      const Expr formula = graph_.Operand(0) * graph_.pool().Constant(forms.scale.scale);
      forms.real = graph_.InsertNode(at++, kElementwise, graph_.tensor(t).name, {forms.integers},
                                     formula, Shape(graph_.shape(t)));
    }
    return forms.real;
  }

  void TakeReal(int& at) {
    Node node = graph_.node(at);
    for (TensorId& t : node.inputs) t = Real(t, at);
    graph_.ReplaceNode(at, std::move(node));
  }

  void Rewrite(int& at) {
    Node node = graph_.node(at);
    ConvolutionAttributes attributes = node.as<ConvolutionAttributes>();
    auto int8 = std::make_shared<tensor::Int8Convolution>();
    const TensorId out = node.outputs[0];
    const Forms in = forms_.at(node.inputs[0]);
    int8->in_type = TypeOf(in.scale), int8->in_scale = in.scale.scale;
    node.inputs[0] = Integers(node.inputs[0], at);
    const bool with_addend = node.inputs.size() > 3;
    const bool makes_integers =
        forms_.contains(out) && (!with_addend || forms_.contains(node.inputs[3]));
    if (makes_integers) {
      Forms& forms = forms_.at(out);
      int8->out_type = TypeOf(forms.scale), int8->out_scale = forms.scale.scale;
      forms.integers = out;
    }
    if (with_addend && makes_integers) {
      const TensorScale addend = forms_.at(node.inputs[3]).scale;
      int8->addend_type = TypeOf(addend), int8->addend_scale = addend.scale;
      node.inputs[3] = Integers(node.inputs[3], at);
    } else if (with_addend) {
      node.inputs[3] = Real(node.inputs[3], at);
    }
    const ParameterStore::Slot& weight = *store_.FindParameter(graph_.tensor(node.inputs[1]).name);
    int8->weight_scales = WeightScales(store_.values() + weight.offset, weight.shape[0],
                                       weight.size / weight.shape[0]);
    attributes.int8 = std::move(int8);
    node.attributes = std::move(attributes);
    graph_.ReplaceNode(at, std::move(node));
  }

  const Quantisation& quantisation_;
  const TensorId result_;
  const ParameterStore& store_;
  const QuantisedFor target_;
  Graph& graph_;
  absl::flat_hash_map<TensorId, Forms> forms_;
};

}  // namespace

std::vector<QuantisableConvolution> QuantisableConvolutions(const Graph& graph, TensorId result) {
  std::vector<QuantisableConvolution> found;
  const Uses uses(graph, {result});
  for (int i = 0; i < static_cast<int>(graph.nodes().size()); ++i) {
    const Node& node = graph.node(i);
    if (!uses.IsNeeded(i) || node.op != kConvolution) continue;
    const TensorId weight = node.inputs[1];
    if (node.as<ConvolutionAttributes>().pooled || graph.producer(weight).op != kParameter ||
        uses.readers(weight).size() != 1 || graph.producer(node.inputs[0]).op == kInput ||
        graph.shape(node.inputs[0]).rank() < 2)
      continue;
    found.push_back({i, graph.tensor(weight).name, node.inputs[0], node.outputs[0],
                     node.inputs.size() > 3 ? node.inputs[3] : kNoTensor});
  }
  return found;
}

absl::Status QuantiseGraph(const Quantisation& quantisation, TensorId result,
                           const ParameterStore& store, QuantisedFor target, Graph& graph) {
  return Quantiser(quantisation, result, store, target, graph).Run();
}

std::vector<float> WeightScales(const float* weights, int64_t rows, int64_t columns) {
  std::vector<float> scales(rows);
  for (int64_t r = 0; r < rows; ++r) {
    float largest = 0;
    for (int64_t i = 0; i < columns; ++i)
      largest = std::max(largest, std::fabs(weights[r * columns + i]));
    const float scale = largest / tensor::kLargestInt8Weight;
    scales[r] = scale > 0 ? scale : 1;
  }
  return scales;
}

}  // namespace cotangent::layers
