#include "inference/onnx/onnx_cases.h"

#include "absl/strings/str_cat.h"
#include "inference/trained_testing.h"
#include "layers/zoo/zoo.h"

namespace cotangent::inference {
namespace {

struct LayerCase {
  const char* name;
  const char* layers;
};

constexpr LayerCase kLayers[] = {
    {"convolution",
     "layer { convolution { channels: 8 kernel: [3, 5] stride: [2, 1] dilation: [1, 2] pad: [1, 0, "
     "2, 3] } }"},
    {"convolution_same", "layer { convolution { channels: 4 kernel: 3 stride: 2 padding: SAME } }"},
    {"convolution_groups",
     "layer { convolution { channels: 6 kernel: 3 groups: 3 } } "
     "layer { convolution { channels: 6 kernel: 5 pad: 2 groups: 6 } }"},
    {"convolution_circular",
     "layer { convolution { channels: 4 kernel: 3 pad: 1 padding_mode: CIRCULAR } }"},
    {"convolution_reflect",
     "layer { convolution { channels: 4 kernel: 3 pad: 1 padding_mode: REFLECT } }"},
    {"transposed_convolution",
     "layer { transposed_convolution { channels: 4 kernel: 3 stride: 2 pad: 1 output_padding: 1 } "
     "}"},
    {"transposed_convolution_groups",
     "layer { transposed_convolution { channels: 6 kernel: [2, 3] stride: [1, 3] groups: 3 "
     "dilation: 2 } }"},
    {"max_pool", "layer { max_pool { kernel: 3 stride: 2 pad: 1 } }"},
    {"max_pool_same", "layer { max_pool { kernel: 2 stride: 2 padding: SAME } }"},
    {"average_pool", "layer { average_pool { kernel: [2, 3] stride: [1, 2] pad: 1 } }"},
    {"average_pool_inside",
     "layer { average_pool { kernel: 3 stride: 2 pad: 1 count_padding: false } }"},
    {"global_pools",
     "layer { name: \"a\" global_average_pool {} } layer { name: \"b\" input: \"input\" "
     "global_max_pool {} } "
     "layer { input: \"a\" input: \"b\" concat {} }"},
    {"batch_norm", "layer { batch_norm {} } layer { batch_norm { scale: false epsilon: 0.1 } }"},
    {"batch_norm_folded",
     "layer { convolution { channels: 5 kernel: 3 bias: false } } layer { batch_norm {} } "
     "layer { activation { kind: RELU } }"},
    {"layer_norm", "layer { layer_norm {} } layer { layer_norm { scale: false shift: false } }"},
    {"dropout", "layer { dropout { rate: 0.3 } }"},
    {"flatten", "layer { flatten {} } layer { linear { features: 7 } }"},
    {"residual",
     "layer { name: \"c\" convolution { channels: 3 kernel: 3 pad: 1 } } "
     "layer { input: \"c\" input: \"input\" add {} } layer { activation { kind: RELU } }"},
    {"concat",
     "layer { name: \"c\" convolution { channels: 4 kernel: 3 pad: 1 } } "
     "layer { input: \"input\" input: \"c\" input: \"input\" concat {} }"},
    {"pad_zeros", "layer { pad { pad: [1, 2, 0, 3] } }"},
    {"pad_crop", "layer { pad { pad: [-1, 2, 3, -2] } }"},
    {"pad_circular", "layer { pad { pad: [1, 2, 3, 0] mode: CIRCULAR } }"},
    {"pad_reflect", "layer { pad { pad: [2, 1, 0, 3] mode: REFLECT } }"},
    {"relu", "layer { activation { kind: RELU } }"},
    {"leaky_relu", "layer { activation { kind: LEAKY_RELU slope: 0.2 } }"},
    {"elu", "layer { activation { kind: ELU alpha: 1.5 } }"},
    {"gelu", "layer { activation { kind: GELU } }"},
    {"gelu_tanh", "layer { activation { kind: GELU_TANH } }"},
    {"silu", "layer { activation { kind: SILU } }"},
    {"sigmoid", "layer { activation { kind: SIGMOID } }"},
    {"tanh", "layer { activation { kind: TANH } }"},
    {"softplus", "layer { activation { kind: SOFTPLUS } }"},
    {"softsign", "layer { activation { kind: SOFTSIGN } }"},
    {"hard_swish", "layer { activation { kind: HARD_SWISH } }"},
    {"local_response_norm", "layer { local_response_norm { size: 3 } }"},
    {"group_norm",
     "layer { convolution { channels: 6 kernel: 1 } } layer { group_norm { groups: 3 } } "
     "layer { layer_norm { axes: CHANNELS } }"},
    {"channel_shuffle",
     "layer { convolution { channels: 6 kernel: 1 } } layer { channel_shuffle { groups: 3 } } "
     "layer { slice { begin: 1 channels: 4 } }"},
    {"resize",
     "layer { resize { times: 2 } } layer { resize { size: [7, 13] mode: BILINEAR } } "
     "layer { adaptive_average_pool { size: [3, 4] } }"},
    {"ceil", "layer { max_pool { kernel: 2 stride: 2 ceil: true } }"},
    {"gate",
     "layer { name: \"c\" convolution { channels: 4 kernel: 3 } } "
     "layer { name: \"g\" global_average_pool {} } "
     "layer { input: \"c\" input: \"g\" elementwise { formula: \"a * sigmoid(b)\" } } "
     "layer { prelu {} } layer { scale {} }"},
    {"attention",
     "layer { convolution { channels: 6 kernel: 3 stride: 2 } } layer { position {} } "
     "layer { attention { heads: 2 } } layer { drop_path { rate: 0.2 } }"},
    {"class_token",
     "layer { convolution { channels: 6 kernel: 3 stride: 2 } } layer { class_token {} } "
     "layer { attention { heads: 3 } } layer { token {} }"},
    {"branches",
     "layer { name: \"stem\" convolution { channels: 5 kernel: 3 pad: 1 } } "
     "layer { name: \"a\" convolution { channels: 5 kernel: 3 pad: 1 } } layer { name: \"bn\" "
     "batch_norm {} } "
     "layer { name: \"b\" input: \"stem\" convolution { channels: 5 kernel: 1 } } "
     "layer { input: \"bn\" input: \"b\" input: \"stem\" add {} }"},
    {"formula_powers", "layer { activation { formula: \"(1 + x^2)^-0.5 - x^3 / 7 + 2^x\" } }"},
    {"formula_functions",
     "layer { activation { formula: \"sin(x) * cos(x) + tan(x / 4) + asin(x / 9) + acos(x / 9) + "
     "atan(x)\" } }"},
    {"formula_hyperbolic",
     "layer { activation { formula: \"sinh(x) / cosh(x) + asinh(x) + atanh(x / 9) + acosh(2 + "
     "x^2)\" } }"},
    {"formula_logarithms",
     "layer { activation { formula: \"ln(2 + abs(x)) + log2(1 + x^2) + log10(3 + x^2) + "
     "log1p(x^2)\" } }"},
    {"formula_rounding",
     "layer { activation { formula: \"round(3 * x + 0.2) + floor(x) - sign(x) + mod(x, 0.7)\" } }"},
    {"formula_others",
     "layer { activation { formula: \"hypot(x, 2) + cbrt(x) + erfc(x) + exp(-x) + expm1(x / 2)\" } "
     "}"},
    {"formula_activations",
     "layer { activation { formula: \"softsign(x) - gelu_tanh(x) * silu(x) + mish(x) + "
     "softplus(x)\" } }"},
    {"formula_branches",
     "layer { activation { formula: \"select(x, 0.5, min(x, 0), max(x, 1)) / (2 + sqrt(abs(x)))\" "
     "} }"},
};

}  // namespace

std::vector<OnnxCase> OnnxCases() {
  std::vector<OnnxCase> cases;
  const std::vector<std::string> classes = {"one", "two", "three", "four"};
  for (const LayerCase& layer : kLayers) {
    const std::string text =
        absl::StrCat("input { height: 9 width: 11 } ", layer.layers, " layer { linear {} }");
    cases.push_back({layer.name, MakeTrained(text, classes)});
  }
  cases.push_back(
      {"softmax", MakeTrained("input { height: 6 width: 5 channels: 1 } layer { linear {} } "
                              "layer { softmax {} } loss { mean_squared_error {} }",
                              classes)});
  for (const std::string& name : layers::ZooNames())
    cases.push_back({name, MakeTrainedFromZoo(name, 10)});
  return cases;
}

}  // namespace cotangent::inference
