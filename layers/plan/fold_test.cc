// Tests folding (fold.h), which moves the operations after a convolution into its weights and bias.

#include "layers/plan/fold.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "layers/graph/uses.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/ops/convolution.h"
#include "layers/plan/plan.h"
#include "layers/plan/plan_testing.h"
#include "layers/zoo/zoo.h"

namespace cotangent::layers {
namespace {

// Fills the store with values that keep activations of order one: weights scaled by their fan-in,
// variances from 0.5 to 2, scales of both signs, and other values around zero.
void FillAtRandom(ParameterStore& store) {
  SplitMix random(7);
  for (const ParameterStore::Slot& slot : store.parameters()) {
    const double fan_in =
        slot.shape.rank() >= 2 ? static_cast<double>(slot.size) / slot.shape[0] : 1;
    for (int64_t i = 0; i < slot.size; ++i)
      store.values()[slot.offset + i] =
          static_cast<float>(random.Uniform() * std::sqrt(6 / fan_in));
  }
  for (const ParameterStore::Slot& slot : store.states()) {
    const bool is_variance = slot.name.find("var") != std::string::npos;
    for (int64_t i = 0; i < slot.size; ++i)
      store.state_values()[slot.offset + i] =
          static_cast<float>(is_variance ? std::exp2(random.Uniform()) : random.Uniform());
  }
}

std::vector<float> Predict(const Graph& graph, TensorId images, TensorId prediction,
                           ParameterStore& store, ElementType precision, bool exact) {
  Tuner tuner(1);
  PlanOptions options;
  options.constant_parameters = true;
  options.precision = precision;
  options.exact = exact;
  auto plan = Plan::Compile(graph, {{prediction}}, store, tuner, options);
  EXPECT_TRUE(plan.ok()) << plan.status();
  if (!plan.ok()) return {};
  SplitMix random(3);
  float* pixels = static_cast<float*>((*plan)->input(images));
  for (int64_t i = 0; i < graph.shape(images).NumElements(); ++i)
    pixels[i] = static_cast<float>(2 * random.Uniform());
  (*plan)->Run(0);
  const float* result = (*plan)->result(prediction);
  return std::vector<float>(result, result + graph.shape(prediction).NumElements());
}

double RelativeDifference(const std::vector<float>& a, const std::vector<float>& b) {
  double most = 0, difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(a[i])));
    difference = std::max(difference, std::abs(static_cast<double>(a[i]) - b[i]));
  }
  return most > 0 ? difference / most : INFINITY;
}

struct Case {
  BuiltNetwork network;
  std::unique_ptr<ParameterStore> store;
  std::unique_ptr<FoldedGraph> folded;

  static Case Of(const Network& text) {
    BuildOptions options;
    options.batch_size = 2;
    options.training = options.with_loss = false;
    auto built = Build(text, options);
    EXPECT_TRUE(built.ok()) << built.status();
    Case made{*std::move(built), nullptr, nullptr};
    made.store = *ParameterStore::Create(made.network.graph);
    FillAtRandom(*made.store);
    auto folded = FoldedGraph::Create(made.network.graph, made.network.prediction, *made.store);
    EXPECT_TRUE(folded.ok()) << folded.status();
    made.folded = *std::move(folded);
    made.folded->Update();
    return made;
  }
  double Difference(ElementType precision = ElementType::kF32, bool exact = true) {
    return RelativeDifference(
        Predict(network.graph, network.images, network.prediction, *store, ElementType::kF32, true),
        Predict(folded->graph(), network.images, network.prediction, folded->store(), precision,
                exact));
  }
};

Case OfText(const std::string& layers) {
  auto network = ParseNetwork(
      absl::StrCat("name: 'test' input { channels: 3 height: 8 width: 8 } ", layers), "test");
  EXPECT_TRUE(network.ok()) << network.status();
  return Case::Of(*network);
}

class FoldZoo : public ::testing::TestWithParam<std::string> {};

TEST_P(FoldZoo, ComputesTheSame) {
  Case zoo = Case::Of(*FindNetwork(GetParam()));
  EXPECT_GT(zoo.folded->size(), 0);
  EXPECT_LT(zoo.Difference(), 1e-5);
}

// Checkpoints store the implementation chosen for a convolution under the convolution's name, so
// names must differ.
TEST_P(FoldZoo, ConvolutionsHaveNamesOfTheirOwn) {
  const auto network = Build(*FindNetwork(GetParam()), {.batch_size = 2});
  ASSERT_TRUE(network.ok()) << network.status();
  std::set<std::string> names;
  for (const Node& node : network->graph.nodes()) {
    if (node.op != kConvolution) continue;
    EXPECT_TRUE(names.insert(node.name).second) << node.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, FoldZoo, ::testing::ValuesIn(ZooNames()),
                         [](const auto& info) { return info.param; });

TEST(Fold, WithWinograd) {
  EXPECT_LT(Case::Of(*FindNetwork("resnet20")).Difference(ElementType::kF32, false), 1e-4);
}

TEST(Fold, InBf16) {
  EXPECT_LT(Case::Of(*FindNetwork("resnet20")).Difference(ElementType::kBf16, true), 0.1);
}

// In a residual network, the normalisation after each of the 20 convolutions (with the ReLU that
// follows, if one does), and the bias of the linear layer, are folded into it, and the sum of each
// of the 8 residual blocks is folded into one of the convolutions of the block.
TEST(Fold, LeavesNothingBehindInAResidualNetwork) {
  const Case zoo = Case::Of(*FindNetwork("resnet18"));
  EXPECT_EQ(zoo.folded->size(), 21);
  int sums = 0;
  for (const Node& node : zoo.folded->graph().nodes())
    sums += node.op == kConvolution && node.inputs.size() == 4;
  EXPECT_EQ(sums, 8);
}

TEST(Fold, FollowsItsSource) {
  Case zoo = Case::Of(*FindNetwork("resnet20"));
  zoo.store->values()[0] += 1;
  zoo.store->state_values()[0] += 1;
  EXPECT_GT(zoo.Difference(), 1e-4);
  zoo.folded->Update();
  EXPECT_LT(zoo.Difference(), 1e-5);
}

TEST(Fold, AnyArithmeticThatIsAffine) {
  Case net = OfText(
      "layer { name: 'conv' convolution { channels: 8 kernel: 3 } } layer { activation { formula: "
      "'3 - (x + 1) / 7' } } "
      "layer { batch_norm {} } layer { linear {} } layer { activation { formula: 'x / 256' } }");
  EXPECT_EQ(net.folded->size(), 2);
  EXPECT_LT(net.Difference(), 1e-5);
}

TEST(Fold, NoStepsOrCurves) {
  for (const char* formula : {"floor(x)", "sign(x)", "x * x", "x * abs(x)", "max(0, x) + 1"}) {
    Case net =
        OfText(absl::StrCat("layer { name: 'conv' convolution { channels: 8 kernel: 3 bias: false "
                            "} } layer { activation { formula: '",
                            formula, "' } } layer { linear { bias: false } }"));
    EXPECT_EQ(net.folded->size(), 0) << formula;
  }
}

// If two operations read a convolution's output, the output must keep its value, so neither of them
// can be folded into the convolution.
TEST(Fold, OnlyWhatNobodyElseReads) {
  Case net = OfText(
      "layer { name: 'conv' convolution { channels: 3 kernel: 3 pad: 1 bias: false } } layer { "
      "name: 'relu' activation { kind: RELU } } "
      "layer { name: 'sum' input: 'conv' input: 'relu' add {} } layer { linear { bias: false } }");
  EXPECT_EQ(net.folded->size(), 0);
  EXPECT_LT(net.Difference(), 1e-5);
}

TEST(Fold, BranchesOfOneTensorAreOneConvolution) {
  const std::string rep =
      "layer { name: 'stem' convolution { channels: 16 kernel: 3 pad: 1 } } layer { name: 'act' "
      "activation { kind: RELU } } "
      "layer { name: 'c3' convolution { channels: 16 kernel: 3 pad: 1 groups: %G bias: false } } "
      "layer { name: 'b3' batch_norm {} } "
      "layer { name: 'c1' input: 'act' convolution { channels: 16 kernel: 1 groups: %G } } "
      "layer { name: 'b1' batch_norm {} } layer { name: 'b0' input: 'act' batch_norm {} } "
      "layer { name: 'sum' input: 'b3' input: 'b1' input: 'b0' add {} } "
      "layer { name: 'r' activation { kind: RELU } } layer { linear {} }";
  for (const char* groups : {"1", "4", "16"}) {
    Case net = OfText(absl::StrReplaceAll(rep, {{"%G", groups}}));
    EXPECT_EQ(net.folded->size(), 3) << groups;
    EXPECT_LT(net.Difference(), 1e-5) << groups;
    int convolutions = 0;
    const Uses uses(net.folded->graph(), {net.network.prediction});
    for (size_t i = 0; i < net.folded->graph().nodes().size(); ++i)
      convolutions += uses.IsNeeded(static_cast<int>(i)) &&
                      net.folded->graph().node(static_cast<int>(i)).op == kConvolution;
    EXPECT_EQ(convolutions, 3) << groups;
  }
}

// Merges sums within sums, convolutions with stride 2, a kernel of one row, a kernel of one cell,
// and a dilated kernel within a dense one.
TEST(Fold, BranchesOfAllSizes) {
  Case net = OfText(
      "layer { name: 'stem' convolution { channels: 6 kernel: 3 pad: 1 } } layer { name: 'x' "
      "activation { kind: TANH } } "
      "layer { name: 'big' convolution { channels: 8 kernel: 5 stride: 2 pad: 2 } } "
      "layer { name: 'wide' input: 'x' convolution { channels: 8 kernel: [1, 3] stride: 2 pad: [0, "
      "1] } } layer { name: 'bn' batch_norm {} } "
      "layer { name: 'holes' input: 'x' convolution { channels: 8 kernel: 3 dilation: 2 stride: 2 "
      "pad: 2 } } layer { name: 'half' activation { formula: '1 - x / 2' } } "
      "layer { name: 'point' input: 'x' convolution { channels: 8 kernel: 1 stride: 2 bias: false "
      "} } "
      "layer { name: 'two' input: 'big' input: 'bn' add {} } layer { name: 'three' input: 'two' "
      "input: 'half' add {} } layer { name: 'bn3' batch_norm {} } "
      "layer { name: 'four' input: 'point' input: 'bn3' add {} } layer { linear {} }");
  EXPECT_EQ(net.folded->size(), 3);
  EXPECT_LT(net.Difference(), 1e-5);
}

// A sum cannot be merged if a kernel does not lie within the largest one, or if convolutions read
// different tensors. Its result must be right nevertheless.
TEST(Fold, BranchesThatDoNotFit) {
  Case net = OfText(
      "layer { name: 'stem' convolution { channels: 6 kernel: 3 pad: 1 } } layer { name: 'x' "
      "activation { kind: TANH } } "
      "layer { name: 'a' convolution { channels: 6 kernel: [3, 1] pad: [1, 0] } } "
      "layer { name: 'b' input: 'x' convolution { channels: 6 kernel: [1, 3] pad: [0, 1] } } "
      "layer { name: 'c' convolution { channels: 6 kernel: 3 pad: 1 } } "
      "layer { name: 'sum' input: 'a' input: 'b' add {} } layer { name: 'sum2' input: 'sum' input: "
      "'c' add {} } layer { linear {} }");
  EXPECT_LT(net.Difference(), 1e-5);
}

TEST(Fold, TwoConvolutionsOfOneSum) {
  Case net = OfText(
      "layer { name: 'stem' convolution { channels: 16 kernel: 3 pad: 1 } } "
      "layer { name: 'left' input: 'stem' convolution { channels: 16 kernel: 3 pad: 1 } } layer { "
      "name: 'bn' batch_norm {} } "
      "layer { name: 'right' input: 'stem' convolution { channels: 16 kernel: 1 } } layer { name: "
      "'bn2' batch_norm {} } "
      "layer { name: 'sum' input: 'bn' input: 'bn2' add {} } layer { name: 'sum2' input: 'sum' "
      "input: 'stem' add {} } layer { activation { kind: RELU } } layer { linear {} }");
  EXPECT_EQ(net.folded->size(), 3);
  EXPECT_LT(net.Difference(), 1e-5);
}

}  // namespace
}  // namespace cotangent::layers
