// Limits the memory that training takes to what the field train.memory of a network text (the text
// that describes a network and its training) says.
//
// A plan (layers/plan/plan.h) is a network compiled for this machine; compiling it determines how
// much memory its intermediate results take.
#ifndef COTANGENT_TRAINING_MEMORY_H_
#define COTANGENT_TRAINING_MEMORY_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/network/network.pb.h"

namespace cotangent::training {

// Parses an amount of memory such as "4GiB", "700 MiB" or "1.5GB" and returns it in bytes. Returns
// InvalidArgument unless the text is a positive number with one of the units KiB, MiB, GiB, TiB
// (powers of 1024), KB, MB, GB or TB (powers of 1000).
absl::StatusOr<int64_t> ParseMemory(absl::string_view text);

// Returns the bytes that train.memory leaves for intermediate results if weights, gradients and the
// optimizer's state take `fixed_bytes` bytes. Returns 0, which means no limit, if the network text
// does not set train.memory. Returns InvalidArgument, with the file, line and column of that field,
// if nothing is left or ParseMemory() does not accept the field.
absl::StatusOr<int64_t> MemoryLeft(const layers::Network& network, int64_t fixed_bytes);
// Returns the error to report when a plan needs more memory than MemoryLeft() allows. `of_plan` is
// the plan's own error. The message names train.memory and says how much memory weights, gradients,
// the optimizer's state and intermediate results need.
absl::Status MemoryError(const layers::Network& network, int64_t fixed_bytes,
                         const absl::Status& of_plan);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_MEMORY_H_
