#include "autodiff/symbolic/trace.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/operation.h"
#include "autodiff/symbolic/print.h"
#include "base/status_macros.h"

namespace cotangent::autodiff::symbolic {
namespace {

// Returns whether `e` is written inside the formula of `user`, its only user, and so has no row of
// its own in the trace (trace.h): the -b of a - b and the b^-1 of a / b.
bool WrittenInUser(Expr e, Expr user) {
  if (e.op() == Op::kPow && e.arg(1).IsNumber(-1)) return user.op() == Op::kMul;
  return e.op() == Op::kMul && e.args().size() == 2 && e.arg(0).IsNumber(-1) &&
         user.op() == Op::kAdd && user.arg(0) != e;
}

// Returns the nodes that the outputs depend on at the point, in order of evaluation. Leaves out
// nodes that only a branch not taken uses.
template <class Real>
std::vector<Expr> NodesTaken(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
                             absl::Span<const Real> point) {
  std::vector<Expr> order = TopologicalOrder(outputs);
  const absl::StatusOr<Program> program = Program::Create(outputs, variables);
  if (!program.ok()) return order;
  const std::vector<Real> values = program->EvaluateAll<Real>(point);
  const std::vector<bool> taken = WhatIsTaken(*program, absl::MakeConstSpan(values));
  std::vector<Expr> nodes;
  for (size_t i = 0; i < order.size(); ++i) {
    if (taken[i]) nodes.push_back(order[i]);
  }
  return nodes;
}

// Makes a Trace. Computes with Real: double or long double.
template <class Real>
class Tracer {
 public:
  Tracer(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
         absl::Span<const Real> point)
      : outputs_(outputs), variables_(variables), point_(point) {}

  absl::StatusOr<Trace> Run() {
    for (size_t i = 0; i < variables_.size(); ++i) bindings_[variables_[i].name()] = point_[i];
    RETURN_IF_ERROR(ValuesOf(outputs_).status());
    trace_.input_count = variables_.size();
    AddInputs();
    for (Expr e : NodesTaken(outputs_, variables_, point_)) {
      if (named_.contains(e) || IsInlined(e)) continue;
      RETURN_IF_ERROR(AddRow(e));
    }
    for (Expr e : outputs_) trace_.outputs.push_back(named_.at(e));
    RETURN_IF_ERROR(SweepBack());
    PrintRows();
    return std::move(trace_);
  }

 private:
  bool IsOutput(Expr e) const {
    for (Expr output : outputs_) {
      if (output == e) return true;
    }
    return false;
  }

  bool IsInlined(Expr e) {
    if (IsOutput(e)) return false;
    if (e.IsConstant() || e.op() == Op::kPi) return true;
    if (e.op() == Op::kExp && e.arg(0).IsConstant()) return true;
    if (users_.empty()) CountUsers();
    const std::vector<Expr>& users = users_[e];
    return users.size() == 1 && WrittenInUser(e, users[0]);
  }

  void CountUsers() {
    for (Expr e : TopologicalOrder(outputs_)) {
      for (Expr arg : e.args()) users_[arg].push_back(e);
    }
  }

  // The first of two names that look alike keeps its looks (print.h), so the inputs become variables
  // in the order that they have in the outputs' pool.
  void AddInputs() {
    for (Expr variable : TopologicalOrder(variables_)) steps_.Variable(variable.name());
    for (size_t i = 0; i < variables_.size(); ++i) {
      TraceRow row;
      row.name = row.formula = variables_[i].name();
      row.expr = variables_[i];
      row.value = point_[i];
      row.tangents.assign(variables_.size(), 0);
      row.tangents[i] = 1;
      const Expr step = steps_.Variable(row.name);
      Name(variables_[i], step, std::move(row));
    }
  }

  // Adds the row of e, whose formula is `step`.
  void Name(Expr e, Expr step, TraceRow row) {
    named_[e] = trace_.rows.size();
    formulas_.push_back(step);
    locals_[e] = steps_.Variable(row.name);
    bindings_[row.name] = static_cast<Real>(row.value);
    row_of_[row.name] = trace_.rows.size();
    trace_.rows.push_back(std::move(row));
  }

  // Returns the next of the names v1, v2, ... that no row has yet.
  std::string NextName() {
    while (true) {
      std::string name = absl::StrCat("v", ++count_);
      if (!row_of_.contains(name)) return name;
    }
  }

  // Returns the operation of e as an expression of the names of earlier rows. Arguments that have
  // no row are spelled out.
  Expr Step(Expr e) {
    std::vector<Expr> args;
    for (Expr arg : e.args()) {
      const auto local = locals_.find(arg);
      if (local != locals_.end()) {
        args.push_back(local->second);
      } else if (IsInlined(arg)) {
        args.push_back(Step(arg));
      } else {  // in a branch that is not taken
        args.push_back(steps_.Import(arg));
      }
    }
    return args.empty() ? steps_.Import(e) : steps_.Make(e.op(), args);
  }

  absl::Status AddRow(Expr e) {
    const Expr step = Step(e);
    TraceRow row;
    row.name = NextName();
    row.formula = ToText(step);
    row.expr = e;
    ASSIGN_OR_RETURN(row.value, ValueOf(step));
    row.tangents.assign(variables_.size(), 0);
    for (Expr variable : Variables(step)) {
      const auto found = row_of_.find(variable.name());
      if (found == row_of_.end()) continue;
      const size_t argument = found->second;
      const std::vector<long double>& tangents = trace_.rows[argument].tangents;
      const absl::StatusOr<Real> slope = ValueOf(Differentiate(step, variable));
      const Real partial = slope.ok() ? *slope : std::numeric_limits<Real>::quiet_NaN();
      row.arguments.push_back({argument, partial, MagnitudeOf(step, variable, partial)});
      // Skips products with a factor 0, because the other factor may not be finite and the product
      // would be NaN.
      if (partial == 0) continue;
      for (size_t i = 0; i < variables_.size(); ++i) {
        if (tangents[i] != 0) Add(partial, tangents[i], &row.tangents[i]);
      }
    }
    Name(e, step, std::move(row));
    return absl::OkStatus();
  }

  // Writes names and formulas of all rows in LaTeX and MathML, so that a name looks the same in all.
  void PrintRows() {
    std::vector<Expr> printed = formulas_;
    for (const TraceRow& row : trace_.rows) printed.push_back(steps_.Variable(row.name));
    const std::vector<std::string> latex = LatexOfEach(printed), mathml = MathMlRowOfEach(printed);
    for (size_t i = 0; i < trace_.rows.size(); ++i) {
      TraceRow& row = trace_.rows[i];
      row.latex = latex[i], row.mathml = mathml[i];
      row.latex_name = latex[trace_.rows.size() + i];
    }
  }

  // How many places of the expression of one step hold the variable.
  static int Places(Expr step, Expr variable) {
    int places = step == variable;
    for (Expr arg : step.args()) places += Places(arg, variable);
    return places;
  }

  // Returns TraceArgument::magnitude for the row of `step` and the argument `variable`. The step of
  // a choice (min, max, select) may hold whole formulas, those of branches that are not taken, and
  // is not looked through: the result is then |partial|.
  long double MagnitudeOf(Expr step, Expr variable, Real partial) const {
    if (Info(step.op()).chooses || Places(step, variable) < 2) return std::abs(partial);
    const Real sum = SumOfMagnitudes(step, variable);
    return std::isfinite(sum) ? sum : std::abs(partial);
  }
  Real SumOfMagnitudes(Expr step, Expr variable) const {
    if (step == variable) return 1;
    Real sum = 0;
    for (size_t i = 0; i < step.args().size(); ++i) {
      const Real inner = SumOfMagnitudes(step.arg(i), variable);
      if (inner == 0) continue;
      const absl::StatusOr<Real> outer = ValueOf(PartialDerivative(step, i));
      if (!outer.ok()) return std::numeric_limits<Real>::quiet_NaN();
      sum += std::abs(*outer) * inner;
    }
    return sum;
  }

  absl::StatusOr<std::vector<Real>> ValuesOf(absl::Span<const Expr> exprs) const {
    if constexpr (std::is_same_v<Real, double>) {
      return Evaluate(exprs, bindings_);
    } else {
      return EvaluateWide(exprs, bindings_);
    }
  }
  absl::StatusOr<Real> ValueOf(Expr e) const {
    ASSIGN_OR_RETURN(const std::vector<Real> values, ValuesOf(absl::MakeConstSpan(&e, 1)));
    return values[0];
  }

  // Adds a * b to *sum. Operands, product and sum are rounded to Real.
  static void Add(long double a, long double b, long double* sum) {
    *sum = static_cast<Real>(*sum) + static_cast<Real>(a) * static_cast<Real>(b);
  }

  bool Moves(const TraceRow& row) const {
    return std::any_of(row.tangents.begin(), row.tangents.end(),
                       [](long double t) { return t != 0; });
  }

  // Computes the adjoints of all rows: the derivatives of each output by the row. Fails if the
  // derivative of a row by one of its arguments is not finite, unless the row's adjoint or all
  // tangents of the argument are 0.
  absl::Status SweepBack() {
    for (TraceRow& row : trace_.rows) row.adjoints.assign(outputs_.size(), 0);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      trace_.rows[trace_.outputs[k]].adjoints[k] = 1;
      for (size_t i = trace_.outputs[k] + 1; i-- > 0;) {
        const TraceRow& row = trace_.rows[i];
        if (row.adjoints[k] == 0) continue;
        for (const TraceArgument& argument : row.arguments) {
          TraceRow& of = trace_.rows[argument.row];
          if (!std::isfinite(argument.partial)) {
            if (!Moves(of)) continue;
            return absl::OutOfRangeError(
                absl::StrFormat("the derivative of %s by %s is not finite where %s = %.10g",
                                ToText(row.expr), ToText(of.expr), ToText(of.expr), of.value));
          }
          Add(row.adjoints[k], argument.partial, &of.adjoints[k]);
        }
      }
    }
    return absl::OkStatus();
  }

  absl::Span<const Expr> outputs_;
  absl::Span<const Expr> variables_;
  absl::Span<const Real> point_;
  Pool steps_;                  // holds the formulas in terms of v1, v2, ...
  std::vector<Expr> formulas_;  // for each row
  absl::flat_hash_map<Expr, size_t> named_;
  absl::flat_hash_map<Expr, Expr> locals_;
  absl::flat_hash_map<Expr, std::vector<Expr>> users_;
  BindingsOf<Real> bindings_;
  absl::flat_hash_map<std::string, size_t> row_of_;  // the index of the row with a given name
  int count_ = 0;
  Trace trace_;
};

std::string Short(long double value) { return absl::StrFormat("%.6g", value == 0 ? 0 : value); }

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}});
}

// Returns lines such as "df1/dv3 = 0.25", one for each output that depends on the row.
std::string Adjoints(const TraceRow& row, absl::Span<const std::string> output_names) {
  std::string text;
  for (size_t k = 0; k < output_names.size(); ++k) {
    if (row.adjoints[k] == 0) continue;
    absl::StrAppend(&text, "\\nd", output_names[k], "/d", Escaped(row.name), " = ",
                    Short(row.adjoints[k]));
  }
  return text;
}

std::string KinkSentence(Expr e, const std::vector<double>& a) {
  const auto at = [&](size_t i) { return absl::StrCat(ToText(e.arg(i)), " = ", Short(a[i])); };
  const auto tie = [&] {
    return absl::StrCat(ToText(e), " has a kink where ", ToText(e.arg(0)), " = ", ToText(e.arg(1)),
                        " (= ", Short(a[0]), "): the derivative taken there is that of ");
  };
  const auto jump = [&] {
    return absl::StrCat(ToText(e), " jumps at ", at(0), ": the derivative taken there is 0");
  };
  switch (Info(e.op()).kink) {
    case Kink::kNone:
      return "";
    case Kink::kCornerAtZero:
      if (a[0] != 0) return "";
      return absl::StrCat(ToText(e), " has a kink at ", at(0),
                          ": the derivative taken there is sign(0) = 0");
    case Kink::kCornerAtOrigin:
      if (a[0] != 0 || a[1] != 0) return "";
      return absl::StrCat(ToText(e), " has a kink at ", at(0), ", ", at(1),
                          ": the derivatives taken there are 0");
    case Kink::kJumpAtZero:
      return a[0] == 0 ? jump() : "";
    case Kink::kJumpAtIntegers:
      return a[0] == std::floor(a[0]) ? jump() : "";
    case Kink::kJumpAtHalves:
      return a[0] - std::floor(a[0]) == 0.5 ? jump() : "";
    case Kink::kJumpAtMultiples:
      if (std::fmod(a[0], a[1]) != 0) return "";
      return absl::StrCat(ToText(e), " jumps at ", at(0), ": the derivative taken there is 1");
    case Kink::kTie:
      if (a[0] != a[1]) return "";
      return absl::StrCat(tie(), "the first argument, ", ToText(e.arg(0)));
    case Kink::kBranch:
      if (a[0] != a[1]) return "";
      return absl::StrCat(tie(), "the second branch, ", ToText(e.arg(3)));
  }
  return "";
}

}  // namespace

absl::StatusOr<Trace> MakeTrace(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
                                absl::Span<const double> point) {
  return Tracer<double>(outputs, variables, point).Run();
}
absl::StatusOr<Trace> MakeWideTrace(absl::Span<const Expr> outputs,
                                    absl::Span<const Expr> variables,
                                    absl::Span<const double> point) {
  const std::vector<long double> wide(point.begin(), point.end());
  return Tracer<long double>(outputs, variables, wide).Run();
}

std::string ToDot(const Trace& trace, absl::Span<const std::string> output_names) {
  std::string dot =
      "digraph computation {\n"
      "  rankdir=LR;\n"
      "  node [shape=box, style=\"rounded,filled\", fillcolor=\"#eef3fb\", color=\"#4a6fa5\", "
      "fontname=\"Helvetica\", fontsize=11];\n"
      "  edge [color=\"#4a6fa5\", fontname=\"Helvetica\", fontsize=9];\n";
  for (size_t i = 0; i < trace.rows.size(); ++i) {
    const TraceRow& row = trace.rows[i];
    const bool input = i < trace.input_count;
    std::string title = input ? row.name : absl::StrCat(row.name, " = ", row.formula);
    for (size_t k = 0; k < trace.outputs.size(); ++k) {
      if (trace.outputs[k] == i) title = absl::StrCat(output_names[k], " = ", title);
    }
    absl::StrAppend(&dot, "  n", i, " [label=\"", Escaped(title), "\\n= ", Short(row.value),
                    Adjoints(row, output_names), "\"", input ? ", fillcolor=\"#fdf3e1\"" : "",
                    "];\n");
  }
  for (size_t i = 0; i < trace.rows.size(); ++i) {
    for (const TraceArgument& argument : trace.rows[i].arguments) {
      absl::StrAppend(&dot, "  n", argument.row, " -> n", i, " [label=\"", Short(argument.partial),
                      "\"];\n");
    }
  }
  return dot + "}\n";
}

std::vector<std::string> KinksAt(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
                                 absl::Span<const double> point) {
  std::vector<std::string> sentences;
  const absl::StatusOr<Program> program = Program::Create(outputs, variables);
  if (!program.ok()) return sentences;
  const std::vector<double> values = program->EvaluateAll<double>(point);
  const std::vector<Expr> order = TopologicalOrder(outputs);
  const std::vector<bool> taken = WhatIsTaken(*program, absl::MakeConstSpan(values));
  for (size_t i = 0; i < order.size(); ++i) {
    if (!taken[i]) continue;
    std::vector<double> a;
    const Program::Step& step = program->steps()[i];
    for (uint32_t slot = step.arguments_begin; slot < step.arguments_end; ++slot) {
      a.push_back(values[program->argument_slots()[slot]]);
    }
    if (std::string sentence = KinkSentence(order[i], a); !sentence.empty()) {
      sentences.push_back(std::move(sentence));
    }
  }
  return sentences;
}

}  // namespace cotangent::autodiff::symbolic
