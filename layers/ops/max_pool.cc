// Max pooling, and the operations of its derivatives. A "fine" tensor has the resolution before
// pooling, a "coarse" tensor the resolution after it. A position is the row-major index, from 0, of
// the maximum within its window.

#include "layers/ops/max_pool.h"

#include <functional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "layers/ops/checks.h"
#include "layers/ops/layer.h"
#include "layers/ops/pool_window.h"
#include "layers/plan/kernel.h"
#include "layers/plan/pass_context.h"
#include "tensor/pool.h"
#include "tensor/reference.h"

namespace cotangent::layers {
namespace {

void Gather(const PoolWindow& window, const Buffer& x, const Buffer& position, const Buffer& y) {
  const int64_t channels = y.shape[1], height = Height(y), width = Width(y);
  WithElementType(x, [&]<typename T>(T*) {
    ParallelRanges(
        y.shape[0] * height * width, LeastItems(channels), [&](int64_t begin, int64_t end) {
          for (int64_t pixel = begin; pixel < end; ++pixel) {
            const int64_t n = pixel / (height * width), h = pixel / width % height,
                          w = pixel % width;
            for (int64_t c = 0; c < channels; ++c) {
              const int64_t at = pixel * channels + c;
              const int64_t cell = position.format.type == ElementType::kU8
                                       ? position.as<uint8_t>()[at]
                                       : position.as<int32_t>()[at];
              const int64_t from_h =
                  h * window.stride_height + cell / window.width - window.padding.top;
              const int64_t from_w =
                  w * window.stride_width + cell % window.width - window.padding.left;
              y.as<T>()[at] =
                  x.as<T>()[((n * Height(x) + from_h) * Width(x) + from_w) * channels + c];
            }
          }
        });
  });
}

// Calls visit(index in `fine`, index in the pooled tensor) for each element of the pooled tensor,
// with the element of `fine` that is the window's maximum. Indices are row-major, from 0.
template <class T, class Visit>
void ForEachMaximum(const Node& node, const Evaluation<T>& e, TensorId fine, TensorId position,
                    Visit visit) {
  const tensor::PoolShape pool = PoolShapeOf(node.as<PoolWindow>(), e.shape(fine));
  for (size_t o = 0; o < e.indices[position].size(); ++o) {
    const int64_t cell = e.indices[position][o], out_width = pool.out_width(),
                  out_height = pool.out_height(), coarse = static_cast<int64_t>(o);
    const int64_t image = coarse / (out_width * out_height);
    const int64_t in_y = coarse / out_width % out_height * pool.stride_height +
                         cell / pool.window_width - pool.pad_top;
    const int64_t in_x =
        coarse % out_width * pool.stride_width + cell % pool.window_width - pool.pad_left;
    visit((image * pool.in_height + in_y) * pool.in_width + in_x, coarse);
  }
}

// Base of max pooling, gather and unpool, whose attribute is the PoolWindow. If the windows tile
// the image (Tiles() in pool_window.h), these operations take part in fused passes (loops over
// memory that compute several operations, layers/plan/fusion.h); otherwise they have kernels of
// their own.
template <class Derived>
class WindowedOperation : public OperationOf<Derived> {
 public:
  PassRole Role(const Graph&, const Node& node) const final {
    const PoolWindow& window = node.as<PoolWindow>();
    if (!Tiles(window)) return {};
    const bool scatters = static_cast<const Derived*>(this)->scatters();
    return {.kind = PassRole::kPooling,
            .window = &window,
            .fine = scatters ? node.outputs[0] : node.inputs[0],
            .coarse = scatters ? node.inputs[0] : node.outputs[0]};
  }

 protected:
  // Returns the geometry of the pooling, or an error if the kernels do not support it.
  static absl::StatusOr<tensor::PoolShape> Validated(const KernelContext& kernel, TensorId fine) {
    const tensor::PoolShape shape =
        PoolShapeOf(kernel.node.as<PoolWindow>(), kernel.graph.shape(fine));
    if (absl::Status status = shape.Validate(); !status.ok())
      return Invalid(kernel.node.name, status.message());
    return shape;
  }
};

class MaxPoolOperation : public WindowedOperation<MaxPoolOperation> {
 public:
  const char* name() const override { return "max_pool"; }
  bool scatters() const { return false; }
  Storage StorageOf(const Graph&, const Node& node, int output) const override {
    if (output == 0) return Storage::kActivations;
    const PoolWindow& window = node.as<PoolWindow>();
    const bool small = tensor::PositionType(window.height, window.width) == ElementType::kU8;
    return small ? Storage::kSmallPositions : Storage::kLargePositions;
  }

  absl::Status Vjp(ReverseRule& rule) const override {
    if (rule.d[0] != kNoTensor)
      rule.Contribute(rule.in(0), rule.Like(kMaxUnpool, {rule.d[0], rule.out(1)}, rule.in(0)));
    return absl::OkStatus();
  }
  absl::Status Jvp(ForwardRule& rule) const override {
    rule.made[0] = rule.Like(kMaxPoolGather, {rule.d[0], rule.out(1)}, rule.out(0));
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const tensor::PoolShape pool = PoolShapeOf(node.as<PoolWindow>(), e.shape(node.inputs[0]));
    const std::vector<T>& x = e.values[node.inputs[0]];
    std::vector<T> y = e.Zeros(node.outputs[0]);
    std::vector<int64_t> position(y.size());
    tensor::reference::ForEachWindowPixel(pool, [&](int64_t i, int64_t o, bool first) {
      if (!first && !(y[o] < x[i])) return;
      const int64_t in_y = i / pool.in_width % pool.in_height, in_x = i % pool.in_width;
      const int64_t out_y = o / pool.out_width() % pool.out_height(), out_x = o % pool.out_width();
      y[o] = x[i];
      position[o] = (in_y + pool.pad_top - out_y * pool.stride_height) * pool.window_width + in_x +
                    pool.pad_left - out_x * pool.stride_width;
    });
    e.values[node.outputs[0]] = std::move(y);
    e.indices[node.outputs[1]] = std::move(position);
    return absl::OkStatus();
  }

  // Emits the code for the maximum of the window, or for the maximum's position if `output` is 1.
  // Among equal values the first in row-major order is the maximum.
  absl::StatusOr<int> Emit(PassContext& pass, const Node& node, int output, int) const override {
    const bool position = output == 1;
    autodiff::codegen::Value best = -1, place = pass.program.Constant(0);
    for (int cell = 0; cell < pass.cells(); ++cell) {
      ASSIGN_OR_RETURN(autodiff::codegen::Value value, pass.ValueOf(node.inputs[0], cell));
      if (cell == 0) {
        best = value;
        continue;
      }
      if (position) {
        const autodiff::codegen::Value better = pass.program.Less(best, value);
        place = pass.program.Select(better, pass.program.Constant(static_cast<float>(cell)), place);
      }
      best = pass.program.Max(best, value);
    }
    return position ? place : best;
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    ASSIGN_OR_RETURN(const tensor::PoolShape shape, Validated(kernel, kernel.node.inputs[0]));
    return [shape, buffer = kernel.buffer, node = kernel.node, type = kernel.precision](int64_t) {
      (void)tensor::MaxPoolForward(shape, tensor::Layout::kNhwc, type, buffer(node.inputs[0]).data,
                                   buffer(node.outputs[0]).data, buffer(node.outputs[1]).data);
    };
  }
};

class MaxPoolGatherOperation : public WindowedOperation<MaxPoolGatherOperation> {
 public:
  const char* name() const override { return "max_pool_gather"; }
  bool occurs_in_inference() const override { return false; }
  bool scatters() const { return false; }

  absl::Status Vjp(ReverseRule& rule) const override {
    rule.Contribute(rule.in(0), rule.Like(kMaxUnpool, {rule.d[0], rule.in(1)}, rule.in(0)));
    return absl::OkStatus();
  }
  absl::Status Jvp(ForwardRule& rule) const override {
    if (rule.d[0] != kNoTensor)
      rule.made[0] = rule.Like(kMaxPoolGather, {rule.d[0], rule.in(1)}, rule.out(0));
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> y = e.Zeros(node.outputs[0]);
    ForEachMaximum(node, e, node.inputs[0], node.inputs[1],
                   [&](int64_t fine, int64_t coarse) { y[coarse] = e.in(node, 0)[fine]; });
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }

  absl::StatusOr<int> Emit(PassContext& pass, const Node& node, int, int) const override {
    ASSIGN_OR_RETURN(autodiff::codegen::Value position, pass.ValueOf(node.inputs[1], -1));
    autodiff::codegen::Value result = pass.program.Constant(0);
    for (int cell = 0; cell < pass.cells(); ++cell) {
      ASSIGN_OR_RETURN(autodiff::codegen::Value value, pass.ValueOf(node.inputs[0], cell));
      result = pass.program.Select(
          pass.program.Equal(position, pass.program.Constant(static_cast<float>(cell))), value,
          result);
    }
    return result;
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    RETURN_IF_ERROR(Validated(kernel, kernel.node.inputs[0]).status());
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      Gather(node.as<PoolWindow>(), buffer(node.inputs[0]), buffer(node.inputs[1]),
             buffer(node.outputs[0]));
    };
  }
};

class MaxUnpoolOperation : public WindowedOperation<MaxUnpoolOperation> {
 public:
  const char* name() const override { return "max_unpool"; }
  bool occurs_in_inference() const override { return false; }
  bool scatters() const { return true; }

  absl::Status Vjp(ReverseRule& rule) const override {
    rule.Contribute(rule.in(0), rule.Like(kMaxPoolGather, {rule.d[0], rule.in(1)}, rule.in(0)));
    return absl::OkStatus();
  }
  absl::Status Jvp(ForwardRule& rule) const override {
    if (rule.d[0] != kNoTensor)
      rule.made[0] = rule.Like(kMaxUnpool, {rule.d[0], rule.in(1)}, rule.out(0));
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> dx = e.Zeros(node.outputs[0]);
    ForEachMaximum(node, e, node.outputs[0], node.inputs[1], [&](int64_t fine, int64_t coarse) {
      dx[fine] = dx[fine] + e.in(node, 0)[coarse];
    });
    e.out(node, 0) = std::move(dx);
    return absl::OkStatus();
  }

  absl::StatusOr<int> Emit(PassContext& pass, const Node& node, int, int cell) const override {
    if (pass.is_remainder()) return pass.program.Constant(0);
    ASSIGN_OR_RETURN(autodiff::codegen::Value gradient, pass.ValueOf(node.inputs[0], -1));
    ASSIGN_OR_RETURN(autodiff::codegen::Value position, pass.ValueOf(node.inputs[1], -1));
    return pass.program.Select(
        pass.program.Equal(position, pass.program.Constant(static_cast<float>(cell))), gradient,
        pass.program.Constant(0));
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    ASSIGN_OR_RETURN(const tensor::PoolShape shape, Validated(kernel, kernel.node.outputs[0]));
    return [shape, buffer = kernel.buffer, node = kernel.node, type = kernel.precision](int64_t) {
      (void)tensor::MaxPoolBackward(shape, tensor::Layout::kNhwc, type, buffer(node.inputs[0]).data,
                                    buffer(node.inputs[1]).data, buffer(node.outputs[0]).data);
    };
  }
};

const MaxPoolOperation max_pool;
const MaxPoolGatherOperation max_pool_gather;
const MaxUnpoolOperation max_unpool;

}  // namespace

const Op kMaxPool = &max_pool, kMaxPoolGather = &max_pool_gather, kMaxUnpool = &max_unpool;

absl::StatusOr<MaxPoolResult> MaxPool(Graph& graph, absl::string_view name, TensorId x,
                                      const PoolWindow& window) {
  ASSIGN_OR_RETURN(Shape out, PooledShape(graph, name, x, window));
  if (IsIdentity(graph.shape(x), out, window)) return MaxPoolResult{x, kNoTensor};
  const std::vector<TensorId> made =
      graph.AddNode(kMaxPool, name, {x}, window, {{"", out}, {".position", out}});
  return MaxPoolResult{made[0], made[1]};
}

// ---- The layers of layers/network/network.proto that are built from the operations above ----

namespace {

absl::StatusOr<Value> MaxPoolLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.max_pool();
  const std::string& name = b.name();
  const Value& input = b.input();
  ASSIGN_OR_RETURN(const LayerWindow of_layer, WindowOfPool(text, input, b));
  ASSIGN_OR_RETURN(const MaxPoolResult result, MaxPool(b.graph(), name, input.id, of_layer.window));
  return Value{result.value, false, ""};
}

absl::StatusOr<Value> GlobalMaxPoolLayer(const Layer&, LayerBuilder& b) {
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  const int64_t height = b.shape(b.input()).height(), width = b.shape(b.input()).width();
  const PoolWindow window = {height, width, height, width, {}, true};
  ASSIGN_OR_RETURN(const MaxPoolResult result, MaxPool(b.graph(), b.name(), b.input().id, window));
  return Value{result.value};
}

const RegisterLayer max_pool_layer(Layer::kMaxPool, MaxPoolLayer,
                                   {.aliases = {"MaxPooling", "MaxPooling2D", "Pool", "Pooling"}});
const RegisterLayer global_max_pool_layer(Layer::kGlobalMaxPool, GlobalMaxPoolLayer,
                                          {.aliases = {"GlobalMaxPooling", "GlobalMaxPooling2D"}});

}  // namespace
}  // namespace cotangent::layers
