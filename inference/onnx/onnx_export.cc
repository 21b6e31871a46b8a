#include "inference/onnx/onnx_export.h"

#include <onnx/checker.h>

#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "inference/onnx/onnx_graph.h"
#include "inference/onnx/onnx_network.h"
#include "inference/onnx/rules/rule.h"
#include "layers/graph/operation.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/plan/fold.h"
#include "layers/plan/quantise.h"
#include "nlohmann/json.hpp"
#include "training/targets.h"

namespace cotangent::inference {
namespace {

using nlohmann::json;

constexpr char kImages[] = "images";
constexpr char kBatch[] = "batch";
constexpr int64_t kMostBytes = (int64_t{1} << 31) - 1;  // the largest size of a protocol buffer

// Describes an input or output of the model. Its first dimension, the batch, may have any size;
// `of_one` lists the other dimensions.
void Describe(onnx::ValueInfoProto& value, const std::string& name, int type,
              const std::vector<int64_t>& of_one) {
  value.set_name(name);
  onnx::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  tensor.mutable_shape()->add_dim()->set_dim_param(kBatch);
  for (int64_t extent : of_one) tensor.mutable_shape()->add_dim()->set_dim_value(extent);
}

// Adds operators that turn bytes [batch, height, width, channels] into (byte / 255 - mean) /
// deviation [batch, channels, height, width]. Returns the name of the result.
std::string Normalise(const data::Normalisation& normalisation, int64_t channels,
                      const std::string& bytes, OnnxNetwork& network) {
  OnnxGraph& onnx = network.onnx();
  onnx.SetLayer("normalisation");
  std::vector<float> scale, offset;
  for (int64_t c = 0; c < channels; ++c) {
    scale.push_back(1 / (255 * normalisation.deviation[c]));
    offset.push_back(-normalisation.mean[c] / normalisation.deviation[c]);
  }
  const std::string numbers =
      onnx.Add("Cast", {bytes}, {OnnxGraph::Int("to", onnx::TensorProto::FLOAT)});
  const std::string planar = onnx.Add("Transpose", {numbers}, {{"perm", {0, 3, 1, 2}}});
  const std::string scaled =
      onnx.Add("Mul", {planar, network.ChannelTensor("normalisation.scale", scale, 4)});
  return onnx.Add("Add", {scaled, network.ChannelTensor("normalisation.offset", offset, 4)});
}

void AddMetadata(const training::TrainedNetwork& trained, const OnnxOptions& options,
                 onnx::ModelProto& model) {
  const auto add = [&](const std::string& key, const std::string& value) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  };
  const auto list = [](const json& values) {
    return values.dump(-1, ' ', false, json::error_handler_t::replace);
  };
  const auto channels = static_cast<size_t>(trained.network.input().channels());
  const auto& normalisation = trained.normalisation;
  add("classes", list(trained.classes));
  add("mean",
      list(std::vector<float>(normalisation.mean.begin(), normalisation.mean.begin() + channels)));
  add("deviation", list(std::vector<float>(normalisation.deviation.begin(),
                                           normalisation.deviation.begin() + channels)));
  const TargetKind targets = training::TargetKindOf(trained.network);
  add("targets", PluralOf(targets));
  if (targets == TargetKind::kNumbers) {
    const auto& scale = trained.network.train().target_normalisation();
    add("target_mean", list(std::vector<double>(scale.mean().begin(), scale.mean().end())));
    add("target_deviation",
        list(std::vector<double>(scale.deviation().begin(), scale.deviation().end())));
  }
  add("dataset", trained.dataset);
  add("network", layers::NetworkText(trained.network));
  if (options.accuracy.has_value()) add("accuracy", absl::StrCat(*options.accuracy));
}

absl::Status CheckModel(const onnx::ModelProto& model) {
  try {
    onnx::checker::check_model(model);
  } catch (const std::exception& error) {
    return absl::InternalError(
        absl::StrCat("ONNX's checker refuses what was made: ", error.what()));
  }
  return absl::OkStatus();
}

// Returns the nodes that the result depends on, in an order in which they can be computed.
std::vector<const layers::Node*> NeededFor(const layers::Graph& graph, layers::TensorId result) {
  std::vector<bool> needed(graph.num_tensors(), false);
  needed[result] = true;
  std::vector<const layers::Node*> nodes;
  // When the graph was rewritten (by folding, for example), a node may read a leaf (an input or
  // parameter) that comes after it in the list. Such a leaf is left out of the result, which does
  // no harm: no operator is added for a leaf.
  for (auto node = graph.nodes().rbegin(); node != graph.nodes().rend(); ++node) {
    if (!needed[node->outputs[0]]) continue;
    for (layers::TensorId t : node->inputs) needed[t] = true;
    nodes.push_back(&*node);
  }
  return {nodes.rbegin(), nodes.rend()};
}

}  // namespace

absl::StatusOr<std::string> ExportOnnx(const training::TrainedNetwork& trained,
                                       const OnnxOptions& options) {
  layers::BuildOptions build;
  build.batch_size = 1;
  build.training = false;
  build.with_loss = false;
  build.classes = static_cast<int64_t>(trained.classes.size());
  ASSIGN_OR_RETURN(const layers::BuiltNetwork built, layers::Build(trained.network, build));
  ASSIGN_OR_RETURN(const auto folded,
                   layers::FoldedGraph::Create(built.graph, built.prediction, *trained.store));
  folded->Update();
  layers::Graph whole = folded->graph();
  RETURN_IF_ERROR(layers::QuantiseGraph(trained.quantisation, built.prediction, folded->store(),
                                        layers::QuantisedFor::kExport, whole));
  if (folded->store().parameter_floats() * int64_t{sizeof(float)} > kMostBytes)
    return absl::InvalidArgumentError(
        "the network is larger than the 2 GiB that an ONNX file can hold; export it with "
        "--format=safetensors");

  onnx::ModelProto model;
  model.set_ir_version(kOnnxFormatVersion);
  model.set_producer_name("cotangent");
  onnx::OperatorSetIdProto& operators = *model.add_opset_import();
  operators.set_domain("");
  operators.set_version(kOnnxOperatorSet);
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name(trained.network.name().empty() ? "network" : trained.network.name());

  OnnxGraph onnx(graph);
  OnnxNetwork network(whole, folded->store(), onnx);
  const layers::Shape& image = built.graph.shape(built.images);
  const std::string input = onnx.Unique(kImages);
  if (options.raw_bytes) {
    Describe(*graph.add_input(), input, onnx::TensorProto::UINT8, {image[2], image[3], image[1]});
    network.Set(built.images, Normalise(trained.normalisation, image[1], input, network));
  } else {
    Describe(*graph.add_input(), input, onnx::TensorProto::FLOAT, {image[1], image[2], image[3]});
    network.Set(built.images, input);
  }
  for (const layers::Node* node : NeededFor(whole, built.prediction))
    RETURN_IF_ERROR(AddOnnxOperators(*node, network));

  const bool ends_with_softmax =
      absl::string_view(built.graph.producer(built.prediction).op->name()) == "softmax";
  const std::string output = onnx.Unique(ends_with_softmax ? "probabilities" : "logits");
  // The output of the model must be the result of its last operator, which is renamed to the
  // output's name. If the prediction is another value, an Identity operator is added last.
  const std::string result = network.Value(built.prediction);
  onnx::NodeProto* const last =
      graph.node_size() == 0 ? nullptr : graph.mutable_node(graph.node_size() - 1);
  if (last == nullptr || last->output(0) != result) {
    onnx.SetLayer(output);
    onnx.Add("Identity", {result});
  }
  graph.mutable_node(graph.node_size() - 1)->set_output(0, output);
  Describe(*graph.add_output(), output, onnx::TensorProto::FLOAT, {built.classes});
  AddMetadata(trained, options, model);
  RETURN_IF_ERROR(CheckModel(model));
  return model.SerializeAsString();
}

}  // namespace cotangent::inference
