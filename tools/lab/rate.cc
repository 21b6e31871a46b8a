#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <numeric>
#include <random>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/dataset.h"
#include "data/sources/source.h"
#include "optim/descent.h"
#include "tools/lab/experiments.h"
#include "tools/lab/section.h"

// Numbers in parentheses, such as (6), are equations of the problem set (tools/lab/README.md lists
// them). The theorem says that after T steps of gradient descent from 0 with step size B / (rho
// sqrt(T)), the mean of the iterates has an error of at most B rho / sqrt(T).

namespace cotangent::tools::lab {
namespace {

using Span = absl::Span<const double>;

double Norm(Span v) {
  double square = 0;
  for (const double x : v) square += x * x;
  return std::sqrt(square);
}

// A convex function f and the constants of the theorem about it; w* is the minimiser of f.
struct Problem {
  std::string name = {};
  int64_t size = 1;
  double distance = 1;   // B: |w*| <= B
  double lipschitz = 1;  // rho: no subgradient is longer than this
  double least = 0;      // a lower bound of f(w*), off by at most `least_error`
  double least_error = 0;
  int64_t most_steps = 1'000'000;
  std::function<double(Span)> value = nullptr;
  std::function<void(Span, absl::Span<double>)> gradient = nullptr;
  std::vector<double> target = {};  // the point w* in (6), which holds for any point
  optim::Projection projection =
      nullptr;  // onto a convex set that contains w*; the theorem allows it
};

// Returns f(mean w) - problem.least after `steps` steps of size eta. This is f(mean w) - f(w*) or,
// since `least` may be too small, up to least_error more.
absl::StatusOr<double> ErrorAfter(const Problem& problem, int64_t steps, double eta) {
  ASSIGN_OR_RETURN(const auto result, optim::Minimise(problem.value, problem.gradient,
                                                      std::vector<double>(problem.size, 0.0),
                                                      {.steps = steps,
                                                       .step_size = optim::ConstantStep(eta),
                                                       .projection = problem.projection}));
  return result.average_value - problem.least;
}

// Returns the problem f(w) = |w - 1|.
Problem AbsoluteValue() {
  Problem p{.name = "|w - 1|"};
  p.target = {1};
  p.value = [](Span w) { return std::abs(w[0] - 1); };
  p.gradient = [](Span w, absl::Span<double> g) { g[0] = w[0] > 1 ? 1 : w[0] < 1 ? -1 : 0; };
  return p;
}

// Returns the problem whose f is the largest of 8 affine functions. All of them are 0 at one random
// point, and the mean of their slopes is 0, so this point is the minimum; B is its norm.
Problem MaximumOfAffine() {
  constexpr int kSize = 5, kPieces = 8;
  std::mt19937_64 generator(21);
  std::normal_distribution<double> normal;
  auto slopes = std::make_shared<std::vector<double>>(kSize * kPieces);
  auto target = std::make_shared<std::vector<double>>(kSize);
  for (double& v : *slopes) v = normal(generator);
  for (double& v : *target) v = normal(generator);
  for (int i = 0; i < kSize; ++i) {
    double mean = 0;
    for (int k = 0; k < kPieces; ++k) mean += (*slopes)[k * kSize + i] / kPieces;
    for (int k = 0; k < kPieces; ++k) (*slopes)[k * kSize + i] -= mean;
  }
  Problem p{.name = "max of 8 affine functions", .size = kSize};
  p.target = *target;
  p.distance = Norm(*target);
  p.lipschitz = 0;
  for (int k = 0; k < kPieces; ++k)
    p.lipschitz = std::max(p.lipschitz, Norm(Span(slopes->data() + k * kSize, kSize)));
  const auto largest = [=](Span w) {
    int best = 0;
    double best_value = -INFINITY;
    for (int k = 0; k < kPieces; ++k) {
      double v = 0;
      for (int i = 0; i < kSize; ++i) v += (*slopes)[k * kSize + i] * (w[i] - (*target)[i]);
      if (v > best_value) best_value = v, best = k;
    }
    return std::pair(best, best_value);
  };
  p.value = [=](Span w) { return largest(w).second; };
  p.gradient = [=](Span w, absl::Span<double> g) {
    const int k = largest(w).first;
    for (int i = 0; i < kSize; ++i) g[i] = (*slopes)[k * kSize + i];
  };
  return p;
}

// Some images of two classes. Each image is given by 48 features: the means over 4x4 fields, each
// of 8x8 pixels, in 3 channels, scaled to -1/2 .. 1/2.
struct TwoClasses {
  static constexpr int kFeatures = 48;
  std::vector<double> features;  // [images, kFeatures]
  // The same numbers as [kFeatures, images], so that loops over all images read them in order.
  std::vector<double> by_feature;
  std::vector<double> labels;  // 1 for the first class, -1 for the second
  std::string source, first, second;
};

TwoClasses ReadTwoClasses(const std::string& data_dir) {
  constexpr int kImages = 40, kFirst = 0, kSecond = 5;
  auto dataset = data::LoadDataset("cifar10", data_dir, data::Split::kTest);
  TwoClasses classes;
  classes.source = dataset.ok() ? "the test images of CIFAR-10" : "the sample of CIFAR-10";
  if (!dataset.ok()) dataset = data::LoadDataset("sample", "", data::Split::kTrain);
  if (!dataset.ok()) return classes;
  classes.first = dataset->classes[kFirst];
  classes.second = dataset->classes[kSecond];
  for (int64_t i = 0; i < dataset->size() && static_cast<int>(classes.labels.size()) < kImages;
       ++i) {
    if (dataset->labels[i] != kFirst && dataset->labels[i] != kSecond) continue;
    classes.labels.push_back(dataset->labels[i] == kFirst ? 1 : -1);
    const uint8_t* const image = dataset->image(i);
    for (int field = 0; field < TwoClasses::kFeatures; ++field) {
      const int channel = field / 16, top = field / 4 % 4 * 8, left = field % 4 * 8;
      double sum = 0;
      for (int y = 0; y < 8; ++y) {
        for (int x = 0; x < 8; ++x) sum += image[channel * 1024 + (top + y) * 32 + left + x];
      }
      classes.features.push_back(sum / (64 * 255) - 0.5);
    }
  }
  for (int k = 0; k < TwoClasses::kFeatures; ++k) {
    for (size_t i = 0; i < classes.labels.size(); ++i)
      classes.by_feature.push_back(classes.features[i * TwoClasses::kFeatures + k]);
  }
  return classes;
}

// Returns the problem f(w) = the mean over images of ln(1 + exp(-y <w, x>)), restricted to |w| <= B
// = 10: a plane separates so few images, so without the restriction f has no minimum. The minimum
// is computed by projected gradient descent. The true minimum can be lower than f at the last
// iterate w by at most the Frank-Wolfe gap <w, g> + B |g|, where g is the gradient at w; so
// Problem::least is f(w) minus this gap.
Problem LogisticRegression(const TwoClasses& classes, int64_t most_steps) {
  auto data = std::make_shared<TwoClasses>(classes);
  Problem p{.name = absl::StrCat("logistic regression, ", classes.first, " or ", classes.second),
            .size = TwoClasses::kFeatures,
            .distance = 10,
            .most_steps = most_steps};
  const size_t images = classes.labels.size();
  p.lipschitz = 0;
  for (size_t i = 0; i < images; ++i) {
    p.lipschitz +=
        Norm(Span(data->features.data() + i * TwoClasses::kFeatures, TwoClasses::kFeatures)) /
        images;
  }
  // Computes y <w, x> for every image.
  const auto margins = [=](Span w, double* result) {
    std::fill(result, result + images, 0.0);
    for (int k = 0; k < TwoClasses::kFeatures; ++k) {
      const double wk = w[k];
      const double* const x = data->by_feature.data() + k * images;
      for (size_t i = 0; i < images; ++i) result[i] += wk * x[i];
    }
    for (size_t i = 0; i < images; ++i) result[i] *= data->labels[i];
  };
  auto scratch = std::make_shared<std::vector<double>>(images);
  p.value = [=](Span w) {
    margins(w, scratch->data());
    double sum = 0;
    for (const double margin : *scratch) sum += std::log1p(std::exp(-margin));
    return sum / images;
  };
  p.gradient = [=](Span w, absl::Span<double> g) {
    margins(w, scratch->data());
    std::fill(g.begin(), g.end(), 0.0);
    double* const result = g.data();
    for (size_t i = 0; i < images; ++i) {
      const double weight = -data->labels[i] / (1 + std::exp((*scratch)[i])) / images;
      const double* const x = data->features.data() + i * TwoClasses::kFeatures;
      for (int k = 0; k < TwoClasses::kFeatures; ++k) result[k] += weight * x[k];
    }
  };
  p.projection = optim::OntoBall(p.distance);
  const auto best = optim::Minimise(
      p.value, p.gradient, std::vector<double>(p.size, 0.0),
      {.steps = 20000, .step_size = optim::ConstantStep(2), .projection = p.projection});
  p.target = best->last;
  std::vector<double> g(p.size);
  p.gradient(best->last, absl::MakeSpan(g));
  double inner = 0;
  for (int k = 0; k < p.size; ++k) inner += best->last[k] * g[k];
  p.least_error = std::max(0.0, inner + p.distance * Norm(g));
  p.least = best->last_value - p.least_error;
  return p;
}

// Returns the problem f(w) = max_i w_i over T coordinates, for which the theorem's bound is met
// exactly; |w*| = B = 1. Subgradient t is the unit vector e_t, so every w_t has a coordinate that
// is still 0, and f(w_t) = f(mean w) = 0, while f(w*) = -1 / sqrt(T) at w* = -(1, .., 1) / sqrt(T).
Problem WorstCase(int64_t steps) {
  Problem p{.name = "the worst case, max w_i over T coordinates", .size = steps};
  p.least = -1 / std::sqrt(static_cast<double>(steps));
  p.target.assign(steps, p.least);
  p.value = [](Span w) { return *std::max_element(w.begin(), w.end()); };
  p.gradient = [](Span w, absl::Span<double> g) {
    std::fill(g.begin(), g.end(), 0.0);
    g[std::max_element(w.begin(), w.end()) - w.begin()] = 1;
  };
  return p;
}

// Returns the error of gradient descent on WorstCase() without storing T coordinates, for large T.
// Coordinate t changes in step t only, when it becomes -eta, so its mean over w_1 .. w_T is -eta (T
// - t) / T.
double WorstCaseError(int64_t steps, double eta) {
  double largest = -INFINITY;
  for (int64_t t = 1; t <= steps; ++t)
    largest = std::max(largest, -eta * static_cast<double>(steps - t) / static_cast<double>(steps));
  return largest + 1 / std::sqrt(static_cast<double>(steps));
}

// Returns the slope of the least-squares line of ln y against ln x, over the points where y is
// positive.
double FittedSlope(const std::vector<double>& x, const std::vector<double>& y) {
  double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    if (!(y[i] > 0)) continue;
    const double lx = std::log(x[i]), ly = std::log(y[i]);
    n += 1, sx += lx, sy += ly, sxx += lx * lx, sxy += lx * ly;
  }
  return (n * sxy - sx * sy) / (n * sxx - sx * sx);
}

std::vector<int64_t> StepCounts(int64_t most) {
  std::vector<int64_t> counts;
  for (const int64_t count :
       {10, 32, 100, 316, 1000, 3162, 10000, 31623, 100000, 316228, 1000000}) {
    if (count <= most) counts.push_back(count);
  }
  return counts;
}

struct Measurement {
  Series relative = {};      // error / (B rho), against T
  double worst = -INFINITY;  // the largest quotient of error and claimed bound
  double slope = 0;
};

absl::StatusOr<Measurement> Measure(const Problem& problem, double bound_factor) {
  Measurement m{.relative = {.name = problem.name, .mark = Mark::kLinePoints}};
  for (const int64_t steps : StepCounts(problem.most_steps)) {
    const double scale = problem.distance * problem.lipschitz,
                 root = std::sqrt(static_cast<double>(steps));
    ASSIGN_OR_RETURN(const auto error,
                     ErrorAfter(problem, steps, problem.distance / (problem.lipschitz * root)));
    m.worst = std::max(m.worst, error / (bound_factor * scale / root));
    m.relative.x.push_back(static_cast<double>(steps));
    m.relative.y.push_back(error / scale);
  }
  m.slope = FittedSlope(m.relative.x, m.relative.y);
  return m;
}

struct BothSides {
  double error = 0;  // f(mean w) - f(w*)
  double inner = 0;  // the mean of <w_t - w*, grad f(w_t)>
  double size = 0;   // sum of the absolute terms, a scale for rounding errors
};

absl::StatusOr<BothSides> SidesOfConvexity(const Problem& problem, int64_t steps, double eta) {
  const double at_target = problem.value(problem.target);
  BothSides sides{.size = std::abs(at_target)};
  const auto gradient = [&](Span w, absl::Span<double> g) {
    problem.gradient(w, g);
    double inner = 0;
    for (size_t i = 0; i < w.size(); ++i) inner += (w[i] - problem.target[i]) * g[i];
    sides.inner += inner / steps;
    sides.size += std::abs(inner) / steps;
  };
  ASSIGN_OR_RETURN(const auto result,
                   optim::Minimise(problem.value, gradient, std::vector<double>(problem.size, 0.0),
                                   {.steps = steps,
                                    .step_size = optim::ConstantStep(eta),
                                    .projection = problem.projection}));
  sides.error = result.average_value - at_target;
  return sides;
}

// Checks (6) for 17 step sizes and T = 1000: it follows from convexity alone, whatever the steps
// are.
absl::StatusOr<Claim> ConvexityClaim(const RatePremises& premises,
                                     const std::vector<Problem>& problems, Section& section) {
  const int64_t steps = 1000;
  Claim claim{"rate.convexity",
              {6},
              "f(mean w) - f(w*) is at most the mean of <w_t - w*, grad f(w_t)>, at any step size",
              "f(\\bar{w}) - f(w^*) \\le \\frac{1}{T} \\sum_{t=1}^T \\langle w_t - w^*, \\nabla "
              "f(w_t) \\rangle",
              "measured on three convex functions and a worst case for 17 step sizes, T = 1000"};
  section.Heading("What convexity gives");
  section.Text(absl::StrCat(
      "The value at the mean of the iterates is at most the mean of their values (Jensen), and the "
      "linear model at each iterate, a lower bound of f by (3), is at most ",
      InlineMath("f(w^*)"), " at ", InlineMath("w^*"), ":"));
  section.Formula(
      "f(\\bar{w}) - f(w^*) \\le \\frac{1}{T} \\sum_{t=1}^T ( f(w_t) - f(w^*) ) \\le "
      "\\frac{1}{T} \\sum_{t=1}^T \\langle w_t - w^*, \\nabla f(w_t) \\rangle");
  section.Text("The right side is what (5) bounds.");
  std::vector<Problem> all = problems;
  all.push_back(WorstCase(steps));
  double worst = -INFINITY;
  std::vector<std::vector<std::string>> rows;
  for (const Problem& problem : all) {
    const double right = problem.distance / (problem.lipschitz * std::sqrt(steps));
    double closest = INFINITY;
    for (int e = -8; e <= 8; ++e) {
      ASSIGN_OR_RETURN(const auto sides,
                       SidesOfConvexity(problem, steps, std::pow(10, e / 4.0) * right));
      const double slack = (premises.inner_factor * sides.inner - sides.error) / sides.size;
      worst = std::max(worst, -slack);
      closest = std::min(closest, slack);
    }
    rows.push_back({EscapeHtml(problem.name), Short(closest)});
  }
  section.Table({"function", "least slack of (6), relative to its terms"}, rows);
  claim.numbers = {{"largest violation, relative to the terms added", worst}};
  claim.verdict = HoldsIf(worst <= 1e-12);
  return claim;
}

// Measures the error after T = 1000 steps for 17 step sizes eta, from 1/100 to 100 times that of
// the theorem. For any eta the bound is B^2 / (2 eta T) + eta rho^2 / 2.
absl::StatusOr<Claim> WrongStepClaim(const RatePremises& premises,
                                     const std::vector<Problem>& problems, Section& section) {
  const int64_t steps = 1000;
  const double root = std::sqrt(static_cast<double>(steps));
  Plot plot{.title = "The error after 1000 steps for other step sizes",
            .x_label = "step size / (B / (rho sqrt T))",
            .y_label = "error / (B rho)",
            .log_x = true,
            .log_y = true,
            .width = 560};
  double worst = -INFINITY;
  Series bound{.name = "bound", .mark = Mark::kDashed, .colour = 7};
  std::vector<Problem> all = problems;
  all.push_back(WorstCase(steps));
  for (size_t k = 0; k <= all.size(); ++k) {
    if (k < all.size()) plot.series.push_back({.name = all[k].name, .mark = Mark::kLinePoints});
    for (int e = -8; e <= 8; ++e) {
      const double factor = std::pow(10, e / 4.0),
                   limit = premises.bound_factor * (1 / factor + factor) / (2 * root);
      if (k == all.size()) {
        bound.x.push_back(factor);
        bound.y.push_back(limit);
        continue;
      }
      ASSIGN_OR_RETURN(
          const auto error,
          ErrorAfter(all[k], steps, factor * all[k].distance / (all[k].lipschitz * root)));
      const double relative = error / (all[k].distance * all[k].lipschitz);
      worst = std::max(worst, relative / limit);
      plot.series.back().x.push_back(factor);
      plot.series.back().y.push_back(relative);
    }
  }
  plot.series.push_back(bound);
  section.Heading("When the step size is wrong");
  section.Text(absl::StrCat("The lemma gives ",
                            InlineMath("\\frac{B^2}{2 \\eta T} + \\frac{\\eta \\rho^2}{2}"),
                            " for any ", InlineMath("\\eta"),
                            ": ten times too large or too small costs a factor of five in the "
                            "bound. Too small, and the start is never left; too large, "
                            "and the iterates jump about the minimum."));
  section.Figure(ToSvg(plot),
                 "Errors stay below the bound at every step size, and the worst case meets it at "
                 "the right one.");
  Claim claim{"rate.other_steps",
              {},
              "for any eta: f(mean w) - f(w*) <= B^2/(2 eta T) + eta rho^2/2",
              "f(\\bar{w}) - f(w^*) \\le \\frac{B^2}{2 \\eta T} + \\frac{\\eta \\rho^2}{2}",
              "measured for 17 step sizes, T = 1000"};
  claim.numbers = {{"largest error over bound", worst}};
  claim.verdict = HoldsIf(worst <= 1 + 1e-9);
  return claim;
}

// What BoundClaim() and TightClaim() below measure about the bound B rho / sqrt(T), and the report
// shows together.
struct RateEvidence {
  Plot plot;  // errors over B rho against T, a line a function
  std::vector<std::vector<std::string>> rows = {};  // of the table of functions
  double worst = -INFINITY;                         // the largest error over bound
};

// Runs gradient descent on the problems, and adds what is measured to `evidence`. The caller adds
// the claim's last number and its verdict, since they also depend on WorstCase(), which
// TightClaim() measures.
absl::StatusOr<Claim> BoundClaim(const RatePremises& premises, const char* rate,
                                 const std::vector<Problem>& problems, RateEvidence& evidence) {
  Claim claim{"rate.bound",
              {},
              "f(mean w) - f(w*) <= B rho / sqrt(T) for eta = B / (rho sqrt(T))",
              rate,
              absl::StrCat("measured on three convex functions and a worst case, T from 10 to ",
                           premises.most_steps)};
  for (const Problem& problem : problems) {
    ASSIGN_OR_RETURN(const auto m, Measure(problem, premises.bound_factor));
    evidence.worst = std::max(evidence.worst, m.worst);
    claim.numbers.push_back({absl::StrCat(problem.name, ": largest error over bound"), m.worst});
    claim.numbers.push_back({absl::StrCat(problem.name, ": fitted slope"), m.slope});
    evidence.rows.push_back({EscapeHtml(problem.name), Short(problem.distance),
                             Short(problem.lipschitz), Short(m.worst), Short(m.slope)});
    evidence.plot.series.push_back(m.relative);
  }
  claim.numbers.push_back(
      {"logistic regression: gap that its minimum is known to", problems[2].least_error});
  return claim;
}

// Claims that the error of WorstCase() equals the bound. Computes the error by its closed form
// (WorstCaseError()) and, for at most 1000 steps, also by gradient descent in T coordinates.
absl::StatusOr<Claim> TightClaim(const RatePremises& premises, RateEvidence& evidence) {
  Claim claim{"rate.tight",
              {},
              "the rate cannot be improved: max w_i over T coordinates has an error of exactly B "
              "rho / sqrt(T)",
              "f(w) = \\max_{1 \\le i \\le T} w_i: \\quad f(\\bar{w}) - f(w^*) = \\frac{B "
              "\\rho}{\\sqrt{T}}",
              "measured, T from 10 to 10^6"};
  Series errors{.name = "the worst case", .mark = Mark::kLinePoints},
      bounds{.name = "bound", .mark = Mark::kDashed, .colour = 7};
  double deviation = 0, disagreement = 0;
  for (const int64_t steps : StepCounts(premises.most_steps)) {
    const double root = std::sqrt(static_cast<double>(steps)),
                 error = WorstCaseError(steps, 1 / root);
    if (steps <= 1000) {
      ASSIGN_OR_RETURN(const auto dense, ErrorAfter(WorstCase(steps), steps, 1 / root));
      disagreement = std::max(disagreement, std::abs(dense - error) * root);
    }
    deviation = std::max(deviation, std::abs(error * root / premises.bound_factor - 1));
    evidence.worst = std::max(evidence.worst, error * root / premises.bound_factor);
    errors.x.push_back(static_cast<double>(steps)), errors.y.push_back(error);
    bounds.x.push_back(static_cast<double>(steps)),
        bounds.y.push_back(premises.bound_factor / root);
  }
  const double slope = FittedSlope(errors.x, errors.y);
  evidence.rows.push_back({"the worst case", "1", "1", Short(deviation + 1), Short(slope)});
  evidence.plot.series.push_back(errors);
  evidence.plot.series.push_back(bounds);
  claim.numbers = {{"largest deviation of error over bound from 1", deviation},
                   {"fitted slope", slope},
                   {"deviation of the run in T coordinates (T <= 1000)", disagreement}};
  claim.verdict = HoldsIf(deviation < 1e-9 && std::abs(slope + 0.5) < 1e-3 && disagreement < 1e-9);
  return claim;
}

}  // namespace

absl::StatusOr<Report> RunRate(const RatePremises& premises) {
  Report report{"rate", "Question 3.3: the rate of gradient descent"};
  const char* const rate =
      "f(\\bar{w}) - f(w^*) \\le \\frac{B \\rho}{\\sqrt{T}}, \\quad \\bar{w} = \\frac{1}{T} "
      "\\sum_{t=1}^T w_t, \\quad \\eta = "
      "\\sqrt{\\frac{B^2}{\\rho^2 T}}";
  Section section;
  section.Text(absl::StrCat("For convex f whose subgradients are no longer than ",
                            InlineMath("\\rho"), ", from ", InlineMath("w_1 = 0"), ", with ",
                            InlineMath("\\Vert w^* \\Vert \\le B"), ":"));
  section.Formula(rate);

  const TwoClasses classes = ReadTwoClasses(premises.data_dir);
  if (classes.labels.empty()) return absl::NotFoundError("no images for the logistic regression");
  std::vector<Problem> problems = {AbsoluteValue(), MaximumOfAffine(),
                                   LogisticRegression(classes, premises.most_steps)};
  for (Problem& problem : problems) problem.most_steps = premises.most_steps;

  RateEvidence evidence{.plot = {.title = "Error of the averaged iterate",
                                 .x_label = "steps T",
                                 .y_label = "error / (B rho)",
                                 .log_x = true,
                                 .log_y = true,
                                 .width = 640,
                                 .height = 420}};
  ASSIGN_OR_RETURN(Claim bound, BoundClaim(premises, rate, problems, evidence));
  ASSIGN_OR_RETURN(const Claim tight, TightClaim(premises, evidence));
  bound.numbers.push_back({"largest error over bound", evidence.worst});
  bound.verdict = HoldsIf(evidence.worst <= 1 + 1e-9);
  report.claims.push_back(bound);
  report.claims.push_back(tight);

  section.Figure(
      ToSvg(evidence.plot),
      absl::StrCat("The logistic regression is on ", classes.source, ", ", classes.labels.size(),
                   " images as means over 4 x 4 fields in 3 colours, with "
                   "its iterates projected onto the ball of radius B."));
  section.Table({"function", "B", InlineMath("\\rho"), "largest error / bound", "fitted slope"},
                evidence.rows);
  section.Text(absl::StrCat(
      "In the worst case step t goes along coordinate t, and the lemma gives nothing away: ",
      InlineMath("w_{T+1} = w^*"), "."));
  ASSIGN_OR_RETURN(auto convexity, ConvexityClaim(premises, problems, section));
  report.claims.push_back(convexity);
  ASSIGN_OR_RETURN(auto other, WrongStepClaim(premises, problems, section));
  report.claims.push_back(other);
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
