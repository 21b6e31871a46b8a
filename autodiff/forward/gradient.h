#ifndef COTANGENT_AUTODIFF_FORWARD_GRADIENT_H_
#define COTANGENT_AUTODIFF_FORWARD_GRADIENT_H_

// Gradients, Jacobians and Hessians by dual numbers, for functions as autodiff/function.h describes
// them. Eight directions are carried at once, so n inputs cost n / 8 evaluations of f, each of a
// few plain ones. autodiff/differentiate.h offers the same with errors reported, and in the other
// modes.

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "autodiff/forward/dual.h"
#include "autodiff/function.h"

namespace cotangent::autodiff::forward {

inline constexpr int kDirectionsAtOnce = 8;

// x as constants.
template <class D>
std::vector<D> Constants(std::span<const double> x) {
  return std::vector<D>(x.begin(), x.end());
}

// Calls visit(first, results) for every group of directions: results[i].tangent[k] is the
// derivative of output i by input first + k, for the k < 8 where there is such an input.
template <class F, class Visit>
void VisitDirections(const F& f, std::span<const double> x, Visit visit) {
  using D = Dual<double, kDirectionsAtOnce>;
  std::vector<D> at = Constants<D>(x);
  for (std::size_t first = 0; first < x.size(); first += kDirectionsAtOnce) {
    const std::size_t end = std::min(first + kDirectionsAtOnce, x.size());
    for (std::size_t j = first; j < end; ++j)
      at[j] = D::Variable(x[j], static_cast<int>(j - first));
    visit(first, Outputs<D>(f, std::span<const D>(at)));
    for (std::size_t j = first; j < end; ++j) at[j] = D(x[j]);
  }
}

// The m by n Jacobian, row after row.
template <class F>
std::vector<double> Jacobian(const F& f, std::span<const double> x) {
  const std::size_t n = x.size();
  std::vector<double> jacobian;
  VisitDirections(f, x, [&](std::size_t first, const auto& results) {
    jacobian.resize(results.size() * n);
    for (std::size_t i = 0; i < results.size(); ++i) {
      for (std::size_t j = first; j < std::min(first + kDirectionsAtOnce, n); ++j) {
        jacobian[i * n + j] = results[i].tangent[static_cast<int>(j - first)];
      }
    }
  });
  return jacobian;
}

// The gradient of a function with one result.
template <class F>
std::vector<double> Gradient(const F& f, std::span<const double> x) {
  return Jacobian(f, x);
}

// J(x) direction: m entries, for one evaluation of f.
template <class F>
std::vector<double> Jvp(const F& f, std::span<const double> x, std::span<const double> direction) {
  using D = Dual<double, 1>;
  std::vector<D> at = Constants<D>(x);
  for (std::size_t j = 0; j < x.size(); ++j) at[j].tangent[0] = direction[j];
  std::vector<double> product;
  for (const D& result : Outputs<D>(f, std::span<const D>(at)))
    product.push_back(result.tangent[0]);
  return product;
}

// J(x)^T weights: n entries. Forward mode has to form the Jacobian for it, a group of columns at a
// time.
template <class F>
std::vector<double> Vjp(const F& f, std::span<const double> x, std::span<const double> weights) {
  std::vector<double> product(x.size(), 0.0);
  VisitDirections(f, x, [&](std::size_t first, const auto& results) {
    for (std::size_t i = 0; i < results.size(); ++i) {
      for (std::size_t j = first; j < std::min(first + kDirectionsAtOnce, x.size()); ++j) {
        product[j] += weights[i] * results[i].tangent[static_cast<int>(j - first)];
      }
    }
  });
  return product;
}

// H(x) direction for a function with one result, by duals of duals: the outer ones carry the
// direction, the inner ones the inputs.
template <class F>
std::vector<double> Hvp(const F& f, std::span<const double> x, std::span<const double> direction) {
  using Inner = Dual<double, kDirectionsAtOnce>;
  using Outer = Dual<Inner, 1>;
  std::vector<Outer> at = Constants<Outer>(x);
  for (std::size_t j = 0; j < x.size(); ++j) at[j].tangent[0] = Inner(direction[j]);
  std::vector<double> product(x.size());
  for (std::size_t first = 0; first < x.size(); first += kDirectionsAtOnce) {
    const std::size_t end = std::min(first + kDirectionsAtOnce, x.size());
    for (std::size_t j = first; j < end; ++j)
      at[j].value = Inner::Variable(x[j], static_cast<int>(j - first));
    const Outer result = Outputs<Outer>(f, std::span<const Outer>(at))[0];
    for (std::size_t j = first; j < end; ++j)
      product[j] = result.tangent[0].tangent[static_cast<int>(j - first)];
    for (std::size_t j = first; j < end; ++j) at[j].value = Inner(x[j]);
  }
  return product;
}

// The n by n Hessian, a row for each unit direction.
template <class F>
std::vector<double> Hessian(const F& f, std::span<const double> x) {
  std::vector<double> hessian, direction(x.size(), 0.0);
  for (std::size_t i = 0; i < x.size(); ++i) {
    direction[i] = 1;
    const std::vector<double> row = Hvp(f, x, direction);
    direction[i] = 0;
    hessian.insert(hessian.end(), row.begin(), row.end());
  }
  return hessian;
}

}  // namespace cotangent::autodiff::forward

#endif  // COTANGENT_AUTODIFF_FORWARD_GRADIENT_H_
