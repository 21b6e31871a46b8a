#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "layers/graph/reference.h"
#include "layers/graph/vjp.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::layers {
namespace {

BuiltNetwork Built(const std::string& options) {
  const absl::StatusOr<Network> network = ParseNetwork(
      "input { channels: 6 height: 1 width: 2 classes: 12 }\n"
      "layer { local_response_norm { " +
      options +
      " } }\n"
      "layer { flatten {} }\n");
  EXPECT_TRUE(network.ok()) << network.status();
  absl::StatusOr<BuiltNetwork> built = Build(*network, {.batch_size = 1, .with_loss = false});
  EXPECT_TRUE(built.ok()) << built.status();
  return *std::move(built);
}

// Compares with torch.nn.LocalResponseNorm(size, alpha=0.3, beta=0.6, k=1.5) of PyTorch 2.14.1 in
// float64. The input has the shape [1, 6, 1, 2] and the elements x_i = ((7 i mod 12) - 5) / 4 for i
// = 0 .. 11; dx is the gradient of sum_i (i + 1) y_i by x.
void ExpectPyTorch(int size, const std::vector<double>& y, const std::vector<double>& dx) {
  BuiltNetwork built = Built("size: " + std::to_string(size) + " alpha: 0.3 beta: 0.6 k: 1.5");
  const TensorId seed = built.graph.Input("seed", built.graph.shape(built.prediction));
  const auto gradient =
      VectorJacobianProduct(built.graph, {built.prediction}, {seed}, {built.images});
  ASSERT_TRUE(gradient.ok()) << gradient.status();
  ReferenceEvaluator<double> reference(built.graph);
  std::vector<double> x, seeds;
  for (int i = 0; i < 12; ++i) x.push_back((7 * i % 12 - 5) / 4.0), seeds.push_back(i + 1);
  reference.Give(built.images, x);
  reference.Give(seed, seeds);
  ASSERT_TRUE(reference.Compute({built.prediction, (*gradient)[0]}).ok());
  for (int i = 0; i < 12; ++i) {
    EXPECT_NEAR(reference.values(built.prediction)[i], y[i], 1e-8) << i;
    EXPECT_NEAR(reference.values((*gradient)[0])[i], dx[i], 1e-8) << i;
  }
}

TEST(LocalResponseNormTest, OddSizeAsInPyTorch) {
  ExpectPyTorch(5,
                {-0.931960913, 0.362386773, -0.558406685, 0.709930836, -0.183867614, 1.05951797,
                 0.183867614, -0.709930836, 0.558406685, -0.362386773, 0.931960913, 0.0},
                {0.552353971, 1.24832104, 2.159347, 2.668299577, 3.707920744, 4.209812085,
                 4.99432027, 5.667769768, 6.183633054, 7.184139923, 7.289595137, 9.137195373});
}

TEST(LocalResponseNormTest, EvenSizeAsInPyTorch) {
  ExpectPyTorch(4,
                {-0.92245096, 0.378022705, -0.552534605, 0.711741886, -0.183867614, 1.041249607,
                 0.189011353, -0.694166405, 0.551602843, -0.355870943, 0.920891009, 0.0},
                {0.501380516, 1.265055181, 2.124226577, 2.62489616, 3.728158892, 4.168514846,
                 5.082132273, 5.405609891, 5.951490613, 6.890558242, 7.084328877, 9.072544925});
}

TEST(LocalResponseNormTest, PlanAgrees) {
  for (const AgreementOptions& agreement :
       {AgreementOptions{}, AgreementOptions{.threads = 2}, InBf16()}) {
    for (const char* size : {"size: 5 alpha: 0.5", "size: 2 alpha: 0.5 beta: 1.5", "size: 9",
                             "size: 16777216 alpha: 1e6"}) {
      BuiltNetwork built = Built(size);
      ExpectPlanAgrees(built.graph, built.prediction, agreement);
    }
  }
}

TEST(LocalResponseNormTest, RefusesWhatMakesNoSense) {
  for (const char* options : {"size: 0", "k: 0", "alpha: -1", "beta: inf"}) {
    const absl::StatusOr<Network> network =
        ParseNetwork(std::string("layer { name: \"lrn\" local_response_norm { ") + options +
                     " } }\n" + "layer { linear {} }\n");
    ASSERT_TRUE(network.ok()) << network.status();
    const absl::Status status = Build(*network, {.batch_size = 1}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << options;
    EXPECT_NE(std::string(status.message()).find("layer 'lrn'"), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace cotangent::layers
