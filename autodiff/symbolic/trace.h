#ifndef COTANGENT_AUTODIFF_SYMBOLIC_TRACE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_TRACE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

// Makes the trace of a computation at a point, as textbooks print it: every intermediate result v1,
// v2, ... in order, with its formula in terms of earlier results, its value at the point, its
// tangents (forward mode: its derivatives by each input) and its adjoints (reverse mode: the
// derivatives of each output by it). A difference or a quotient is one step.
namespace cotangent::autodiff::symbolic {

struct TraceArgument {
  size_t row;           // the index of an earlier row in Trace::rows
  long double partial;  // the derivative of this row by that row, with other arguments constant
  // The sum of the magnitudes of the terms of `partial`, one for each place at which the row's
  // operation has the argument: 2/|z| for z/z, whose partial is 0.
  long double magnitude;
};

struct TraceRow {
  std::string name;                   // "w1", "v3"
  std::string formula;                // "v1*v2"; for an input its name
  std::string latex_name;             // the name in LaTeX
  std::string latex;                  // the formula in LaTeX
  std::string mathml;                 // the formula in MathML
  Expr expr;                          // the row's value as an expression of the inputs
  long double value;                  // a double, except in a trace by MakeWideTrace()
  std::vector<long double> tangents;  // the derivatives of the row by each input
  std::vector<long double> adjoints;  // the derivatives of each output by the row
  std::vector<TraceArgument> arguments;
};

struct Trace {
  std::vector<TraceRow> rows;  // inputs first
  size_t input_count = 0;
  std::vector<size_t> outputs;  // for each output, the index of its row
};

// Trace the computation of `outputs` at a point, whose coordinates are in the order of
// `variables`. Fail as Evaluate() (evaluate.h) does, and if a derivative that an adjoint needs is
// not finite; the message names the subexpression and what it is differentiated by. The second
// function computes in long double, for intermediate values beyond the range of doubles.
absl::StatusOr<Trace> MakeTrace(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
                                absl::Span<const double> point);
absl::StatusOr<Trace> MakeWideTrace(absl::Span<const Expr> outputs,
                                    absl::Span<const Expr> variables,
                                    absl::Span<const double> point);

// Returns the trace as a graph in Graphviz's language: a node for each row with its formula, value
// and adjoints, and an edge for each argument with its partial derivative. `output_names` has a
// name for each output ("f1", "f2").
std::string ToDot(const Trace& trace, absl::Span<const std::string> output_names);

// Returns one sentence for each operation that is exactly on a kink or jump at the point. The
// sentence says which derivative is taken there: "abs(x) has a kink at x = 0: the derivative taken
// there is sign(0) = 0".
std::vector<std::string> KinksAt(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
                                 absl::Span<const double> point);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_TRACE_H_
