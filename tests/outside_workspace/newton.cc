// Minimises Rosenbrock's function by Newton's method, with the gradient from reverse mode and the
// Hessian from dual numbers. The program is in a Bazel workspace of its own, and depends on
// //autodiff/forward and //autodiff/reverse only.
//
//   cd tests/outside_workspace && bazel run //:newton

#include <cmath>
#include <cstdio>
#include <type_traits>
#include <vector>

#include "autodiff/forward/gradient.h"
#include "autodiff/reverse/gradient.h"

int main() {
  const auto rosenbrock = [](auto x) {
    using S = std::remove_cvref_t<decltype(x[0])>;
    const S valley = x[1] - x[0] * x[0], offset = 1.0 - x[0];
    return S(100.0 * valley * valley + offset * offset);
  };
  std::vector<double> x = {-1.2, 1.0};
  for (int step = 0; step < 10; ++step) {
    const std::vector<double> g = cotangent::autodiff::reverse::Gradient(rosenbrock, x);
    const std::vector<double> h = cotangent::autodiff::forward::Hessian(rosenbrock, x);
    const double determinant = h[0] * h[3] - h[1] * h[2];
    x[0] -= (h[3] * g[0] - h[1] * g[1]) / determinant;
    x[1] -= (h[0] * g[1] - h[2] * g[0]) / determinant;
  }
  std::printf("minimum at (%.12f, %.12f)\n", x[0], x[1]);
  return std::hypot(x[0] - 1, x[1] - 1) < 1e-10 ? 0 : 1;
}
