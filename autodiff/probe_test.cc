#include "autodiff/probe.h"

#include <array>

#include "autodiff/math.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Findings FindingsOf(auto f, std::vector<double> x) { return Inspect(f, x).findings; }

TEST(ProbeTest, SaysWhichOperationLeftItsDomainAtWhichValue) {
  EXPECT_THAT(FindingsOf([](auto x) { return log(x[0] - 3.0) * 2.0; }, {2}).domain,
              ElementsAre("log(-1) is nan"));
  EXPECT_THAT(FindingsOf([](auto x) { return 1.0 / (x[0] - x[1]); }, {2, 2}).domain,
              ElementsAre("1 / 0 is inf"));
  EXPECT_THAT(FindingsOf([](auto x) { return sqrt(x[0]); }, {0}).domain,
              ElementsAre("sqrt(0) has derivative inf"));
  EXPECT_THAT(FindingsOf([](auto x) { return sqrt(x[0]) + log(x[0]); }, {2}).domain, IsEmpty());
}

TEST(ProbeTest, SaysWhichSideOfAKinkIsTaken) {
  using testing::HasSubstr;
  EXPECT_THAT(FindingsOf([](auto x) { return abs(x[0] - 1.0); }, {1}).kinks,
              ElementsAre(HasSubstr("abs at 0: derivative 0 is taken")));
  EXPECT_THAT(FindingsOf([](auto x) { return max(x[0], x[1]); }, {1, 1}).kinks,
              ElementsAre(HasSubstr("the first argument's")));
  EXPECT_THAT(FindingsOf([](auto x) { return x[0] < 1 ? x[0] : x[0] * x[0]; }, {1}).kinks,
              ElementsAre(HasSubstr("1 < 1, of equals: the side where it is false is taken")));
  EXPECT_THAT(FindingsOf([](auto x) { return abs(x[0]); }, {1}).kinks, IsEmpty());
}

TEST(ProbeTest, PatternsOfJacobianAndHessian) {
  const auto f = [](auto x) {
    return std::array{x[0] * x[1] + x[3], sin(x[2]), x[3] * 2.0 - x[0] / 3.0};
  };
  const Inspection inspection = Inspect(f, std::vector<double>{1, 2, 3, 4}, true);
  EXPECT_THAT(inspection.dependencies,
              ElementsAre(ElementsAre(0, 1, 3), ElementsAre(2), ElementsAre(0, 3)));
  EXPECT_THAT(inspection.findings.neighbours,
              ElementsAre(ElementsAre(1), ElementsAre(0), ElementsAre(2), IsEmpty()));
  EXPECT_THAT(inspection.values, ElementsAre(6, std::sin(3.0), 8 - 1.0 / 3));
}

TEST(ProbeTest, PatternsOfLongSums) {
  constexpr std::size_t kTerms = 100000;
  const auto f = [](auto x) {
    std::decay_t<decltype(x[0])> sum = 0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i) sum += x[i] * x[i + 1];
    return sum;
  };
  const Inspection inspection = Inspect(f, std::vector<double>(kTerms, 1.0), true);
  ASSERT_EQ(inspection.dependencies[0].size(), kTerms);
  EXPECT_EQ(inspection.dependencies[0][777], 777u);
  EXPECT_THAT(inspection.findings.neighbours[777], ElementsAre(776, 778));
}

TEST(ProbeTest, PatternsOfRunningSums) {
  constexpr std::size_t kTerms = 300;
  const auto f = [](auto x) {
    using T = std::decay_t<decltype(x[0])>;
    std::vector<T> sums = {x[0]};
    for (std::size_t i = 1; i < x.size(); ++i) sums.push_back(T(sums.back() + x[i]));
    return sums;
  };
  const Inspection inspection = Inspect(f, std::vector<double>(kTerms, 1.0));
  for (std::size_t i = 0; i < kTerms; ++i) {
    ASSERT_EQ(inspection.dependencies[i].size(), i + 1);
    ASSERT_EQ(inspection.dependencies[i].back(), i);
  }
}

}  // namespace
}  // namespace cotangent::autodiff
