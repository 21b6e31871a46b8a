#include "tensor/arena.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "absl/strings/str_cat.h"
#include "base/round_up.h"
#include "base/status_macros.h"

namespace cotangent::tensor {
namespace {

constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

}  // namespace

int ArenaPlanner::Add(int64_t bytes, int64_t first_use, int64_t last_use) {
  pieces_.push_back({bytes, first_use, last_use});
  return static_cast<int>(pieces_.size()) - 1;
}

absl::Status ArenaPlanner::Plan() {
  for (size_t i = 0; i < pieces_.size(); ++i) {
    const Piece& piece = pieces_[i];
    if (piece.bytes < 0 || piece.bytes > kUnlimited / 2 || piece.last_use < piece.first_use) {
      return absl::InvalidArgumentError(absl::StrCat("piece ", i, " of the arena: ", piece.bytes,
                                                     " bytes, used from step ", piece.first_use,
                                                     " to ", piece.last_use));
    }
  }
  std::vector<int> by_size(pieces_.size());
  std::iota(by_size.begin(), by_size.end(), 0);
  std::stable_sort(by_size.begin(), by_size.end(),
                   [&](int a, int b) { return pieces_[a].bytes > pieces_[b].bytes; });

  std::vector<int> placed;  // in order of offset
  total_ = 0;
  for (int index : by_size) {
    Piece& piece = pieces_[index];
    const int64_t size = RoundUp(piece.bytes, kAlignment);
    int64_t best_offset = -1, smallest_gap = kUnlimited, free_from = 0;
    for (int other_index : placed) {
      const Piece& other = pieces_[other_index];
      if (other.last_use < piece.first_use || piece.last_use < other.first_use) continue;
      const int64_t gap = other.offset - free_from;
      if (gap >= size && gap < smallest_gap) {
        smallest_gap = gap;
        best_offset = free_from;
      }
      free_from = std::max(free_from, other.offset + RoundUp(other.bytes, kAlignment));
    }
    piece.offset = best_offset >= 0 ? best_offset : free_from;
    if (__builtin_add_overflow(piece.offset, size, &free_from)) {
      return absl::ResourceExhaustedError("the arena's size exceeds what 63 bits can count");
    }
    total_ = std::max(total_, free_from);
    placed.insert(
        std::upper_bound(placed.begin(), placed.end(), index,
                         [&](int a, int b) { return pieces_[a].offset < pieces_[b].offset; }),
        index);
  }
  return absl::OkStatus();
}

int64_t ArenaPlanner::AliveAt(int64_t step) const {
  int64_t alive = 0;
  for (const Piece& piece : pieces_) {
    if (piece.first_use <= step && step <= piece.last_use)
      alive += RoundUp(piece.bytes, kAlignment);
  }
  return alive;
}

// The number of bytes in use can only rise at the first use of a piece, so only the steps of first
// uses are examined.
int64_t ArenaPlanner::Fullest() const {
  int64_t most = -1, fullest = 0;
  for (const Piece& at : pieces_) {
    const int64_t alive = AliveAt(at.first_use);
    if (alive < most || (alive == most && at.first_use >= fullest)) continue;
    most = alive, fullest = at.first_use;
  }
  return fullest;
}

int64_t ArenaPlanner::LowerBound() const { return AliveAt(Fullest()); }

absl::StatusOr<Arena> Arena::Create(const ArenaPlanner& planner, std::string_view needed_by) {
  ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Create(planner.total(), needed_by));
  Arena arena;
  arena.buffer_ = std::move(buffer);
  return arena;
}

}  // namespace cotangent::tensor
