#include "training/learning_rate.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "data/sources/source.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"
#include "training/weights/weight_file.h"

namespace cotangent::training {
namespace {

// A sweep of 150 steps over the rates that FindLearningRate() tries. The loss falls by `fall` as a
// logistic function of the logarithm of the rate, most steeply at 10^middle, and rises above a rate
// ten times as large. Batches add normally distributed noise.
struct Sweep {
  std::vector<double> rates, losses;
};
Sweep Simulate(double fall, double middle, double noise, uint32_t seed) {
  Sweep sweep;
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  for (int i = 0; i < kSweepSteps; ++i) {
    const double from = std::log10(kLowestRate), to = std::log10(kHighestRate);
    const double magnitude = from + (to - from) * i / (kSweepSteps - 1);
    const double past = std::max(0.0, magnitude - middle - 1);
    sweep.rates.push_back(std::pow(10, magnitude));
    sweep.losses.push_back(2.3 - fall / (1 + std::exp(-4 * (magnitude - middle))) +
                           6 * past * past + noise * normal(random));
    if (sweep.losses.back() > 5) break;
  }
  return sweep;
}

TEST(RateToPropose, IsBetweenFallAndRise) {
  for (const double middle : {-4.5, -3.0, -1.5}) {
    // The rise undoes half the fall at sqrt(0.5 / 6) above middle + 1.
    const double rise = middle + 1 + std::sqrt(0.5 / 6);
    const Sweep sweep = Simulate(1, middle, 0, 0);
    EXPECT_NEAR(std::log10(RateToPropose(sweep.rates, sweep.losses)), (middle + rise) / 2, 0.1);
  }
}

// Right is a rate at which the network learns and does not diverge.
TEST(RateToPropose, StandsNoise) {
  for (const double middle : {-3.5, -2.5, -1.5}) {
    for (const double noise : {0.1, 0.3, 0.5}) {
      int right = 0;
      for (uint32_t seed = 0; seed < 100; ++seed) {
        const Sweep sweep = Simulate(0.8, middle, noise, seed);
        const double rate = RateToPropose(sweep.rates, sweep.losses);
        right += rate > 0 && std::log10(rate) > middle && std::log10(rate) < middle + 1.1;
      }
      EXPECT_GE(right, noise < 0.5 ? 99 : 65) << "fall at 10^" << middle << ", noise " << noise;
    }
  }
}

TEST(RateToPropose, IsNotMisledByANetworkThatDies) {
  Sweep sweep = Simulate(0.5, -3, 0.2, 1);
  const size_t death = 100;  // at a rate of 0.05; the fall ends at 0.01
  sweep.losses.resize(death);
  while (sweep.losses.size() < kSweepSteps)
    sweep.losses.push_back(sweep.losses.size() < death + 8 ? 30 : 2.3);
  sweep.rates = Simulate(0, 0, 0, 1).rates;
  const double magnitude = std::log10(RateToPropose(sweep.rates, sweep.losses));
  EXPECT_GT(magnitude, -3);
  EXPECT_LT(magnitude, -1.9);
}

TEST(RateToPropose, IsNoneWhereNothingFalls) {
  const std::vector<double> rates = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(RateToPropose(rates, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), 0);
  EXPECT_EQ(RateToPropose(absl::MakeSpan(rates).subspan(0, 2), {2, 1}), 0);
  EXPECT_EQ(RateToPropose({}, {}), 0);
  int proposals = 0;
  for (uint32_t seed = 0; seed < 100; ++seed) {
    const Sweep noise = Simulate(0, -2, 0.3, seed);
    proposals += RateToPropose(noise.rates, noise.losses) > 0;
  }
  EXPECT_LE(proposals, 15);
}

// Returns options to train a linear network on the sample.
RunOptions LinearOnSample() {
  const auto text = layers::ParseNetwork(
      "layer { name: \"fc\" linear {} } train { batch_size: 50 optimizer { sgd { momentum: 0.9 } "
      "schedule { cosine {} } } }");
  RunOptions options;
  options.data =
      DataInMemory("sample", data::LoadDataset("sample", "", data::Split::kTrain).value(),
                   data::LoadDataset("sample", "", data::Split::kTest).value());
  options.network = Resolve(text.value(), options.data.shape).value();
  return options;
}

TEST(FindLearningRate, ProposesOneForTheSample) {
  const RunOptions options = LinearOnSample();
  layers::Tuner tuner(1);
  RunObserver silent;
  const auto sweep = FindLearningRate(options, &tuner, silent);
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  EXPECT_EQ(sweep->field, "train.optimizer.sgd.learning_rate");
  EXPECT_NEAR(sweep->rates.front(), kLowestRate, 1e-12);
  // The sweep ends early, since the loss diverges before the highest rate.
  EXPECT_LT(sweep->rates.size(), kSweepSteps);
  EXPECT_GT(sweep->proposal, 1e-5);
  EXPECT_LT(sweep->proposal, 1e-1);
}

TEST(FindLearningRate, BeginsWithTheWeightsThatAreGiven) {
  RunOptions options = LinearOnSample();
  // A weight file with a bias alone: 100 for class 0. Beside it, the other logits hardly count, so
  // that the loss of an image of class 0 is 0 and that of another about 100.
  std::string header = R"({"fc.bias":{"dtype":"F32","shape":[10],"data_offsets":[0,40]}})";
  std::string file = {static_cast<char>(header.size()), 0, 0, 0, 0, 0, 0, 0};
  const std::vector<float> bias = {100, 0, 0, 0, 0, 0, 0, 0, 0, 0};
  file += header;
  file.append(reinterpret_cast<const char*>(bias.data()), 40);
  options.init_from = InitialWeights{"a bias", ParseSafetensorsWeights(file, "a bias").value(), {}};
  layers::Tuner tuner(1);
  RunObserver silent;
  const auto sweep = FindLearningRate(options, &tuner, silent);
  ASSERT_TRUE(sweep.ok()) << sweep.status();
  EXPECT_NEAR(sweep->losses.front(), 90, 20);  // nine images in ten are of other classes
}

}  // namespace
}  // namespace cotangent::training
