#include "gtest/gtest.h"
#include "optim/rules/testing.h"

namespace cotangent::optim {
namespace {

TEST(LionTest, SameBitsEverywhere) { ExpectSameBitsEverywhere("lion { weight_decay: 0.1 }"); }

// Compares with algorithm 2 of Chen et al., "Symbolic discovery of optimization algorithms" (2023),
// line by line, in double.
TEST(LionTest, AsInThePaper) {
  constexpr int kSize = 300;
  constexpr double kRate = 0.01, kBeta1 = 0.8, kBeta2 = 0.95, kDecay = 0.2;
  auto optimizer = MakeOptimizer(
      "lion { learning_rate: 0.01 beta1: 0.8 beta2: 0.95 weight_decay: 0.2 }", {kSize});
  std::vector<float> w = Normal(kSize, 1);
  optimizer->Initialise(w.data());
  std::vector<double> theta(w.begin(), w.end()), m(kSize, 0.0);
  for (int step = 0; step < 50; ++step) {
    std::vector<float> g = Normal(kSize, 100 + step);
    g[0] = 0;  // the sign of 0 is 0
    ASSERT_TRUE(optimizer->Step(w.data(), g.data(), step));
    for (int i = 0; i < kSize; ++i) {
      const double c = kBeta1 * m[i] + (1 - kBeta1) * g[i];
      const double sign = c > 0 ? 1 : c < 0 ? -1 : 0;
      theta[i] -= kRate * (sign + kDecay * theta[i]);
      m[i] = kBeta2 * m[i] + (1 - kBeta2) * g[i];
      ASSERT_NEAR(w[i], theta[i], 1e-5) << "step " << step << ", entry " << i;
      ASSERT_NEAR(optimizer->State()[i], m[i], 1e-5);
    }
  }
}

TEST(LionTest, MistakesAreNamed) {
  ExpectRefused("lion { beta1: 1 }", "optimizer.lion.beta1 is 1");
  ExpectRefused("lion { beta2: -0.5 }", "optimizer.lion.beta2 is -0.5");
}

}  // namespace
}  // namespace cotangent::optim
