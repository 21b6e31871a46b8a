#ifndef COTANGENT_AUTODIFF_REVERSE_TAPE_H_
#define COTANGENT_AUTODIFF_REVERSE_TAPE_H_

// A tape records a program to compute its derivatives by reverse accumulation.
//
// THE MATHEMATICS
//
// A program computes a number y from numbers x1 .. xn statement by statement, v = f(u1, .., uk),
// and each statement is so simple that its partial derivatives dv/du1 .. dv/duk are known. The
// adjoint of an intermediate result v is the derivative of y by v:
//
//   adj(v) = dy/dv
//
// A change of u reaches y through the statements that use u, so the chain rule reads
//
//   adj(u) = sum over the statements v = f(.., u, ..) of  adj(v) dv/du
//
// Start from adj(y) = 1 and take the statements in the *reverse* of the order in which they ran.
// When the turn of a statement comes, all uses of its v have been processed, so adj(v) is complete
// and can be handed on:
//
//   for each operand u:  adj(u) += adj(v) dv/du
//
// At the end adj(x1) .. adj(xn) is the gradient: one backward sweep computes all n derivatives, at
// a small multiple of the program's own cost, however large n is. By hand, for y = x1 x2 + sin(x1)
// at (2, 3):
//
//   a = x1 x2        partials  3 by x1, 2 by x2          adj(y) = 1
//   b = sin(x1)      partial   cos 2 = -0.416 by x1      adj(b) = 1, adj(a) = 1
//   y = a + b        partials  1 by a, 1 by b            adj(x1) = 1 * -0.416 + 1 * 3 = 2.584
//                                                        adj(x2) = 2
//
// (Griewank and Walther, Evaluating Derivatives, 2nd edition, SIAM 2008, chapters 3 and 4.)
//
// THE TAPE
//
// The program runs forward once with the scalar Var, which writes the partial derivatives of each
// statement to the tape; Backward reads them from the end:
//
//   reverse::Tape tape;
//   reverse::Tape::Scope recording(tape);   // Vars of this thread record on it to the block's end
//   reverse::Var x1 = tape.Input(2.0), x2 = tape.Input(3.0);
//   reverse::Var y = x1 * x2 + sin(x1);     // one row: (x1, 3), (x2, 2), (x1, -0.416)
//   tape.Backward(y);
//   tape.Adjoint(x1);                       // 2.584
//
// gradient.h wraps this for functions; program.h records a program that can be run again at other
// points.
//
// Each statement leaves one row of (operand, partial) pairs on the tape, or adds its pairs to the
// row before (rows.h). A variable holds a slot, the index at which the tape keeps the variable's
// adjoint. Operands without a name are called temporaries: their rows, unless they are long, become
// part of the row of the operator that uses them (node.h), which is why the statement above is one
// row. If a statement mentions an operand twice, the two pairs become one when the compiler can see
// that the operand is the same, or when the two mentions follow one another.
//
// WHAT TO KNOW
//
// Comparisons look at values only, so a program takes the same branches as with plain numbers, and
// the derivatives are those of the branch taken. At kinks and at the edges of domains they are
// those of the table in autodiff/math.h, exactly as with dual numbers, since the derivatives of
// functions, apart from sin and cos, come from autodiff/forward. A row whose adjoint is 0 hands
// nothing on: so an infinite partial derivative of a result that y does not depend on does no harm.
// Nor is an infinite adjoint handed on through a partial derivative of 0.
//
// All operators return variables. So `auto t = a * b;`, `c ? a * b : a + b`, std::max(a * b, a + b)
// and functions with several returns mean what they mean for plain numbers. A Var that was moved
// from may be assigned or destroyed, but must not be read. FusedTape (below) takes up to a third
// less time, for programs that avoid these constructs.
//
// Threads. Each thread has a current tape, and a tape serves one thread at a time. A Var belongs to
// the tape that was current when it was made. Using it while another tape is current (of another
// thread, for example) or none is an error. Debug builds (without NDEBUG, or with
// COTANGENT_REVERSE_CHECKS=1) then end the program with a message. Optimised builds only notice a
// variable of a tape whose Scope encloses the current one, and some of a tape whose Scope lay
// inside it: the sweep ends the program (and the functions of gradient.h refuse such a use at
// compile time). They do not notice a variable of another thread's tape, or one that outlives its
// tape and whose slot now belongs to another variable: the derivatives are then wrong. Variables of
// tapes with types of their own, BasicTape<double, &kMine>, cannot be mixed: that does not compile
// (LEVELS in autodiff/forward/dual.h). All translation units of a program must agree on
// COTANGENT_REVERSE_CHECKS.
//
// Higher derivatives: BasicTape<forward::Dual<double, N>> carries N tangents through values,
// partials and adjoints. The tangents of the adjoints are then Hessian-vector products.

#include <cstddef>
#include <cstdint>
#include <utility>

#include "autodiff/reverse/expression.h"
#include "autodiff/reverse/rows.h"
#include "autodiff/reverse/var.h"

namespace cotangent::autodiff::reverse {
namespace scalar {

// How many of a node's leaves (node.h) are temporaries.
template <class Node>
inline constexpr int kTemporaries = 0;
template <class Tape>
inline constexpr int kTemporaries<Temporary<Tape>> = 1;
template <template <class...> class Node, class... A>
inline constexpr int kTemporaries<Node<A...>> = (kTemporaries<A> + ...);

template <class Node>
inline constexpr bool kIsSum = false;
template <class L, class R>
inline constexpr bool kIsSum<Sum<L, R>> = true;

// The tape for variables of type BasicVar<BasicTape>. Tapes with different kLevel, a type tag, have
// variables of different types, so that a function cannot mix its variables with those of a
// function inside it that is differentiated on its own: see LEVELS in autodiff/forward/dual.h.
//
// With kFused the operators build nodes instead of variables, and a statement becomes a row when it
// ends: see FusedTape.
template <class RealType, forward::Level kLevel = nullptr, bool kFused = false>
class BasicTape : public TapeRows<RealType> {
 public:
  using Real = RealType;
  using Var = BasicVar<BasicTape>;
  static constexpr bool kNotesBranches = false;
  static constexpr bool kOperatorsRecord = !kFused;

  // While a Scope lives, `tape` is the thread's current tape; afterwards the previous tape is
  // current again.
  class Scope {
   public:
    explicit Scope(BasicTape& tape) : before_(std::exchange(current_, &tape)) {
      if (tape.slots() == 0 && before_ != &tape)
        tape.BeginAt(before_ == nullptr ? 1 : before_->NextSlot());
      if (before_ != nullptr && before_ != &tape) before_->was_around_ = true;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { current_ = before_; }

   private:
    BasicTape* const before_;
  };

  // Returns the thread's current tape, or null.
  static BasicTape* Current() { return current_; }

  // Returns a new independent variable. REQUIRES: this tape is the current one.
  Var Input(const Real& value) {
    Var x(value);
    MakeInput(x);
    return x;
  }
  // Turns the constant x into an independent variable.
  COTANGENT_INLINE void MakeInput(Var& x) {
    x.Set(this->NextSlot());
    ++inputs_;
    --this->row_of_slot_0_;
  }

  // Computes the adjoints of all variables, starting from `seed`, the derivative of some result by
  // y. May be called again with other arguments.
  void Backward(const Var& y, const Real& seed = Real(1)) {
    this->ClearAdjoints();
    AddAdjoint(y, seed);
    this->Sweep();
  }

  // Adds `seed` to the adjoint of y. To sweep for several results at once, call ClearAdjoints, then
  // AddAdjoint for each result, then Sweep.
  void AddAdjoint(const Var& y, const Real& seed) {
    Check(y);
    if (y.Index() == 0) return;
    if (y.Index() < first_slot_) Base::Foreign();
    this->Adjoints()[y.Index()] += seed;
    this->seeds_.push_back({seed, y.Index()});
  }

  // Returns, after a sweep, the derivative by the value that x has now; 0 for a constant. If += has
  // changed x in place since it was read, its slot holds the adjoint of its first value, and this
  // function repeats the sweep back to the row that gave x its present value.
  Real Adjoint(const Var& x) const {
    Check(x);
    const std::uint32_t i = x.Index() - first_slot_;  // a constant's 0 wraps around to a huge i
    if (i >= this->adjoint_.size()) return Real(0);
    if (x.flags_ & Var::kGrown) [[unlikely]]
      return this->SweepMoving(x.Index())[i];
    return this->AdjointAt(i);
  }

  // Forgets all rows and inputs, but keeps the memory. Vars made before must not be used any more.
  void Clear() { this->BeginAt(first_slot_); }

  // ---- Functions that Var calls ----

  // Adds a row for the node, and returns the slot of a new variable with the node's value, or 0 if
  // the node mentions only constants.
  template <class Node>
  COTANGENT_INLINE static std::uint32_t Record(const Node& node) {
    Row<Node> row;
    node.template Push<0>(Real(1), row);
    if (!row.AnyActive()) return 0;
    return current_->Write(row);
  }

  // Records y += term, and returns the slot of the new y. `shared`: whether another variable may
  // hold y's slot, so that the new y needs another one.
  template <class Node>
  COTANGENT_INLINE static std::uint32_t Accumulate(const Leaf<BasicTape>& y, bool shared,
                                                   const Node& term) {
    if constexpr (Node::kLeaves == 0) {
      if (y.index == 0) return 0;
      if (shared) return Record(Sum<Leaf<BasicTape>, Node>(y, term));
      CheckOwner(y);
      // A row without operands separates the adjoints of the old and the new value.
      if (current_->next_row_[-1].slot != y.index) {
        current_->OpenEmptyRow(y.index);
      }
      return y.index;
    } else if (y.index == 0) {
      return Record(term);
    } else if (shared) {
      return Record(Sum<Leaf<BasicTape>, Node>(y, term));
    } else {
      BasicTape& tape = *current_;
      CheckOwner(y);
      if constexpr (requires { term.own; }) {
        if (term.own != 0 && term.own == tape.next_row_[-1].slot) {
          CheckOwner(term);
          tape.GiveLastRow(y.index);
          return y.index;
        }
      }
      Row<Node> row;
      term.template Push<0>(Real(1), row);
      if (!row.AnyActive()) return y.index;
      if (tape.next_row_[-1].slot != y.index || row.Mentions(y.index)) tape.OpenRow(y.index);
      tape.Append(row);
      return y.index;
    }
  }

  // Called for x = y, when x's old value is lost. If the last row is y's and computes r + x (its
  // last pair is x with partial 1, and it has others), turns that row into an addition of r to x's
  // slot in place, as x += r would, and returns true. Otherwise changes nothing and returns false.
  COTANGENT_INLINE static bool Grows(const Leaf<BasicTape>& x, const Leaf<BasicTape>& y) {
    if (x.index == 0 || current_ == nullptr) return false;
    BasicTape& tape = *current_;
    Pair* const last = tape.next_pair_ - 1;
    if (last->source != x.index) [[likely]]
      return false;
    const RowHead& row = tape.next_row_[-1];
    if (row.slot != y.index || last == tape.PairsOf(row)) return false;
    if (!forward::IsZero(Real(last->partial - Real(1)))) return false;
    tape.next_pair_ = last;
    tape.GiveLastRow(x.index);
    return true;
  }

  // Removes the last row from the tape if it is the row of `slot`.
  COTANGENT_INLINE static void Discard(std::uint32_t slot) {
    if (slot == 0 || current_ == nullptr || current_->next_row_[-1].slot != slot) return;
    --current_->next_row_;
    current_->next_pair_ = current_->PairsOf(*current_->next_row_);
  }

  static std::uint32_t CurrentSerial() { return current_ == nullptr ? 0 : current_->serial_; }

 private:
  using Base = TapeRows<RealType>;
  using Base::first_slot_, Base::inputs_, Base::next_pair_, Base::next_row_, Base::pair_limit_;
  using Base::OpenRow;
  using typename Base::Pair;
  using typename Base::RowHead;
  template <int N, class F>
  COTANGENT_INLINE static void Unrolled(F f) {
    Base::template Unrolled<N>(f);
  }

  static inline thread_local constinit BasicTape* current_ = nullptr;

  // The (operand, partial) pairs of one statement or operation that is not yet on the tape.
  template <class Node>
  struct Row {
    static constexpr int N = Node::kLeaves;
    static_assert(N <= Base::kLongest, "a statement of so many operands wants to be several");

    template <int K>
    COTANGENT_INLINE void Add(const Leaf<BasicTape>& leaf, const Real& weight) {
      CheckOwner(leaf);
      own[K] = 0;
      partial[K] = weight;
      source[K] = Merge(leaf.index, weight, std::make_integer_sequence<int, K>()) ? 0 : leaf.index;
    }
    template <int K>
    COTANGENT_INLINE void Add(const Temporary<BasicTape>& leaf, const Real& weight) {
      CheckOwner(leaf);
      own[K] = leaf.own;
      partial[K] = weight;
      source[K] = leaf.index;
    }
    // Adds the weight to an earlier pair if the compiler knows that this pair belongs to slot
    // `index` too (so the test costs nothing at run time), and returns whether it did.
    template <int... J>
    COTANGENT_INLINE bool Merge([[maybe_unused]] std::uint32_t index, const Real& weight,
                                std::integer_sequence<int, J...>) {
      bool merged = false;
      ((!merged && __builtin_constant_p(source[J] == index) && source[J] == index
            ? (partial[J] += weight, merged = true)
            : false),
       ...);
      return merged;
    }
    // Makes the result independent of the leaves with numbers from A up to, but not including, B.
    template <int A, int B>
    void Drop() {
      for (int k = A; k < B; ++k) source[k] = own[k] = 0;
    }
    // Multiplies the partials of the leaves with numbers from A up to, but not including, B.
    // Partials of 0 stay 0.
    template <int A, int B>
    void Multiply(const Real& by) {
      for (int k = A; k < B; ++k) {
        if (!forward::IsZero(partial[k])) partial[k] *= by;
      }
    }
    // Divides the partials of the leaves with numbers from A up to, but not including, B, after
    // those of the same variable are added up; partials of 0 stay 0. If the node has temporaries
    // (then it is a single operation, and A to B are all of its leaves), Write does this later,
    // when the rows of the temporaries have become part of this one.
    template <int A, int B>
    void Divide(const Real& by) {
      if constexpr (kTemporaries < Node >> 0) {
        divisor = by;
        divides = true;
      } else {
        for (int k = A; k < B; ++k) {
          for (int j = A; j < k && source[k] != 0; ++j) {
            if (source[j] == source[k]) partial[j] += partial[k], source[k] = 0;
          }
        }
        for (int k = A; k < B; ++k) {
          if (!forward::IsZero(partial[k])) partial[k] = partial[k] / by;
        }
      }
    }
    COTANGENT_INLINE bool Mentions(std::uint32_t index) const {
      bool mentions = false;
      Unrolled<N>([&](auto k) __attribute__((always_inline)) { mentions |= source[k] == index; });
      return mentions;
    }
    COTANGENT_INLINE bool AnyActive() const {
      std::uint32_t any = 0;
      Unrolled<N>([&](auto k) __attribute__((always_inline)) { any |= source[k]; });
      return any != 0;
    }
    COTANGENT_INLINE bool AllActive() const {
      bool all = true;
      Unrolled<N>([&](auto k) __attribute__((always_inline)) { all &= source[k] != 0; });
      return all;
    }

    std::uint32_t source[N];
    Real partial[N];
    std::uint32_t own[N];
    bool divides = false;  // whether Write divides the pairs by `divisor`
    Real divisor;
  };

  // Appends the pairs of `row` to the tape's last row.
  template <class Node>
  COTANGENT_INLINE void Append(const Row<Node>& row) {
    constexpr int N = Node::kLeaves;
    if (this->next_pair_ > this->pair_limit_) [[unlikely]] {
      Base::Full();
    }
    Pair* pair = this->next_pair_;
    if (row.AllActive()) {
      Unrolled<N>([&](auto k) __attribute__((always_inline)) {
        pair[k] = {row.partial[k], row.source[k]};
      });
      pair += N;
    } else {
      Unrolled<N>([&](auto k) __attribute__((always_inline)) {
        if (row.source[k] != 0) *pair++ = {row.partial[k], row.source[k]};
      });
    }
    this->next_pair_ = pair;
  }

  // Writes the row of an operation and returns its slot. If the rows of its temporary operands are
  // the last ones on the tape, and not too long (kAddedUp, kMultiplied), they become part of the
  // new row, with their partials multiplied by the operation's.
  template <class Node>
  COTANGENT_INLINE std::uint32_t Write(Row<Node>& row) {
    if constexpr (kTemporaries < Node >> 0) {
      if (RowHead* const head = Absorb(row); head != this->next_row_) {
        this->next_row_ = head + 1;
        AppendMerging(row);
        if (row.divides) [[unlikely]]
          DivideLastRow(row.divisor);
        return head->slot;
      }
    }
    const std::uint32_t slot = this->NextSlot();
    OpenRow(slot);
    Append(row);
    if constexpr (kTemporaries < Node >> 0) {
      if (row.divides) [[unlikely]]
        DivideLastRow(row.divisor);
    }
    return slot;
  }

  // Divides the partials of the last row by `by`, after those of the same variable are added up;
  // partials of 0 stay 0.
  [[gnu::noinline, gnu::cold]] void DivideLastRow(const Real& by) {
    Pair* const begin = this->PairsOf(next_row_[-1]);
    Pair* end = begin;
    for (const Pair* pair = begin; pair != next_pair_; ++pair) {
      Pair* same = begin;
      while (same != end && same->source != pair->source) ++same;
      if (same == end) {
        *end++ = *pair;
      } else {
        same->partial += pair->partial;
      }
    }
    next_pair_ = end;
    for (Pair* pair = begin; pair != end; ++pair) {
      if (!forward::IsZero(Real(pair->partial))) pair->partial /= by;
    }
  }

  // Takes over the tape rows of the temporary operands of `row`, from the tape's last row backward:
  // multiplies the partials of these rows where they are (by 1 for a sum, so not at all), and
  // removes the temporaries from `row`. Stops at the first row that is not that of such an operand,
  // is too long, or whose operand `row` mentions twice. Returns the earliest row that was taken
  // over, or the end of all rows if there is none.
  template <class Node>
  COTANGENT_INLINE RowHead* Absorb(Row<Node>& row) {
    constexpr int N = Node::kLeaves;
    RowHead* head = this->next_row_;
    const Pair* end = this->next_pair_;
    bool more = true;
    Unrolled<kTemporaries<Node>>([&](auto) __attribute__((always_inline)) {
      const std::uint32_t slot = head[-1].slot;
      Pair* const begin = this->PairsOf(head[-1]);
      bool found = false;
      Unrolled<N>([&](auto k) __attribute__((always_inline)) {
        if (!more || found || row.own[k] == 0 || row.own[k] != slot) return;
        bool elsewhere = false;
        Unrolled<N>([&](auto j) __attribute__((always_inline)) {
          if (j != k) elsewhere |= row.source[j] == slot;
        });
        if (elsewhere || end - begin > (kIsSum<Node> ? Base::kAddedUp : Base::kMultiplied)) return;
        if constexpr (!kIsSum<Node>) {
          const Real weight = row.partial[k];
          if (!forward::AllFinite(weight)) [[unlikely]] {
            MultiplyMoving(begin, end, weight);
          } else {
            for (Pair* pair = begin; pair != end; ++pair) pair->partial *= weight;
          }
        }
        row.source[k] = 0;
        end = begin;
        --head;
        found = true;
      });
      more &= found;
    });
    return head;
  }

  // Multiplies the partials of the pairs [begin, end) by a weight that is not finite, but leaves
  // partials of 0 at 0, as forward mode does.
  [[gnu::noinline, gnu::cold]] static void MultiplyMoving(Pair* begin, const Pair* end,
                                                          const Real& weight) {
    for (Pair* pair = begin; pair != end; ++pair) {
      if (!forward::IsZero(Real(pair->partial))) pair->partial *= weight;
    }
  }

  // Appends the pairs of `row` to the tape's last row, which is not empty. A pair whose variable is
  // that of the last row's last pair is added to that last pair.
  template <class Node>
  COTANGENT_INLINE void AppendMerging(const Row<Node>& row) {
    Pair* pair = this->next_pair_;
    Unrolled<Node::kLeaves>([&](auto k) __attribute__((always_inline)) {
      if (row.source[k] == 0) return;
      if (pair[-1].source == row.source[k]) {
        pair[-1].partial += row.partial[k];
      } else {
        *pair++ = {row.partial[k], row.source[k]};
      }
    });
    this->next_pair_ = pair;
  }

  // Makes the last row add to `slot` in place, as += does. If the row before it has the same slot,
  // and the last row does not read that slot, the two rows become one.
  COTANGENT_INLINE void GiveLastRow(std::uint32_t slot) {
    RowHead& row = next_row_[-1];
    row.slot = slot;
    if (next_row_[-2].slot != slot) return;
    for (const Pair* pair = this->PairsOf(row); pair != next_pair_; ++pair) {
      if (pair->source == slot) return;
    }
    --next_row_;
  }

  COTANGENT_INLINE static void CheckOwner(const Leaf<BasicTape>& leaf) {
#if COTANGENT_REVERSE_CHECKS
    if (leaf.index != 0 && leaf.owner != CurrentSerial()) Base::Foreign();
#endif
  }
  void Check(const Var& x) const {
#if COTANGENT_REVERSE_CHECKS
    if (x.index_ != 0 && x.owner_ != serial_) Base::Foreign();
#endif
  }

  static std::uint32_t NextSerial() {
    static std::uint32_t next = 0;
    return __atomic_add_fetch(&next, 1, __ATOMIC_RELAXED);
  }

  const std::uint32_t serial_ = NextSerial();
};

}  // namespace scalar

using Tape = BasicTape<double>;
using Var = Tape::Var;

// The tape for programs that give every result a name and type, `T t = a * b;`. The compiler then
// does the chain rule of a statement before anything is written, and a gradient takes 0.65 to 0.86
// of the time that it takes with Tape (reverse_benchmark.cc). With this tape, `auto t = a * b;`
// holds an expression, not a variable: it denotes its operands as they are at that point, and must
// be used before they change. `c ? a * b : a + b` does not compile, because the branches have
// different types.
using FusedTape = BasicTape<double, nullptr, true>;

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_TAPE_H_
