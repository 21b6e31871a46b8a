// Reads the header of a safetensors file (https://github.com/huggingface/safetensors). Such a file
// consists of the header's length in bytes (8 bytes, little-endian), the header, which is a JSON
// object
//
//   {"__metadata__": {"step": "1200", ...}, "conv1.weight": {"dtype": "F32", "shape": [32, 3, 7,
//   7], "data_offsets": [0, 18816]}, ...}
//
// and the tensors' bytes, one tensor after the other without gaps. Offsets count from the end of
// the header.
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

// A file whose header is longer than kLargestSafetensorsHeader bytes, or names more than
// kMostSafetensorsTensors tensors, is refused before its tensors are read. kSafetensorsLengthBytes
// is the size of the length at the file's beginning.
inline constexpr int64_t kLargestSafetensorsHeader = int64_t{64} << 20;
inline constexpr int64_t kMostSafetensorsTensors = 100'000;

inline constexpr int64_t kSafetensorsLengthBytes = 8;
// Returns the header's length in bytes, which is stored in the file's first eight bytes, `bytes`;
// INT64_MAX if the length is larger than that.
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

// Parses the JSON of a header. Errors say what was found, without the file's name. The memory taken
// is proportional to the length of the text, even if the text is deeply nested.
absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view text);

// Checks that every tensor lies within `data_bytes` bytes of data and is as long as its shape and
// type say, and that the tensors cover the data without gaps. Errors say what was found.
absl::Status CheckSafetensorsPlaces(const SafetensorsHeader& header, int64_t data_bytes);

// Returns the bytes of one number of a type such as "F32", or 0 for an unknown type.
int64_t SafetensorsBytes(absl::string_view dtype);

// Returns the product of the extents, or -1 if it is larger than `most`.
int64_t ElementsOf(const std::vector<int64_t>& shape, int64_t most);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_WEIGHTS_SAFETENSORS_H_
