#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

EquivariancePremises Quick() {
  EquivariancePremises quick;
  quick.networks = {"convnet"};
  quick.training_epochs = 0;
  quick.data_dir = "/nonexistent";
  quick.threads = 1;
  return quick;
}

TEST(Equivariance, Holds) { EXPECT_THAT(Failing(RunEquivariance(Quick())), IsEmpty()); }

TEST(Equivariance, ZeroPaddingInTheCircularNetworkFails) {
  EquivariancePremises premises = Quick();
  premises.networks.clear();
  premises.circular_text = R"(
layer { name: "conv1" convolution { channels: 4 kernel: 3 padding: SAME } }
layer { name: "pool" global_average_pool {} }
layer { name: "fc" linear {} })";
  EXPECT_THAT(Failing(RunEquivariance(premises)), Contains("equivariance.circular"));
}

TEST(Equivariance, AnUnknownNetworkIsAnError) {
  EquivariancePremises premises = Quick();
  premises.networks = {"convent"};
  EXPECT_FALSE(RunEquivariance(premises).ok());
}

}  // namespace
}  // namespace cotangent::tools::lab
