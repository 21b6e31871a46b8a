#include "optim/parameter_groups.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/glob.h"
#include "base/status_macros.h"

namespace cotangent::optim {
namespace {

bool FitsName(const ParameterSlice& slice, const Group& group) {
  return group.pattern().empty() ||
         std::any_of(group.pattern().begin(), group.pattern().end(),
                     [&](const std::string& pattern) { return FitsPattern(slice.name, pattern); });
}

bool FitsRank(const ParameterSlice& slice, const Group& group) {
  return group.rank().empty() ||
         std::find(group.rank().begin(), group.rank().end(),
                   static_cast<int>(slice.shape.size())) != group.rank().end();
}

// Returns a list of the names of the first forty parameters, and how many more there are, for an
// error message.
std::string NameList(absl::Span<const ParameterSlice> slices) {
  constexpr size_t kMost = 40;
  std::string names = absl::StrJoin(
      slices.subspan(0, kMost), ", ",
      [](std::string* out, const ParameterSlice& slice) { absl::StrAppend(out, slice.name); });
  if (slices.size() > kMost) absl::StrAppend(&names, " and ", slices.size() - kMost, " more");
  return names;
}

absl::Status CheckGroup(absl::Span<const ParameterSlice> slices, const Group& group,
                        absl::string_view place) {
  if (group.pattern().empty() && group.rank().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(place,
                     " says neither pattern nor rank: expected what it is for, such as "
                     "pattern: \"*.bias\""));
  }
  for (const std::string& pattern : group.pattern()) {
    const bool fits = std::any_of(slices.begin(), slices.end(), [&](const ParameterSlice& slice) {
      return FitsPattern(slice.name, pattern);
    });
    if (!fits) {
      return absl::InvalidArgumentError(absl::StrCat(place, ".pattern \"", pattern,
                                                     "\" fits no parameter; the parameters are ",
                                                     NameList(slices)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<int>> AssignGroups(absl::Span<const ParameterSlice> slices,
                                              absl::Span<const Group* const> groups,
                                              absl::string_view place) {
  std::vector<int> assigned(slices.size(), 0);
  for (size_t g = 0; g < groups.size(); ++g) {
    const Group& group = *groups[g];
    const std::string field = absl::StrCat(place, "[", g, "]");
    RETURN_IF_ERROR(CheckGroup(slices, group, field));
    bool fits_any = false, takes_any = false;
    for (size_t i = 0; i < slices.size(); ++i) {
      if (!FitsName(slices[i], group) || !FitsRank(slices[i], group)) continue;
      fits_any = true;
      if (assigned[i] != 0) continue;
      assigned[i] = static_cast<int>(g) + 1;
      takes_any = true;
    }
    if (!fits_any) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " (", group.ShortDebugString(),
                       ") fits no parameter: none has both the name and the rank it asks for"));
    }
    if (!takes_any) {
      return absl::InvalidArgumentError(
          absl::StrCat(field, " (", group.ShortDebugString(),
                       ") is left with no parameter: groups before it take all that it fits; put "
                       "the narrower group first"));
    }
  }
  return assigned;
}

}  // namespace cotangent::optim
