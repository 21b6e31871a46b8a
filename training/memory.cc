#include "training/memory.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/memory_text.h"
#include "layers/network/network_text.h"

namespace cotangent::training {
namespace {

struct Unit {
  absl::string_view name;
  double bytes;
};
constexpr Unit kUnits[] = {{"KiB", 1024.0},
                           {"MiB", 1024.0 * 1024},
                           {"GiB", 1024.0 * 1024 * 1024},
                           {"TiB", 1024.0 * 1024 * 1024 * 1024},
                           {"KB", 1e3},
                           {"MB", 1e6},
                           {"GB", 1e9},
                           {"TB", 1e12}};

absl::Status Bad(const layers::Network& network, const std::string& message) {
  return layers::AtPlace(network, absl::InvalidArgumentError(message));
}

}  // namespace

absl::StatusOr<int64_t> ParseMemory(absl::string_view text) {
  for (const Unit& unit : kUnits) {
    if (text.size() <= unit.name.size() || text.substr(text.size() - unit.name.size()) != unit.name)
      continue;
    double number = 0;
    const absl::string_view digits =
        absl::StripAsciiWhitespace(text.substr(0, text.size() - unit.name.size()));
    if (!absl::SimpleAtod(digits, &number) || !(number > 0) || !(number * unit.bytes < 9e18)) break;
    return static_cast<int64_t>(std::ceil(number * unit.bytes));
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", text, "\"; expected a number and its unit, \"4GiB\" or \"700MiB\""));
}

absl::StatusOr<int64_t> MemoryLeft(const layers::Network& network, int64_t fixed_bytes) {
  const layers::Train& train = network.train();
  if (!train.has_memory()) return 0;
  const absl::StatusOr<int64_t> memory = ParseMemory(train.memory());
  if (!memory.ok())
    return Bad(network, absl::StrCat("train.memory: found ", memory.status().message()));
  if (*memory > fixed_bytes) return *memory - fixed_bytes;
  return Bad(network, absl::StrCat("train.memory: ", train.memory(),
                                   " are too little: weights, gradients and the optimizer's state "
                                   "alone take at least ",
                                   MemoryText(fixed_bytes), "; give more, or a smaller network"));
}

absl::Status MemoryError(const layers::Network& network, int64_t fixed_bytes,
                         const absl::Status& of_plan) {
  return Bad(network,
             absl::StrCat("train.memory: ", network.train().memory(),
                          " are too little: beside weights, gradients and the optimizer's state (",
                          MemoryText(fixed_bytes), ") ", of_plan.message(),
                          "; give more, or a smaller batch_size"));
}

}  // namespace cotangent::training
