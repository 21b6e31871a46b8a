#ifndef COTANGENT_OPTIM_DESCENT_H_
#define COTANGENT_OPTIM_DESCENT_H_

// Gradient descent on any function f of a vector w, in double:
//
//   w_{t+1} = P(w_t - eta_t v_t),   v_t = grad f(w_t) or a vector that replaces it,   t = 1 .. T.
//
// P is a projection, or the identity. Let f be convex with subgradients no longer than rho, and w_1
// within distance B of a minimiser w*. Then with the constant step eta = B / (rho sqrt(T)) the
// average of the iterates satisfies
//
//   f((w_1 + ... + w_T) / T) - f(w*) <= B rho / sqrt(T)
//
// (Shalev-Shwartz and Ben-David, "Understanding machine learning", 2014, corollary 14.2).
//
//   auto f = [](absl::Span<const double> w) { return w[0] * w[0]; };
//   auto gradient = [](absl::Span<const double> w, absl::Span<double> g) { g[0] = 2 * w[0]; };
//   auto result = Minimise(f, gradient, {3.0}, {.steps = 100, .step_size = ConstantStep(0.1)});
//   result->last[0];   // near 0

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"

namespace cotangent::optim {

// A function that returns the step size eta_t for t = 1, 2, ...
using StepSize = std::function<double(int64_t)>;

// Returns the step size that is `eta` at every t.
inline StepSize ConstantStep(double eta) {
  return [eta](int64_t) { return eta; };
}

// Returns the step size eta / t^power. Use power 1/2 for convex functions and 1 for strongly convex
// ones.
inline StepSize DecayingStep(double eta, double power = 0.5) {
  return [eta, power](int64_t t) { return eta * std::pow(static_cast<double>(t), -power); };
}

// Returns the constant step size B / (rho sqrt(T)) of the bound at the head of this file, with B =
// distance, rho = lipschitz and T = steps.
inline StepSize StepForRate(double distance, double lipschitz, int64_t steps) {
  return ConstantStep(distance / (lipschitz * std::sqrt(static_cast<double>(steps))));
}

// A function that replaces w by the nearest point of a convex set.
using Projection = std::function<void(absl::Span<double>)>;

// Returns the projection onto the ball of this radius around the origin.
inline Projection OntoBall(double radius) {
  return [radius](absl::Span<double> w) {
    double square = 0;
    for (double x : w) square += x * x;
    const double norm = std::sqrt(square);
    if (norm <= radius) return;
    for (double& x : w) x *= radius / norm;
  };
}

// Returns the projection onto the box of points whose coordinates all lie in [low, high].
inline Projection OntoBox(double low, double high) {
  return [low, high](absl::Span<double> w) {
    for (double& x : w) x = x < low ? low : (x > high ? high : x);
  };
}

struct DescentOptions {
  int64_t steps = 1000;  // T
  StepSize step_size = ConstantStep(0.01);
  Projection projection = nullptr;  // null: P(w) = w
  // The average includes the last of the iterates w_1 .. w_T: this share of T, rounded up; 1
  // includes all.
  double averaged_share = 1;
  // Records iterates 1, 1 + record_every, ... and the one after the last step, with their values of
  // f. 0 records nothing.
  int64_t record_every = 0;
  // Stops early if the Euclidean norm of v_t is at most this; negative: never.
  double gradient_tolerance = -1;
};

struct DescentRecord {
  int64_t t;  // 1: the start
  std::vector<double> w;
  double value;
};

struct DescentResult {
  std::vector<double> last;  // w after the last step
  // The mean of w_1 .. w_T, or of their last part (averaged_share), as far as the descent came;
  // `last` if it came to none of these.
  std::vector<double> average;
  double last_value = 0;
  double average_value = 0;
  int64_t steps = 0;  // steps taken
  // Whether the descent stopped because its next step would have made w infinite or NaN; `last` is
  // then w before that step.
  bool diverged = false;
  std::vector<DescentRecord> trajectory;
};

// Minimises `f(absl::Span<const double> w) -> double` from `start`. `gradient(absl::Span<const
// double> w, absl::Span<double> v)` writes v_t at w. `f` is called only for records and for the two
// final values. Errors: `start` is empty, no step size, negative steps, averaged_share outside (0,
// 1], or a step size that is negative, infinite or NaN (the message says at which t).
template <typename Function, typename Gradient>
absl::StatusOr<DescentResult> Minimise(Function&& f, Gradient&& gradient, std::vector<double> start,
                                       const DescentOptions& options = {}) {
  if (start.empty()) return absl::InvalidArgumentError("the start has no coordinates");
  if (!options.step_size) return absl::InvalidArgumentError("step_size is empty");
  if (options.steps < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("steps is ", options.steps, ": expected 0 or more"));
  }
  if (!(options.averaged_share > 0 && options.averaged_share <= 1)) {
    return absl::InvalidArgumentError(absl::StrCat("averaged_share is ", options.averaged_share,
                                                   ": expected above 0 and at most 1"));
  }
  const int64_t tail =
      std::llround(std::ceil(options.averaged_share * static_cast<double>(options.steps)));
  const int64_t first_averaged = options.steps - tail + 1;

  DescentResult result;
  std::vector<double> w = std::move(start), next = w, v(w.size());
  result.average.assign(w.size(), 0.0);
  int64_t averaged = 0;
  auto record = [&](int64_t t) {
    result.trajectory.push_back({t, w, f(absl::Span<const double>(w))});
  };

  for (int64_t t = 1; t <= options.steps; ++t) {
    if (options.record_every > 0 && (t - 1) % options.record_every == 0) record(t);
    if (t >= first_averaged) {
      // The average is updated as a running mean, which does not lose precision over millions of
      // steps, as a sum would.
      ++averaged;
      for (size_t i = 0; i < w.size(); ++i) {
        result.average[i] += (w[i] - result.average[i]) / static_cast<double>(averaged);
      }
    }
    gradient(absl::Span<const double>(w), absl::Span<double>(v));
    double square = 0;
    for (double x : v) square += x * x;
    if (std::sqrt(square) <= options.gradient_tolerance) break;
    const double eta = options.step_size(t);
    if (!(eta >= 0 && eta < std::numeric_limits<double>::infinity())) {
      return absl::InvalidArgumentError(absl::StrCat("the step size at t = ", t, " is ", eta,
                                                     ": expected a number from 0 upwards"));
    }
    for (size_t i = 0; i < w.size(); ++i) next[i] = w[i] - eta * v[i];
    const auto is_finite = [&] {
      return std::all_of(next.begin(), next.end(), [](double x) { return std::isfinite(x); });
    };
    if (options.projection && is_finite()) options.projection(absl::Span<double>(next));
    if (!is_finite()) {
      result.diverged = true;
      break;
    }
    std::swap(w, next);
    result.steps = t;
  }
  const bool recorded =
      !result.trajectory.empty() && result.trajectory.back().t == result.steps + 1;
  if (options.record_every > 0 && !recorded) record(result.steps + 1);
  if (averaged == 0) result.average = w;
  result.last_value = f(absl::Span<const double>(w));
  result.average_value = f(absl::Span<const double>(result.average));
  result.last = std::move(w);
  return result;
}

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_DESCENT_H_
