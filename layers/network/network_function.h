// The function that a network text (the .textproto file that describes a network, network.proto)
// defines at a given batch size, with its derivatives.
//
// The function maps all parameters of the network (frozen ones too) and the images to a prediction
// [N, K] and, given the labels, to the loss. N is the batch size, K the number of classes.
//
//   absl::StatusOr<std::unique_ptr<NetworkFunction>> f =
//       NetworkFunction::Create(network, tuner, {.batch_size = 4});
//   (*f)->SetToRandomPoint(1);
//   NetworkVector v = (*f)->Zero();
//   v.parameters[0] = 1;
//   auto column = (*f)->Jvp(v);         // change of prediction and loss along v: forward mode
//   auto gradient = (*f)->Gradient();   // of the loss: reverse mode
//   auto curvature = (*f)->Hvp(v);      // Hessian of the loss times v: forward over reverse mode
//
// Each derivative is a graph (layers/graph/jvp.h, layers/graph/vjp.h) that is compiled for this
// machine, into a plan (layers/plan/plan.h), when it is first used. Plans compute in f32 with exact
// convolutions. Whatever the number of parameters, a gradient takes about three times as long as a
// value, a Jacobian-vector product about twice as long, and a Hessian-vector product about six
// times as long. Dropout masks are the same in every call. Running statistics, which batch
// normalisation uses only if `training` is false, have the network's initial values.
#ifndef COTANGENT_LAYERS_NETWORK_NETWORK_FUNCTION_H_
#define COTANGENT_LAYERS_NETWORK_NETWORK_FUNCTION_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "layers/network/build.h"
#include "layers/network/network.pb.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"

namespace cotangent::layers {

// A point of the function's domain, or a vector in the domain, such as a direction or a gradient.
// `parameters` holds all parameters, each row-major, in the order of NetworkFunction::parameters();
// `images` is [N, C, H, W], row-major.
struct NetworkVector {
  std::vector<float> parameters, images;
};

// The value of the function at a point, or its derivative along a direction.
struct NetworkOutput {
  std::vector<float> prediction;  // [N, K], row-major
  float loss = 0;
};

struct NetworkFunctionOptions {
  int64_t batch_size = 2;
  int64_t classes = 10;  // used if the network text does not give the number
  // True: batch normalisation uses the batch's statistics, and dropout drops values. False: the
  // network computes as in inference.
  bool training = true;
  uint64_t seed = 1;  // seed of the dropout masks
  int threads = 1;
};

class NetworkFunction {
 public:
  // Returns the errors of Build() (layers/network/build.h). The tuner, which measures the
  // implementations of convolutions (layers/plan/tuner.h), must outlive the function.
  static absl::StatusOr<std::unique_ptr<NetworkFunction>> Create(
      const Network& network, Tuner& tuner, const NetworkFunctionOptions& options);

  // One parameter tensor.
  struct Part {
    std::string name;
    Shape shape;
    int64_t offset = 0;  // index of the part's first element in NetworkVector::parameters
    int64_t size = 0;    // number of elements
  };
  const std::vector<Part>& parameters() const { return parts_; }
  NetworkVector Zero() const;

  // Sets the point at which values and derivatives are computed, and the labels. Before the first
  // call, all numbers and labels are 0. Returns InvalidArgument and changes nothing if a size does
  // not fit or a label is not a class number.
  absl::Status SetPoint(NetworkVector point, absl::Span<const int32_t> labels);
  // Sets a random point: the network's initial values, each moved a little (by normal noise of
  // deviation 0.1 / sqrt(fan in)) so that nothing is exactly zero; images of normal noise; random
  // labels.
  void SetToRandomPoint(uint64_t seed);
  const NetworkVector& point() const { return point_; }
  const std::vector<int32_t>& labels() const { return labels_; }
  // If the loss compares with targets [N, K], returns them: 1 for the label's class, 0 elsewhere.
  // Otherwise returns an empty vector.
  std::vector<float> targets() const;

  absl::StatusOr<NetworkOutput> Value();
  // Returns the gradient of the loss at the point.
  absl::StatusOr<NetworkVector> Gradient();
  // Returns the Jacobian times `tangent`: the derivative of prediction and loss at point + h
  // tangent by h, at h = 0.
  absl::StatusOr<NetworkOutput> Jvp(const NetworkVector& tangent);
  // Returns the transposed Jacobian of the prediction, times `cotangent` [N, K].
  absl::StatusOr<NetworkVector> Vjp(absl::Span<const float> cotangent);
  // Returns the Hessian of the loss, times `tangent`.
  absl::StatusOr<NetworkVector> Hvp(const NetworkVector& tangent);

  // These functions serve code that computes the same values by other means. leaves() are the
  // parameters in the order of parameters(), then the images; gradients() are the tensors of the
  // loss's gradient by each leaf, kNoTensor for zero; DropoutMasks() returns each mask's tensor and
  // the mask in use.
  const BuiltNetwork& network() const { return network_; }
  const std::vector<TensorId>& leaves() const { return leaves_; }
  const std::vector<TensorId>& gradients() const { return gradients_; }
  absl::StatusOr<std::vector<std::pair<TensorId, std::vector<float>>>> DropoutMasks();

 private:
  NetworkFunction(Tuner& tuner, const NetworkFunctionOptions& options)
      : tuner_(tuner), options_(options) {}
  absl::Status BuildDerivatives();
  absl::Status CheckSizes(const NetworkVector& vector) const;
  // Runs the plan that computes these results at the current point, with the tangent and cotangent
  // that it needs (null or empty: none). Compiles the plan first if it is null; it stays null if
  // all results are kNoTensor.
  absl::Status Run(std::unique_ptr<Plan>& plan, const std::vector<TensorId>& results,
                   const NetworkVector* tangent, absl::Span<const float> cotangent);
  NetworkVector ByLeaf(const Plan* plan, const std::vector<TensorId>& results) const;
  NetworkOutput Output(const Plan* plan, TensorId prediction, TensorId loss) const;

  Tuner& tuner_;
  const NetworkFunctionOptions options_;
  BuiltNetwork network_;
  std::vector<Part> parts_;
  NetworkVector point_;
  std::vector<int32_t> labels_;
  std::unique_ptr<ParameterStore> store_;
  std::vector<TensorId> leaves_, tangents_, masks_;
  TensorId cotangent_ = kNoTensor;
  std::vector<TensorId> gradients_, pulled_back_, hessian_products_;  // one tensor for each leaf
  TensorId prediction_along_ = kNoTensor, loss_along_ = kNoTensor;
  std::unique_ptr<Plan> value_plan_, gradient_plan_, jvp_plan_, vjp_plan_, hvp_plan_, mask_plan_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_NETWORK_FUNCTION_H_
