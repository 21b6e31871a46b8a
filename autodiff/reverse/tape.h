#ifndef COTANGENT_AUTODIFF_REVERSE_TAPE_H_
#define COTANGENT_AUTODIFF_REVERSE_TAPE_H_

// A tape: derivatives by reverse accumulation.
//
// THE MATHEMATICS
//
// A program that computes a number y from numbers x1 .. xn does so statement by statement, v =
// f(u1, .., uk), each of them simple enough that its partial derivatives dv/du1 .. dv/duk are
// known. The adjoint of an intermediate v is how the result hangs on it:
//
//   adj(v) = dy/dv
//
// A change of u reaches y through the statements that use u, so the chain rule reads
//
//   adj(u) = sum over the statements v = f(.., u, ..) of  adj(v) dv/du
//
// Start from adj(y) = 1 and take the statements in the *reverse* of the order in which they ran;
// when a statement's turn comes, all uses of its v lie behind, adj(v) is complete, and what remains
// is to hand it on:
//
//   for each operand u:  adj(u) += adj(v) dv/du
//
// At the end adj(x1) .. adj(xn) is the gradient: all n derivatives for one sweep whose cost is a
// small multiple of the program's own, however large n is. By hand, for y = x1 x2 + sin(x1) at (2,
// 3):
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
// The program runs forward once with the scalar Var, which writes down each statement's partials;
// Backward reads them from the end:
//
//   reverse::Tape tape;
//   reverse::Tape::Scope recording(tape);   // this thread's Vars record on it to the block's end
//   reverse::Var x1 = tape.Input(2.0), x2 = tape.Input(3.0);
//   reverse::Var y = x1 * x2 + sin(x1);     // one row: (x1, 3), (x2, 2), (x1, -0.416)
//   tape.Backward(y);
//   tape.Adjoint(x1);                       // 2.584
//
// gradient.h wraps this for functions; program.h records a program that can be run again at other
// points.
//
// A row is what a statement leaves behind: see rows.h. An operator's operands that have no name do
// not keep their rows, which become part of its own (see node.h), so that the statement above
// is one row. An operand that a statement mentions twice is one pair wherever the compiler can see
// that it is the same, or the two mentions come one after the other.
//
// WHAT TO KNOW
//
// Comparisons are by value and a branch is taken as the plain program would take it; derivatives
// are those of the branch taken. Kinks and edges of domains: the table in autodiff/math.h, exactly
// as for dual numbers, since the derivatives of all functions are taken from autodiff/forward. A
// row whose adjoint is 0 hands nothing on, so that an infinite partial that nothing hangs on does
// no harm.
//
// All operators return variables: `auto t = a * b;`, `c ? a * b : a + b`, std::max(a * b, a + b),
// functions with several returns mean what they mean for plain numbers. A Var that was moved from
// may be assigned or destroyed, not read. FusedTape, for programs that do without those, is up to a
// third faster.
//
// Threads. Each thread has a current tape of its own, and a tape serves one thread at a time. A Var
// belongs to the tape that was current when it was made: using it while another tape is current,
// another thread's for example, or none at all, is an error. In debug builds (without NDEBUG; or
// with COTANGENT_REVERSE_CHECKS=1) the program ends there with a message. In optimised builds a
// variable of the tape around this one's Scope ends it when the sweep begins (and gradient.h's
// functions refuse it at compile time); one of another thread's tape, or one that outlives its own
// and whose slot is another variable's on this tape, is not noticed, and the derivatives are wrong.
// Tapes of types of their own, BasicTape<double, &kMine>, do not compile where variables would mix
// (LEVELS in autodiff/forward/dual.h). All translation units of a program must agree on the setting.
//
// Higher derivatives: BasicTape<forward::Dual<double, N>> carries N tangents through values,
// partials and adjoints; the tangents of the adjoints are then Hessian-vector products (forward
// over reverse).

#include <cstddef>
#include <cstdint>
#include <utility>

#include "autodiff/reverse/expression.h"
#include "autodiff/reverse/rows.h"
#include "autodiff/reverse/var.h"

namespace cotangent::autodiff::reverse {
namespace scalar {

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

// The tape of the variables BasicVar<BasicTape>. Those of two levels, of a function and of one
// inside it that is differentiated by itself, are different types: see forward/dual.h.
//
// kFused: whether the operators build nodes, which become a row when a statement ends, instead of
// variables; see FusedTape.
template <class RealType, forward::Level kLevel = nullptr, bool kFused = false>
class BasicTape : public TapeRows<RealType> {
 public:
  using Real = RealType;
  using Var = BasicVar<BasicTape>;
  static constexpr bool kNotesBranches = false;
  static constexpr bool kOperatorsRecord = !kFused;

  // Makes `tape` the thread's current one for its lifetime, then the one before again.
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

  // The thread's current tape, or null.
  static BasicTape* Current() { return current_; }

  // A new independent variable. The tape must be the current one.
  Var Input(const Real& value) {
    Var x(value);
    MakeInput(x);
    return x;
  }
  // The same of a constant that there is.
  COTANGENT_INLINE void MakeInput(Var& x) {
    x.Set(this->NextSlot());
    ++inputs_;
    --this->row_of_slot_0_;
  }

  // Computes the adjoints of all rows from d/dy = seed. May be called again, for other results or
  // seeds.
  void Backward(const Var& y, const Real& seed = Real(1)) {
    this->ClearAdjoints();
    AddAdjoint(y, seed);
    this->Sweep();
  }

  // The same in pieces, for several results at once: ClearAdjoints, add seeds, Sweep.
  void AddAdjoint(const Var& y, const Real& seed) {
    Check(y);
    if (y.Index() == 0) return;
    if (y.Index() < first_slot_) Base::Foreign();
    this->Adjoints()[y.Index()] += seed;
    this->seeds_.push_back({seed, y.Index()});
  }

  // After a sweep: dy/dx, for the value that x has now. 0 for a constant. For an x that += has
  // changed in place since it was read, whose slot holds the adjoint of its first value, this costs
  // a sweep down to where it got the present one.
  Real Adjoint(const Var& x) const {
    Check(x);
    const std::uint32_t i = x.Index() - first_slot_;  // of a constant, beyond all
    if (i >= this->adjoint_.size()) return Real(0);
    if (x.flags_ & Var::kGrown) [[unlikely]]
      return this->AdjointOfPresent(x.Index());
    return this->adjoint_[i];
  }

  // Forgets all rows and inputs and keeps the memory. Vars made before are void.
  void Clear() { this->BeginAt(first_slot_); }

  // ---- For Var ----

  // The slot of a new variable with the node's value; 0 if it mentions constants only.
  template <class Node>
  COTANGENT_INLINE static std::uint32_t Record(const Node& node) {
    Row<Node> row;
    node.template Push<0>(Real(1), row);
    if (!row.AnyActive()) return 0;
    return current_->Write(row);
  }

  // y += term. The slot of the new y.
  template <class Node>
  COTANGENT_INLINE static std::uint32_t Accumulate(const Leaf<BasicTape>& y, bool shared,
                                                   const Node& term) {
    if constexpr (Node::kLeaves == 0) {
      if (y.index == 0) return 0;
      if (shared) return Record(Sum<Leaf<BasicTape>, Node>(y, term));
      CheckOwner(y);
      // A row without operands tells the slot's two values apart.
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

  // x = y, where x's old value goes: whether y is r + x, or x + r where r has no name, and x could
  // grow by r.
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

  // Takes the last row off the tape if it is that of `slot`.
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

  // The pairs of one statement or operation, not yet on the tape.
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
    // Adds the weight to an earlier pair if the compiler knows it to be of the same variable: costs
    // nothing when run.
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
  };

  // Appends the pairs to the last row.
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

  // Writes an operation's row; returns its slot. The rows of its temporaries become part of it,
  // their partials times the operation's, if they are the last ones on the tape.
  template <class Node>
  COTANGENT_INLINE std::uint32_t Write(Row<Node>& row) {
    if constexpr (kTemporaries < Node >> 0) {
      if (RowHead* const head = Absorb(row); head != this->next_row_) {
        this->next_row_ = head + 1;
        AppendMerging(row);
        return head->slot;
      }
    }
    const std::uint32_t slot = this->NextSlot();
    OpenRow(slot);
    Append(row);
    return slot;
  }

  // Multiplies the partials of the temporaries' rows, from the last on, and takes the temporaries
  // out of `row`. The first row that it took, or the end of the rows if none.
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

  // Times a weight that is not finite, except what does not move: as forward mode does.
  [[gnu::noinline, gnu::cold]] static void MultiplyMoving(Pair* begin, const Pair* end,
                                                          const Real& weight) {
    for (Pair* pair = begin; pair != end; ++pair) {
      if (!forward::IsZero(Real(pair->partial))) pair->partial *= weight;
    }
  }

  // Appends the pairs to the last row, which has some; one of the same variable as that row's last
  // is added to it.
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

  // The last row becomes the growth of another slot: part of the row before if that is its too and
  // is not mentioned.
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

// The tape for programs that name every result as a variable, `T t = a * b;`: there the compiler
// does a statement's chain rule before anything is written, and recording takes 0.7 to 1.0 of the
// time. `auto t = a * b;` and `c ? a * b : a + b` are nodes there, not variables, which denote their
// operands as they are when they are read, or do not compile.
using FusedTape = BasicTape<double, nullptr, true>;

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_TAPE_H_
