#ifndef COTANGENT_AUTODIFF_SPARSE_H_
#define COTANGENT_AUTODIFF_SPARSE_H_

// Computes sparse Jacobians and Hessians. The caller gives the pattern (the entries that may differ
// from zero), or the pattern is detected by running the function once on probes (autodiff/probe.h).
// The columns are coloured (autodiff/coloring.h) such that columns of one colour never have an
// entry in the same row; one derivative along the sum of their unit vectors then computes them all.
// A tridiagonal Jacobian of a million rows takes three such directions.
//
// How each mode computes the entries (a star colouring is one from which a symmetric matrix can be
// read off):
//
//   forward    Jacobian: colours of columns, eight colours in each evaluation.
//              Hessian: as reverse.
//   reverse    Jacobian: colours of rows, one backward sweep for each colour.
//              Hessian: a star colouring, eight colours in each recording.
//   symbolic   Jacobian and Hessian: the formulas of the entries in the pattern are evaluated.
//   numeric    Jacobian: colours of columns, about twenty evaluations for each colour.
//              Hessian: all second differences; the pattern only selects the entries to return.
//
// A given pattern may contain entries that are zero, but must not lack one that is not: an entry
// outside the pattern is taken to be zero. A detected pattern is valid at x and wherever f takes
// the same branches as at x.
//
// Errors are those of autodiff/differentiate.h, and InvalidArgument if the pattern does not have
// the shape of the derivative, or, for a Hessian, is not symmetric with ascending columns in each
// row.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "autodiff/coloring.h"
#include "autodiff/differentiate.h"

namespace cotangent::autodiff {

// `values` holds the entries row after row: for each row i, one value for each column listed in
// pattern.rows[i].
struct SparseMatrix {
  Pattern pattern;
  std::vector<double> values;
  std::uint32_t colors = 0;  // how many colours were used; 0 if the mode needs none

  Matrix Dense() const;
};

// Returns the pattern of the Jacobian of f at x: row i lists the inputs that result i depends on.
template <class F>
Pattern JacobianPattern(const F& f, std::span<const double> x) {
  return {x.size(), Inspect(f, x).dependencies};
}

// Returns, for a function with one result, the pairs of inputs that meet in a nonlinear operation
// at x, as a symmetric pattern; it always includes the diagonal.
template <class F>
Pattern HessianPattern(const F& f, std::span<const double> x) {
  const Inspection inspection = Inspect(f, x, /*track_pairs=*/true);
  Pattern pattern{x.size(), {}};
  for (std::uint32_t i = 0; i < x.size(); ++i) {
    std::set<std::uint32_t> row = inspection.findings.neighbours[i];
    row.insert(i);
    pattern.rows.emplace_back(row.begin(), row.end());
  }
  return pattern;
}

namespace differentiate_internal {

absl::Status CheckPattern(const Pattern& pattern, std::size_t rows, std::size_t columns);

// Returns each colour's seed: the sum of the unit vectors of the columns that have this colour.
std::vector<Vector> Seeds(const Coloring& coloring);

// The next three functions return the values of the pattern's entries, row after row.
//
// Reads the entries off the products of the Jacobian with each colour's seed: entry (i, j) is
// component i of the product for column j's colour.
Vector FromColumns(const Pattern& pattern, const Coloring& coloring,
                   const std::vector<Vector>& products);
// Reads the entries off the products of the transposed Jacobian with the seeds of row colours:
// entry (i, j) is component j of the product for row i's colour.
Vector FromRows(const Pattern& pattern, const Coloring& coloring,
                const std::vector<Vector>& products);
// Reads the entries off the products of a Hessian with the seeds of a star colouring.
Vector FromSymmetric(const Pattern& pattern, const Coloring& coloring,
                     const std::vector<Vector>& products);

absl::StatusOr<Vector> SymbolicEntries(const Pattern& pattern,
                                       const std::vector<symbolic::Expr>& outputs,
                                       const std::vector<symbolic::Expr>& variables,
                                       std::span<const double> x);
absl::StatusOr<Vector> SymbolicSecondEntries(const Pattern& pattern, symbolic::Expr output,
                                             const std::vector<symbolic::Expr>& variables,
                                             std::span<const double> x);

inline constexpr int kColorsAtOnce = 8;

// Calls visit(k0, count, at) for each group of `count` consecutive seeds, at most kColorsAtOnce,
// the first of which has index k0. `at` holds x as dual numbers of type D: tangent k of at[j] is
// component j of seed k0 + k for k < count, otherwise 0.
template <class D, class Visit>
void VisitSeeds(const std::vector<Vector>& seeds, std::span<const double> x, Visit visit) {
  for (std::size_t first = 0; first < seeds.size(); first += kColorsAtOnce) {
    const std::size_t count = std::min<std::size_t>(kColorsAtOnce, seeds.size() - first);
    std::vector<D> at = forward::Constants<D>(x);
    for (std::size_t k = 0; k < count; ++k) {
      for (std::size_t j = 0; j < x.size(); ++j)
        at[j].tangent[static_cast<int>(k)] = seeds[first + k][j];
    }
    visit(first, count, std::span<const D>(at));
  }
}

// Returns the Jacobian times each seed.
template <class F>
std::vector<Vector> ForwardProducts(const F& f, std::span<const double> x,
                                    const std::vector<Vector>& seeds) {
  using D = forward::LevelDual<F, double, kColorsAtOnce>;
  std::vector<Vector> products(seeds.size());
  VisitSeeds<D>(seeds, x, [&](std::size_t first, std::size_t count, std::span<const D> at) {
    const std::vector<D> results = Outputs<D>(f, at);
    for (std::size_t k = 0; k < count; ++k) {
      for (const D& result : results)
        products[first + k].push_back(result.tangent[static_cast<int>(k)]);
    }
  });
  return products;
}

// Returns the transposed Jacobian times each seed. f is recorded once; each seed takes one backward
// sweep.
template <class F>
std::vector<Vector> ReverseProducts(const F& f, std::span<const double> x,
                                    const std::vector<Vector>& seeds) {
  reverse::LevelTape<F> tape;
  const auto recorded = reverse::Record(tape, f, x);
  std::vector<Vector> products;
  for (const Vector& seed : seeds) {
    tape.ClearAdjoints();
    for (std::size_t i = 0; i < recorded.outputs.size(); ++i) {
      if (seed[i] != 0) tape.AddAdjoint(recorded.outputs[i], seed[i]);
    }
    tape.Sweep();
    products.emplace_back();
    for (const auto& input : recorded.inputs) products.back().push_back(tape.Adjoint(input));
  }
  return products;
}

// Returns the Hessian times each seed. f is recorded on a reverse tape, with dual numbers whose
// tangents are the seeds, up to kColorsAtOnce of them in each recording; the tangents of the
// inputs' adjoints are the products.
template <class F>
std::vector<Vector> SecondProducts(const F& f, std::span<const double> x,
                                   const std::vector<Vector>& seeds) {
  using Tape = reverse::LevelTapeOfDuals<F, kColorsAtOnce>;
  using D = typename Tape::Real;
  std::vector<Vector> products(seeds.size(), Vector(x.size()));
  Tape tape;
  VisitSeeds<D>(seeds, x, [&](std::size_t first, std::size_t count, std::span<const D> at) {
    const auto recorded = reverse::Record(tape, f, at);
    tape.Backward(recorded.outputs[0]);
    for (std::size_t j = 0; j < x.size(); ++j) {
      const D adjoint = tape.Adjoint(recorded.inputs[j]);
      for (std::size_t k = 0; k < count; ++k)
        products[first + k][j] = adjoint.tangent[static_cast<int>(k)];
    }
  });
  return products;
}

}  // namespace differentiate_internal

// Returns the Jacobian at x. Uses the given pattern, or detects one if `pattern` is null.
template <class F>
absl::StatusOr<SparseMatrix> SparseJacobian(const F& f, std::span<const double> x,
                                            const Method& how, const Pattern* pattern = nullptr) {
  using namespace differentiate_internal;  // NOLINT
  const absl::StatusOr<Vector> y = CheckedValues(f, x, how);
  if (!y.ok()) return y.status();
  SparseMatrix result;
  result.pattern = pattern != nullptr ? *pattern : JacobianPattern(f, x);
  if (absl::Status status = CheckPattern(result.pattern, y->size(), x.size()); !status.ok())
    return status;

  absl::StatusOr<Vector> values;
  if (how.mode == Mode::kSymbolic) {
    values = WithFormulas(f, x, [&](const auto& outputs, const auto& variables) {
      return SymbolicEntries(result.pattern, outputs, variables, x);
    });
  } else if (how.mode == Mode::kReverse) {
    const Coloring rows = ColorColumns(Transposed(result.pattern));
    result.colors = rows.colors;
    values = FromRows(result.pattern, rows, ReverseProducts(f, x, Seeds(rows)));
  } else {
    const Coloring columns = ColorColumns(result.pattern);
    result.colors = columns.colors;
    std::vector<Vector> products;
    if (how.mode == Mode::kForward) {
      products = ForwardProducts(f, x, Seeds(columns));
    } else {
      for (const Vector& seed : Seeds(columns)) {
        products.push_back(Values(numeric::DirectionalDerivative(Plain(f), x, seed, how.numeric)));
      }
    }
    values = FromColumns(result.pattern, columns, products);
  }
  values = Checked(f, x, std::move(values), x.size());
  if (!values.ok()) return values.status();
  result.values = *std::move(values);
  return result;
}

// Returns the Hessian at x of a function with one result. Uses the given symmetric pattern, or
// detects one if `pattern` is null. Mode::kForward records on a reverse tape as kReverse does: an
// evaluation in forward mode alone gives products s^T H t of two directions, not the product H s
// that colouring needs.
template <class F>
absl::StatusOr<SparseMatrix> SparseHessian(const F& f, std::span<const double> x, const Method& how,
                                           const Pattern* pattern = nullptr) {
  using namespace differentiate_internal;  // NOLINT
  const absl::StatusOr<Vector> y = CheckedValues(f, x, how);
  if (!y.ok()) return y.status();
  if (absl::Status status = CheckOneResult("SparseHessian", y->size()); !status.ok()) return status;
  SparseMatrix result;
  result.pattern = pattern != nullptr ? *pattern : HessianPattern(f, x);
  if (absl::Status status = CheckPattern(result.pattern, x.size(), x.size()); !status.ok())
    return status;
  if (Transposed(result.pattern).rows != result.pattern.rows) {
    return absl::InvalidArgumentError(
        "the pattern of a Hessian is symmetric, its columns ascending in each row; this one is "
        "not");
  }

  absl::StatusOr<Vector> values;
  if (how.mode == Mode::kSymbolic) {
    values = WithFormulas(f, x, [&](const auto& outputs, const auto& variables) {
      return SymbolicSecondEntries(result.pattern, outputs[0], variables, x);
    });
  } else if (how.mode == Mode::kNumeric) {
    const Vector dense = Values(numeric::Hessian(PlainScalar(f), x, how.numeric));
    values = Vector();
    for (std::size_t i = 0; i < x.size(); ++i) {
      for (std::uint32_t j : result.pattern.rows[i]) values->push_back(dense[i * x.size() + j]);
    }
  } else {
    const Coloring coloring = ColorSymmetric(result.pattern);
    result.colors = coloring.colors;
    values = FromSymmetric(result.pattern, coloring, SecondProducts(f, x, Seeds(coloring)));
  }
  values = Checked(f, x, std::move(values), x.size());
  if (!values.ok()) return values.status();
  result.values = *std::move(values);
  return result;
}

}  // namespace cotangent::autodiff

#endif  // COTANGENT_AUTODIFF_SPARSE_H_
