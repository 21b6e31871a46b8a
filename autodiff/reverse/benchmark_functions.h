#ifndef COTANGENT_AUTODIFF_REVERSE_BENCHMARK_FUNCTIONS_H_
#define COTANGENT_AUTODIFF_REVERSE_BENCHMARK_FUNCTIONS_H_

// Defines the four functions whose gradients the benchmarks time. Each is an ordinary template over
// its scalar, with plain loops.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "autodiff/math.h"

namespace cotangent::autodiff::reverse::benchmark {

// Returns ln(sum of e^xi). Subtracts the largest xi first, so that exp cannot overflow.
template <class T>
T LogSumExp(const std::vector<T>& x) {
  using std::exp, std::log, std::max;
  T high = x[0];
  for (std::size_t i = 1; i < x.size(); ++i) high = max(high, x[i]);
  T sum = 0;
  for (const T& xi : x) sum += exp(xi - high);
  return high + log(sum);
}

// Returns pseudo-random numbers in [-1, 1), the same on every machine.
inline std::vector<double> Noise(std::size_t n, std::uint64_t seed) {
  std::vector<double> noise(n);
  for (double& value : noise) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    value = static_cast<double>(static_cast<std::int64_t>(seed) >> 11) /
            static_cast<double>(std::int64_t{1} << 52);
  }
  return noise;
}

// The log-likelihood, up to an additive constant, of n = kPoints points in d = kDimensions
// dimensions under a mixture of k = kComponents Gaussians (Srajer, Kukelova and Fitzgibbon, A
// benchmark of selected algorithmic differentiation tools, 2018). Its inputs are the k logits of
// the weights, the k means, and a lower triangular square root of each component's inverse
// covariance: first the logarithms of the d diagonal entries for all components, then the d (d - 1)
// / 2 entries below the diagonal, row after row, for all components.
struct GaussianMixture {
  static constexpr int kDimensions = 10, kComponents = 25, kPoints = 100;
  static constexpr int kBelow = kDimensions * (kDimensions - 1) / 2;
  static constexpr int kSize = kComponents * (1 + 2 * kDimensions + kBelow);

  std::vector<double> points = Noise(kPoints * kDimensions, 7);

  static std::vector<double> Point() { return Noise(kSize, 1); }

  template <class T>
  T operator()(std::span<const T> theta) const {
    using std::exp;
    constexpr int d = kDimensions, k = kComponents;
    const T* const logit = theta.data();
    const T* const mean = logit + k;
    const T* const log_diagonal = mean + k * d;
    const T* const below = log_diagonal + k * d;
    std::vector<T> diagonal(k * d), offset(k), centred(d), term(k), logits(logit, logit + k);
    for (int c = 0; c < k; ++c) {
      offset[c] = logit[c];
      for (int i = 0; i < d; ++i) {
        offset[c] += log_diagonal[c * d + i];
        diagonal[c * d + i] = exp(log_diagonal[c * d + i]);
      }
    }
    T total = 0;
    for (int p = 0; p < kPoints; ++p) {
      for (int c = 0; c < k; ++c) {
        for (int i = 0; i < d; ++i) centred[i] = points[p * d + i] - mean[c * d + i];
        const T* entry = below + c * kBelow;
        T distance = 0;
        for (int i = 0; i < d; ++i) {
          T z = diagonal[c * d + i] * centred[i];
          for (int j = 0; j < i; ++j) z += *entry++ * centred[j];
          distance += z * z;
        }
        term[c] = offset[c] - 0.5 * distance;
      }
      total += LogSumExp(term);
    }
    return total - static_cast<double>(kPoints) * LogSumExp(logits);
  }
};

// The squared error of a network on one sample, as a function of its weights and biases. The
// network has two layers of 64 tanh units, each with 64 inputs and a bias.
struct TanhNetwork {
  static constexpr int kWidth = 64, kLayers = 2;
  static constexpr int kSize = kLayers * kWidth * (kWidth + 1);

  std::vector<double> input = Noise(kWidth, 3), target = Noise(kWidth, 5);

  static std::vector<double> Point() {
    std::vector<double> weights = Noise(kSize, 2);
    for (double& weight : weights) weight *= 0.2;
    return weights;
  }

  template <class T>
  T operator()(std::span<const T> weights) const {
    using std::tanh;
    std::vector<T> activation(input.begin(), input.end()), next(kWidth);
    const T* weight = weights.data();
    for (int layer = 0; layer < kLayers; ++layer) {
      for (int unit = 0; unit < kWidth; ++unit) {
        T sum = *weight++;
        for (int i = 0; i < kWidth; ++i) sum += *weight++ * activation[i];
        next[unit] = tanh(sum);
      }
      std::swap(activation, next);
    }
    T error = 0;
    for (int i = 0; i < kWidth; ++i) {
      const T difference = activation[i] - target[i];
      error += difference * difference;
    }
    return error;
  }
};

// The chained Rosenbrock function, the sum over i of 100 (x_(i+1) - x_i^2)^2 + (1 - x_i)^2 (Toint,
// 1978).
struct Rosenbrock {
  static constexpr int kSize = 10000;

  static std::vector<double> Point() { return Noise(kSize, 4); }

  template <class T>
  T operator()(std::span<const T> x) const {
    T sum = 0;
    for (std::size_t i = 0; i + 1 < x.size(); ++i) {
      const T valley = x[i + 1] - x[i] * x[i];
      const T offset = 1.0 - x[i];
      sum += 100.0 * valley * valley + offset * offset;
    }
    return sum;
  }
  static constexpr int kOperations = 8 * (kSize - 1);  // -, *, -, *, *, *, +, +
};

// The final position after 20,000 explicit Euler steps of the overdamped pendulum x' = p - k sin x,
// as a function of its start x, torque p and stiffness k.
struct PendulumLoop {
  static constexpr int kSize = 3, kSteps = 20000;

  static std::vector<double> Point() { return {0.3, 0.9, 1.1}; }

  template <class T>
  T operator()(std::span<const T> start) const {
    using std::sin;
    T x = start[0];
    const T &torque = start[1], &stiffness = start[2];
    for (int step = 0; step < kSteps; ++step) x += 0.001 * (torque - stiffness * sin(x));
    return x;
  }
};

}  // namespace cotangent::autodiff::reverse::benchmark

#endif  // COTANGENT_AUTODIFF_REVERSE_BENCHMARK_FUNCTIONS_H_
