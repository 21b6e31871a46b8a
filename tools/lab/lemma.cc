#include <algorithm>
#include <cmath>
#include <functional>
#include <random>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "optim/descent.h"
#include "tools/lab/experiments.h"
#include "tools/lab/section.h"

// The lemma is equation (5) of the problem set (tools/lab/README.md): for w_(t+1) = w_t - eta v_t,
// w_1 = 0 and any w*, the sum over t = 1 .. T of <w_t - w*, v_t> is at most |w*|^2 / (2 eta) + (eta
// / 2) sum |v_t|^2.

namespace cotangent::tools::lab {
namespace {

namespace sym = autodiff::symbolic;
using sym::Expr;
using Vector = std::vector<double>;

double Square(absl::Span<const double> v) {
  double sum = 0;
  for (const double x : v) sum += x * x;
  return sum;
}

double SquaredDistance(absl::Span<const double> u, absl::Span<const double> v) {
  double sum = 0;
  for (size_t i = 0; i < u.size(); ++i) sum += (u[i] - v[i]) * (u[i] - v[i]);
  return sum;
}

// The terms on both sides of the lemma for one sequence.
struct Sides {
  double inner = 0;     // sum of <w_t - w*, v_t>
  double distance = 0;  // |w*|^2 / eta
  double steps = 0;     // eta sum |v_t|^2
  double last = 0;      // |w_{T+1} - w*|^2 / (2 eta)
  double size = 0;      // sum of upper bounds of the terms' magnitudes: a scale for rounding
};

// An adversary is a rule that chooses v_t; the rule knows t, w_t and w* (`target`).
using Adversary = std::function<void(int64_t t, absl::Span<const double> w,
                                     absl::Span<const double> target, absl::Span<double> v)>;

// Runs the updates with optim::Minimise, which takes the adversary's v_t for the gradient.
Sides Run(const Adversary& adversary, const Vector& target, double eta, int64_t steps) {
  Sides sides;
  int64_t t = 0;
  const auto gradient = [&](absl::Span<const double> w, absl::Span<double> v) {
    adversary(++t, w, target, v);
    double inner = 0;
    for (size_t i = 0; i < w.size(); ++i) inner += (w[i] - target[i]) * v[i];
    sides.inner += inner;
    sides.steps += eta * Square(v);
    sides.size += std::sqrt(SquaredDistance(w, target) * Square(v)) + eta * Square(v);
  };
  const auto result = optim::Minimise([](absl::Span<const double>) { return 0.0; }, gradient,
                                      Vector(target.size(), 0.0),
                                      {.steps = steps, .step_size = optim::ConstantStep(eta)});
  sides.distance = Square(target) / eta;
  sides.last = SquaredDistance(result->last, target) / (2 * eta);
  sides.size += sides.distance + sides.last;
  return sides;
}

struct NamedAdversary {
  std::string name;
  Adversary fill;
};

std::vector<NamedAdversary> Adversaries(std::mt19937_64& generator) {
  const auto normal = [&generator] { return std::normal_distribution<double>()(generator); };
  return {
      {"random",
       [=](int64_t, auto, auto, absl::Span<double> v) {
         for (double& x : v) x = normal();
       }},
      {"heavy-tailed",
       [=](int64_t, auto, auto, absl::Span<double> v) {
         for (double& x : v) x = std::pow(normal(), 5);
       }},
      {"away from w*",
       [](int64_t, auto w, auto target, absl::Span<double> v) {
         for (size_t i = 0; i < v.size(); ++i) v[i] = -(w[i] - target[i]);
       }},
      {"towards w*",
       [](int64_t, auto w, auto target, absl::Span<double> v) {
         for (size_t i = 0; i < v.size(); ++i) v[i] = w[i] - target[i];
       }},
      {"alternating",
       [](int64_t t, auto, auto, absl::Span<double> v) {
         for (double& x : v) x = t % 2 == 0 ? 1 : -1;
       }},
      {"growing",
       [=](int64_t t, auto, auto, absl::Span<double> v) {
         for (double& x : v) x = std::pow(1.1, std::min<int64_t>(t, 100)) * normal();
       }},
      {"zero",
       [](int64_t, auto, auto, absl::Span<double> v) { std::fill(v.begin(), v.end(), 0.0); }},
      {"unit, at right angles to w_t - w*",
       [=](int64_t, auto w, auto target, absl::Span<double> v) {
         double inner = 0;
         const double square = SquaredDistance(w, target);
         for (size_t i = 0; i < v.size(); ++i) inner += (w[i] - target[i]) * (v[i] = normal());
         if (square > 0)
           for (size_t i = 0; i < v.size(); ++i) v[i] -= inner / square * (w[i] - target[i]);
       }},
  };
}

// Returns both sides of the lemma for the case in which they are equal: v_t is the unit vector e_t,
// and w* is the point to which `steps` such steps of size eta lead.
Sides TightCase(int64_t steps, double eta) {
  const Vector target(steps, -eta);
  return Run(
      [](int64_t t, auto, auto, absl::Span<double> v) {
        std::fill(v.begin(), v.end(), 0.0);
        v[t - 1] = 1;
      },
      target, eta, steps);
}

// Proves the identity whose sum over all steps and coordinates gives the lemma.
Claim IdentityClaim(Section& section) {
  sym::Pool pool;
  const Expr left = *sym::Parse("(w - s)*v", pool);
  const Expr right = *sym::Parse("((w - s)^2 - (w - eta*v - s)^2)/(2*eta) + eta*v^2/2", pool);
  Claim claim{"lemma.identity",
              {5},
              "<w_t - w*, v_t> = (|w_t - w*|^2 - |w_{t+1} - w*|^2)/(2 eta) + (eta/2)|v_t|^2",
              "\\langle w_t - w^*, v_t \\rangle = \\frac{1}{2 \\eta} ( \\Vert w_t - w^* \\Vert^2 - "
              "\\Vert w_{t+1} - w^* \\Vert^2 ) + "
              "\\frac{\\eta}{2} \\Vert v_t \\Vert^2",
              "proved symbolically, in each coordinate"};
  claim.verdict = HoldsIf(sym::Equal(left, right) == sym::Verdict::kEqual);
  section.Heading("Why");
  section.Text(absl::StrCat("With s for a coordinate of ", InlineMath("w^*"), " and ",
                            InlineMath("w_{t+1} = w_t - \\eta v_t"), ","));
  section.MathMl(absl::StrCat("<math display=\"block\">", sym::ToMathMlRow(left), "<mo>=</mo>",
                              sym::ToMathMlRow(right), "</math>"));
  section.Text(
      absl::StrCat("identically. Summed over coordinates and over t from 1 to T the middle terms "
                   "cancel, and with ",
                   InlineMath("w_1 = 0"), " there remains, exactly,"));
  section.Formula(
      "\\sum_{t=1}^T \\langle w_t - w^*, v_t \\rangle = \\frac{\\Vert w^* \\Vert^2}{2 \\eta} + "
      "\\frac{\\eta}{2} \\sum_{t=1}^T \\Vert v_t "
      "\\Vert^2 - \\frac{\\Vert w_{T+1} - w^* \\Vert^2}{2 \\eta}");
  section.Text("The last term is what the lemma gives away.");
  return claim;
}

// What the sequences of all adversaries have shown.
struct Measured {
  // The slack of a sequence is the right side of the lemma minus the left side. The slack should
  // equal |w_{T+1} - w*|^2 / (2 eta). Relative to Sides::size: the least slack, with its sign
  // changed (positive if a sequence violates the lemma), and the largest difference of a slack from
  // the value that it should have.
  double worst_violation = -INFINITY, worst_slack = 0;
  // By adversary: the number of sequences; the least slack relative to the right side; and both
  // sides of those of the first kMostPoints sequences whose left side is positive.
  std::vector<int64_t> counts;
  std::vector<double> closest;
  std::vector<Series> points;
};

constexpr int64_t kMostPoints = 60;  // sequences of one adversary shown in the plot

Measured MeasureSequences(const LemmaPremises& premises,
                          const std::vector<NamedAdversary>& adversaries,
                          std::mt19937_64& generator) {
  Measured m;
  m.counts.resize(adversaries.size());
  m.closest.resize(adversaries.size(), INFINITY);
  for (const auto& adversary : adversaries)
    m.points.push_back({.name = adversary.name, .mark = Mark::kPoints});
  for (int64_t i = 0; i < premises.sequences; ++i) {
    const size_t kind = i % adversaries.size();
    Vector target(1 + generator() % 40);
    for (double& x : target) x = std::normal_distribution<double>(0, 3)(generator);
    const double eta = std::exp(std::uniform_real_distribution<double>(-5, 0)(generator));
    const Sides sides =
        Run(adversaries[kind].fill, target, eta, 1 + static_cast<int64_t>(generator() % 200));
    const double bound =
        premises.distance_factor * sides.distance + premises.step_factor * sides.steps;
    const double slack = bound - sides.inner;
    m.worst_violation = std::max(m.worst_violation, -slack / sides.size);
    m.worst_slack = std::max(m.worst_slack, std::abs(slack - sides.last) / sides.size);
    m.closest[kind] = std::min(m.closest[kind], slack / (bound > 0 ? bound : 1));
    if (++m.counts[kind] <= kMostPoints && sides.inner > 0) {
      m.points[kind].x.push_back(bound);
      m.points[kind].y.push_back(sides.inner);
    }
  }
  return m;
}

}  // namespace

absl::StatusOr<Report> RunLemma(const LemmaPremises& premises) {
  Report report{"lemma", "Question 3.2: the lemma behind the rate"};
  Section section;
  section.Text(absl::StrCat("For ", InlineMath("w_1 = 0"), ", ",
                            InlineMath("w_{t+1} = w_t - \\eta v_t"), ", any vectors ",
                            InlineMath("v_t"), " and any ", InlineMath("w^*"), ":"));
  const char* const lemma =
      "\\sum_{t=1}^T \\langle w_t - w^*, v_t \\rangle \\le \\frac{\\Vert w^* \\Vert^2}{2 \\eta} + "
      "\\frac{\\eta}{2} \\sum_{t=1}^T "
      "\\Vert v_t \\Vert^2";
  section.Formula(lemma);
  report.claims.push_back(IdentityClaim(section));

  std::mt19937_64 generator(3);
  const std::vector<NamedAdversary> adversaries = Adversaries(generator);
  const Measured m = MeasureSequences(premises, adversaries, generator);
  Plot plot{.title = "Both sides of the lemma",
            .x_label = "right side",
            .y_label = "left side",
            .log_x = true,
            .log_y = true,
            .width = 560,
            .height = 420};
  plot.series = m.points;
  const Sides tight = TightCase(400, 0.05);
  const double tight_slack = (premises.distance_factor * tight.distance +
                              premises.step_factor * tight.steps - tight.inner) /
                             tight.inner;

  Claim bound{
      "lemma.bound",
      {5},
      "sum <w_t - w*, v_t> <= |w*|^2/(2 eta) + (eta/2) sum |v_t|^2",
      lemma,
      absl::StrCat("measured on ", premises.sequences, " sequences, random and adversarial")};
  bound.numbers = {{"sequences", static_cast<double>(premises.sequences)},
                   {"largest violation, relative to the terms added", m.worst_violation},
                   {"slack of the sequence that makes it tight, relative", tight_slack}};
  bound.verdict = HoldsIf(m.worst_violation <= 1e-13 && std::abs(tight_slack) < 1e-12);
  Claim slack{
      "lemma.slack",
      {5},
      "what is given away is exactly |w_{T+1} - w*|^2/(2 eta)",
      "\\text{right side} - \\text{left side} = \\frac{\\Vert w_{T+1} - w^* \\Vert^2}{2 \\eta}",
      "measured on the same sequences"};
  slack.numbers = {{"largest error, relative to the terms added", m.worst_slack}};
  slack.verdict = HoldsIf(m.worst_slack <= 1e-13);
  report.claims.push_back(bound);
  report.claims.push_back(slack);

  section.Heading("Measured");
  std::vector<std::vector<std::string>> rows;
  for (size_t k = 0; k < adversaries.size(); ++k) {
    rows.push_back(
        {EscapeHtml(adversaries[k].name), absl::StrCat(m.counts[k]), Short(m.closest[k])});
  }
  rows.push_back({absl::StrCat(InlineMath("v_t = e_t, w^* = -\\eta \\sum_t e_t"), ", T = 400"), "1",
                  Short(tight_slack)});
  section.Table({InlineMath("v_t"), "sequences", "least slack, relative to the right side"}, rows);
  Series diagonal{.name = "equality", .mark = Mark::kDashed, .colour = 7};
  for (int e = -3; e <= 8; ++e)
    diagonal.x.push_back(std::pow(10, e)), diagonal.y.push_back(std::pow(10, e));
  plot.x_low = plot.y_low = 1e-1;
  plot.x_high = plot.y_high = 1e7;
  plot.series.push_back(diagonal);
  section.Figure(ToSvg(plot), "Sequences whose left side is positive: none above the diagonal.");
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
