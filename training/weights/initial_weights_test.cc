#include "training/weights/initial_weights.h"

#include <fstream>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/zoo/zoo.h"
#include "training/evaluation.h"
#include "training/step.h"

namespace cotangent::training {
namespace {

using ::testing::HasSubstr;

std::string Path(const std::string& name) { return "training/weights/testdata/" + name; }

// The same network as the class Small in tests/weights_from_pytorch/make_testdata.py.
constexpr char kSmallNetwork[] = R"(
  input { height: 8 width: 8 }
  layer { name: "conv1" convolution { channels: 4 kernel: 3 stride: 2 } }
  layer { name: "bn1" batch_norm {} }
  layer { activation { kind: RELU } }
  layer { global_average_pool {} }
  layer { name: "fc" linear {} })";

InitialWeights Read(const std::string& name, const std::vector<std::string>& maps = {}) {
  absl::StatusOr<InitialWeights> initial = ReadInitialWeights(Path(name), maps);
  EXPECT_TRUE(initial.ok()) << initial.status();
  return *std::move(initial);
}

struct Network {
  layers::Network text;
  std::unique_ptr<layers::ParameterStore> store;
};

Network Make(const std::string& text, int64_t classes) {
  Network network;
  network.text = *layers::ParseNetwork(text);
  layers::BuildOptions options;
  options.batch_size = 1;
  options.training = false;
  options.classes = classes;
  const layers::BuiltNetwork built = *layers::Build(network.text, options);
  network.store = *layers::ParameterStore::Create(built.graph);
  InitialiseStore(built, 1, *network.store);
  return network;
}

std::vector<float> Values(layers::ParameterStore& store, const std::string& name) {
  const auto* slot = store.FindParameter(name);
  return {store.values() + slot->offset, store.values() + slot->offset + slot->size};
}

TEST(InitialWeights, ANetworkAnswersAsInPyTorch) {
  // The logits that PyTorch computed in double precision; make_testdata.py prints them.
  const std::vector<double> expected = {0.3491958074614766, 0.18603990264090917,
                                        0.37413516098437294, -0.09800461437565026,
                                        0.10049566481602307};
  for (const char* name : {"small.pth", "small.safetensors"}) {
    Network network = Make(kSmallNetwork, 5);
    const auto report = TakeInitialWeights(Read(name), *network.store);
    ASSERT_TRUE(report.ok()) << report.status();
    EXPECT_THAT(*report, HasSubstr("8 of the network's 8 tensors taken"));
    EXPECT_THAT(*report, HasSubstr("taken  bn1    weight, bias\n"));
    EXPECT_THAT(*report, ::testing::Not(HasSubstr("num_batches_tracked")));
    layers::Tuner tuner(1);
    StepOptions options;
    auto evaluator = *Evaluator::Create(network.text, 5, 1, options, *network.store, tuner);
    for (int i = 0; i < 3 * 8 * 8; ++i)
      evaluator->images()[i] = static_cast<float>(37 * i % 101) / 50.0f - 1;
    const float* const logits = evaluator->Run();
    for (int k = 0; k < 5; ++k) EXPECT_NEAR(logits[k], expected[k], 1e-5) << name << k;
  }
}

TEST(InitialWeights, AHeadOfAnotherSizeIsMadeAnew) {
  Network network = Make(kSmallNetwork, 7);
  const std::vector<float> head = Values(*network.store, "fc.weight");
  const std::vector<float> conv = Values(*network.store, "conv1.weight");
  const auto report = TakeInitialWeights(Read("small.pth"), *network.store);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(*report, HasSubstr("does not fit  fc  weight [7, 4] ([5, 4] in the file), "
                                 "bias [7] ([5] in the file)"));
  EXPECT_EQ(Values(*network.store, "fc.weight"), head);
  EXPECT_NE(Values(*network.store, "conv1.weight"), conv);
}

TEST(InitialWeights, NamesAreMapped) {
  std::string text = kSmallNetwork;
  text.replace(text.find("\"conv1\""), 7, "\"stem\"");
  text.replace(text.find("\"fc\""), 4, "\"head\"");
  Network network = Make(text, 5);
  const auto report = TakeInitialWeights(
      Read("small.pth", {"conv1.*=stem.*", "fc.weight=head.weight"}), *network.store);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_THAT(*report, HasSubstr("weight (conv1.weight), bias (conv1.bias)"));
  EXPECT_THAT(*report, HasSubstr("not in the file  head  bias [5]"));
  EXPECT_THAT(*report, HasSubstr("no place here  fc  bias [5]"));
}

TEST(InitialWeights, AMapThatIsWrongIsAnError) {
  for (const char* text : {"", "a", "a=", "=b", "a.*=b", "a=b.*", "a.*.*=b.*.*", "a=b=c"})
    EXPECT_THAT(ParseNameMap(text).status().message(), HasSubstr("--map=")) << text;
  Network network = Make(kSmallNetwork, 5);
  EXPECT_THAT(
      TakeInitialWeights(Read("small.pth", {"stem.*=conv1.*"}), *network.store).status().message(),
      HasSubstr("no tensor of " + Path("small.pth") + " fits stem.*"));
  EXPECT_THAT(TakeInitialWeights(Read("small.pth", {"bn1.weight=bn1.bias"}), *network.store)
                  .status()
                  .message(),
              HasSubstr("would be bn1.bias; map only one of them to it"));
}

TEST(InitialWeights, NothingThatFitsIsAnError) {
  Network network = Make("layer { name: \"other\" linear {} }", 5);
  EXPECT_THAT(TakeInitialWeights(Read("small.pth"), *network.store).status().message(),
              HasSubstr("nothing of it fits"));
}

TEST(InitialWeights, NumbersThatAreNoneAreAnError) {
  const std::string header = R"({"fc.bias":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  bytes += header;
  for (const char* number : {"\0\0\0\0", "\0\0\xc0\x7f"}) bytes += std::string(number, 4);
  auto file = ParseSafetensorsWeights(bytes, "w.safetensors");
  ASSERT_TRUE(file.ok()) << file.status();
  Network network = Make("input { height: 2 width: 2 } layer { name: \"fc\" linear {} }", 2);
  const auto report = TakeInitialWeights({"w.safetensors", *std::move(file), {}}, *network.store);
  EXPECT_TRUE(absl::IsInvalidArgument(report.status()));
  EXPECT_THAT(report.status().message(),
              HasSubstr("w.safetensors: tensor fc.bias is not a number at [1]; expected"));
}

// NETWORK_names.txt has the names and shapes of a network's tensors in torchvision and timm, as
// PyTorch lists them.
TEST(InitialWeights, TheZoosResidualNetworksAreNamedAsInPyTorch) {
  for (const std::string network : {"resnet18", "resnet50"}) {
    std::ifstream lines(Path(network + "_names.txt"));
    std::map<std::string, std::vector<int64_t>> pytorch;
    for (std::string line; std::getline(lines, line);) {
      std::istringstream words(line);
      std::string name;
      words >> name;
      for (int64_t extent; words >> extent;) pytorch[name].push_back(extent);
    }
    layers::BuildOptions options;
    options.batch_size = 1;
    options.training = false;
    options.classes = 1000;
    const layers::BuiltNetwork built = *layers::Build(*layers::FindNetwork(network), options);
    const auto store = *layers::ParameterStore::Create(built.graph);
    size_t count = 0;
    for (const auto* slots : {&store->parameters(), &store->states()}) {
      for (const auto& slot : *slots) {
        ++count;
        const auto found = pytorch.find(slot.name);
        ASSERT_NE(found, pytorch.end()) << network << ": " << slot.name;
        // The resnet18 that is part of the program has a 3x3 filter here instead of 7x7, for small
        // images.
        if (network == "resnet18" && slot.name == "conv1.weight") continue;
        EXPECT_EQ(found->second, std::vector<int64_t>(slot.shape.begin(), slot.shape.end()))
            << network << ": " << slot.name;
      }
    }
    size_t counters = 0;
    for (const auto& [name, shape] : pytorch)
      counters += name.find("num_batches_tracked") != std::string::npos;
    EXPECT_EQ(count, pytorch.size() - counters) << network;
  }
}

}  // namespace
}  // namespace cotangent::training
