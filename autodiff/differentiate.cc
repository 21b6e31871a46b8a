#include "autodiff/differentiate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "autodiff/sparse.h"
#include "autodiff/symbolic/derivative_limit.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/limits.h"
#include "base/status_macros.h"

namespace cotangent::autodiff {

const char* ModeName(Mode mode) {
  switch (mode) {
    case Mode::kNumeric:
      return "numeric";
    case Mode::kForward:
      return "forward";
    case Mode::kReverse:
      return "reverse";
    case Mode::kSymbolic:
      return "symbolic";
  }
  return "unknown";
}

absl::StatusOr<ExpressionFunction> ExpressionFunction::Create(
    std::vector<symbolic::Expr> outputs, std::vector<symbolic::Expr> variables) {
  if (outputs.empty()) return absl::InvalidArgumentError("a function needs at least one formula");
  ASSIGN_OR_RETURN(symbolic::Program program, symbolic::Program::Create(outputs, variables));
  return ExpressionFunction(std::move(program), std::move(outputs), std::move(variables));
}

namespace differentiate_internal {
namespace {

// Returns a point as text: the first six coordinates, as in "(x0 = 1, x1 = 2)", and then how many
// follow, as in "... 98 more".
std::string DescribePoint(std::span<const double> x) {
  constexpr std::size_t kMostShown = 6;
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < std::min(x.size(), kMostShown); ++i)
    parts.push_back(absl::StrCat("x", i, " = ", x[i]));
  if (x.size() > kMostShown) parts.push_back(absl::StrCat("... ", x.size() - kMostShown, " more"));
  return absl::StrCat("(", absl::StrJoin(parts, ", "), ")");
}

std::string Causes(const Inspection& inspection) {
  return inspection.findings.domain.empty() ? "an intermediate result overflows"
                                            : absl::StrJoin(inspection.findings.domain, "; ");
}

absl::StatusOr<Vector> EvaluateAt(const std::vector<symbolic::Expr>& outputs,
                                  const std::vector<symbolic::Expr>& variables,
                                  std::span<const double> x) {
  ASSIGN_OR_RETURN(const symbolic::Program program, symbolic::Program::Create(outputs, variables));
  return program.Evaluate<double>(absl::Span<const double>(x.data(), x.size()));
}

std::vector<symbolic::Expr> Flattened(const std::vector<std::vector<symbolic::Expr>>& rows) {
  std::vector<symbolic::Expr> flat;
  for (const auto& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return flat;
}

}  // namespace

absl::Status CheckInputs(std::span<const double> x) {
  if (x.empty())
    return absl::InvalidArgumentError(
        "the point has no coordinates: there is nothing to differentiate by");
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (!std::isfinite(x[i]))
      return absl::InvalidArgumentError(
          absl::StrCat("input ", i, " is ", x[i], "; expected a finite number"));
  }
  return absl::OkStatus();
}

absl::Status CheckSize(const char* what, std::size_t found, const char* of_what,
                       std::size_t expected) {
  if (found == expected) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, ": found ", found, " entries, expected ",
                                                 expected, ", as many as there are ", of_what));
}

absl::Status CheckOneResult(const char* operation, std::size_t results) {
  if (results == 1) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(operation, " is of a function with one result; this one has ", results,
                   ": ask for its Jacobian, or weigh its results"));
}

bool AllFinite(std::span<const double> values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

absl::Status NotFinite(const Inspection& inspection, std::span<const double> x) {
  return absl::OutOfRangeError(
      absl::StrCat("the function is not finite at ", DescribePoint(x), ": ", Causes(inspection)));
}

absl::Status DerivativeNotFinite(const Inspection& inspection, std::span<const double> x,
                                 const std::string& which) {
  return absl::OutOfRangeError(
      absl::StrCat(which, " is not finite at ", DescribePoint(x), ": ", Causes(inspection)));
}

absl::Status UnsupportedSymbolically(const std::string& name) {
  return absl::UnimplementedError(absl::StrCat(name, " has no symbolic form; take another mode"));
}

// Evaluates derivatives at x. Those that are not finite there become limit(index, point, budget),
// unless that is an error.
template <typename Limit>
absl::StatusOr<Vector> EvaluateOrLimit(const std::vector<symbolic::Expr>& derivatives,
                                       const std::vector<symbolic::Expr>& variables,
                                       std::span<const double> x, Limit limit) {
  ASSIGN_OR_RETURN(Vector values, EvaluateAt(derivatives, variables, x));
  symbolic::Bindings point;
  for (std::size_t j = 0; j < x.size(); ++j) point[variables[j].name()] = x[j];
  symbolic::Budget budget(symbolic::kLimitWork);
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    const absl::StatusOr<double> found = limit(i, point, &budget);
    if (found.ok()) values[i] = *found;
  }
  return values;
}

absl::StatusOr<Vector> SymbolicJacobian(const std::vector<symbolic::Expr>& outputs,
                                        const std::vector<symbolic::Expr>& variables,
                                        std::span<const double> x) {
  return EvaluateOrLimit(
      Flattened(symbolic::Jacobian(outputs, variables)), variables, x,
      [&](std::size_t i, const symbolic::Bindings& point, symbolic::Budget* budget) {
        return symbolic::DerivativeByLimit(outputs[i / x.size()], variables[i % x.size()], point,
                                           budget);
      });
}

absl::StatusOr<Vector> SymbolicHessian(symbolic::Expr output,
                                       const std::vector<symbolic::Expr>& variables,
                                       std::span<const double> x) {
  return EvaluateOrLimit(
      Flattened(symbolic::Hessian(output, variables)), variables, x,
      [&](std::size_t i, const symbolic::Bindings& point, symbolic::Budget* budget) {
        return symbolic::SecondDerivativeByLimit(output, variables[i / x.size()],
                                                 variables[i % x.size()], point, budget);
      });
}

Vector Values(const std::vector<numeric::Estimate>& estimates) {
  Vector values;
  for (const numeric::Estimate& estimate : estimates) values.push_back(estimate.value);
  return values;
}

Vector Multiply(const Vector& matrix, std::span<const double> v) {
  Vector product(matrix.size() / v.size(), 0.0);
  for (std::size_t k = 0; k < matrix.size(); ++k)
    product[k / v.size()] += matrix[k] * v[k % v.size()];
  return product;
}

Vector MultiplyTransposed(const Vector& matrix, std::span<const double> w, std::size_t columns) {
  Vector product(columns, 0.0);
  for (std::size_t k = 0; k < matrix.size(); ++k)
    product[k % columns] += matrix[k] * w[k / columns];
  return product;
}

absl::Status CheckPattern(const Pattern& pattern, std::size_t rows, std::size_t columns) {
  if (pattern.rows.size() != rows || pattern.columns != columns) {
    return absl::InvalidArgumentError(absl::StrCat("the pattern is ", pattern.rows.size(), " x ",
                                                   pattern.columns, "; expected ", rows, " x ",
                                                   columns));
  }
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::uint32_t j : pattern.rows[i]) {
      if (j >= columns) {
        return absl::InvalidArgumentError(absl::StrCat("the pattern's row ", i, " names column ", j,
                                                       "; expected columns below ", columns));
      }
    }
  }
  return absl::OkStatus();
}

std::vector<Vector> Seeds(const Coloring& coloring) {
  std::vector<Vector> seeds(coloring.colors, Vector(coloring.color.size(), 0.0));
  for (std::size_t j = 0; j < coloring.color.size(); ++j) seeds[coloring.color[j]][j] = 1;
  return seeds;
}

Vector FromColumns(const Pattern& pattern, const Coloring& coloring,
                   const std::vector<Vector>& products) {
  Vector values;
  for (std::size_t i = 0; i < pattern.rows.size(); ++i) {
    for (std::uint32_t j : pattern.rows[i]) values.push_back(products[coloring.color[j]][i]);
  }
  return values;
}

Vector FromRows(const Pattern& pattern, const Coloring& coloring,
                const std::vector<Vector>& products) {
  Vector values;
  for (std::size_t i = 0; i < pattern.rows.size(); ++i) {
    for (std::uint32_t j : pattern.rows[i]) values.push_back(products[coloring.color[i]][j]);
  }
  return values;
}

// Component i of the product for colour c is the sum of the Hessian's entries in row i and the
// columns of colour c. The sum is entry (i, j) itself if j is the only column of that colour with
// an entry in row i. A star colouring guarantees for each i and j that this holds for entry (i, j)
// or for its mirror image (j, i), which has the same value.
Vector FromSymmetric(const Pattern& pattern, const Coloring& coloring,
                     const std::vector<Vector>& products) {
  Vector values;
  // How many columns of each colour have an entry in row i.
  std::vector<std::size_t> columns(coloring.colors, 0);
  for (std::uint32_t i = 0; i < pattern.rows.size(); ++i) {
    for (std::uint32_t j : pattern.rows[i]) ++columns[coloring.color[j]];
    for (std::uint32_t j : pattern.rows[i]) {
      values.push_back(columns[coloring.color[j]] == 1 ? products[coloring.color[j]][i]
                                                       : products[coloring.color[i]][j]);
    }
    for (std::uint32_t j : pattern.rows[i]) columns[coloring.color[j]] = 0;
  }
  return values;
}

absl::StatusOr<Vector> SymbolicEntries(const Pattern& pattern,
                                       const std::vector<symbolic::Expr>& outputs,
                                       const std::vector<symbolic::Expr>& variables,
                                       std::span<const double> x) {
  std::vector<symbolic::Expr> entries;
  for (std::size_t i = 0; i < pattern.rows.size(); ++i) {
    std::vector<symbolic::Expr> by;
    for (std::uint32_t j : pattern.rows[i]) by.push_back(variables[j]);
    for (symbolic::Expr entry : symbolic::Gradient(outputs[i], by)) entries.push_back(entry);
  }
  return EvaluateAt(entries, variables, x);
}

absl::StatusOr<Vector> SymbolicSecondEntries(const Pattern& pattern, symbolic::Expr output,
                                             const std::vector<symbolic::Expr>& variables,
                                             std::span<const double> x) {
  return SymbolicEntries(pattern, symbolic::Gradient(output, variables), variables, x);
}

}  // namespace differentiate_internal

Matrix SparseMatrix::Dense() const {
  Matrix dense{pattern.rows.size(), pattern.columns,
               std::vector<double>(pattern.rows.size() * pattern.columns, 0.0)};
  std::size_t k = 0;
  for (std::size_t i = 0; i < pattern.rows.size(); ++i) {
    for (std::uint32_t j : pattern.rows[i]) dense.values[i * pattern.columns + j] = values[k++];
  }
  return dense;
}

}  // namespace cotangent::autodiff
