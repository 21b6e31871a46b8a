#include "training/learning_rate.h"

#include <cmath>
#include <vector>

#include "data/sources/source.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"

namespace cotangent::training {
namespace {

TEST(SteepestRate, IsWhereACurveFallsSteepest) {
  // The loss falls as a logistic function of the logarithm of the rate, most steeply at 1e-3, and
  // rises above a rate of 1.
  std::vector<double> rates, losses;
  for (int i = 0; i < 141; ++i) {
    const double magnitude = -6 + i * 0.05;
    rates.push_back(std::pow(10, magnitude));
    losses.push_back(1 + 1 / (1 + std::exp(4 * (magnitude + 3))) +
                     (magnitude > 0 ? 5 * magnitude : 0));
  }
  EXPECT_NEAR(std::log10(SteepestRate(rates, losses)), -3, 0.051);
}

TEST(SteepestRate, IsNoneWhereNothingFalls) {
  const std::vector<double> rates = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(SteepestRate(rates, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), 0);
  EXPECT_EQ(SteepestRate(absl::MakeSpan(rates).subspan(0, 2), {2, 1}), 0);
}

TEST(FindLearningRate, ProposesOneForTheSample) {
  const auto text = layers::ParseNetwork(
      "layer { linear {} } train { batch_size: 50 optimizer { sgd { momentum: 0.9 } schedule { "
      "cosine {} } } }");
  ASSERT_TRUE(text.ok()) << text.status();
  RunOptions options;
  options.data =
      DataInMemory("sample", data::LoadDataset("sample", "", data::Split::kTrain).value(),
                   data::LoadDataset("sample", "", data::Split::kTest).value());
  const auto network = Resolve(*text, options.data.shape);
  ASSERT_TRUE(network.ok()) << network.status();
  options.network = *network;
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

}  // namespace
}  // namespace cotangent::training
