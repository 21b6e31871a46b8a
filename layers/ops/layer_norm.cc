// Layer normalisation and its gradient (see layer_norm.h). In the formulas, y is the result, and g
// or dy is the cotangent of y.

#include "layers/ops/layer_norm.h"

#include <cmath>
#include <utility>
#include <vector>

#include "base/parallel.h"
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/group_norm.h"
#include "layers/ops/layer.h"
#include "layers/ops/rules.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

extern const Op kLayerNorm, kLayerNormGradient;

// Adds the operations that compute J t and returns J t, where J is the Jacobian of the gradient
// operation's result dx with respect to its operand y; if `adjoint`, uses the transpose of J. With
// r the inverse deviation and M the mean over an image:
//   dx = r (g - M(g) - y M(g y))           J t = -r (t M(g y) + y M(g t))
// The transpose has g and y exchanged in the last term.
TensorId GradientByOutput(RuleBuilder& rules, const Node& node, TensorId t, bool adjoint) {
  const TensorId g = node.inputs[0], y = node.inputs[1];
  const TensorId inner = adjoint ? y : g, outer = adjoint ? g : y;
  PerImage image(rules, rules.graph().shape(y));
  const Expr a0 = rules.a(0), a1 = rules.a(1), a2 = rules.a(2), a3 = rules.a(3), a4 = rules.a(4);
  const TensorId along_y = image.Sum(a0 * a1, {g, y}), along_t = image.Sum(a0 * a1, {inner, t});
  return image.Map(-a4 * (a0 * a1 + a2 * a3) / image.count(),
                   {t, along_y, outer, along_t, node.inputs[2]});
}

// Computes y = (x - mean) * inverse_deviation. For each image, `mean` and `inverse_deviation` = 1 /
// sqrt(variance + epsilon) are taken over all axes but the first, and written to mean[n] and
// inverse_deviation[n], n being the number of the image, from 0.
void LayerNormForward(double epsilon, const Buffer& x, const Buffer& y, float* mean,
                      float* inverse_deviation) {
  const int64_t count = ElementsPerImage(x);
  WithElementType(x, [&]<typename T>(T*) {
    ParallelRanges(x.shape[0], LeastItems(count), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* in = x.as<T>() + n * count;
        T* out = y.as<T>() + n * count;
        double sum = 0, squares = 0;
        for (int64_t i = 0; i < count; ++i) sum += static_cast<float>(in[i]);
        const double m = sum / count;
        for (int64_t i = 0; i < count; ++i)
          squares += (static_cast<float>(in[i]) - m) * (static_cast<float>(in[i]) - m);
        const double inverse = 1 / std::sqrt(squares / count + epsilon);
        mean[n] = static_cast<float>(m);
        inverse_deviation[n] = static_cast<float>(inverse);
        for (int64_t i = 0; i < count; ++i)
          out[i] = static_cast<T>(static_cast<float>((static_cast<float>(in[i]) - m) * inverse));
      }
    });
  });
}

// Computes dx = inverse_deviation * (dy - mean(dy) - y mean(dy y)) with means over each image.
void LayerNormBackward(const Buffer& dy, const Buffer& y, const float* inverse_deviation,
                       const Buffer& dx) {
  const int64_t count = ElementsPerImage(y);
  WithElementType(y, [&]<typename T>(T*) {
    ParallelRanges(y.shape[0], LeastItems(count), [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const T* g = dy.as<T>() + n * count;
        const T* out = y.as<T>() + n * count;
        double sum = 0, product = 0;
        for (int64_t i = 0; i < count; ++i) {
          sum += static_cast<float>(g[i]);
          product += static_cast<double>(static_cast<float>(g[i])) * static_cast<float>(out[i]);
        }
        const float mean = static_cast<float>(sum / count),
                    slope = static_cast<float>(product / count), inverse = inverse_deviation[n];
        T* to = dx.as<T>() + n * count;
        for (int64_t i = 0; i < count; ++i)
          to[i] = static_cast<T>(
              inverse * (static_cast<float>(g[i]) - mean - static_cast<float>(out[i]) * slope));
      }
    });
  });
}

// Computes x -> y, mean [N], inverse deviation [N], without scale and shift, for N images. The
// attribute of its nodes is epsilon, a double.
class LayerNormOperation : public OperationWithKernel<LayerNormOperation> {
 public:
  const char* name() const override { return "layer_norm"; }

  // Adds the gradient by x from the cotangents of all three outputs: dx = r (dy - M(dy) - y M(dy
  // y)) + d_mean / K - r^2 y d_r / K. Here r is the inverse deviation, d_mean and d_r are the
  // cotangents of mean and r, M is the mean over an image and K the number of elements of an image.
  absl::Status Vjp(ReverseRule& rule) const override {
    const Node& node = rule.node;
    const TensorId x = node.inputs[0], y = node.outputs[0], inverse = node.outputs[2];
    const Shape shape = rule.shape(x);
    RuleBuilder rules(rule.graph, node.name);
    PerImage image(rules, shape);
    if (rule.d[0] != kNoTensor)
      rule.Contribute(x, rule.Like(kLayerNormGradient, {rule.d[0], y, inverse}, x));
    if (rule.d[1] != kNoTensor)
      rule.Contribute(x, image.Map(rules.a(0) / image.count(), {rule.d[1]}));
    if (rule.d[2] != kNoTensor)
      rule.Contribute(x,
                      image.Map(-rules.a(0) * rules.a(1) * rules.a(1) * rules.a(2) / image.count(),
                                {y, inverse, rule.d[2]}));
    return rules.status();
  }

  // A prime denotes a tangent; r is the inverse deviation and M the mean over an image. Then y' = r
  // (x' - M(x') - y M(y x')), mean' = M(x'), r' = -r^2 M(y x'). The Jacobian of y is symmetric, so
  // y' is computed by the gradient operation.
  absl::Status Jvp(ForwardRule& rule) const override {
    const Node& node = rule.node;
    RuleBuilder rules(rule.graph, node.name);
    const TensorId y = node.outputs[0], mean = node.outputs[1], inverse = node.outputs[2],
                   dx = rule.d[0];
    const Shape shape = rule.shape(y), batch = rule.shape(mean);
    PerImage image(rules, shape);
    if (rule.wanted[0])
      rule.made[0] = rules.Like(kLayerNormGradient, node, {dx, y, inverse}, shape);
    if (rule.wanted[1])
      rule.made[1] =
          rules.Elementwise(rules.a(0) / image.count(), {image.Sum(rules.a(0), {dx})}, batch);
    if (!rule.wanted[2]) return rules.status();
    const TensorId along = image.Sum(rules.a(0) * rules.a(1), {y, dx});
    rule.made[2] = rules.Elementwise(-rules.a(0) * rules.a(0) * rules.a(1) / image.count(),
                                     {inverse, along}, batch);
    return rules.status();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    using namespace autodiff::functions;  // NOLINT: sqrt() for T = double
    const std::vector<T>& x = e.values[node.inputs[0]];
    const int64_t batch = e.shape(node.inputs[0])[0],
                  count = static_cast<int64_t>(x.size()) / batch;
    std::vector<T> y, means, inverses;
    for (int64_t n = 0; n < batch; ++n) {
      T mean(0.0), variance(0.0);
      for (int64_t i = n * count; i < (n + 1) * count; ++i) mean = mean + x[i] * T(1.0 / count);
      for (int64_t i = n * count; i < (n + 1) * count; ++i)
        variance = variance + (x[i] - mean) * (x[i] - mean) * T(1.0 / count);
      const T inverse = T(1.0) / sqrt(variance + T(node.as<double>()));
      for (int64_t i = n * count; i < (n + 1) * count; ++i) y.push_back((x[i] - mean) * inverse);
      means.push_back(mean);
      inverses.push_back(inverse);
    }
    e.values[node.outputs[0]] = std::move(y);
    e.values[node.outputs[1]] = std::move(means);
    e.values[node.outputs[2]] = std::move(inverses);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      LayerNormForward(node.as<double>(), buffer(node.inputs[0]), buffer(node.outputs[0]),
                       buffer(node.outputs[1]).as<float>(), buffer(node.outputs[2]).as<float>());
    };
  }
};

// Computes the gradient by x: dy, y, inverse deviation -> dx.
class LayerNormGradientOperation : public OperationWithKernel<LayerNormGradientOperation> {
 public:
  const char* name() const override { return "layer_norm_gradient"; }

  absl::Status Vjp(ReverseRule& rule) const override {
    const Node& node = rule.node;
    const TensorId g = node.inputs[0], y = node.inputs[1], inverse = node.inputs[2],
                   dx = node.outputs[0];
    RuleBuilder rules(rule.graph, node.name);
    // The operation is linear and symmetric in g, so for this input it is its own adjoint.
    if (rule.Needs(g))
      rule.Contribute(g, rule.Like(kLayerNormGradient, {rule.d[0], y, inverse}, g));
    if (rule.Needs(y)) rule.Contribute(y, GradientByOutput(rules, node, rule.d[0], true));
    if (rule.Needs(inverse)) {
      const TensorId along =
          PerImage(rules, rule.shape(y)).Sum(rules.a(0) * rules.a(1), {dx, rule.d[0]});
      rule.Contribute(inverse, rules.Elementwise(rules.a(0) / rules.a(1), {along, inverse},
                                                 Shape(rule.shape(inverse))));
    }
    return rules.status();
  }

  absl::Status Jvp(ForwardRule& rule) const override {
    const Node& node = rule.node;
    RuleBuilder rules(rule.graph, node.name);
    const TensorId g = rule.d[0], y = rule.d[1], r = rule.d[2], dx = node.outputs[0];
    const Shape shape = rule.shape(dx);
    std::vector<TensorId> terms;
    if (g != kNoTensor)
      terms.push_back(
          rules.Like(kLayerNormGradient, node, {g, node.inputs[1], node.inputs[2]}, shape));
    if (y != kNoTensor) terms.push_back(GradientByOutput(rules, node, y, false));
    if (r != kNoTensor)
      terms.push_back(PerImage(rules, shape)
                          .Map(rules.a(0) * rules.a(1) / rules.a(2), {dx, r, node.inputs[2]}));
    rule.made[0] = rules.Add(std::move(terms));
    return rules.status();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const std::vector<T>&dy = e.values[node.inputs[0]], &y = e.values[node.inputs[1]],
          &inverse = e.values[node.inputs[2]];
    const int64_t count = static_cast<int64_t>(y.size() / inverse.size());
    std::vector<T> dx;
    for (size_t n = 0; n < inverse.size(); ++n) {
      T mean(0.0), slope(0.0);
      for (int64_t i = n * count; i < static_cast<int64_t>(n + 1) * count; ++i) {
        mean = mean + dy[i] * T(1.0 / count);
        slope = slope + dy[i] * y[i] * T(1.0 / count);
      }
      for (int64_t i = n * count; i < static_cast<int64_t>(n + 1) * count; ++i)
        dx.push_back(inverse[n] * (dy[i] - mean - y[i] * slope));
    }
    e.values[node.outputs[0]] = std::move(dx);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      LayerNormBackward(buffer(node.inputs[0]), buffer(node.inputs[1]),
                        buffer(node.inputs[2]).as<float>(), buffer(node.outputs[0]));
    };
  }
};

const LayerNormOperation layer_norm;
const LayerNormGradientOperation layer_norm_gradient;
const Op kLayerNorm = &layer_norm, kLayerNormGradient = &layer_norm_gradient;

}  // namespace

absl::StatusOr<TensorId> LayerNorm(Graph& graph, absl::string_view name, TensorId x,
                                   double epsilon) {
  if (graph.shape(x).rank() < 2) return Invalid(name, "needs a batch axis");
  const Shape in = graph.shape(x), batch = {in[0]};
  return graph.AddNode(kLayerNorm, name, {x}, epsilon,
                       {{"", in}, {".mean", batch}, {".inverse_deviation", batch}})[0];
}

// ---- The layer of layers/network/network.proto that is built from LayerNorm() or PixelNorm() ----

namespace {

absl::StatusOr<Value> LayerNormLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.layer_norm();
  const std::string& name = b.name();
  const Value& input = b.input();
  ASSIGN_OR_RETURN(const TensorId x, b.Flat(input));
  std::pair<TensorId, TensorId> parameters;
  ASSIGN_OR_RETURN(parameters, b.ScaleAndShift(text, b.graph().shape(x)[1]));
  const bool by_pixel = text.axes() == Layer::LayerNorm::CHANNELS;
  if (by_pixel) {
    RETURN_IF_ERROR(b.NeedImage(input));
  }
  ASSIGN_OR_RETURN(const TensorId y, by_pixel ? PixelNorm(b.graph(), name, x, text.epsilon())
                                              : LayerNorm(b.graph(), name, x, text.epsilon()));
  return b.Made(ScaledAndShifted(b.graph(), name, y, parameters));
}

const RegisterLayer layer_norm_layer(Layer::kLayerNorm, LayerNormLayer);

}  // namespace
}  // namespace cotangent::layers
