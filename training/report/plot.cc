#include "training/report/plot.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "training/report/html.h"

namespace cotangent::training::report {
namespace {

constexpr double kLeft = 62, kRight = 14, kBottom = 46;  // margins in pixels
constexpr double kLetter = 6.6;  // mean width of a letter in the legend, in pixels

std::string Coordinate(double v) { return absl::StrFormat("%.1f", v); }

// One axis: maps values to pixels and chooses the positions of ticks.
class Axis {
 public:
  Axis(double low, double high, bool logarithmic, double begin, double end)
      : logarithmic_(logarithmic), low_(Map(low)), high_(Map(high)), begin_(begin), end_(end) {}

  bool Shows(double v) const { return std::isfinite(v) && (!logarithmic_ || v > 0); }
  double At(double v) const { return begin_ + (Map(v) - low_) / (high_ - low_) * (end_ - begin_); }

  std::vector<double> Ticks() const {
    std::vector<double> ticks;
    if (logarithmic_) {
      const int first = static_cast<int>(std::ceil(low_ - 1e-9)),
                last = static_cast<int>(std::floor(high_ + 1e-9));
      const int step = std::max(1, (last - first + 6) / 7);
      for (int decade = first; decade <= last; decade += step)
        ticks.push_back(std::pow(10.0, decade));
      return ticks;
    }
    const double rough = (high_ - low_) / 5;
    const double power = std::pow(10.0, std::floor(std::log10(rough)));
    const double ratio = rough / power;
    const double step = power * (ratio < 1.5 ? 1 : ratio < 3.5 ? 2 : ratio < 7.5 ? 5 : 10);
    for (double k = std::ceil(low_ / step - 1e-9); k * step <= high_ + 1e-9 * step; ++k)
      ticks.push_back(k * step);
    return ticks;
  }

 private:
  double Map(double v) const { return logarithmic_ ? std::log10(v) : v; }

  bool logarithmic_;
  double low_, high_, begin_, end_;
};

// Sets [*low, *high] to the range of the values, widened a little (by a tenth of the value if there
// is only one, so that an axis of accuracies shows no negative ones); values that are not finite, or
// not positive if `logarithmic`, are left out. Does nothing if *low < *high, since the caller has
// given a range then.
void FindRange(const std::vector<Series>& series, std::vector<double> Series::*values,
               bool logarithmic, double* low, double* high) {
  if (*low < *high) return;
  *low = std::numeric_limits<double>::infinity();
  *high = -*low;
  for (const Series& s : series) {
    for (const double v : s.*values) {
      if (!std::isfinite(v) || (logarithmic && v <= 0)) continue;
      *low = std::min(*low, v);
      *high = std::max(*high, v);
    }
  }
  if (!(*low <= *high)) *low = *high = 1;
  if (logarithmic) {
    const double margin = *low == *high ? 2 : std::pow(*high / *low, 0.03);
    *low /= margin;
    *high *= margin;
  } else {
    const double margin = *low < *high ? 0.04 * (*high - *low)
                          : *low == 0  ? 1
                                       : 0.1 * std::abs(*low);
    *low -= margin;
    *high += margin;
  }
}

std::string Text(double x, double y, absl::string_view anchor, absl::string_view css_class,
                 absl::string_view text) {
  return absl::StrCat("<text x=\"", Coordinate(x), "\" y=\"", Coordinate(y), "\" text-anchor=\"",
                      anchor, "\" class=\"", css_class, "\">", EscapeHtml(text), "</text>");
}

// Writes the label of a tick. On a logarithmic axis, values of 10^3.5 and more, and of 10^-3.5 and
// less, are written as 10 with a raised exponent.
std::string TickLabel(double x, double y, absl::string_view anchor, double value,
                      bool logarithmic) {
  const double decade = std::log10(std::abs(value));
  if (!logarithmic || std::abs(decade) < 3.5) return Text(x, y, anchor, "tick", Short(value));
  return absl::StrCat("<text x=\"", Coordinate(x), "\" y=\"", Coordinate(y), "\" text-anchor=\"",
                      anchor, "\" class=\"tick\">10<tspan dy=\"-4\" font-size=\"8\">",
                      std::lround(decade), "</tspan></text>");
}

struct Frame {
  double left, right, top, bottom;
};

std::string Axes(const Plot& plot, const Axis& x, const Axis& y, const Frame& frame) {
  std::string svg;
  for (const double tick : x.Ticks()) {
    const std::string at = Coordinate(x.At(tick));
    absl::StrAppend(&svg, "<line class=\"grid\" x1=\"", at, "\" x2=\"", at, "\" y1=\"",
                    Coordinate(frame.top), "\" y2=\"", Coordinate(frame.bottom), "\"/>",
                    TickLabel(x.At(tick), frame.bottom + 15, "middle", tick, plot.log_x));
  }
  for (const double tick : y.Ticks()) {
    const std::string at = Coordinate(y.At(tick));
    absl::StrAppend(&svg, "<line class=\"grid\" y1=\"", at, "\" y2=\"", at, "\" x1=\"",
                    Coordinate(frame.left), "\" x2=\"", Coordinate(frame.right), "\"/>",
                    TickLabel(frame.left - 6, y.At(tick) + 4, "end", tick, plot.log_y));
  }
  absl::StrAppend(&svg, "<rect class=\"frame\" x=\"", Coordinate(frame.left), "\" y=\"",
                  Coordinate(frame.top), "\" width=\"", Coordinate(frame.right - frame.left),
                  "\" height=\"", Coordinate(frame.bottom - frame.top), "\"/>\n");
  absl::StrAppend(&svg, Text((frame.left + frame.right) / 2, frame.bottom + 36, "middle", "label",
                             plot.x_label));
  const double middle = (frame.top + frame.bottom) / 2;
  absl::StrAppend(&svg, "<text transform=\"translate(14 ", Coordinate(middle),
                  ") rotate(-90)\" text-anchor=\"middle\" class=\"label\">",
                  EscapeHtml(plot.y_label), "</text>\n");
  return svg;
}

std::string DrawSeries(const Series& series, int colour, const Axis& x, const Axis& y) {
  std::string svg;
  if (series.mark != Mark::kPoints) {
    std::string path;
    bool pen_down = false;
    for (size_t i = 0; i < series.x.size(); ++i) {
      if (!x.Shows(series.x[i]) || !y.Shows(series.y[i])) {
        pen_down = false;
        continue;
      }
      // Vertical coordinates are clipped far outside the frame, since some renderers cannot draw
      // larger numbers.
      const double py = std::clamp(y.At(series.y[i]), -2000.0, 4000.0);
      absl::StrAppend(&path, pen_down ? "L" : "M", Coordinate(x.At(series.x[i])), " ",
                      Coordinate(py));
      pen_down = true;
    }
    absl::StrAppend(&svg, "<path class=\"line\" style=\"stroke:var(--c", colour, ")\"",
                    series.mark == Mark::kDashed ? " stroke-dasharray=\"6 4\"" : "", " d=\"", path,
                    "\"/>");
  }
  if (series.mark == Mark::kPoints || series.mark == Mark::kLinePoints) {
    for (size_t i = 0; i < series.x.size(); ++i) {
      if (!x.Shows(series.x[i]) || !y.Shows(series.y[i])) continue;
      absl::StrAppend(&svg, "<circle r=\"2.4\" style=\"fill:var(--c", colour, ")\" cx=\"",
                      Coordinate(x.At(series.x[i])), "\" cy=\"", Coordinate(y.At(series.y[i])),
                      "\"/>");
    }
  }
  return svg + "\n";
}

int ColourOf(const Plot& plot, size_t index) {
  return plot.series[index].colour >= 0 ? plot.series[index].colour % 8
                                        : static_cast<int>(index % 8);
}

// Appends a legend above the frame: the names of the series, as many in a row as fit. Returns the
// height used, in pixels.
double Legend(const Plot& plot, double top, std::string* svg) {
  double x = kLeft, y = top;
  bool any = false;
  for (size_t i = 0; i < plot.series.size(); ++i) {
    const Series& series = plot.series[i];
    if (series.name.empty()) continue;
    const double width = 30 + kLetter * static_cast<double>(series.name.size());
    if (any && x + width > plot.width) {
      x = kLeft;
      y += 17;
    }
    any = true;
    const char* const dash = series.mark == Mark::kDashed ? " stroke-dasharray=\"6 4\"" : "";
    if (series.mark == Mark::kPoints) {
      absl::StrAppend(svg, "<circle r=\"3\" style=\"fill:var(--c", ColourOf(plot, i), ")\" cx=\"",
                      Coordinate(x + 9), "\" cy=\"", Coordinate(y - 4), "\"/>");
    } else {
      absl::StrAppend(svg, "<line class=\"line\"", dash, " style=\"stroke:var(--c",
                      ColourOf(plot, i), ")\" x1=\"", Coordinate(x), "\" x2=\"", Coordinate(x + 18),
                      "\" y1=\"", Coordinate(y - 4), "\" y2=\"", Coordinate(y - 4), "\"/>");
    }
    absl::StrAppend(svg, Text(x + 22, y, "start", "legend", series.name));
    x += width;
  }
  return any ? y - top + 17 : 0;
}

std::string Open(double width, double height, absl::string_view title) {
  return absl::StrCat("<svg viewBox=\"0 0 ", Coordinate(width), " ", Coordinate(height),
                      "\" role=\"img\" aria-label=\"", EscapeHtml(title), "\">",
                      Text(width / 2, 16, "middle", "title", title), "\n");
}

// Returns as text the opacity of a rectangle (a cell of a heat map, or a step of its colour scale):
// `share`, the position of the rectangle's value on the colour scale (0: lowest, 1: highest),
// clamped to [0, 1].
std::string Shade(double share) { return absl::StrFormat("%.3f", std::clamp(share, 0.0, 1.0)); }

}  // namespace

std::string Short(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  if (value == 0) return "0";
  const double size = std::abs(value);
  if (value == std::round(value) && size < 1e7) return absl::StrFormat("%.0f", value);
  if (size >= 1e6 || size < 1e-3) return absl::StrFormat("%.3g", value);
  return absl::StrFormat("%.4g", value);
}

std::string ToSvg(const Plot& given) {
  Plot plot = given;
  FindRange(plot.series, &Series::x, plot.log_x, &plot.x_low, &plot.x_high);
  FindRange(plot.series, &Series::y, plot.log_y, &plot.y_low, &plot.y_high);
  std::string legend;
  const double legend_height = Legend(plot, 36, &legend);
  const Frame frame = {kLeft, plot.width - kRight, 26 + legend_height,
                       26 + legend_height + plot.height - 72};
  const Axis x(plot.x_low, plot.x_high, plot.log_x, frame.left, frame.right);
  const Axis y(plot.y_low, plot.y_high, plot.log_y, frame.bottom, frame.top);
  // The clipping region needs an id that no other plot of the page has.
  const std::string clip =
      absl::StrCat("clip", absl::Hex(std::hash<std::string>()(plot.title + plot.y_label + legend)));
  std::string svg = Open(plot.width, frame.bottom + kBottom, plot.title);
  absl::StrAppend(&svg, legend, Axes(plot, x, y, frame), "<clipPath id=\"", clip, "\"><rect x=\"",
                  Coordinate(frame.left - 3), "\" y=\"", Coordinate(frame.top - 3), "\" width=\"",
                  Coordinate(frame.right - frame.left + 6), "\" height=\"",
                  Coordinate(frame.bottom - frame.top + 6), "\"/></clipPath><g clip-path=\"url(#",
                  clip, ")\">\n");
  for (size_t i = 0; i < plot.series.size(); ++i)
    absl::StrAppend(&svg, DrawSeries(plot.series[i], ColourOf(plot, i), x, y));
  return svg + "</g></svg>\n";
}

std::string ToSvg(const HeatMap& map) {
  double low = map.low, high = map.high;
  if (!(low < high)) {
    low = *std::min_element(map.values.begin(), map.values.end());
    high = *std::max_element(map.values.begin(), map.values.end());
  }
  const bool flat = !(low < high);
  size_t longest = 0;
  for (const std::string& name : map.row_names) longest = std::max(longest, name.size());
  const double left = map.row_names.empty() ? 44 : 26 + kLetter * static_cast<double>(longest);
  const double size = 300, top = 28, cell_x = size / map.columns, cell_y = size / map.rows;
  const double bottom = map.column_names.empty() ? 44 : 40 + kLetter * 8;
  std::string svg = Open(left + size + 14, top + size + bottom + 26, map.title);
  absl::StrAppend(&svg, "<g shape-rendering=\"crispEdges\" style=\"fill:var(--c0)\">");
  for (int64_t row = 0; row < map.rows; ++row) {
    for (int64_t column = 0; column < map.columns; ++column) {
      const double value = map.values[row * map.columns + column];
      const double share = flat ? 0 : (value - low) / (high - low);
      if (share < 0.002) continue;
      absl::StrAppend(&svg, "<rect x=\"", Coordinate(left + column * cell_x), "\" y=\"",
                      Coordinate(top + row * cell_y), "\" width=\"", Coordinate(cell_x),
                      "\" height=\"", Coordinate(cell_y), "\" opacity=\"", Shade(share), "\"/>");
    }
  }
  absl::StrAppend(&svg, "</g><rect class=\"frame\" x=\"", left, "\" y=\"", top, "\" width=\"", size,
                  "\" height=\"", size, "\"/>\n");
  if (map.numbers || !map.texts.empty()) {
    for (int64_t i = 0; i < map.rows * map.columns; ++i) {
      absl::StrAppend(&svg, Text(left + (i % map.columns + 0.5) * cell_x,
                                 top + (i / map.columns + 0.5) * cell_y + 3, "middle", "cell",
                                 map.texts.empty() ? Short(map.values[i]) : map.texts[i]));
    }
  }
  for (size_t i = 0; i < map.row_names.size(); ++i) {
    absl::StrAppend(&svg,
                    Text(left - 5, top + (i + 0.5) * cell_y + 4, "end", "tick", map.row_names[i]));
  }
  for (size_t i = 0; i < map.column_names.size(); ++i) {
    absl::StrAppend(&svg, "<text transform=\"translate(", Coordinate(left + (i + 0.5) * cell_x + 4),
                    " ", Coordinate(top + size + 8),
                    ") rotate(-60)\" text-anchor=\"end\" class=\"tick\">",
                    EscapeHtml(map.column_names[i]), "</text>");
  }
  if (map.column_names.empty()) {
    absl::StrAppend(&svg, Text(left, top + size + 14, "middle", "tick", Short(map.x_low)),
                    Text(left + size, top + size + 14, "end", "tick", Short(map.x_high)));
  }
  if (map.row_names.empty()) {
    absl::StrAppend(&svg, Text(left - 5, top + 10, "end", "tick", Short(map.y_low)),
                    Text(left - 5, top + size, "end", "tick", Short(map.y_high)));
  }
  absl::StrAppend(&svg,
                  Text(left + size / 2, top + size + bottom - 12, "middle", "label", map.x_label));
  absl::StrAppend(&svg, "<text transform=\"translate(13 ", Coordinate(top + size / 2),
                  ") rotate(-90)\" text-anchor=\"middle\" class=\"label\">",
                  EscapeHtml(map.y_label), "</text>\n");
  // The colour scale below the map, with the values at its ends.
  const double scale_y = top + size + bottom;
  for (int i = 0; i < 20; ++i) {
    absl::StrAppend(&svg, "<rect style=\"fill:var(--c0)\" shape-rendering=\"crispEdges\" x=\"",
                    Coordinate(left + 90 + i * 6), "\" y=\"", Coordinate(scale_y),
                    "\" width=\"6\" height=\"10\" opacity=\"", Shade(i / 19.0), "\"/>");
  }
  absl::StrAppend(&svg, "<rect class=\"frame\" x=\"", Coordinate(left + 90), "\" y=\"",
                  Coordinate(scale_y), "\" width=\"120\" height=\"10\"/>",
                  Text(left + 84, scale_y + 9, "end", "tick", Short(low)),
                  Text(left + 216, scale_y + 9, "start", "tick", Short(high)));
  return svg + "</svg>\n";
}

std::string PngImage(absl::string_view png, int width, absl::string_view description) {
  return absl::StrCat("<img class=\"pixels\" width=\"", width, "\" alt=\"", EscapeHtml(description),
                      "\" src=\"data:image/png;base64,", absl::Base64Escape(png), "\">");
}

}  // namespace cotangent::training::report
