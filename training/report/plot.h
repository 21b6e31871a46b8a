#ifndef COTANGENT_TRAINING_REPORT_PLOT_H_
#define COTANGENT_TRAINING_REPORT_PLOT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

// Pictures as SVG, to stand in an HTML page. Colours are CSS variables (--c0 .. --c7, --ink,
// --faint) of the page, so that a picture follows its light or dark mode.
namespace cotangent::training::report {

enum class Mark { kLine, kDashed, kPoints, kLinePoints };

struct Series {
  std::string name = {};  // In the legend; empty: not there.
  std::vector<double> x = {}, y = {};
  Mark mark = Mark::kLine;
  int colour = -1;  // 0 .. 7; -1: its place among the series
};

struct Plot {
  std::string title = {}, x_label = {}, y_label = {};
  bool log_x = false, log_y = false;
  std::vector<Series> series = {};
  // Ranges; where low = high, that of the points.
  double x_low = 0, x_high = 0, y_low = 0, y_high = 0;
  int width = 480, height = 320;
};

// Points that are not finite (or, on a logarithmic axis, not positive) break a line.
std::string ToSvg(const Plot& plot);

struct HeatMap {
  std::string title = {}, x_label = {}, y_label = {};
  int64_t rows = 0, columns = 0;
  std::vector<double> values = {};  // [rows, columns], the first row on top
  // Shown at the axes' ends.
  double x_low = 0, x_high = 0, y_low = 0, y_high = 0;
  double low = 0, high = 0;             // of the colour scale; where equal, the values'
  bool numbers = false;                 // each cell's value in it
  std::vector<std::string> texts = {};  // [rows, columns], written in the cells instead; or none
  std::vector<std::string> row_names = {}, column_names = {};
};

std::string ToSvg(const HeatMap& map);

// "3.14", "1e-9", "12,345" is never written: short, for people.
std::string Short(double value);

// An image as <img> with its bytes inside, enlarged without smoothing.
std::string PngImage(absl::string_view png, int width, absl::string_view description);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_PLOT_H_
