// Channel shuffle: Zhang et al., "ShuffleNet: an extremely efficient convolutional neural network
// for mobile devices" (2018). The channels are written row by row into a matrix with `groups` rows
// and read column by column.

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "layers/graph/operation.h"
#include "layers/ops/layer.h"
#include "layers/plan/kernel.h"

namespace cotangent::layers {
namespace {

extern const Op kChannelShuffle;

// Returns the number (from 0) of the channel of the input that becomes channel c of the result.
int64_t SourceOf(int64_t c, int64_t groups, int64_t channels) {
  return c % groups * (channels / groups) + c / groups;
}

// Permutes the channels. The attribute of its nodes is the number of groups, an int64_t. The
// inverse of the permutation, which is also its adjoint, is the same operation with channels /
// groups as the number of groups.
class ChannelShuffleOperation
    : public LinearOperation<OperationWithKernel<ChannelShuffleOperation>> {
 public:
  const char* name() const override { return "channel_shuffle"; }
  bool is_cheap() const override { return true; }

  absl::Status Vjp(ReverseRule& rule) const override {
    const Shape shape = rule.shape(rule.in(0));
    rule.Contribute(rule.in(0), rule.graph.AddNode(kChannelShuffle, rule.node.name, {rule.d[0]},
                                                   shape[1] / rule.node.as<int64_t>(), shape));
    return absl::OkStatus();
  }

  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const TensorId x = node.inputs[0];
    const int64_t channels = e.Channels(x), pixels = e.Pixels(x);
    std::vector<T> y;
    for (int64_t i = 0; i < e.Elements(x); ++i) {
      const int64_t c = i / pixels % channels;
      y.push_back(e.values[x][i + (SourceOf(c, node.as<int64_t>(), channels) - c) * pixels]);
    }
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }

  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return [buffer = kernel.buffer, node = kernel.node](int64_t) {
      Shuffle(node.as<int64_t>(), buffer(node.inputs[0]), buffer(node.outputs[0]));
    };
  }

 private:
  static void Shuffle(int64_t groups, const Buffer& x, const Buffer& y) {
    const int64_t channels = x.shape[1], rows = x.shape.NumElements() / channels;
    WithElementType(x, [&]<typename T>(T*) {
      ParallelRanges(rows, LeastItems(channels), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
          const T* in = x.as<T>() + row * channels;
          T* out = y.as<T>() + row * channels;
          for (int64_t i = 0; i < channels / groups; ++i) {
            for (int64_t g = 0; g < groups; ++g)
              out[i * groups + g] = in[g * (channels / groups) + i];
          }
        }
      });
    });
  }
};

const ChannelShuffleOperation channel_shuffle;
const Op kChannelShuffle = &channel_shuffle;

absl::StatusOr<Value> ChannelShuffleLayer(const Layer& layer, LayerBuilder& b) {
  const int64_t groups = layer.channel_shuffle().groups();
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  const Shape shape = b.shape(b.input());
  if (!layer.channel_shuffle().has_groups())
    return Error("has no groups; expected a number of them, such as groups: 2");
  RETURN_IF_ERROR(CheckSize("groups", groups, 1, kMostChannels));
  if (shape[1] % groups != 0)
    return Error(absl::StrCat("groups is ", groups, ", which does not divide the ", shape[1],
                              " channels of '", b.input().maker, "'; expected a divisor of ",
                              shape[1]));
  return Value{b.graph().AddNode(kChannelShuffle, b.name(), {b.input().id}, groups, shape)};
}

const RegisterLayer channel_shuffle_layer(Layer::kChannelShuffle, ChannelShuffleLayer,
                                          {.aliases = {"PermuteChannels", "Shuffle"}});

}  // namespace
}  // namespace cotangent::layers
