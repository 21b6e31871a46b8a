#include <algorithm>
#include <cmath>
#include <optional>
#include <random>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "tools/lab/experiments.h"
#include "tools/lab/section.h"

namespace cotangent::tools::lab {
namespace {

namespace sym = autodiff::symbolic;
using sym::Expr;

double Whole(double w) { return (w - 2) * (w - 2) / 2 + (w + 1) * (w + 1) / 2; }

// Returns f(w - eta f_i'(w)) - f(w), where f_i is `term`: the increase of f by a step on that term.
Expr Increase(Expr f, Expr term, Expr w, Expr eta) {
  return sym::Substitute(f, w, w - eta * sym::Differentiate(term, w)) - f;
}

struct Term {
  std::string id, name, minimum;  // such as "first", "(w - 2)^2/2", "2"
  double at;                      // the term's minimum
};

// Proves that a step of size eta on the term f_i increases f by eta (f_i')^2 (eta - threshold), so
// that f increases if and only if eta > threshold (unless f_i' is 0). Also checks this at random
// points.
Claim ThresholdClaim(const Term& term, const std::string& threshold_text, Section& section) {
  sym::Pool pool;
  const Expr w = pool.Variable("w"), eta = pool.Variable("eta");
  const Expr f = *sym::Parse("(w - 2)^2/2 + (w + 1)^2/2", pool),
             part = *sym::Parse(term.name, pool);
  Claim claim{absl::StrCat("sgd.", term.id, "_term"),
              {14},
              absl::StrCat("a step on ", term.name, " increases f if and only if eta > ",
                           threshold_text, " (w != ", term.minimum, ")"),
              "",
              "proved symbolically from the update, and checked at 20000 random (w, eta)"};
  const auto threshold =
      sym::Parse(threshold_text, pool, {.variables = std::vector<std::string>{"w"}});
  if (!threshold.ok()) return claim;
  const Expr increase = Increase(f, part, w, eta), slope = sym::Differentiate(part, w);
  const Expr factored = eta * sym::Square(slope) * (eta - *threshold);
  const bool proved = sym::Equal(increase, factored) == sym::Verdict::kEqual;
  section.Text(absl::StrCat("A step on ", sym::ToMathMl(part), " takes w to ",
                            sym::ToMathMl(sym::Simplify(w - eta * slope)), " and changes f by"));
  section.MathMl(absl::StrCat("<math display=\"block\">", sym::ToMathMlRow(sym::Simplify(increase)),
                              "<mo>=</mo>", sym::ToMathMlRow(factored), "</math>"));
  std::mt19937_64 generator(5);
  int64_t wrong = 0, increases = 0;
  for (int i = 0; i < 20000; ++i) {
    const double at = std::uniform_real_distribution<double>(-4, 5)(generator),
                 step = std::uniform_real_distribution<double>(0, 3)(generator);
    const double limit = sym::Evaluate(*threshold, {{"w", at}}).value_or(NAN);
    const double change = Whole(at - step * (at - term.at)) - Whole(at);
    if (std::abs(change) < 1e-12) continue;
    increases += change > 0;
    wrong += (change > 0) != (step > limit);
  }
  claim.numbers = {{"points where it is otherwise", static_cast<double>(wrong)},
                   {"share of points where f increases", increases / 20000.0}};
  claim.verdict = HoldsIf(proved && wrong == 0);
  return claim;
}

Claim CounterexampleClaim(Section& section) {
  Claim claim{"sgd.counterexample",
              {14},
              "at w = 1, a step on (w - 2)^2/2 increases f for every eta > 0",
              "w = 1: \\quad f(w - \\eta f_1'(w)) - f(w) = \\eta + \\eta^2 > 0",
              "proved symbolically, and computed"};
  sym::Pool pool;
  const Expr w = pool.Variable("w"), eta = pool.Variable("eta");
  const Expr f = *sym::Parse("(w - 2)^2/2 + (w + 1)^2/2", pool),
             part = *sym::Parse("(w - 2)^2/2", pool);
  const Expr increase =
      sym::Simplify(sym::Substitute(Increase(f, part, w, eta), w, pool.Constant(1)));
  const bool proved = sym::Equal(increase, eta + sym::Square(eta)) == sym::Verdict::kEqual;
  bool computed = true;
  for (const double step : {0.01, 0.1, 0.5, 1.0}) {
    const double change = Whole(1 + step) - Whole(1);
    computed = computed && std::abs(change - step - step * step) < 1e-14;
    claim.numbers.push_back({absl::StrCat("f(w') - f(w) for eta = ", Short(step)), change});
  }
  claim.verdict = HoldsIf(proved && computed);
  section.Text(
      absl::StrCat("Between 1/2, the minimum of f, and 2 the threshold is negative: "
                   "<strong>every</strong> step size makes f worse. At w = 1 "
                   "the increase is ",
                   sym::ToMathMl(increase), "."));
  return claim;
}

std::string RegionPicture() {
  HeatMap map{.title = "Where a step on (w - 2)^2/2 increases f",
              .x_label = "w",
              .y_label = "eta",
              .rows = 60,
              .columns = 90,
              .x_low = -4,
              .x_high = 5,
              .y_low = 3,
              .y_high = 0,
              .low = 0,
              .high = 2};
  for (int64_t r = 0; r < map.rows; ++r) {
    for (int64_t c = 0; c < map.columns; ++c) {
      const double w = -4 + (c + 0.5) * 0.1, eta = 3 - (r + 0.5) * 0.05;
      const double change = Whole(w - eta * (w - 2)) - Whole(w);
      map.values.push_back(change > 0 ? 0.5 + std::min(1.5, change / 8) : 0);
    }
  }
  return ToSvg(map);
}

struct Stationary {
  double mean = 0, variance = 0;
  std::vector<double> histogram;  // density on 60 cells of [-1, 2]
};

// Runs stochastic gradient descent with a constant step size eta; a fair coin chooses the term of
// each step.
Stationary Simulate(double eta, int64_t steps) {
  std::mt19937_64 generator(17);
  double w = 0.5, sum = 0, squares = 0;
  Stationary s;
  s.histogram.assign(60, 0.0);
  const int64_t burn_in = 2000;
  for (int64_t t = -burn_in; t < steps; ++t) {
    const double minimum = (generator() >> 63) != 0 ? 2 : -1;
    w -= eta * (w - minimum);
    if (t < 0) continue;
    sum += w;
    squares += w * w;
    const int cell = std::clamp(static_cast<int>((w + 1) * 20), 0, 59);
    s.histogram[cell] += 20.0 / static_cast<double>(steps);
  }
  s.mean = sum / static_cast<double>(steps);
  s.variance = squares / static_cast<double>(steps) - s.mean * s.mean;
  return s;
}

// Claims the variance of the stationary distribution. Returns a plot of the measured variances, or
// nothing if the formula of the claim cannot be read.
std::optional<Plot> VarianceClaim(const SgdPremises& premises, Report& report) {
  Claim claim{"sgd.stationary",
              {},
              absl::StrCat("constant-step SGD does not converge: its stationary variance is ",
                           premises.variance),
              "V = \\frac{9 \\eta}{4 (2 - \\eta)}",
              "the fixed point proved symbolically, the variance measured"};
  sym::Pool pool;
  const auto variance =
      sym::Parse(premises.variance, pool, {.variables = std::vector<std::string>{"eta"}});
  if (!variance.ok()) {
    report.claims.push_back(claim);
    return std::nullopt;
  }
  const Expr eta = pool.Variable("eta");
  const bool proved = sym::Equal(*variance, sym::Square(1 - eta) * *variance +
                                                9.0 / 4 * sym::Square(eta)) == sym::Verdict::kEqual;
  Plot plot{.title = "Stationary variance against the step size",
            .x_label = "eta",
            .y_label = "variance",
            .log_x = true,
            .log_y = true};
  plot.series = {{.name = "measured", .mark = Mark::kPoints}, {.name = "9 eta / (4 (2 - eta))"}};
  double worst = 0;
  for (const double step : {0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95}) {
    const Stationary s = Simulate(step, premises.steps);
    const double expected = sym::Evaluate(*variance, {{"eta", step}}).value_or(NAN);
    worst = std::max(worst, std::abs(s.variance / expected - 1));
    plot.series[0].x.push_back(step), plot.series[0].y.push_back(s.variance);
    plot.series[1].x.push_back(step), plot.series[1].y.push_back(expected);
  }
  claim.numbers = {{"largest relative error of the variance", worst},
                   {"steps", static_cast<double>(premises.steps)}};
  // Samples within 1/eta steps of each other are correlated, so N steps count like about N eta / 2
  // independent ones: 0.01 N for the least eta, 0.02.
  const double tolerance = 6 / std::sqrt(0.01 * static_cast<double>(premises.steps));
  claim.verdict = HoldsIf(proved && worst < tolerance);
  report.claims.push_back(claim);
  return plot;
}

// Claims that the distribution is uniform for one step size. Returns a plot of some distributions.
Plot UniformClaim(const SgdPremises& premises, Report& report) {
  Plot shapes{.title = "Stationary distributions", .x_label = "w", .y_label = "density"};
  double flatness = 0;
  for (const double step : {0.05, 0.2, 0.5, 0.75}) {
    const Stationary s = Simulate(step, premises.steps);
    Series series{.name = absl::StrCat("eta = ", Short(step))};
    for (int i = 0; i < 60; ++i) {
      series.x.push_back(-1 + (i + 0.5) * 0.05);
      series.y.push_back(s.histogram[i]);
      if (step == 0.5) flatness = std::max(flatness, std::abs(s.histogram[i] * 3 - 1));
    }
    shapes.series.push_back(std::move(series));
  }
  Claim uniform{"sgd.uniform",
                {},
                "for eta = 1/2 the stationary distribution is uniform on [-1, 2]",
                "",
                "measured by histogram"};
  uniform.numbers = {{"largest relative deviation of 60 cells from 1/3", flatness}};
  uniform.verdict =
      HoldsIf(flatness < 5 * std::sqrt(60.0 * 3 / static_cast<double>(premises.steps)));
  report.claims.push_back(uniform);
  return shapes;
}

void StationaryClaims(const SgdPremises& premises, Section& section, Report& report) {
  section.Heading("Where it ends: the stationary distribution");
  section.Text(absl::StrCat(
      "With a constant step and the term chosen by a fair coin, ",
      InlineMath("w_{t+1} = (1 - \\eta) w_t + \\eta c_t"), " with ",
      InlineMath("c_t \\in \\{-1, 2\\}"),
      ". The mean of the stationary distribution is the minimum 1/2, and its variance solves ",
      InlineMath("V = (1 - \\eta)^2 V + \\frac{9}{4} \\eta^2"), "."));
  const std::optional<Plot> variances = VarianceClaim(premises, report);
  if (!variances.has_value()) return;
  section.BeginRow();
  section.Figure(ToSvg(*variances), "Smaller steps end nearer to the minimum, none at it.");
  section.Figure(ToSvg(UniformClaim(premises, report)),
                 "A bell for small steps; exactly uniform on [-1, 2] for eta = 1/2 (w is then a "
                 "random binary fraction); beyond, a Cantor "
                 "set: after any step w is in one of two separate intervals.");
  section.EndRow();
}

}  // namespace

absl::StatusOr<Report> RunSgd(const SgdPremises& premises) {
  Report report{"sgd", "Question 6: stochastic gradient descent is not descent"};
  Section section;
  section.Text("A step on one term of a sum can increase the sum. The smallest example:");
  section.Formula("f(w) = \\frac{1}{2} (w - 2)^2 + \\frac{1}{2} (w + 1)^2, \\quad f'(w) = 2 w - 1");
  report.claims.push_back(
      ThresholdClaim({"first", "(w - 2)^2/2", "2", 2}, premises.first_threshold, section));
  report.claims.push_back(
      ThresholdClaim({"second", "(w + 1)^2/2", "-1", -1}, premises.second_threshold, section));
  section.Text("The square is not negative, so the sign is that of the last factor.");
  report.claims.push_back(CounterexampleClaim(section));
  section.Figure(
      RegionPicture(),
      "Dark: f increases, the more the darker. Every step size between w = 1/2 and w = 2.");
  StationaryClaims(premises, section, report);
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
