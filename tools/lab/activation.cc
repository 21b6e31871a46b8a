#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/differentiability.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/limits.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "base/status_macros.h"
#include "tools/lab/experiments.h"
#include "tools/lab/section.h"

namespace cotangent::tools::lab {
namespace {

namespace sym = autodiff::symbolic;
using sym::Expr;

constexpr int kDepth = 30, kWidth = 192, kNetworks = 6;

struct Activation {
  std::string name;
  Expr g, slope;  // the function and its derivative, in x
  sym::LimitValue left, right, left_slope, right_slope;
  double largest_slope = 0;
  sym::Parity parity = sym::Parity::kUnknown;
};

std::string Math(Expr e) { return sym::ToMathMl(e); }

std::string Math(const sym::LimitValue& limit) {
  using Kind = sym::LimitValue::Kind;
  switch (limit.kind) {
    case Kind::kFinite:
      return Math(limit.value);
    case Kind::kPlusInfinity:
      return InlineMath("+\\infty");
    case Kind::kMinusInfinity:
      return InlineMath("-\\infty");
    case Kind::kUnknown:
      return "cannot tell";
  }
  return "";
}

const char* Name(sym::Parity parity) {
  switch (parity) {
    case sym::Parity::kEven:
      return "even";
    case sym::Parity::kOdd:
      return "odd";
    case sym::Parity::kNeither:
      return "neither";
    case sym::Parity::kUnknown:
      return "unknown";
  }
  return "";
}

// Returns what becomes of gradients that pass through g far from 0 on one side, given `slope`, the
// limit of g' at minus or plus infinity: "vanishes" if the limit is 0, "explodes" if it is
// infinite, "neither" for other limits, "cannot tell" if the limit is unknown.
std::string Fate(const sym::LimitValue& slope) {
  if (!slope.known()) return "cannot tell";
  if (!slope.finite()) return "explodes";
  return slope.value.IsZero() ? "vanishes" : "neither";
}

// Evaluates the activation function g and its derivative g' at a number.
class Evaluator {
 public:
  Evaluator(Expr g, Expr slope, Expr x) : program_(*sym::Program::Create({g, slope}, {x})) {}
  std::pair<double, double> operator()(double x) const {
    const std::vector<double> both = program_.Evaluate<double>(std::vector<double>{x});
    return {both[0], both[1]};
  }

 private:
  sym::Program program_;
};

// Returns the largest |g'| over a fine grid that is denser near 0 and over the one-sided limits at
// infinity and at kinks.
double LargestSlope(const Activation& activation, Expr x, const sym::Differentiability& points) {
  const Evaluator evaluate(activation.g, activation.slope, x);
  double largest = 0;
  const auto take = [&](double slope) {
    if (!std::isnan(slope)) largest = std::max(largest, std::abs(slope));
  };
  for (int i = -4000; i <= 4000; ++i) take(evaluate(1e-3 + 30 * std::pow(i / 4000.0, 3)).second);
  std::vector<sym::LimitValue> limits = {activation.left_slope, activation.right_slope};
  for (const auto& point : points.points) {
    limits.push_back(point.left_slope);
    limits.push_back(point.right_slope);
  }
  for (const sym::LimitValue& limit : limits) {
    if (limit.finite()) take(sym::Evaluate(limit.value, {}).value_or(0));
    if (limit.known() && !limit.finite()) return std::numeric_limits<double>::infinity();
  }
  return largest;
}

Activation Study(const std::string& name, Expr g, Expr x) {
  Activation a;
  a.name = name;
  a.g = g;
  a.slope = sym::Differentiate(g, x);
  a.left = sym::LimitAtInfinity(g, x, false);
  a.right = sym::LimitAtInfinity(g, x, true);
  a.left_slope = sym::LimitAtInfinity(a.slope, x, false);
  a.right_slope = sym::LimitAtInfinity(a.slope, x, true);
  a.parity = sym::ProveParity(g, x).parity;
  a.largest_slope = LargestSlope(a, x, sym::NonDifferentiablePoints(g, x));
  return a;
}

Plot CurvePlot(const Activation& activation, Expr x) {
  const Evaluator evaluate(activation.g, activation.slope, x);
  Plot plot{.title = activation.name, .x_label = "x", .y_label = "", .width = 300, .height = 220};
  Series g{.name = "g", .mark = Mark::kLine}, slope{.name = "g'", .mark = Mark::kDashed};
  for (int i = -200; i <= 200; ++i) {
    // Shifts the grid by half a step, so that no point falls on a kink at 0.
    const double at = (i + 0.5) * 0.025;
    const auto [value, derivative] = evaluate(at);
    g.x.push_back(at);
    slope.x.push_back(at);
    g.y.push_back(value);
    slope.y.push_back(derivative);
  }
  plot.y_low = -1.6;
  plot.y_high = 3;
  plot.series = {std::move(g), std::move(slope)};
  return plot;
}

// Returns the means of g(sqrt(q) z)^2 and g'(sqrt(q) z)^2 for a standard normal z.
std::pair<double, double> GaussianMeans(const Evaluator& evaluate, double q) {
  double value = 0, slope = 0, weight = 0;
  for (int i = 0; i < 2000; ++i) {
    const double z = (i + 0.5) / 125 - 8;
    const double density = std::exp(-z * z / 2);
    const auto [g, d] = evaluate(std::sqrt(q) * z);
    value += density * g * g;
    slope += density * d * d;
    weight += density;
  }
  return {value / weight, slope / weight};
}

// Returns the weights of kNetworks networks, each as [layer, out, in]. They are normal with
// variance 1/width.
std::vector<std::vector<float>> RandomWeights() {
  std::mt19937_64 generator(7);
  std::normal_distribution<float> normal(0, 1 / std::sqrt(static_cast<float>(kWidth)));
  std::vector<std::vector<float>> weights(kNetworks, std::vector<float>(kDepth * kWidth * kWidth));
  for (auto& network : weights) {
    for (float& w : network) w = normal(generator);
  }
  return weights;
}

struct DepthCurve {
  std::vector<double>
      measured;  // |dL/dh_l| / |dL/dh_L|, l = 0 .. L; h_l is the input of layer l + 1
  std::vector<double> predicted;  // the same ratios by mean-field theory
};

// Measures gradient norms at initialisation, in networks h_{l+1} = g(W_l h_l) with the weights
// `weights`: geometric means over the networks. Also predicts them by mean-field theory.
DepthCurve GradientByDepth(const Activation& activation, Expr x,
                           const std::vector<std::vector<float>>& weights) {
  const Evaluator evaluate(activation.g, activation.slope, x);
  std::vector<double> log_norms(kDepth + 1, 0.0);
  std::mt19937_64 generator(8);
  std::normal_distribution<double> normal;
  for (int network = 0; network < kNetworks; ++network) {
    std::vector<std::vector<double>> slopes(kDepth, std::vector<double>(kWidth));
    std::vector<double> h(kWidth), next(kWidth), gradient(kWidth);
    for (double& v : h) v = normal(generator);
    for (int l = 0; l < kDepth; ++l) {
      const float* const layer = weights[network].data() + l * kWidth * kWidth;
      for (int i = 0; i < kWidth; ++i) {
        double sum = 0;
        for (int j = 0; j < kWidth; ++j) sum += layer[i * kWidth + j] * h[j];
        std::tie(next[i], slopes[l][i]) = evaluate(sum);
      }
      std::swap(h, next);
    }
    for (double& v : gradient) v = normal(generator);
    std::vector<double> norms(kDepth + 1);
    for (int l = kDepth;; --l) {
      double square = 0;
      for (const double v : gradient) square += v * v;
      norms[l] = std::sqrt(square);
      if (l == 0) break;
      std::fill(next.begin(), next.end(), 0.0);
      for (int i = 0; i < kWidth; ++i) {
        const double through = gradient[i] * slopes[l - 1][i];
        const float* const row = weights[network].data() + ((l - 1) * kWidth + i) * kWidth;
        for (int j = 0; j < kWidth; ++j) next[j] += row[j] * through;
      }
      std::swap(gradient, next);
    }
    for (int l = 0; l <= kDepth; ++l)
      log_norms[l] += std::log(norms[l] / norms[kDepth]) / kNetworks;
  }
  DepthCurve curve;
  for (const double v : log_norms) curve.measured.push_back(std::exp(v));
  std::vector<double> chi(kDepth);
  double q = 1;
  for (int l = 0; l < kDepth; ++l) std::tie(q, chi[l]) = GaussianMeans(evaluate, q);
  curve.predicted.assign(kDepth + 1, 1.0);
  for (int l = kDepth - 1; l >= 0; --l)
    curve.predicted[l] = curve.predicted[l + 1] * std::sqrt(chi[l]);
  return curve;
}

Claim OddClaim(Expr g, Expr x, Section& section) {
  const sym::ParityProof proof = sym::ProveParity(g, x);
  Claim claim{"activation.odd",
              {},
              "g(-x) = -g(x)",
              "g(-x) = -g(x)",
              "proved symbolically, the steps shown"};
  section.Heading("Symmetry");
  section.Text(absl::StrCat(InlineMath("g(-x)"), " is ", Math(proof.reflected), ". Rewriting:"));
  std::vector<std::vector<std::string>> rows;
  for (const sym::RewriteStep& step : proof.steps) {
    rows.push_back({EscapeHtml(step.rule), Math(step.before), Math(step.after), Math(step.whole)});
  }
  if (!rows.empty()) section.Table({"rule", "replaces", "by", "so that the whole is"}, rows);
  claim.verdict = HoldsIf(proof.parity == sym::Parity::kOdd);
  claim.numbers.push_back({"rewriting steps", static_cast<double>(proof.steps.size())});
  if (proof.parity == sym::Parity::kNeither) {
    claim.how = "refuted by a counterexample";
    claim.numbers.push_back({"counterexample at x", proof.counterexample});
  } else if (proof.parity == sym::Parity::kEven) {
    claim.how = "refuted: proved to be even";
  } else if (proof.parity == sym::Parity::kUnknown) {
    claim.how = "neither proved nor refuted";
  }
  section.Text(absl::StrCat("Hence g is <strong>", Name(proof.parity), "</strong>."));
  return claim;
}

// Compares symbolic differentiation with the derivation of g' by hand, if there is one, and with
// central differences at 200 points x != 0.
Claim DerivativeClaim(Expr g, Expr x, const ActivationPremises& premises, sym::Pool& pool,
                      Section& section) {
  const Expr slope = sym::Simplify(sym::Differentiate(g, x));
  section.Heading("Derivative");
  section.Text(absl::StrCat("For ", InlineMath("x \\ne 0"), ": ", InlineMath("g'(x) ="), " ",
                            Math(slope), "."));
  Claim claim{"activation.derivative", {}, "", "", ""};
  if (premises.derivative.empty()) {
    claim.statement = absl::StrCat("g'(x) = ", sym::ToText(slope), " for x != 0");
    claim.how = "derived symbolically, checked against central differences at 200 points";
  } else {
    claim.statement = absl::StrCat("g'(x) = ", premises.derivative, " for x != 0");
    claim.how =
        "proved symbolically equal to the derivation by hand, and checked against central "
        "differences at 200 points";
  }
  const Evaluator evaluate(g, slope, x);
  double worst = 0;
  for (int i = 1; i <= 100; ++i) {
    for (const double at : {0.0313 * i, -0.0313 * i}) {
      const double h = 1e-5, d = evaluate(at).second;
      const double numeric = (evaluate(at + h).first - evaluate(at - h).first) / (2 * h);
      // Skips points at which the derivative or the difference quotient is not finite.
      if (std::isfinite(d) && std::isfinite(numeric))
        worst = std::max(worst, std::abs(numeric - d) / (1 + std::abs(d)));
    }
  }
  claim.numbers.push_back({"largest difference from central differences", worst});
  bool same = true;
  if (!premises.derivative.empty()) {
    const auto by_hand =
        sym::Parse(premises.derivative, pool, {.variables = std::vector<std::string>{"x"}});
    same = by_hand.ok() && sym::Equal(sym::Differentiate(g, x), *by_hand) == sym::Verdict::kEqual;
  }
  claim.verdict = HoldsIf(same && worst < 1e-6);
  return claim;
}

// Examines g'(0): both one-sided limits of the difference quotient, and the limits of g'.
Claim DerivativeAtZeroClaim(Expr g, Expr x, sym::Pool& pool, Section& section) {
  const Expr zero = pool.Constant(0);
  const Expr at_zero = sym::Substitute(g, x, zero);
  const Expr quotient = (g - at_zero) / x;
  const Expr slope = sym::Differentiate(g, x);
  const sym::LimitValue left = sym::Limit(quotient, x, zero, sym::Side::kLeft),
                        right = sym::Limit(quotient, x, zero, sym::Side::kRight);
  const sym::LimitValue slope_left = sym::Limit(slope, x, zero, sym::Side::kLeft);
  const sym::LimitValue slope_right = sym::Limit(slope, x, zero, sym::Side::kRight);
  section.Text("At 0, by the difference quotient from both sides, and by the continuity of g':");
  section.Table({"", InlineMath("x \\to 0^-"), InlineMath("x \\to 0^+")},
                {{InlineMath("\\frac{g(x) - g(0)}{x}"), Math(left), Math(right)},
                 {InlineMath("g'(x)"), Math(slope_left), Math(slope_right)}});
  Claim claim{"activation.derivative_at_zero",
              {},
              "g'(0) exists: both one-sided difference quotients and both limits of g' agree",
              "\\lim_{x \\to 0^-} \\frac{g(x) - g(0)}{x} = \\lim_{x \\to 0^+} \\frac{g(x) - "
              "g(0)}{x} = \\lim_{x \\to 0} g'(x) = g'(0)",
              "limits computed symbolically"};
  const auto number = [](const sym::LimitValue& limit) {
    return limit.finite()  ? sym::Evaluate(limit.value, {}).value_or(NAN)
           : limit.known() ? INFINITY
                           : NAN;
  };
  claim.numbers = {{"quotient from the left", number(left)},
                   {"quotient from the right", number(right)},
                   {"g' from the left", number(slope_left)},
                   {"g' from the right", number(slope_right)}};
  claim.verdict = HoldsIf(left.finite() && sym::Same(left, right) && sym::Same(left, slope_left) &&
                          sym::Same(left, slope_right));
  return claim;
}

// Claims the limits of g and g' at infinity, which Study() has computed symbolically, and checks
// them against the values at -1e6 and 1e6.
Claim LimitsClaim(const Activation& a, Expr x, bool by_hand, Section& section) {
  section.Heading("At infinity");
  section.Table({"", InlineMath("x \\to -\\infty"), InlineMath("x \\to +\\infty")},
                {{InlineMath("g(x)"), Math(a.left), Math(a.right)},
                 {InlineMath("g'(x)"), Math(a.left_slope), Math(a.right_slope)},
                 {"gradient", Fate(a.left_slope), Fate(a.right_slope)}});
  Claim claim{"activation.limits",
              {},
              "",
              "",
              "limits computed symbolically, met by the values at x = -1e6 and 1e6"};
  claim.statement =
      absl::StrCat("g tends to ", sym::ToText(a.left), " and ", sym::ToText(a.right), ", g' to ",
                   sym::ToText(a.left_slope), " and ", sym::ToText(a.right_slope),
                   " at minus and plus infinity: the gradient ",
                   Fate(a.left_slope) == Fate(a.right_slope)
                       ? Fate(a.left_slope)
                       : absl::StrCat(Fate(a.left_slope), " on the left, ", Fate(a.right_slope),
                                      " on the right"));
  const Evaluator evaluate(a.g, a.slope, x);
  bool met = true;
  for (const auto& [limit, at, is_slope] :
       {std::tuple(a.left, -1e6, false), std::tuple(a.right, 1e6, false),
        std::tuple(a.left_slope, -1e6, true), std::tuple(a.right_slope, 1e6, true)}) {
    const auto [value, slope] = evaluate(at);
    const double found = is_slope ? slope : value;
    if (limit.finite())
      met = met && std::abs(found - sym::Evaluate(limit.value, {}).value_or(NAN)) < 1e-4;
    met = met && limit.known();
    claim.numbers.push_back({absl::StrCat(is_slope ? "g'(" : "g(", Short(at), ")"), found});
  }
  // If the derivative was given by hand (ActivationPremises::derivative), as for the default
  // function, the claim includes that g saturates: g has finite limits, and g' tends to 0.
  if (by_hand)
    met = met && Fate(a.left_slope) == "vanishes" && Fate(a.right_slope) == "vanishes" &&
          a.left.finite() && a.right.finite();
  claim.numbers.push_back({"sup |g'|", a.largest_slope});
  claim.verdict = HoldsIf(met);
  return claim;
}

void CompareActivations(const std::vector<Activation>& all, Expr x, Section& section) {
  section.Heading("Beside others");
  std::vector<std::vector<std::string>> rows;
  for (const Activation& a : all) {
    rows.push_back({EscapeHtml(a.name), Math(a.g), Name(a.parity), Math(a.left), Math(a.right),
                    Math(a.left_slope), Math(a.right_slope), Short(a.largest_slope),
                    a.parity == sym::Parity::kOdd ? "yes" : "no"});
  }
  section.Table({"", "g", "symmetry", "g at " + InlineMath("-\\infty"),
                 "g at " + InlineMath("+\\infty"), "g' at " + InlineMath("-\\infty"),
                 "g' at " + InlineMath("+\\infty"), "sup |g'|", "zero-centred"},
                rows);
  section.Text(
      "Zero-centred: for inputs spread symmetrically around 0 the mean of g is 0, which being odd "
      "ensures.");
  section.BeginRow();
  for (const Activation& a : all)
    section.Figure(ToSvg(CurvePlot(a, x)),
                   absl::StrCat(EscapeHtml(a.name), " and its derivative (dashed)"));
  section.EndRow();
}

Claim DepthClaim(const std::vector<Activation>& all, Expr x, Section& section) {
  section.Heading("The consequence: gradients by depth");
  section.Text(absl::StrCat("Networks of ", kDepth, " layers ", InlineMath("h_{l+1} = g(W_l h_l)"),
                            ", ", kWidth, " wide, weights normal with variance 1/", kWidth,
                            " at initialisation. The gradient reaching the input of a layer, "
                            "relative to the last: measured (lines, mean of ",
                            kNetworks,
                            " networks) and predicted (points) by mean-field theory, in which each "
                            "layer multiplies the norm by ",
                            InlineMath("\\sqrt{\\chi}"), ", ",
                            InlineMath("\\chi = E[g'(\\sqrt{q} z)^2]"), "."));
  Plot plot{.title = "Gradient norm by depth at initialisation",
            .x_label = "layer (0 is the input)",
            .y_label = "relative gradient norm",
            .log_y = true,
            .width = 640,
            .height = 420};
  Claim claim{"activation.gradient_by_depth",
              {},
              "30 layers change the gradient's norm at initialisation as E[g'^2], layer by layer, "
              "predicts (to 5% a layer)",
              "\\frac{\\Vert \\partial L / \\partial h_0 \\Vert}{\\Vert \\partial L / \\partial "
              "h_L \\Vert} \\approx \\prod_{l} \\sqrt{\\chi_l}",
              "measured on random networks of 30 layers"};
  const std::vector<std::vector<float>> weights = RandomWeights();
  double worst = 0;
  std::vector<std::vector<std::string>> rows;
  for (size_t i = 0; i < all.size(); ++i) {
    const DepthCurve curve = GradientByDepth(all[i], x, weights);
    Series measured{.name = all[i].name, .mark = Mark::kLine, .colour = static_cast<int>(i)};
    Series predicted{.name = "", .mark = Mark::kPoints, .colour = static_cast<int>(i)};
    for (int l = 0; l <= kDepth; ++l) {
      measured.x.push_back(l);
      measured.y.push_back(curve.measured[l]);
      if (l % 3 == 0) predicted.x.push_back(l), predicted.y.push_back(curve.predicted[l]);
    }
    const double factor = std::pow(curve.measured[0], 1.0 / kDepth),
                 expected = std::pow(curve.predicted[0], 1.0 / kDepth);
    if (std::isfinite(factor) && std::isfinite(expected))
      worst = std::max(worst, std::abs(factor / expected - 1));
    claim.numbers.push_back(
        {absl::StrCat(all[i].name, ": gradient at the input over that at the output"),
         curve.measured[0]});
    rows.push_back({EscapeHtml(all[i].name), Short(curve.measured[0]), Short(curve.predicted[0]),
                    Short(factor)});
    plot.series.push_back(std::move(measured));
    plot.series.push_back(std::move(predicted));
  }
  claim.numbers.push_back({"largest disagreement of the factor per layer", worst});
  claim.verdict = HoldsIf(worst < 0.05);
  section.Figure(ToSvg(plot),
                 "The gradient's norm on its way back to the input. A straight line falls by a "
                 "constant factor a layer.");
  section.Table({"", "measured, input over output", "predicted", "factor a layer"}, rows);
  return claim;
}

}  // namespace

absl::StatusOr<Report> RunActivation(const ActivationPremises& premises) {
  Report report{"activation", "Question 2: an activation function"};
  sym::Pool pool;
  const Expr x = pool.Variable("x");
  ASSIGN_OR_RETURN(const auto parsed, sym::Parse(premises.formula, pool,
                                                 {.variables = std::vector<std::string>{"x"},
                                                  .source = "--activation"}));
  const Expr g = parsed;
  if (sym::Variables(g).empty())
    return absl::InvalidArgumentError("--activation: the formula has no x in it");

  Section section;
  section.MathMl(
      absl::StrCat("<math display=\"block\">", MathRow("g(x) = "), sym::ToMathMlRow(g), "</math>"));
  report.claims.push_back(OddClaim(g, x, section));
  report.claims.push_back(DerivativeClaim(g, x, premises, pool, section));
  report.claims.push_back(DerivativeAtZeroClaim(g, x, pool, section));
  std::vector<Activation> all = {Study("g", g, x)};
  report.claims.push_back(LimitsClaim(all[0], x, !premises.derivative.empty(), section));
  for (const auto& [name, formula] :
       std::vector<std::pair<std::string, std::string>>{{"tanh", "tanh(x)"},
                                                        {"sigmoid", "sigmoid(x)"},
                                                        {"ReLU", "relu(x)"},
                                                        {"GELU", "gelu(x)"},
                                                        {"SiLU", "silu(x)"},
                                                        {"softplus", "softplus(x)"},
                                                        {"ELU", "elu(x)"}}) {
    all.push_back(Study(name, *sym::Parse(formula, pool), x));
  }
  CompareActivations(all, x, section);
  report.claims.push_back(DepthClaim(all, x, section));
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
