// Reads from the input a plan cache: the text in which the measured times of convolutions are
// saved. The cache must be the same after it is written and read again. Then reads shared times
// from the input.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "layers/plan/tuner.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cotangent::layers::Tuner tuner(1);
  tuner.Restore(absl::string_view(reinterpret_cast<const char*>(data), size));
  const std::string text = tuner.ToText();
  cotangent::layers::Tuner second(1);
  second.Restore(text);
  COTANGENT_PROPERTY(second.ToText() == text);
  second.RestoreShared(absl::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
