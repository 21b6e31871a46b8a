// Are a network's derivatives right? Reverse mode, forward mode and differences, held against each
// other.
//
// At a point, for each parameter tensor and for the images, along a random direction v of it with
// |v| = 1 (all entries +-1 / sqrt(n)), the slope of the loss is computed three times:
//   * reverse: <gradient, v>, by the compiled plan in f32;
//   * forward: the Jacobian-vector product, by the compiled plan in f32;
//   * numeric: central differences of the loss as plain loops compute it in f64 (reference.h),
//     which shares no code with plans and no rule with derivatives: (L(x + h v) - L(x - h v)) / 2h
//     at h and 2h, extrapolated; how far the two are apart estimates the error.
// And along one random direction of everything, the Hessian-vector product of the plan is held
// against differences of the f64 gradient, and <u, H v> against <v, H u>.
//
// Kinks (ReLU, max pooling, hinge): the point is a random one, which almost surely stands on none,
// and the steps are short (1e-5). Where they cross a kink all the same, one-sided differences
// disagree; they are then taken anew with shorter steps, to 1e-7, which gradients, as they jump at
// kinks, are compared with from the start. Where one-sided differences disagree even then, the
// point stands on the kink, as where all that a ReLU reads is 0, and differences cannot tell which
// of many slopes is right: the row says so (at_kink), they do not judge it, and forward and reverse
// must still agree.
//
// What is compared may differ by `tolerance` times the slope a parameter's gradient has on average
// (its norm / sqrt(n)), or times a hundredth of the largest such, plus the differences' error.
// Networks of the zoo are within 2e-5.
//
// Where f32 cannot tell better, more is tolerated: the point is moved at random by as much as
// rounding moves it (two units in the last place), three times, and what the plan's results change
// by then, eight times, is added. So a batch norm over two values, whose gradient is the rest of a
// cancellation, or fifty normalised layers one behind the other, which amplify rounding, raise no
// alarm; such rows are told (ill_conditioned).
#ifndef COTANGENT_LAYERS_NETWORK_NETWORK_CHECK_H_
#define COTANGENT_LAYERS_NETWORK_NETWORK_CHECK_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "layers/network/network_function.h"

namespace cotangent::layers {

struct NetworkCheckOptions {
  uint64_t seed = 1;  // of the directions
  double tolerance = 1e-3;
  // Told what is being done, often: deep networks take minutes.
  std::function<void(const std::string&)> progress = nullptr;
};

// Of a parameter tensor, or of the images.
struct NetworkCheckRow {
  std::string name;
  Shape shape;
  double gradient_norm = 0;
  // Slopes along the row's direction.
  double reverse = 0, forward = 0, numeric = 0;
  double numeric_error = 0;  // estimated
  bool at_kink = false;      // one-sided differences disagree
  // Of forward and of numeric from reverse, and of the Hessian-vector product from differences of
  // gradients (norms), each relative to what the comment above says.
  double forward_off = 0, numeric_off = 0, hessian_off = 0;
  double hessian_norm = 0;   // of the row's part of H v
  double hessian_error = 0;  // of the differences of gradients, estimated; relative as hessian_off
  double hessian_scale = 1;  // what hessian_off is relative to
  // What moving the point by as much as f32 rounding changes: the slopes, and H v (its norm).
  double rounding = 0, hessian_rounding = 0;
  bool ill_conditioned = false;  // f32 knows this slope less well than the tolerance
  bool agrees = true;
};

struct NetworkCheck {
  std::vector<NetworkCheckRow> rows;
  double loss = 0, reference_loss = 0;  // by the plan in f32, by plain loops in f64
  double u_hessian_v = 0, v_hessian_u = 0;
  double asymmetry = 0;  // |u H v - v H u| relative to |u| |H v| / sqrt(n)
  bool symmetric = true;
  bool agrees = true;  // all of it
};

// At the function's point. It costs four f64 passes for each parameter tensor, from its layer on,
// and four gradients of that kind: at a batch of 2 seconds for convnet, minutes for resnet18.
// FailedPrecondition where the loss is not finite.
absl::StatusOr<NetworkCheck> CheckNetwork(NetworkFunction& function,
                                          const NetworkCheckOptions& options = {});

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_NETWORK_CHECK_H_
