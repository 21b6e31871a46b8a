#include <vector>

#include "gtest/gtest.h"
#include "layers/graph/reference.h"
#include "layers/graph/vjp.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"

namespace cotangent::layers {
namespace {

// Compares values and derivatives of Mish with those of torch.nn.Mish() of PyTorch 2.14.1 in
// float64.
TEST(MishTest, AsInPyTorch) {
  const absl::StatusOr<Network> network = ParseNetwork(
      "input { channels: 6 height: 1 width: 1 classes: 6 }\n"
      "layer { activation { kind: MISH } }\n");
  ASSERT_TRUE(network.ok()) << network.status();
  absl::StatusOr<BuiltNetwork> built = Build(*network, {.batch_size = 1, .with_loss = false});
  ASSERT_TRUE(built.ok()) << built.status();
  Graph& graph = built->graph;
  const TensorId seed = graph.Input("seed", graph.shape(built->prediction));
  const auto slope = VectorJacobianProduct(graph, {built->prediction}, {seed}, {built->images});
  ASSERT_TRUE(slope.ok()) << slope.status();
  ReferenceEvaluator<double> reference(graph);
  reference.Give(built->images, {-3, -1, -0.25, 0, 0.5, 2});
  reference.Give(seed, std::vector<double>(6, 1));
  ASSERT_TRUE(reference.Compute({built->prediction, (*slope)[0]}).ok());
  const double y[] = {-0.145647461, -0.303401461, -0.129926964, 0.0, 0.375245211, 1.94395896};
  const double dx[] = {-0.093393115, 0.059216756, 0.439815602, 0.6, 0.886424375, 1.069317934};
  for (int i = 0; i < 6; ++i) {
    EXPECT_NEAR(reference.values(built->prediction)[i], y[i], 1e-8);
    EXPECT_NEAR(reference.values((*slope)[0])[i], dx[i], 1e-8);
  }
}

}  // namespace
}  // namespace cotangent::layers
