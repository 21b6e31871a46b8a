#include "training/attribution.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "layers/network/network_text.h"
#include "training/explain.h"

namespace cotangent::training {
namespace {

struct Trained {
  layers::Network network;
  std::unique_ptr<layers::ParameterStore> store;
};

Trained Make(const std::string& text, int64_t classes) {
  Trained trained = {*layers::ParseNetwork(text), nullptr};
  layers::BuildOptions options;
  options.batch_size = 1;
  options.training = false;
  options.classes = classes;
  const layers::BuiltNetwork built = *layers::Build(trained.network, options);
  trained.store = *layers::ParameterStore::Create(built.graph);
  InitialiseStore(built, 7, *trained.store);
  return trained;
}

TEST(Attribution, OfALinearNetworkIsWeightTimesInput) {
  Trained trained =
      Make("input { channels: 1 height: 2 width: 3 } layer { name: \"fc\" linear {} }", 4);
  layers::Tuner tuner(1);
  auto attributor = Attributor::Create(trained.network, 4, {}, *trained.store, tuner);
  ASSERT_TRUE(attributor.ok()) << attributor.status();
  const std::vector<float> image = {1, -2, 0.5, 3, 0, 0.25}, baseline = {0, 1, 0, 0, 0, -1};
  const Attribution found = (*attributor)->Attribute(image, baseline, 2);
  const float* const weights =
      trained.store->values() + trained.store->FindParameter("fc.weight")->offset;
  for (int i = 0; i < 6; ++i)
    EXPECT_NEAR(found.values[i], weights[2 * 6 + i] * (image[i] - baseline[i]), 1e-5);
  EXPECT_LT(found.Error(), 1e-4);
  EXPECT_EQ(found.steps, 200);
}

TEST(Attribution, SumsToTheChangeOfTheScore) {
  Trained trained = Make(R"(
input { channels: 3 height: 8 width: 8 }
layer { name: "conv1" convolution { channels: 8 kernel: 3 padding: SAME } }
layer { name: "bn" batch_norm {} }
layer { activation { kind: RELU } }
layer { max_pool { kernel: 2 } }
layer { dropout {} }
layer { name: "fc" linear {} }
)",
                         5);
  layers::Tuner tuner(1);
  auto attributor = Attributor::Create(trained.network, 5, {}, *trained.store, tuner);
  ASSERT_TRUE(attributor.ok()) << attributor.status();
  std::vector<float> image(3 * 64), baseline(3 * 64, -1.0f);
  FillWithNoise(image.data(), 3 * 64);
  for (int64_t k = 0; k < 5; ++k) {
    const Attribution found = (*attributor)->Attribute(image, baseline, k);
    EXPECT_LT(found.Error(), 0.01) << k;
    EXPECT_GT(std::abs(found.score - found.baseline_score), 1e-3);
  }
}

}  // namespace
}  // namespace cotangent::training
