#include "gtest/gtest.h"
#include "optim/rules/testing.h"

namespace cotangent::optim {
namespace {

TEST(RmsPropTest, SameBitsEverywhere) {
  for (const char* centered : {"true", "false"}) {
    for (const char* momentum : {"0", "0.8"}) {
      ExpectSameBitsEverywhere(std::string("rmsprop { weight_decay: 0.1 epsilon: 1e-3 centered: ") +
                               centered + " momentum: " + momentum + " }");
    }
  }
}

TEST(RmsPropTest, MistakesAreNamed) {
  ExpectRefused("rmsprop { smoothing: 1.5 }", "optimizer.rmsprop.smoothing is 1.5");
  ExpectRefused("rmsprop { momentum: -1 }", "optimizer.rmsprop.momentum is -1");
  ExpectRefused("rmsprop { epsilon: inf }", "optimizer.rmsprop.epsilon is inf");
}

}  // namespace
}  // namespace cotangent::optim
