// Sums and moments (mean and variance) over each channel.

#include "layers/ops/sums.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/concat.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/rules.h"

namespace cotangent::layers {
namespace {

class ChannelSumOperation : public LinearOperation<OperationOfPasses<ChannelSumOperation>> {
 public:
  const char* name() const override { return "channel_sum"; }
  bool occurs_in_inference() const override { return false; }
  std::optional<std::string> Key(const Attributes&) const override { return ""; }
  PassRole Role(const Graph&, const Node&) const override { return {.kind = PassRole::kSum}; }

  // The adjoint of the sum is a broadcast: an elementwise copy of the cotangent [C] to the shape of
  // x.
  absl::Status Vjp(ReverseRule& rule) const override {
    const TensorId x = rule.in(0);
    rule.Contribute(x, rule.graph.AddNode(kElementwise, rule.node.name, {rule.d[0]},
                                          rule.graph.Operand(0), Shape(rule.shape(x))));
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const TensorId x = node.inputs[0];
    std::vector<T> sum = e.Zeros(node.outputs[0]);
    for (int64_t i = 0; i < e.Elements(x); ++i) {
      T& total = sum[i / e.Pixels(x) % e.Channels(x)];
      total = total + e.values[x][i];
    }
    e.out(node, 0) = std::move(sum);
    return absl::OkStatus();
  }
  absl::StatusOr<int> Emit(PassContext&, const Node&, int, int) const override {
    return absl::InternalError("a sum is taken by the pass itself");
  }
};

class MomentsOperation : public OperationOfPasses<MomentsOperation> {
 public:
  const char* name() const override { return "moments"; }
  bool occurs_in_inference() const override { return false; }
  std::optional<std::string> Key(const Attributes&) const override { return ""; }
  PassRole Role(const Graph&, const Node&) const override { return {.kind = PassRole::kMoments}; }

  absl::Status Vjp(ReverseRule& rule) const override {
    Graph& graph = rule.graph;
    const Node& node = rule.node;
    const TensorId x = node.inputs[0];
    const double count = static_cast<double>(graph.shape(x).NumElements() / graph.shape(x)[1]);
    const Expr a0 = graph.Operand(0), a1 = graph.Operand(1), a2 = graph.Operand(2),
               a3 = graph.Operand(3);
    absl::StatusOr<TensorId> dx;
    if (rule.d[1] == kNoTensor) {
      dx = graph.AddNode(kElementwise, node.name, {rule.d[0]}, a0 / count, Shape(graph.shape(x)));
    } else if (rule.d[0] == kNoTensor) {
      dx = Elementwise(graph, node.name, (a0 - a1) * a2 * (2 / count),
                       {x, node.outputs[0], rule.d[1]});
    } else {
      dx = Elementwise(graph, node.name, (a0 - a1) * a2 * (2 / count) + a3 / count,
                       {x, node.outputs[0], rule.d[1], rule.d[0]});
    }

    RETURN_IF_ERROR(dx.status());
    rule.Contribute(x, *dx);
    return absl::OkStatus();
  }

  // A prime denotes a tangent, and M is the mean over a channel:
  //   mean' = M(x'), variance' = 2 M((x - mean) x').
  absl::Status Jvp(ForwardRule& rule) const override {
    RuleBuilder rules(rule.graph, rule.node.name);
    const TensorId x = rule.in(0), mean = rule.out(0), dx = rule.d[0];
    const Shape shape = rule.shape(x), channels = rule.shape(mean);
    const double share = static_cast<double>(shape[1]) / static_cast<double>(shape.NumElements());
    if (rule.wanted[0])
      rule.made[0] = rules.Elementwise(rules.a(0) * share, {rules.ChannelSum(dx)}, channels);
    if (!rule.wanted[1]) return rules.status();
    const TensorId product =
        rules.Elementwise((rules.a(0) - rules.a(1)) * rules.a(2), {x, mean, dx}, shape);
    rule.made[1] =
        rules.Elementwise(rules.a(0) * (2 * share), {rules.ChannelSum(product)}, channels);
    return rules.status();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const TensorId x = node.inputs[0];
    const std::vector<T>& values = e.values[x];
    const T share(1.0 / static_cast<double>(e.Elements(x) / e.Channels(x)));
    std::vector<T> mean(e.Channels(x), T(0.0)), variance(e.Channels(x), T(0.0));
    const auto channel = [&](int64_t i) { return i / e.Pixels(x) % e.Channels(x); };
    for (int64_t i = 0; i < e.Elements(x); ++i)
      mean[channel(i)] = mean[channel(i)] + share * values[i];
    for (int64_t i = 0; i < e.Elements(x); ++i) {
      const T deviation = values[i] - mean[channel(i)];
      variance[channel(i)] = variance[channel(i)] + share * deviation * deviation;
    }
    e.out(node, 0) = std::move(mean);
    e.out(node, 1) = std::move(variance);
    return absl::OkStatus();
  }
  absl::StatusOr<int> Emit(PassContext&, const Node&, int, int) const override {
    return absl::InternalError("a sum is taken by the pass itself");
  }
};

const ChannelSumOperation channel_sum;
const MomentsOperation moments;

}  // namespace

const Op kChannelSum = &channel_sum, kMoments = &moments;

absl::StatusOr<TensorId> ChannelSum(Graph& graph, absl::string_view name, TensorId x) {
  if (graph.shape(x).rank() < 2)
    return Invalid(name, absl::StrCat("a sum over channels needs a channel axis; found shape ",
                                      graph.shape(x).ToString()));
  return graph.AddNode(kChannelSum, name, {x}, {}, Shape({graph.shape(x)[1]}));
}

absl::StatusOr<MomentsResult> Moments(Graph& graph, absl::string_view name, TensorId x) {
  if (graph.shape(x).rank() < 2)
    return Invalid(name,
                   absl::StrCat("needs a channel axis; found shape ", graph.shape(x).ToString()));
  // The moments of concatenated channels are the concatenated moments of the parts. So a network
  // that concatenates repeatedly, such as DenseNet, computes the moments of each part only once.
  if (const Node& node = graph.producer(x); node.op == kConcat) {
    std::vector<TensorId> means, variances;
    for (TensorId part : std::vector<TensorId>(node.inputs)) {
      ASSIGN_OR_RETURN(MomentsResult moments, Moments(graph, name, part));
      means.push_back(moments.mean), variances.push_back(moments.variance);
    }
    ASSIGN_OR_RETURN(TensorId mean, Concat(graph, name, std::move(means)));
    ASSIGN_OR_RETURN(TensorId variance, Concat(graph, name, std::move(variances)));
    return MomentsResult{mean, variance};
  }
  const Shape channels = {graph.shape(x)[1]};
  const std::vector<TensorId> made =
      graph.AddNode(kMoments, name, {x}, {}, {{".mean", channels}, {".variance", channels}});
  return MomentsResult{made[0], made[1]};
}

}  // namespace cotangent::layers
