#include "gtest/gtest.h"
#include "optim/rules/testing.h"

namespace cotangent::optim {
namespace {

TEST(AdamTest, SameBitsEverywhere) {
  ExpectSameBitsEverywhere("adam { weight_decay: 0.1 epsilon: 1e-3 }");
  ExpectSameBitsEverywhere("adam { amsgrad: true }");
  ExpectSameBitsEverywhere("adamw { weight_decay: 0.1 amsgrad: true }");
}

TEST(AdamTest, MistakesAreNamed) {
  ExpectRefused("adam { beta1: -0.1 }", "optimizer.adam.beta1 is -0.1");
  ExpectRefused("adam { epsilon: -1 }", "optimizer.adam.epsilon is -1");
  ExpectRefused("adamw { beta2: 1 }", "optimizer.adamw.beta2 is 1");
}

}  // namespace
}  // namespace cotangent::optim
