#ifndef COTANGENT_AUTODIFF_REVERSE_VAR_H_
#define COTANGENT_AUTODIFF_REVERSE_VAR_H_

// BasicVar: the scalar of reverse mode, which records on a tape what is done to it. Include
// autodiff/reverse/tape.h, not this file.

#include <concepts>
#include <cstdint>
#include <limits>
#include <span>
#include <utility>

#include "autodiff/reverse/functions.h"

namespace cotangent::autodiff::reverse::scalar {

// A number, and the index of the slot under which a tape keeps its adjoint (0 for a constant, which
// no tape knows). A BasicVar may be used wherever a double may: copied, compared, kept in
// containers. Making one from a node (node.h), which each operator of a Tape does with its result,
// records the node on the thread's current tape.
template <class TapeType>
class BasicVar {
 public:
  using Tape = TapeType;
  using Real = typename Tape::Real;

  COTANGENT_INLINE BasicVar() : BasicVar(Real(0)) {}
  template <class Number>
  requires(!Active<Number> && std::convertible_to<Number, Real>) COTANGENT_INLINE
      BasicVar(const Number& constant)
      : value_(constant), index_(0), flags_(0) {}
  template <Active Node>
  requires std::same_as<TapeOf<Node>, Tape> COTANGENT_INLINE BasicVar(const Node& node)
      : value_(node.Value()) {
    Set(Tape::Record(node));
  }
  COTANGENT_INLINE BasicVar(const BasicVar& other) : value_(other.value_) { Share(other); }
  COTANGENT_INLINE BasicVar(BasicVar&& other) noexcept : value_(std::move(other.value_)) {
    Take(other);
  }

  COTANGENT_INLINE BasicVar& operator=(const BasicVar& other) {
    value_ = other.value_;
    Share(other);
    return *this;
  }
  COTANGENT_INLINE BasicVar& operator=(BasicVar&& other) noexcept {
    value_ = std::move(other.value_);
    if constexpr (Tape::kOperatorsRecord) {
      // x = r + x is another way to write x += r: if no other variable holds x's old slot, the new
      // value may take over that slot, as for += (BasicTape::Grows).
      if (((flags_ & kShared) | other.flags_) == 0 && Tape::Grows(AsLeaf(), other.AsLeaf())) {
        flags_ = kGrown;
        return *this;
      }
    }
    Take(other);
    return *this;
  }
  template <class Number>
  requires(!Active<Number> && std::convertible_to<Number, Real>) COTANGENT_INLINE BasicVar&
  operator=(const Number& constant) {
    value_ = Real(constant);
    index_ = 0;
    flags_ = 0;
    return *this;
  }
  template <Active Node>
  requires std::same_as<TapeOf<Node>, Tape> COTANGENT_INLINE BasicVar& operator=(const Node& node) {
    Set(Tape::Record(node));
    value_ = node.Value();
    return *this;
  }
  template <class R>
  requires(!Tape::kOperatorsRecord) COTANGENT_INLINE BasicVar& operator=(
      const Sum<Leaf<Tape>, R>& node) {
    if (index_ != 0 && node.l.index == index_) return *this += node.r;
    Set(Tape::Record(node));
    value_ = node.Value();
    return *this;
  }

  template <class A>
  requires OperandOf<Bare<A>, Tape> COTANGENT_INLINE BasicVar& operator+=(A&& a) {
    const auto term = Lift<Tape>(std::forward<A>(a));
    const Real sum = value_ + term.Value();
    Set(Tape::Accumulate(AsLeaf(), (flags_ & kShared) != 0, term));
    flags_ = kGrown;
    value_ = sum;
    return *this;
  }
  template <class A>
  requires OperandOf<Bare<A>, Tape> COTANGENT_INLINE BasicVar& operator-=(A&& a) {
    return *this += -std::forward<A>(a);
  }
  template <class A>
  requires OperandOf<Bare<A>, Tape> COTANGENT_INLINE BasicVar& operator*=(A&& a) {
    return *this = *this * std::forward<A>(a);
  }
  template <class A>
  requires OperandOf<Bare<A>, Tape> COTANGENT_INLINE BasicVar& operator/=(A&& a) {
    return *this = *this / std::forward<A>(a);
  }
  COTANGENT_INLINE BasicVar& operator++() { return *this += 1; }
  COTANGENT_INLINE BasicVar& operator--() { return *this -= 1; }
  COTANGENT_INLINE BasicVar operator++(int) {
    const BasicVar before = *this;
    *this += 1;
    return before;
  }
  COTANGENT_INLINE BasicVar operator--(int) {
    const BasicVar before = *this;
    *this -= 1;
    return before;
  }

  COTANGENT_INLINE const Real& Value() const { return value_; }
  // Returns the slot on the tape; 0 for a constant.
  COTANGENT_INLINE std::uint32_t Index() const { return index_; }

  COTANGENT_INLINE Leaf<Tape> AsLeaf() const {
#if COTANGENT_REVERSE_CHECKS
    return {value_, index_, owner_};
#else
    return {value_, index_};
#endif
  }

  COTANGENT_INLINE Temporary<Tape> AsTemporary() const {
    return {AsLeaf(), flags_ == 0 ? index_ : 0};
  }

 private:
  friend Tape;  // sets the slots of inputs

  // Makes this variable a copy of `other`, apart from the value, and marks both: they share a slot
  // from now on, so += on one of them must start a new slot (see BasicTape::Accumulate).
  COTANGENT_INLINE void Share(const BasicVar& other) {
    index_ = other.index_;
    flags_ = other.flags_ |= kShared;
    TakeOwner(other);
  }
  COTANGENT_INLINE void Take(BasicVar& other) {
    index_ = other.index_;
    flags_ = other.flags_;
    other.flags_ |= kShared;
    TakeOwner(other);
  }
  COTANGENT_INLINE void TakeOwner(const BasicVar& other) {
#if COTANGENT_REVERSE_CHECKS
    owner_ = other.owner_;
#endif
  }
  COTANGENT_INLINE void Set(std::uint32_t index) {
    index_ = index;
    flags_ = 0;
#if COTANGENT_REVERSE_CHECKS
    owner_ = index == 0 ? 0 : Tape::CurrentSerial();
#endif
  }

  Real value_;
  std::uint32_t index_;
  // kShared: another variable may hold the same slot. kGrown: += may have changed the value in
  // place (see BasicTape::Adjoint).
  static constexpr std::uint8_t kShared = 1, kGrown = 2;
  mutable std::uint8_t flags_;
#if COTANGENT_REVERSE_CHECKS
  std::uint32_t owner_ = 0;
#endif
};

// Overload resolution prefers these two functions to std::max and std::min where both are in scope.
template <class Tape>
requires requires { typename Tape::Real; }
COTANGENT_INLINE BasicVar<Tape> max(const BasicVar<Tape>& a, const BasicVar<Tape>& b) {
  return Apply<maxRule, Leaf<Tape>, Leaf<Tape>>({}, a.AsLeaf(), b.AsLeaf());
}
template <class Tape>
requires requires { typename Tape::Real; }
COTANGENT_INLINE BasicVar<Tape> min(const BasicVar<Tape>& a, const BasicVar<Tape>& b) {
  return Apply<minRule, Leaf<Tape>, Leaf<Tape>>({}, a.AsLeaf(), b.AsLeaf());
}
template <class A, class B, class C>
requires Operands<Bare<A>, Bare<B>, Bare<C>> COTANGENT_INLINE auto clamp(A&& x, B&& low, C&& high) {
  using Var = BasicVar<TapeOf<Bare<A>, Bare<B>, Bare<C>>>;
  const Var clamped(x);
  if (clamped < low) return Var(low);
  if (high < clamped) return Var(high);
  return clamped;
}

// Splits x = m 2^exponent with 1/2 <= |m| < 1, and returns m. If x is 0, infinite or NaN, the
// exponent is 0 and m is x.
template <Active A>
BasicVar<TapeOf<A>> frexp(const A& a, int* exponent) {
  using Var = BasicVar<TapeOf<A>>;
  const Var x(a);
  *exponent = 0;
  if (!isfinite(x) || x == 0) return x;
  *exponent = ilogb(x) + 1;
  return ldexp(x, -*exponent);
}

// The returned fraction has x's derivative; the whole part has derivative 0.
template <Active A>
BasicVar<TapeOf<A>> modf(const A& a, BasicVar<TapeOf<A>>* whole) {
  const BasicVar<TapeOf<A>> x(a);
  *whole = trunc(x);
  return Apply<FractionRule, Leaf<TapeOf<A>>>({}, x.AsLeaf());
}

// Returns ln(sum of e^xi), and minus infinity for no terms. Subtracts the largest value first, so
// that exp cannot overflow. That value is a constant to the derivatives, because it cancels; if a
// recorded program is replayed, the largest value is determined anew.
template <class Tape>
BasicVar<Tape> CotangentApply(functions::rule::logsumexp, std::span<const BasicVar<Tape>> x) {
  using Var = BasicVar<Tape>;
  using Real = typename Tape::Real;
  if (x.empty()) return Var(-std::numeric_limits<Real>::infinity());
  Var high;
  if constexpr (Tape::kNotesBranches) {
    high = x[0];
    for (const Var& xi : x.subspan(1))
      high = Apply<ShiftRule, Leaf<Tape>, Leaf<Tape>>({}, high.AsLeaf(), xi.AsLeaf());
  } else {
    Real largest = x[0].Value();
    for (const Var& xi : x) largest = xi.Value() > largest || isnan(xi) ? xi.Value() : largest;
    high = forward::ValueOf(largest);
  }
  if (isnan(high)) return Var(high.Value());
  Var sum = 0;
  if (isinf(high)) {  // the result is the mean of the terms that equal high
    int terms = 0;
    for (const Var& xi : x) {
      if (xi == high) sum += xi, ++terms;
    }
    return sum / terms;
  }
  for (const Var& xi : x) sum += exp(xi - high);
  return log(sum) + high;
}

}  // namespace cotangent::autodiff::reverse::scalar

template <class Tape>
class std::numeric_limits<cotangent::autodiff::reverse::BasicVar<Tape>>
    : public std::numeric_limits<typename Tape::Real> {};

#endif  // COTANGENT_AUTODIFF_REVERSE_VAR_H_
