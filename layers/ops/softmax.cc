// Softmax and its gradient (see softmax.h). In the formulas, y is the result and g the cotangent of
// y.

#include "layers/ops/softmax.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/layer.h"
#include "layers/ops/rules.h"
#include "layers/plan/kernel.h"
#include "tensor/row_softmax.h"

namespace cotangent::layers {
namespace {

// Adds the operations that compute J t and returns J t, where J is the Jacobian of the gradient
// operation's result dx with respect to its operand y; if `adjoint`, uses the transpose of J. With
// S the sum over the classes of an image:
//   dx = y (g - S(g y))                    J t = t (g - S(g y)) - y S(g t)
// The transpose has g and y exchanged in the last term.
TensorId GradientByOutput(RuleBuilder& rules, const Node& node, TensorId t, bool adjoint) {
  const TensorId g = node.inputs[0], y = node.inputs[1];
  const TensorId inner = adjoint ? y : g, outer = adjoint ? g : y;
  PerImage image(rules, rules.graph().shape(y));
  const Expr a0 = rules.a(0), a1 = rules.a(1), a2 = rules.a(2), a3 = rules.a(3), a4 = rules.a(4);
  const TensorId along_y = image.Sum(a0 * a1, {g, y}), along_t = image.Sum(a0 * a1, {inner, t});
  return image.Map(a0 * (a1 - a2) - a3 * a4, {t, g, along_y, outer, along_t});
}

class SoftmaxOperation : public OperationWithKernel<SoftmaxOperation> {
 public:
  const char* name() const override { return "softmax"; }
  absl::Status Vjp(ReverseRule& rule) const override {
    rule.Contribute(rule.in(0), rule.Like(kSoftmaxGradient, {rule.d[0], rule.out(0)}, rule.in(0)));
    return absl::OkStatus();
  }
  // The Jacobian of the softmax is symmetric, so forward mode can use the gradient operation.
  absl::Status Jvp(ForwardRule& rule) const override {
    rule.made[0] = rule.Like(kSoftmaxGradient, {rule.d[0], rule.out(0)}, rule.out(0));
    return absl::OkStatus();
  }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const std::vector<T>& x = e.values[node.inputs[0]];
    const int64_t classes = e.Channels(node.inputs[0]);
    std::vector<T> y;
    for (size_t row = 0; row < x.size(); row += classes) {
      for (const T& p : Probabilities(std::vector<T>(x.begin() + row, x.begin() + row + classes)))
        y.push_back(p);
    }
    e.values[node.outputs[0]] = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      const Buffer x = buffer(node.inputs[0]);
      tensor::SoftmaxRows(x.shape[0], x.shape[1], x.as<float>(),
                          buffer(node.outputs[0]).as<float>());
    };
  }
};

class SoftmaxGradientOperation : public OperationWithKernel<SoftmaxGradientOperation> {
 public:
  const char* name() const override { return "softmax_gradient"; }
  bool occurs_in_inference() const override { return false; }
  absl::Status Vjp(ReverseRule& rule) const override {
    const TensorId g = rule.in(0), y = rule.in(1);
    RuleBuilder rules(rule.graph, rule.node.name);
    if (rule.Needs(g)) rule.Contribute(g, rule.Like(kSoftmaxGradient, {rule.d[0], y}, g));
    if (rule.Needs(y)) rule.Contribute(y, GradientByOutput(rules, rule.node, rule.d[0], true));
    return rules.status();
  }
  absl::Status Jvp(ForwardRule& rule) const override {
    RuleBuilder rules(rule.graph, rule.node.name);
    std::vector<TensorId> terms;
    if (rule.d[0] != kNoTensor)
      terms.push_back(rule.Like(kSoftmaxGradient, {rule.d[0], rule.in(1)}, rule.out(0)));
    if (rule.d[1] != kNoTensor)
      terms.push_back(GradientByOutput(rules, rule.node, rule.d[1], false));
    rule.made[0] = rules.Add(std::move(terms));
    return rules.status();
  }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const std::vector<T>&dy = e.values[node.inputs[0]], &y = e.values[node.inputs[1]];
    const int64_t classes = e.Channels(node.inputs[0]);
    std::vector<T> dx;
    for (size_t row = 0; row < y.size(); row += classes) {
      T dot(0.0);
      for (int64_t k = 0; k < classes; ++k) dot = dot + dy[row + k] * y[row + k];
      for (int64_t k = 0; k < classes; ++k) dx.push_back(y[row + k] * (dy[row + k] - dot));
    }
    e.values[node.outputs[0]] = std::move(dx);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      const Buffer y = buffer(node.inputs[1]);
      tensor::SoftmaxRowsGradient(y.shape[0], y.shape[1], buffer(node.inputs[0]).as<float>(),
                                  y.as<float>(), buffer(node.outputs[0]).as<float>());
    };
  }
};

const SoftmaxOperation softmax;
const SoftmaxGradientOperation softmax_gradient;

}  // namespace

const Op kSoftmax = &softmax, kSoftmaxGradient = &softmax_gradient;

double LogSumExp(const float* x, int64_t count) {
  double largest = x[0];
  for (int64_t k = 1; k < count; ++k) largest = std::max<double>(largest, x[k]);
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += std::exp(x[k] - largest);
  return largest + std::log(sum);
}

absl::StatusOr<TensorId> Softmax(Graph& graph, absl::string_view name, TensorId x) {
  if (graph.shape(x).rank() != 2)
    return Invalid(name,
                   absl::StrCat("needs [batch, classes], as a linear layer gives; its input '",
                                graph.tensor(x).name, "' has shape ", graph.shape(x).ToString()));
  return graph.AddNode(kSoftmax, name, {x}, {}, graph.shape(x));
}

// ---- The layer of layers/network/network.proto that is built from Softmax() ----

namespace {

absl::StatusOr<Value> SoftmaxLayer(const Layer&, LayerBuilder& b) {
  ASSIGN_OR_RETURN(const TensorId flat, b.Flat(b.input()));
  return b.Made(Softmax(b.graph(), b.name(), flat));
}

const RegisterLayer softmax_layer(Layer::kSoftmax, SoftmaxLayer, {.aliases = {"LogSoftmax"}});

}  // namespace
}  // namespace cotangent::layers
