#include "layers/network/describe.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace cotangent::layers {
namespace {

constexpr int kColumns = 6;
using Cells = std::array<std::string, kColumns>;

// Returns 1234567 as "1,234,567".
std::string Grouped(int64_t number) {
  const std::string digits = absl::StrCat(number);
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

// Returns the memory of this many f32 numbers, as text.
std::string Memory(int64_t floats) {
  const double kibibytes = static_cast<double>(floats) * 4 / 1024;
  return kibibytes < 1024 ? absl::StrFormat("%.1f KiB", kibibytes)
                          : absl::StrFormat("%.1f MiB", kibibytes / 1024);
}

// Returns a line of the table, with texts aligned to the left and numbers to the right.
std::string Row(const Cells& cells, const std::array<size_t, kColumns>& widths) {
  std::string line;
  for (int i = 0; i < kColumns; ++i) {
    const std::string space(widths[i] - cells[i].size(), ' ');
    absl::StrAppend(&line, i == 0 ? "" : "  ", i < 3 ? cells[i] + space : space + cells[i]);
  }
  return line + "\n";
}

}  // namespace

std::string Describe(const BuiltNetwork& network) {
  std::vector<Cells> rows = {{"layer", "kind", "output", "parameters", "multiply-adds", "memory"}};
  int64_t parameters = 0, multiply_adds = 0,
          floats = network.graph.shape(network.images).NumElements();
  const auto seen = [](const Shape& shape) { return Shape(shape.dims().subspan(1)).ToString(); };
  rows.push_back(
      {"input", "images", seen(network.graph.shape(network.images)), "", "", Memory(floats)});
  for (const LayerRow& layer : network.layers) {
    rows.push_back({layer.name, layer.kind, seen(layer.output),
                    layer.parameters > 0 ? Grouped(layer.parameters) : "",
                    layer.multiply_adds > 0 ? Grouped(layer.multiply_adds) : "",
                    Memory(layer.output.NumElements())});
    parameters += layer.parameters;
    multiply_adds += layer.multiply_adds;
    floats += layer.output.NumElements();
  }
  rows.push_back({"total", "", "", Grouped(parameters), Grouped(multiply_adds), Memory(floats)});

  std::array<size_t, kColumns> widths = {};
  for (const Cells& row : rows) {
    for (int i = 0; i < kColumns; ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  size_t total_width = 2 * (kColumns - 1);
  for (size_t width : widths) total_width += width;
  const std::string rule = std::string(total_width, '-') + "\n";
  std::string table;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i == 1 || i + 1 == rows.size()) table += rule;
    table += Row(rows[i], widths);
  }
  int64_t frozen = 0;
  for (const ParameterSpec& parameter : network.parameters)
    frozen += parameter.trainable ? 0 : parameter.shape.NumElements();
  if (frozen > 0)
    absl::StrAppend(&table, Grouped(frozen), " parameters stay as they are initialised\n");
  absl::StrAppend(&table, "memory: results of the layers for a batch of ",
                  network.graph.shape(network.images)[0], " images in f32\n");
  return table;
}

}  // namespace cotangent::layers
