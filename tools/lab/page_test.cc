#include "tools/lab/page.h"

#include <cmath>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tools/lab/mathml.h"
#include "tools/lab/section.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<Report> TwoReports() {
  Report a{.name = "a", .title = "A & B"}, b{.name = "b", .title = "B"};
  a.claims = {{"a.one",
               {1, 2},
               "x < y",
               "x_1^2 \\le \\frac{1}{2}",
               "proved",
               {{"number", NAN}},
               Verdict::kHolds}};
  b.claims = {{"b.two", {2}, "z", "", "measured", {{"number", 0.5}}, Verdict::kFails},
              {"b.three", {3}, "u", "", "", {}, Verdict::kSkipped}};
  return {a, b};
}

TEST(Page, EquationsFailWithAnyOfTheirClaims) {
  EXPECT_EQ(Equations().size(), 14u);
  EXPECT_EQ(EquationVerdict(TwoReports(), 1), Verdict::kHolds);
  EXPECT_EQ(EquationVerdict(TwoReports(), 2), Verdict::kFails);
  EXPECT_EQ(EquationVerdict(TwoReports(), 3), Verdict::kSkipped);
}

TEST(Page, ResultsAreJson) {
  const auto json = nlohmann::json::parse(ToJson(TwoReports()));
  EXPECT_EQ(json["equations"].size(), 14u);
  EXPECT_EQ(json["equations"]["2"]["verdict"], "fails");
  EXPECT_EQ(json["equations"]["2"]["claims"].size(), 2u);
  EXPECT_EQ(json["claims"][1]["numbers"]["number"], 0.5);
  EXPECT_TRUE(json["claims"][0]["numbers"]["number"].is_null());
}

TEST(Page, NeedsNothingElse) {
  const std::string html = ToHtml(TwoReports());
  EXPECT_THAT(html, HasSubstr("A &amp; B"));
  EXPECT_THAT(html, HasSubstr("x &lt; y"));
  for (const char* outside : {"http:", "https:", "<script", "@import", "url("})
    EXPECT_THAT(html, Not(HasSubstr(outside)));
}

TEST(MathMl, SetsScriptsFractionsAndLimits) {
  EXPECT_EQ(MathRow("x_1^2"), "<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>");
  EXPECT_EQ(MathRow("\\frac{1}{y}"),
            "<mfrac><mrow><mn>1</mn></mrow><mrow><mi>y</mi></mrow></mfrac>");
  EXPECT_EQ(MathRow("\\sum_{t}"), "<munder><mo>∑</mo><mrow><mi>t</mi></mrow></munder>");
  EXPECT_EQ(MathRow("\\{x\\}"),
            "<mo stretchy=\"false\">{</mo><mi>x</mi><mo stretchy=\"false\">}</mo>");
  EXPECT_EQ(MathRow("a < b"), "<mi>a</mi><mo stretchy=\"false\">&lt;</mo><mi>b</mi>");
  EXPECT_EQ(MathRow("g'"), "<mi>g</mi><mo stretchy=\"false\" lspace=\"0\" rspace=\"0\">′</mo>");
  // Unfinished notation must not crash the program.
  for (const char* text : {"\\frac{", "x_", "{", "}", "\\", "^"}) MathRow(text);
}

TEST(Plot, SkipsWhatAnAxisCannotShow) {
  Plot plot{
      .title = "t",
      .log_x = true,
      .log_y = true,
      .series = {
          {.name = "s", .x = {1, 10, 100, 1000}, .y = {1, 0, NAN, 2}, .mark = Mark::kLinePoints}}};
  const std::string svg = ToSvg(plot);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
  plot.series.clear();
  EXPECT_THAT(ToSvg(plot), Not(HasSubstr("nan")));
}

TEST(Plot, ShortNumbers) {
  EXPECT_EQ(Short(0), "0");
  EXPECT_EQ(Short(1234567), "1234567");
  EXPECT_EQ(Short(0.123456), "0.1235");
  EXPECT_EQ(Short(1.5e-9), "1.5e-09");
  EXPECT_EQ(Short(-INFINITY), "-inf");
}

}  // namespace
}  // namespace cotangent::tools::lab
