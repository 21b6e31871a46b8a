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

struct Range {
  int64_t begin, end;
};

// Disjoint ranges in ascending order, of which no two touch.
using Ranges = std::vector<Range>;

void Join(Range range, Ranges& ranges) {
  const auto first =
      std::lower_bound(ranges.begin(), ranges.end(), range.begin,
                       [](const Range& other, int64_t begin) { return other.end < begin; });
  auto last = first;
  for (; last != ranges.end() && last->begin <= range.end; ++last)
    range = {std::min(range.begin, last->begin), std::max(range.end, last->end)};
  if (first == last) {
    ranges.insert(first, range);
  } else {
    *first = range;
    ranges.erase(first + 1, last);
  }
}

// Knows which bytes are taken at which steps: a segment tree over the steps. In the training of a
// network, most pieces are in use at the same time as most others, but their union is few ranges of
// bytes. So each node of the tree keeps unions: of the pieces in use at any step of the node, and of
// those in use at all of its steps whose use does not span the parent node, too.
class Occupancy {
 public:
  // Steps are counted from 0. REQUIRES: steps > 0.
  explicit Occupancy(int64_t steps) : root_{1, 0, steps}, any_(4 * steps), all_(4 * steps) {}

  // Takes bytes during steps.
  void Take(Range steps, Range bytes) { Take(root_, steps, bytes); }
  // Returns the bytes taken at any of the steps, in ascending order of their beginnings. The ranges
  // may overlap.
  const Ranges& Taken(Range steps) {
    taken_.clear();
    Collect(root_, steps);
    std::sort(taken_.begin(), taken_.end(),
              [](const Range& a, const Range& b) { return a.begin < b.begin; });
    return taken_;
  }

 private:
  struct Node {
    int64_t index, begin, end;  // the node's steps are those from `begin` to `end`, without `end`
    Node Left() const { return {2 * index, begin, (begin + end) / 2}; }
    Node Right() const { return {2 * index + 1, (begin + end) / 2, end}; }
    bool Meets(Range steps) const { return begin < steps.end && steps.begin < end; }
    bool IsWithin(Range steps) const { return steps.begin <= begin && end <= steps.end; }
  };

  void Take(const Node& node, Range steps, Range bytes) {
    Join(bytes, any_[node.index]);
    if (node.IsWithin(steps)) return Join(bytes, all_[node.index]);
    for (const Node& child : {node.Left(), node.Right()}) {
      if (child.Meets(steps)) Take(child, steps, bytes);
    }
  }

  void Collect(const Node& node, Range steps) {
    const bool is_within = node.IsWithin(steps);
    const Ranges& found = (is_within ? any_ : all_)[node.index];
    taken_.insert(taken_.end(), found.begin(), found.end());
    if (is_within) return;
    for (const Node& child : {node.Left(), node.Right()}) {
      if (child.Meets(steps)) Collect(child, steps);
    }
  }

  const Node root_;
  std::vector<Ranges> any_, all_;  // by node
  Ranges taken_;
};

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

  // Steps at which no use begins or ends make no difference, so the others are numbered anew.
  std::vector<int64_t> steps = {0};
  for (const Piece& piece : pieces_) {
    steps.push_back(piece.first_use);
    steps.push_back(piece.last_use);
  }
  std::sort(steps.begin(), steps.end());
  steps.erase(std::unique(steps.begin(), steps.end()), steps.end());
  const auto number = [&](int64_t step) {
    return std::lower_bound(steps.begin(), steps.end(), step) - steps.begin();
  };
  Occupancy occupancy(static_cast<int64_t>(steps.size()));
  total_ = 0;
  for (int index : by_size) {
    Piece& piece = pieces_[index];
    const Range use = {number(piece.first_use), number(piece.last_use) + 1};
    const int64_t size = RoundUp(piece.bytes, kAlignment);
    int64_t best_offset = -1, smallest_gap = kUnlimited, free_from = 0;
    for (const Range& taken : occupancy.Taken(use)) {
      const int64_t gap = taken.begin - free_from;
      if (gap >= size && gap < smallest_gap) {
        smallest_gap = gap;
        best_offset = free_from;
      }
      free_from = std::max(free_from, taken.end);
    }
    piece.offset = best_offset >= 0 ? best_offset : free_from;
    if (__builtin_add_overflow(piece.offset, size, &free_from)) {
      return absl::ResourceExhaustedError("the arena's size exceeds what 63 bits can count");
    }
    total_ = std::max(total_, free_from);
    occupancy.Take(use, {piece.offset, free_from});
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
