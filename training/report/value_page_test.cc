#include "training/report/value_page.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cotangent::training::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ValueEvaluation Labels() {
  return {.network = "net <1>",
          .data = "list.csv, test images",
          .kind = TargetKind::kLabels,
          .names = {"a<b>", "two, three"},
          .answers = {0.9f, 0.2f, 0.6f, 0.1f, 0.4f, 0.7f},
          .targets = {1, 0, 0, 0, 1, 1},
          .loss = 0.5,
          .name = [](int64_t i) { return i == 0 ? "x, \"y\".png" : ""; },
          .png = [](int64_t) { return std::string(); }};
}

ValueEvaluation Numbers() {
  ValueEvaluation e = Labels();
  e.kind = TargetKind::kNumbers;
  e.answers = {1, 10, 2, 20, 4, 36};
  e.targets = {1, 10, 2, 20, 3, 30};
  return e;
}

TEST(ValuePage, MeasuresEachLabel) {
  const std::vector<LabelMeasures> measures = MeasuresOfLabels(Labels());
  EXPECT_EQ(measures[0].support, 2);
  EXPECT_EQ(measures[0].answered, 2);
  EXPECT_EQ(measures[0].right, 1);
  EXPECT_DOUBLE_EQ(measures[0].f1, 0.5);
  EXPECT_NEAR(measures[0].average_precision, (1 + 2.0 / 3) / 2, 1e-12);
  EXPECT_DOUBLE_EQ(measures[1].f1, 1);
}

TEST(ValuePage, MeasuresEachNumber) {
  const NumberMeasures m = MeasuresOfNumbers(Numbers())[1];
  EXPECT_DOUBLE_EQ(m.mean, 20);
  EXPECT_NEAR(m.deviation, std::sqrt(200.0 / 3), 1e-12);
  EXPECT_DOUBLE_EQ(m.mean_error, 2);
  EXPECT_DOUBLE_EQ(m.absolute_error, 2);
  EXPECT_NEAR(m.root_mean_square_error, std::sqrt(12.0), 1e-12);
  EXPECT_NEAR(m.r2, 1 - 36.0 / 200, 1e-12);
}

TEST(ValuePage, EscapesNamesInEveryFormat) {
  for (const ValueEvaluation& e : {Labels(), Numbers()}) {
    const std::string html = ToHtml(e);
    EXPECT_THAT(html, HasSubstr("a&lt;b&gt;"));
    EXPECT_THAT(html, Not(HasSubstr("a<b>")));
    EXPECT_THAT(ToCsv(e), HasSubstr("\"x, \"\"y\"\".png\","));
    EXPECT_THAT(ToCsv(e), HasSubstr("\"two, three\""));
    const auto json = nlohmann::json::parse(ToJson(e));
    EXPECT_EQ(json["images"], 3);
    EXPECT_EQ(json[e.kind == TargetKind::kLabels ? "labels" : "numbers"][0]["name"], "a<b>");
  }
  EXPECT_NEAR(nlohmann::json::parse(ToJson(Labels()))["mean_average_precision"].get<double>(),
              ScoreOf(Labels()), 1e-12);
}

}  // namespace
}  // namespace cotangent::training::report
