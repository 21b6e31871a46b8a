// Reads the input as the quantisation in a checkpoint's metadata: the scales of the layers that
// compute with 8-bit integers. The quantisation must be the same after it is written and read
// again.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "tests/fuzz/property.h"
#include "training/quantisation_text.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace training = cotangent::training;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto read = training::ParseQuantisation(text, "fuzz");
  if (!read.ok()) {
    COTANGENT_PROPERTY(absl::StartsWith(read.status().message(), "fuzz: "));
    return 0;
  }
  for (const auto& [weight, layer] : *read) {
    for (const auto& scale : {layer.in, layer.out, layer.addend})
      COTANGENT_PROPERTY(scale.scale >= 0 && std::isfinite(scale.scale));
  }
  const auto again = training::ParseQuantisation(training::QuantisationText(*read), "fuzz");
  COTANGENT_PROPERTY(again.ok() && *again == *read);
  return 0;
}
