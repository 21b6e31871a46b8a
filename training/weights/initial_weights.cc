#include "training/weights/initial_weights.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "layers/plan/finite.h"

namespace cotangent::training {
namespace {

using layers::ParameterStore;

// PyTorch counts the batches seen by each batch normalisation; the counters are not used here.
constexpr absl::string_view kBatchCounter = "num_batches_tracked";

// Returns the name that `map` gives to the tensor `name`, or nothing if `name` does not match
// map.from.
std::optional<std::string> Mapped(absl::string_view name, const NameMap& map) {
  const size_t star = map.from.find('*');
  if (star == std::string::npos)
    return name == map.from ? std::optional<std::string>(map.to) : std::nullopt;
  const absl::string_view head = absl::string_view(map.from).substr(0, star),
                          tail = absl::string_view(map.from).substr(star + 1);
  if (name.size() < head.size() + tail.size() || !absl::StartsWith(name, head) ||
      !absl::EndsWith(name, tail))
    return std::nullopt;
  const size_t place = map.to.find('*');
  return absl::StrCat(map.to.substr(0, place),
                      name.substr(head.size(), name.size() - head.size() - tail.size()),
                      map.to.substr(place + 1));
}

// Returns for each tensor of the file, by its name in the network, its name in the file.
absl::StatusOr<std::map<std::string, std::string>> Renamed(const InitialWeights& initial) {
  const auto& [source, file, maps] = initial;
  std::map<std::string, std::string> names;  // name in the network -> name in the file
  std::vector<bool> fits(maps.size(), false);
  for (const auto& [name, tensor] : file.tensors()) {
    std::string here = name;
    for (size_t i = 0; i < maps.size(); ++i) {
      std::optional<std::string> mapped = Mapped(name, maps[i]);
      if (!mapped.has_value()) continue;
      fits[i] = true;
      here = *std::move(mapped);
      break;
    }
    const auto [place, is_new] = names.try_emplace(here, name);
    if (!is_new)
      return absl::InvalidArgumentError(absl::StrCat("--map: both ", place->second, " and ", name,
                                                     " of ", source, " would be ", here,
                                                     "; map only one of them to it"));
  }
  for (size_t i = 0; i < maps.size(); ++i) {
    if (fits[i]) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "--map=", maps[i].from, "=", maps[i].to, ": no tensor of ", source, " fits ", maps[i].from,
        file.tensors().empty()
            ? ", it has none"
            : absl::StrCat("; the first is called ", file.tensors().begin()->first)));
  }
  return names;
}

// A table of what became of the tensors of network and file. Each row lists tensors of one layer
// with the same outcome, such as "taken" or "not in the file".
class Table {
 public:
  void Add(absl::string_view outcome, absl::string_view name, absl::string_view about = "") {
    const size_t dot = name.rfind('.');
    const absl::string_view layer = name.substr(0, dot == absl::string_view::npos ? 0 : dot);
    const std::string field = absl::StrCat(name.substr(layer.empty() ? 0 : layer.size() + 1),
                                           about.empty() ? "" : " ", about);
    if (rows_.empty() || rows_.back().outcome != outcome || rows_.back().layer != layer) {
      rows_.push_back({std::string(outcome), std::string(layer), field});
    } else {
      absl::StrAppend(&rows_.back().fields, ", ", field);
    }
  }
  std::string ToString() const {
    size_t outcome = 0, layer = 0;
    for (const Row& row : rows_) {
      outcome = std::max(outcome, row.outcome.size());
      layer = std::max(layer, row.layer.size());
    }
    std::string text;
    for (const Row& row : rows_)
      absl::StrAppendFormat(&text, "  %-*s  %-*s  %s\n", static_cast<int>(outcome), row.outcome,
                            static_cast<int>(layer), row.layer, row.fields);
    return text;
  }

 private:
  struct Row {
    std::string outcome, layer, fields;
  };
  std::vector<Row> rows_;
};

std::string ShapeText(const std::vector<int64_t>& shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ", "), "]");
}

// Copies tensors of a file into a store and records what became of each.
class Taker {
 public:
  Taker(const WeightFile& file, const std::map<std::string, std::string>& names)
      : file_(file), names_(names) {}

  void Take(const std::vector<ParameterStore::Slot>& slots, float* values) {
    for (const ParameterStore::Slot& slot : slots) {
      total_ += 1;
      const auto found = names_.find(slot.name);
      if (found == names_.end()) {
        left_.Add("not in the file", slot.name, slot.shape.ToString());
        continue;
      }
      used_.push_back(found->first);
      const WeightFile::Tensor& tensor = *file_.Find(found->second);
      const std::vector<int64_t> shape(slot.shape.begin(), slot.shape.end());
      if (tensor.type == NumberType::kOther) {
        left_.Add("does not fit", slot.name, "(neither f64, f32, f16 nor bf16 in the file)");
      } else if (tensor.shape != shape) {
        left_.Add("does not fit", slot.name,
                  absl::StrCat(ShapeText(shape), " (", ShapeText(tensor.shape), " in the file)"));
      } else {
        file_.CopyTo(tensor, values + slot.offset);
        taken_.Add("taken", slot.name,
                   found->first == found->second ? "" : absl::StrCat("(", found->second, ")"));
        ++count_;
      }
    }
  }
  int taken() const { return count_; }
  std::string Report(absl::string_view source) {
    std::sort(used_.begin(), used_.end());
    for (const auto& [here, in_file] : names_) {
      if (!std::binary_search(used_.begin(), used_.end(), here) &&
          !absl::EndsWith(in_file, kBatchCounter))
        unused_.Add("no place here", in_file, ShapeText(file_.Find(in_file)->shape));
    }
    return absl::StrCat(source, ": ", count_, " of the network's ", total_, " tensors taken\n",
                        taken_.ToString(), left_.ToString(), unused_.ToString());
  }

 private:
  const WeightFile& file_;
  const std::map<std::string, std::string>& names_;
  std::vector<std::string> used_;
  Table taken_, left_, unused_;
  int count_ = 0, total_ = 0;
};

}  // namespace

absl::StatusOr<NameMap> ParseNameMap(absl::string_view text) {
  const std::vector<std::string> sides = absl::StrSplit(text, '=');
  const auto stars = [](const std::string& side) {
    return std::count(side.begin(), side.end(), '*');
  };
  if (sides.size() != 2 || sides[0].empty() || sides[1].empty() ||
      stars(sides[0]) != stars(sides[1]) || stars(sides[0]) > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("--map=", text,
                     ": expected NAME_IN_FILE=NAME_IN_NETWORK, with one * on both sides or on "
                     "neither, such as layer1.0.*=stage1.block0.*"));
  }
  return NameMap{sides[0], sides[1]};
}

absl::StatusOr<InitialWeights> ReadInitialWeights(const std::string& path,
                                                  const std::vector<std::string>& maps) {
  InitialWeights initial = {path, {}, {}};
  for (const std::string& text : maps) {
    ASSIGN_OR_RETURN(NameMap map, ParseNameMap(text));
    initial.maps.push_back(std::move(map));
  }
  ASSIGN_OR_RETURN(initial.file, ReadWeightFile(path));
  return initial;
}

absl::StatusOr<std::string> TakeInitialWeights(const InitialWeights& initial,
                                               ParameterStore& store) {
  ASSIGN_OR_RETURN(const auto names, Renamed(initial));
  Taker taker(initial.file, names);
  taker.Take(store.parameters(), store.values());
  taker.Take(store.states(), store.state_values());
  const std::string report = taker.Report(initial.source);
  if (taker.taken() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(initial.source,
                     ": nothing of it fits the network; rename its tensors with "
                     "--map=NAME_IN_FILE=NAME_IN_NETWORK, or use another network\n",
                     report));
  }
  RETURN_IF_ERROR(layers::CheckFinite(store, initial.source));
  return report;
}

}  // namespace cotangent::training
