#include "training/report/training_page.h"

#include <cmath>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::training::report {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(TrainingPageTest, MetricsOfARunThatWasKilledAndResumed) {
  const Curves curves = ParseMetrics(
      "{\"step\": 10, \"train_loss\": 2.5}\n"
      "{\"step\": 20, \"train_loss\": 2.0, \"test_accuracy\": 0.5}\n"
      "{\"step\": 20, \"train_loss\": 1.9, \"name\": \"text\", \"test_loss\": null}\n"
      "[1, 2]\n{\"step\": \"x\"}\n"
      "{\"step\": 30, \"train_l");
  EXPECT_EQ(curves.size(), 2);
  EXPECT_THAT(curves.at("train_loss").steps, ElementsAre(10, 20));
  EXPECT_THAT(curves.at("train_loss").values, ElementsAre(2.5, 1.9));
  EXPECT_THAT(curves.at("test_accuracy").values, ElementsAre(0.5));
}

TEST(TrainingPageTest, TheFirstFiltersByHand) {
  // Two kernels, 1 x 2, with one input. Each is scaled to its own range.
  const Tiles tiles = DrawFilters({-1, 1, 5, 4}, 2, 1, 1, 2);
  EXPECT_EQ(tiles.width, 2 * 3 + 1);
  EXPECT_EQ(tiles.height, 1 * 2 + 1);
  const auto red = [&](int y, int x) { return int{tiles.rgb[(y * tiles.width + x) * 3]}; };
  EXPECT_EQ(red(1, 1), 0);
  EXPECT_EQ(red(1, 2), 255);
  EXPECT_EQ(red(1, 4), 255);
  EXPECT_EQ(red(1, 5), 0);
  EXPECT_EQ(red(0, 0), 128);  // the border
  EXPECT_EQ(DrawFilters({NAN, 1}, 1, 1, 1, 2).rgb.size(), 3 * 4 * 3);
}

TEST(TrainingPageTest, APageOfARunThatGoesOnReadsItselfAnewAndEscapes) {
  TrainingPage page{.network = "<b>", .state = "step 1 of 2", .recipe = "layer { a < b }"};
  page.layers = {{.name = "conv", .kind = "convolution", .output = "8x8"},
                 {.name = "side", .kind = "convolution", .output = "8x8"},
                 {.name = "sum", .kind = "add", .output = "8x8", .inputs = {"conv", "side"}}};
  page.curves = ParseMetrics("{\"step\": 1, \"train_loss\": 1}\n");
  const std::string html = ToHtml(page);
  EXPECT_THAT(html, HasSubstr("http-equiv=\"refresh\""));
  EXPECT_THAT(html, HasSubstr("&lt;b&gt;"));
  EXPECT_THAT(html, HasSubstr("a &lt; b"));
  EXPECT_THAT(html, Not(HasSubstr("Gradient norms")));
  page.finished = true;
  EXPECT_THAT(ToHtml(page), Not(HasSubstr("http-equiv=\"refresh\"")));
}

TEST(TrainingPageTest, TheLegendNamesTheImagesThatWereEvaluatedLast) {
  TrainingPage page;
  page.curves["validation_accuracy"] = {{10}, {0.1}};
  page.curves["tta_accuracy"] = {{10}, {0.1}};
  EXPECT_THAT(ToHtml(page), HasSubstr(">validation, averaged over views<"));
  EXPECT_THAT(ToHtml(page), Not(HasSubstr("test")));
  page.curves["test_accuracy"] = {{10}, {0.1}};
  EXPECT_THAT(ToHtml(page), HasSubstr(">test, averaged over views<"));
}

TEST(TrainingPageTest, TheAxesOfASinglePointStayNearIt) {
  TrainingPage page;
  page.curves["test_accuracy"] = {{10}, {0.1}};
  const std::string html = ToHtml(page);
  for (const char* const tick : {">9.5<", ">10<", ">0.095<", ">0.1<", ">0.105<"})
    EXPECT_THAT(html, HasSubstr(tick));
  EXPECT_THAT(html, Not(HasSubstr(">-")));
}

TEST(TrainingPageTest, ALongRunMakesAPageOfBoundedSize) {
  TrainingPage page;
  for (int i = 0; i < 100000; ++i) {
    page.curves["train_loss"].steps.push_back(i);
    page.curves["train_loss"].values.push_back(std::sin(i));
  }
  EXPECT_LT(ToHtml(page).size(), 100 << 10);
}

}  // namespace
}  // namespace cotangent::training::report
