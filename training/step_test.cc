#include "training/step.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"
#include "tensor/onednn.h"
#include "training/explain.h"

namespace cotangent::training {
namespace {

using ::testing::HasSubstr;

constexpr char kNetwork[] = R"(
layer { name: "conv1" convolution { channels: 24 kernel: 2 weight_init { whiten { images: 100 } } } }
layer { name: "bn1" batch_norm {} }
layer { activation { kind: GELU } }
layer { max_pool { kernel: 3 } }
layer { dropout { rate: 0.2 } }
layer { name: "conv2" convolution { channels: 16 kernel: 3 padding: SAME bias: false } }
layer { name: "bn2" batch_norm {} }
layer { activation { kind: RELU } }
layer { global_average_pool {} }
layer { name: "fc" linear {} }
loss { softmax_cross_entropy { label_smoothing: 0.1 } }
train {
  batch_size: 16
  optimizer { sgd { learning_rate: 0.01 momentum: 0.9 } clip_norm: 5 ema {} group { pattern: "fc.bias" freeze_after { steps: 3 } } }
}
)";

class TrainingStepTest : public ::testing::Test {
 protected:
  void SetUp() override {
    SetThreads(1);
    network_ = layers::ParseNetwork(kNetwork).value();
  }

  std::unique_ptr<TrainingStep> Make(ElementType precision = ElementType::kF32) {
    StepOptions options;
    options.precision = precision;
    absl::StatusOr<std::unique_ptr<TrainingStep>> step =
        StepOnNoise(network_, 10, 400, options, &tuner_);
    EXPECT_TRUE(step.ok()) << step.status();
    return *std::move(step);
  }

  layers::Network network_;
  layers::Tuner tuner_{1};
};

TEST_F(TrainingStepTest, ALossFallsOnABatchSeenAgain) {
  auto step = Make();
  const float first = step->Run(0).loss;
  TrainingStep::Outcome last;
  for (int i = 1; i < 3; ++i) last = step->Run(i);
  EXPECT_TRUE(last.finite);
  EXPECT_LT(last.loss, first);
}

TEST_F(TrainingStepTest, AFrozenParameterStaysAndItsGradientIsNoLongerMade) {
  auto step = Make();
  EXPECT_EQ(step->PreparedUntil(), 3);
  for (int i = 0; i < 3; ++i) step->Run(i);
  layers::ParameterStore& store = step->store();
  const layers::ParameterStore::Slot& slot = *store.FindParameter("fc.bias");
  const std::vector<float> bias(store.values() + slot.offset,
                                store.values() + slot.offset + slot.size);
  ASSERT_TRUE(step->Prepare(3).ok());
  EXPECT_GT(step->PreparedUntil(), 1000000);
  FillWithNoise(step->images(), 16 * 3 * 32 * 32);
  FillWithNoise(step->labels(), 16, 10);
  std::fill_n(store.gradients() + slot.offset, slot.size, 42.0f);
  EXPECT_TRUE(step->Run(3).finite);
  EXPECT_EQ(
      std::vector<float>(store.values() + slot.offset, store.values() + slot.offset + slot.size),
      bias);
  EXPECT_EQ(store.gradients()[slot.offset], 42.0f);
}

TEST_F(TrainingStepTest, AStepThatIsNotFiniteChangesNothingAndIsExplained) {
  auto step = Make();
  layers::ParameterStore& store = step->store();
  step->Run(0);
  float& image = step->images()[7];
  const float before = image;
  image = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> values(store.values(), store.values() + store.parameter_floats()),
      states(store.state_values(), store.state_values() + store.state_floats());
  EXPECT_FALSE(step->Run(1).finite);
  EXPECT_EQ(std::vector<float>(store.values(), store.values() + store.parameter_floats()), values);
  EXPECT_EQ(std::vector<float>(store.state_values(), store.state_values() + store.state_floats()),
            states);
  EXPECT_EQ(step->FindNonFinite(1), "the batch of images");
  image = before;
  // A filter so large that the layer's sums overflow, though it is finite itself.
  const layers::ParameterStore::Slot& slot = *store.FindParameter("conv2.weight");
  std::fill_n(store.values() + slot.offset, slot.size, 3e38f);
  EXPECT_FALSE(step->Run(1).finite);
  EXPECT_THAT(step->FindNonFinite(1), HasSubstr("conv2"));
}

TEST_F(TrainingStepTest, AnOverflowInBf16IsExplained) {
  if (!tensor::onednn::Bf16Available()) GTEST_SKIP() << "this processor has no bf16 arithmetic";
  auto step = Make(ElementType::kBf16);
  EXPECT_TRUE(step->Run(0).finite);
  layers::ParameterStore& store = step->store();
  const layers::ParameterStore::Slot& slot = *store.FindParameter("conv2.weight");
  // Finite in f32, beyond the largest number of bf16 (3.3895e38).
  std::fill_n(store.values() + slot.offset, slot.size, 3.4e38f);
  EXPECT_FALSE(step->Run(1).finite);
  EXPECT_EQ(step->FindNonFinite(1), "the result of layer conv2 (convolution)");
}

// Residual blocks as ResNets have them, with and without a projection.
constexpr char kResidual[] = R"(
block {
  name: "basic"
  parameter: "channels"
  parameter: "stride"
  layer { name: "conv1" convolution { channels: $channels kernel: 3 stride: $stride pad: 1 bias: false } }
  layer { name: "bn1" batch_norm {} }
  layer { name: "act1" activation { kind: GELU } }
  layer { name: "conv2" convolution { channels: $channels kernel: 3 pad: 1 bias: false } }
  layer { name: "bn2" batch_norm {} }
}
layer { name: "conv" convolution { channels: 16 kernel: 3 pad: 1 } }
layer { name: "act" activation { kind: RELU } }
layer { name: "block1" use { block: "basic" with: "channels=16, stride=1" } }
layer { name: "add1" input: "block1" input: "act" add {} }
layer { name: "out1" activation { kind: RELU } }
layer { name: "block2" use { block: "basic" with: "channels=32, stride=2" } }
layer { name: "project" input: "out1" convolution { channels: 32 kernel: 1 stride: 2 } }
layer { name: "add2" input: "block2" input: "project" add {} }
layer { name: "out2" activation { kind: RELU } }
layer { global_average_pool {} }
layer { name: "fc" linear {} }
train { batch_size: 16 optimizer { sgd { learning_rate: 0.01 momentum: 0.9 } } }
)";

TEST_F(TrainingStepTest, ActivationsComputedAgainGiveTheSameBitsInLessMemory) {
  network_ = layers::ParseNetwork(kResidual).value();
  auto kept = Make();
  StepOptions options;
  options.choices = kept->choices();
  network_.mutable_train()->set_recompute(true);
  auto again = StepOnNoise(network_, 10, 400, options, &tuner_).value();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(kept->Run(i).loss, again->Run(i).loss);
  const auto values = [](TrainingStep& step) {
    const layers::ParameterStore& store = step.store();
    return std::vector<float>(store.values(), store.values() + store.parameter_floats());
  };
  EXPECT_EQ(values(*kept), values(*again));
  EXPECT_LT(again->plan().arena_bytes(), 0.95 * static_cast<double>(kept->plan().arena_bytes()));
}

TEST_F(TrainingStepTest, WhiteningLooksAtTheImages) {
  auto step = Make();
  const data::Dataset images = data::LoadDataset("sample", "", data::Split::kTrain).value();
  layers::ParameterStore& store = step->store();
  const layers::ParameterStore::Slot& slot = *store.FindParameter("conv1.weight");
  const float without = store.values()[slot.offset];
  ASSERT_TRUE(step->Initialise(&images, data::ComputeNormalization(images)).ok());
  EXPECT_NE(store.values()[slot.offset], without);
  // The second half of the filters is the first, negated.
  EXPECT_EQ(store.values()[slot.offset], -store.values()[slot.offset + slot.size / 2]);
}

TEST_F(TrainingStepTest, ClassesMustBeThoseOfTheData) {
  network_.mutable_input()->set_classes(5);
  EXPECT_THAT(std::string(StepOnNoise(network_, 10, 400, {}, &tuner_).status().message()),
              HasSubstr("5 classes"));
}

// Where no layer looks at its batch, four batches of 4 are one of 16.
TEST_F(TrainingStepTest, AccumulatedBatchesAreTheLargerBatch) {
  constexpr int64_t kFloats = 3 * 32 * 32, kParts = 4, kPart = 4;
  const layers::Network plain = *layers::ParseNetwork(R"(
layer { name: "conv" convolution { channels: 8 kernel: 3 stride: 2 } }
layer { activation { kind: GELU } }
layer { name: "fc" linear {} }
train { batch_size: 16 optimizer { sgd { learning_rate: 0.1 momentum: 0.9 } } }
)");
  std::vector<float> images(kParts * kPart * kFloats);
  std::vector<int32_t> labels(kParts * kPart);
  FillWithNoise(images.data(), static_cast<int64_t>(images.size()));
  FillWithNoise(labels.data(), static_cast<int64_t>(labels.size()), 10);
  network_ = plain;
  auto whole = Make();
  network_.mutable_train()->set_batch_size(kPart);
  network_.mutable_train()->set_accumulate(kParts);
  auto parts = Make();
  ASSERT_EQ(parts->parts(), kParts);
  for (int64_t n = 0; n < 3; ++n) {
    std::copy(images.begin(), images.end(), whole->images());
    std::copy(labels.begin(), labels.end(), whole->labels());
    const float loss = whole->Run(n).loss;
    for (int64_t part = 0; part < kParts; ++part) {
      std::copy_n(images.data() + part * kPart * kFloats, kPart * kFloats, parts->images());
      std::copy_n(labels.data() + part * kPart, kPart, parts->labels());
      parts->RunPart(n, part);
    }
    EXPECT_NEAR(parts->Update(n).loss, loss, 1e-5 * std::abs(loss));
  }
  for (int64_t i = 0; i < whole->store().parameter_floats(); ++i)
    ASSERT_NEAR(parts->store().values()[i], whole->store().values()[i], 2e-5) << i;
}

}  // namespace
}  // namespace cotangent::training
