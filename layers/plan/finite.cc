#include "layers/plan/finite.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"

namespace cotangent::layers {
namespace {

// Returns "[2, 0, 1]" for the place of element `index` of a tensor of this shape.
std::string PlaceText(const tensor::Shape& shape, int64_t index) {
  std::vector<int64_t> place(shape.rank());
  for (int i = shape.rank() - 1; i >= 0; --i) {
    place[i] = index % shape[i];
    index /= shape[i];
  }
  return absl::StrCat("[", absl::StrJoin(place, ", "), "]");
}

absl::Status CheckSlots(const std::vector<ParameterStore::Slot>& slots, const float* values,
                        absl::string_view source) {
  for (const ParameterStore::Slot& slot : slots) {
    const float* const begin = values + slot.offset;
    const float* const end = begin + slot.size;
    const float* const found = std::find_if(begin, end, [](float x) { return !std::isfinite(x); });
    if (found == end) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        source, ": tensor ", slot.name, " is ", std::isnan(*found) ? "not a number" : "infinite",
        " at ", PlaceText(slot.shape, found - begin),
        "; expected finite numbers. The training that wrote it had diverged, or a conversion to "
        "fewer bits overflowed: use an earlier checkpoint, or convert it anew"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckFinite(const ParameterStore& store, absl::string_view source) {
  RETURN_IF_ERROR(CheckSlots(store.parameters(), store.values(), source));
  return CheckSlots(store.states(), store.state_values(), source);
}

}  // namespace cotangent::layers
