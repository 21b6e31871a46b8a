#include "tensor/arena.h"

#include <algorithm>
#include <limits>
#include <map>
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

// Goes through the steps at which the number of bytes in use changes: a piece adds its bytes at its
// first use and takes them away after its last.
ArenaPlanner::Peak ArenaPlanner::FindPeak() const {
  std::map<int64_t, int64_t> changes;  // by step, in bytes
  for (const Piece& piece : pieces_) {
    const int64_t bytes = RoundUp(piece.bytes, kAlignment);
    changes[piece.first_use] += bytes;
    changes[piece.last_use + 1] -= bytes;
  }
  Peak peak;
  int64_t alive = 0;
  for (const auto& [step, change] : changes) {
    alive += change;
    if (alive > peak.bytes) peak = {step, alive};
  }
  return peak;
}

absl::StatusOr<Arena> Arena::Create(const ArenaPlanner& planner, std::string_view needed_by) {
  ASSIGN_OR_RETURN(AlignedBuffer buffer, AlignedBuffer::Create(planner.total(), needed_by));
  Arena arena;
  arena.buffer_ = std::move(buffer);
  return arena;
}

}  // namespace cotangent::tensor
