#ifndef COTANGENT_AUTODIFF_DIFFERENTIATE_H_
#define COTANGENT_AUTODIFF_DIFFERENTIATE_H_

// One interface to four ways of differentiating: numeric, forward, reverse and symbolic.
//
//   auto f = [](auto x) {  // autodiff/function.h says what a function is
//     using namespace cotangent::autodiff::functions;
//     return cos(x[0]) * cos(x[1]) + sigmoid(x[1]);
//   };
//   const std::vector<double> x = {1, 2};
//   absl::StatusOr<std::vector<double>> gradient = Gradient(f, x, Mode::kReverse);
//
// The same functions differentiate formulas:
//
//   symbolic::Pool pool;
//   ... outputs, variables from symbolic::Parse ...
//   auto function = ExpressionFunction::Create(outputs, variables);
//   absl::StatusOr<Matrix> jacobian = Jacobian(*function, x, Mode::kForward);
//
// Rough cost for n inputs and m outputs, in units of one evaluation of f ("1" stands for a small
// constant; a sweep is one backward pass over the recorded operations):
//
//              numeric   forward   reverse
//   Gradient   20 n      n / 8     1              and ValueAndGradient
//   Jacobian   20 n      n / 8     1 + m sweeps
//   Jvp        20        1         1 + m sweeps
//   Vjp        20 n      n / 8     1
//   Hvp        40 n^2    n / 8     1
//   Hessian    40 n^2    n^2 / 8   n / 4
//
// To this, each call adds one or more evaluations for the checks below. Symbolic mode builds the
// formulas of the derivatives on each call, which costs far more than evaluating them. To evaluate
// them many times, build them once with autodiff/symbolic.
//
// Forward, reverse and symbolic mode use the same derivatives at kinks (points where the
// derivatives from the left and from the right differ; the table in autodiff/math.h lists them) and
// at the edges of domains; numeric mode, which sees only values, may give another number there. All
// modes return the same shapes and report errors in the same way:
//
//   InvalidArgument  There are no inputs; an input is not finite; a direction or the weights have
//                    the wrong size; or the function of a Gradient, ValueAndGradient, Hessian or
//                    Hvp has not exactly one result.
//   OutOfRange       The function or a computed derivative is not finite at the point. The message
//                    names the operation that caused it and the value it was applied to, if the
//                    function's first derivatives show it.
//   Unimplemented    Symbolic mode only: f, run on symbolic scalars, uses what they do not support
//                    (autodiff/symbolic_scalar.h), such as the gamma function.
//
// f is called several times, so a function that keeps state must allow that. Related headers:
// autodiff/sparse.h for sparse Jacobians and Hessians; autodiff/blocks.h for functions that take
// several blocks of parameters, f(const T* camera, const T* point, T* residual). Taking a
// derivative inside a function that is itself being differentiated does not compile where the two
// derivatives would be confused; autodiff/forward/gradient.h says what to write instead.

#include <cmath>
#include <concepts>
#include <cstddef>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "autodiff/forward/gradient.h"
#include "autodiff/function.h"
#include "autodiff/numeric/differences.h"
#include "autodiff/probe.h"
#include "autodiff/reverse/gradient.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/expression.h"
#include "autodiff/symbolic_scalar.h"

namespace cotangent::autodiff {

enum class Mode { kNumeric, kForward, kReverse, kSymbolic };
inline constexpr Mode kAllModes[] = {Mode::kNumeric, Mode::kForward, Mode::kReverse,
                                     Mode::kSymbolic};

// Returns "numeric", "forward", "reverse" or "symbolic".
const char* ModeName(Mode mode);

// Says how to differentiate: a mode, and optionally settings for it.
struct Method {
  Method(Mode mode) : mode(mode) {}  // NOLINT: a mode is a method

  Mode mode;
  numeric::Options numeric;
  // If not null, is set to one line for each kink at the point (at most 8), which says which
  // derivative is taken there. Costs one more evaluation of f.
  std::vector<std::string>* kinks = nullptr;
};

// A dense matrix, stored row after row.
struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values;

  double operator()(std::size_t row, std::size_t column) const {
    return values[row * columns + column];
  }
};

// Wraps formulas as a function that every mode can differentiate.
class ExpressionFunction {
 public:
  // Fails if there are no outputs, or if one contains a variable that is not in `variables`. The
  // Pool that owns the expressions must outlive the returned function. Symbolic differentiation
  // adds expressions to that Pool, so only one thread at a time may use it.
  static absl::StatusOr<ExpressionFunction> Create(std::vector<symbolic::Expr> outputs,
                                                   std::vector<symbolic::Expr> variables);

  template <class S>
  std::vector<S> operator()(std::span<const S> x) const {
    return program_.Evaluate<S>(absl::Span<const S>(x.data(), x.size()));
  }

  const std::vector<symbolic::Expr>& outputs() const { return outputs_; }
  const std::vector<symbolic::Expr>& variables() const { return variables_; }

 private:
  ExpressionFunction(symbolic::Program program, std::vector<symbolic::Expr> outputs,
                     std::vector<symbolic::Expr> variables)
      : program_(std::move(program)),
        outputs_(std::move(outputs)),
        variables_(std::move(variables)) {}

  symbolic::Program program_;
  std::vector<symbolic::Expr> outputs_, variables_;
};

namespace differentiate_internal {

using Vector = std::vector<double>;

absl::Status CheckInputs(std::span<const double> x);
absl::Status CheckSize(const char* what, std::size_t found, const char* of_what,
                       std::size_t expected);
absl::Status CheckOneResult(const char* operation, std::size_t results);
absl::Status NotFinite(const Inspection& inspection, std::span<const double> x);
absl::Status DerivativeNotFinite(const Inspection& inspection, std::span<const double> x,
                                 const std::string& which);
bool AllFinite(std::span<const double> values);

// Returns the Jacobian at x, row after row: m rows (outputs) by n columns (variables).
absl::StatusOr<Vector> SymbolicJacobian(const std::vector<symbolic::Expr>& outputs,
                                        const std::vector<symbolic::Expr>& variables,
                                        std::span<const double> x);
// Returns the n by n Hessian of `output` at x, row after row.
absl::StatusOr<Vector> SymbolicHessian(symbolic::Expr output,
                                       const std::vector<symbolic::Expr>& variables,
                                       std::span<const double> x);
absl::Status UnsupportedSymbolically(const std::string& name);

Vector Values(const std::vector<numeric::Estimate>& estimates);
// Returns the matrix (m by n, row after row) times v (n numbers).
Vector Multiply(const Vector& matrix, std::span<const double> v);
// Returns the transposed matrix (the matrix is m by n) times w (m numbers); `columns` is n.
Vector MultiplyTransposed(const Vector& matrix, std::span<const double> w, std::size_t columns);

// Returns f's results at x, or an error if x is empty, or a number in x or among the results is not
// finite. Sets *how.kinks if how.kinks is not null and x is valid.
template <class F>
absl::StatusOr<Vector> CheckedValues(const F& f, std::span<const double> x, const Method& how) {
  if (absl::Status status = CheckInputs(x); !status.ok()) return status;
  Vector values = Outputs<double>(f, x);
  const bool finite = AllFinite(values);
  if (finite && how.kinks == nullptr) return values;
  const Inspection inspection = Inspect(f, x);
  if (how.kinks != nullptr) *how.kinks = inspection.findings.kinks;
  if (!finite) return NotFinite(inspection, x);
  return values;
}

// Returns an error if one of the derivatives is not finite. The message names its row and column,
// in a matrix with `columns` columns.
template <class F>
absl::Status CheckFinite(const F& f, std::span<const double> x, const Vector& derivatives,
                         std::size_t columns) {
  for (std::size_t k = 0; k < derivatives.size(); ++k) {
    if (std::isfinite(derivatives[k])) continue;
    const std::string which =
        "derivative (" + std::to_string(k / columns) + ", " + std::to_string(k % columns) + ")";
    return DerivativeNotFinite(Inspect(f, x), x, which);
  }
  return absl::OkStatus();
}

// Plain and PlainScalar wrap f for numeric differences, which evaluate it on plain numbers.
template <class F>
numeric::VectorFunction Plain(const F& f) {
  return [&f](std::span<const double> at) { return Outputs<double>(f, at); };
}
template <class F>
numeric::ScalarFunction PlainScalar(const F& f) {
  return [&f](std::span<const double> at) { return Outputs<double>(f, at)[0]; };
}

// Returns what `use` returns for f's formulas and variables. An ExpressionFunction has formulas;
// any other function is run once on symbolic scalars, which yields the formulas of the branches
// that it takes at x, or an error if it uses what they do not support.
template <class F, class Use>
absl::StatusOr<Vector> WithFormulas(const F& f, std::span<const double> x, Use use) {
  if constexpr (std::same_as<F, ExpressionFunction>) {
    return use(f.outputs(), f.variables());
  } else {
    SymbolicTrace trace;
    const Formulas formulas = TraceFormulas(f, x, trace);
    if (!trace.unsupported.empty()) return UnsupportedSymbolically(trace.unsupported);
    return use(formulas.outputs, formulas.variables);
  }
}

template <class F>
absl::StatusOr<Vector> JacobianValues(const F& f, std::span<const double> x, const Method& how) {
  switch (how.mode) {
    case Mode::kNumeric:
      return Values(numeric::Jacobian(Plain(f), x, how.numeric));
    case Mode::kForward:
      return forward::Jacobian(f, x);
    case Mode::kReverse:
      return reverse::Jacobian(f, x);
    case Mode::kSymbolic:
      return WithFormulas(f, x, [&](const auto& outputs, const auto& variables) {
        return SymbolicJacobian(outputs, variables, x);
      });
  }
  return absl::InvalidArgumentError("no such mode");
}

template <class F>
absl::StatusOr<Vector> HessianValues(const F& f, std::span<const double> x, const Method& how) {
  switch (how.mode) {
    case Mode::kNumeric:
      return Values(numeric::Hessian(PlainScalar(f), x, how.numeric));
    case Mode::kForward:
      return forward::Hessian(f, x);
    case Mode::kReverse:
      return reverse::Hessian(f, x);
    case Mode::kSymbolic:
      return WithFormulas(f, x, [&](const auto& outputs, const auto& variables) {
        return SymbolicHessian(outputs[0], variables, x);
      });
  }
  return absl::InvalidArgumentError("no such mode");
}

// Returns the derivatives, or an error if one of them is not finite.
template <class F>
absl::StatusOr<Vector> Checked(const F& f, std::span<const double> x,
                               absl::StatusOr<Vector> derivatives, std::size_t columns) {
  if (!derivatives.ok()) return derivatives;
  if (absl::Status status = CheckFinite(f, x, *derivatives, columns); !status.ok()) return status;
  return derivatives;
}

}  // namespace differentiate_internal

// Returns f's m results at x.
template <class F>
absl::StatusOr<std::vector<double>> Value(const F& f, std::span<const double> x) {
  return differentiate_internal::CheckedValues(f, x, Mode::kForward);
}

// Returns the m by n Jacobian at x: row i holds the partial derivatives of result i.
template <class F>
absl::StatusOr<Matrix> Jacobian(const F& f, std::span<const double> x, const Method& how) {
  using namespace differentiate_internal;  // NOLINT
  const absl::StatusOr<Vector> y = CheckedValues(f, x, how);
  if (!y.ok()) return y.status();
  absl::StatusOr<Vector> values = Checked(f, x, JacobianValues(f, x, how), x.size());
  if (!values.ok()) return values.status();
  return Matrix{y->size(), x.size(), *std::move(values)};
}

// Returns the n partial derivatives at x of a function with one result.
template <class F>
absl::StatusOr<std::vector<double>> Gradient(const F& f, std::span<const double> x,
                                             const Method& how) {
  using namespace differentiate_internal;  // NOLINT
  const absl::StatusOr<Vector> y = CheckedValues(f, x, how);
  if (!y.ok()) return y.status();
  if (absl::Status status = CheckOneResult("Gradient", y->size()); !status.ok()) return status;
  return Checked(f, x, JacobianValues(f, x, how), x.size());
}

// The value at x of a function with one result, and its n partial derivatives.
struct ValueWithGradient {
  double value = 0;
  std::vector<double> gradient;
};
template <class F>
absl::StatusOr<ValueWithGradient> ValueAndGradient(const F& f, std::span<const double> x,
                                                   const Method& how) {
  using namespace differentiate_internal;  // NOLINT
  const absl::StatusOr<Vector> y = CheckedValues(f, x, how);
  if (!y.ok()) return y.status();
  if (absl::Status status = CheckOneResult("ValueAndGradient", y->size()); !status.ok())
    return status;
  absl::StatusOr<Vector> gradient = Checked(f, x, JacobianValues(f, x, how), x.size());
  if (!gradient.ok()) return gradient.status();
  return ValueWithGradient{y->front(), *std::move(gradient)};
}

// Returns the symmetric n by n Hessian at x of a function with one result.
template <class F>
absl::StatusOr<Matrix> Hessian(const F& f, std::span<const double> x, const Method& how) {
  using namespace differentiate_internal;  // NOLINT
  const absl::StatusOr<Vector> y = CheckedValues(f, x, how);
  if (!y.ok()) return y.status();
  if (absl::Status status = CheckOneResult("Hessian", y->size()); !status.ok()) return status;
  absl::StatusOr<Vector> values = Checked(f, x, HessianValues(f, x, how), x.size());
  if (!values.ok()) return values.status();
  return Matrix{x.size(), x.size(), *std::move(values)};
}

// Returns the Jacobian at x times `direction` (n numbers): how fast each of the m results changes
// along that direction.
template <class F>
absl::StatusOr<std::vector<double>> Jvp(const F& f, std::span<const double> x,
                                        std::span<const double> direction, const Method& how) {
  using namespace differentiate_internal;  // NOLINT
  const absl::StatusOr<Vector> y = CheckedValues(f, x, how);
  if (!y.ok()) return y.status();
  if (absl::Status status = CheckSize("direction", direction.size(), "inputs", x.size());
      !status.ok())
    return status;
  if (how.mode == Mode::kNumeric) {
    return Checked(f, x,
                   Values(numeric::DirectionalDerivative(Plain(f), x, direction, how.numeric)), 1);
  }
  if (how.mode == Mode::kForward) return Checked(f, x, forward::Jvp(f, x, direction), 1);
  const absl::StatusOr<Vector> jacobian = Checked(f, x, JacobianValues(f, x, how), x.size());
  if (!jacobian.ok()) return jacobian.status();
  return Multiply(*jacobian, direction);
}

// Returns the transposed Jacobian at x times `weights` (m numbers): the gradient of the weighted
// sum of the m results.
template <class F>
absl::StatusOr<std::vector<double>> Vjp(const F& f, std::span<const double> x,
                                        std::span<const double> weights, const Method& how) {
  using namespace differentiate_internal;  // NOLINT
  const absl::StatusOr<Vector> y = CheckedValues(f, x, how);
  if (!y.ok()) return y.status();
  if (absl::Status status = CheckSize("weights", weights.size(), "results", y->size());
      !status.ok())
    return status;
  if (how.mode == Mode::kForward) return Checked(f, x, forward::Vjp(f, x, weights), x.size());
  if (how.mode == Mode::kReverse) return Checked(f, x, reverse::Vjp(f, x, weights), x.size());
  const absl::StatusOr<Vector> jacobian = Checked(f, x, JacobianValues(f, x, how), x.size());
  if (!jacobian.ok()) return jacobian.status();
  return MultiplyTransposed(*jacobian, weights, x.size());
}

// Returns the Hessian at x times `direction` (n numbers), for a function with one result.
template <class F>
absl::StatusOr<std::vector<double>> Hvp(const F& f, std::span<const double> x,
                                        std::span<const double> direction, const Method& how) {
  using namespace differentiate_internal;  // NOLINT
  const absl::StatusOr<Vector> y = CheckedValues(f, x, how);
  if (!y.ok()) return y.status();
  if (absl::Status status = CheckOneResult("Hvp", y->size()); !status.ok()) return status;
  if (absl::Status status = CheckSize("direction", direction.size(), "inputs", x.size());
      !status.ok())
    return status;
  if (how.mode == Mode::kForward) return Checked(f, x, forward::Hvp(f, x, direction), x.size());
  if (how.mode == Mode::kReverse) return Checked(f, x, reverse::Hvp(f, x, direction), x.size());
  const absl::StatusOr<Vector> hessian = Checked(f, x, HessianValues(f, x, how), x.size());
  if (!hessian.ok()) return hessian.status();
  return Multiply(*hessian, direction);
}

}  // namespace cotangent::autodiff

#endif  // COTANGENT_AUTODIFF_DIFFERENTIATE_H_
