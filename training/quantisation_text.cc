#include "training/quantisation_text.h"

#include <cmath>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

namespace cotangent::training {

using nlohmann::json;

std::string QuantisationText(const layers::Quantisation& quantisation) {
  if (quantisation.empty()) return "";
  json object = json::object();
  for (const auto& [weight, layer] : quantisation) {
    json& entry = object[weight] = json::object();
    const auto add = [&](const char* name, const layers::TensorScale& scale) {
      if (scale.scale != 0) entry[name] = {scale.scale, scale.is_signed ? "s8" : "u8"};
    };
    add("in", layer.in), add("out", layer.out), add("addend", layer.addend);
  }
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

absl::StatusOr<layers::Quantisation> ParseQuantisation(const std::string& text,
                                                       absl::string_view source) {
  layers::Quantisation quantisation;
  if (text.empty()) return quantisation;
  const json object = json::parse(text, nullptr, /*allow_exceptions=*/false);
  bool good = object.is_object();
  const auto read = [&](const json& entry, const char* name, layers::TensorScale& scale) {
    const auto found = entry.find(name);
    if (found == entry.end()) return;
    const json& pair = *found;
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number() || !pair[1].is_string() ||
        (pair[1] != "s8" && pair[1] != "u8")) {
      good = false;
      return;
    }
    scale = {pair[0].get<float>(), pair[1] == "s8"};
    good = good && scale.scale > 0 && std::isnormal(scale.scale);
  };
  if (good) {
    for (const auto& [weight, entry] : object.items()) {
      good = good && entry.is_object();
      if (!good) break;
      layers::QuantisedLayer& layer = quantisation[weight];
      read(entry, "in", layer.in), read(entry, "out", layer.out);
      read(entry, "addend", layer.addend);
    }
  }
  if (good) return quantisation;
  return absl::InvalidArgumentError(absl::StrCat(
      source,
      ": its metadata's quantisation cannot be read; expected for each layer scales such as ",
      R"({"in": [0.0123, "u8"]}, as quantise writes them)"));
}

}  // namespace cotangent::training
