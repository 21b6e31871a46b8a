#ifndef COTANGENT_TRAINING_REPORT_PLOT_H_
#define COTANGENT_TRAINING_REPORT_PLOT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Draws plots as SVG elements for an HTML page. Colours are CSS variables of the page (--c0 to
// --c7, --ink, --faint, see html.cc), so plots follow the page's light or dark mode.
namespace cotangent::training::report {

enum class Mark { kLine, kDashed, kPoints, kLinePoints };

struct Series {
  std::string name = {};  // shown in the legend; empty: not in the legend
  std::vector<double> x = {}, y = {};
  Mark mark = Mark::kLine;
  int colour = -1;  // 0 to 7 for --c0 to --c7; -1: the index of the series
};

struct Plot {
  std::string title = {}, x_label = {}, y_label = {};
  bool log_x = false, log_y = false;
  std::vector<Series> series = {};
  // The ranges of the axes. Unless low < high, the range of the data is taken, widened a little.
  double x_low = 0, x_high = 0, y_low = 0, y_high = 0;
  int width = 480, height = 320;
};

// Draws a plot. Points that are not finite, or not positive on a logarithmic axis, are left out and
// interrupt a line.
std::string ToSvg(const Plot& plot);

struct HeatMap {
  std::string title = {}, x_label = {}, y_label = {};
  int64_t rows = 0, columns = 0;
  std::vector<double> values = {};  // [rows, columns]; the first row is drawn on top
  // Numbers written at the ends of the horizontal axis (x) unless the columns have names, and at
  // the top (y_low) and the bottom (y_high) of the vertical axis unless the rows have names.
  double x_low = 0, x_high = 0, y_low = 0, y_high = 0;
  // The values at which a cell has no colour and full colour. Unless low < high, these are the
  // least and the largest of `values`.
  double low = 0, high = 0;
  bool numbers = false;  // whether to write each cell's value in it
  // [rows, columns] texts to write in the cells instead of values; or empty.
  std::vector<std::string> texts = {};
  std::vector<std::string> row_names = {}, column_names = {};
};

std::string ToSvg(const HeatMap& map);

// Formats a number shortly, for people: "3.14", "1e-09", "12345" (without separators).
std::string Short(double value);

// Returns an <img> element that contains the PNG file itself, `width` pixels wide, enlarged without
// smoothing. `description` is the alternative text.
std::string PngImage(absl::string_view png, int width, absl::string_view description);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_PLOT_H_
