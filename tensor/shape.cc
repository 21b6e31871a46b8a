#include "tensor/shape.h"

#include <limits>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cotangent::tensor {

int64_t Shape::NumElements() const {
  int64_t product = 1;
  for (int64_t extent : dims_) product *= extent;
  return product;
}

absl::Status Shape::Validate() const {
  if (rank() > kMaxRank) {
    return absl::InvalidArgumentError(absl::StrCat("shape ", ToString(), " has ", rank(),
                                                   " dimensions; at most ", kMaxRank,
                                                   " are supported"));
  }
  int64_t product = 1;
  for (int64_t extent : dims_) {
    if (extent < 1) {
      return absl::InvalidArgumentError(absl::StrCat("shape ", ToString(), " has the extent ",
                                                     extent, "; every extent must be at least 1"));
    }
    if (__builtin_mul_overflow(product, extent, &product) ||
        product > std::numeric_limits<int64_t>::max() / 8) {
      return absl::InvalidArgumentError(
          absl::StrCat("shape ", ToString(), " has more elements than any memory could hold"));
    }
  }
  return absl::OkStatus();
}

std::string Shape::ToString() const { return absl::StrCat("[", absl::StrJoin(dims_, ", "), "]"); }

}  // namespace cotangent::tensor
