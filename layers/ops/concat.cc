// Joins and slices channels (axis 1 of a tensor, or the only axis of a vector). A "part" is a
// tensor whose channels are some consecutive channels of a tensor called the "whole".

#include "layers/ops/concat.h"

#include <cstring>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/checks.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/layer.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

extern const Op kSlice, kUnslice;

// Returns the axis along which tensors are joined: axis 1, or the only axis of a vector.
int64_t AxisOf(const Shape& shape) { return shape.rank() == 1 ? 0 : 1; }
int64_t ChannelsOf(const Shape& shape) { return shape[static_cast<int>(AxisOf(shape))]; }

// Copies `count` channels of every pixel, from those of `from` beginning with from_channel to those
// of `to` beginning with to_channel (both from 0). Does nothing if source and target are the same
// memory, as when a part is stored inside the whole.
void CopyChannels(const Buffer& from, int64_t from_channel, const Buffer& to, int64_t to_channel,
                  int64_t count) {
  const int64_t size = Bytes(from.format.type);
  const char* const source = from.data + from_channel * size;
  char* const target = to.data + to_channel * size;
  if (source == target) return;
  if (from.shape.rank() == 1) {
    std::memcpy(target, source, count * size);
    return;
  }
  const int64_t pixels = from.shape[0] * Height(from) * Width(from);
  const int64_t from_stride = from.pixel_elements() * size, to_stride = to.pixel_elements() * size;
  ParallelRanges(pixels, LeastItems(count), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      std::memcpy(target + p * to_stride, source + p * from_stride, count * size);
    }
  });
}

// Calls visit(index in `whole`, index in `part`) with the row-major indices, from 0, of every
// element of `part`, whose channels are the channels of `whole` from number `begin` (from 0) on.
template <class T, class Visit>
void ForEachOfSlice(const Evaluation<T>& e, TensorId whole, TensorId part, int64_t begin,
                    Visit visit) {
  const bool is_vector = e.shape(part).rank() == 1;
  const int64_t pixels = is_vector ? 1 : e.Pixels(part), channels = ChannelsOf(e.shape(part));
  for (int64_t i = 0; i < e.Elements(part); ++i) {
    const int64_t n = i / (channels * pixels), channel = i / pixels % channels;
    visit((n * ChannelsOf(e.shape(whole)) + begin + channel) * pixels + i % pixels, i);
  }
}

class ConcatOperation : public OperationWithKernel<ConcatOperation> {
 public:
  const char* name() const override { return "concat"; }
  std::optional<std::string> Key(const Attributes&) const override { return ""; }
  bool is_cheap() const override { return true; }
  std::vector<ChannelView> Views(const Graph& graph, const Node& node) const override {
    std::vector<ChannelView> views;
    int64_t begin = 0;
    for (TensorId x : node.inputs) {
      views.push_back({x, node.outputs[0], begin});
      begin += ChannelsOf(graph.shape(x));
    }
    return views;
  }

  absl::Status Vjp(ReverseRule& rule) const override {
    int64_t begin = 0;
    for (TensorId x : rule.node.inputs) {
      const int64_t channels = ChannelsOf(rule.shape(x));
      if (rule.Needs(x)) {
        ASSIGN_OR_RETURN(TensorId dx,
                         Slice(rule.graph, rule.node.name, rule.d[0], begin, channels));
        rule.Contribute(x, dx);
      }
      begin += channels;
    }
    return absl::OkStatus();
  }
  absl::Status Jvp(ForwardRule& rule) const override {
    std::vector<TensorId> parts = rule.d;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (parts[i] == kNoTensor)
        parts[i] = Constant(rule.graph, 0, Shape(rule.shape(rule.node.inputs[i])));
    }
    rule.made[0] = rule.Like(kConcat, std::move(parts), rule.out(0));
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> y = e.Zeros(node.outputs[0]);
    int64_t begin = 0;
    for (TensorId x : node.inputs) {
      ForEachOfSlice(e, node.outputs[0], x, begin,
                     [&](int64_t whole, int64_t part) { y[whole] = e.values[x][part]; });
      begin += ChannelsOf(e.shape(x));
    }
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      int64_t channel = 0;
      for (TensorId t : node.inputs) {
        const Buffer from = buffer(t);
        CopyChannels(from, 0, buffer(node.outputs[0]), channel, ChannelsOf(from.shape));
        channel += ChannelsOf(from.shape);
      }
    };
  }
};

// The attribute of slice and unslice is the number (from 0) of the first channel of the slice, an
// int64_t.
class SliceOperation : public LinearWithAdjoint<OperationWithKernel<SliceOperation>> {
 public:
  const char* name() const override { return "slice"; }
  bool is_cheap() const override { return true; }
  std::vector<ChannelView> Views(const Graph&, const Node& node) const override {
    return {{node.outputs[0], node.inputs[0], node.as<int64_t>()}};
  }
  Op adjoint() const override { return kUnslice; }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> y = e.Zeros(node.outputs[0]);
    ForEachOfSlice(e, node.inputs[0], node.outputs[0], node.as<int64_t>(),
                   [&](int64_t whole, int64_t part) { y[part] = e.in(node, 0)[whole]; });
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      const Buffer y = buffer(node.outputs[0]);
      CopyChannels(buffer(node.inputs[0]), node.as<int64_t>(), y, 0, ChannelsOf(y.shape));
    };
  }
};

// The adjoint of slice: all channels outside the slice are zero.
class UnsliceOperation : public LinearWithAdjoint<OperationWithKernel<UnsliceOperation>> {
 public:
  const char* name() const override { return "unslice"; }
  bool occurs_in_inference() const override { return false; }
  Op adjoint() const override { return kSlice; }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    std::vector<T> y = e.Zeros(node.outputs[0]);
    ForEachOfSlice(e, node.outputs[0], node.inputs[0], node.as<int64_t>(),
                   [&](int64_t whole, int64_t part) { y[whole] = e.in(node, 0)[part]; });
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      const Buffer dy = buffer(node.inputs[0]), dx = buffer(node.outputs[0]);
      SetToZero(dx);
      CopyChannels(dy, 0, dx, node.as<int64_t>(), ChannelsOf(dy.shape));
    };
  }
};

const ConcatOperation concat;
const SliceOperation slice;
const UnsliceOperation unslice;
const Op kSlice = &slice, kUnslice = &unslice;

}  // namespace

const Op kConcat = &concat;

absl::StatusOr<TensorId> Concat(Graph& graph, absl::string_view name, std::vector<TensorId> xs) {
  if (xs.empty()) return Invalid(name, "concat needs at least one input");
  Shape out = graph.shape(xs[0]);
  if (out.rank() < 1) return Invalid(name, "concat joins channels; its inputs have none");
  const int axis = static_cast<int>(AxisOf(out));
  for (size_t i = 1; i < xs.size(); ++i) {
    Shape other = graph.shape(xs[i]);
    const int64_t channels = other.rank() == out.rank() ? other[axis] : 0;
    if (other.rank() == out.rank()) other[axis] = out[axis];
    if (other != out) {
      return Invalid(
          name,
          absl::StrCat("inputs '", graph.tensor(xs[0]).name, "' ", graph.shape(xs[0]).ToString(),
                       " and '", graph.tensor(xs[i]).name, "' ", graph.shape(xs[i]).ToString(),
                       " may differ only in their channels"));
    }
    out[axis] += channels;
  }
  return graph.AddNode(kConcat, name, std::move(xs), {}, out);
}

absl::StatusOr<TensorId> Slice(Graph& graph, absl::string_view name, TensorId x, int64_t begin,
                               int64_t size) {
  Shape out = graph.shape(x);
  if (out.rank() < 1 || begin < 0 || size < 1 || begin + size > ChannelsOf(out)) {
    return Invalid(name, absl::StrCat("channels ", begin, " to ", begin + size, " are not all in ",
                                      out.ToString()));
  }
  out[static_cast<int>(AxisOf(out))] = size;
  return graph.AddNode(kSlice, name, {x}, begin, out);
}

// ---- The layers of layers/network/network.proto that are built from the operations above ----

namespace {

absl::StatusOr<Value> ConcatLayer(const Layer&, LayerBuilder& b) {
  const std::vector<Value>& inputs = b.inputs();
  const std::string& name = b.name();
  RETURN_IF_ERROR(b.NeedSeveral());
  std::vector<TensorId> parts;
  std::string beyond_channels;
  int64_t channels = 0;
  for (const Value& input : inputs) {
    ASSIGN_OR_RETURN(const TensorId flat, b.Flat(input));
    const Shape& part = b.graph().shape(flat);
    const std::string rest = Shape(part.dims().subspan(2)).ToString();
    if (parts.empty()) beyond_channels = rest;
    if (rest != beyond_channels)
      return Error(absl::StrCat("its inputs differ in more than their channels: ", b.ListShapes(),
                                "; bring them to one height and width"));
    channels += part[1];
    parts.push_back(flat);
  }
  const Shape& first = b.graph().shape(parts[0]);
  RETURN_IF_ERROR(b.CheckResult({channels, first.NumElements() / first[0] / first[1]}));
  return b.Made(Concat(b.graph(), name, std::move(parts)));
}

absl::StatusOr<Value> SliceLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.slice();
  ASSIGN_OR_RETURN(const TensorId x, b.Flat(b.input()));
  const int64_t all = b.graph().shape(x)[1];
  RETURN_IF_ERROR(CheckSize("begin", text.begin(), 0, all - 1));
  const int64_t channels = text.has_channels() ? text.channels() : all - text.begin();
  RETURN_IF_ERROR(CheckSize("channels", channels, 1, kMostChannels));
  if (channels > all - text.begin())
    return Error(absl::StrCat("takes channels ", text.begin(), " to ", text.begin() + channels - 1,
                              ", but '", b.input().maker, "' gives ", b.Seen(b.input()),
                              "; expected channels: ", all - text.begin(), " or fewer"));
  if (channels == all) return b.input();
  return b.Made(Slice(b.graph(), b.name(), x, text.begin(), channels));
}

const RegisterLayer slice_layer(
    Layer::kSlice, SliceLayer,
    {.aliases = {"Chunk", "Narrow", "Split"},
     .field_aliases = {
         {"end", "channels"}, {"length", "channels"}, {"size", "channels"}, {"start", "begin"}}});
const RegisterLayer concat_layer(Layer::kConcat, ConcatLayer,
                                 {.reads_several = true,
                                  .aliases = {"cat", "Concatenate", "Concatenation"}});

}  // namespace
}  // namespace cotangent::layers
