// The header of a safetensors file (https://github.com/huggingface/safetensors): eight bytes,
// little-endian, the header's length; the header, a JSON object
//
//   {"__metadata__": {"step": "1200", ...}, "conv1.weight": {"dtype": "F32", "shape": [32, 3, 7,
//   7], "data_offsets": [0, 18816]}, ...}
//
// and the tensors' bytes, one after the other without gaps.
#ifndef COTANGENT_TRAINING_WEIGHTS_SAFETENSORS_H_
#define COTANGENT_TRAINING_WEIGHTS_SAFETENSORS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::training {

// A file that claims more is refused before memory is asked for.
inline constexpr int64_t kLargestSafetensorsHeader = int64_t{64} << 20;
inline constexpr int64_t kMostSafetensorsTensors = 100'000;

inline constexpr int64_t kSafetensorsLengthBytes = 8;
// What the first eight bytes say, at most INT64_MAX.
int64_t SafetensorsHeaderLength(const char* bytes);

using Metadata = std::map<std::string, std::string>;

struct SafetensorsHeader {
  struct Tensor {
    std::string dtype;
    std::vector<int64_t> shape, offsets;
    bool has_shape = false;
  };
  Metadata metadata;
  std::map<std::string, Tensor> tensors;
};

// Reads the JSON of a header. Errors say what was found, without naming the file. What it takes in
// memory is in proportion to the text's bytes, however that is nested.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view text);

// Checks that every tensor lies within `data_bytes` bytes of data, is as long as its shape and
// type say, and that together they cover the data without gaps. Errors say what was found.
absl::Status CheckSafetensorsPlaces(const SafetensorsHeader& header, int64_t data_bytes);

// Bytes of one number of a type such as "F32"; 0 for a type that the format does not know.
int64_t SafetensorsBytes(absl::string_view dtype);

// The product of the extents, or -1 where it exceeds `most`.
int64_t ElementsOf(const std::vector<int64_t>& shape, int64_t most);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_WEIGHTS_SAFETENSORS_H_
