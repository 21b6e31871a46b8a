#include "layers/ops/over_ranks.h"

#include <algorithm>
#include <barrier>
#include <cmath>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "base/status_testing.h"
#include "gtest/gtest.h"
#include "layers/graph/vjp.h"
#include "layers/ops/batch_norm.h"
#include "layers/ops/dropout.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/rules.h"
#include "layers/plan/plan.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::layers {
namespace {

TEST(OverRanksTest, AloneVectorsAreTheirOwnMeans) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 3, 4, 4}), y = graph.Parameter("y", {3});
  const std::vector<TensorId> means = MeanOverRanks(graph, "means", {y});
  const MomentsResult moments = MomentsOverRanks(graph, "moments", Made(Moments(graph, "own", x)));
  ExpectPlanAgrees(graph, Made(Elementwise(graph, "z",
                                           (graph.Operand(0) - graph.Operand(1)) *
                                               graph.Operand(2) * graph.Operand(3),
                                           {x, moments.mean, moments.variance, means[0]})));
}

// Simulates ranks (processes that share each batch) by threads: each call of Sum() waits until all
// threads have given their values.
class Threads {
 public:
  explicit Threads(int count) : count_(count), all_(count), values_(count) {}
  PlanRanks Of(int rank) {
    return {count_, rank, [this, rank](absl::Span<double> values) { Sum(rank, values); }};
  }

 private:
  void Sum(int rank, absl::Span<double> values) {
    values_[rank] = {values.begin(), values.end()};
    all_.arrive_and_wait();
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = 0;
      for (const std::vector<double>& of_rank : values_) values[i] += of_rank.at(i);
    }
    all_.arrive_and_wait();
  }
  const int count_;
  std::barrier<> all_;
  std::vector<std::vector<double>> values_;
};

struct Outcome {
  std::vector<float> y, dx, dscale, running_mean, running_variance;
};

constexpr int64_t kChannels = 5, kPixels = 9, kPerImage = kChannels * kPixels;

// Batch-normalises the images of one rank, multiplies the cube of each result by the element of a
// random mask, and computes the gradients of the sum of all these products.
Outcome Normalise(const std::vector<float>& images, const PlanRanks& ranks) {
  const int64_t count = static_cast<int64_t>(images.size()) / kPerImage;
  Graph graph;
  const TensorId x = graph.Input("x", {count, kChannels, 3, 3});
  BatchNormOptions options;
  options.scale = graph.Parameter("scale", {kChannels});
  options.running_mean = graph.State("mean", {kChannels});
  options.running_variance = graph.State("variance", {kChannels});
  options.synchronised = true;
  options.ranks = ranks.ranks;
  const TensorId y = Made(BatchNorm(graph, "bn", x, options));
  const TensorId mask = Made(DropoutMask(graph, "mask", y, 0.3));
  const Expr a0 = graph.Operand(0), a1 = graph.Operand(1);
  const TensorId weighed = Made(Elementwise(graph, "weighed", a0 * a0 * a0 * a1, {y, mask}));
  RuleBuilder rules(graph, "sum");
  const TensorId loss = rules.Sum(weighed);
  const std::vector<TensorId> gradients = Made(Gradient(graph, loss, {x, options.scale}));
  auto store = Made(ParameterStore::Create(graph));
  std::fill_n(store->values(), kChannels, 1.5f);
  Tuner tuner(1);
  auto plan = Made(Plan::Compile(graph, {{loss}, {weighed}, {gradients[0]}, {gradients[1]}}, *store,
                                 tuner, {.exact = true, .seed = 7, .ranks = ranks}));
  std::copy(images.begin(), images.end(), static_cast<float*>(plan->input(x)));
  plan->Run(3);
  const auto values = [&](TensorId t) {
    return std::vector<float>(plan->result(t), plan->result(t) + graph.shape(t).NumElements());
  };
  const float* const states = store->state_values();
  const auto state = [&](const char* name) {
    const int64_t offset = store->FindState(name)->offset;
    return std::vector<float>(states + offset, states + offset + kChannels);
  };
  return {values(weighed), values(gradients[0]), values(gradients[1]), state("mean"),
          state("variance")};
}

void ExpectClose(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  float largest = 1e-3f;
  for (float value : expected) largest = std::max(largest, std::abs(value));
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 2e-5 * largest) << i;
}

// Values, gradients, running statistics and masks of a batch must not depend on the number of ranks
// that share the batch.
TEST(OverRanksTest, SynchronisedRanksNormaliseAsOneMachine) {
  constexpr int kRanks = 3, kImagesOfRank = 2;
  SplitMix random(5);
  std::vector<float> images(kRanks * kImagesOfRank * kPerImage);
  // Values of channel c on rank r differ from 10 c + r by at most 1.
  for (size_t i = 0; i < images.size(); ++i)
    images[i] = static_cast<float>(random.Uniform() + 10.0 * (i / kPixels % kChannels) +
                                   i / (kImagesOfRank * kPerImage));
  const Outcome whole = Normalise(images, {});
  Threads ranks(kRanks);
  std::vector<Outcome> shares(kRanks);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto begin = images.begin() + rank * kImagesOfRank * kPerImage;
      shares[rank] = Normalise({begin, begin + kImagesOfRank * kPerImage}, ranks.Of(rank));
    });
  }
  for (std::thread& thread : threads) thread.join();
  Outcome together;
  together.dscale.assign(kChannels, 0.0f);
  for (const Outcome& share : shares) {
    together.y.insert(together.y.end(), share.y.begin(), share.y.end());
    together.dx.insert(together.dx.end(), share.dx.begin(), share.dx.end());
    for (int64_t c = 0; c < kChannels; ++c) together.dscale[c] += share.dscale[c];
    EXPECT_EQ(share.running_mean, shares[0].running_mean);
    EXPECT_EQ(share.running_variance, shares[0].running_variance);
  }
  ExpectClose(together.y, whole.y);
  ExpectClose(together.dx, whole.dx);
  ExpectClose(together.dscale, whole.dscale);
  ExpectClose(shares[0].running_mean, whole.running_mean);
  ExpectClose(shares[0].running_variance, whole.running_variance);
}

}  // namespace
}  // namespace cotangent::layers
