#ifndef COTANGENT_DATA_SOURCES_IDX_H_
#define COTANGENT_DATA_SOURCES_IDX_H_

// Reads IDX files, the format of MNIST and similar data sets (http://yann.lecun.com/exdb/mnist):
// two zero bytes, a byte for the type of the values (only 8, unsigned bytes, is supported here), a
// byte for the number of dimensions, the dimensions as 32-bit big-endian numbers, and the values.
// Files may be compressed by gzip.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cotangent::data {

struct IdxArray {
  std::vector<int64_t> shape;
  std::vector<uint8_t> values;  // row-major; as many as the product of the shape
};

// Parses an IDX file, compressed or not. Returns an InvalidArgument error that begins with `source`
// if the bytes are malformed. Takes memory only for what the bytes contain, decompressed, whatever
// sizes the header claims.
absl::StatusOr<IdxArray> ParseIdx(absl::Span<const uint8_t> bytes, absl::string_view source);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_IDX_H_
