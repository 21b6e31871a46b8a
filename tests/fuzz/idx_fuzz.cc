// Reads the input as an IDX file (the format of MNIST), which may be compressed.
#include <cstddef>
#include <cstdint>

#include "data/sources/idx.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto array = cotangent::data::ParseIdx(absl::MakeConstSpan(data, size), "fuzz");
  if (!array.ok()) {
    COTANGENT_PROPERTY(!array.status().message().empty());
    return 0;
  }
  int64_t count = 1;
  for (int64_t extent : array->shape) count *= extent;
  COTANGENT_PROPERTY(static_cast<int64_t>(array->values.size()) == count);
  return 0;
}
