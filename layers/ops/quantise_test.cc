#include "layers/ops/quantise.h"

#include "gtest/gtest.h"
#include "layers/graph/reference.h"
#include "layers/ops/elementwise.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::layers {
namespace {

// Quantisation q is a step function with derivative zero, so the derivative of x q(x) is q(x).
TEST(QuantiseTest, PlansAgree) {
  for (const bool is_signed : {false, true}) {
    Graph graph;
    const TensorId x = graph.Input("x", {2, 5, 4, 3});
    const TensorId q = Quantise(graph, "q", x, {0.03f, is_signed});
    const auto y = Elementwise(graph, "y", graph.Operand(0) * graph.Operand(1), {x, q});
    ASSERT_TRUE(y.ok());
    ExpectPlanAgrees(graph, *y);
  }
}

TEST(QuantiseTest, RoundsToNearestEvenAndClamps) {
  Graph graph;
  const TensorId x = graph.Input("x", {1, 6});
  const TensorId u8 = Quantise(graph, "u8", x, {0.5f, false}),
                 s8 = Quantise(graph, "s8", x, {0.5f, true});
  ReferenceEvaluator<double> reference(graph);
  reference.Give(x, {-100, -0.3, 0.25, 0.75, 63.5, 1000});
  ASSERT_TRUE(reference.Compute({u8, s8}).ok());
  EXPECT_EQ(reference.values(u8), (std::vector<double>{0, 0, 0, 2, 127, 255}));
  EXPECT_EQ(reference.values(s8), (std::vector<double>{-128, -1, 0, 2, 127, 127}));
}

}  // namespace
}  // namespace cotangent::layers
