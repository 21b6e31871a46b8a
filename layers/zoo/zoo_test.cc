#include "layers/zoo/zoo.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/build.h"
#include "layers/network/describe.h"
#include "layers/network/network_text.h"

namespace cotangent::layers {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

BuiltNetwork BuildZoo(const std::string& name, BuildOptions options = {}) {
  auto network = FindNetwork(name);
  EXPECT_TRUE(network.ok()) << network.status();
  options.batch_size = network->train().batch_size();
  auto built = Build(*network, options);
  EXPECT_TRUE(built.ok()) << built.status();
  return *std::move(built);
}

int64_t CountParameters(const BuiltNetwork& network) {
  int64_t count = 0;
  for (const ParameterSpec& parameter : network.parameters) count += parameter.shape.NumElements();
  return count;
}

std::vector<std::string> ParameterNames(const BuiltNetwork& network) {
  std::vector<std::string> names;
  for (const ParameterSpec& parameter : network.parameters) names.push_back(parameter.name);
  return names;
}

TEST(Zoo, HasTheNetworks) {
  EXPECT_THAT(ZooNames(),
              ElementsAre("cifar94", "compact_transformer", "convnet", "convnext", "densenet",
                          "efficientnet", "mobilenet_v3_small", "resnet18", "resnet20", "resnet50",
                          "softmax_classifier", "two_layer_net", "vgg", "wide_resnet"));
}

// The expected numbers are sum(p.numel() for p in net.parameters()) of the same networks in
// PyTorch. For cifar94 the 1152 scales of its normalisations are left out, which exist in PyTorch
// but are not learnt.
TEST(Zoo, HasPyTorchsNumberOfParameters) {
  const std::map<std::string, int64_t> expected = {
      {"softmax_classifier", 30730}, {"two_layer_net", 1578506},
      {"convnet", 825046},           {"vgg", 3839434},
      {"resnet20", 272474},          {"resnet18", 11173962},
      {"cifar94", 1971640},          {"wide_resnet", 2748890},
      {"densenet", 1019722},         {"mobilenet_v3_small", 1528106},
      {"efficientnet", 4020358},     {"resnet50", 23528522},
      {"convnext", 3376290},         {"compact_transformer", 3331274}};
  for (const std::string& name : ZooNames())
    EXPECT_EQ(CountParameters(BuildZoo(name)), expected.at(name)) << name;
}

TEST(Zoo, NamesParametersAsPyTorchDoes) {
  EXPECT_THAT(ParameterNames(BuildZoo("convnet")),
              ElementsAre("conv1.weight", "conv1.bias", "fc1.weight", "fc1.bias", "fc2.weight",
                          "fc2.bias"));
  const BuiltNetwork resnet = BuildZoo("resnet18");
  EXPECT_THAT(ParameterNames(resnet), Contains("layer1.0.conv1.weight"));
  EXPECT_THAT(ParameterNames(resnet), Contains("layer1.1.bn2.bias"));
  EXPECT_THAT(ParameterNames(resnet), Contains("layer2.0.downsample.0.weight"));
  EXPECT_THAT(ParameterNames(resnet), Contains("layer4.1.conv2.weight"));
  EXPECT_EQ(resnet.states.front().name, "bn1.running_mean");
  EXPECT_EQ(resnet.states.size(), 40u);
}

// For each of 8 x 8 pixels and 256 channels: 4 matrices of 256 x 256 numbers, and products with all
// pixels for the scores and for the mix.
TEST(Zoo, TheWorkOfAttentionIsDescribed) {
  const BuiltNetwork network = BuildZoo("compact_transformer");
  const auto row = std::find_if(network.layers.begin(), network.layers.end(),
                                [](const LayerRow& row) { return row.kind == "attention"; });
  ASSERT_NE(row, network.layers.end());
  EXPECT_EQ(row->multiply_adds, 64 * (4 * 256 * 256 + 2 * 64 * 256));
}

TEST(Zoo, ConvnetIsDescribed) {
  EXPECT_EQ(Describe(BuildZoo("convnet")),
            R"(layer  kind         output        parameters  multiply-adds    memory
---------------------------------------------------------------------
input  images       [3, 32, 32]                               1.5 MiB
conv1  convolution  [32, 32, 32]       4,736      4,816,896  16.0 MiB
relu1  relu         [32, 32, 32]                             16.0 MiB
pool1  max_pool     [32, 16, 16]                              4.0 MiB
fc1    linear       [100]            819,300        819,200  50.0 KiB
relu2  relu         [100]                                    50.0 KiB
fc2    linear       [10]               1,010          1,000   5.0 KiB
---------------------------------------------------------------------
total                                825,046      5,637,096  37.6 MiB
memory: results of the layers for a batch of 128 images in f32
)");
}

TEST(Zoo, FrozenAndWhitenedStem) {
  const BuiltNetwork network = BuildZoo("cifar94");
  EXPECT_EQ(network.parameters[0].name, "stem.weight");
  EXPECT_FALSE(network.parameters[0].trainable);
  EXPECT_TRUE(network.parameters[0].initialiser.has_whiten());
  EXPECT_TRUE(network.parameters[1].trainable);
  EXPECT_THAT(Describe(network), HasSubstr("288 parameters stay as they are initialised"));
}

TEST(Zoo, BuildsForInferenceAndOtherClasses) {
  for (const std::string& name : ZooNames()) {
    BuildOptions options;
    options.training = false;
    options.with_loss = false;
    options.classes = 100;
    const BuiltNetwork network = BuildZoo(name, options);
    EXPECT_EQ(network.loss, kNoTensor);
    EXPECT_EQ(network.graph.shape(network.prediction)[1], 100) << name;
    EXPECT_TRUE(network.graph.state_updates().empty());
  }
}

TEST(Zoo, ResolvedTextBuildsTheSame) {
  for (const std::string& name : ZooNames()) {
    auto network = FindNetwork(name);
    ASSERT_TRUE(network.ok());
    auto again = ParseNetwork(NetworkText(*network));
    ASSERT_TRUE(again.ok()) << again.status();
    auto built = Build(*again, {});
    ASSERT_TRUE(built.ok()) << built.status();
    EXPECT_EQ(ParameterNames(*built), ParameterNames(BuildZoo(name)));
  }
}

// Checks that the example in layers/README.md builds, and that the overrides of fields that are
// shown there work.
TEST(Readme, ExampleBuilds) {
  std::ifstream file("layers/README.md");
  const std::string page((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const size_t begin = page.find("```\nname:") + 4;
  auto network = ParseNetwork(page.substr(begin, page.find("```", begin) - begin));
  ASSERT_TRUE(network.ok()) << network.status();
  for (const char* assignment :
       {"train.optimizer.sgd.learning_rate=0.05", "layer[fc].linear.bias=false",
        "layer[unit1].sequence.layer[conv].convolution.kernel=5",
        "train.optimizer.adamw={learning_rate: 0.001}"}) {
    EXPECT_EQ(ApplyOverride(*network, assignment), absl::OkStatus());
  }
  auto built = Build(*network, {});
  ASSERT_TRUE(built.ok()) << built.status();
  EXPECT_THAT(ParameterNames(*built), Contains("unit1.conv.weight"));
}

// Parsing and building a corrupted network text must end with a result or an error, never with a
// crash.
TEST(Robustness, MutatedTexts) {
  std::vector<std::string> texts;
  for (const std::string& name : ZooNames()) texts.push_back(*ZooText(name));
  std::mt19937 random(1);
  const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
  const std::string pieces[] = {"{",
                                "}",
                                "\"",
                                "$",
                                "-",
                                "0",
                                "9999999999",
                                "layer {",
                                "repeat: 100 ",
                                "nan",
                                "#",
                                "\n",
                                "input: \"input\" ",
                                "[",
                                "<",
                                "1e400"};
  int built = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string text = texts[below(texts.size())];
    for (size_t edits = 1 + below(3); edits > 0; --edits) {
      const size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text.erase(at, 1 + below(8));
          break;
        case 1:
          text.insert(at, pieces[below(std::size(pieces))]);
          break;
        case 2:
          text[at] = static_cast<char>(random());
          break;
        case 3:
          text.insert(at, text.substr(below(text.size()), below(40)));
          break;
      }
    }
    const auto network = ParseNetwork(text);
    if (network.ok()) {
      built += Build(*network, {}).ok();
    } else {
      EXPECT_THAT(std::string(network.status().message()), testing::StartsWith("network:"));
    }
  }
  EXPECT_GT(built, 100);
}

TEST(FindNetwork, ReadsFilesAndExplains) {
  EXPECT_EQ(
      std::string(FindNetwork("convnt").status().message()),
      "there is no network 'convnt'; did you mean 'convnet'?; a file's name has a '/' or a '.'");
  EXPECT_THAT(std::string(FindNetwork("./nothing.textproto").status().message()),
              HasSubstr("./nothing.textproto: cannot be read: No such file"));
  EXPECT_FALSE(FindNetwork("/").ok());
  const std::string directory = ::testing::TempDir();
  std::ofstream(directory + "/net.textproto") << "layer { linear {} }\nlayer { lnear {} }";
  EXPECT_EQ(std::string(FindNetwork("net.textproto", directory).status().message()),
            "net.textproto:2:9: 'layer' has no field 'lnear'; did you mean 'linear'?");
}

}  // namespace
}  // namespace cotangent::layers
