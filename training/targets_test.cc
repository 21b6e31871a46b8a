#include "training/targets.h"

#include <cmath>

#include "base/comma_locale_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"

namespace cotangent::training {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

layers::Network Parse(const std::string& rest) {
  return *layers::ParseNetwork("layer { linear {} } " + rest);
}

TEST(Targets, AreWhatTheLossComparesWith) {
  EXPECT_EQ(TargetKindOf(Parse("")), TargetKind::kClass);
  EXPECT_EQ(TargetKindOf(Parse("loss { binary_cross_entropy {} }")), TargetKind::kLabels);
  EXPECT_EQ(TargetKindOf(Parse("loss { absolute_error {} }")), TargetKind::kNumbers);
}

// Label 0 applies to the images with the highest, third highest and lowest of five scores: (1/1 +
// 2/3 + 3/5) / 3. Label 1 applies to two images that share the highest score with a third one, to
// which it does not apply: precision 2/3. Label 2 applies to no image.
TEST(AveragePrecision, IsTheMeanOfPrecisionsAtTheImagesThatHaveTheLabel) {
  const std::vector<float> scores = {5, 2, 0, 4, 2, 1, 3, 2, 2, 2, 1, 3, 1, 0, 4};
  const std::vector<float> targets = {1, 1, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0, 0};
  const std::vector<double> found = AveragePrecisions(scores, targets, 3);
  EXPECT_NEAR(found[0], (1 + 2.0 / 3 + 3.0 / 5) / 3, 1e-12);
  EXPECT_NEAR(found[1], 2.0 / 3, 1e-12);
  EXPECT_TRUE(std::isnan(found[2]));
  EXPECT_NEAR(MeanAveragePrecision(scores, targets, 3), (found[0] + found[1]) / 2, 1e-12);
}

TEST(Determination, IsTheShareOfVarianceThatAnswersExplain) {
  // The first number has targets 1, 2, 3 and errors 0.5, 0, 0.5; the second one 7, 7, 7 without
  // errors.
  EXPECT_THAT(DeterminationCoefficients({1.5f, 7, 2, 7, 2.5f, 7}, {1, 7, 2, 7, 3, 7}, 2),
              ElementsAre(0.75, 1));
  EXPECT_THAT(DeterminationCoefficients({7, 7, 8}, {7, 7, 7}, 1), ElementsAre(0));
  EXPECT_EQ(Score(TargetKind::kNumbers, {2, 2, 2}, {1, 2, 3}, 1), 0);
}

TEST(Softmax, IsOfAnySize) {
  std::vector<double> x = {0, std::log(3.0)}, far_apart = {5000, -5000, 5000};
  Softmax(absl::MakeSpan(x)), Softmax(absl::MakeSpan(far_apart));
  EXPECT_THAT(x,
              ElementsAre(::testing::DoubleNear(0.25, 1e-15), ::testing::DoubleNear(0.75, 1e-15)));
  EXPECT_THAT(far_apart, ElementsAre(0.5, 0, 0.5));
}

TEST(TargetScale, IsNotWrittenForClassesAndLabels) {
  data::Dataset images;
  images.classes = {"cat"};
  images.labels = {0};
  images.targets = {1};
  for (const TargetKind kind : {TargetKind::kClass, TargetKind::kLabels}) {
    images.target_kind = kind;
    layers::Network network = Parse("");
    WriteTargetScale(images, network);
    EXPECT_FALSE(network.train().has_target_normalisation());
  }
}

TEST(TargetScale, ComesFromTheTrainingImagesAndIsTakenBack) {
  data::Dataset images;
  images.target_kind = TargetKind::kNumbers;
  images.classes = {"age", "constant"};
  images.labels = {0, 0, 0, 0};
  images.targets = {10, 3, 20, 3, 30, 3, 40, 3};
  layers::Network network = Parse("loss { huber {} }");
  EXPECT_THAT(TargetScaleOf(network, 2)->mean, ::testing::IsEmpty());
  WriteTargetScale(images, network);
  const TargetScale scale = *TargetScaleOf(network, 2);
  EXPECT_THAT(scale.mean, ElementsAre(25, 3));
  EXPECT_THAT(scale.deviation, ElementsAre(11.1803, 1));
  std::vector<float> answers = {-1, 0, 2, 1};
  scale.Restore(absl::MakeSpan(answers));
  EXPECT_THAT(answers, ElementsAre(static_cast<float>(25 - 11.1803), 3,
                                   static_cast<float>(25 + 2 * 11.1803), 4));
  EXPECT_THAT(std::string(TargetScaleOf(network, 3).status().message()),
              HasSubstr("has 2 means and 2 deviations; expected one of each for each of 3"));
}

TEST(TargetScale, IsTheSameInALocaleOfCommas) {
  const CommaLocale locale;
  data::Dataset images;
  images.target_kind = TargetKind::kNumbers;
  images.classes = {"height"};
  images.labels = {0, 0};
  images.targets = {1.25, 1.75};
  layers::Network network = Parse("loss { huber {} }");
  WriteTargetScale(images, network);
  const TargetScale scale = *TargetScaleOf(network, 1);
  EXPECT_THAT(scale.mean, ElementsAre(1.5));
  EXPECT_THAT(scale.deviation, ElementsAre(0.25));
}

}  // namespace
}  // namespace cotangent::training
