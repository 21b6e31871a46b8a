#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(Activation, SoftsignIsAsClaimed) { EXPECT_THAT(Failing(RunActivation()), IsEmpty()); }

TEST(Activation, AWrongDerivativeFails) {
  EXPECT_THAT(Failing(RunActivation({.derivative = "1/(1 + abs(x))"})),
              Contains("activation.derivative"));
}

TEST(Activation, AFunctionThatIsNotOddFails) {
  const auto report = RunActivation({.formula = "x/(1 + abs(x)) + x^2", .derivative = ""});
  EXPECT_THAT(Failing(report), Contains("activation.odd"));
}

TEST(Activation, AKinkAtZeroFails) {
  EXPECT_THAT(Failing(RunActivation({.formula = "max(0, x)", .derivative = ""})),
              Contains("activation.derivative_at_zero"));
}

TEST(Activation, AnythingThatDoesNotSaturateFailsForTheDefaultsDerivative) {
  EXPECT_THAT(Failing(RunActivation({.formula = "x", .derivative = "1"})),
              Contains("activation.limits"));
}

TEST(Activation, BadFormulasSayWhere) {
  EXPECT_THAT(
      std::string(RunActivation({.formula = "x/(1 + ", .derivative = ""}).status().message()),
      HasSubstr("--activation:1:8"));
  EXPECT_THAT(std::string(RunActivation({.formula = "x + y", .derivative = ""}).status().message()),
              HasSubstr("--activation:1:5"));
  EXPECT_FALSE(RunActivation({.formula = "3", .derivative = ""}).ok());
}

}  // namespace
}  // namespace cotangent::tools::lab
