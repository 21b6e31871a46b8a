#include "layers/network/nearest_name.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace cotangent::layers {
namespace {

// Names longer than this are compared by their beginning: nobody misspells more than that.
constexpr size_t kLongestCompared = 100;

// Damerau's distance (optimal string alignment).
size_t Distance(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, replaced});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string NearestName(absl::string_view found, const std::vector<std::string>& names) {
  const std::string lower = absl::AsciiStrToLower(found.substr(0, kLongestCompared));
  std::string nearest;
  size_t smallest = kLongestCompared;
  for (const std::string& name : names) {
    const std::string other =
        absl::AsciiStrToLower(absl::string_view(name).substr(0, kLongestCompared));
    const size_t distance = Distance(lower, other);
    const size_t bound = std::max<size_t>(2, std::max(lower.size(), other.size()) / 3);
    if (distance > bound || distance >= std::max(lower.size(), other.size()) ||
        distance >= smallest)
      continue;
    smallest = distance;
    nearest = name;
  }
  return nearest;
}

std::string Suggestion(absl::string_view found, const std::vector<std::string>& names) {
  if (const std::string nearest = NearestName(found, names); !nearest.empty()) {
    return absl::StrCat("did you mean '", nearest, "'?");
  }
  if (names.empty()) return "none is known here";
  return absl::StrCat("known are: ", absl::StrJoin(names, ", "));
}

}  // namespace cotangent::layers
