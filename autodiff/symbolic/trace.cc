#include "autodiff/symbolic/trace.h"

#include <cmath>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/print.h"

namespace cotangent::autodiff::symbolic {
namespace {

// Whether a node is written inside its only user's formula: the -b of a - b and the b^-1 of a / b.
bool WrittenInUser(Expr e, Expr user) {
  if (e.op() == Op::kPow && e.arg(1).IsNumber(-1)) return user.op() == Op::kMul;
  return e.op() == Op::kMul && e.args().size() == 2 && e.arg(0).IsNumber(-1) &&
         user.op() == Op::kAdd && user.arg(0) != e;
}

class Tracer {
 public:
  Tracer(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
         absl::Span<const double> point)
      : outputs_(outputs), variables_(variables), point_(point) {}

  absl::StatusOr<Trace> Run() {
    Bindings bindings;
    for (size_t i = 0; i < variables_.size(); ++i) bindings[variables_[i].name()] = point_[i];
    if (absl::StatusOr<std::vector<double>> values = Evaluate(outputs_, bindings); !values.ok()) {
      return values.status();
    }
    trace_.input_count = variables_.size();
    AddInputs();
    for (Expr e : TopologicalOrder(outputs_)) {
      if (named_.contains(e) || IsInlined(e)) continue;
      if (absl::Status status = AddRow(e); !status.ok()) return status;
    }
    for (Expr e : outputs_) trace_.outputs.push_back(named_.at(e));
    SweepBack();
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

  void AddInputs() {
    for (size_t i = 0; i < variables_.size(); ++i) {
      TraceRow row;
      row.name = row.formula = variables_[i].name();
      row.latex = ToLatex(variables_[i]);
      row.mathml = ToMathMlRow(variables_[i]);
      row.expr = variables_[i];
      row.value = point_[i];
      row.tangents.assign(variables_.size(), 0);
      row.tangents[i] = 1;
      Name(variables_[i], std::move(row));
    }
  }

  void Name(Expr e, TraceRow row) {
    named_[e] = trace_.rows.size();
    locals_[e] = steps_.Variable(row.name);
    bindings_[row.name] = row.value;
    trace_.rows.push_back(std::move(row));
  }

  // A name no variable has.
  std::string NextName() {
    while (true) {
      const std::string name = absl::StrCat("v", ++count_);
      bool taken = false;
      for (Expr variable : variables_) taken |= variable.name() == name;
      if (!taken) return name;
    }
  }

  // The node in terms of named ones, what is written inside it spelled out.
  Expr Step(Expr e) {
    std::vector<Expr> args;
    for (Expr arg : e.args()) {
      const auto local = locals_.find(arg);
      args.push_back(local != locals_.end() ? local->second : Step(arg));
    }
    return args.empty() ? steps_.Import(e) : steps_.Make(e.op(), args);
  }

  absl::Status AddRow(Expr e) {
    const Expr step = Step(e);
    TraceRow row;
    row.name = NextName();
    row.formula = ToText(step);
    row.latex = ToLatex(step);
    row.mathml = ToMathMlRow(step);
    row.expr = e;
    absl::StatusOr<double> value = Evaluate(step, bindings_);
    if (!value.ok()) return value.status();
    row.value = *value;
    row.tangents.assign(variables_.size(), 0);
    for (Expr variable : Variables(step)) {
      const size_t argument = RowOf(variable);
      const absl::StatusOr<double> partial = Evaluate(Differentiate(step, variable), bindings_);
      if (!partial.ok()) {
        return absl::OutOfRangeError(
            absl::StrFormat("the derivative of %s by %s is not finite where %s = %.10g", ToText(e),
                            ToText(trace_.rows[argument].expr), ToText(trace_.rows[argument].expr),
                            trace_.rows[argument].value));
      }
      row.arguments.push_back({argument, *partial});
      for (size_t i = 0; i < variables_.size(); ++i) {
        row.tangents[i] += *partial * trace_.rows[argument].tangents[i];
      }
    }
    Name(e, std::move(row));
    return absl::OkStatus();
  }

  size_t RowOf(Expr local) const {
    for (size_t i = 0; i < trace_.rows.size(); ++i) {
      if (trace_.rows[i].name == local.name()) return i;
    }
    return 0;
  }

  void SweepBack() {
    for (TraceRow& row : trace_.rows) row.adjoints.assign(outputs_.size(), 0);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      trace_.rows[trace_.outputs[k]].adjoints[k] = 1;
      for (size_t i = trace_.outputs[k] + 1; i-- > 0;) {
        const TraceRow& row = trace_.rows[i];
        for (const TraceArgument& argument : row.arguments) {
          trace_.rows[argument.row].adjoints[k] += row.adjoints[k] * argument.partial;
        }
      }
    }
  }

  absl::Span<const Expr> outputs_;
  absl::Span<const Expr> variables_;
  absl::Span<const double> point_;
  Pool steps_;  // The formulas in terms of v1, v2, ...
  absl::flat_hash_map<Expr, size_t> named_;
  absl::flat_hash_map<Expr, Expr> locals_;
  absl::flat_hash_map<Expr, std::vector<Expr>> users_;
  Bindings bindings_;
  int count_ = 0;
  Trace trace_;
};

std::string Short(double value) { return absl::StrFormat("%.6g", value == 0 ? 0 : value); }

std::string Escaped(const std::string& text) {
  return absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}});
}

// "d f1 = 0.25" for each output that depends on the row.
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
  switch (e.op()) {
    case Op::kAbs:
      if (a[0] != 0) break;
      return absl::StrCat(ToText(e), " has a kink at ", at(0),
                          ": the derivative taken there is sign(0) = 0");
    case Op::kSign:
    case Op::kStep:
      if (a[0] != 0) break;
      return absl::StrCat(ToText(e), " jumps at ", at(0), ": the derivative taken there is 0");
    case Op::kFloor:
      if (a[0] != std::floor(a[0])) break;
      return absl::StrCat(ToText(e), " jumps at ", at(0), ": the derivative taken there is 0");
    case Op::kMin:
    case Op::kMax:
      if (a[0] != a[1]) break;
      return absl::StrCat(tie(), "the first argument, ", ToText(e.arg(0)));
    case Op::kSelect:
      if (a[0] != a[1]) break;
      return absl::StrCat(tie(), "the second branch, ", ToText(e.arg(3)));
    default:
      break;
  }
  return "";
}

}  // namespace

absl::StatusOr<Trace> MakeTrace(absl::Span<const Expr> outputs, absl::Span<const Expr> variables,
                                absl::Span<const double> point) {
  return Tracer(outputs, variables, point).Run();
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
  for (size_t i = 0; i < order.size(); ++i) {
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
