#include "layers/network/network_function.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/graph/jvp.h"
#include "layers/graph/vjp.h"
#include "layers/network/initialize.h"
#include "layers/ops/dropout.h"

namespace cotangent::layers {

absl::StatusOr<std::unique_ptr<NetworkFunction>> NetworkFunction::Create(
    const Network& network, Tuner& tuner, const NetworkFunctionOptions& options) {
  ASSIGN_OR_RETURN(BuiltNetwork built, Build(network, {.batch_size = options.batch_size,
                                                       .training = options.training,
                                                       .classes = options.classes}));
  auto function = std::unique_ptr<NetworkFunction>(new NetworkFunction(tuner, options));
  function->network_ = std::move(built);
  RETURN_IF_ERROR(function->BuildDerivatives());
  return function;
}

absl::Status NetworkFunction::BuildDerivatives() {
  Graph& graph = network_.graph;
  int64_t offset = 0;
  for (const ParameterSpec& spec : network_.parameters) {
    parts_.push_back({spec.name, spec.shape, offset, spec.shape.NumElements()});
    offset += parts_.back().size;
    leaves_.push_back(spec.tensor);
    // A one-dimensional input would be taken for labels, so the tangents of parameters are states.
    tangents_.push_back(graph.State(absl::StrCat("tangent of ", spec.name), spec.shape));
  }
  for (const Node& node : graph.nodes()) {
    if (node.op == kDropoutMask) masks_.push_back(node.outputs[0]);
  }
  leaves_.push_back(network_.images);
  tangents_.push_back(graph.Input("tangent of the images", Shape(graph.shape(network_.images))));
  cotangent_ = graph.Input("cotangent", Shape(graph.shape(network_.prediction)));
  point_.parameters.resize(offset);
  point_.images.resize(graph.shape(network_.images).NumElements());
  labels_.resize(options_.batch_size);

  ASSIGN_OR_RETURN(gradients_, layers::Gradient(graph, network_.loss, leaves_));
  ASSIGN_OR_RETURN(pulled_back_,
                   VectorJacobianProduct(graph, {network_.prediction}, {cotangent_}, leaves_));
  ASSIGN_OR_RETURN(
      const std::vector<TensorId> along,
      JacobianVectorProduct(graph, {network_.prediction, network_.loss}, leaves_, tangents_));
  prediction_along_ = along[0], loss_along_ = along[1];
  ASSIGN_OR_RETURN(hessian_products_, JacobianVectorProduct(graph, gradients_, leaves_, tangents_));

  ASSIGN_OR_RETURN(store_, ParameterStore::Create(graph));
  for (const StateSpec& state : network_.states) {
    const ParameterStore::Slot& slot = *store_->FindState(state.name);
    std::fill_n(store_->state_values() + slot.offset, slot.size,
                static_cast<float>(state.initial_value));
  }
  return absl::OkStatus();
}

NetworkVector NetworkFunction::Zero() const {
  return {std::vector<float>(point_.parameters.size()), std::vector<float>(point_.images.size())};
}

absl::Status NetworkFunction::CheckSizes(const NetworkVector& vector) const {
  if (vector.parameters.size() == point_.parameters.size() &&
      vector.images.size() == point_.images.size())
    return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "found ", vector.parameters.size(), " numbers for parameters and ", vector.images.size(),
      " for images, expected ", point_.parameters.size(), " and ", point_.images.size()));
}

absl::Status NetworkFunction::SetPoint(NetworkVector point, absl::Span<const int32_t> labels) {
  RETURN_IF_ERROR(CheckSizes(point));
  if (labels.size() != labels_.size())
    return absl::InvalidArgumentError(
        absl::StrCat("found ", labels.size(), " labels for a batch of ", labels_.size()));
  for (int32_t label : labels) {
    if (label < 0 || label >= network_.classes)
      return absl::InvalidArgumentError(
          absl::StrCat("label ", label, " is none of the ", network_.classes, " classes"));
  }
  point_ = std::move(point);
  labels_.assign(labels.begin(), labels.end());
  for (const Part& part : parts_)
    std::copy_n(point_.parameters.begin() + part.offset, part.size,
                store_->values() + store_->FindParameter(part.name)->offset);
  return absl::OkStatus();
}

std::vector<float> NetworkFunction::targets() const {
  if (network_.graph.shape(network_.labels).rank() != 2) return {};
  std::vector<float> one_hot(labels_.size() * network_.classes);
  for (size_t n = 0; n < labels_.size(); ++n) one_hot[n * network_.classes + labels_[n]] = 1;
  return one_hot;
}

void NetworkFunction::SetToRandomPoint(uint64_t seed) {
  NetworkVector point = Zero();
  Initialize(network_.parameters, seed, absl::MakeSpan(point.parameters));
  for (size_t k = 0; k < parts_.size(); ++k) {
    const RandomStream noise(seed, absl::StrCat("moved ", parts_[k].name));
    const double deviation = 0.1 / std::sqrt(static_cast<double>(network_.parameters[k].fan_in));
    for (int64_t i = 0; i < parts_[k].size; ++i)
      point.parameters[parts_[k].offset + i] += static_cast<float>(deviation * noise.Normal(i));
  }
  const RandomStream images(seed, "images"), classes(seed, "labels");
  for (size_t i = 0; i < point.images.size(); ++i)
    point.images[i] = static_cast<float>(images.Normal(i));
  std::vector<int32_t> labels;
  for (size_t i = 0; i < labels_.size(); ++i)
    labels.push_back(
        static_cast<int32_t>(classes.Uniform(i) * static_cast<double>(network_.classes)));
  SetPoint(std::move(point), labels).IgnoreError();  // the sizes fit
}

absl::Status NetworkFunction::Run(std::unique_ptr<Plan>& plan, const std::vector<TensorId>& results,
                                  const NetworkVector* tangent, absl::Span<const float> cotangent) {
  const Graph& graph = network_.graph;
  if (plan == nullptr) {
    std::vector<PlanResult> wanted;
    for (TensorId t : results) {
      if (t != kNoTensor) wanted.push_back({t});
    }
    if (wanted.empty()) return absl::OkStatus();
    PlanOptions options;
    options.exact = true;
    options.threads = options_.threads;
    options.seed = options_.seed;
    ASSIGN_OR_RETURN(plan, Plan::Compile(graph, wanted, *store_, tuner_, options));
  }
  const auto give = [&](TensorId input, const auto& values) {
    using Value = std::decay_t<decltype(values[0])>;
    std::copy(values.begin(), values.end(), static_cast<Value*>(plan->input(input)));
  };
  give(network_.images, point_.images);
  if (const std::vector<float> one_hot = targets(); !one_hot.empty()) {
    give(network_.labels, one_hot);
  } else {
    give(network_.labels, labels_);
  }
  if (!cotangent.empty()) give(cotangent_, cotangent);
  if (tangent != nullptr) {
    give(tangents_.back(), tangent->images);
    for (size_t k = 0; k < parts_.size(); ++k) {
      const ParameterStore::Slot& slot = *store_->FindState(graph.tensor(tangents_[k]).name);
      std::copy_n(tangent->parameters.begin() + parts_[k].offset, parts_[k].size,
                  store_->state_values() + slot.offset);
    }
  }
  plan->Run(0);
  return absl::OkStatus();
}

NetworkVector NetworkFunction::ByLeaf(const Plan* plan,
                                      const std::vector<TensorId>& results) const {
  NetworkVector vector = Zero();
  if (plan == nullptr) return vector;
  for (size_t k = 0; k < parts_.size(); ++k) {
    if (results[k] != kNoTensor)
      std::copy_n(plan->result(results[k]), parts_[k].size,
                  vector.parameters.begin() + parts_[k].offset);
  }
  if (results.back() != kNoTensor)
    std::copy_n(plan->result(results.back()), vector.images.size(), vector.images.begin());
  return vector;
}

NetworkOutput NetworkFunction::Output(const Plan* plan, TensorId prediction, TensorId loss) const {
  NetworkOutput output;
  output.prediction.resize(network_.graph.shape(network_.prediction).NumElements());
  if (prediction != kNoTensor)
    std::copy_n(plan->result(prediction), output.prediction.size(), output.prediction.begin());
  if (loss != kNoTensor) output.loss = *plan->result(loss);
  return output;
}

absl::StatusOr<NetworkOutput> NetworkFunction::Value() {
  RETURN_IF_ERROR(Run(value_plan_, {network_.loss, network_.prediction}, nullptr, {}));
  return Output(value_plan_.get(), network_.prediction, network_.loss);
}

absl::StatusOr<NetworkVector> NetworkFunction::Gradient() {
  RETURN_IF_ERROR(Run(gradient_plan_, gradients_, nullptr, {}));
  return ByLeaf(gradient_plan_.get(), gradients_);
}

absl::StatusOr<NetworkOutput> NetworkFunction::Jvp(const NetworkVector& tangent) {
  RETURN_IF_ERROR(CheckSizes(tangent));
  RETURN_IF_ERROR(Run(jvp_plan_, {loss_along_, prediction_along_}, &tangent, {}));
  return Output(jvp_plan_.get(), prediction_along_, loss_along_);
}

absl::StatusOr<NetworkVector> NetworkFunction::Vjp(absl::Span<const float> cotangent) {
  const int64_t size = network_.graph.shape(network_.prediction).NumElements();
  if (static_cast<int64_t>(cotangent.size()) != size) {
    return absl::InvalidArgumentError(absl::StrCat("found a cotangent of ", cotangent.size(),
                                                   " numbers, expected one for each of the ", size,
                                                   " of the prediction"));
  }
  RETURN_IF_ERROR(Run(vjp_plan_, pulled_back_, nullptr, cotangent));
  return ByLeaf(vjp_plan_.get(), pulled_back_);
}

absl::StatusOr<NetworkVector> NetworkFunction::Hvp(const NetworkVector& tangent) {
  RETURN_IF_ERROR(CheckSizes(tangent));
  RETURN_IF_ERROR(Run(hvp_plan_, hessian_products_, &tangent, {}));
  return ByLeaf(hvp_plan_.get(), hessian_products_);
}

absl::StatusOr<std::vector<std::pair<TensorId, std::vector<float>>>>
NetworkFunction::DropoutMasks() {
  RETURN_IF_ERROR(Run(mask_plan_, masks_, nullptr, {}));
  std::vector<std::pair<TensorId, std::vector<float>>> masks;
  for (TensorId t : masks_) {
    const float* mask = mask_plan_->result(t);
    masks.emplace_back(t, std::vector<float>(mask, mask + network_.graph.shape(t).NumElements()));
  }
  return masks;
}

}  // namespace cotangent::layers
