// Softmax over the classes of each image: y_k = exp(x_k) / sum_j exp(x_j). N is the number of
// images and K the number of classes.
#ifndef COTANGENT_LAYERS_OPS_SOFTMAX_H_
#define COTANGENT_LAYERS_OPS_SOFTMAX_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "autodiff/math.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

extern const Op kSoftmax;          // [N, K] -> [N, K]
extern const Op kSoftmaxGradient;  // dy, y -> dx = y (dy - sum_j dy_j y_j)

absl::StatusOr<TensorId> Softmax(Graph& graph, absl::string_view name, TensorId x);

// Returns log(sum_k exp(x_k)) of `count` numbers, without overflow.
double LogSumExp(const float* x, int64_t count);

// Returns the logarithms of the softmax of the predictions x [K] of one image: ln p_k = x_k - ln
// sum_j exp(x_j). The logarithms and their derivatives stay finite where p_k itself underflows. To
// avoid overflow, the largest x is subtracted first; it cancels, so neither the values nor their
// derivatives change.
template <class T>
std::vector<T> LogProbabilities(const std::vector<T>& x) {
  using namespace autodiff::functions;  // NOLINT: exp() and log() for T = double
  T largest = x[0], sum(0.0);
  for (const T& value : x) {
    if (largest < value) largest = value;
  }
  for (const T& value : x) sum = sum + exp(value - largest);
  std::vector<T> logs;
  for (const T& value : x) logs.push_back(value - largest - log(sum));
  return logs;
}

// Returns the softmax p_k of the predictions x [K] of one image.
template <class T>
std::vector<T> Probabilities(const std::vector<T>& x) {
  using namespace autodiff::functions;  // NOLINT: exp() and log() for T = double
  std::vector<T> p = LogProbabilities(x);
  for (T& value : p) value = exp(value);
  return p;
}

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_SOFTMAX_H_
