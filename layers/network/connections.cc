#include "layers/network/connections.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "layers/network/nearest_name.h"
#include "layers/network/sizes.h"

namespace cotangent::layers {

std::string KindName(const Layer& layer) {
  return layer.kind_case() == Layer::KIND_NOT_SET
             ? ""
             : Layer::descriptor()->FindFieldByNumber(layer.kind_case())->name();
}

absl::StatusOr<std::vector<std::string>> NamesOf(const Layers& layers) {
  std::vector<std::string> names;
  std::map<std::string, const Layer*> taken;
  for (const Layer& layer : layers) {
    names.push_back(layer.name());
    if (!layer.has_name()) continue;
    const bool is_fine =
        !layer.name().empty() && std::all_of(layer.name().begin(), layer.name().end(), [](char c) {
          return absl::ascii_isalnum(c) || c == '_' || c == '-';
        });
    if (!is_fine)
      return Error(absl::StrCat(layer.place(), ": a layer cannot be named '", layer.name(),
                                "'; expected letters, digits, '_' and '-'"));
    if (layer.name() == "input")
      return Error(absl::StrCat(
          layer.place(), ": a layer cannot be named 'input': that is what the sequence is given"));
    const auto [other, is_new] = taken.emplace(layer.name(), &layer);
    if (!is_new)
      return Error(absl::StrCat(layer.place(), ": there is a layer '", layer.name(),
                                "' already, at ", other->second->place(),
                                "; give this one another name"));
  }
  std::map<std::string, int> counts;
  for (int i = 0; i < layers.size(); ++i) {
    if (layers[i].has_name()) continue;
    const std::string kind = KindName(layers[i]).empty() ? "layer" : KindName(layers[i]);
    do {
      names[i] = absl::StrCat(kind, ++counts[kind]);
    } while (!taken.emplace(names[i], &layers[i]).second);
  }
  return names;
}

absl::StatusOr<Connections> Connect(const Layers& layers, const std::vector<std::string>& names) {
  std::map<std::string, int> positions = {{"input", -1}};
  for (int i = 0; i < layers.size(); ++i) positions.emplace(names[i], i);
  Connections reads(layers.size());
  std::set<int> read;
  for (int i = 0; i < layers.size(); ++i) {
    for (const std::string& input : layers[i].input()) {
      const auto found = positions.find(input);
      if (found == positions.end()) {
        std::vector<std::string> known = names;
        known.push_back("input");
        return Error(absl::StrCat(layers[i].place(), ": layer '", names[i], "' reads '", input,
                                  "', which is no layer here; ", Suggestion(input, known)));
      }
      reads[i].push_back(found->second);
    }
    if (reads[i].empty()) reads[i].push_back(i - 1);
    read.insert(reads[i].begin(), reads[i].end());
  }
  for (int i = 0; i + 1 < layers.size(); ++i) {
    if (read.count(i) > 0) continue;
    return Error(absl::StrCat(layers[i].place(), ": nothing reads the result of layer '", names[i],
                              "'; name it as an input of another layer, or remove it"));
  }
  return reads;
}

absl::StatusOr<std::vector<int>> EvaluationOrder(const Layers& layers,
                                                 const std::vector<std::string>& names,
                                                 const Connections& reads) {
  enum State { kNew, kActive, kDone };
  std::vector<State> states(reads.size(), kNew);
  std::vector<int> order;
  for (int root = 0; root < static_cast<int>(reads.size()); ++root) {
    if (states[root] != kNew) continue;
    std::vector<std::pair<int, size_t>> path = {
        // A layer's position in the sequence, and the number of its inputs that have been visited.
        {root, 0}};
    states[root] = kActive;
    while (!path.empty()) {
      auto& [layer, next] = path.back();
      if (next == reads[layer].size()) {
        states[layer] = kDone;
        order.push_back(layer);
        path.pop_back();
        continue;
      }
      const int input = reads[layer][next++];
      if (input < 0 || states[input] == kDone) continue;
      if (states[input] == kActive) {
        std::vector<std::string> cycle = {names[input]};
        for (auto at = path.rbegin(); at != path.rend(); ++at) {
          cycle.push_back(names[at->first]);
          if (at->first == input) break;
        }
        std::reverse(cycle.begin(), cycle.end());
        return Error(absl::StrCat(layers[input].place(), ": layers read each other in a cycle: ",
                                  absl::StrJoin(cycle, " -> "), "; remove one of these inputs"));
      }
      states[input] = kActive;
      path.push_back({input, 0});
    }
  }
  return order;
}

}  // namespace cotangent::layers
