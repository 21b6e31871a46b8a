// Average pooling and its adjoint. A "fine" tensor has the resolution before pooling, a "coarse"
// tensor the resolution after it.

#include "layers/ops/average_pool.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/ops/checks.h"
#include "layers/ops/layer.h"
#include "layers/ops/pool_window.h"
#include "layers/ops/resample.h"
#include "layers/plan/kernel.h"
#include "layers/plan/pass_context.h"
#include "tensor/pool.h"
#include "tensor/reference.h"

namespace cotangent::layers {
namespace {

extern const Op kAveragePool, kAverageUnpool;

// Calls visit(index in `fine`, index in the pooled tensor, share) for every element of `fine` in
// every window; the indices are row-major, from 0, and `share` is the element's weight in the
// window's mean. Padding is not visited.
template <class T, class Visit>
void ForEachAveraged(const Node& node, const Evaluation<T>& e, TensorId fine, Visit visit) {
  const tensor::PoolShape pool = PoolShapeOf(node.as<PoolWindow>(), e.shape(fine));
  std::vector<int64_t> true_pixels(pool.out().NumElements(), 0);
  tensor::reference::ForEachWindowPixel(pool, [&](int64_t, int64_t o, bool) { ++true_pixels[o]; });
  const int64_t cells = pool.window_height * pool.window_width;
  tensor::reference::ForEachWindowPixel(pool, [&](int64_t i, int64_t o, bool) {
    visit(i, o,
          1.0 / static_cast<double>(node.as<PoolWindow>().count_padding ? cells : true_pixels[o]));
  });
}

absl::StatusOr<tensor::PoolShape> Validated(const KernelContext& kernel, TensorId fine) {
  const tensor::PoolShape shape =
      PoolShapeOf(kernel.node.as<PoolWindow>(), kernel.graph.shape(fine));
  if (absl::Status status = shape.Validate(); !status.ok())
    return Invalid(kernel.node.name, status.message());
  return shape;
}

class AveragePoolOperation : public LinearWithAdjoint<OperationWithKernel<AveragePoolOperation>> {
 public:
  const char* name() const override { return "average_pool"; }
  bool is_cheap() const override { return true; }
  Op adjoint() const override { return kAverageUnpool; }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> y = e.Zeros(node.outputs[0]);
    ForEachAveraged(node, e, node.inputs[0], [&](int64_t fine, int64_t coarse, double share) {
      y[coarse] = y[coarse] + T(share) * e.in(node, 0)[fine];
    });
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    ASSIGN_OR_RETURN(const tensor::PoolShape shape, Validated(kernel, kernel.node.inputs[0]));
    return [shape, buffer = kernel.buffer, node = kernel.node, type = kernel.precision](int64_t) {
      (void)tensor::AveragePoolForward(shape, node.as<PoolWindow>().count_padding,
                                       tensor::Layout::kNhwc, type, buffer(node.inputs[0]).data,
                                       buffer(node.outputs[0]).data);
    };
  }
};

// The adjoint of average pooling. For global pooling the adjoint broadcasts one value per image and
// channel, divided by the number of pixels, to all pixels, which a fused pass (one loop over memory
// that computes several operations, layers/plan/fusion.h) can do; for any other pooling it has a
// kernel.
class AverageUnpoolOperation : public LinearWithAdjoint<OperationOf<AverageUnpoolOperation>> {
 public:
  const char* name() const override { return "average_unpool"; }
  bool is_cheap() const override { return true; }
  Op adjoint() const override { return kAveragePool; }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> dx = e.Zeros(node.outputs[0]);
    ForEachAveraged(node, e, node.outputs[0], [&](int64_t fine, int64_t coarse, double share) {
      dx[fine] = dx[fine] + T(share) * e.in(node, 0)[coarse];
    });
    e.out(node, 0) = std::move(dx);
    return absl::OkStatus();
  }

  PassRole Role(const Graph& graph, const Node& node) const override {
    const Shape& fine = graph.shape(node.outputs[0]);
    const PoolWindow& window = node.as<PoolWindow>();
    const bool is_global = window.height == fine[2] && window.width == fine[3] &&
                           window.padding.top == 0 && window.padding.left == 0 &&
                           window.padding.bottom == 0 && window.padding.right == 0;
    return {.kind = is_global ? PassRole::kSpread : PassRole::kNone};
  }
  absl::StatusOr<int> Emit(PassContext& pass, const Node& node, int, int) const override {
    const double cells =
        static_cast<double>(node.as<PoolWindow>().height * node.as<PoolWindow>().width);
    return pass.program.Mul(pass.LoadSpread(node.inputs[0]),
                            pass.program.Constant(static_cast<float>(1 / cells)));
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    ASSIGN_OR_RETURN(const tensor::PoolShape shape, Validated(kernel, kernel.node.outputs[0]));
    return [shape, buffer = kernel.buffer, node = kernel.node, type = kernel.precision](int64_t) {
      (void)tensor::AveragePoolBackward(shape, node.as<PoolWindow>().count_padding,
                                        tensor::Layout::kNhwc, type, buffer(node.inputs[0]).data,
                                        buffer(node.outputs[0]).data);
    };
  }
};

const AveragePoolOperation average_pool;
const AverageUnpoolOperation average_unpool;
const Op kAveragePool = &average_pool, kAverageUnpool = &average_unpool;

}  // namespace

absl::StatusOr<TensorId> AveragePool(Graph& graph, absl::string_view name, TensorId x,
                                     const PoolWindow& window) {
  ASSIGN_OR_RETURN(Shape out, PooledShape(graph, name, x, window));
  if (IsIdentity(graph.shape(x), out, window)) return x;
  return graph.AddNode(kAveragePool, name, {x}, window, out);
}

absl::StatusOr<TensorId> GlobalAveragePool(Graph& graph, absl::string_view name, TensorId x) {
  RETURN_IF_ERROR(NeedsImages(graph, name, x));
  const int64_t height = graph.shape(x).height(), width = graph.shape(x).width();
  return AveragePool(graph, name, x, {height, width, height, width, {}, true});
}

absl::StatusOr<TensorId> SpreadEvenly(Graph& graph, absl::string_view name, TensorId x,
                                      int64_t height, int64_t width) {
  RETURN_IF_ERROR(NeedsImages(graph, name, x));
  const Shape in = graph.shape(x);
  if (in.height() != 1 || in.width() != 1 || height < 1 || width < 1)
    return Invalid(
        name, absl::StrCat("only one pixel is spread over others; found shape ", in.ToString()));
  if (height == 1 && width == 1) return x;
  return graph.AddNode(kAverageUnpool, name, {x},
                       PoolWindow{height, width, height, width, {}, true},
                       Shape({in[0], in[1], height, width}));
}

// ---- The layers of layers/network/network.proto that are built from the operations above ----

namespace {

absl::StatusOr<Value> AveragePoolLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.average_pool();
  const std::string& name = b.name();
  const Value& input = b.input();
  ASSIGN_OR_RETURN(LayerWindow of_layer, WindowOfPool(text, input, b));
  PoolWindow& window = of_layer.window;
  // With `ceil` the number of windows is rounded up, so the last window may reach beyond the image
  // and its padding; the mean must not count the part beyond. If it counts padding, the resampling
  // below leaves the part out; the kernels of average pooling count all of window.padding or none.
  const int64_t bottom = window.padding.bottom - of_layer.beyond_bottom,
                right = window.padding.right - of_layer.beyond_right;
  const bool reaches_beyond = of_layer.beyond_bottom > 0 || of_layer.beyond_right > 0;
  const bool pads = window.padding.top > 0 || window.padding.left > 0 || bottom > 0 || right > 0;
  window.count_padding = text.count_padding() && (pads || !reaches_beyond);
  if (reaches_beyond && window.count_padding) {
    const Shape in = b.shape(input);
    ASSIGN_OR_RETURN(const Shape out, PooledShape(b.graph(), name, input.id, window));
    return b.Made(Resample(b.graph(), name, input.id,
                           WindowWeights(in[2], out[2], window.height, window.stride_height,
                                         window.padding.top, bottom),
                           WindowWeights(in[3], out[3], window.width, window.stride_width,
                                         window.padding.left, right)));
  }
  return b.Made(AveragePool(b.graph(), name, input.id, window));
}

absl::StatusOr<Value> GlobalAveragePoolLayer(const Layer&, LayerBuilder& b) {
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  return b.Made(GlobalAveragePool(b.graph(), b.name(), b.input().id));
}

const RegisterLayer average_pool_layer(Layer::kAveragePool, AveragePoolLayer,
                                       {.aliases = {"AveragePooling", "AveragePooling2D", "AvgPool",
                                                    "AvgPool2d"},
                                        .field_aliases = {{"count_include_pad", "count_padding"}}});
const RegisterLayer global_average_pool_layer(Layer::kGlobalAveragePool, GlobalAveragePoolLayer,
                                              {.aliases = {"GAP", "GlobalAveragePooling",
                                                           "GlobalAveragePooling2D", "GlobalPool",
                                                           "Mean", "ReduceMean"}});

}  // namespace
}  // namespace cotangent::layers
