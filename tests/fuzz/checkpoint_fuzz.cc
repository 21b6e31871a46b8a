// Reads checkpoints. No fuzzer guesses a checksum, so each input is read twice: as it is, and with
// a correct checksum of its header (if the header has a field for one), so that the code behind
// that check is reached.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "tests/fuzz/property.h"
#include "training/checkpoint.h"

namespace {

namespace training = cotangent::training;

void Read(const std::string& bytes) {
  const absl::StatusOr<training::Checkpoint> checkpoint = training::ParseCheckpoint(bytes, "fuzz");
  if (!checkpoint.ok()) {
    COTANGENT_PROPERTY(absl::StartsWith(checkpoint.status().message(), "fuzz: "));
    return;
  }
  for (const auto& [name, tensor] : checkpoint->tensors()) {
    std::vector<float> numbers(tensor.size);
    checkpoint->CopyTo(tensor, numbers.data());
  }
}

void MakeHeaderChecksumRight(std::string& bytes) {
  constexpr char kField[] = "\"header_crc32c\":\"";
  constexpr size_t kDigits = 8, kLengthBytes = 8;
  uint64_t header_bytes;
  if (bytes.size() < kLengthBytes) return;
  std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
  const size_t place = bytes.find(kField);
  if (place == std::string::npos || header_bytes > bytes.size() - kLengthBytes) return;
  const size_t digits = place + sizeof(kField) - 1;
  if (digits + kDigits > kLengthBytes + header_bytes) return;
  bytes.replace(digits, kDigits, kDigits, '0');
  bytes.replace(digits, kDigits,
                absl::StrFormat("%08x", training::Crc32c(absl::string_view(bytes).substr(
                                            kLengthBytes, header_bytes))));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  Read(bytes);
  MakeHeaderChecksumRight(bytes);
  Read(bytes);
  return 0;
}
