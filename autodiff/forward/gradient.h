#ifndef COTANGENT_AUTODIFF_FORWARD_GRADIENT_H_
#define COTANGENT_AUTODIFF_FORWARD_GRADIENT_H_

// Computes gradients, Jacobians and Hessians by dual numbers (autodiff/forward/dual.h), for
// functions f of n inputs with m results (autodiff/function.h says what a function is). A dual
// number carries eight directions at once, so a Gradient, Jacobian, Vjp or Hvp takes n / 8
// evaluations of f (rounded up), each of which costs as much as a few on plain numbers; a Jvp takes
// one, a Hessian n^2 / 8. autodiff/differentiate.h offers the same functions in all modes, and
// reports errors.
//
// The point may consist of scalars of any type S; usually S is double, and for Jvp and Vjp it must
// be. Inside a function that is itself being differentiated, pass its scalars as the point: the
// results are scalars of the same type, so the outer derivative takes them into account:
//
//   Gradient([](auto v) {                                    // v^2 at 1: 2
//     using S = std::decay_t<decltype(v[0])>;
//     auto g = [&](auto w) { return v[0] * w[0]; };
//     return v[0] * Gradient(g, std::vector<S>{1.0})[0];     // d(v w)/dw = v
//   }, std::vector{1.0});
//
// If the inner gradient got a point of doubles, its result would wrongly be a constant to the outer
// function. The types prevent this: g does not compile if it mixes the outer function's scalars
// with its own.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <type_traits>
#include <vector>

#include "autodiff/forward/dual.h"
#include "autodiff/function.h"

namespace cotangent::autodiff::forward {

inline constexpr int kDirectionsAtOnce = 8;

// Element<X> is the type of the coordinates of a point of type X. ScalarOf<X> is the type of the
// results for such a point: double if the coordinates are plain numbers other than long double,
// otherwise the coordinates' type, such as the scalar of an outer function that is being
// differentiated.
template <class X>
using Element = std::remove_cvref_t<decltype(*std::begin(std::declval<const X&>()))>;
template <class X>
using ScalarOf =
    std::conditional_t<std::is_arithmetic_v<Element<X>> && !std::is_same_v<Element<X>, long double>,
                       double, Element<X>>;

// The type D, after a check that a function of type F can be called with dual numbers of this type.
// LevelDual is the type with which F is called for first derivatives: N directions, the level of F
// (a tag; LEVELS in dual.h). LevelDualOfDuals is that for second derivatives: one direction, whose
// values and tangents are dual numbers with N directions.
template <class F, class D>
struct TakenBy {
  static_assert(
      std::is_invocable_v<const F&, std::span<const D>>,
      "write the function as a template over its scalar, such as [](auto x) { .. }: one of "
      "a single type of dual numbers could not tell its own from those of a function "
      "around it (autodiff/forward/dual.h, LEVELS)");
  using type = D;
};
template <class F, class S, int N>
using LevelDual = typename TakenBy<F, Dual<S, N, &kLevelOf<F>>>::type;
template <class F, class S, int N>
using LevelDualOfDuals = typename TakenBy<F, Dual<Dual<S, N, &kLevelOf<F>>, 1, &kLevelOf<F>>>::type;

// Converts the coordinates of the point x to type D, as constants (all tangents are zero).
template <class D, class X>
std::vector<D> Constants(const X& x) {
  return std::vector<D>(std::begin(x), std::end(x));
}

// Calls visit(first, results) for each group of eight consecutive inputs, of which `first` is the
// index (from 0) of the first one: results[i].tangent[k] is the derivative of output i by input
// first + k. The last group may have fewer than eight inputs.
template <class F, class X, class Visit>
void VisitDirections(const F& f, const X& x, Visit visit) {
  using D = LevelDual<F, ScalarOf<X>, kDirectionsAtOnce>;
  const std::size_t n = std::size(x);
  std::vector<D> at = Constants<D>(x);
  for (std::size_t first = 0; first < n; first += kDirectionsAtOnce) {
    const std::size_t end = std::min(first + kDirectionsAtOnce, n);
    for (std::size_t j = first; j < end; ++j)
      at[j] = D::Variable(x[j], static_cast<int>(j - first));
    visit(first, Outputs<D>(f, std::span<const D>(at)));
    for (std::size_t j = first; j < end; ++j) at[j] = D(x[j]);
  }
}

// Returns the m by n Jacobian of f at x, row after row.
template <class F, class X>
std::vector<ScalarOf<X>> Jacobian(const F& f, const X& x) {
  const std::size_t n = std::size(x);
  std::vector<ScalarOf<X>> jacobian;
  VisitDirections(f, x, [&](std::size_t first, const auto& results) {
    jacobian.resize(results.size() * n);
    for (std::size_t i = 0; i < results.size(); ++i) {
      for (std::size_t j = first; j < std::min(first + kDirectionsAtOnce, n); ++j) {
        jacobian[i * n + j] = results[i].tangent[static_cast<int>(j - first)];
      }
    }
  });
  return jacobian;
}

// Returns the gradient of a function with one result.
template <class F, class X>
std::vector<ScalarOf<X>> Gradient(const F& f, const X& x) {
  return Jacobian(f, x);
}

// Returns the value at x of a function with one result and sets `gradient` to its n partial
// derivatives. Costs as much as the gradient alone. If x is empty, returns 0 without calling f.
template <class F, class X>
ScalarOf<X> ValueAndGradient(const F& f, const X& x, std::vector<ScalarOf<X>>& gradient) {
  gradient.resize(std::size(x));
  ScalarOf<X> value(0);
  VisitDirections(f, x, [&](std::size_t first, const auto& results) {
    value = results[0].value;
    for (std::size_t j = first; j < std::min(first + kDirectionsAtOnce, gradient.size()); ++j)
      gradient[j] = results[0].tangent[static_cast<int>(j - first)];
  });
  return value;
}

// Returns the Jacobian at x times `direction` (n entries): m entries. Takes one evaluation of f.
template <class F>
std::vector<double> Jvp(const F& f, std::span<const double> x, std::span<const double> direction) {
  using D = LevelDual<F, double, 1>;
  std::vector<D> at = Constants<D>(x);
  for (std::size_t j = 0; j < x.size(); ++j) at[j].tangent[0] = direction[j];
  std::vector<double> product;
  for (const D& result : Outputs<D>(f, std::span<const D>(at)))
    product.push_back(result.tangent[0]);
  return product;
}

// Returns the transposed Jacobian at x times `weights` (m entries): n entries. Forward mode
// computes the whole Jacobian for this, one group of eight columns at a time.
template <class F>
std::vector<double> Vjp(const F& f, std::span<const double> x, std::span<const double> weights) {
  std::vector<double> product(x.size(), 0.0);
  VisitDirections(f, x, [&](std::size_t first, const auto& results) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      for (std::size_t j = first; j < std::min(first + kDirectionsAtOnce, x.size()); ++j) {
        product[j] += weights[i] * results[i].tangent[static_cast<int>(j - first)];
      }
    }
  });
  return product;
}

// Returns the Hessian at x times `direction` (n entries) for a function with one result: n entries.
// Uses duals of duals: the outer tangent carries the direction, and the inner tangents belong to
// eight inputs at a time.
template <class F, class X>
std::vector<ScalarOf<X>> Hvp(const F& f, const X& x, std::span<const ScalarOf<X>> direction) {
  using Outer = LevelDualOfDuals<F, ScalarOf<X>, kDirectionsAtOnce>;
  using Inner = typename Outer::Scalar;
  const std::size_t n = std::size(x);
  std::vector<Outer> at = Constants<Outer>(x);
  for (std::size_t j = 0; j < n; ++j) at[j].tangent[0] = Inner(direction[j]);
  std::vector<ScalarOf<X>> product(n);
  for (std::size_t first = 0; first < n; first += kDirectionsAtOnce) {
    const std::size_t end = std::min(first + kDirectionsAtOnce, n);
    for (std::size_t j = first; j < end; ++j)
      at[j].value = Inner::Variable(x[j], static_cast<int>(j - first));
    const Outer result = Outputs<Outer>(f, std::span<const Outer>(at))[0];
    for (std::size_t j = first; j < end; ++j)
      product[j] = result.tangent[0].tangent[static_cast<int>(j - first)];
    for (std::size_t j = first; j < end; ++j) at[j].value = Inner(x[j]);
  }
  return product;
}

// Returns the n by n Hessian at x of a function with one result, row after row. Each row is
// computed as the Hessian times a unit vector.
template <class F, class X>
std::vector<ScalarOf<X>> Hessian(const F& f, const X& x) {
  std::vector<ScalarOf<X>> hessian, direction(std::size(x), ScalarOf<X>(0));
  for (std::size_t i = 0; i < direction.size(); ++i) {
    direction[i] = ScalarOf<X>(1);
    const std::vector<ScalarOf<X>> row = Hvp(f, x, direction);
    direction[i] = ScalarOf<X>(0);
    hessian.insert(hessian.end(), row.begin(), row.end());
  }
  return hessian;
}

}  // namespace cotangent::autodiff::forward

#endif  // COTANGENT_AUTODIFF_FORWARD_GRADIENT_H_
