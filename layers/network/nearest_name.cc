// Suggests a known name in place of an unknown one.

#include "layers/network/nearest_name.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/edit_distance.h"

namespace cotangent::layers {
namespace {

// Only this many bytes at the beginning of each name are compared, which bounds the work.
constexpr size_t kLongestCompared = 100;

// Lists the aliases of names that do not belong to a single kind of layer: of fields that several
// messages have, and of initialisers.
std::vector<Alias> SharedAliases() {
  return {
      {"affine", "scale"},
      {"bias_filler", "bias_init"},
      {"bias_initializer", "bias_init"},
      {"bias_term", "bias"},
      {"ceil_mode", "ceil"},
      {"dilation_rate", "dilation"},
      {"drop_prob", "rate"},
      {"eps", "epsilon"},
      {"filters", "channels"},
      {"kernel_initializer", "weight_init"},
      {"kernel_size", "kernel"},
      {"lr", "learning_rate"},
      {"mode", "padding_mode"},
      {"num_filters", "channels"},
      {"num_output", "channels"},
      {"out_channels", "channels"},
      {"pool_size", "kernel"},
      {"prob", "rate"},
      {"probability", "rate"},
      {"trunc_normal", "truncated_normal"},
      {"use_bias", "bias"},
      {"weight_filler", "weight_init"},
  };
}

std::vector<std::vector<Alias> (*)()>& Lists() {
  static auto& lists = *new std::vector<std::vector<Alias> (*)()>{SharedAliases};
  return lists;
}

// Returns a name in the form in which aliases are compared: in lower case, without `_` and "nn.".
std::string Plain(absl::string_view name) {
  return absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"_", ""}, {"nn.", ""}});
}

// Returns all aliases as a map from Plain(theirs) to ours. A name of theirs may stand for several
// of ours.
const std::multimap<std::string, std::string>& Aliases() {
  static const auto& all = *[] {
    auto* const made = new std::multimap<std::string, std::string>;
    for (const auto& list : Lists()) {
      for (const Alias& alias : list()) made->emplace(Plain(alias.theirs), alias.ours);
    }
    return made;
  }();
  return all;
}

// Returns the first of our names for `found` that is among `names`; empty if there is none.
std::string KnownAlias(absl::string_view found, const std::vector<std::string>& names) {
  const auto [begin, end] = Aliases().equal_range(Plain(found));
  for (auto alias = begin; alias != end; ++alias) {
    if (std::find(names.begin(), names.end(), alias->second) != names.end()) return alias->second;
  }
  return "";
}

}  // namespace

RegisterAliases::RegisterAliases(std::vector<Alias> (*list)()) { Lists().push_back(list); }

std::string NearestName(absl::string_view found, const std::vector<std::string>& names) {
  const std::string lower = absl::AsciiStrToLower(found.substr(0, kLongestCompared));
  std::string nearest;
  size_t smallest = kLongestCompared;
  for (const std::string& name : names) {
    const std::string other =
        absl::AsciiStrToLower(absl::string_view(name).substr(0, kLongestCompared));
    const size_t distance = EditDistance(lower, other);
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
  std::string nearest = KnownAlias(found, names);
  if (nearest.empty()) nearest = NearestName(found, names);
  if (!nearest.empty()) {
    return absl::StrCat("did you mean '", nearest, "'?");
  }
  if (names.empty()) return "none is known here";
  return absl::StrCat("known are: ", absl::StrJoin(names, ", "));
}

}  // namespace cotangent::layers
