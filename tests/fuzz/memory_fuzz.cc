// Reads the input as the text of --memory or train.memory, an amount of memory such as 4GiB. If it
// can be read, the number of bytes must be positive and must not become smaller when it is printed
// and read again.
#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "base/memory_text.h"
#include "tests/fuzz/property.h"
#include "training/memory.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace training = cotangent::training;
  const auto bytes =
      training::ParseMemory(absl::string_view(reinterpret_cast<const char*>(data), size));
  if (!bytes.ok()) {
    COTANGENT_PROPERTY(!bytes.status().message().empty());
    return 0;
  }
  COTANGENT_PROPERTY(*bytes > 0);
  if (*bytes > int64_t{1} << 62) return 0;  // the printed text is rounded up, maybe beyond int64_t
  const auto again = training::ParseMemory(cotangent::MemoryText(*bytes));
  COTANGENT_PROPERTY(again.ok() && *again >= *bytes);
  return 0;
}
