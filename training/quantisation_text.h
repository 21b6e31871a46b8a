// A quantisation as the metadata of a checkpoint hold it, JSON:
//
//   {"conv1.weight": {"in": [0.0123, "u8"], "out": [0.25, "s8"]}, ...}
#ifndef COTANGENT_TRAINING_QUANTISATION_TEXT_H_
#define COTANGENT_TRAINING_QUANTISATION_TEXT_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/plan/quantisation.h"

namespace cotangent::training {

// Empty for none.
std::string QuantisationText(const layers::Quantisation& quantisation);

// The reverse, exactly. Every scale is a positive number, or the text is refused with an
// InvalidArgument error that begins with `source`.
absl::StatusOr<layers::Quantisation> ParseQuantisation(const std::string& text,
                                                       absl::string_view source);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_QUANTISATION_TEXT_H_
