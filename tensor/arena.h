// Memory shared by tensors that are not in use at the same time.
#ifndef COTANGENT_TENSOR_ARENA_H_
#define COTANGENT_TENSOR_ARENA_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/memory.h"

namespace cotangent::tensor {

// Plans where pieces of memory lie, so that pieces in use at the same time do not overlap and the
// total is small. Time is counted in steps, such as the operations of a network in the order in
// which they run. The algorithm is greedy by size: the largest pieces come first, and each piece
// goes into the smallest gap that fits between the pieces already placed that are in use at the
// same time, or behind all of these (Pisarchyk and Lee, "Efficient memory management for deep
// neural net inference", 2020, section 5.2).
//
//   ArenaPlanner planner;
//   int a = planner.Add(bytes, /*first_use=*/0, /*last_use=*/2);
//   int b = planner.Add(bytes, 3, 4);                               // may lie where a does
//   RETURN_IF_ERROR(planner.Plan());
//   planner.offset(a), planner.offset(b), planner.total()
class ArenaPlanner {
 public:
  // Adds a piece of `bytes` bytes that is in use from step first_use to step last_use, both
  // included. Returns the piece's number, counted from 0.
  int Add(int64_t bytes, int64_t first_use, int64_t last_use);

  // Assigns all offsets. Errors: a size that is negative or at least 2^62, a last use before the
  // first use, a total beyond int64_t.
  absl::Status Plan();

  // offset() returns the byte at which a piece begins, counted from the start of the memory: a
  // multiple of kAlignment (base/memory.h). total() returns the bytes of the memory for all pieces.
  // REQUIRES: Plan() returned OK.
  int64_t offset(int piece) const { return pieces_[piece].offset; }
  int64_t total() const { return total_; }

  // Returns the largest number of bytes in use at any one step, each piece rounded up to a multiple
  // of kAlignment. No plan can have a smaller total.
  int64_t LowerBound() const { return FindPeak().bytes; }
  // Returns the first step at which LowerBound() bytes are in use; 0 if there are no pieces.
  int64_t Fullest() const { return FindPeak().step; }

 private:
  struct Peak {
    int64_t step = 0, bytes = 0;
  };
  Peak FindPeak() const;
  struct Piece {
    int64_t bytes, first_use, last_use;
    int64_t offset = 0;
  };
  std::vector<Piece> pieces_;
  int64_t total_ = 0;
};

// One allocation of planner.total() bytes for all pieces of a planner. at(planner.offset(piece))
// returns the address of a piece.
class Arena {
 public:
  Arena() = default;
  // Allocates the memory after Plan(). If there is not enough, the error says that `needed_by`
  // needs it.
  static absl::StatusOr<Arena> Create(const ArenaPlanner& planner, std::string_view needed_by);

  void* at(int64_t offset) { return static_cast<char*>(buffer_.data()) + offset; }
  int64_t size() const { return buffer_.size(); }

 private:
  AlignedBuffer buffer_;
};

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_ARENA_H_
