#ifndef COTANGENT_AUTODIFF_REVERSE_GRADIENT_H_
#define COTANGENT_AUTODIFF_REVERSE_GRADIENT_H_

// Computes derivatives of functions in reverse mode: gradient, Jacobian, products with vectors, and
// Hessian. Results have the shapes of autodiff/forward/gradient.h; autodiff/function.h says what a
// function is.
//
//   auto f = [](auto x) { return x[0] * x[1] + sin(x[0]); };
//   reverse::Gradient(f, std::vector{2.0, 3.0});     // {2.584, 2}
//
// Each call uses a tape of its own. GradientInto takes the tape as an argument, to reuse its
// memory.
//
// The variables that a function is called with have a type that belongs to this function alone
// (LevelTape below), unless it accepts variables of the plain Tape only. So if f calls a derivative
// function on an inner function, and that one computes with f's variables as well as with its own,
// the code does not compile. To differentiate through an inner derivative, pass f's variables as
// the point to forward::Gradient, whose header shows how.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "autodiff/forward/dual.h"
#include "autodiff/forward/gradient.h"
#include "autodiff/function.h"
#include "autodiff/reverse/tape.h"

namespace cotangent::autodiff::reverse {

// The inputs and outputs of a function that was recorded, as variables of the tape.
template <class Tape>
struct Recording {
  using Var = typename Tape::Var;
  std::vector<Var> inputs;
  std::vector<Var> outputs;
};

// Clears the tape and records f at x on it.
template <class Tape, class F, class X>
Recording<Tape> Record(Tape& tape, const F& f, const X& x) {
  using Var = typename Tape::Var;
  tape.Clear();
  typename Tape::Scope recording(tape);
  Recording<Tape> recorded;
  recorded.inputs.assign(std::begin(x), std::end(x));
  for (Var& input : recorded.inputs) tape.MakeInput(input);
  recorded.outputs = Outputs<Var>(f, std::span<const Var>(recorded.inputs));
  return recorded;
}

// Returns f(x) of a function with one result, and writes df/dx to `gradient`, which has x's size.
template <class Tape, class F>
double GradientInto(Tape& tape, const F& f, std::span<const double> x, std::span<double> gradient) {
  const Recording<Tape> recorded = Record(tape, f, x);
  tape.Backward(recorded.outputs[0]);
  for (std::size_t i = 0; i < x.size(); ++i) gradient[i] = tape.Adjoint(recorded.inputs[i]);
  return recorded.outputs[0].Value();
}

// The type of tape for a function of type F: a type that only F uses, or the plain Tape if F does
// not accept that type's variables. Real is the type of the numbers in the first case: double, long
// double, or the scalar of an outer function. The numbers of the plain Tape are double.
template <class F, class Real = double>
using LevelTape = std::conditional_t<
    std::is_invocable_v<const F&,
                        std::span<const BasicVar<BasicTape<Real, &forward::kLevelOf<F>>>>>,
    BasicTape<Real, &forward::kLevelOf<F>>, Tape>;
// The type of tape for second derivatives of a function of type F: the tape's numbers are duals
// with N tangents.
template <class F, int N, class Real = double>
using LevelTapeOfDuals =
    BasicTape<forward::Dual<Real, N, &forward::kLevelOf<F>>, &forward::kLevelOf<F>>;

// Returns f(x) of a function with one result, and sets `gradient` to df/dx.
template <class F>
double ValueAndGradient(const F& f, std::span<const double> x, std::vector<double>& gradient) {
  LevelTape<F> tape;
  gradient.resize(x.size());
  return GradientInto(tape, f, x, gradient);
}

// Returns df/dx of a function with one result.
template <class F>
std::vector<double> Gradient(const F& f, std::span<const double> x) {
  std::vector<double> gradient;
  ValueAndGradient(f, x, gradient);
  return gradient;
}

// Returns the vector-Jacobian product, the sum over i of weights[i] df_i/dx, in one backward sweep.
template <class F>
std::vector<double> Vjp(const F& f, std::span<const double> x, std::span<const double> weights) {
  LevelTape<F> tape;
  const auto recorded = Record(tape, f, x);
  tape.ClearAdjoints();
  for (std::size_t i = 0; i < recorded.outputs.size(); ++i)
    tape.AddAdjoint(recorded.outputs[i], weights[i]);
  tape.Sweep();
  std::vector<double> product;
  for (const auto& input : recorded.inputs) product.push_back(tape.Adjoint(input));
  return product;
}

// Returns the Jacobian, with df_i/dx_j at index [i * x.size() + j]. f is recorded once; each row
// takes one backward sweep.
template <class F, class X>
std::vector<forward::ScalarOf<X>> Jacobian(const F& f, const X& x) {
  LevelTape<F, forward::ScalarOf<X>> tape;
  const auto recorded = Record(tape, f, x);
  std::vector<forward::ScalarOf<X>> jacobian;
  jacobian.reserve(recorded.outputs.size() * std::size(x));
  for (const auto& output : recorded.outputs) {
    tape.Backward(output);
    for (const auto& input : recorded.inputs) jacobian.push_back(tape.Adjoint(input));
  }
  return jacobian;
}

// Returns the Hessian of a function with one result times a direction: the derivative of the
// gradient along that direction, by dual numbers on the tape. Costs a small multiple of the
// gradient, whatever the size of x.
template <class F>
std::vector<double> Hvp(const F& f, std::span<const double> x, std::span<const double> direction) {
  using Tape = LevelTapeOfDuals<F, 1>;
  std::vector<typename Tape::Real> point(x.begin(), x.end());
  for (std::size_t i = 0; i < x.size(); ++i) point[i].tangent[0] = direction[i];
  Tape tape;
  const auto recorded = Record(tape, f, point);
  tape.Backward(recorded.outputs[0]);
  std::vector<double> product;
  for (const auto& input : recorded.inputs) product.push_back(tape.Adjoint(input).tangent[0]);
  return product;
}

// Returns the Hessian of a function with one result, with d2f/dx_i dx_j at index [i * x.size() +
// j]. Each recording yields up to four columns.
template <class F, class X>
std::vector<forward::ScalarOf<X>> Hessian(const F& f, const X& x) {
  constexpr std::size_t kColumns = 4;
  using Tape = LevelTapeOfDuals<F, kColumns, forward::ScalarOf<X>>;
  using Dual = typename Tape::Real;
  const std::size_t n = std::size(x);
  std::vector<forward::ScalarOf<X>> hessian(n * n);
  Tape tape;
  for (std::size_t first = 0; first < n; first += kColumns) {
    const std::size_t columns = std::min(kColumns, n - first);
    std::vector<Dual> point(std::begin(x), std::end(x));
    for (std::size_t j = 0; j < columns; ++j) point[first + j].tangent[j] = 1;
    const auto recorded = Record(tape, f, point);
    tape.Backward(recorded.outputs[0]);
    for (std::size_t i = 0; i < n; ++i) {
      const Dual adjoint = tape.Adjoint(recorded.inputs[i]);
      for (std::size_t j = 0; j < columns; ++j) hessian[i * n + first + j] = adjoint.tangent[j];
    }
  }
  return hessian;
}

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_GRADIENT_H_
