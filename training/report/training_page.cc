#include "training/report/training_page.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "training/metrics.h"
#include "training/report/html.h"
#include "training/report/plot.h"

namespace cotangent::training::report {
namespace {

constexpr int kRefreshSeconds = 10;
constexpr int64_t kMostTiles = 256;
// Curves with more points are drawn with means of neighbouring points, so that the page of a long
// run stays small.
constexpr size_t kMostPoints = 500;

Series Drawn(const std::string& name, const Curve& curve) {
  Series series{.name = name};
  if (curve.values.size() < 30) series.mark = Mark::kLinePoints;
  const size_t stride = (curve.values.size() + kMostPoints - 1) / kMostPoints;
  for (size_t i = 0; i < curve.values.size(); i += std::max<size_t>(1, stride)) {
    const size_t end = std::min(curve.values.size(), i + std::max<size_t>(1, stride));
    double sum = 0;
    for (size_t j = i; j < end; ++j) sum += curve.values[j];
    series.x.push_back(curve.steps[end - 1]);
    series.y.push_back(sum / static_cast<double>(end - i));
  }
  return series;
}

// Draws those of the named curves that exist into one figure. Returns "" if none exists.
std::string CurveFigure(const Curves& curves, const std::string& title, const std::string& unit,
                        const std::vector<std::pair<std::string, std::string>>& names) {
  Plot plot{.title = title, .x_label = "step", .y_label = unit};
  for (const auto& [key, name] : names) {
    const auto found = curves.find(key);
    if (found != curves.end()) plot.series.push_back(Drawn(name, found->second));
  }
  return plot.series.empty() ? "" : absl::StrCat("<figure>", ToSvg(plot), "</figure>\n");
}

// Draws a score of the images that were evaluated. `key` is its name in metrics.jsonl, without that
// of the images.
std::string ScoreFigure(const Curves& curves, const std::string& title, const std::string& unit,
                        const std::string& key) {
  // Test images are evaluated last; if there are none, validation or training images.
  std::string last = "test";
  for (const char* const images : {"validation", "training"}) {
    if (!curves.contains(absl::StrCat(last, "_", key))) last = images;
  }
  return CurveFigure(curves, title, unit,
                     {{absl::StrCat("training_", key), "training"},
                      {absl::StrCat("validation_", key), "validation"},
                      {absl::StrCat("test_", key), "test"},
                      {absl::StrCat("tta_", key), absl::StrCat(last, ", averaged over views")}});
}

std::string GradientFigure(const std::vector<std::pair<std::string, Curve>>& norms) {
  if (norms.empty()) return "";
  Plot plot{.title = "Gradients", .x_label = "step", .y_label = "norm", .log_y = true};
  // At most eight parameters are drawn, spread evenly over the depth of the network.
  const size_t shown = std::min<size_t>(8, norms.size());
  for (size_t i = 0; i < shown; ++i) {
    const auto& [name, curve] = norms[shown == 1 ? 0 : i * (norms.size() - 1) / (shown - 1)];
    plot.series.push_back(Drawn(name, curve));
  }
  return absl::StrCat("<h2>Gradient norms by layer</h2>\n<figure>", ToSvg(plot),
                      "<figcaption>Norms that fall from layer to layer by powers of ten say that "
                      "the first layers hardly learn.</figcaption></figure>\n");
}

std::string LayerTable(const std::vector<LayerLine>& layers) {
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th>layer</th><th>kind</th><th>result</th>"
      "<th>parameters</th><th>multiply-adds an image</th></tr></thead><tbody>\n";
  for (const LayerLine& layer : layers) {
    absl::StrAppend(&html, "<tr><td>", EscapeHtml(layer.name), "</td><td>", EscapeHtml(layer.kind),
                    "</td><td>", EscapeHtml(layer.output), "</td><td>", layer.parameters,
                    "</td><td>", layer.multiply_adds, "</td></tr>\n");
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

Curves ParseMetrics(const std::string& text) {
  std::map<std::string, std::map<double, double>> by_step;
  for (const absl::string_view line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::optional<MetricsLine> numbers = ParseMetricsLine(line);
    const std::optional<double> step = numbers ? Find(*numbers, "step") : std::nullopt;
    if (!step) continue;
    for (const auto& [key, value] : *numbers) {
      if (key != "step") by_step[key][*step] = value;
    }
  }
  Curves curves;
  for (const auto& [key, values] : by_step) {
    for (const auto& [step, value] : values) {
      curves[key].steps.push_back(step);
      curves[key].values.push_back(value);
    }
  }
  return curves;
}

std::string DrawLayers(const std::vector<LayerLine>& layers) {
  constexpr double kHeight = 26, kGap = 12, kWidth = 320, kLeft = 8, kStep = 14;
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < layers.size(); ++i) place[layers[i].name] = i;
  const auto top = [&](size_t i) { return 8 + static_cast<double>(i) * (kHeight + kGap); };
  std::string boxes, arrows;
  int lanes = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    const LayerLine& layer = layers[i];
    const std::string label = absl::StrCat(layer.name, "  ", layer.kind, "  ", layer.output);
    absl::StrAppend(&boxes, "<rect class=\"frame\" x=\"", kLeft, "\" y=\"", top(i), "\" width=\"",
                    kWidth, "\" height=\"", kHeight, "\" rx=\"4\"/><text class=\"label\" x=\"",
                    kLeft + 10, "\" y=\"", top(i) + 17, "\">", EscapeHtml(label), "</text>\n");
    std::vector<size_t> inputs;
    for (const std::string& name : layer.inputs) {
      const auto found = place.find(name);
      if (found != place.end() && found->second < i) inputs.push_back(found->second);
    }
    if (layer.inputs.empty() && i > 0) inputs.push_back(i - 1);
    for (const size_t from : inputs) {
      const double x = kLeft + kWidth, middle = kLeft + kWidth / 2;
      if (from + 1 == i) {
        absl::StrAppend(&arrows, "<path class=\"line\" style=\"stroke:var(--soft)\" d=\"M", middle,
                        " ", top(from) + kHeight, "V", top(i), "\"/>\n");
        continue;
      }
      // The arrow passes on the right of the boxes between the two layers, on one of six vertical
      // lines.
      const double lane = x + kStep * (1 + lanes++ % 6);
      absl::StrAppend(&arrows, "<path class=\"line\" style=\"stroke:var(--c0)\" d=\"M", x, " ",
                      top(from) + kHeight / 2, "H", lane, "V", top(i) + kHeight / 2, "H", x,
                      "\"/>\n");
    }
  }
  const double width = kLeft + kWidth + 7 * kStep + 8;
  return absl::StrCat("<svg viewBox=\"0 0 ", width, " ", top(layers.size()),
                      "\" role=\"img\" aria-label=\"the network's layers\" "
                      "xmlns=\"http://www.w3.org/2000/svg\">\n",
                      arrows, boxes, "</svg>\n");
}

Tiles DrawFilters(absl::Span<const float> weights, int64_t out, int64_t in, int64_t height,
                  int64_t width) {
  const int64_t count = std::min(out, kMostTiles);
  const auto columns = static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(count))));
  const int64_t rows = columns == 0 ? 0 : (count + columns - 1) / columns;
  Tiles tiles;
  tiles.width = static_cast<int>(columns * (width + 1) + 1);
  tiles.height = static_cast<int>(rows * (height + 1) + 1);
  tiles.rgb.assign(int64_t{3} * tiles.width * tiles.height, 128);
  const int64_t cells = height * width;
  for (int64_t k = 0; k < count; ++k) {
    const absl::Span<const float> kernel = weights.subspan(k * in * cells, in * cells);
    // Returns the red, green or blue of a cell (a position in the kernel) if the kernel has three
    // inputs; else the mean over all inputs, for each colour.
    const auto value = [&](int64_t cell, int colour) {
      if (in == 3) return static_cast<double>(kernel[colour * cells + cell]);
      double sum = 0;
      for (int64_t c = 0; c < in; ++c) sum += kernel[c * cells + cell];
      return sum / static_cast<double>(in);
    };
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (int64_t i = 0; i < cells * 3; ++i) {
      low = std::min(low, value(i / 3, i % 3));
      high = std::max(high, value(i / 3, i % 3));
    }
    for (int64_t i = 0; i < cells * 3; ++i) {
      const double share = high > low ? (value(i / 3, i % 3) - low) / (high - low) : 0.5;
      const int64_t y = k / columns * (height + 1) + 1 + i / 3 / width;
      const int64_t x = k % columns * (width + 1) + 1 + i / 3 % width;
      tiles.rgb[(y * tiles.width + x) * 3 + i % 3] =
          std::isfinite(share) ? static_cast<uint8_t>(std::lround(255 * share)) : 0;
    }
  }
  return tiles;
}

std::string ToHtml(const TrainingPage& page) {
  std::string html = absl::StrCat(
      BeginPage(absl::StrCat(page.network, ": ", page.state), page.finished ? 0 : kRefreshSeconds),
      "<header>\n<h1>", EscapeHtml(page.network), "</h1>\n<p>", EscapeHtml(page.state),
      "</p>\n</header>\n<main>\n<div class=\"row\">\n",
      CurveFigure(
          page.curves, "Loss", "loss",
          {{"train_loss", "training"}, {"validation_loss", "validation"}, {"test_loss", "test"}}),
      ScoreFigure(page.curves, "Accuracy", "accuracy", "accuracy"),
      ScoreFigure(page.curves, "Mean average precision", "mean average precision",
                  "mean_average_precision"),
      ScoreFigure(page.curves, "R2", "R2", "r2"),
      CurveFigure(page.curves, "Learning rate", "learning rate", {{"learning_rate", ""}}),
      CurveFigure(page.curves, "Speed", "images/s", {{"images_per_second", ""}}), "</div>\n",
      GradientFigure(page.gradient_norms));
  if (!page.filters_png.empty()) {
    absl::StrAppend(&html, "<h2>What the first layer looks for</h2>\n<figure>",
                    PngImage(page.filters_png, 360, "kernels of the first convolution"),
                    "</figure>\n");
  }
  absl::StrAppend(&html, "<h2>The network</h2>\n<div class=\"graph\">", DrawLayers(page.layers),
                  "</div>\n", LayerTable(page.layers),
                  "<h2>Its text</h2>\n<div class=\"scroll\"><pre>", EscapeHtml(page.recipe),
                  "</pre></div>\n</main>\n", EndPage());
  return html;
}

}  // namespace cotangent::training::report
