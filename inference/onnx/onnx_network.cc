#include "inference/onnx/onnx_network.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "autodiff/symbolic/expression.h"
#include "inference/onnx/onnx_formula.h"
#include "layers/graph/operation.h"

namespace cotangent::inference {

using autodiff::symbolic::Expr;
using layers::Node;
using layers::TensorId;

std::vector<float> OnnxNetwork::Constant(TensorId t) const {
  const Node& node = graph_.producer(t);
  const absl::string_view op = node.op->name();
  const std::string& name = graph_.tensor(t).name;
  if (op == "parameter") {
    const auto& slot = *store_.FindParameter(name);
    return {store_.values() + slot.offset, store_.values() + slot.offset + slot.size};
  }
  if (op == "state") {
    const auto& slot = *store_.FindState(name);
    return {store_.state_values() + slot.offset, store_.state_values() + slot.offset + slot.size};
  }
  if (op == "constant") return {static_cast<float>(node.as<double>())};
  if (op != "elementwise" || shape(t).rank() > 1) return {};
  std::vector<Expr> variables;
  std::vector<std::vector<float>> operands;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    variables.push_back(graph_.Operand(static_cast<int>(i)));
    operands.push_back(Constant(node.inputs[i]));
  }
  return EvaluateByChannel(node.as<Expr>(), variables, operands);
}

std::string OnnxNetwork::ChannelTensor(absl::string_view name, const std::vector<float>& values,
                                       int rank) {
  std::vector<int64_t> dims;
  if (values.size() > 1) {
    dims.push_back(static_cast<int64_t>(values.size()));
    for (int i = 2; i < rank; ++i) dims.push_back(1);
  }
  return onnx_.Tensor(name, dims, values);
}

std::string OnnxNetwork::Value(TensorId t) {
  if (const auto found = values_.find(t); found != values_.end()) return found->second;
  const std::vector<float> constant = Constant(t);
  // Folding (layers/plan/fold.h) creates biases of its own. They get the same names as the biases
  // of layers.
  std::string name = graph_.tensor(t).name;
  if (absl::EndsWith(name, ".folded_bias"))
    name = absl::StrCat(absl::StripSuffix(name, ".folded_bias"), ".bias");
  std::vector<int64_t> dims(shape(t).begin(), shape(t).end());
  if (constant.size() == 1 && shape(t).NumElements() > 1) dims.clear();
  return values_[t] = onnx_.Tensor(name, dims, constant);
}

}  // namespace cotangent::inference
