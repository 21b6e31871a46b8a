#include "gtest/gtest.h"
#include "optim/rules/testing.h"

namespace cotangent::optim {
namespace {

TEST(AdagradTest, SameBitsEverywhere) {
  ExpectSameBitsEverywhere("adagrad { weight_decay: 0.1 learning_rate_decay: 0.5 }");
}

TEST(AdagradTest, StateStartsWhereTheSettingSays) {
  auto optimizer = MakeOptimizer("adagrad { initial_accumulator: 0.5 }", {3});
  std::vector<float> w(3, 1.0f);
  optimizer->Initialise(w.data());
  EXPECT_EQ(optimizer->State()[2], 0.5f);
}

TEST(AdagradTest, MistakesAreNamed) {
  ExpectRefused("adagrad { initial_accumulator: -1 }",
                "optimizer.adagrad.initial_accumulator is -1");
  ExpectRefused("adagrad { learning_rate_decay: -1 }",
                "optimizer.adagrad.learning_rate_decay is -1");
}

}  // namespace
}  // namespace cotangent::optim
