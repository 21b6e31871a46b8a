#include "layers/network/build.h"

#include <cmath>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"
#include "layers/ops/dropout.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/reshape.h"

namespace cotangent::layers {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

absl::StatusOr<BuiltNetwork> BuildText(absl::string_view text, BuildOptions options = {}) {
  ASSIGN_OR_RETURN(const Network network, ParseNetwork(text, "net"));
  return Build(network, options);
}

// Returns the shape of the result of the last of `layers`, for a batch of 2.
std::string ShapeAfter(absl::string_view layers) {
  BuildOptions options;
  options.batch_size = 2;
  auto built = BuildText(absl::StrCat(layers, " layer { name: \"end\" linear {} }"), options);
  if (!built.ok()) return std::string(built.status().message());
  return built->layers[built->layers.size() - 2].output.ToString();
}

TEST(Build, InfersShapes) {
  EXPECT_EQ(ShapeAfter("layer { convolution { channels: 8 kernel: 3 } }"), "[2, 8, 30, 30]");
  EXPECT_EQ(
      ShapeAfter("layer { convolution { channels: 8 kernel: [5, 3] stride: [1, 2] pad: [2, 1] } }"),
      "[2, 8, 32, 16]");
  EXPECT_EQ(ShapeAfter("layer { convolution { channels: 8 kernel: 3 stride: 2 padding: SAME } }"),
            "[2, 8, 16, 16]");
  EXPECT_EQ(ShapeAfter("layer { convolution { channels: 8 kernel: 4 stride: 3 padding: SAME } }"),
            "[2, 8, 11, 11]");
  EXPECT_EQ(ShapeAfter("layer { convolution { channels: 6 kernel: 3 dilation: 2 groups: 3 padding: "
                       "SAME padding_mode: REFLECT } }"),
            "[2, 6, 32, 32]");
  EXPECT_EQ(ShapeAfter("layer { convolution { channels: 6 kernel: 3 pad: [1, 0, 2, 0] "
                       "padding_mode: CIRCULAR } }"),
            "[2, 6, 31, 32]");
  EXPECT_EQ(
      ShapeAfter("layer { transposed_convolution { channels: 8 kernel: 4 stride: 2 pad: 1 } }"),
      "[2, 8, 64, 64]");
  EXPECT_EQ(ShapeAfter("layer { transposed_convolution { channels: 8 kernel: 3 stride: 2 pad: 1 "
                       "output_padding: 1 } }"),
            "[2, 8, 64, 64]");
  EXPECT_EQ(ShapeAfter("layer { max_pool { kernel: 3 stride: 2 pad: 1 } }"), "[2, 3, 16, 16]");
  EXPECT_EQ(ShapeAfter("layer { average_pool { kernel: 3 } }"), "[2, 3, 10, 10]");
  EXPECT_EQ(ShapeAfter("layer { average_pool { kernel: 3 padding: SAME count_padding: false } }"),
            "[2, 3, 11, 11]");
  EXPECT_EQ(ShapeAfter("layer { global_average_pool {} }"), "[2, 3, 1, 1]");
  EXPECT_EQ(ShapeAfter("layer { global_max_pool {} }"), "[2, 3, 1, 1]");
  EXPECT_EQ(ShapeAfter("layer { flatten {} }"), "[2, 3072]");
  EXPECT_EQ(ShapeAfter("layer { flatten {} } layer { batch_norm {} }"), "[2, 3072]");
  EXPECT_EQ(ShapeAfter("layer { layer_norm {} }"), "[2, 3, 32, 32]");
  EXPECT_EQ(ShapeAfter("layer { pad { pad: [1, 2, 3, -4] mode: ZEROS } }"), "[2, 3, 35, 31]");
  EXPECT_EQ(ShapeAfter("layer { dropout { rate: 0.2 } }"), "[2, 3, 32, 32]");
  EXPECT_EQ(ShapeAfter("layer { linear { features: 7 } } layer { softmax {} }"), "[2, 7]");
  EXPECT_EQ(ShapeAfter("layer { name: \"a\" activation { kind: TANH } } layer { concat {} input: "
                       "\"input\" input: \"a\" }"),
            "[2, 6, 32, 32]");
  EXPECT_EQ(ShapeAfter("layer { name: \"a\" activation { kind: TANH } } layer { add {} input: "
                       "\"input\" input: \"a\" input: \"a\" }"),
            "[2, 3, 32, 32]");
}

TEST(Build, FlatteningBeforeLinearCostsNothing) {
  auto built = BuildText(
      "layer { flatten {} } layer { activation { kind: RELU } } layer { dropout {} } layer { "
      "linear {} }");
  ASSERT_TRUE(built.ok()) << built.status();
  for (const Node& node : built->graph.nodes()) EXPECT_NE(node.op, kReshape);
}

TEST(Build, EveryActivationIsAFormula) {
  for (int kind = Layer::Activation::Kind_MIN; kind <= Layer::Activation::Kind_MAX; ++kind) {
    const std::string name =
        Layer::Activation::Kind_Name(static_cast<Layer::Activation::Kind>(kind));
    auto built =
        BuildText(absl::StrCat("layer { linear {} } layer { activation { kind: ", name, " } }"));
    ASSERT_TRUE(built.ok()) << built.status();
    EXPECT_EQ(built->graph.producer(built->prediction).op, kElementwise);
  }
}

TEST(Build, TrainsAndInfers) {
  const char* text =
      "layer { name: \"bn\" batch_norm { momentum: 0.4 } } layer { dropout {} } layer { linear {} "
      "}";
  auto training = BuildText(text);
  ASSERT_TRUE(training.ok()) << training.status();
  EXPECT_EQ(training->graph.state_updates().size(), 2u);
  EXPECT_NE(training->loss, kNoTensor);
  EXPECT_EQ(training->states[1].name, "bn.running_var");
  EXPECT_EQ(training->states[1].initial_value, 1);
  BuildOptions options;
  options.training = false;
  auto inference = BuildText(text, options);
  ASSERT_TRUE(inference.ok());
  EXPECT_TRUE(inference->graph.state_updates().empty());
  for (const Node& node : inference->graph.nodes()) EXPECT_NE(node.op, kDropoutMask);
}

std::vector<std::string> Names(const BuiltNetwork& network, bool trainable) {
  std::vector<std::string> names;
  for (const ParameterSpec& parameter : network.parameters) {
    if (parameter.trainable == trainable) names.push_back(parameter.name);
  }
  return names;
}

TEST(Build, RepeatsFreezesAndNames) {
  auto built = BuildText(R"(
block { name: "unit" parameter: "n" layer { name: "fc" linear { features: $n bias: false } } layer { activation { kind: RELU } } }
layer { name: "body" repeat: 2 use { block: "unit" with: "n=5" } frozen: "fc.*" }
layer { name: "tail" repeat: 2 linear { features: 5 } }
layer { linear {} frozen: "bias" })");
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_THAT(Names(*built, false),
              ElementsAre("body.0.fc.weight", "body.1.fc.weight", "linear1.bias"));
  EXPECT_THAT(Names(*built, true), ElementsAre("tail.0.weight", "tail.0.bias", "tail.1.weight",
                                               "tail.1.bias", "linear1.weight"));
  EXPECT_EQ(built->layers[1].name, "body.0.activation1");
}

TEST(Build, OrderFollowsInputsNotText) {
  auto built = BuildText(R"(
layer { name: "late" input: "early" activation { kind: RELU } }
layer { name: "early" input: "input" activation { kind: TANH } }
layer { name: "fc" input: "late" linear {} })");
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_EQ(built->layers[0].name, "early");
}

TEST(Build, Losses) {
  for (const char* loss : {"softmax_cross_entropy { label_smoothing: 0.1 class_weight: [1, 1, 1, "
                           "1, 1, 2, 2, 2, 2, 2] }",
                           "hinge { margin: 0.5 }", "mean_squared_error {}", "focal { gamma: 1 }",
                           "formula { text: \"(prediction - target)^4\" }"}) {
    auto built = BuildText(absl::StrCat("layer { linear {} } loss { ", loss, " }"));
    ASSERT_TRUE(built.ok()) << built.status();
    EXPECT_EQ(built->graph.shape(built->loss), Shape());
  }
}

TEST(Build, DefaultInitialisersArePyTorchs) {
  auto built = BuildText("layer { name: \"fc\" linear {} }");
  ASSERT_TRUE(built.ok());
  EXPECT_EQ(built->parameters[0].fan_in, 3072);
  EXPECT_NEAR(built->parameters[1].initialiser.uniform().high(), 1 / std::sqrt(3072.0), 1e-12);
  EXPECT_NEAR(built->parameters[0].initialiser.kaiming_uniform().negative_slope(), std::sqrt(5.0),
              1e-12);
}

// The text of a network with an error, and the beginning of the message that the error must cause.
struct Bad {
  std::string text;
  std::string message;
};

class BadNetwork : public ::testing::TestWithParam<Bad> {};

TEST_P(BadNetwork, IsExplained) {
  const auto built = BuildText(GetParam().text);
  ASSERT_FALSE(built.ok());
  // Only the beginning is compared, because lists of layer kinds grow when operations are added.
  EXPECT_THAT(std::string(built.status().message()), StartsWith(GetParam().message));
}

std::string Fc(const std::string& rest) { return rest + "\nlayer { name: \"fc\" linear {} }"; }

INSTANTIATE_TEST_SUITE_P(
    All, BadNetwork,
    ::testing::Values(
        Bad{"", "layer: the network has none; expected at least one 'layer { ... }'"},
        Bad{"layer { name: \"a\" }",
            "net:1:1: layer 'a': has no kind; expected one of convolution, transposed_convolution, "
            "max_pool, average_pool, "
            "global_average_pool, global_max_pool, linear, batch_norm, layer_norm, dropout, "
            "flatten, add, concat, pad, softmax, "
            "activation, sequence, use"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 0 kernel: 3 } }"),
            "net:1:1: layer 'c': channels is 0; expected 1 to 16777216"},
        Bad{Fc("layer { name: \"c\" convolution { channels: -8 kernel: 3 } }"),
            "net:1:1: layer 'c': channels is -8; expected 1 to 16777216"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 9000000000000000000 kernel: 3 } }"),
            "net:1:1: layer 'c': channels is 9000000000000000000; expected 1 to 16777216"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 16777216 kernel: 3 } }"),
            "net:1:1: layer 'c': its result [16777216, 30, 30] for 128 images is too large; at "
            "most 4294967296 values are possible"},
        Bad{"layer { name: \"a\" linear { features: 1000000 } }",
            "net:1:1: layer 'a': its weight [1000000, 3072] makes the network too large; at most "
            "1073741824 parameters are possible"},
        Bad{"layer { name: \"a\" repeat: 2000000000 activation { kind: RELU } }",
            "net:1:1: layer 'a': repeat is 2000000000; expected 1 to 10000"},
        Bad{"layer { name: \"a\" repeat: 9000 sequence { layer { name: \"b\" repeat: 9000 "
            "activation { kind: RELU } } } }",
            "net:1:43: layer 'a.1.b.998': the network has more than 10000 layers; use fewer, or "
            "repeat less"},
        // The second copy gets an input of another shape than the first.
        Bad{"block { name: \"unit\"\nlayer { name: \"conv\" convolution { channels: 3 kernel: 2 } "
            "}\n"
            "layer { name: \"pool\" max_pool { kernel: 20 } } }\n"
            "layer { name: \"u\" repeat: 2 use { block: \"unit\" } }",
            "net:2:1: layer 'u.1.conv': its kernel 2x2 is larger than its input 1x1; use a smaller "
            "kernel, more padding, or less pooling before it"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 } }"),
            "net:1:1: layer 'c': kernel is missing; expected its size, such as kernel: 3"},
        Bad{Fc("layer { name: \"c\" convolution { kernel: 3 } }"),
            "net:1:1: layer 'c': channels is missing; expected the number of its filters, such as "
            "channels: 32"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: -3 } }"),
            "net:1:1: layer 'c': kernel is -3; expected 1 to 16384"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: [1, 2, 3] } }"),
            "net:1:1: layer 'c': kernel has 3 numbers; expected one, or two: height and width"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: 3 stride: 0 } }"),
            "net:1:1: layer 'c': stride is 0; expected 1 to 16384"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: 3 pad: -1 } }"),
            "net:1:1: layer 'c': pad is -1; expected 0 to 16384"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: 3 pad: [1, 1, 1] } }"),
            "net:1:1: layer 'c': pad has 3 numbers; expected one, two (top and bottom, left and "
            "right) or four (top, bottom, left, right)"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: 3 pad: 1 padding: SAME } }"),
            "net:1:1: layer 'c': both padding: SAME and pad are given; expected one of them"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: 3 groups: 2 } }"),
            "net:1:1: layer 'c': groups: 2 does not divide both the 3 channels of 'input' and its "
            "own 8; use a number that does"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: 33 } }"),
            "net:1:1: layer 'c': its kernel 33x33 is larger than its input 32x32; use a smaller "
            "kernel, more padding, or less pooling before it"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: 40 pad: 2 } }"),
            "net:1:1: layer 'c': its kernel 40x40 is larger than its input 32x32 (padded: 36x36); "
            "use a smaller kernel, more padding, or less pooling before it"},
        Bad{Fc("layer { name: \"p\" max_pool { kernel: 64 } }"),
            "net:1:1: layer 'p': its kernel 64x64 is larger than its input 32x32; use a smaller "
            "kernel, more padding, or less pooling before it"},
        Bad{Fc("layer { name: \"p\" max_pool { kernel: 2 pad: 2 } }"),
            "net:1:1: layer 'p': pads by more than half its kernel 2x2, so that windows may hold "
            "nothing but padding; use less padding"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: 3 pad: 32 padding_mode: "
               "REFLECT } }"),
            "net:1:1: layer 'c': reflect padding of 32x32 needs more rows or columns than its "
            "input [128, 3, 32, 32] has; pad less, or with zeros"},
        Bad{Fc("layer { name: \"t\" transposed_convolution { channels: 8 kernel: 3 output_padding: "
               "1 } }"),
            "net:1:1: layer 't': output_padding 1x1 is not smaller than the stride 1x1 or the "
            "dilation 1x1; make it less"},
        Bad{Fc("layer { name: \"t\" transposed_convolution { channels: 8 kernel: 3 pad: 100 } }"),
            "net:1:1: layer 't': its padding leaves nothing of its result (-166x-166) from its "
            "input 32x32; use less padding"},
        Bad{"layer { name: \"fc\" linear {} }\nlayer { name: \"c\" convolution { channels: 8 "
            "kernel: 3 } }",
            "net:2:1: layer 'c': needs an image [channels, height, width], but 'fc' gives [10]; "
            "put it before the first linear or flatten layer"},
        Bad{"layer { name: \"f\" flatten {} }\nlayer { name: \"p\" max_pool { kernel: 2 } }",
            "net:2:1: layer 'p': needs an image [channels, height, width], but 'f' gives [3072]; "
            "put it before the first linear or flatten layer"},
        Bad{"layer { name: \"a\" activation { kind: RELU } }\nlayer { name: \"p\" max_pool { "
            "kernel: 2 } }\nlayer { name: \"s\" input: \"a\" input: \"p\" add {} }",
            "net:3:1: layer 's': its inputs differ in shape: 'a' [3, 32, 32], 'p' [3, 16, 16]; "
            "they must agree: a 1x1 convolution with the same stride brings one to the shape of "
            "the other"},
        Bad{"layer { name: \"a\" activation { kind: RELU } }\nlayer { name: \"p\" max_pool { "
            "kernel: 2 } }\nlayer { name: \"s\" input: \"a\" input: \"p\" concat {} }",
            "net:3:1: layer 's': its inputs differ in more than their channels: 'a' [3, 32, 32], "
            "'p' [3, 16, 16]; bring them to one height and width"},
        Bad{"layer { name: \"s\" add {} }",
            "net:1:1: layer 's': has one input; expected two or more, such as input: \"a\" input: "
            "\"b\""},
        Bad{"layer { name: \"a\" activation { kind: RELU } }\nlayer { name: \"b\" input: \"a\" "
            "input: \"input\" activation { kind: RELU } }",
            "net:2:1: layer 'b': has 2 inputs; only add, concat"},
        Bad{"layer { name: \"a\" input: \"b\" activation { kind: RELU } }\nlayer { name: \"b\" "
            "input: \"a\" activation { kind: RELU } }\nlayer { linear {} }",
            "net:1:1: layers read each other in a cycle: a -> b -> a; remove one of these inputs"},
        Bad{"layer { name: \"a\" input: \"a\" linear {} }",
            "net:1:1: layers read each other in a cycle: a -> a; remove one of these inputs"},
        Bad{"layer { name: \"conv1\" activation { kind: RELU } }\nlayer { name: \"b\" input: "
            "\"cnov1\" linear {} }",
            "net:2:1: layer 'b' reads 'cnov1', which is no layer here; did you mean 'conv1'?"},
        Bad{"layer { name: \"a\" activation { kind: RELU } }\nlayer { name: \"a\" linear {} }",
            "net:2:1: there is a layer 'a' already, at net:1:1; give this one another name"},
        Bad{"layer { name: \"a\" activation { kind: RELU } }\nlayer { name: \"b\" input: \"input\" "
            "linear {} }",
            "net:1:1: nothing reads the result of layer 'a'; name it as an input of another layer, "
            "or remove it"},
        Bad{"layer { name: \"a.b\" linear {} }",
            "net:1:1: a layer cannot be named 'a.b'; expected letters, digits, '_' and '-'"},
        Bad{"layer { name: \"input\" linear {} }",
            "net:1:1: a layer cannot be named 'input': that is what the sequence is given"},
        Bad{Fc("layer { name: \"a\" activation {} }"),
            "net:1:1: layer 'a': has neither a kind nor a formula; expected one, such as kind: "
            "RELU"},
        Bad{Fc("layer { name: \"a\" activation { kind: RELU formula: \"x\" } }"),
            "net:1:1: layer 'a': has both a kind and a formula; expected one of them"},
        Bad{Fc("layer { name: \"a\" activation { formula: \"2\" } }"),
            "net:1:1: layer 'a': its formula \"2\" does not depend on x; expected x in it"},
        Bad{Fc("layer { name: \"a\" activation { formula: \"\" } }"),
            "net:1:42: formula of layer 'a': found the end of the formula, expected a number, a "
            "name, '(' or '-'"},
        Bad{Fc("layer { name: \"d\" dropout { rate: 1 } }"),
            "net:1:1: layer 'd': rate is 1; expected 0 to less than 1"},
        Bad{Fc("layer { name: \"d\" dropout { rate: nan } }"),
            "net:1:1: layer 'd': rate is nan; expected 0 to less than 1"},
        Bad{Fc("layer { name: \"n\" batch_norm { momentum: 2 } }"),
            "net:1:1: layer 'n': momentum is 2; expected 0 to 1"},
        Bad{Fc("layer { name: \"n\" batch_norm { epsilon: -1 } }"),
            "net:1:1: layer 'n': epsilon is -1; expected 0 or a little more"},
        Bad{Fc("layer { name: \"p\" pad { pad: -16 } }"),
            "net:1:1: layer 'p': leaves nothing of its input [3, 32, 32]; crop less"},
        Bad{"layer { name: \"fc\" linear { features: 7 } }",
            "net:1:1: the last layer 'fc' gives [7] for an image, but there are 10 classes; end "
            "the network with linear { features: 10 }"},
        Bad{"layer { name: \"fc\" linear {} frozen: \"wieght\" }",
            "net:1:1: layer 'fc': frozen: 'wieght' fits none of its parameters; did you mean "
            "'weight'?"},
        Bad{"layer { name: \"fc\" linear { weight_init { dirac {} } } }",
            "net:1:1: layer 'fc': initialiser of its weight: dirac is for the weight of a "
            "convolution"},
        Bad{Fc("layer { name: \"c\" convolution { channels: 8 kernel: 2 weight_init { whiten {} } "
               "} }"),
            "net:1:1: layer 'c': whiten makes 2 x 12 filters from patches of 12 values, but it has "
            "8 channels; expected channels: 24 and no groups"},
        Bad{"layer { linear {} } loss { softmax_cross_entropy { class_weight: 1 } }",
            "loss.softmax_cross_entropy.class_weight has 1 numbers for 10 classes; expected one "
            "for "
            "each"},
        Bad{"layer { linear {} } loss { softmax_cross_entropy { label_smoothing: 2 } }",
            "loss.softmax_cross_entropy.label_smoothing is 2; expected 0 to 1"},
        Bad{"layer { linear {} } loss { formula { text: \"target\" } }",
            "loss.formula.text is \"target\", which does not depend on prediction; expected that "
            "in it, such as \"abs(prediction - target)\""},
        Bad{"layer { linear {} } loss { formula {} }",
            "loss.formula.text is missing; expected a formula, such as \"abs(prediction - "
            "target)\""},
        Bad{"layer { linear {} } train { batch_size: 0 }",
            "train.batch_size is 0; expected 1 to 1048576"},
        Bad{"layer { linear {} } train { epochs: -1 }",
            "train.epochs is -1; expected 0 to 1000000"},
        Bad{"layer { linear {} } train { augmentation { crop: 32 } }",
            "train.augmentation.crop is 32; expected 0 to 31"},
        Bad{"layer { linear {} } train { normalisation { mean: 0.5 } }",
            "train.normalisation.mean has 1 numbers for 3 channels; expected one for each"},
        Bad{"layer { linear {} } train { normalisation { deviation: [1, 0, 1] } }",
            "train.normalisation.deviation has 0; expected more than 0"},
        Bad{"layer { linear {} } train { optimizer { sgd { learning_rate: 1e39 } } }",
            "train.optimizer.sgd.learning_rate is 1e+39; expected 0, or a size from 1.17549e-38 to "
            "3.40282e+38: networks compute with 32-bit floats"},
        Bad{"layer { linear {} } train { optimizer { group { adam { epsilon: 1e-46 } } } }",
            "train.optimizer.group[0].adam.epsilon is 1e-46; expected 0, or a size from"},
        Bad{"layer { linear {} } loss { softmax_cross_entropy { class_weight: [1, -1e300] } }",
            "loss.softmax_cross_entropy.class_weight[1] is -1e+300; expected 0, or a size from"},
        Bad{"layer { sequence { layer { name: \"bn\" batch_norm { epsilon: 1e-40 } } } }",
            "net:1:20: layer 'sequence1.bn': batch_norm.epsilon is 1e-40; expected 0, or a size "
            "from"},
        Bad{"layer { linear {} } input { width: 1000000000000 }",
            "input.width is 1000000000000; expected 1 to 16384"},
        Bad{"layer { linear {} } input { channels: 1000 width: 16384 height: 16384 }",
            "a batch of 128 images 1000x16384x16384 is too large; use a smaller batch_size"}));

TEST(LossText, SaysWhatTargetsAre) {
  const auto targets = [](const std::string& text, BuildOptions options = {}) {
    const auto built = BuildText(absl::StrCat("layer { linear {} } ", text), options);
    return built.ok() ? built->graph.shape(built->labels).ToString()
                      : std::string(built.status().message());
  };
  EXPECT_EQ(targets(""), "[128]");
  EXPECT_EQ(targets("loss { binary_cross_entropy {} }"), "[128, 10]");
  EXPECT_EQ(targets("loss { huber {} }"), "[128, 10]");
  EXPECT_EQ(targets("train { augmentation { mixup {} } }"), "[128, 10]");
  EXPECT_EQ(targets("train { augmentation { cutmix {} } }", {.training = false}), "[128]");
  EXPECT_THAT(targets("loss { huber { delta: 0 } }"), HasSubstr("delta is 0"));
}

TEST(BadFormula, IsFoundInTheFile) {
  const auto activation = BuildText(
      "layer { linear {} }\nlayer {\n  name: \"act\"\n  activation { formula: \"x / (1 + )\" }\n}");
  ASSERT_FALSE(activation.ok());
  EXPECT_THAT(std::string(activation.status().message()),
              testing::StartsWith("net:4:35: formula of layer 'act': found ')'"));
  const auto unknown =
      BuildText("layer { linear {} }\nlayer { name: \"act\" activation { formula: \"tnah(x)\" } }");
  EXPECT_THAT(std::string(unknown.status().message()),
              testing::StartsWith("net:2:44: formula of layer 'act': "));
  const auto loss = BuildText("layer { linear {} }\nloss { formula { text: \"prediction - y\" } }");
  EXPECT_THAT(std::string(loss.status().message()),
              testing::StartsWith("net:2:38: formula of the loss: "));
}

}  // namespace
}  // namespace cotangent::layers
