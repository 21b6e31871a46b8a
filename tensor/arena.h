// An arena in which tensors that are never alive together share space.
#ifndef COTANGENT_TENSOR_ARENA_H_
#define COTANGENT_TENSOR_ARENA_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/memory.h"

namespace cotangent::tensor {

// Lays pieces out so that those whose lifetimes meet do not overlap and the total is small: greedy
// by size, each piece into the smallest gap that fits among those alive at the same time (Pisarchyk
// and Lee, "Efficient memory management for deep neural net inference", 2020, section 5.2).
//
//   ArenaPlanner planner;
//   int a = planner.Add(bytes, /*first_use=*/0, /*last_use=*/2);
//   int b = planner.Add(bytes, 3, 4);                               // may take a's place
//   RETURN_IF_ERROR(planner.Plan());
//   planner.offset(a), planner.offset(b), planner.total()
class ArenaPlanner {
 public:
  // A piece alive from step first_use to step last_use, both included. Returns its number, from 0.
  int Add(int64_t bytes, int64_t first_use, int64_t last_use);

  // Assigns all offsets. Errors: a negative size, a lifetime that ends before it begins, a total
  // beyond int64_t.
  absl::Status Plan();

  // After Plan().
  int64_t offset(int piece) const { return pieces_[piece].offset; }
  int64_t total() const { return total_; }

  // The most bytes alive at any one step: no plan can have a smaller total.
  int64_t LowerBound() const;
  // The first step at which so many are alive.
  int64_t Fullest() const;

 private:
  int64_t AliveAt(int64_t step) const;
  struct Piece {
    int64_t bytes, first_use, last_use;
    int64_t offset = 0;
  };
  std::vector<Piece> pieces_;
  int64_t total_ = 0;
};

// One allocation, cut up as a planner says.
class Arena {
 public:
  Arena() = default;
  static absl::StatusOr<Arena> Create(const ArenaPlanner& planner, std::string_view needed_by);

  void* at(int64_t offset) { return static_cast<char*>(buffer_.data()) + offset; }
  int64_t size() const { return buffer_.size(); }

 private:
  AlignedBuffer buffer_;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_ARENA_H_
