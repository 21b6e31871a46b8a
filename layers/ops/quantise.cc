#include "layers/ops/quantise.h"

#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/plan/pass_context.h"

namespace cotangent::layers {
namespace {

class QuantiseOperation : public OperationOfPasses<QuantiseOperation> {
 public:
  const char* name() const override { return "quantise"; }
  bool is_cheap() const override { return true; }
  PassRole Role(const Graph&, const Node&) const override { return {.kind = PassRole::kPointwise}; }
  Storage StorageOf(const Graph&, const Node& node, int) const override {
    return node.as<QuantiseAttributes>().is_signed ? Storage::kSignedBytes
                                                   : Storage::kUnsignedBytes;
  }
  absl::Status Vjp(ReverseRule&) const override { return absl::OkStatus(); }
  absl::Status Jvp(ForwardRule&) const override { return absl::OkStatus(); }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const auto& attributes = node.as<QuantiseAttributes>();
    const T low(attributes.is_signed ? -128.0 : 0.0), high(attributes.is_signed ? 127.0 : 255.0);
    auto& y = e.out(node, 0);
    y.clear();
    for (const T& x : e.in(node, 0)) {
      using autodiff::rint, autodiff::fmin, autodiff::fmax;
      y.push_back(fmin(fmax(rint(x / T(attributes.scale)), low), high));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<int> Emit(PassContext& pass, const Node& node, int, int cell) const override {
    ASSIGN_OR_RETURN(autodiff::codegen::Value x,
                     pass.ValueOf(node.inputs[0], pass.IsFine(node.outputs[0]) ? cell : -1));
    auto& p = pass.program;
    const auto& attributes = node.as<QuantiseAttributes>();
    const float low = attributes.is_signed ? -128 : 0, high = attributes.is_signed ? 127 : 255;
    const auto rounded = p.Round(p.Mul(x, p.Constant(1 / attributes.scale)));
    return p.Min(p.Max(rounded, p.Constant(low)), p.Constant(high));
  }
};

const QuantiseOperation quantise;

}  // namespace

const Op kQuantise = &quantise;

TensorId Quantise(Graph& graph, absl::string_view name, TensorId x,
                  const QuantiseAttributes& attributes) {
  return graph.AddNode(kQuantise, name, {x}, attributes, graph.shape(x));
}

}  // namespace cotangent::layers
