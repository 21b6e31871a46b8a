// Checks the derivatives of a network: compares reverse mode, forward mode and differences.
//
// For each parameter tensor, and for the images, CheckNetwork() takes a random direction v with |v|
// = 1 (all entries are +-1 / sqrt(n), where n is the number of entries). It computes the slope of
// the loss along v, at the function's current point (NetworkFunction::point()), in three ways:
//   * reverse: <gradient, v>, by the plan (the compiled graph, layers/plan/plan.h) in f32;
//   * forward: the Jacobian-vector product, by the plan in f32;
//   * numeric: central differences (L(x + h v) - L(x - h v)) / 2h of the loss, computed by plain
//     loops in f64 (layers/graph/reference.h), which share no code with plans and use no derivative
//     rules. The differences over h and 2h are extrapolated to h = 0; the distance between
//     the two differences estimates the error.
// In one random direction v of all parameters and images together, CheckNetwork() compares the
// Hessian-vector product of the plan with differences of the f64 gradient; and with a second such
// direction u, it compares <u, H v> with <v, H u>.
//
// At a kink (of ReLU, max pooling or the hinge loss) the slopes on both sides differ. A random
// point almost surely lies on no kink, and the steps h are short (1e-5). If a step crosses a kink
// nevertheless, the one-sided differences disagree; then the step is shortened, down to 1e-7.
// Differences of gradients, which jump at kinks, use 1e-7 from the start. If one-sided differences
// disagree even at 1e-7, the point lies on the kink, for example because all inputs of a ReLU are
// 0. Differences then cannot tell which of several slopes is right. Then at_kink is set in the
// result (NetworkCheckRow); numeric slopes are not judged then, but forward and reverse mode must
// still agree.
//
// Tolerance: two slopes may differ by `tolerance` times a scale. The scale is the root mean square
// of the entries of the tensor's gradient, or 1% of the largest such root mean square of all
// tensors if that is more. For numeric slopes the estimated error of the differences is added. The
// networks of layers/zoo stay within 2e-5.
//
// Where f32 is not precise enough, more is tolerated. The point is moved at random by about as much
// as rounding moves it (two to four units in the last place), three times. Eight times the largest
// resulting change of the plan's results is added to the tolerance. This avoids false alarms in two
// cases: a batch norm over two values, whose gradient nearly cancels to zero, and fifty normalised
// layers in a row, which amplify rounding errors. Such rows are marked (ill_conditioned).
#ifndef COTANGENT_LAYERS_NETWORK_NETWORK_CHECK_H_
#define COTANGENT_LAYERS_NETWORK_NETWORK_CHECK_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "layers/network/network_function.h"

namespace cotangent::layers {

struct NetworkCheckOptions {
  uint64_t seed = 1;  // seed of the random directions
  double tolerance = 1e-3;
  // Called often with a message about what is being done, because the check of a deep network takes
  // minutes.
  std::function<void(const std::string&)> progress = nullptr;
};

// The results for a parameter tensor, or for the images.
struct NetworkCheckRow {
  std::string name;
  Shape shape;
  double gradient_norm = 0;
  // The slopes of the loss along the random direction of this row's tensor.
  double reverse = 0, forward = 0, numeric = 0;
  double numeric_error = 0;  // estimated error of `numeric`
  bool at_kink = false;      // one-sided differences disagree at every step size
  // Relative deviations: of `forward` and of `numeric` from `reverse`, and (as a norm) of the
  // Hessian-vector product from differences of gradients. The head of this file says what the
  // slopes are relative to; the Hessian-vector product is relative to hessian_scale.
  double forward_off = 0, numeric_off = 0, hessian_off = 0;
  double hessian_norm = 0;   // norm of this tensor's part of H v, from differences of gradients
  double hessian_error = 0;  // estimated error of differences of gradients / hessian_scale
  // The divisor of hessian_off: hessian_norm, or the norm that corresponds to 1% of the largest
  // root mean square of any tensor's part if that is more; 1 if all parts are zero.
  double hessian_scale = 1;
  // The change of the slopes, and the norm of the change of H v, when the function's point is moved
  // by about as much as f32 rounding moves it.
  double rounding = 0, hessian_rounding = 0;
  bool ill_conditioned = false;  // rounding errors of the slope, times 8, exceed the tolerance
  bool agrees = true;
};

struct NetworkCheck {
  std::vector<NetworkCheckRow> rows;
  double loss = 0, reference_loss = 0;  // by the plan in f32; by plain loops in f64
  double u_hessian_v = 0, v_hessian_u = 0;
  // The magnitude of <u, H v> - <v, H u>, divided by a sum over the leaves (all parameter tensors
  // and the images). The term of a leaf with n entries is the norm of its part of H v or of H u,
  // whichever is larger, over sqrt(n).
  double asymmetry = 0;
  bool symmetric = true;
  bool agrees = true;  // all rows agree, and the Hessian is symmetric
};

// Checks the function at its current point. The check evaluates the loss in f64 at least four times
// for each parameter tensor and for the images, each time beginning at the layer that reads them,
// and computes four f64 gradients: at a batch of 2, this takes seconds for convnet and minutes for
// resnet18. Returns FailedPrecondition if the loss is not finite.
absl::StatusOr<NetworkCheck> CheckNetwork(NetworkFunction& function,
                                          const NetworkCheckOptions& options = {});

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_NETWORK_CHECK_H_
