#ifndef COTANGENT_TOOLS_LAB_RANDOM_CONVEX_H_
#define COTANGENT_TOOLS_LAB_RANDOM_CONVEX_H_

#include <cmath>
#include <random>
#include <span>
#include <vector>

#include "autodiff/math.h"

namespace cotangent::tools::lab {

// A random convex function of n variables: ln(sum over k of exp(affine function k)) plus a positive
// quadratic, the sum over i of c_i x_i^2 / 2 with c_i > 0.
struct RandomConvex {
  int n = 0, pieces = 4;
  std::vector<double> slope, offset, curvature;

  RandomConvex(std::mt19937_64& generator, int size) : n(size) {
    std::normal_distribution<double> normal;
    for (int i = 0; i < pieces * n; ++i) slope.push_back(normal(generator));
    for (int i = 0; i < pieces; ++i) offset.push_back(normal(generator));
    for (int i = 0; i < n; ++i) curvature.push_back(std::exp(normal(generator)));
  }

  template <class S>
  S operator()(std::span<const S> x) const {
    using namespace autodiff::functions;  // NOLINT
    S sum(0.0), quadratic(0.0);
    for (int k = 0; k < pieces; ++k) {
      S affine(offset[k]);
      for (int i = 0; i < n; ++i) affine = affine + slope[k * n + i] * x[i];
      sum = sum + exp(affine);
    }
    for (int i = 0; i < n; ++i) quadratic = quadratic + 0.5 * curvature[i] * x[i] * x[i];
    return log(sum) + quadratic;
  }
};

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_RANDOM_CONVEX_H_
