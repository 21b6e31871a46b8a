#ifndef COTANGENT_AUTODIFF_FUNCTION_H_
#define COTANGENT_AUTODIFF_FUNCTION_H_

// Defines which functions this library can differentiate: anything that can be called with a
// std::span<const S> of its inputs and returns one S or a container (std::vector, std::array, ...)
// of S. The function must accept each scalar type S with which a mode of differentiation calls it:
// plain double, and types that stand for numbers and compute derivatives.
//
//   auto f = [](auto x) {                       // x is a std::span<const S>
//     using namespace cotangent::autodiff::functions;
//     return x[0] * x[0] * sin(x[1]);
//   };
//
//   struct Polar {
//     template <class S>
//     std::array<S, 2> operator()(std::span<const S> x) const {
//       using std::cos, std::sin;
//       return {x[0] * cos(x[1]), x[0] * sin(x[1])};
//     }
//   };

#include <concepts>
#include <iterator>
#include <span>
#include <type_traits>
#include <vector>

namespace cotangent::autodiff {

template <class F, class S>
using ResultOf = std::invoke_result_t<const F&, std::span<const S>>;

template <class F, class S>
concept ScalarValued = std::convertible_to<ResultOf<F, S>, S>;

// Returns f's results at x as a vector; a function that returns a single number gives a vector of
// size 1.
template <class S, class F>
std::vector<S> Outputs(const F& f, std::span<const S> x) {
  if constexpr (ScalarValued<F, S>) {
    return {S(f(x))};
  } else {
    auto&& results = f(x);
    return std::vector<S>(std::begin(results), std::end(results));
  }
}

}  // namespace cotangent::autodiff

#endif  // COTANGENT_AUTODIFF_FUNCTION_H_
