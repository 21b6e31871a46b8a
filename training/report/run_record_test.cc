#include "training/report/run_record.h"

#include <map>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"

namespace cotangent::training::report {
namespace {

using ::testing::ElementsAre;

TEST(LayersOf, NamesWhatFeedsEachLayer) {
  const auto text = layers::ParseNetwork(R"(
input { channels: 1 height: 8 width: 8 }
layer { name: "a" convolution { channels: 4 kernel: 3 padding: SAME } }
layer { name: "b" convolution { channels: 4 kernel: 3 padding: SAME } }
layer { name: "sum" input: "a" input: "b" add {} }
layer { name: "fc" linear {} }
)");
  ASSERT_TRUE(text.ok()) << text.status();
  layers::BuildOptions options;
  options.batch_size = 2;
  options.training = true;
  options.classes = 3;
  const auto built = layers::Build(*text, options);
  ASSERT_TRUE(built.ok()) << built.status();
  std::map<std::string, std::vector<std::string>> inputs;
  for (const LayerLine& layer : LayersOf(*built)) inputs[layer.name] = layer.inputs;
  EXPECT_THAT(inputs["input"], ElementsAre());
  EXPECT_THAT(inputs["a"], ElementsAre("input"));
  EXPECT_THAT(inputs["b"], ElementsAre("a"));
  EXPECT_THAT(inputs["sum"], ElementsAre("a", "b"));
  EXPECT_THAT(inputs["fc"], ElementsAre("sum"));
}

}  // namespace
}  // namespace cotangent::training::report
