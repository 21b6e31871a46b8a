#include "training/report/assessment.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::training::report {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;

// The scores and labels that make_assessment_reference.py uses, too; it computes the expected
// values.
struct Example {
  static constexpr int64_t kClasses = 4;
  std::vector<float> scores;
  std::vector<int32_t> labels;

  Example() {
    for (int i = 0; i < 60; ++i) {
      int best = 0;
      for (int k = 0; k < kClasses; ++k) {
        scores.push_back(static_cast<float>(3 * std::sin(7.0 * i + 3.0 * k + 1)));
        if (scores[i * kClasses + k] > scores[i * kClasses + best]) best = k;
      }
      labels.push_back((best + (i % 3 == 0 ? 1 : 0)) % kClasses);
    }
  }
};

TEST(AssessmentTest, CalibrationIsThatOfAnIndependentComputation) {
  const Example e;
  const Assessment a = Assess(e.scores, e.labels, Example::kClasses, false);
  EXPECT_NEAR(a.log_loss, 1.88186279307, 1e-6);
  EXPECT_NEAR(a.calibration_error, 0.0895669127853, 1e-6);
  EXPECT_NEAR(a.temperature, 4.90019524232, 1e-5);
  EXPECT_NEAR(a.log_loss_at_temperature, 1.30247218354, 1e-6);
  EXPECT_NEAR(a.calibration_error_at_temperature, 0.308538046574, 1e-6);
}

TEST(AssessmentTest, ProbabilitiesSayTheSameAsTheScoresTheyCameFrom) {
  const Example e;
  std::vector<float> probabilities;
  for (size_t i = 0; i < e.labels.size(); ++i) {
    for (const double p : Probabilities({e.scores.data() + i * Example::kClasses, 4}, false)) {
      probabilities.push_back(static_cast<float>(p));
    }
  }
  const Assessment of_scores = Assess(e.scores, e.labels, Example::kClasses, false);
  const Assessment of_probabilities = Assess(probabilities, e.labels, Example::kClasses, true);
  EXPECT_NEAR(of_probabilities.log_loss, of_scores.log_loss, 1e-6);
  EXPECT_NEAR(of_probabilities.temperature, of_scores.temperature, 1e-4);
  EXPECT_EQ(of_probabilities.confusion, of_scores.confusion);
}

TEST(AssessmentTest, WilsonsInterval) {
  const Proportion some = WilsonInterval(40, 60), all = WilsonInterval(60, 60),
                   none = WilsonInterval(0, 5);
  EXPECT_NEAR(some.low, 0.540568664521, 1e-11);
  EXPECT_NEAR(some.high, 0.772707384765, 1e-11);
  EXPECT_NEAR(all.low, 0.939828147858, 1e-11);
  EXPECT_DOUBLE_EQ(all.high, 1);
  EXPECT_NEAR(none.low, 0, 1e-15);
  EXPECT_NEAR(none.high, 0.434482464783, 1e-11);
  EXPECT_EQ(WilsonInterval(0, 0).high, 0);
}

// Counted by hand: three classes, labels 0 0 0 1 1, answers 0 0 1 1 0; no image is of class 2.
TEST(AssessmentTest, CountsByHand) {
  const std::vector<float> scores = {3, 0, 0, 2, 1, 0, 0, 4, 0, 0, 1, 0, 1, 0, 0};
  const Assessment a = Assess(scores, {0, 0, 0, 1, 1}, 3, false);
  EXPECT_EQ(a.accuracy.value, 0.6);
  EXPECT_THAT(a.confusion, ElementsAre(2, 1, 0, 1, 1, 0, 0, 0, 0));
  EXPECT_THAT(a.of_class[0].precision, DoubleNear(2.0 / 3, 1e-15));
  EXPECT_THAT(a.of_class[0].recall, DoubleNear(2.0 / 3, 1e-15));
  EXPECT_EQ(a.of_class[1].precision, 0.5);
  EXPECT_EQ(a.of_class[1].f1, 0.5);
  EXPECT_EQ(a.of_class[2].precision, 0);
  EXPECT_THAT(a.mean_recall, DoubleNear((2.0 / 3 + 0.5) / 2, 1e-15));
  EXPECT_THAT(a.top, ElementsAre(0.6, 1, 1));
  const std::vector<Judgement> mistakes = a.SurestMistakes(5);
  ASSERT_EQ(mistakes.size(), 2);
  EXPECT_EQ(mistakes[0].image, 2);
  EXPECT_EQ(mistakes[1].image, 4);
  EXPECT_EQ(a.LeastSure(1)[0].image, 3);
}

TEST(AssessmentTest, CertaintyAndAllRightEndAtALimit) {
  const std::vector<float> scores = {1, 0, 0, 1};
  const Assessment a = Assess(scores, {0, 1}, 2, true);
  EXPECT_EQ(a.log_loss, 0);
  EXPECT_EQ(a.calibration_error, 0);
  EXPECT_TRUE(std::isfinite(a.temperature));
  const Assessment wrong = Assess(scores, {1, 0}, 2, true);
  EXPECT_TRUE(std::isfinite(wrong.log_loss));
  EXPECT_EQ(wrong.accuracy.value, 0);
}

}  // namespace
}  // namespace cotangent::training::report
