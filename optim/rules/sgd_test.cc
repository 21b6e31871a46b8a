#include "gtest/gtest.h"
#include "optim/rules/testing.h"

namespace cotangent::optim {
namespace {

TEST(SgdTest, SameBitsEverywhere) {
  ExpectSameBitsEverywhere("sgd { weight_decay: 0.1 }");
  ExpectSameBitsEverywhere("sgd { weight_decay: 0.1 momentum: 0.9 dampening: 0.3 }");
  ExpectSameBitsEverywhere("sgd { weight_decay: 0.1 momentum: 0.9 nesterov: true }");
  ExpectSameBitsEverywhere("sgd { weight_decay: 0.1 momentum: 0.9 decoupled_weight_decay: true }");
}

TEST(SgdTest, DecoupledDecayPassesTheMomentumBy) {
  auto optimizer = MakeOptimizer(
      "sgd { learning_rate: 0.1 momentum: 0.9 weight_decay: 0.5 decoupled_weight_decay: true }",
      {3});
  std::vector<float> w(3, 2.0f), g(3, 0.0f);
  optimizer->Initialise(w.data());
  ASSERT_TRUE(optimizer->Step(w.data(), g.data(), 0));
  EXPECT_FLOAT_EQ(w[0], 1.9f);
  EXPECT_EQ(optimizer->State()[0], 0);
}

TEST(SgdTest, MistakesAreNamed) {
  ExpectRefused("sgd { momentum: 1 }",
                "optimizer.sgd.momentum is 1: expected at least 0 and below 1");
  ExpectRefused("sgd { nesterov: true }", "above 0, since nesterov is true");
  ExpectRefused("sgd { nesterov: true momentum: 0.9 dampening: 0.1 }",
                "optimizer.sgd.dampening is 0.1");
  ExpectRefused("sgd { dampening: 2 }", "optimizer.sgd.dampening is 2");
}

}  // namespace
}  // namespace cotangent::optim
