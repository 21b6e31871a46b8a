// Compares layers with results of PyTorch (made by pytorch_numbers.py), and compares plans
// (compiled graphs) of these layers with the reference evaluator (layers/graph/reference.h).

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "layers/graph/reference.h"
#include "layers/graph/vjp.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::layers {
namespace {

struct Case {
  const char* text;
  std::vector<int64_t> image;
  std::vector<double> y;
  std::vector<std::vector<double>> gradients;  // by the input, then by each parameter
};

void PrintTo(const Case& c, std::ostream* out) { *out << c.text; }

const std::vector<Case>& Cases() {
  static const std::vector<Case>& cases = *new std::vector<Case>{
#include "layers/ops/pytorch_numbers.inc"
  };
  return cases;
}

// Returns the values with which pytorch_numbers.py fills its tensors: element i is (i a mod m -
// shift) / scale.
std::vector<double> Filled(int64_t count, int64_t a, int64_t m, double shift, double scale) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i)
    values.push_back((static_cast<double>(i * a % m) - shift) / scale);
  return values;
}

BuiltNetwork Built(const Case& c) {
  const absl::StatusOr<Network> network = ParseNetwork(absl::StrCat(
      "input { channels: ", c.image[0], " height: ", c.image[1], " width: ", c.image[2],
      " classes: ", c.y.size() / 2, " }\n", c.text, "\nlayer { flatten {} }\n"));
  EXPECT_TRUE(network.ok()) << network.status();
  absl::StatusOr<BuiltNetwork> built = Build(*network, {.batch_size = 2, .with_loss = false});
  EXPECT_TRUE(built.ok()) << built.status();
  return *std::move(built);
}

class PyTorchTest : public testing::TestWithParam<Case> {};

TEST_P(PyTorchTest, GivesTheSameNumbers) {
  BuiltNetwork built = Built(GetParam());
  Graph& graph = built.graph;
  std::vector<TensorId> leaves = {built.images};
  for (const ParameterSpec& parameter : built.parameters) leaves.push_back(parameter.tensor);
  const TensorId seed = graph.Input("seed", graph.shape(built.prediction));
  const auto gradients = VectorJacobianProduct(graph, {built.prediction}, {seed}, leaves);
  ASSERT_TRUE(gradients.ok()) << gradients.status();
  ReferenceEvaluator<double> reference(graph);
  reference.Give(built.images, Filled(graph.shape(built.images).NumElements(), 37, 101, 50.5, 20));
  reference.Give(seed, Filled(graph.shape(seed).NumElements(), 3, 7, 2.5, 2));
  for (size_t k = 1; k < leaves.size(); ++k)
    reference.Give(leaves[k], Filled(graph.shape(leaves[k]).NumElements(),
                                     5 + 2 * static_cast<int64_t>(k - 1), 17, 7.5, 16));
  std::vector<TensorId> results = {built.prediction};
  for (TensorId t : *gradients) results.push_back(t);
  std::vector<TensorId> built_results = results;
  std::erase(built_results, kNoTensor);
  ASSERT_TRUE(reference.Compute(built_results).ok());
  std::vector<std::vector<double>> expected = {GetParam().y};
  for (const auto& gradient : GetParam().gradients) expected.push_back(gradient);
  ASSERT_EQ(results.size(), expected.size());
  for (size_t r = 0; r < results.size(); ++r) {
    if (results[r] == kNoTensor) {  // the prediction does not depend on this leaf
      for (const double gradient : expected[r]) EXPECT_NEAR(gradient, 0, 1e-12);
      continue;
    }
    ASSERT_EQ(reference.values(results[r]).size(), expected[r].size());
    for (size_t i = 0; i < expected[r].size(); ++i) {
      EXPECT_NEAR(reference.values(results[r])[i], expected[r][i],
                  1e-8 * (1 + std::abs(expected[r][i])))
          << (r == 0 ? "y" : absl::StrCat("gradient ", r - 1)) << " at " << i;
    }
  }
}

TEST_P(PyTorchTest, PlanAgrees) {
  for (const AgreementOptions& agreement :
       {AgreementOptions{}, AgreementOptions{.exact = false, .threads = 2}, InBf16()}) {
    BuiltNetwork built = Built(GetParam());
    ExpectPlanAgrees(built.graph, built.prediction, agreement);
  }
}

INSTANTIATE_TEST_SUITE_P(All, PyTorchTest, testing::ValuesIn(Cases()));

struct Bad {
  const char* layer;
  const char* message;
};

TEST(PyTorchLikeLayers, SayWhatIsWrong) {
  for (const Bad& bad : {
           Bad{"attention { heads: 3 }", "heads is 3, which does not divide the 4 channels"},
           Bad{"attention { heads: 0 }", "heads is 0; expected 1"},
           Bad{"slice { begin: 2 channels: 3 }", "expected channels: 2 or fewer"},
           Bad{"slice { begin: 4 }", "begin is 4; expected 0 to 3"},
           Bad{"resize { size: 0 }", "size is 0; expected 1"},
           Bad{"resize {}", "neither a size nor times"},
           Bad{"resize { times: 10000 }", "height of its result is 60000; expected 1 to 16384"},
           Bad{"group_norm {}", "has no groups"},
           Bad{"group_norm { groups: 3 }", "which does not divide the 4 channels"},
           Bad{"channel_shuffle {}", "has no groups; expected a number of them"},
           Bad{"channel_shuffle { groups: 3 }", "which does not divide the 4 channels"},
           Bad{"adaptive_average_pool {}", "has no size"},
           Bad{"drop_path { rate: 1 }", "rate is 1; expected 0 to less than 1"},
           Bad{"token { index: 36 }", "index is 36, but 'input' gives [4, 6, 6]; expected 0 to 35"},
           Bad{"token { index: -1 }", "expected 0 to 35"},
           Bad{"multiply {}", "has one input; expected two or more"},
           Bad{"elementwise {}", "has no formula"},
           Bad{"elementwise { formula: '2' }", "does not depend on a, its input 'input'"},
           Bad{"elementwise { formula: 'a + b' }", "'b'"},
           Bad{"scale { weight_init { truncated_normal { low: 3 high: 2 } } }", "keeps nothing"},
           Bad{"scale { weight_init { sinusoidal {} } }", "is for the weight of a position"},
       }) {
    const absl::StatusOr<Network> network =
        ParseNetwork(absl::StrCat("input { channels: 4 height: 6 width: 6 }\nlayer { name: 'bad' ",
                                  bad.layer, " }\nlayer { linear {} }\n"),
                     "net");
    ASSERT_TRUE(network.ok()) << network.status();
    const std::string message(Build(*network, {.batch_size = 2}).status().message());
    EXPECT_NE(message.find(bad.message), std::string::npos) << bad.layer << ": " << message;
    EXPECT_NE(message.find("net:2:"), std::string::npos) << message;
  }
}

TEST(Multiply, SaysWhichShapesDoNotFit) {
  const absl::StatusOr<Network> network = ParseNetwork(
      "layer { name: 'a' convolution { channels: 4 kernel: 1 } }\n"
      "layer { name: 'b' convolution { channels: 8 kernel: 1 } }\n"
      "layer { name: 'gate' multiply {} input: 'a' input: 'b' }\n",
      "net");
  ASSERT_TRUE(network.ok()) << network.status();
  const std::string message(Build(*network, {.batch_size = 2}).status().message());
  EXPECT_EQ(message,
            "net:3:1: layer 'gate': its inputs do not fit each other: 'a' [4, 32, 32], 'b' "
            "[8, 32, 32]; expected one shape, or [C, 1, 1] beside [C, H, W] with the same C: a 1x1 "
            "convolution changes the channels");
}

// Compares plans of a drop path with the reference: in inference, where it keeps all images, and in
// training, where it drops whole images and scales the others.
TEST(DropPath, KeepsOrDropsWholeImages) {
  const absl::StatusOr<Network> network = ParseNetwork(
      "input { channels: 3 height: 2 width: 2 classes: 12 }\n"
      "layer { drop_path { rate: 0.25 } }\nlayer { flatten {} }\n");
  ASSERT_TRUE(network.ok()) << network.status();
  for (const bool training : {false, true}) {
    absl::StatusOr<BuiltNetwork> built =
        Build(*network, {.batch_size = 8, .training = training, .with_loss = false});
    ASSERT_TRUE(built.ok()) << built.status();
    ExpectPlanAgrees(built->graph, built->prediction);
  }
}

}  // namespace
}  // namespace cotangent::layers
