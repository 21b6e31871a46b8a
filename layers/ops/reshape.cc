// The operation that reshapes a tensor, and the layer `flatten`.

#include "layers/ops/reshape.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/layer.h"
#include "layers/plan/kernel.h"
#include "tensor/layout.h"

namespace cotangent::layers {
namespace {

// Returns whether reshaping a to b changes only the height and width of images: both have rank 4
// and the same numbers of images and channels.
bool KeepsPixels(const Shape& a, const Shape& b) {
  return a.rank() == 4 && b.rank() == 4 && a[0] == b[0] && a[1] == b[1];
}

class ReshapeOperation : public LinearWithAdjoint<OperationWithKernel<ReshapeOperation>> {
 public:
  const char* name() const override { return "reshape"; }
  Op adjoint() const override { return kReshape; }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> y = e.Zeros(node.outputs[0]);
    y = e.in(node, 0);
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    if (KeepsPixels(kernel.graph.shape(kernel.node.inputs[0]),
                    kernel.graph.shape(kernel.node.outputs[0]))) {
      return [buffer = kernel.buffer, node = kernel.node](int64_t) {
        const Buffer from = buffer(node.inputs[0]);
        const Buffer to = buffer(node.outputs[0]);
        tensor::Reorder(from.shape, from.data, from.format.layout, from.format.type, to.data,
                        to.format.layout, to.format.type);
      };
    }
    // A reshape keeps the elements in row-major order, so the copy goes through NCHW whatever
    // layouts the two tensors have.
    const int64_t count = kernel.graph.shape(kernel.node.inputs[0]).NumElements();
    return [buffer = kernel.buffer, node = kernel.node,
            plain = kernel.Temporary(count * static_cast<int64_t>(sizeof(float)))](int64_t) {
      const Buffer from = buffer(node.inputs[0]), to = buffer(node.outputs[0]);
      const Format row_major{tensor::Layout::kNchw, ElementType::kF32};
      tensor::Reorder(AsImage(from.shape), from.data, from.format.layout, from.format.type, plain(),
                      row_major.layout, row_major.type);
      tensor::Reorder(AsImage(to.shape), plain(), row_major.layout, row_major.type, to.data,
                      to.format.layout, to.format.type);
    };
  }
};

const ReshapeOperation reshape;

}  // namespace

const Op kReshape = &reshape;

absl::StatusOr<TensorId> Reshape(Graph& graph, absl::string_view name, TensorId x, Shape to) {
  if (graph.shape(x) == to) return x;
  if (graph.shape(x).NumElements() != to.NumElements()) {
    return Invalid(name, absl::StrCat("cannot reshape ", graph.shape(x).ToString(), " to ",
                                      to.ToString(), ": the number of elements differs"));
  }
  return graph.AddNode(kReshape, name, {x}, {}, std::move(to));
}

// ---- The layer of layers/network/network.proto that marks an image as flattened ----

namespace {

absl::StatusOr<Value> FlattenLayer(const Layer&, LayerBuilder& b) {
  const Value& x = b.input();
  return Value{x.id, x.is_flattened || b.shape(x).rank() == 4};
}

const RegisterLayer flatten_layer(Layer::kFlatten, FlattenLayer, {.aliases = {"Reshape", "view"}});

}  // namespace
}  // namespace cotangent::layers
