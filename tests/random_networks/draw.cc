#include "tests/random_networks/draw.h"

#include <algorithm>
#include <initializer_list>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/network/network.pb.h"
#include "layers/network/network_text.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::tests {
namespace {

using layers::SplitMix;

constexpr int kMostLayers = 7;
// Limits for a network's size, in multiply-adds and in elements of all layer outputs, because the
// reference, with which the network is compared, is slow: it computes with plain loops on a
// reverse-mode tape.
constexpr int64_t kMostMultiplyAdds = 60'000, kMostElements = 4'000;

class Drawer {
 public:
  explicit Drawer(uint64_t seed) : random_(seed) {}

  RandomNetwork Draw() {
    network_.batch = Pick({1, 2, 3, 5});
    network_.channels = Pick({1, 2, 3, 8});
    network_.height = Pick({1, 2, 3, 4, 7, 9});
    network_.width = Often() ? network_.height : Pick({1, 2, 5, 8});
    network_.classes = Pick({1, 2, 3, 10});
    network_.loss =
        PickText({"softmax_cross_entropy {}", "softmax_cross_entropy { label_smoothing: 0.2 }",
                  "hinge {}", "mean_squared_error {}", "focal {}"});
    const int count = 1 + static_cast<int>(random_.Below(kMostLayers));
    network_.layers = {"linear {}"};
    // Tries to add layers a limited number of times; a layer that does not build or makes the
    // network large is removed again.
    for (int i = 0; i < 4 * count && static_cast<int>(network_.layers.size()) <= count; ++i)
      TryLayer();
    return network_;
  }

 private:
  bool Often() { return random_.Below(3) > 0; }
  bool Seldom() { return random_.Below(4) == 0; }
  int64_t Pick(std::initializer_list<int64_t> from) {
    return from.begin()[random_.Below(from.size())];
  }
  std::string PickText(std::initializer_list<const char*> from) {
    return from.begin()[random_.Below(from.size())];
  }
  std::string Two(std::initializer_list<int64_t> from) {
    const int64_t height = Pick(from);
    return Often() ? absl::StrCat(height) : absl::StrCat("[", height, ", ", Pick(from), "]");
  }
  std::string Pad() {
    if (Often()) return "";
    if (Often()) return absl::StrCat(" pad: ", Pick({1, 2, 3}));
    return absl::StrCat(" pad: [", Pick({0, 1, 2}), ", ", Pick({0, 1, 3}), ", ", Pick({0, 1, 2}),
                        ", ", Pick({0, 1, 2}), "]");
  }
  // Returns a kernel as large as the images that the new layer reads.
  std::string WholeImage() const {
    return absl::StrCat("[", image_.rank() == 4 ? image_[2] : 1, ", ",
                        image_.rank() == 4 ? image_[3] : 1, "]");
  }
  std::string Kernel() { return Seldom() ? WholeImage() : Two({1, 1, 2, 3}); }

  void TryLayer() {
    absl::StatusOr<layers::BuiltNetwork> before = BuildText(network_);
    const layers::Graph& graph = before->graph;
    // The new layer goes before the last layer, which is linear. So the new layer reads the output
    // of the layer that was before the last one or, if there was none, the images.
    image_ = before->layers.size() < 2 ? graph.shape(before->images)
                                       : before->layers[before->layers.size() - 2].output;
    const size_t at = network_.layers.size() - 1;
    network_.layers.insert(network_.layers.begin() + static_cast<int64_t>(at), DrawLayer());
    const absl::StatusOr<layers::BuiltNetwork> after = BuildText(network_);
    if (!after.ok() || IsLarge(*after))
      network_.layers.erase(network_.layers.begin() + static_cast<int64_t>(at));
  }

  bool IsLarge(const layers::BuiltNetwork& network) const {
    int64_t multiply_adds = 0, elements = 0;
    for (const layers::LayerRow& row : network.layers) {
      multiply_adds += row.multiply_adds * network_.batch;
      elements += row.output.NumElements();
    }
    return multiply_adds > kMostMultiplyAdds || elements > kMostElements;
  }

  // A kind of layer, how often it is drawn in relation to others, and what writes a layer of it;
  // null: one with the defaults.
  struct Kind {
    std::string name;
    int64_t weight = 1;
    std::string (Drawer::*draw)() = nullptr;
  };

  // Returns every kind of layer of network.proto. Kinds that have no line here are drawn with their
  // defaults; a kind that needs a setting must have a line (random_networks_test.cc finds it).
  static std::vector<Kind> Kinds() {
    std::vector<Kind> kinds = {{"convolution", 3, &Drawer::Convolution},
                               {"transposed_convolution", 1, &Drawer::Transposed},
                               {"max_pool", 1, &Drawer::MaxPool},
                               {"average_pool", 1, &Drawer::AveragePool},
                               {"batch_norm", 2},
                               {"layer_norm", 1, &Drawer::LayerNorm},
                               {"group_norm", 1, &Drawer::GroupNorm},
                               {"activation", 2, &Drawer::Activation},
                               {"linear", 1, &Drawer::Linear},
                               {"pad", 1, &Drawer::Padding},
                               {"scale", 1, &Drawer::Scale},
                               {"prelu", 1, &Drawer::Prelu},
                               {"slice", 1, &Drawer::Slice},
                               {"channel_shuffle", 1, &Drawer::ChannelShuffle},
                               {"resize", 1, &Drawer::Resize},
                               {"adaptive_average_pool", 1, &Drawer::AdaptiveAveragePool},
                               {"class_token", 1, &Drawer::ClassToken},
                               {"token", 1, &Drawer::Token},
                               {"attention", 1, &Drawer::Attention},
                               {"drop_path", 1, &Drawer::DropPath},
                               {"local_response_norm", 1, &Drawer::LocalResponseNorm},
                               {"sequence", 4, &Drawer::Branch},
                               // These read several tensors: Branch() has them.
                               {"add", 0},
                               {"multiply", 0},
                               {"concat", 0},
                               {"elementwise", 0},
                               // This stands for the layers of a block, which are drawn themselves.
                               {"use", 0}};
    const auto& all = *layers::Layer::descriptor()->FindOneofByName("kind");
    for (int i = 0; i < all.field_count(); ++i) {
      const std::string& name = all.field(i)->name();
      const auto is_it = [&](const Kind& kind) { return kind.name == name; };
      if (!absl::c_any_of(kinds, is_it)) kinds.push_back({name});
    }
    return kinds;
  }

  std::string DrawLayer() {
    static const auto* const kinds = new std::vector<Kind>(Kinds());
    int64_t weights = 0;
    for (const Kind& kind : *kinds) weights += kind.weight;
    int64_t drawn = random_.Below(weights);
    auto kind = kinds->begin();
    while (drawn >= kind->weight) drawn -= (kind++)->weight;
    return kind->draw == nullptr ? absl::StrCat(kind->name, " {}") : (this->*kind->draw)();
  }

  std::string MaxPool() { return Pool("max_pool", ""); }
  std::string AveragePool() {
    return Pool("average_pool", Seldom() ? " count_padding: false" : "");
  }
  std::string Pool(const char* kind, const char* counting) {
    const std::string window = Often() ? Kernel() : Two({2, 4, 5, 6, 7});
    return absl::StrCat(
        kind, " { kernel: ", window, Often() ? "" : absl::StrCat(" stride: ", Two({1, 2, 3})),
        Seldom() ? " padding: SAME" : Pad(), counting, Seldom() ? " ceil: true" : "", " }");
  }
  std::string LayerNorm() { return PickText({"layer_norm {}", "layer_norm { axes: CHANNELS }"}); }
  std::string GroupNorm() { return absl::StrCat("group_norm { groups: ", Divisor(), " }"); }
  std::string Linear() { return absl::StrCat("linear { features: ", Pick({1, 2, 8, 17}), " }"); }
  std::string Padding() {
    return absl::StrCat("pad { pad: [", Pick({-1, 0, 1}), ", ", Pick({0, 1, 2}), ", ",
                        Pick({-1, 0, 1}), ", ", Pick({0, 1}),
                        "] mode: ", PickText({"ZEROS", "CIRCULAR", "REFLECT"}), " }");
  }
  std::string Scale() { return PickText({"scale {}", "scale { per_channel: false }"}); }
  std::string Prelu() { return PickText({"prelu {}", "prelu { per_channel: false }"}); }
  std::string Slice() {
    return absl::StrCat("slice { begin: ", Pick({0, 1, 3}), Often() ? "" : " channels: 2", " }");
  }
  std::string ChannelShuffle() {
    return absl::StrCat("channel_shuffle { groups: ", Divisor(), " }");
  }
  std::string Resize() {
    return absl::StrCat("resize { ", Often() ? "size: " : "times: ", Two({1, 2, 3, 5}),
                        " mode: ", PickText({"NEAREST", "BILINEAR"}), " }");
  }
  std::string AdaptiveAveragePool() {
    return absl::StrCat("adaptive_average_pool { size: ", Two({1, 2, 3, 4}), " }");
  }
  std::string ClassToken() { return Pixels() > 16 ? Token() : "class_token {}"; }
  std::string Token() {
    return Pixels() > 16 ? "token { index: 1 }" : PickText({"token {}", "token { index: 1 }"});
  }
  std::string Attention() {
    if (Pixels() > 16) return Convolution();
    return absl::StrCat("attention { heads: ", Divisor(), Often() ? "" : " bias: false", " }");
  }
  std::string DropPath() { return "drop_path { rate: 0.4 }"; }
  std::string LocalResponseNorm() {
    return PickText(
        {"local_response_norm { size: 3 }", "local_response_norm { size: 4 alpha: 0.5 }"});
  }

  int64_t Channels() const { return image_.rank() == 4 ? image_[1] : 1; }
  int64_t Pixels() const { return image_.rank() == 4 ? image_[2] * image_[3] : 1; }
  // Returns a divisor of the number of channels that the new layer reads.
  int64_t Divisor() {
    const int64_t divisor = Pick({1, 2, 3, 4});
    return Channels() % divisor == 0 ? divisor : Seldom() ? 1 : Channels();
  }

  std::string Convolution() {
    const int64_t channels = Channels();
    std::string text = absl::StrCat("convolution { channels: ");
    if (Seldom())
      absl::StrAppend(&text, channels * Pick({1, 2}), " groups: ", channels);
    else
      absl::StrAppend(&text, Pick({1, 2, 3, 8, 16, 17}));
    absl::StrAppend(&text, " kernel: ", Kernel());
    if (Seldom()) absl::StrAppend(&text, " stride: ", Two({1, 2, 3, 4}));
    if (Seldom()) absl::StrAppend(&text, " dilation: ", Two({1, 2, 3}));
    absl::StrAppend(&text, Seldom() ? " padding: SAME" : Pad());
    if (Seldom()) absl::StrAppend(&text, " padding_mode: ", PickText({"CIRCULAR", "REFLECT"}));
    return absl::StrCat(text, Often() ? "" : " bias: false", " }");
  }

  std::string Transposed() {
    const int64_t groups = Seldom() ? Divisor() : 1;
    std::string text = absl::StrCat("transposed_convolution { channels: ", groups * Pick({1, 3, 8}),
                                    groups > 1 ? absl::StrCat(" groups: ", groups) : "",
                                    " kernel: ", Two({1, 2, 3, 4}), " stride: ", Two({1, 2, 3, 4}));
    if (Seldom()) absl::StrAppend(&text, " dilation: ", Two({1, 2, 3}));
    if (Often()) absl::StrAppend(&text, " output_padding: ", Two({0, 1, 2, 3}));
    return absl::StrCat(text, Pad(), " }");
  }

  std::string Activation() {
    if (Seldom()) {
      return absl::StrCat("activation { formula: \"",
                          PickText({"x / (1 + abs(x))", "x^2 - x", "max(x, 0.5 * x)", "sin(x)"}),
                          "\" }");
    }
    const auto& kinds = *layers::Layer::Activation::Kind_descriptor();
    const auto kind = static_cast<int>(random_.Below(kinds.value_count()));
    return absl::StrCat("activation { kind: ", kinds.value(kind)->name(), " }");
  }

  // Returns a layer whose output has the shape of its input.
  std::string Inside() {
    const std::string channels = absl::StrCat("convolution { channels: ", Channels());
    switch (random_.Below(9)) {
      case 0:
        return absl::StrCat(channels, " kernel: 3 padding: SAME }");
      case 1:
        return absl::StrCat(channels, " kernel: 1 bias: false }");
      case 2:
        return absl::StrCat(channels, " kernel: ", Two({1, 3, 5}),
                            " padding: SAME groups: ", Seldom() ? Channels() : Divisor(), " }");
      default:
        return PickText({"activation { kind: TANH }", "batch_norm {}", "average_pool { kernel: 1 }",
                         "max_pool { kernel: 1 }", "max_pool { kernel: 3 stride: 1 pad: 1 }",
                         "activation { formula: \"x * x\" }"});
    }
  }

  // Returns a block of layers of one of three kinds. In the first, the output of a small layer is
  // added to, multiplied with or concatenated with the block's input. In the second, the outputs of
  // a small layer and of a chain of two layers, and often the block's input, are combined in one of
  // these ways. In the third, the block's input is multiplied by the means of its channels, or by
  // their sigmoid.
  std::string Branch() {
    const std::string f = absl::StrCat("layer { name: \"f\" ", Inside(), " }");
    const std::string together = PickText({"add", "concat", "concat", "multiply"});
    switch (random_.Below(4)) {
      case 0:
        return absl::StrCat(
            "sequence { layer { name: \"f\" global_average_pool {} } layer { input: "
            "\"input\" input: \"f\" ",
            PickText({"multiply {}", "elementwise { formula: \"a * sigmoid(b)\" }"}), " } }");
      case 1:
        return absl::StrCat("sequence { ", f, " layer { name: \"g\" input: \"input\" ", Inside(),
                            " } layer { name: \"h\" ", PickText({"batch_norm {}", "scale {}"}),
                            " } layer { input: \"h\" input: \"f\" ",
                            Often() ? "input: \"input\" " : "", together, " {} } }");
      default:
        return absl::StrCat("sequence { ", f, " layer { input: \"f\" input: \"input\" ", together,
                            " {} } }");
    }
  }

  SplitMix random_;
  RandomNetwork network_;
  layers::Shape image_;
};

}  // namespace

std::string RandomNetwork::Text() const {
  std::string text =
      absl::StrCat("# batch ", batch, "\ninput { channels: ", channels, " height: ", height,
                   " width: ", width, " classes: ", classes, " }\n");
  for (const std::string& layer : layers) absl::StrAppend(&text, "layer { ", layer, " }\n");
  return absl::StrCat(text, "loss { ", loss, " }\n");
}

RandomNetwork DrawNetwork(uint64_t seed) { return Drawer(seed).Draw(); }

absl::StatusOr<layers::BuiltNetwork> BuildText(const RandomNetwork& network, bool training) {
  ASSIGN_OR_RETURN(const layers::Network parsed, layers::ParseNetwork(network.Text()));
  return layers::Build(parsed, {.batch_size = network.batch,
                                .training = training,
                                .with_loss = training,
                                .classes = network.classes});
}

}  // namespace cotangent::tests
