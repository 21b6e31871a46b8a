// Reads the log of a training run, metrics.jsonl (training/README.md lists its keys).
#ifndef COTANGENT_TRAINING_METRICS_H_
#define COTANGENT_TRAINING_METRICS_H_

#include <map>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace cotangent::training {

// The name of the log in a run's directory.
inline constexpr char kMetricsFile[] = "metrics.jsonl";

// The key of the mean loss of an epoch's training steps, which lines about evaluations have and no
// others.
inline constexpr char kMeanLossKey[] = "train_loss";

// The numbers of a line, by key.
using MetricsLine = std::map<std::string, double>;

// Parses a line of the log; values that are not numbers are left out. Returns nothing if the line
// is not a JSON object: the last line of a running or killed run may be incomplete.
std::optional<MetricsLine> ParseMetricsLine(absl::string_view line);

// Returns a number of the line, or nothing if it has none under this key.
std::optional<double> Find(const MetricsLine& line, const std::string& key);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_METRICS_H_
