#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "autodiff/differentiate.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "autodiff/symbolic/trace.h"
#include "tools/graph_picture.h"
#include "tools/lab/experiments.h"
#include "tools/lab/section.h"

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

// A vector function with its Jacobian by hand.
struct Exercise {
  std::string id, title;
  std::vector<int> value_equations, jacobian_equations;
  std::vector<std::string> formulas, variables, jacobian;
  std::vector<double> value;  // at (1, 2), by hand
};

std::string Joined(const std::vector<double>& values) {
  return absl::StrJoin(values, ", ",
                       [](std::string* out, double v) { absl::StrAppend(out, Short(v)); });
}

// The SVG inside a document that Graphviz wrote, its black the page's ink.
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
    for (const double tangent : row.tangents) cells.push_back(Short(tangent));
    for (const double adjoint : row.adjoints) cells.push_back(Short(adjoint));
    rows.push_back(std::move(cells));
  }
  section.Text(
      "The evaluation trace at (1, 2). Forward mode fills tangents from the top down, reverse mode "
      "adjoints from the bottom up.");
  section.Table(header, rows);
}

absl::Status RunExercise(const Exercise& exercise, Section& section, Report& report) {
  sym::Pool pool;
  std::vector<Expr> outputs, variables;
  for (const std::string& name : exercise.variables) variables.push_back(pool.Variable(name));
  for (const std::string& formula : exercise.formulas) {
    const auto parsed = sym::Parse(formula, pool, {.variables = exercise.variables});
    if (!parsed.ok()) return parsed.status();
    outputs.push_back(*parsed);
  }
  section.Heading(exercise.title);
  std::vector<std::string> names;
  for (size_t i = 0; i < outputs.size(); ++i) {
    names.push_back(outputs.size() == 1 ? "f" : absl::StrCat("f", i + 1));
    const std::string name = outputs.size() == 1 ? "f" : absl::StrCat("f_", i + 1);
    section.MathMl(absl::StrCat("<math display=\"block\">", MathRow(name + " = "),
                                sym::ToMathMlRow(outputs[i]), "</math>"));
  }
  const auto trace = sym::MakeTrace(outputs, variables, Point());
  if (!trace.ok()) return trace.status();
  section.Figure(GraphPicture(*trace, names),
                 "The computation graph with values and derivatives at (1, 2).");
  ShowTrace(*trace, exercise, section);

  // The symbolic Jacobian against the one by hand.
  const auto symbolic = sym::Jacobian(outputs, variables);
  Claim formulas{absl::StrCat("autodiff.", exercise.id, "_jacobian"), exercise.jacobian_equations,
                 absl::StrCat("the Jacobian of ", absl::StrJoin(exercise.formulas, ", "), " is [",
                              absl::StrJoin(exercise.jacobian, "; "), "]"),
                 "", "proved: the derivation by hand is symbolically equal to differentiation"};
  bool equal = exercise.jacobian.size() == outputs.size() * variables.size();
  std::vector<std::vector<std::string>> rows;
  for (size_t k = 0; equal && k < exercise.jacobian.size(); ++k) {
    const Expr found = symbolic[k / variables.size()][k % variables.size()];
    const auto by_hand = sym::Parse(exercise.jacobian[k], pool, {.variables = exercise.variables});
    equal = by_hand.ok() && sym::Equal(found, *by_hand) == sym::Verdict::kEqual;
    rows.push_back({absl::StrCat("∂", names[k / variables.size()], "/∂",
                                 exercise.variables[k % variables.size()]),
                    sym::ToMathMl(sym::Simplify(found))});
  }
  formulas.verdict = HoldsIf(equal);
  report.claims.push_back(formulas);
  section.Table({"", "symbolic derivative"}, rows);

  // Values and derivatives by all modes.
  const auto function = autodiff::ExpressionFunction::Create(outputs, variables);
  if (!function.ok()) return function.status();
  const auto value = autodiff::Value(*function, Point());
  if (!value.ok()) return value.status();
  Claim modes{absl::StrCat("autodiff.", exercise.id, "_modes"), exercise.value_equations,
              absl::StrCat("at (1, 2) the value is (", Joined(exercise.value),
                           "), and forward, reverse and symbolic Jacobians agree to 1e-12, "
                           "numeric ones within their error"),
              "", "computed by all four modes"};
  double value_error = 0;
  for (size_t i = 0; i < value->size(); ++i)
    value_error = std::max(value_error, std::abs((*value)[i] - exercise.value[i]));
  modes.numbers.push_back({"largest error of the value", value_error});
  std::vector<std::vector<std::string>> table;
  std::vector<autodiff::Matrix> matrices;
  for (const auto& [name, method] : std::vector<std::pair<std::string, autodiff::Method>>{
           {"symbolic", Mode::kSymbolic},
           {"forward", Mode::kForward},
           {"reverse", Mode::kReverse},
           {"numeric, extrapolated", Mode::kNumeric}}) {
    const auto jacobian = autodiff::Jacobian(*function, Point(), method);
    if (!jacobian.ok()) return jacobian.status();
    table.push_back({name});
    for (const double v : jacobian->values) table.back().push_back(absl::StrFormat("%.12g", v));
    matrices.push_back(*jacobian);
  }
  for (const auto& [name, scheme] :
       {std::pair("numeric, central, step 0.01", autodiff::numeric::Scheme::kCentral),
        std::pair("numeric, forward, step 0.01", autodiff::numeric::Scheme::kForward)}) {
    autodiff::Method method = Mode::kNumeric;
    method.numeric = {.scheme = scheme, .step = kStep};
    const auto jacobian = autodiff::Jacobian(*function, Point(), method);
    if (!jacobian.ok()) return jacobian.status();
    table.push_back({name});
    for (const double v : jacobian->values) table.back().push_back(absl::StrFormat("%.12g", v));
    matrices.push_back(*jacobian);
  }
  // Forward, reverse; extrapolated; central h^2 |f'''| / 6 and forward h |f''| / 2 with generous
  // second and third derivatives.
  const std::vector<double> allowed = {0, 1e-12, 1e-12, 1e-8, 10 * kStep * kStep, 10 * kStep};
  bool agree = value_error < 1e-12;
  for (size_t m = 1; m < matrices.size(); ++m) {
    double worst = 0;
    for (size_t k = 0; k < matrices[0].values.size(); ++k) {
      const double reference = matrices[0].values[k];
      worst = std::max(
          worst, std::abs(matrices[m].values[k] - reference) / std::max(1.0, std::abs(reference)));
    }
    agree = agree && worst <= allowed[m];
    modes.numbers.push_back(
        {absl::StrCat(table[m][0], ": largest relative difference from symbolic"), worst});
  }
  modes.verdict = HoldsIf(agree);
  report.claims.push_back(modes);
  std::vector<std::string> header = {"mode"};
  for (const auto& row : rows) header.push_back(row[0]);
  section.Table(header, table);
  return absl::OkStatus();
}

// The V: truncation falls with the step, rounding rises.
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
      // An error of exactly 0 is luck, and has no logarithm.
      const double error = std::max(k == 0 ? forward : central, 1e-17);
      plot.series[k].x.push_back(h);
      plot.series[k].y.push_back(error);
    }
  }
  const auto slope = [&](int k, double high, double low) {
    const auto at = [&](double h) { return plot.series[k].y[std::lround(-4 * std::log10(h))]; };
    return std::log(at(high) / at(low)) / std::log(high / low);
  };
  // The best step of the running geometric mean, which single lucky hits do not move.
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
              {10},
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

// sum over i of sin(x_i) x_{i+1}: n inputs, one output.
struct Chain {
  template <class S>
  S operator()(std::span<const S> x) const {
    using namespace autodiff::functions;  // NOLINT
    S sum(0.0);
    for (size_t i = 0; i < x.size(); ++i) sum = sum + sin(x[i]) * x[(i + 1) % x.size()];
    return sum;
  }
};

// sin(k x), k = 1 .. m: one input, m outputs.
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

// The least of several runs, in microseconds.
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

// The Jacobian's entries by reverse mode into `entries`, on a tape that keeps its memory: a sweep
// for each output.
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
              {10},
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
  Report report{"autodiff", "One function, four derivatives"};
  Section section;
  const double e2 = std::exp(-2.0), sigmoid2 = 1 / (1 + e2);
  const Exercise product{"product",  "A product of sums",       {9, 10}, {9}, {"(x + y)*(y + 1)"},
                         {"x", "y"}, premises.product_gradient, {9}};
  const Exercise question{"question4",
                          "Question 4: a vector function",
                          {10, 11},
                          {11},
                          {"cos(w1)*cos(w2) + sigmoid(w2)", "ln(w1 + w2) + w1^2*w2"},
                          {"w1", "w2"},
                          premises.question_jacobian,
                          {std::cos(1.0) * std::cos(2.0) + sigmoid2, std::log(3.0) + 2}};
  for (const Exercise& exercise : {product, question}) {
    if (absl::Status status = RunExercise(exercise, section, report); !status.ok()) return status;
  }
  if (absl::Status status = StepSizeClaim(section, report); !status.ok()) return status;
  CostClaim(premises.largest_size, section, report);
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
