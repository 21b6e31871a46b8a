#ifndef COTANGENT_AUTODIFF_REVERSE_ROWS_H_
#define COTANGENT_AUTODIFF_REVERSE_ROWS_H_

// Defines the rows of a tape, and the backward sweep over them. Include autodiff/reverse/tape.h,
// which explains the method, not this file.
//
// Each statement adds a row: the slot of its result (the index of its adjoint), and a pair
// (operand's slot, partial derivative) for each operand. For double, a pair takes 12 bytes, a row
// 8 bytes in addition to its pairs, and the adjoint of a slot 8.
//
// Adding in place is special. In sum += a * b, the derivative of the new sum by the old one is 1,
// so both share a slot. When the backward sweep reaches this row, the slot holds the adjoint of the
// new sum, and the row hands it on to a and b. The rows that used the old sum lie before this one;
// after the sweep has passed them too, the slot holds the adjoint of the old sum. (x += f(x) works
// too: the slot's adjoint is read before the row adds to it.) As long as no other row comes
// between, and neither a nor b is the sum itself, sum += a * b only adds its pairs to the row
// before, so a dot product is one row. Sharing is only right while no other variable holds the old
// value's slot, so a copied variable is marked, and += on it starts a new slot. (The adjoint of a
// sum that has grown is that of its present value: see BasicTape::Adjoint.)
//
// Rows and pairs are kept in arenas (arena.h): no operation allocates memory, and Clear keeps the
// arenas for the next recording. There can be up to 2^31 rows, and 16 GiB of pairs; a program that
// needs more ends with a message. checkpoint.h differentiates loops of any length in bounded
// memory.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <type_traits>
#include <utility>
#include <vector>

#include "autodiff/forward/dual.h"
#include "autodiff/reverse/arena.h"
#include "autodiff/reverse/expression.h"

namespace cotangent::autodiff::reverse {
namespace scalar {

// The part of a tape that does not depend on the tape's level (the type tag of
// autodiff/forward/dual.h): the rows and their sweep.
template <class RealType>
class TapeRows {
 public:
  using Real = RealType;

  TapeRows() = default;
  TapeRows(const TapeRows&) = delete;
  TapeRows& operator=(const TapeRows&) = delete;
  ~TapeRows() = default;

  // Sets all adjoints to 0. To sweep for several results at once, call ClearAdjoints(), then
  // BasicTape::AddAdjoint() for each result, then Sweep(), which computes the other adjoints.
  void ClearAdjoints() {
    adjoint_.assign(slots(), Real(0));
    seeds_.clear();
    moving_ = false;
  }
  void Sweep();

  // Return the numbers of rows (without those that Here() adds), of pairs, and of inputs that are
  // recorded.
  std::size_t rows() const { return next_row_ - row_begin() - marks_; }
  std::size_t pairs() const { return next_pair_ - pair_begin(); }
  std::size_t inputs() const { return inputs_; }
  // Returns the bytes that hold the rows, the pairs and the adjoints.
  std::size_t bytes() const {
    return rows() * sizeof(RowHead) + pairs() * sizeof(Pair) + slots() * sizeof(Real);
  }

  // A position on the tape. Here() returns the present one, Rewind() forgets what was recorded
  // after a mark. After Rewind(), a variable that was assigned after the mark must not be used any
  // more, even if it was made before the mark.
  struct Mark {
    std::size_t rows, pairs, marks, inputs;
  };
  Mark Here() {
    OpenEmptyRow(NextSlot());  // so that no earlier row grows any more
    ++marks_;
    return {rows(), pairs(), marks_, inputs_};
  }
  void Rewind(const Mark& mark) {
    next_row_ = row_begin() + mark.rows + mark.marks;
    next_pair_ = pair_begin() + mark.pairs;
    marks_ = mark.marks;
    inputs_ = mark.inputs;
    row_of_slot_0_ = row_begin() - first_slot_ - inputs_;
  }

 protected:
  struct AlignedPair {
    Real partial;
    std::uint32_t source;
  };
  struct [[gnu::packed]] PackedPair {
    double partial;
    std::uint32_t source;
  };
  using Pair = std::conditional_t<std::is_same_v<Real, double>, PackedPair, AlignedPair>;
  // A row's pairs begin kUnit * begin bytes after the first pair, and end where the next row's
  // begin.
  struct RowHead {
    std::uint32_t slot, begin;
  };
  static constexpr std::size_t kUnit = 4;
  // An operation takes the row of an operand into its own row only if that row has at most this
  // many pairs: kAddedUp for a sum, which leaves the partials as they are, and kMultiplied for any
  // other operation, which multiplies each of them.
  static constexpr std::ptrdiff_t kAddedUp = 512, kMultiplied = 8;

  // Calls f(0), ..., f(N - 1), where the arguments are of types std::integral_constant.
  template <int N, class F>
  COTANGENT_INLINE static void Unrolled(F f) {
    [&]<int... K>(std::integer_sequence<int, K...>) __attribute__((always_inline)) {
      (f(std::integral_constant<int, K>()), ...);
    }
    (std::make_integer_sequence<int, N>());
  }

  // Returns the slot of the next input or row. Slots are numbered in the order of recording. A row
  // that adds in place to an earlier variable has the slot of that variable; its own number stays
  // unused.
  COTANGENT_INLINE std::uint32_t NextSlot() const {
    return static_cast<std::uint32_t>(next_row_ - row_of_slot_0_);
  }
  // Starts a row of `slot`. This does not check for space: whoever appends the row's pairs, of
  // which there is at least one, checks that there is space for pairs, and there is space for more
  // rows than pairs. OpenEmptyRow, whose row has no pair, checks that this stays so.
  COTANGENT_INLINE void OpenRow(std::uint32_t slot) { *next_row_++ = {slot, Offset()}; }
  void OpenEmptyRow(std::uint32_t slot) {
    if (row_limit_ - next_row_ <= pair_limit_ - next_pair_ + kLongest) Full();
    OpenRow(slot);
  }
  COTANGENT_INLINE Pair* PairsOf(const RowHead& row) const {
    return reinterpret_cast<Pair*>(reinterpret_cast<char*>(pair_begin()) +
                                   kUnit * static_cast<std::size_t>(row.begin));
  }
  // Returns a pointer p such that p[i] is the adjoint of slot i.
  Real* Adjoints() { return adjoint_.data() - first_slot_; }
  // Repeats the sweep, down to the latest row of `slot` but without that row, so that the adjoint
  // of `slot` is that of its present value; with `slot` 0, to the end. Returns the adjoints from
  // slot first_slot_ on. In contrast to Sweep(), hands no adjoint on through a partial of 0: even
  // if the adjoint is infinite or NaN, the operand does not move the result. This takes longer.
  std::vector<Real> SweepMoving(std::uint32_t slot) const;
  // Returns the adjoint of slot first_slot_ + i. If it is not finite, the adjoints are computed
  // again by SweepMoving(), at most once after each Sweep(). REQUIRES: i < adjoint_.size().
  COTANGENT_INLINE const Real& AdjointAt(std::uint32_t i) const {
    if (!forward::AllFinite(adjoint_[i])) [[unlikely]]
      MakeMoving();
    return adjoint_[i];
  }
  [[gnu::noinline, gnu::cold]] void MakeMoving() const {
    if (!moving_ && adjoint_.size() == slots()) adjoint_ = SweepMoving(0);
    moving_ = true;
  }
  std::size_t slots() const { return NextSlot() - first_slot_; }
  // Empties the tape, with slots then numbered from `first` on. If the Scopes (tape.h) of several
  // tapes are nested, the slots of an inner tape begin after those that the tape around it has used
  // by then. So operands that are variables of a tape around this one have slots below `first`, and
  // those of a tape inside have slots that this tape has not reached, or reaches only later.
  // CheckLevel ends the program if it finds an operand that is below `first` or not reached.
  void BeginAt(std::uint32_t first) {
    first_slot_ = first;
    Rewind({});
  }
  void CheckLevel() const {
    if (first_slot_ == 1 && !was_around_) return;
    for (const Pair* pair = pair_begin(); pair != next_pair_; ++pair) {
      if (pair->source < first_slot_ || pair->source >= NextSlot()) Foreign();
    }
  }
  // The steps of a loop, x += f(x, p, ..), are successive rows with the same slot and the same
  // operands (at most kStepOperands, with x among them once), so their adjoints can stay in
  // registers. Sweeps such rows backward, beginning with `row`, whose pairs end at `end`. Returns
  // the row that was swept last, or row + 1 if `row` is no such step.
  static constexpr int kStepOperands = 4;
  const RowHead* SweepSteps(const RowHead* row, const Pair* end);
  template <int N>
  const RowHead* SweepSteps(const RowHead* row, const Pair* end);
  std::uint32_t Offset() const {
    return static_cast<std::uint32_t>(
        (reinterpret_cast<const char*>(next_pair_) - reinterpret_cast<const char*>(pair_begin())) /
        kUnit);
  }
  [[noreturn, gnu::noinline, gnu::cold]] static void Full() {
    std::fputs(
        "cotangent: a reverse tape is full; differentiate the loop with checkpoints "
        "(autodiff/reverse/checkpoint.h)\n",
        stderr);
    std::abort();
  }
  [[noreturn, gnu::cold, gnu::noinline]] static void Foreign() {
    std::fputs(
        "cotangent: a reverse::Var was used with a tape that is not its own: it was made on "
        "another tape (of another thread? of the function around this one?), or no "
        "tape is current. Make it with Input() on the tape whose Scope is active in this thread.\n",
        stderr);
    std::abort();
  }
  // The arrays of pairs and of rows begin after entries that are not used, so that code may look at
  // the last pair or the last rows of an empty tape.
  Pair* pair_begin() const { return static_cast<Pair*>(pairs_.begin()) + 1; }
  RowHead* row_begin() const { return static_cast<RowHead*>(rows_.begin()) + kBefore; }

  static constexpr std::size_t kArena = std::size_t{1} << 34;  // bytes
  static constexpr std::size_t kLongest = 1024;                // most pairs of a statement
  static constexpr std::size_t kBefore = 4;

  const Arena pairs_{kArena}, rows_{kArena};
  Pair* next_pair_ = pair_begin();
  Pair* const pair_limit_ = next_pair_ + pairs_.bytes() / sizeof(Pair) - kLongest - 1;
  RowHead* next_row_ = row_begin();
  RowHead* const row_limit_ = next_row_ + rows_.bytes() / sizeof(RowHead) - kBefore;
  std::uint32_t first_slot_ = 1;  // slot 0 is for all constants
  RowHead* row_of_slot_0_ = row_begin() - first_slot_;
  std::size_t marks_ = 0, inputs_ = 0;
  bool was_around_ = false;  // another tape's Scope was opened inside this one's
  mutable std::vector<Real> adjoint_;
  mutable bool moving_ = false;  // whether SweepMoving() computed adjoint_
  std::vector<AlignedPair> seeds_;
};

}  // namespace scalar

// ---- Implementation of the functions declared above ----

namespace scalar {

template <class Real>
void TapeRows<Real>::Sweep() {
  CheckLevel();
  Real* const adjoint = Adjoints();
  const RowHead* const first = row_begin();
  const Pair* end = next_pair_;
  for (const RowHead* row = next_row_; row != first;) {
    --row;
    const Pair* const begin = PairsOf(*row);
    if (row != first && row[-1].slot == row->slot && end - begin <= kStepOperands) {
      const RowHead* const next = SweepSteps(row, end);
      if (next != row + 1) {
        end = PairsOf(*next);
        row = next;
        continue;
      }
    }
    const Real weight = adjoint[row->slot];
    if (!forward::IsZero(weight)) {
      const Pair* pair = end;
      for (; pair - begin >= 2; pair -= 2) {
        adjoint[pair[-1].source] += weight * pair[-1].partial;
        adjoint[pair[-2].source] += weight * pair[-2].partial;
      }
      if (pair != begin) adjoint[begin->source] += weight * begin->partial;
    }
    end = begin;
  }
}

template <class Real>
const typename TapeRows<Real>::RowHead* TapeRows<Real>::SweepSteps(const RowHead* row,
                                                                   const Pair* end) {
  switch (end - PairsOf(*row)) {  // NOLINT(bugprone-branch-clone): the numbers differ
    case 1:
      return SweepSteps<1>(row, end);
    case 2:
      return SweepSteps<2>(row, end);
    case 3:
      return SweepSteps<3>(row, end);
    case 4:
      return SweepSteps<4>(row, end);
    default:
      return row + 1;
  }
}

template <class Real>
template <int N>
const typename TapeRows<Real>::RowHead* TapeRows<Real>::SweepSteps(const RowHead* row,
                                                                   const Pair* end) {
  const std::uint32_t slot = row->slot;
  const Pair* pair = end - N;
  std::uint32_t source[N];
  int self = 0, selves = 0;
  Unrolled<N>([&](auto k) {
    source[k] = pair[k].source;
    if (source[k] == slot) self = k, ++selves;
  });
  if (selves != 1) return row + 1;
  Real* const adjoint = Adjoints();
  Real weight = adjoint[slot];
  Real sum[N] = {};
  // Rows before the loop's first step may have the same slot but other operands: the sweep of this
  // loop ends there, or where the adjoint becomes 0.
  const RowHead* const first = row_begin();
  while (!forward::IsZero(weight)) {
    Unrolled<N>([&](auto k) __attribute__((always_inline)) { sum[k] += weight * pair[k].partial; });
    weight += weight * pair[self].partial;
    if (row == first) break;
    const RowHead* const before = row - 1;
    const Pair* const begin = PairsOf(*before);
    bool same = before->slot == slot && pair - begin == N;
    if (!same) break;
    Unrolled<N>([&](auto k)
                    __attribute__((always_inline)) { same &= begin[k].source == source[k]; });
    if (!same) break;
    row = before;
    pair = begin;
  }
  Unrolled<N>([&](auto k) {
    if (k != self) adjoint[source[k]] += sum[k];
  });
  adjoint[slot] = weight;
  return row;
}

template <class Real>
std::vector<Real> TapeRows<Real>::SweepMoving(std::uint32_t slot) const {
  std::vector<Real> adjoints(slots(), Real(0));
  Real* const adjoint = adjoints.data() - first_slot_;
  for (const AlignedPair& seed : seeds_) adjoint[seed.source] += seed.partial;
  const Pair* end = next_pair_;
  for (const RowHead* row = next_row_; row != row_begin();) {
    --row;
    if (row->slot == slot) break;
    const Real weight = adjoint[row->slot];
    const Pair* const begin = PairsOf(*row);
    for (const Pair* pair = begin; pair != end && !forward::IsZero(weight); ++pair) {
      const Real partial = pair->partial;
      if (!forward::IsZero(partial)) adjoint[pair->source] += weight * partial;
    }
    end = begin;
  }
  return adjoints;
}

}  // namespace scalar
}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_ROWS_H_
