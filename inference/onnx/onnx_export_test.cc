#include "inference/onnx/onnx_export.h"

#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <map>
#include <set>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/onnx/onnx_cases.h"
#include "inference/onnx/rules/rule.h"
#include "inference/trained_testing.h"
#include "layers/graph/operation.h"
#include "layers/network/network.pb.h"

namespace cotangent::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

onnx::ModelProto Exported(const training::TrainedNetwork& trained,
                          const OnnxOptions& options = {}) {
  const absl::StatusOr<std::string> bytes = ExportOnnx(trained, options);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  onnx::ModelProto model;
  EXPECT_TRUE(bytes.ok() && model.ParseFromString(*bytes));
  return model;
}

std::vector<std::string> Operators(const onnx::ModelProto& model) {
  std::vector<std::string> operators;
  for (const onnx::NodeProto& node : model.graph().node()) operators.push_back(node.op_type());
  return operators;
}

// This test fails when an operation that occurs in inference is added to the library, until a file
// of rules/ has its rule, and if there is a rule for an operation that does not occur in inference.
TEST(OnnxExport, EveryOperationOfInferenceHasARule) {
  std::set<std::string> unknown = OperationsWithOnnxRule();
  for (const layers::Op op : layers::AllOperations()) {
    EXPECT_EQ(unknown.erase(op->name()) == 1, op->occurs_in_inference())
        << "how is " << op->name() << " written in ONNX? Expected a rule in inference/onnx/rules/ "
        << "exactly if the operation occurs in inference (layers/graph/operation.h)";
  }
  EXPECT_THAT(unknown, IsEmpty()) << "rules of operations that do not exist";
}

TEST(OnnxExportDeathTest, ASecondRuleOrCaseOfTheSameNameEndsTheProgram) {
  EXPECT_DEATH(RegisterOnnxRule("softmax", nullptr),
               "the ONNX rule of operation softmax is registered twice");
  EXPECT_DEATH((RegisterOnnxCases{{"max_pool", "layer { max_pool { kernel: 2 } }"}}),
               "the ONNX case max_pool is registered twice");
}

// Adds the names of the kinds of these layers, and of the layers in their sequences.
void AddKinds(const google::protobuf::RepeatedPtrField<layers::Layer>& layers,
              std::set<std::string>& kinds) {
  for (const layers::Layer& layer : layers) {
    kinds.insert(layers::Layer::descriptor()->FindFieldByNumber(layer.kind_case())->name());
    AddKinds(layer.sequence().layer(), kinds);
  }
}

// tests/onnx_runtime checks that ONNX Runtime computes the same results.
TEST(OnnxExport, EveryLayerAndZooNetworkReadsBackAndPassesTheChecker) {
  std::set<std::string> kinds;
  for (const OnnxCase& network : OnnxCases()) {
    SCOPED_TRACE(network.name);
    AddKinds(network.trained.network.layer(), kinds);
    for (bool raw : {false, true}) {
      const onnx::ModelProto model = Exported(network.trained, {.raw_bytes = raw, .accuracy = {}});
      EXPECT_NO_THROW(onnx::checker::check_model(model));
      std::set<std::string> names;
      for (const auto& node : model.graph().node()) {
        EXPECT_TRUE(names.insert(node.name()).second) << node.name();
        EXPECT_NE(node.op_type(), "BatchNormalization");
      }
    }
  }
  const google::protobuf::OneofDescriptor& all =
      *layers::Layer::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < all.field_count(); ++i) {
    const std::string kind = all.field(i)->name();
    if (kind == "use") continue;  // became a sequence when the text was read
    EXPECT_EQ(kinds.count(kind), 1u)
        << "no case has a layer " << kind << "; expected one in inference/onnx/rules/";
  }
}

TEST(OnnxExport, FoldsAndNamesByLayer) {
  const onnx::ModelProto model = Exported(MakeTrained(
      R"(layer { name: "conv1" convolution { channels: 5 kernel: 3 bias: false } }
         layer { name: "bn1" batch_norm {} }
         layer { name: "act" activation { kind: RELU } }
         layer { name: "fc" linear {} })",
      {"cat", "dog"}));
  EXPECT_THAT(Operators(model), ElementsAre("Conv", "Relu", "Flatten", "Gemm"));
  std::set<std::string> weights;
  for (const auto& tensor : model.graph().initializer()) weights.insert(tensor.name());
  EXPECT_THAT(weights, ElementsAre("conv1.bias", "conv1.weight", "fc.bias", "fc.weight"));
  EXPECT_EQ(model.graph().node(0).name(), "conv1/Conv");
}

TEST(OnnxExport, TheBatchIsFree) {
  const auto trained =
      MakeTrained("input { height: 7 width: 5 } layer { linear {} }", {"a", "b", "c"});
  const onnx::ModelProto model = Exported(trained);
  const auto& in = model.graph().input(0).type().tensor_type();
  EXPECT_EQ(in.elem_type(), onnx::TensorProto::FLOAT);
  EXPECT_EQ(in.shape().dim(0).dim_param(), "batch");
  EXPECT_EQ(in.shape().dim(3).dim_value(), 5);
  const auto& out = model.graph().output(0).type().tensor_type();
  EXPECT_EQ(model.graph().output(0).name(), "logits");
  EXPECT_EQ(out.shape().dim(0).dim_param(), "batch");
  EXPECT_EQ(out.shape().dim(1).dim_value(), 3);
  const onnx::ModelProto raw = Exported(trained, {.raw_bytes = true, .accuracy = {}});
  const auto& bytes = raw.graph().input(0).type().tensor_type();
  EXPECT_EQ(bytes.elem_type(), onnx::TensorProto::UINT8);
  EXPECT_EQ(bytes.shape().dim(1).dim_value(), 7);
  EXPECT_EQ(bytes.shape().dim(3).dim_value(), 3);
}

TEST(OnnxExport, MetadataSayWhatTheNetworkIs) {
  const auto trained = MakeTrained(
      "input { channels: 1 height: 4 width: 4 } layer { linear {} } "
      "train { normalisation { mean: 0.25 deviation: 0.5 } }",
      {"left \"and\" right", "up"});
  std::map<std::string, std::string> metadata;
  const onnx::ModelProto model = Exported(trained, {.raw_bytes = false, .accuracy = 0.875});
  for (const auto& entry : model.metadata_props()) metadata[entry.key()] = entry.value();
  EXPECT_EQ(metadata["classes"], R"(["left \"and\" right","up"])");
  EXPECT_EQ(metadata["mean"], "[0.25]");
  EXPECT_EQ(metadata["deviation"], "[0.5]");
  EXPECT_EQ(metadata["accuracy"], "0.875");
  EXPECT_THAT(metadata["network"], HasSubstr("linear"));
}

TEST(OnnxExport, AFunctionThatOnnxLacksIsAnError) {
  const auto model = ExportOnnx(MakeTrained(
      "layer { activation { formula: \"gamma(2 + abs(x))\" } } layer { linear {} }", {"a", "b"}));
  EXPECT_TRUE(absl::IsInvalidArgument(model.status()));
  EXPECT_THAT(model.status().message(), HasSubstr("ONNX has no operator for gamma("));
}

}  // namespace
}  // namespace cotangent::inference
