#include "training/report/evaluation_page.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cotangent::training::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

Evaluation Example(int64_t classes, int64_t images = 400) {
  std::vector<float> scores;
  std::vector<int32_t> labels;
  for (int64_t i = 0; i < images; ++i) {
    labels.push_back(static_cast<int32_t>(i * i % classes));
    for (int64_t k = 0; k < classes; ++k) {
      scores.push_back(static_cast<float>(2 * std::sin(3.0 * i + 5.0 * k) + (k == labels.back())));
    }
  }
  return {.network = "net",
          .data = "data",
          .checkpoint = "runs/net",
          .classes = {"a"},
          .assessment = Assess(scores, labels, classes, false)};
}

TEST(EvaluationPageTest, TextFromOutsideIsEscaped) {
  Evaluation e = Example(3);
  e.network = "<net>";
  e.classes = {"<script>alert(1)</script>", "a \"b\" & c's", "naïve, 猫"};
  e.name = [](int64_t i) { return "<img src=x>\"" + std::to_string(i); };
  const std::string html = ToHtml(e);
  EXPECT_THAT(html, Not(HasSubstr("<script>")));
  EXPECT_THAT(html, Not(HasSubstr("<img src=x>")));
  EXPECT_THAT(html, HasSubstr("<bdi>naïve, 猫</bdi>"));
  EXPECT_THAT(ToCsv(e), HasSubstr("\"a \"\"b\"\" & c's\""));
  EXPECT_THAT(ToCsv(e), HasSubstr("\"<img src=x>\"\"0\""));
}

TEST(EvaluationPageTest, OfTwoOfTenAndOfAHundredClasses) {
  for (const int64_t classes : {2, 10, 100}) {
    const Evaluation e = Example(classes);
    const std::string html = ToHtml(e);
    EXPECT_THAT(html, HasSubstr("</html>"));
    EXPECT_LT(html.size(), 5 << 20) << classes;
    const nlohmann::json json = nlohmann::json::parse(ToJson(e));
    EXPECT_EQ(json["confusion"].size(), classes);
    EXPECT_EQ(json["of_class"].back()["name"], "class " + std::to_string(classes - 1));
  }
}

TEST(EvaluationPageTest, CsvHasALineAnImage) {
  const Evaluation e = Example(3, 5);
  const std::string csv = ToCsv(e);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 6);
  EXPECT_THAT(csv, HasSubstr("image,label,answer,right,probability,probability_of_label\n0,a,"));
}

TEST(EvaluationPageTest, CsvFieldsAreQuotedWhereTheyMustBe) {
  EXPECT_EQ(CsvField("plain text"), "plain text");
  EXPECT_EQ(CsvField("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvField("two\nlines"), "\"two\nlines\"");
}

}  // namespace
}  // namespace cotangent::training::report
