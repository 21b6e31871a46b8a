#include <algorithm>
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "autodiff/forward/gradient.h"
#include "autodiff/reverse/gradient.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "optim/descent.h"
#include "tools/lab/experiments.h"
#include "tools/lab/random_convex.h"
#include "tools/lab/section.h"

namespace cotangent::tools::lab {
namespace {

namespace sym = autodiff::symbolic;
using sym::Expr;

constexpr int kSymbolicSize = 3;

// The objective f(w_t) + <w - w_t, grad f(w_t)> + (lambda / 2) |w - w_t|^2 as an expression, with a
// variable for each coordinate of w (`w`), of w_t (`at`) and of grad f(w_t) (`gradient`).
struct Objective {
  Expr value, lambda;
  std::vector<Expr> w, at, gradient;
};

Objective MakeObjective(sym::Pool& pool) {
  Objective o;
  o.lambda = pool.Variable("lambda");
  o.value = pool.Variable("f");
  for (int i = 1; i <= kSymbolicSize; ++i) {
    o.w.push_back(pool.Variable(absl::StrCat("w", i)));
    o.at.push_back(pool.Variable(absl::StrCat("t", i)));
    o.gradient.push_back(pool.Variable(absl::StrCat("g", i)));
    const Expr step = o.w.back() - o.at.back();
    o.value = o.value + step * o.gradient.back() + o.lambda / 2 * sym::Square(step);
  }
  return o;
}

// Returns the value of `variable` for which the expression e, which is linear in it, is 0.
Expr ZeroOfLinear(Expr e, Expr variable) {
  const Expr slope = sym::Simplify(sym::Differentiate(e, variable));
  const Expr constant = sym::Substitute(e, variable, variable.pool().Constant(0));
  return sym::Simplify(-constant / slope);
}

Claim MinimiserClaim(const ProximalPremises& premises, Section& section) {
  sym::Pool pool;
  const Objective o = MakeObjective(pool);
  Claim claim{
      "proximal.minimiser",
      {4},
      "the minimiser of the linear model plus (lambda/2)|w - w_t|^2 is w_t - grad f(w_t)/lambda",
      "\\argmin_w \\{ f(w_t) + \\langle w - w_t, \\nabla f(w_t) \\rangle + \\frac{\\lambda}{2} "
      "\\Vert w - w_t \\Vert^2 \\} = w_t - "
      "\\frac{1}{\\lambda} \\nabla f(w_t)",
      "derived symbolically in 3 coordinates, where the gradient is 0 and the Hessian lambda times "
      "the identity"};
  const auto step =
      sym::Parse(premises.step, pool, {.variables = std::vector<std::string>{"lambda"}});
  bool holds = step.ok();
  std::vector<std::vector<std::string>> rows;
  Expr least = o.value;
  for (int i = 0; i < kSymbolicSize; ++i) {
    const Expr slope = sym::Differentiate(o.value, o.w[i]);
    const Expr minimiser = ZeroOfLinear(slope, o.w[i]);
    rows.push_back(
        {sym::ToMathMl(o.w[i]), sym::ToMathMl(sym::Simplify(slope)), sym::ToMathMl(minimiser)});
    holds = holds && sym::Equal(minimiser, o.at[i] - *step * o.gradient[i]) == sym::Verdict::kEqual;
    for (int j = 0; j < kSymbolicSize; ++j) {
      const Expr second = sym::Simplify(sym::Differentiate(slope, o.w[j]));
      holds = holds && (i == j ? second == o.lambda : second.IsZero());
    }
    least = sym::Substitute(least, o.w[i], minimiser);
  }
  section.Text(absl::StrCat("In coordinates, with t for ", InlineMath("w_t"), " and g for ",
                            InlineMath("\\nabla f(w_t)"),
                            ", the derivative by each coordinate and where it is 0:"));
  section.Table({"", "derivative", "zero"}, rows);
  section.Text(absl::StrCat(
      "The second derivatives are ", InlineMath("\\lambda"),
      " on the diagonal and 0 elsewhere, so for ", InlineMath("\\lambda > 0"),
      " the objective is strictly convex and this is its only minimiser: a step of gradient "
      "descent with ",
      InlineMath("\\eta = 1 / \\lambda"), ". The least value is ",
      sym::ToMathMl(sym::Simplify(least)), "."));
  claim.verdict = HoldsIf(holds);
  claim.numbers.push_back({"coordinates", kSymbolicSize});
  return claim;
}

double Norm(const std::vector<double>& v) {
  double square = 0;
  for (const double x : v) square += x * x;
  return std::sqrt(square);
}

struct StepCheck {
  double distance = 0;  // from the gradient step's result to the minimiser found by descent
  double rise = 0;      // relative error of objective(w* + d) - objective(w*) = lambda/2 |d|^2
};

StepCheck CheckStep(const RandomConvex& f, double lambda, double eta, std::mt19937_64& generator) {
  std::normal_distribution<double> normal;
  std::vector<double> at(f.n);
  for (double& v : at) v = normal(generator);
  const double value = f(std::span<const double>(at));
  const std::vector<double> gradient = autodiff::reverse::Gradient(f, at);
  const auto objective = [&](absl::Span<const double> w) {
    double sum = value;
    for (int i = 0; i < f.n; ++i)
      sum += (w[i] - at[i]) * gradient[i] + lambda / 2 * (w[i] - at[i]) * (w[i] - at[i]);
    return sum;
  };
  const auto objective_gradient = [&](absl::Span<const double> w, absl::Span<double> v) {
    for (int i = 0; i < f.n; ++i) v[i] = gradient[i] + lambda * (w[i] - at[i]);
  };
  // Finds the minimiser without the formula: by gradient descent on the objective from another
  // point, in steps that halve the distance.
  std::vector<double> elsewhere(f.n);
  for (double& v : elsewhere) v = normal(generator);
  const auto found = optim::Minimise(objective, objective_gradient, elsewhere,
                                     {.steps = 80, .step_size = optim::ConstantStep(0.5 / lambda)});
  // Takes one step of gradient descent on f.
  const auto f_gradient = [&](absl::Span<const double> w, absl::Span<double> v) {
    const auto g = autodiff::forward::Gradient(f, std::span<const double>(w.data(), w.size()));
    std::copy(g.begin(), g.end(), v.begin());
  };
  const auto stepped = optim::Minimise([](absl::Span<const double>) { return 0.0; }, f_gradient, at,
                                       {.steps = 1, .step_size = optim::ConstantStep(eta)});
  StepCheck check;
  std::vector<double> difference(f.n), moved = stepped->last;
  for (int i = 0; i < f.n; ++i) difference[i] = stepped->last[i] - found->last[i];
  check.distance = Norm(difference) / (1 + Norm(found->last));
  for (int i = 0; i < f.n; ++i) moved[i] += difference[i] = normal(generator);
  const double rise = objective(moved) - objective(stepped->last),
               expected = lambda / 2 * std::pow(Norm(difference), 2);
  check.rise = std::abs(rise - expected) / (std::abs(expected) + std::abs(value));
  return check;
}

Claim StepClaim(const ProximalPremises& premises) {
  Claim claim{"proximal.step",
              {1, 4},
              "a step of gradient descent with eta = 1/lambda lands on that minimiser",
              "w_{t+1} = w_t - \\eta \\nabla f(w_t), \\quad \\eta = \\frac{1}{\\lambda}",
              absl::StrCat("measured on ", premises.functions,
                           " random convex functions of 1 to 12 variables")};
  std::mt19937_64 generator(11);
  StepCheck worst;
  sym::Pool pool;
  const auto step =
      sym::Parse(premises.step, pool, {.variables = std::vector<std::string>{"lambda"}});
  if (!step.ok()) return claim;
  for (int64_t i = 0; i < premises.functions; ++i) {
    const RandomConvex f(generator, 1 + i % 12);
    const double lambda = std::exp(std::uniform_real_distribution<double>(-3, 4)(generator));
    const double eta = sym::Evaluate(*step, {{"lambda", lambda}}).value_or(NAN);
    const StepCheck check = CheckStep(f, lambda, eta, generator);
    worst.distance = std::max(worst.distance, check.distance);
    worst.rise = std::max(worst.rise, check.rise);
  }
  claim.numbers = {{"functions", static_cast<double>(premises.functions)},
                   {"largest distance from the minimiser, relative", worst.distance},
                   {"largest error of F(w* + d) - F(w*) = (lambda/2)|d|^2, relative", worst.rise}};
  claim.verdict = HoldsIf(worst.distance < 1e-10 && worst.rise < 1e-9);
  return claim;
}

// Draws the case of one dimension: f, its linear model, and the objective for three values of
// lambda.
std::string Picture() {
  const auto f = [](double w) { return std::log(std::exp(-w) + std::exp(w / 2)) + 0.1 * w * w; };
  const double at = -1.5, slope = (-std::exp(1.5) + 0.5 * std::exp(-0.75)) /
                                      (std::exp(1.5) + std::exp(-0.75)) +
                                  0.2 * at;
  Plot plot{.title = "Linear model and proximal term",
            .x_label = "w",
            .y_label = "",
            .y_low = 0,
            .y_high = 4,
            .width = 560};
  plot.series = {{.name = "f"}, {.name = "linear model", .mark = Mark::kDashed}};
  const std::vector<double> lambdas = {0.7, 1.5, 4};
  for (const double lambda : lambdas)
    plot.series.push_back({.name = absl::StrCat("lambda = ", Short(lambda))});
  Series least{.name = "minimisers", .mark = Mark::kPoints};
  for (int i = 0; i <= 200; ++i) {
    const double w = -4 + 0.04 * i, linear = f(at) + (w - at) * slope;
    for (Series& s : plot.series) s.x.push_back(w);
    plot.series[0].y.push_back(f(w));
    plot.series[1].y.push_back(linear);
    for (size_t k = 0; k < lambdas.size(); ++k)
      plot.series[2 + k].y.push_back(linear + lambdas[k] / 2 * (w - at) * (w - at));
  }
  for (const double lambda : lambdas) {
    least.x.push_back(at - slope / lambda);
    least.y.push_back(f(at) - slope * slope / (2 * lambda));
  }
  plot.series.push_back(std::move(least));
  return ToSvg(plot);
}

}  // namespace

absl::StatusOr<Report> RunProximal(const ProximalPremises& premises) {
  Report report{"proximal", "Question 3.1: gradient descent as a proximal step"};
  Section section;
  section.Text(
      "Gradient descent trusts the linear model of f at the current point, near that point only: "
      "it minimises");
  section.Formula(
      "F(w) = f(w_t) + \\langle w - w_t, \\nabla f(w_t) \\rangle + \\frac{\\lambda}{2} \\Vert w - "
      "w_t \\Vert^2");
  report.claims.push_back(MinimiserClaim(premises, section));
  report.claims.push_back(StepClaim(premises));
  section.Figure(Picture(),
                 "The weaker the proximal term, the longer the step: the minimisers of the three "
                 "objectives are those of steps 1/lambda.");
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
