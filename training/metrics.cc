#include "training/metrics.h"

#include "nlohmann/json.hpp"

namespace cotangent::training {

std::optional<MetricsLine> ParseMetricsLine(absl::string_view line) {
  const nlohmann::json object =
      nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;
  MetricsLine numbers;
  for (const auto& [key, value] : object.items()) {
    if (value.is_number()) numbers[key] = value.get<double>();
  }
  return numbers;
}

std::optional<double> Find(const MetricsLine& line, const std::string& key) {
  const auto found = line.find(key);
  return found == line.end() ? std::nullopt : std::optional<double>(found->second);
}

}  // namespace cotangent::training
