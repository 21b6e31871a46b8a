// Checks that every operation of the program has been compared with the reference evaluator (plain
// loops, layers/graph/reference.h) by some test, and that every kind of layer and of activation in
// network.proto has code.

#include <set>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "layers/graph/operation.h"
#include "layers/network/nearest_name.h"
#include "layers/network/network.pb.h"
#include "layers/ops/activation.h"
#include "layers/ops/layer.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::layers {
namespace {

TEST(OperationTableTest, NamesDiffer) {
  std::set<std::string> names;
  for (Op op : AllOperations()) EXPECT_TRUE(names.insert(op->name()).second) << op->name();
  EXPECT_GE(names.size(), 28u);
}

// Returns the fields of the message Layer of network.proto that stand for the kinds of layers.
std::vector<const google::protobuf::FieldDescriptor*> LayerKinds() {
  const auto& kinds = *Layer::descriptor()->FindOneofByName("kind");
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  for (int i = 0; i < kinds.field_count(); ++i) fields.push_back(kinds.field(i));
  return fields;
}

TEST(LayerTableTest, EveryKindHasCode) {
  for (const auto* field : LayerKinds()) {
    // Layers in sequences and blocks are built one by one (layers/network/build.cc).
    if (field->name() == "sequence" || field->name() == "use") continue;
    EXPECT_NE(FindLayerKind(static_cast<Layer::KindCase>(field->number())), nullptr)
        << "no file of layers/ops/ has a RegisterLayer for " << field->name();
  }
}

TEST(LayerTableTest, EveryActivationHasAFormula) {
  const auto& kinds = *Layer::Activation::Kind_descriptor();
  for (int i = 0; i < kinds.value_count(); ++i) {
    const auto kind = static_cast<Layer::Activation::Kind>(kinds.value(i)->number());
    EXPECT_NE(FindActivation(kind), nullptr)
        << "no file of layers/ops/ has a RegisterActivation for " << kinds.value(i)->name();
  }
}

// Every alias of a field must stand for a field that the layer's message has.
TEST(LayerTableTest, AliasesStandForFieldsThatExist) {
  for (const auto* field : LayerKinds()) {
    const LayerKind* kind = FindLayerKind(static_cast<Layer::KindCase>(field->number()));
    if (kind == nullptr) continue;
    for (const Alias& alias : kind->traits.field_aliases) {
      EXPECT_NE(field->message_type()->FindFieldByName(alias.ours), nullptr)
          << field->name() << " has no field " << alias.ours << " for " << alias.theirs;
    }
  }
}

TEST(LayerTableTest, AliasesAreSuggested) {
  std::vector<std::string> kinds, activations;
  for (const auto* field : LayerKinds()) kinds.push_back(field->name());
  const auto& values = *Layer::Activation::Kind_descriptor();
  for (int i = 0; i < values.value_count(); ++i) activations.push_back(values.value(i)->name());
  EXPECT_EQ(Suggestion("Conv2d", kinds), "did you mean 'convolution'?");
  EXPECT_EQ(Suggestion("stochastic_depth", kinds), "did you mean 'drop_path'?");
  EXPECT_EQ(Suggestion("Concatenate", kinds), "did you mean 'concat'?");
  EXPECT_EQ(Suggestion("gap", kinds), "did you mean 'global_average_pool'?");
  EXPECT_EQ(Suggestion("nn.ZeroPad2d", kinds), "did you mean 'pad'?");
  EXPECT_EQ(Suggestion("num_output", {"features", "bias"}), "did you mean 'features'?");
  EXPECT_EQ(Suggestion("num_output", {"kernel", "channels"}), "did you mean 'channels'?");
  EXPECT_EQ(Suggestion("Swish", kinds), "did you mean 'activation'?");
  EXPECT_EQ(Suggestion("Swish", activations), "did you mean 'SILU'?");
  for (const std::string& name : activations)
    EXPECT_EQ(Suggestion(name, kinds), "did you mean 'activation'?") << name;
}

TEST(LayerTableDeathTest, ASecondRegistrationEndsTheProgram) {
  EXPECT_DEATH(RegisterLayer(Layer::kAdd, nullptr), "layer add is registered twice");
  EXPECT_DEATH(RegisterActivation(Layer::Activation::RELU, "x"),
               "activation RELU is registered twice");
}

// Runs after all tests of the program. Fails if some operation was never passed to
// ExpectPlanAgrees(), which compares values and derivatives of a plan (a compiled graph) with the
// reference evaluator; not if a filter selects some of the tests.
class EveryOperationIsChecked : public testing::Environment {
 public:
  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "*") return;
    for (Op op : AllOperations())
      EXPECT_EQ(CheckedOperations().count(op->name()), 1u)
          << op->name() << ": no test has given it to ExpectPlanAgrees()";
  }
};

const testing::Environment* const every_operation_is_checked =
    testing::AddGlobalTestEnvironment(new EveryOperationIsChecked);

}  // namespace
}  // namespace cotangent::layers
