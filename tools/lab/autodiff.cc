#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "autodiff/differentiate.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "autodiff/symbolic/trace.h"
#include "base/status_macros.h"
#include "tools/graph_picture.h"
#include "tools/lab/experiments.h"
#include "tools/lab/section.h"

// Numbers in parentheses, such as (11), are equations of the problem set (tools/lab/README.md lists
// them).

namespace cotangent::tools::lab {
namespace {

namespace sym = autodiff::symbolic;
using autodiff::Mode;
using sym::Expr;

constexpr double kStep = 0.01;
const std::vector<double>& Point() {
  static const auto* const point = new std::vector<double>{1, 2};
  return *point;
}

// A function, given by a formula for each output, and its Jacobian derived by hand.
struct Exercise {
  std::string id, title;
  std::vector<int> value_equations, jacobian_equations;
  std::vector<std::string> formulas, variables, jacobian;
  std::vector<double> value;  // at (1, 2), computed by hand
};

struct Formulas {
  std::vector<Expr> outputs, variables;
};

absl::StatusOr<Formulas> ParseExercise(const Exercise& exercise, sym::Pool& pool) {
  Formulas formulas;
  for (const std::string& name : exercise.variables)
    formulas.variables.push_back(pool.Variable(name));
  for (const std::string& formula : exercise.formulas) {
    ASSIGN_OR_RETURN(const auto parsed,
                     sym::Parse(formula, pool, {.variables = exercise.variables}));
    formulas.outputs.push_back(parsed);
  }
  return formulas;
}

std::string Joined(const std::vector<double>& values) {
  return absl::StrJoin(values, ", ",
                       [](std::string* out, double v) { absl::StrAppend(out, Short(v)); });
}

// Draws the computation graph with Graphviz. Returns an HTML element that contains the picture as
// SVG, or a note if the picture cannot be made. The style sheet of the HTML page colours the lines.
std::string GraphPicture(const sym::Trace& trace, const std::vector<std::string>& names) {
  const auto svg = DrawGraph(sym::ToDot(trace, names), "svg");
  if (!svg.ok())
    return absl::StrCat("<p class=\"note\">No picture of the graph: ",
                        EscapeHtml(std::string(svg.status().message())), "</p>");
  const size_t begin = svg->find("<svg");
  return absl::StrCat("<div class=\"graph\">",
                      begin == std::string::npos ? *svg : svg->substr(begin), "</div>");
}

void ShowTrace(const sym::Trace& trace, const Exercise& exercise, Section& section) {
  std::vector<std::string> header = {"", "is", "value"};
  for (const std::string& variable : exercise.variables)
    header.push_back(absl::StrCat("tangent by ", variable));
  for (size_t i = 0; i < trace.outputs.size(); ++i)
    header.push_back(
        absl::StrCat("adjoint of f", trace.outputs.size() > 1 ? absl::StrCat(i + 1) : ""));
  std::vector<std::vector<std::string>> rows;
  for (const sym::TraceRow& row : trace.rows) {
    std::vector<std::string> cells = {
        EscapeHtml(row.name), absl::StrCat("<math>", row.mathml, "</math>"), Short(row.value)};
    for (const long double tangent : row.tangents) cells.push_back(Short(tangent));
    for (const long double adjoint : row.adjoints) cells.push_back(Short(adjoint));
    rows.push_back(std::move(cells));
  }
  section.Text(
      "The evaluation trace at (1, 2). Forward mode fills tangents from the top down, reverse mode "
      "adjoints from the bottom up.");
  section.Table(header, rows);
}

// Returns the name of entry k (counted from 0, row by row) of the Jacobian, such as "∂f1/∂w2".
std::string PartialName(const Exercise& exercise, const std::vector<std::string>& names, size_t k) {
  return absl::StrCat("∂", names[k / exercise.variables.size()], "/∂",
                      exercise.variables[k % exercise.variables.size()]);
}

// Compares the symbolic Jacobian, row by row, with the one derived by hand, and shows it. `names`
// are the names of the outputs.
Claim JacobianClaim(const Exercise& exercise, const std::vector<Expr>& outputs,
                    const std::vector<Expr>& variables, const std::vector<std::string>& names,
                    sym::Pool& pool, Section& section) {
  Claim claim{absl::StrCat("autodiff.", exercise.id, "_jacobian"), exercise.jacobian_equations,
              absl::StrCat("the Jacobian of ", absl::StrJoin(exercise.formulas, ", "), " is [",
                           absl::StrJoin(exercise.jacobian, "; "), "]"),
              "", "proved: the derivation by hand is symbolically equal to differentiation"};
  const auto symbolic = sym::Jacobian(outputs, variables);
  bool equal = exercise.jacobian.size() == outputs.size() * variables.size();
  std::vector<std::vector<std::string>> rows;
  for (size_t k = 0; equal && k < exercise.jacobian.size(); ++k) {
    const Expr found = symbolic[k / variables.size()][k % variables.size()];
    const auto by_hand = sym::Parse(exercise.jacobian[k], pool, {.variables = exercise.variables});
    equal = by_hand.ok() && sym::Equal(found, *by_hand) == sym::Verdict::kEqual;
    rows.push_back({PartialName(exercise, names, k), sym::ToMathMl(sym::Simplify(found))});
  }
  claim.verdict = HoldsIf(equal);
  section.Table({"", "symbolic derivative"}, rows);
  return claim;
}

// A Jacobian at Point(), computed in one mode. `allowed` bounds the errors of its entries, relative
// to the entries of the symbolic Jacobian, or absolute where these are below 1.
struct ModeJacobian {
  std::string mode;
  double allowed;
  autodiff::Matrix matrix;
};

// Returns the Jacobians in all modes, the symbolic one first. With step h, central differences have
// errors of h^2 |f'''| / 6 and forward differences h |f''| / 2; the factor 10 leaves room for large
// second and third derivatives.
absl::StatusOr<std::vector<ModeJacobian>> JacobiansInAllModes(
    const autodiff::ExpressionFunction& function) {
  const auto differences = [](autodiff::numeric::Scheme scheme) {
    autodiff::Method method = Mode::kNumeric;
    method.numeric = {.scheme = scheme, .step = kStep};
    return method;
  };
  const std::tuple<const char*, autodiff::Method, double> modes[] = {
      {"symbolic", Mode::kSymbolic, 0},
      {"forward", Mode::kForward, 1e-12},
      {"reverse", Mode::kReverse, 1e-12},
      {"numeric, extrapolated", Mode::kNumeric, 1e-8},
      {"numeric, central, step 0.01", differences(autodiff::numeric::Scheme::kCentral),
       10 * kStep * kStep},
      {"numeric, forward, step 0.01", differences(autodiff::numeric::Scheme::kForward), 10 * kStep},
  };
  std::vector<ModeJacobian> jacobians;
  for (const auto& [name, method, allowed] : modes) {
    ASSIGN_OR_RETURN(const auto jacobian, autodiff::Jacobian(function, Point(), method));
    jacobians.push_back({name, allowed, jacobian});
  }
  return jacobians;
}

// Compares the value at Point() with the one computed by hand, and the Jacobians of all modes with
// the symbolic one.
absl::StatusOr<Claim> ModesClaim(const Exercise& exercise, const std::vector<Expr>& outputs,
                                 const std::vector<Expr>& variables,
                                 const std::vector<std::string>& names, Section& section) {
  Claim claim{absl::StrCat("autodiff.", exercise.id, "_modes"), exercise.value_equations,
              absl::StrCat("at (1, 2) the value is (", Joined(exercise.value),
                           "), and forward, reverse and symbolic Jacobians agree to 1e-12, "
                           "numeric ones within their error"),
              "", "computed by all four modes"};
  ASSIGN_OR_RETURN(const auto function, autodiff::ExpressionFunction::Create(outputs, variables));
  ASSIGN_OR_RETURN(const auto value, autodiff::Value(function, Point()));
  double value_error = 0;
  for (size_t i = 0; i < value.size(); ++i)
    value_error = std::max(value_error, std::abs(value[i] - exercise.value[i]));
  claim.numbers.push_back({"largest error of the value", value_error});
  bool agree = value_error < 1e-12;

  ASSIGN_OR_RETURN(const auto jacobians, JacobiansInAllModes(function));
  const std::vector<double>& symbolic = jacobians[0].matrix.values;
  std::vector<std::vector<std::string>> table;
  for (const ModeJacobian& jacobian : jacobians) {
    double worst = 0;
    table.push_back({jacobian.mode});
    for (size_t k = 0; k < symbolic.size(); ++k) {
      const double found = jacobian.matrix.values[k];
      table.back().push_back(absl::StrFormat("%.12g", found));
      worst = std::max(worst, std::abs(found - symbolic[k]) / std::max(1.0, std::abs(symbolic[k])));
    }
    agree = agree && worst <= jacobian.allowed;
    if (&jacobian != &jacobians[0]) {
      claim.numbers.push_back(
          {absl::StrCat(jacobian.mode, ": largest relative difference from symbolic"), worst});
    }
  }
  claim.verdict = HoldsIf(agree);
  std::vector<std::string> header = {"mode"};
  for (size_t k = 0; k < symbolic.size(); ++k) header.push_back(PartialName(exercise, names, k));
  section.Table(header, table);
  return claim;
}

absl::Status RunExercise(const Exercise& exercise, Section& section, Report& report) {
  sym::Pool pool;
  ASSIGN_OR_RETURN(const auto parsed, ParseExercise(exercise, pool));
  const auto& [outputs, variables] = parsed;
  section.Heading(exercise.title);
  std::vector<std::string> names;
  for (size_t i = 0; i < outputs.size(); ++i) {
    names.push_back(outputs.size() == 1 ? "f" : absl::StrCat("f", i + 1));
    const std::string name = outputs.size() == 1 ? "f" : absl::StrCat("f_", i + 1);
    section.MathMl(absl::StrCat("<math display=\"block\">", MathRow(name + " = "),
                                sym::ToMathMlRow(outputs[i]), "</math>"));
  }
  ASSIGN_OR_RETURN(const auto trace, sym::MakeTrace(outputs, variables, Point()));
  section.Figure(GraphPicture(trace, names),
                 "The computation graph with values and derivatives at (1, 2).");
  ShowTrace(trace, exercise, section);
  report.claims.push_back(JacobianClaim(exercise, outputs, variables, names, pool, section));
  ASSIGN_OR_RETURN(const Claim modes, ModesClaim(exercise, outputs, variables, names, section));
  report.claims.push_back(modes);
  return absl::OkStatus();
}

// A row of an evaluation trace, written by hand.
struct HandRow {
  std::string is;  // formula in the inputs
  double value;
  std::vector<double> tangents, adjoints;
};

// Compares a trace with rows written by hand: after the inputs, the trace must have these rows, in
// any order. Returns the largest error of a value, tangent or adjoint; infinite if the trace has
// other rows.
double LargestTraceError(const sym::Trace& trace, const std::vector<HandRow>& rows,
                         const std::vector<std::string>& variables) {
  if (trace.rows.size() != trace.input_count + rows.size()) return INFINITY;
  double worst = 0;
  for (const HandRow& hand : rows) {
    double error = INFINITY;
    for (size_t i = trace.input_count; i < trace.rows.size(); ++i) {
      const sym::TraceRow& row = trace.rows[i];
      const auto is = sym::Parse(hand.is, row.expr.pool(), {.variables = variables});
      if (!is.ok() || sym::Equal(*is, row.expr) != sym::Verdict::kEqual) continue;
      const auto larger = [&](long double found, double expected) {
        error = std::max(error, static_cast<double>(std::abs(found - expected)));
      };
      error = 0;
      larger(row.value, hand.value);
      for (size_t k = 0; k < hand.tangents.size(); ++k) larger(row.tangents[k], hand.tangents[k]);
      for (size_t k = 0; k < hand.adjoints.size(); ++k) larger(row.adjoints[k], hand.adjoints[k]);
    }
    worst = std::max(worst, error);
  }
  return worst;
}

absl::Status CompareTrace(const Exercise& exercise, const std::vector<HandRow>& rows,
                          Claim& claim) {
  sym::Pool pool;
  ASSIGN_OR_RETURN(const auto formulas, ParseExercise(exercise, pool));
  ASSIGN_OR_RETURN(const auto trace, sym::MakeTrace(formulas.outputs, formulas.variables, Point()));
  const double error = LargestTraceError(trace, rows, exercise.variables);
  claim.how = "the trace, row by row, against the one written down by hand";
  claim.numbers = {{"intermediates", static_cast<double>(trace.rows.size() - trace.input_count)},
                   {"largest error", error}};
  claim.verdict = HoldsIf(error < 1e-14);
  return absl::OkStatus();
}

// Checks the computation graph of equation (7), which (8) to (10) describe: the intermediate
// variables, and their tangents and adjoints at (1, 2).
absl::Status ProductGraphClaim(const Exercise& product, const std::string& second_sum,
                               Report& report) {
  Claim claim{"autodiff.product_graph",
              {8, 9, 10},
              "its computation graph is a = x + y, b = y + 1, f = a b; at (1, 2) a, b, f are 3, 3, "
              "9, and the adjoints of a and b are b and a",
              "a = x + y, \\quad b = y + 1, \\quad f = a b",
              ""};
  const std::vector<HandRow> rows = {
      {"x + y", 3, {1, 1}, {3}}, {second_sum, 3, {0, 1}, {3}}, {"(x + y)*(y + 1)", 9, {3, 6}, {1}}};
  RETURN_IF_ERROR(CompareTrace(product, rows, claim));
  report.claims.push_back(std::move(claim));
  return absl::OkStatus();
}

// Checks the computation graph that (11) and (12) share, at (1, 2).
absl::Status QuestionGraphClaim(const Exercise& question, Report& report) {
  Claim claim{"autodiff.question4_graph",
              {11, 12},
              "their computation graph at (1, 2): ten intermediates, each with its value, two "
              "tangents and two adjoints",
              "",
              ""};
  const double c1 = std::cos(1.0), s1 = std::sin(1.0), c2 = std::cos(2.0), s2 = std::sin(2.0);
  const double g = 1 / (1 + std::exp(-2.0)), slope = g * (1 - g), third = 1.0 / 3;
  const std::vector<HandRow> rows = {
      {"cos(w1)", c1, {-s1, 0}, {c2, 0}},
      {"cos(w2)", c2, {0, -s2}, {c1, 0}},
      {"cos(w1)*cos(w2)", c1 * c2, {-s1 * c2, -c1 * s2}, {1, 0}},
      {"sigmoid(w2)", g, {0, slope}, {1, 0}},
      {"cos(w1)*cos(w2) + sigmoid(w2)", c1 * c2 + g, {-s1 * c2, -c1 * s2 + slope}, {1, 0}},
      {"w1 + w2", 3, {1, 1}, {0, third}},
      {"ln(w1 + w2)", std::log(3.0), {third, third}, {0, 1}},
      {"w1^2", 1, {2, 0}, {0, 2}},
      {"w1^2*w2", 2, {4, 1}, {0, 1}},
      {"ln(w1 + w2) + w1^2*w2", std::log(3.0) + 2, {third + 4, third + 1}, {0, 1}}};
  RETURN_IF_ERROR(CompareTrace(question, rows, claim));
  report.claims.push_back(std::move(claim));
  return absl::OkStatus();
}

// For each entry of the Jacobian of (11) and (12), checks that differences with the step `step`
// have the error that the next term of the Taylor series gives for the step 0.01.
absl::Status DifferencesClaim(const Exercise& question, double step, Section& section,
                              Report& report) {
  Claim claim{"autodiff.question4_differences",
              {11, 12},
              "differences with step h = 0.01 miss the Jacobian by h/2 times the second derivative "
              "(forward) or h^2/6 times the third (central), up to the next term of the series",
              "\\frac{f(w + h) - f(w)}{h} = f' + \\frac{h}{2} f'' + O(h^2), \\quad \\frac{f(w + h) "
              "- f(w - h)}{2 h} = f' + \\frac{h^2}{6} f''' + O(h^4)",
              "measured at (1, 2), each entry, against symbolic derivatives"};
  sym::Pool pool;
  ASSIGN_OR_RETURN(const auto formulas, ParseExercise(question, pool));
  double forward_rest = 0, central_rest = 0;
  std::vector<std::vector<std::string>> table;
  for (size_t k = 0; k < formulas.outputs.size(); ++k) {
    for (size_t v = 0; v < formulas.variables.size(); ++v) {
      const auto at = [&](Expr e, double shift) {
        std::vector<double> w = Point();
        w[v] += shift;
        return sym::Evaluate(e, {{question.variables[0], w[0]}, {question.variables[1], w[1]}})
            .value_or(NAN);
      };
      const Expr f = formulas.outputs[k], variable = formulas.variables[v];
      const Expr first = sym::Differentiate(f, variable);
      const Expr second = sym::Differentiate(first, variable);
      const Expr third = sym::Differentiate(second, variable);
      const double exact = at(first, 0), forward = (at(f, step) - at(f, 0)) / step,
                   central = (at(f, step) - at(f, -step)) / (2 * step);
      forward_rest = std::max(forward_rest, std::abs(forward - exact - kStep / 2 * at(second, 0)));
      central_rest =
          std::max(central_rest, std::abs(central - exact - kStep * kStep / 6 * at(third, 0)));
      table.push_back({absl::StrCat("∂f", k + 1, "/∂", question.variables[v]),
                       absl::StrFormat("%.10g", exact), absl::StrFormat("%.10g", forward),
                       Short(forward - exact), absl::StrFormat("%.10g", central),
                       Short(central - exact)});
    }
  }
  section.Text("With step h = 0.01, and how far off each is:");
  section.Table({"", "exact", "forward difference", "error", "central difference", "error"}, table);
  claim.numbers = {{"forward: largest rest", forward_rest},
                   {"central: largest rest", central_rest}};
  claim.verdict = HoldsIf(forward_rest < kStep * kStep && central_rest < 1e-8);
  report.claims.push_back(std::move(claim));
  return absl::OkStatus();
}

// Measures how the error of differences depends on the step: the truncation error falls with the
// step, the rounding error rises.
absl::Status StepSizeClaim(Section& section, Report& report) {
  const auto f = [](double x) { return std::cos(x) * std::cos(2.0) + std::log(x + 2) + x * x * 2; };
  const double exact = -std::sin(1.0) * std::cos(2.0) + 1.0 / 3 + 4;
  Plot plot{.title = "Error of numerical differentiation",
            .x_label = "step h",
            .y_label = "absolute error",
            .log_x = true,
            .log_y = true,
            .width = 560};
  plot.series = {{.name = "forward difference", .mark = Mark::kLinePoints},
                 {.name = "central difference", .mark = Mark::kLinePoints}};
  std::vector<std::vector<double>> errors(2), steps(2);
  for (int e = 0; e <= 64; ++e) {
    const double h = std::pow(10, -e / 4.0);
    const double forward = std::abs((f(1 + h) - f(1)) / h - exact),
                 central = std::abs((f(1 + h) - f(1 - h)) / (2 * h) - exact);
    for (int k = 0; k < 2; ++k) {
      // An error of exactly 0 is due to chance and has no logarithm, so errors below 1e-17 are
      // replaced by 1e-17.
      const double error = std::max(k == 0 ? forward : central, 1e-17);
      plot.series[k].x.push_back(h);
      plot.series[k].y.push_back(error);
    }
  }
  const auto slope = [&](int k, double high, double low) {
    const auto at = [&](double h) { return plot.series[k].y[std::lround(-4 * std::log10(h))]; };
    return std::log(at(high) / at(low)) / std::log(high / low);
  };
  // Returns the step at which the geometric mean of the errors of five neighbouring steps is least.
  // A single error that happens to be small hardly moves this step.
  const auto best = [&](int k) {
    const auto& y = plot.series[k].y;
    size_t least = 2;
    double least_mean = INFINITY;
    for (size_t i = 2; i + 2 < y.size(); ++i) {
      double mean = 0;
      for (size_t j = i - 2; j <= i + 2; ++j) mean += std::log(y[j]);
      if (mean < least_mean) least_mean = mean, least = i;
    }
    return plot.series[k].x[least];
  };
  Claim claim{"autodiff.step_size",
              {},
              "numerical error falls as h (forward) or h^2 (central) until rounding, as 1/h, takes "
              "over near sqrt(eps) or cbrt(eps)",
              "\\text{error} \\approx \\frac{h}{2} \\vert f'' \\vert + \\frac{2 \\varepsilon "
              "\\vert f \\vert}{h}, \\quad \\frac{h^2}{6} \\vert f''' \\vert + "
              "\\frac{\\varepsilon \\vert f \\vert}{h}",
              "measured for steps from 1 to 1e-16"};
  const double forward_slope = slope(0, 1e-2, 1e-5), central_slope = slope(1, 1e-1, 1e-3),
               rounding_slope = slope(0, 1e-11, 1e-15);
  claim.numbers = {{"slope of the forward difference's truncation", forward_slope},
                   {"slope of the central difference's truncation", central_slope},
                   {"slope of rounding", rounding_slope},
                   {"best forward step", best(0)},
                   {"best central step", best(1)}};
  claim.verdict = HoldsIf(std::abs(forward_slope - 1) < 0.1 && std::abs(central_slope - 2) < 0.1 &&
                          std::abs(rounding_slope + 1) < 0.5 && best(0) > 1e-10 && best(0) < 1e-6 &&
                          best(1) > 1e-7 && best(1) < 1e-3);
  report.claims.push_back(claim);
  section.Heading("Error against step size");
  section.Figure(ToSvg(plot),
                 "To the right truncation, slopes 1 and 2; to the left rounding, slope -1. "
                 "Automatic differentiation has neither.");
  return absl::OkStatus();
}

// The function sum over i of sin(x_i) x_{i+1}, with x_{n+1} = x_1: n inputs, one output.
struct Chain {
  template <class S>
  S operator()(std::span<const S> x) const {
    using namespace autodiff::functions;  // NOLINT
    S sum(0.0);
    for (size_t i = 0; i < x.size(); ++i) sum = sum + sin(x[i]) * x[(i + 1) % x.size()];
    return sum;
  }
};

// The function with the outputs sin(k x) x for k = 1 .. m: one input, m outputs.
struct Fan {
  int64_t outputs;
  template <class S>
  std::vector<S> operator()(std::span<const S> x) const {
    using namespace autodiff::functions;  // NOLINT
    std::vector<S> result;
    for (int64_t k = 1; k <= outputs; ++k)
      result.push_back(sin(x[0] * static_cast<double>(k)) * x[0]);
    return result;
  }
};

// Returns the least time of several runs, in microseconds. There are at most 40 runs; no run begins
// once the runs have taken 20 milliseconds.
double Microseconds(const std::function<void()>& run) {
  double least = INFINITY, spent = 0;
  for (int i = 0; i < 40 && spent < 2e4; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    const double time =
        std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count();
    least = std::min(least, time);
    spent += time;
  }
  return least;
}

// Computes the Jacobian by reverse mode, with one backward sweep for each output, and writes its
// entries to `entries`. The tape keeps its memory between calls, so repeated calls allocate little.
template <class F>
void ReverseJacobian(autodiff::reverse::Tape& tape, const F& f, const std::vector<double>& x,
                     std::vector<double>& entries) {
  const auto recorded = autodiff::reverse::Record(tape, f, x);
  entries.clear();
  for (const auto& output : recorded.outputs) {
    tape.Backward(output);
    for (const auto& input : recorded.inputs) entries.push_back(tape.Adjoint(input));
  }
}

void CostClaim(int64_t largest, Section& section, Report& report) {
  Plot inputs{.title = "Gradient of n inputs",
              .x_label = "inputs n",
              .y_label = "time / one evaluation",
              .log_x = true,
              .log_y = true};
  Plot outputs{.title = "Jacobian of m outputs of one input",
               .x_label = "outputs m",
               .y_label = "time / one evaluation",
               .log_x = true,
               .log_y = true};
  inputs.series = {{.name = "forward", .mark = Mark::kLinePoints},
                   {.name = "reverse", .mark = Mark::kLinePoints}};
  outputs.series = inputs.series;
  double forward = 0, reverse = 0;
  volatile double sink = 0;
  autodiff::reverse::Tape tape;
  std::vector<double> entries;
  for (int64_t n = 8; n <= largest; n *= 4) {
    const std::vector<double> x(n, 0.5);
    const double plain = Microseconds(
        [&] { sink = sink + autodiff::Outputs<double>(Chain(), std::span<const double>(x))[0]; });
    forward =
        Microseconds([&] { sink = sink + autodiff::forward::Jacobian(Chain(), x)[0]; }) / plain;
    reverse = Microseconds([&] { ReverseJacobian(tape, Chain(), x, entries); }) / plain;
    for (Series& s : inputs.series) s.x.push_back(static_cast<double>(n));
    inputs.series[0].y.push_back(forward);
    inputs.series[1].y.push_back(reverse);
  }
  Claim claim{"autodiff.cost",
              {},
              "one output and many inputs: reverse mode is cheaper; one input and many outputs: "
              "forward mode is",
              "",
              absl::StrCat("measured, up to ", largest, " inputs or outputs")};
  claim.numbers = {{"n inputs: forward, in evaluations", forward},
                   {"n inputs: reverse, in evaluations", reverse}};
  bool holds = reverse < forward;
  for (int64_t m = 8; m <= largest; m *= 4) {
    const std::vector<double> x = {0.5};
    const double plain = Microseconds(
        [&] { sink = sink + autodiff::Outputs<double>(Fan{m}, std::span<const double>(x))[0]; });
    forward =
        Microseconds([&] { sink = sink + autodiff::forward::Jacobian(Fan{m}, x)[0]; }) / plain;
    reverse = Microseconds([&] { ReverseJacobian(tape, Fan{m}, x, entries); }) / plain;
    for (Series& s : outputs.series) s.x.push_back(static_cast<double>(m));
    outputs.series[0].y.push_back(forward);
    outputs.series[1].y.push_back(reverse);
  }
  claim.numbers.push_back({"m outputs: forward, in evaluations", forward});
  claim.numbers.push_back({"m outputs: reverse, in evaluations", reverse});
  claim.verdict = HoldsIf(holds && forward < reverse);
  report.claims.push_back(claim);
  section.Heading("Cost against inputs and outputs");
  section.BeginRow();
  section.Figure(ToSvg(inputs),
                 "Forward mode pays for each input (eight at once), reverse mode once.");
  section.Figure(ToSvg(outputs), "Reverse mode pays for each output, forward mode once.");
  section.EndRow();
}

}  // namespace

absl::StatusOr<Report> RunAutodiff(const AutodiffPremises& premises) {
  Report report{"autodiff", "Question 4: one function, four derivatives"};
  Section section;
  const double e2 = std::exp(-2.0), sigmoid2 = 1 / (1 + e2);
  const Exercise product{"product",  "A product of sums",       {7}, {7}, {"(x + y)*(y + 1)"},
                         {"x", "y"}, premises.product_gradient, {9}};
  const Exercise question{"question4",
                          "A vector function of two weights",
                          {11, 12},
                          {11, 12},
                          {"cos(w1)*cos(w2) + sigmoid(w2)", "ln(w1 + w2) + w1^2*w2"},
                          {"w1", "w2"},
                          premises.question_jacobian,
                          {std::cos(1.0) * std::cos(2.0) + sigmoid2, std::log(3.0) + 2}};
  for (const auto& step : std::vector<std::function<absl::Status()>>{
           [&] { return RunExercise(product, section, report); },
           [&] { return ProductGraphClaim(product, premises.second_sum, report); },
           [&] { return RunExercise(question, section, report); },
           [&] { return QuestionGraphClaim(question, report); },
           [&] { return DifferencesClaim(question, premises.step, section, report); },
           [&] { return StepSizeClaim(section, report); }}) {
    RETURN_IF_ERROR(step());
  }
  CostClaim(premises.largest_size, section, report);
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
