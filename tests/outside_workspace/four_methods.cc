// Computes the gradient of a formula by all four methods, behind one interface, and shows the
// symbolic derivatives. The program depends on //autodiff:differentiate and //autodiff/symbolic.
//
//   cd tests/outside_workspace && bazel run //:four_methods

#include <cmath>
#include <cstdio>
#include <vector>

#include "autodiff/differentiate.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"

int main() {
  using namespace cotangent::autodiff;
  symbolic::Pool pool;
  const auto f = symbolic::Parse("cos(w1)*cos(w2) + sigmoid(w2)", pool);
  if (!f.ok()) return std::fprintf(stderr, "%s\n", f.status().ToString().c_str()), 2;
  const std::vector<symbolic::Expr> variables = {pool.Variable("w1"), pool.Variable("w2")};
  for (const symbolic::Expr& variable : variables) {
    const symbolic::Expr derivative = symbolic::Simplify(symbolic::Differentiate(*f, variable));
    std::printf("%s\n", symbolic::ToText(derivative).c_str());
  }

  const auto function = ExpressionFunction::Create({*f}, variables);
  if (!function.ok()) return 1;
  const std::vector<double> w = {1, 2};
  const double expected = -std::sin(1.0) * std::cos(2.0);
  for (const Mode mode : kAllModes) {
    const auto gradient = Gradient(*function, w, mode);
    if (!gradient.ok() || std::abs((*gradient)[0] - expected) > 1e-9) return 1;
    std::printf("%-8s  %.9f  %.9f\n", ModeName(mode), (*gradient)[0], (*gradient)[1]);
  }
}
