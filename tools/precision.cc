#include "tools/precision.h"

#include "base/status_macros.h"
#include "tools/command_line.h"
#include "training/recipe.h"

namespace cotangent::tools {

absl::StatusOr<ElementType> ParsePrecision(absl::string_view flag, const std::string& value) {
  if (value == "f32") return ElementType::kF32;
  if (value == "bf16") return ElementType::kBf16;
  return FlagError(flag, value, "f32 or bf16");
}

absl::Status SetPrecision(const std::string& value, layers::Network& network) {
  ASSIGN_OR_RETURN(const ElementType precision, ParsePrecision("precision", value));
  network.mutable_train()->set_precision(precision == ElementType::kBf16 ? layers::Train::BF16
                                                                         : layers::Train::F32);
  return absl::OkStatus();
}

ElementType PrecisionToUse(const layers::Network& network) {
  const std::string note = training::PrecisionNote(network);
  if (!note.empty()) Say(note);
  return training::PrecisionOf(network);
}

}  // namespace cotangent::tools
