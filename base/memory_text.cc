#include "base/memory_text.h"

#include <cmath>

#include "absl/strings/str_format.h"

namespace cotangent {

std::string MemoryText(int64_t bytes) {
  const auto tenths = [bytes](double unit) {
    return std::ceil(static_cast<double>(bytes) / unit * 10);
  };
  constexpr double kMebibyte = 1 << 20, kGibibyte = 1 << 30;
  return tenths(kMebibyte) < 10240 ? absl::StrFormat("%.1f MiB", tenths(kMebibyte) / 10)
                                   : absl::StrFormat("%.1f GiB", tenths(kGibibyte) / 10);
}

}  // namespace cotangent
