// A network text at a batch as a function, and its derivatives.
//
// The function takes all parameters of the network (frozen ones too) and the images to a prediction
// [N, K] and, by the labels, to the loss. N is the batch size, K the number of classes:
//
//   absl::StatusOr<std::unique_ptr<NetworkFunction>> f = NetworkFunction::Create(network, tuner, {.batch_size = 4});
//   (*f)->SetToRandomPoint(1);
//   NetworkVector v = (*f)->Zero();
//   v.parameters[0] = 1;
//   auto column = (*f)->Jvp(v);     // how prediction and loss change along v: forward mode
//   auto gradient = (*f)->Gradient();   // of the loss: reverse mode
//   auto curvature = (*f)->Hvp(v);  // the loss's Hessian times v: forward over reverse mode
//
// Each derivative is a graph (jvp.h, vjp.h) that is compiled at its first use and then only run: in
// f32 with exact convolutions, a value costs a forward pass, a gradient about three, a
// Jacobian-vector product about two, a Hessian-vector product about six, whatever the number of
// parameters. Dropout masks are the same at every call. Running statistics, which batch
// normalisation reads in evaluation alone, are the network's initial ones.
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

// An element of the function's domain, or of its tangent space: a point, a direction, a gradient.
// All parameters, each row-major, one after the other in the order of
// NetworkFunction::parameters(); and images [N, C, H, W], row-major.
struct NetworkVector {
  std::vector<float> parameters, images;
};

// What the function takes a point to, or its change along a direction.
struct NetworkOutput {
  std::vector<float> prediction;  // [N, K], row-major
  float loss = 0;
};

struct NetworkFunctionOptions {
  int64_t batch_size = 2;
  int64_t classes = 10;  // of a text that does not say
  bool training = true;  // batch normalisation by the batch, dropout drops; else as in evaluation
  uint64_t seed = 1;     // of the dropout masks
  int threads = 1;
};

class NetworkFunction {
 public:
  // Errors: those of Build() (build.h). The tuner must outlive the function.
  static absl::StatusOr<std::unique_ptr<NetworkFunction>> Create(
      const Network& network, Tuner& tuner, const NetworkFunctionOptions& options);

  struct Part {
    std::string name;
    Shape shape;
    int64_t offset = 0;  // in NetworkVector::parameters
    int64_t size = 0;
  };
  const std::vector<Part>& parameters() const { return parts_; }
  NetworkVector Zero() const;

  // Where values and derivatives are taken: at first the origin, with labels 0. InvalidArgument
  // where a size does not fit or a label is no class.
  absl::Status SetPoint(NetworkVector point, absl::Span<const int32_t> labels);
  // The network's initial values, each moved a little (normal, a tenth of 1 / sqrt(fan in)), so
  // that nothing is zero for a special reason; images of normal noise; labels drawn at random.
  void SetToRandomPoint(uint64_t seed);
  const NetworkVector& point() const { return point_; }
  const std::vector<int32_t>& labels() const { return labels_; }
  // Where the loss compares with targets [N, K], these: 1 for the label's class, else 0. Else empty.
  std::vector<float> targets() const;

  absl::StatusOr<NetworkOutput> Value();
  // Of the loss.
  absl::StatusOr<NetworkVector> Gradient();
  // The Jacobian times `tangent`: d/dh of the output at point + h tangent.
  absl::StatusOr<NetworkOutput> Jvp(const NetworkVector& tangent);
  // The transposed Jacobian of the prediction times `cotangent` [N, K].
  absl::StatusOr<NetworkVector> Vjp(absl::Span<const float> cotangent);
  // The Hessian of the loss times `tangent`.
  absl::StatusOr<NetworkVector> Hvp(const NetworkVector& tangent);

  // For those who compute the same by other means: the graph; its leaves, parameters in the order
  // of parameters() and then the images; the gradient of the loss by each of them, kNoTensor for
  // zero; the dropout masks in use.
  const BuiltNetwork& network() const { return network_; }
  const std::vector<TensorId>& leaves() const { return leaves_; }
  const std::vector<TensorId>& gradients() const { return gradients_; }
  absl::StatusOr<std::vector<std::pair<TensorId, std::vector<float>>>> DropoutMasks();

 private:
  NetworkFunction(Tuner& tuner, const NetworkFunctionOptions& options)
      : tuner_(tuner), options_(options) {}
  absl::Status BuildDerivatives();
  absl::Status CheckSizes(const NetworkVector& vector) const;
  // Runs the plan for these results at the point, compiling it if there is none yet.
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
  std::vector<TensorId> gradients_, pulled_back_, hessian_products_;  // by leaf
  TensorId prediction_along_ = kNoTensor, loss_along_ = kNoTensor;
  std::unique_ptr<Plan> value_plan_, gradient_plan_, jvp_plan_, vjp_plan_, hvp_plan_, mask_plan_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_NETWORK_FUNCTION_H_
