#include <cmath>

#include "gtest/gtest.h"
#include "optim/rules/testing.h"

namespace cotangent::optim {
namespace {

TEST(MuonTest, SameBitsEverywhere) {
  ExpectSameBitsEverywhere("muon { weight_decay: 0.1 }");
  ExpectSameBitsEverywhere("muon { nesterov: false scale: RMS }");
}

TEST(MuonTest, AsTheRecipeForCifarDoesIt) {
  // Repeats ten updates, with the settings of a recipe for CIFAR-10, in double: momentum,
  // renormalised weights, orthogonalised direction.
  auto optimizer = MakeOptimizer(
      "muon { learning_rate: 0.24 momentum: 0.6 newton_schulz_steps: 3 renormalise_weights: true } "
      "schedule { polynomial {} }",
      {4, 2, 3, 3});
  std::vector<float> w = Normal(72, 1);
  optimizer->Initialise(w.data());
  std::vector<double> p(w.begin(), w.begin() + 72), v(72, 0.0);
  constexpr int kRows = 4, kColumns = 18;
  for (int step = 0; step < 10; ++step) {
    const std::vector<float> g = Normal(72, 100 + step);
    ASSERT_TRUE(optimizer->Step(w.data(), g.data(), step));
    std::vector<double> x(72);
    double norm = 0, weight_norm = 0;
    for (int i = 0; i < 72; ++i) {
      v[i] = 0.6 * v[i] + g[i];
      x[i] = g[i] + 0.6 * v[i];
      norm += x[i] * x[i];
      weight_norm += p[i] * p[i];
    }
    for (double& entry : x) entry /= std::sqrt(norm) + 1e-7;
    for (int k = 0; k < 3; ++k) {
      double a[kRows][kRows] = {}, b[kRows][kRows] = {};
      for (int i = 0; i < kRows; ++i) {
        for (int j = 0; j < kRows; ++j) {
          for (int c = 0; c < kColumns; ++c) a[i][j] += x[i * kColumns + c] * x[j * kColumns + c];
        }
      }
      for (int i = 0; i < kRows; ++i) {
        for (int j = 0; j < kRows; ++j) {
          b[i][j] = -4.7750 * a[i][j] + (i == j ? 3.4445 : 0);
          for (int c = 0; c < kRows; ++c) b[i][j] += 2.0315 * a[i][c] * a[c][j];
        }
      }
      std::vector<double> next(72, 0.0);
      for (int i = 0; i < kRows; ++i) {
        for (int j = 0; j < kRows; ++j) {
          for (int c = 0; c < kColumns; ++c) {
            next[i * kColumns + c] += b[i][j] * x[j * kColumns + c];
          }
        }
      }
      x = next;
    }
    for (int i = 0; i < 72; ++i) {
      p[i] = p[i] * std::sqrt(kRows / weight_norm) - 0.24 * (1 - step / 100.0) * x[i];
      EXPECT_NEAR(w[i], p[i], 2e-5) << "step " << step;
    }
  }
}

TEST(MuonTest, MistakesAreNamed) {
  ExpectRefused("muon { newton_schulz_steps: 0 }", "optimizer.muon.newton_schulz_steps is 0");
  ExpectRefused("muon { momentum: 1 }", "optimizer.muon.momentum is 1");
}

}  // namespace
}  // namespace cotangent::optim
