// Batch normalisation, built from elementwise operations on the moments (mean and variance) of each
// channel.

#include "layers/ops/batch_norm.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/ops/checks.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/layer.h"
#include "layers/ops/over_ranks.h"
#include "layers/ops/sums.h"

namespace cotangent::layers {

absl::StatusOr<TensorId> BatchNorm(Graph& graph, absl::string_view name, TensorId x,
                                   const BatchNormOptions& options) {
  if (graph.shape(x).rank() < 2)
    return Invalid(name, absl::StrCat("needs a channel axis; its input has shape ",
                                      graph.shape(x).ToString()));
  TensorId mean = options.running_mean, variance = options.running_variance;
  if (options.training) {
    const int64_t count = (options.synchronised ? options.ranks : 1) *
                          (graph.shape(x).NumElements() / graph.shape(x)[1]);
    if (count < 2)
      return Invalid(name,
                     "batch normalisation needs more than one value a channel in training: use a "
                     "larger batch or larger images");
    ASSIGN_OR_RETURN(MomentsResult moments, Moments(graph, name, x));
    if (options.synchronised) moments = MomentsOverRanks(graph, name, moments);
    mean = moments.mean, variance = moments.variance;
    const Expr running = graph.Operand(0), batch = graph.Operand(1);
    const double m = options.momentum, unbiased = static_cast<double>(count) / (count - 1);
    ASSIGN_OR_RETURN(TensorId new_mean, Elementwise(graph, name, (1 - m) * running + m * batch,
                                                    {options.running_mean, mean}));
    ASSIGN_OR_RETURN(TensorId new_variance,
                     Elementwise(graph, name, (1 - m) * running + m * unbiased * batch,
                                 {options.running_variance, variance}));
    graph.UpdateState(options.running_mean, new_mean);
    graph.UpdateState(options.running_variance, new_variance);
  }
  ASSIGN_OR_RETURN(
      TensorId inverse,
      Elementwise(graph, name, 1 / autodiff::symbolic::Sqrt(graph.Operand(0) + options.epsilon),
                  {variance}));
  std::vector<TensorId> operands = {x, mean, inverse};
  Expr y = (graph.Operand(0) - graph.Operand(1)) * graph.Operand(2);
  if (options.scale != kNoTensor) {
    y = y * graph.Operand(static_cast<int>(operands.size()));
    operands.push_back(options.scale);
  }
  if (options.shift != kNoTensor) {
    y = y + graph.Operand(static_cast<int>(operands.size()));
    operands.push_back(options.shift);
  }
  return Elementwise(graph, name, y, std::move(operands));
}

// ---- The layer of layers/network/network.proto that is built from BatchNorm() ----

namespace {

absl::StatusOr<Value> BatchNormLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.batch_norm();
  const std::string& name = b.name();
  const Value& input = b.input();
  ASSIGN_OR_RETURN(const TensorId x, b.Flat(input));
  if (!(text.momentum() >= 0 && text.momentum() <= 1))
    return Error(absl::StrCat("momentum is ", text.momentum(), "; expected 0 to 1"));
  const int64_t channels = b.graph().shape(x)[1];
  BatchNormOptions options;
  ASSIGN_OR_RETURN(std::tie(options.scale, options.shift), b.ScaleAndShift(text, channels));
  options.running_mean = b.AddState("running_mean", channels, 0);
  options.running_variance = b.AddState("running_var", channels, 1);
  options.epsilon = text.epsilon();
  options.momentum = text.momentum();
  options.training = b.training();
  options.synchronised = text.synchronised();
  options.ranks = b.ranks();
  return b.Made(BatchNorm(b.graph(), name, x, options));
}

const RegisterLayer batch_norm_layer(Layer::kBatchNorm, BatchNormLayer,
                                     {.aliases = {"BatchNorm2d", "BatchNormalization", "BN"}});

}  // namespace
}  // namespace cotangent::layers
