// Reads the input as a CSV table.
#include <cstddef>
#include <cstdint>

#include "data/csv.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto rows = cotangent::data::ParseCsv(
      absl::string_view(reinterpret_cast<const char*>(data), size), "fuzz");
  if (!rows.ok()) {
    COTANGENT_PROPERTY(!rows.status().message().empty());
    return 0;
  }
  for (const auto& row : *rows) COTANGENT_PROPERTY(row.line >= 1 && !row.fields.empty());
  return 0;
}
