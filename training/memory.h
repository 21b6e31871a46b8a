// What training may take of the machine's memory (train.memory of a network text).
#ifndef COTANGENT_TRAINING_MEMORY_H_
#define COTANGENT_TRAINING_MEMORY_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/network/network.pb.h"

namespace cotangent::training {

// "4GiB", "700 MiB", "1.5GB" in bytes. InvalidArgument: no positive number of one of these units.
absl::StatusOr<int64_t> ParseMemory(absl::string_view text);
// Rounded up: "700.0 MiB".
std::string MemoryText(int64_t bytes);

// Bytes that train.memory leaves for intermediate results when `fixed_bytes` are taken by weights,
// gradients and the optimizer's state; 0 where it is not given. InvalidArgument, with its place:
// nothing is left.
absl::StatusOr<int64_t> MemoryLeft(const layers::Network& network, int64_t fixed_bytes);
// The error of a plan that needs more than was left, in the words of train.memory.
absl::Status MemoryError(const layers::Network& network, int64_t fixed_bytes,
                         const absl::Status& of_plan);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_MEMORY_H_
