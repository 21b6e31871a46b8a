// The measured times of convolutions, and the text in which they are saved.
#ifndef COTANGENT_LAYERS_PLAN_SAVED_TIMES_H_
#define COTANGENT_LAYERS_PLAN_SAVED_TIMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "tensor/convolution.h"

namespace cotangent::layers {

struct MeasuredChoice {
  tensor::ConvolutionChoice choice;
  // The time of one run at the full batch, including packing or unpacking of weights that change.
  double seconds = 0;
  int64_t temporary_bytes = 0;  // scratch memory and packed weights during a run
  double other_load = 0;        // share of the processors (0 to 1) that other work took meanwhile
};

struct SavedTimes {
  // The candidates of a convolution, under the text of a machine, the shape, and the direction and
  // conditions, separated by tabs.
  absl::flat_hash_map<std::string, std::vector<MeasuredChoice>> times;
  // Lines (see RefusedLine()) for candidates that exceeded the time limit.
  absl::flat_hash_set<std::string> refused;
};

// Returns the line of a candidate that exceeded the time limit on this machine.
std::string RefusedLine(absl::string_view machine, tensor::Direction direction,
                        const tensor::ConvolutionChoice& choice);

// Returns `first_line`, which tells the form of the text, the refused lines, and a line for each
// candidate: the key of its convolution, seconds, temporary bytes, choice, and the share of other
// work, separated by tabs. Sorted.
std::string ToText(const SavedTimes& saved, absl::string_view first_line);

// Parses what ToText() returns. Ignores texts with another first line, lines that cannot be read,
// and the other lines of a convolution that has such a line.
SavedTimes ParseSavedTimes(absl::string_view text, absl::string_view first_line);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_SAVED_TIMES_H_
