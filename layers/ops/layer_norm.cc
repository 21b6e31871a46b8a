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
#include "tensor/row_norm.h"

namespace cotangent::layers {
namespace {

extern const Op kLayerNorm, kLayerNormGradient, kPixelRows, kPixelsOfRows;

// A tensor as the matrix whose rows are normalised: each row is an image or, with `by_pixel`, the
// channels of a pixel.
struct Rows {
  Rows(const Shape& shape, const LayerNormAttributes& attributes)
      : by_pixel(attributes.by_pixel),
        count(by_pixel ? shape[0] * shape[2] * shape[3] : shape[0]),
        columns(shape.NumElements() / count),
        pixels(by_pixel ? shape[2] * shape[3] : 1) {}

  // Returns the index of an element of the matrix in the tensor, [N, ...] in row-major order.
  int64_t At(int64_t row, int64_t column) const {
    return (row / pixels * columns + column) * pixels + row % pixels;
  }

  const bool by_pixel;
  const int64_t count, columns, pixels;  // `pixels` of an image; 1 unless by_pixel
};

// Copies an image [N, C, H, W] to the matrix of its pixels, [N H W, C], if `to_rows`; otherwise
// copies such a matrix to an image. Only second and higher derivatives need this.
template <bool to_rows>
class PixelRowsOperation
    : public LinearWithAdjoint<OperationWithKernel<PixelRowsOperation<to_rows>>> {
 public:
  const char* name() const override { return to_rows ? "pixel_rows" : "pixels_of_rows"; }
  bool occurs_in_inference() const override { return false; }
  Op adjoint() const override { return to_rows ? kPixelsOfRows : kPixelRows; }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const Rows rows(e.graph.shape(to_rows ? node.inputs[0] : node.outputs[0]), {.by_pixel = true});
    std::vector<T> y = e.Zeros(node.outputs[0]);
    for (int64_t r = 0; r < rows.count; ++r) {
      for (int64_t c = 0; c < rows.columns; ++c) {
        const int64_t at_image = rows.At(r, c), at_matrix = r * rows.columns + c;
        y[to_rows ? at_matrix : at_image] = e.in(node, 0)[to_rows ? at_image : at_matrix];
      }
    }
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      const Buffer from = buffer(node.inputs[0]), to = buffer(node.outputs[0]);
      WithElementType(from, [&]<typename From>(From*) {
        WithElementType(to, [&]<typename To>(To*) {
          ParallelRanges(from.shape.NumElements(), LeastItems(1), [&](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i)
              to.as<To>()[i] = static_cast<To>(static_cast<float>(from.as<From>()[i]));
          });
        });
      });
    };
  }
};

// Applies formulas to tensors of one shape and to vectors with one value for each row (Rows).
class PerRow {
 public:
  PerRow(RuleBuilder& rules, const Shape& shape, const LayerNormAttributes& attributes)
      : rules_(rules),
        shape_(shape),
        rows_(shape, attributes),
        matrix_(rows_.by_pixel ? Shape({rows_.count, rows_.columns}) : shape),
        image_(rules, matrix_) {}

  // Returns the sums of the formula over each row.
  TensorId Sum(const Expr& formula, std::vector<TensorId> operands) {
    return image_.Sum(formula, Matrices(std::move(operands)));
  }
  // Returns the formula applied at every element.
  TensorId Map(const Expr& formula, std::vector<TensorId> operands) {
    const TensorId made = image_.Map(formula, Matrices(std::move(operands)));
    return rows_.by_pixel ? Converted(kPixelsOfRows, made, shape_) : made;
  }
  // Returns the number of elements of a row.
  double count() const { return image_.count(); }

 private:
  std::vector<TensorId> Matrices(std::vector<TensorId> operands) {
    if (!rows_.by_pixel || !rules_.status().ok()) return operands;
    for (TensorId& t : operands) {
      if (rules_.graph().shape(t).rank() == 4) t = Converted(kPixelRows, t, matrix_);
    }
    return operands;
  }
  TensorId Converted(Op op, TensorId t, const Shape& shape) {
    if (!rules_.status().ok()) return kNoTensor;
    return rules_.graph().AddNode(op, rules_.name(), {t}, {}, Shape(shape));
  }

  RuleBuilder& rules_;
  const Shape shape_;
  const Rows rows_;
  const Shape matrix_;
  PerImage image_;
};

// Adds the operations that compute J t and returns J t, where J is the Jacobian of the gradient
// operation's result dx with respect to its operand y; if `adjoint`, uses the transpose of J. With
// r the inverse deviation, 1 / sqrt(variance + epsilon), and M the mean over a row:
//   dx = r (g - M(g) - y M(g y))           J t = -r (t M(g y) + y M(g t))
// The transpose has g and y exchanged in the last term.
TensorId GradientByOutput(RuleBuilder& rules, const Node& node, TensorId t, bool adjoint) {
  const TensorId g = node.inputs[0], y = node.inputs[1];
  const TensorId inner = adjoint ? y : g, outer = adjoint ? g : y;
  PerRow row(rules, rules.graph().shape(y), node.as<LayerNormAttributes>());
  const Expr a0 = rules.a(0), a1 = rules.a(1), a2 = rules.a(2), a3 = rules.a(3), a4 = rules.a(4);
  const TensorId along_y = row.Sum(a0 * a1, {g, y}), along_t = row.Sum(a0 * a1, {inner, t});
  return row.Map(-a4 * (a0 * a1 + a2 * a3) / row.count(),
                 {t, along_y, outer, along_t, node.inputs[2]});
}

// Computes x -> y and, for each row (see Rows), the mean and the inverse deviation 1 /
// sqrt(variance + epsilon), without scale and shift. The attributes of its nodes are
// LayerNormAttributes.
class LayerNormOperation : public OperationWithKernel<LayerNormOperation> {
 public:
  const char* name() const override { return "layer_norm"; }

  // Adds the gradient by x from the cotangents of all three outputs: dx = r (dy - M(dy) - y M(dy
  // y)) + d_mean / K - r^2 y d_r / K. Here r is the inverse deviation, d_mean and d_r are the
  // cotangents of mean and r, M is the mean over a row and K the number of elements of a row.
  absl::Status Vjp(ReverseRule& rule) const override {
    const Node& node = rule.node;
    const TensorId x = node.inputs[0], y = node.outputs[0], inverse = node.outputs[2];
    const Shape shape = rule.shape(x);
    RuleBuilder rules(rule.graph, node.name);
    PerRow row(rules, shape, node.as<LayerNormAttributes>());
    if (rule.d[0] != kNoTensor)
      rule.Contribute(x, rule.Like(kLayerNormGradient, {rule.d[0], y, inverse}, x));
    if (rule.d[1] != kNoTensor) rule.Contribute(x, row.Map(rules.a(0) / row.count(), {rule.d[1]}));
    if (rule.d[2] != kNoTensor)
      rule.Contribute(x, row.Map(-rules.a(0) * rules.a(1) * rules.a(1) * rules.a(2) / row.count(),
                                 {y, inverse, rule.d[2]}));
    return rules.status();
  }

  // A prime denotes a tangent; r is the inverse deviation and M the mean over a row. Then y' = r
  // (x' - M(x') - y M(y x')), mean' = M(x'), r' = -r^2 M(y x'). The Jacobian of y is symmetric, so
  // y' is computed by the gradient operation.
  absl::Status Jvp(ForwardRule& rule) const override {
    const Node& node = rule.node;
    RuleBuilder rules(rule.graph, node.name);
    const TensorId y = node.outputs[0], mean = node.outputs[1], inverse = node.outputs[2],
                   dx = rule.d[0];
    const Shape shape = rule.shape(y), batch = rule.shape(mean);
    PerRow row(rules, shape, node.as<LayerNormAttributes>());
    if (rule.wanted[0])
      rule.made[0] = rules.Like(kLayerNormGradient, node, {dx, y, inverse}, shape);
    if (rule.wanted[1])
      rule.made[1] =
          rules.Elementwise(rules.a(0) / row.count(), {row.Sum(rules.a(0), {dx})}, batch);
    if (!rule.wanted[2]) return rules.status();
    const TensorId along = row.Sum(rules.a(0) * rules.a(1), {y, dx});
    rule.made[2] = rules.Elementwise(-rules.a(0) * rules.a(0) * rules.a(1) / row.count(),
                                     {inverse, along}, batch);
    return rules.status();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    using namespace autodiff::functions;  // NOLINT: sqrt() for T = double
    const std::vector<T>& x = e.values[node.inputs[0]];
    const LayerNormAttributes& attributes = node.as<LayerNormAttributes>();
    const Rows rows(e.graph.shape(node.inputs[0]), attributes);
    const T share(1.0 / static_cast<double>(rows.columns));
    std::vector<T> y = e.Zeros(node.outputs[0]), means, inverses;
    for (int64_t r = 0; r < rows.count; ++r) {
      T mean(0.0), variance(0.0);
      for (int64_t c = 0; c < rows.columns; ++c) mean = mean + x[rows.At(r, c)] * share;
      for (int64_t c = 0; c < rows.columns; ++c)
        variance = variance + (x[rows.At(r, c)] - mean) * (x[rows.At(r, c)] - mean) * share;
      const T inverse = T(1.0) / sqrt(variance + T(attributes.epsilon));
      for (int64_t c = 0; c < rows.columns; ++c)
        y[rows.At(r, c)] = (x[rows.At(r, c)] - mean) * inverse;
      means.push_back(mean);
      inverses.push_back(inverse);
    }
    e.values[node.outputs[0]] = std::move(y);
    e.values[node.outputs[1]] = std::move(means);
    e.values[node.outputs[2]] = std::move(inverses);
    return absl::OkStatus();
  }

  // Images are in NHWC, so the channels of a pixel are one row in memory, as are all elements of an
  // image.
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    const LayerNormAttributes attributes = kernel.node.as<LayerNormAttributes>();
    const Rows rows(kernel.graph.shape(kernel.node.inputs[0]), attributes);
    return
        [rows, epsilon = attributes.epsilon, buffer = kernel.buffer, node = kernel.node](int64_t) {
          const Buffer x = buffer(node.inputs[0]);
          tensor::NormaliseRows(x.format.type, rows.count, rows.columns, epsilon, x.data,
                                buffer(node.outputs[0]).data, buffer(node.outputs[1]).as<float>(),
                                buffer(node.outputs[2]).as<float>());
        };
  }
};

// Computes the gradient by x: dy, y, inverse deviation -> dx.
class LayerNormGradientOperation : public OperationWithKernel<LayerNormGradientOperation> {
 public:
  const char* name() const override { return "layer_norm_gradient"; }
  bool occurs_in_inference() const override { return false; }

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
      const TensorId along = PerRow(rules, rule.shape(y), node.as<LayerNormAttributes>())
                                 .Sum(rules.a(0) * rules.a(1), {dx, rule.d[0]});
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
      terms.push_back(PerRow(rules, shape, node.as<LayerNormAttributes>())
                          .Map(rules.a(0) * rules.a(1) / rules.a(2), {dx, r, node.inputs[2]}));
    rule.made[0] = rules.Add(std::move(terms));
    return rules.status();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const std::vector<T>&dy = e.values[node.inputs[0]], &y = e.values[node.inputs[1]],
          &inverse = e.values[node.inputs[2]];
    const Rows rows(e.graph.shape(node.inputs[1]), node.as<LayerNormAttributes>());
    const T share(1.0 / static_cast<double>(rows.columns));
    std::vector<T> dx = e.Zeros(node.outputs[0]);
    for (int64_t r = 0; r < rows.count; ++r) {
      T mean(0.0), slope(0.0);
      for (int64_t c = 0; c < rows.columns; ++c) {
        const int64_t i = rows.At(r, c);
        mean = mean + dy[i] * share;
        slope = slope + dy[i] * y[i] * share;
      }
      for (int64_t c = 0; c < rows.columns; ++c) {
        const int64_t i = rows.At(r, c);
        dx[i] = inverse[r] * (dy[i] - mean - y[i] * slope);
      }
    }
    e.values[node.outputs[0]] = std::move(dx);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    const Rows rows(kernel.graph.shape(kernel.node.inputs[1]),
                    kernel.node.as<LayerNormAttributes>());
    return [rows, buffer = kernel.buffer, node = kernel.node](int64_t) {
      const Buffer y = buffer(node.inputs[1]);
      tensor::NormaliseRowsGradient(
          y.format.type, rows.count, rows.columns, buffer(node.inputs[0]).data, y.data,
          buffer(node.inputs[2]).as<float>(), buffer(node.outputs[0]).data);
    };
  }
};

const LayerNormOperation layer_norm;
const LayerNormGradientOperation layer_norm_gradient;
const PixelRowsOperation<true> pixel_rows;
const PixelRowsOperation<false> pixels_of_rows;
const Op kLayerNorm = &layer_norm, kLayerNormGradient = &layer_norm_gradient,
         kPixelRows = &pixel_rows, kPixelsOfRows = &pixels_of_rows;

absl::StatusOr<TensorId> Normalised(Graph& graph, absl::string_view name, TensorId x,
                                    const LayerNormAttributes& attributes) {
  const Shape in = graph.shape(x), vector = {Rows(in, attributes).count};
  return graph.AddNode(kLayerNorm, name, {x}, attributes,
                       {{"", in}, {".mean", vector}, {".inverse_deviation", vector}})[0];
}

}  // namespace

absl::StatusOr<TensorId> LayerNorm(Graph& graph, absl::string_view name, TensorId x,
                                   double epsilon) {
  if (graph.shape(x).rank() < 2) return Invalid(name, "needs a batch axis");
  return Normalised(graph, name, x, {epsilon});
}

absl::StatusOr<TensorId> PixelNorm(Graph& graph, absl::string_view name, TensorId x,
                                   double epsilon) {
  RETURN_IF_ERROR(NeedsImages(graph, name, x));
  return Normalised(graph, name, x, {epsilon, true});
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

const RegisterLayer layer_norm_layer(Layer::kLayerNorm, LayerNormLayer,
                                     {.aliases = {"LayerNormalization", "LN"}});

}  // namespace
}  // namespace cotangent::layers
