#ifndef COTANGENT_DATA_SOURCES_IDX_H_
#define COTANGENT_DATA_SOURCES_IDX_H_

// IDX files, the format of MNIST and its kin (http://yann.lecun.com/exdb/mnist): two zero bytes, the
// type of the values (8: unsigned bytes, the only one read here), the number of dimensions, the
// dimensions as 32-bit big-endian numbers, the values. Plain or compressed by gzip.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cotangent::data {

struct IdxArray {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;  // as many as the product of the shape
};

// Whatever the bytes: an array, or an InvalidArgument error that begins with `source`. Never takes
// more memory than the header says or a gzip stream of this size can hold.
absl::StatusOr<IdxArray> ParseIdx(absl::Span<const uint8_t> bytes, absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_IDX_H_
