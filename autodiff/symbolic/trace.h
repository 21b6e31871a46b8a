#ifndef COTANGENT_AUTODIFF_SYMBOLIC_TRACE_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_TRACE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"

// A computation as textbooks write it down: every intermediate v1, v2, ... in order, with its
// formula in terms of earlier ones, its value, its tangents (forward mode: derivatives by each
// input) and its adjoints (reverse mode: each output's derivative by it). Differences and quotients
// are one step each.
namespace cotangent::autodiff::symbolic {

struct TraceArgument {
  size_t row;      // An earlier row.
  double partial;  // The row's derivative by it, all else held.
};

struct TraceRow {
  std::string name;     // "w1", "v3"
  std::string formula;  // "v1*v2"; of an input its name
  std::string latex;    // The same as LaTeX and MathML.
  std::string mathml;
  Expr expr;  // What it computes, in terms of the inputs.
  double value;
  std::vector<double> tangents;  // By input.
  std::vector<double> adjoints;  // By output.
  std::vector<TraceArgument> arguments;
};

struct Trace {
  std::vector<TraceRow> rows;  // Inputs first.
  size_t input_count = 0;
  std::vector<size_t> outputs;  // Row of each output.
};

// Errors: as Evaluate (evaluate.h), and a derivative that is not finite (says which subexpression,
// by what).
absl::StatusOr<Trace> MakeTrace(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
                                absl::Span<const double> point);

// The trace as a Graphviz graph: a node for each row with formula, value and adjoints, an edge for
// each argument with its partial derivative. `output_names` as many as outputs ("f1", "f2").
std::string ToDot(const Trace& trace, absl::Span<const std::string> output_names);

// One sentence for each operation that stands exactly on a kink or jump at the point, saying which
// side its derivative takes: "abs(x) has a kink at x = 0: the derivative taken there is sign(0) =
// 0".
std::vector<std::string> KinksAt(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
                                 absl::Span<const double> point);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_TRACE_H_
