#include <algorithm>
#include <cmath>
#include <random>

#include "absl/strings/str_cat.h"
#include "autodiff/reverse/gradient.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "base/status_macros.h"
#include "tools/lab/experiments.h"
#include "tools/lab/random_convex.h"
#include "tools/lab/section.h"

// Numbers in parentheses, such as (3), are equations of the problem set (tools/lab/README.md lists
// them): (2) is the linear model of f, (3) says that it is a lower bound of a convex f.

namespace cotangent::tools::lab {
namespace {

namespace sym = autodiff::symbolic;
using sym::Expr;

constexpr char kModel[] = "f(w_t) + \\langle w - w_t, \\nabla f(w_t) \\rangle";

// What At() below returns: the values of f and of its linear model at the point `at` + distance *
// direction, where |direction| = 1.
struct Models {
  double value, linear, size;  // size: sum of the absolute terms, a scale for rounding errors
};

Models At(const RandomConvex& f, const std::vector<double>& at, double gradient_factor,
          const std::vector<double>& direction, double distance) {
  const std::vector<double> gradient = autodiff::reverse::Gradient(f, at);
  std::vector<double> w = at;
  double slope = 0, size = 0;
  for (int i = 0; i < f.n; ++i) {
    w[i] += distance * direction[i];
    slope += direction[i] * gradient[i];
    size += std::abs(distance * direction[i] * gradient[i]);
  }
  const double start = f(std::span<const double>(at));
  const double value = f(std::span<const double>(w));
  return {value, start + gradient_factor * distance * slope,
          std::abs(start) + std::abs(value) + size};
}

struct Start {
  std::vector<double> at, direction;
};

Start RandomStart(std::mt19937_64& generator, int n) {
  std::normal_distribution<double> normal;
  Start start;
  double square = 0;
  for (int i = 0; i < n; ++i) {
    start.at.push_back(2 * normal(generator));
    start.direction.push_back(normal(generator));
    square += start.direction.back() * start.direction.back();
  }
  for (double& d : start.direction) d /= std::sqrt(square);
  return start;
}

// Checks (2): the error of the linear model is of second order in the distance.
Claim FirstOrderClaim(const LinearPremises& premises) {
  Claim claim{"linear.first_order",
              {2},
              "the error of the linear model is of second order: it falls as |w - w_t|^2",
              absl::StrCat("f(w) = ", kModel, " + O(\\Vert w - w_t \\Vert^2)"),
              absl::StrCat("measured on ", premises.functions,
                           " random functions of 1 to 12 variables, at distances 1e-2 and 1e-3")};
  std::mt19937_64 generator(5);
  double least = INFINITY, most = -INFINITY;
  for (int64_t i = 0; i < premises.functions; ++i) {
    const RandomConvex f(generator, 1 + static_cast<int>(i % 12));
    const Start start = RandomStart(generator, f.n);
    const auto error = [&](double distance) {
      const Models m = At(f, start.at, premises.gradient_factor, start.direction, distance);
      return std::abs(m.value - m.linear);
    };
    const double order = std::log10(error(1e-2) / error(1e-3));
    least = std::min(least, order);
    most = std::max(most, order);
  }
  claim.numbers = {{"least order found", least}, {"largest order found", most}};
  claim.verdict = HoldsIf(least > 1.9 && most < 2.1);
  return claim;
}

// Checks (3) for random convex functions.
Claim LowerBoundClaim(const LinearPremises& premises) {
  Claim claim{"linear.lower_bound",
              {3},
              "for convex f the linear model is a lower bound of f, at any w, near or far",
              absl::StrCat("f(w) \\ge ", kModel),
              absl::StrCat("measured on ", premises.functions,
                           " random convex functions of 1 to 12 variables, at distances from 1e-4 "
                           "to 1e4 on both sides")};
  std::mt19937_64 generator(6);
  double least = INFINITY;
  for (int64_t i = 0; i < premises.functions; ++i) {
    const RandomConvex f(generator, 1 + static_cast<int>(i % 12));
    const Start start = RandomStart(generator, f.n);
    for (int e = -4; e <= 4; ++e) {
      for (const double side : {-1.0, 1.0}) {
        const Models m =
            At(f, start.at, premises.gradient_factor, start.direction, side * std::pow(10, e));
        least = std::min(least, (m.value - m.linear) / m.size);
      }
    }
  }
  claim.numbers = {{"functions", static_cast<double>(premises.functions)},
                   {"least f less its model, relative to the terms added", least}};
  claim.verdict = HoldsIf(least > -1e-14);
  return claim;
}

// Proves the converse of (3). D(w, m) is f(w) minus the value at w of the linear model of f at m.
// Then
//   a f(w) + (1 - a) f(u) - f(m) = a D(w, m) + (1 - a) D(u, m),   m = a w + (1 - a) u,
// so f is convex if D is nowhere negative. In the proof, symbols stand for f(w), f(u), f(m) and the
// slope of f at m.
Claim OnlyConvexClaim(Section& section) {
  sym::Pool pool;
  const auto parse = [&pool](absl::string_view text) { return *sym::Parse(text, pool); };
  const Expr above = parse("a*fw + (1 - a)*fu - fm");
  const Expr models = parse(
      "a*(fw - fm - (w - (a*w + (1 - a)*u))*g) + (1 - a)*(fu - fm - (u - (a*w + (1 - a)*u))*g)");
  Claim claim{"linear.only_convex",
              {3},
              "and only for convex f: where the bound holds at all pairs of points, f is convex",
              "\\alpha f(w) + (1 - \\alpha) f(u) - f(m) = \\alpha D(w, m) + (1 - \\alpha) D(u, m), "
              "\\quad m = \\alpha w + (1 - \\alpha) u",
              "proved symbolically, the inner products in each coordinate"};
  claim.verdict = HoldsIf(sym::Equal(above, models) == sym::Verdict::kEqual);
  section.Heading("Exactly the convex functions");
  section.Text(absl::StrCat(
      "Let ", InlineMath("D(w, m) = f(w) - f(m) - \\langle w - m, \\nabla f(m) \\rangle"),
      ": what f is above its linear model at m. At ", InlineMath("m = \\alpha w + (1 - \\alpha) u"),
      " the two linear terms cancel, as ", InlineMath("\\alpha (w - m) + (1 - \\alpha)(u - m) = 0"),
      ", and"));
  section.Formula(claim.formula);
  section.Text(
      "remains, identically. If D is nowhere negative the left side is not either, which is the "
      "definition of a convex function. A function that is not convex therefore falls below one "
      "of its linear models somewhere:");
  return claim;
}

// Shows that premises.counterexample, a function that is not convex, falls below its tangent at w =
// kAt.
Claim CounterexampleClaim(const LinearPremises& premises, Section& section) {
  constexpr double kAt = 0.5;
  Claim claim{"linear.counterexample",
              {3},
              absl::StrCat("where f is not convex it is no bound: f(w) = ", premises.counterexample,
                           " falls below its tangent at w = ", kAt),
              "",
              "proved: a point where the curvature is negative, one below the tangent"};
  sym::Pool pool;
  const auto f =
      sym::Parse(premises.counterexample, pool, {.variables = std::vector<std::string>{"w"}});
  if (!f.ok()) return claim;
  const Expr w = pool.Variable("w");
  const Expr slope = sym::Differentiate(*f, w), curvature = sym::Differentiate(slope, w);
  const auto at = [](Expr e, double w) { return sym::Evaluate(e, {{"w", w}}).value_or(NAN); };
  const double value = at(*f, kAt), rise = at(slope, kAt);
  Plot plot{.title = absl::StrCat("f(w) = ", premises.counterexample),
            .x_label = "w",
            .y_label = "",
            .y_low = -1.5,
            .y_high = 1.5,
            .width = 560};
  plot.series = {{.name = "f"},
                 {.name = "tangent where f is convex", .mark = Mark::kDashed},
                 {.name = "tangent where it is not", .mark = Mark::kDashed}};
  constexpr double kConvexAt = 1.25;
  double lowest = INFINITY, where = 0;
  for (int i = 0; i <= 160; ++i) {
    const double x = -2 + i / 40.0, y = at(*f, x);
    for (Series& s : plot.series) s.x.push_back(x);
    plot.series[0].y.push_back(y);
    plot.series[1].y.push_back(at(*f, kConvexAt) + (x - kConvexAt) * at(slope, kConvexAt));
    plot.series[2].y.push_back(value + (x - kAt) * rise);
    if (y - plot.series[2].y.back() < lowest) lowest = y - plot.series[2].y.back(), where = x;
  }
  claim.numbers = {{"f'' there", at(curvature, kAt)},
                   {"f less its tangent, at the lowest", lowest},
                   {"which is at w", where}};
  claim.verdict = HoldsIf(at(curvature, kAt) < 0 && lowest < -0.01);
  section.Figure(ToSvg(plot),
                 "The dashed line through the well stays below f, the one from where f bends down "
                 "cuts it.");
  return claim;
}

// Draws a convex function above three of its linear models.
std::string Picture() {
  const auto f = [](double w) { return std::log(std::exp(-w) + std::exp(w / 2)) + 0.1 * w * w; };
  const auto slope = [](double w) {
    return (-std::exp(-w) + 0.5 * std::exp(w / 2)) / (std::exp(-w) + std::exp(w / 2)) + 0.2 * w;
  };
  Plot plot{.title = "A convex function and its linear models",
            .x_label = "w",
            .y_label = "",
            .y_low = -1,
            .y_high = 5,
            .width = 560};
  plot.series = {{.name = "f"}};
  const std::vector<double> points = {-2, 0, 2};
  Series touch{.name = "where they touch", .mark = Mark::kPoints};
  for (const double at : points) {
    plot.series.push_back({.name = absl::StrCat("model at ", Short(at)), .mark = Mark::kDashed});
    touch.x.push_back(at);
    touch.y.push_back(f(at));
  }
  for (int i = 0; i <= 200; ++i) {
    const double w = -4 + 0.04 * i;
    for (Series& s : plot.series) s.x.push_back(w);
    plot.series[0].y.push_back(f(w));
    for (size_t k = 0; k < points.size(); ++k)
      plot.series[1 + k].y.push_back(f(points[k]) + (w - points[k]) * slope(points[k]));
  }
  plot.series.push_back(std::move(touch));
  return ToSvg(plot);
}

}  // namespace

absl::StatusOr<Report> RunLinear(const LinearPremises& premises) {
  sym::Pool pool;
  RETURN_IF_ERROR(
      sym::Parse(premises.counterexample, pool, {.variables = std::vector<std::string>{"w"}})
          .status());
  Report report{"linear", "Question 3: the linear model of a function"};
  Section section;
  section.Text("Gradient descent sees of f no more than its value and slope where it stands:");
  section.Formula(absl::StrCat("f(w) \\approx ", kModel));
  report.claims.push_back(FirstOrderClaim(premises));
  report.claims.push_back(LowerBoundClaim(premises));
  section.Figure(Picture(), "Each model touches f in one point and is nowhere above it.");
  report.claims.push_back(OnlyConvexClaim(section));
  report.claims.push_back(CounterexampleClaim(premises, section));
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
