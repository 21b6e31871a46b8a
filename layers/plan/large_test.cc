// Plans (compiles for this machine) operations on an image of 4096x4096 pixels. All numbers are equal,
// so that every exact result is known. Since f32 has 24 bits, a sum that adds the 2^24 numbers one by
// one is wrong by a fifth.

#include <algorithm>
#include <memory>
#include <vector>

#include "base/status_testing.h"
#include "gtest/gtest.h"
#include "layers/graph/graph.h"
#include "layers/graph/vjp.h"
#include "layers/ops/average_pool.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/max_pool.h"
#include "layers/ops/resample.h"
#include "layers/ops/sums.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"

namespace cotangent::layers {
namespace {

constexpr int64_t kSide = 4096, kCount = kSide * kSide;
constexpr float kValue = 0.1f;
constexpr double kSum = double{kValue} * kCount;
constexpr double kTolerance = 1e-3;  // relative

class LargeImage : public testing::Test {
 protected:
  // Returns the gradient of y, a single number, by t.
  TensorId GradientOf(TensorId y, TensorId t) {
    const TensorId one = Constant(graph_, 1, graph_.shape(y));
    return Made(VectorJacobianProduct(graph_, {y}, {one}, {t}))[0];
  }
  // Plans the tensors and runs the plan once; all parameters are 1.
  void Run(const std::vector<TensorId>& tensors) {
    std::vector<PlanResult> results;
    for (TensorId t : tensors) results.push_back({t});
    store_ = Made(ParameterStore::Create(graph_));
    std::fill_n(store_->values(), store_->parameter_floats(), 1.0f);
    plan_ = Made(Plan::Compile(graph_, results, *store_, tuner_, {.threads = 1}));
    std::fill_n(static_cast<float*>(plan_->input(x_)), kCount, kValue);
    plan_->Run(0);
  }
  float First(TensorId t) const { return plan_->result(t)[0]; }

  Graph graph_;
  const TensorId x_ = graph_.Input("x", {1, 1, kSide, kSide});
  Tuner tuner_{1};
  std::unique_ptr<ParameterStore> store_;
  std::unique_ptr<Plan> plan_;
};

TEST_F(LargeImage, SumsAndMeans) {
  const TensorId scale = graph_.Parameter("scale", {1});
  const TensorId h = Made(Formula(graph_, "act", "max(0, x) * s", {{"x", x_}, {"s", scale}}));
  const TensorId sum = Made(ChannelSum(graph_, "sum", h));
  const TensorId mean = Made(AveragePool(graph_, "mean", h, {.height = kSide, .width = kSide}));
  const AxisWeights weights = AdaptiveWeights(kSide, 1);
  const TensorId resampled = Made(Resample(graph_, "resampled", h, weights, weights));
  const MaxPoolResult most = Made(MaxPool(graph_, "most", h, {.height = kSide, .width = kSide}));
  const MomentsResult moments = Made(Moments(graph_, "moments", h));
  const TensorId gradient = GradientOf(mean, scale);
  Run({sum, mean, resampled, most.value, moments.mean, moments.variance, gradient});
  EXPECT_NEAR(First(sum) / kSum, 1, kTolerance);
  EXPECT_NEAR(First(mean) / kValue, 1, kTolerance);
  EXPECT_NEAR(First(resampled) / kValue, 1, kTolerance);
  EXPECT_EQ(First(most.value), kValue);
  EXPECT_NEAR(First(moments.mean) / kValue, 1, kTolerance);
  EXPECT_NEAR(First(moments.variance), 0, 1e-10);
  EXPECT_NEAR(First(gradient) / kValue, 1, kTolerance);
}

}  // namespace
}  // namespace cotangent::layers
