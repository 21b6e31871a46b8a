#include "layers/network/network_text.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/editor_text.h"
#include "base/status_macros.h"
#include "google/protobuf/text_format.h"
#include "layers/network/blocks.h"
#include "layers/network/editor_text.h"
#include "layers/network/source_text.h"

namespace cotangent::layers {
namespace {

using google::protobuf::RepeatedPtrField;
using google::protobuf::TextFormat;

void RemovePlaces(RepeatedPtrField<Layer>& layers) {
  for (Layer& layer : layers) {
    layer.clear_place();
    if (layer.has_activation()) layer.mutable_activation()->clear_formula_place();
    if (layer.has_elementwise()) layer.mutable_elementwise()->clear_formula_place();
    if (layer.has_sequence()) RemovePlaces(*layer.mutable_sequence()->mutable_layer());
  }
}

}  // namespace

absl::StatusOr<Network> ParseNetwork(absl::string_view text, absl::string_view file) {
  if (text.size() > kLongestNetworkText) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": ", text.size(), " bytes long; expected a network text of at most ",
                     kLongestNetworkText));
  }
  const Source source(file, WithoutEditorMarks(text));
  RETURN_IF_ERROR(CheckCharacters(source));
  return ReadNetwork(source);
}

std::string NetworkText(const Network& network) {
  Network plain = network;
  plain.clear_field_place();
  RemovePlaces(*plain.mutable_layer());
  if (plain.loss().has_formula()) plain.mutable_loss()->mutable_formula()->clear_place();
  TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  std::string text;
  printer.PrintToString(plain, &text);
  return text;
}

}  // namespace cotangent::layers
