#include "training/step.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/graph/vjp.h"
#include "layers/network/network_text.h"
#include "layers/ops/convolution.h"
#include "layers/plan/assign.h"
#include "tensor/convolution.h"
#include "tensor/onednn.h"
#include "training/explain.h"

namespace cotangent::training {
namespace {

using ::testing::FloatNear;
using ::testing::HasSubstr;
using ::testing::Pointwise;

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
  // The weights of conv2 become numbers that are finite but so large that the convolution's sums
  // overflow.
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
  // 3.4e38 is finite in f32, but larger than the largest number of bf16 (3.3895e38).
  std::fill_n(store.values() + slot.offset, slot.size, 3.4e38f);
  EXPECT_FALSE(step->Run(1).finite);
  EXPECT_EQ(step->FindNonFinite(1), "the result of layer conv2 (convolution)");
}

// Residual blocks as in ResNets, with and without a projection (1x1 convolution) of the shortcut.
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

// An inverted residual block with squeeze-and-excitation, as in EfficientNet.
constexpr char kGated[] = R"(
layer { name: "stem" convolution { channels: 16 kernel: 3 pad: 1 bias: false } }
layer { name: "expand" convolution { channels: 48 kernel: 1 bias: false } }
layer { name: "bn1" batch_norm {} }
layer { name: "act1" activation { kind: SILU } }
layer { name: "depthwise" convolution { channels: 48 kernel: 3 pad: 1 groups: 48 bias: false } }
layer { name: "bn2" batch_norm {} }
layer { name: "act2" activation { kind: SILU } }
layer { name: "pool" global_average_pool {} }
layer { name: "gate" convolution { channels: 48 kernel: 1 } }
layer { name: "sigmoid" activation { kind: SIGMOID } }
layer { name: "gated" input: "act2" input: "sigmoid" multiply {} }
layer { name: "project" convolution { channels: 16 kernel: 1 bias: false } }
layer { name: "bn3" batch_norm {} }
layer { name: "add" input: "bn3" input: "stem" add {} }
layer { global_average_pool {} }
layer { name: "fc" linear {} }
train { batch_size: 16 optimizer { sgd { learning_rate: 0.01 momentum: 0.9 } } }
)";

constexpr char kDense[] = R"(
block {
  name: "unit"
  layer { name: "bn" batch_norm {} }
  layer { name: "relu" activation { kind: RELU } }
  layer { name: "conv" convolution { channels: 12 kernel: 3 pad: 1 bias: false } }
  layer { name: "concat" input: "input" input: "conv" concat {} }
}
layer { name: "conv" convolution { channels: 16 kernel: 3 stride: 2 pad: 1 bias: false } }
layer { name: "dense" repeat: 4 use { block: "unit" } }
layer { name: "bn" batch_norm {} }
layer { name: "relu" activation { kind: RELU } }
layer { global_average_pool {} }
layer { name: "fc" linear {} }
train { batch_size: 16 optimizer { sgd { learning_rate: 0.01 momentum: 0.9 } } }
)";

// Twelve blocks in sequence; the result of each can be recomputed from that of any earlier block.
constexpr char kDeep[] = R"(
block {
  name: "unit"
  layer { name: "conv" convolution { channels: 16 kernel: 3 pad: 1 } }
  layer { name: "pool" max_pool { kernel: 3 stride: 1 pad: 1 } }
  layer { name: "gelu" activation { kind: GELU } }
}
layer { name: "unit" repeat: 12 use { block: "unit" } }
layer { global_average_pool {} }
layer { name: "fc" linear {} }
train { batch_size: 16 optimizer { sgd { learning_rate: 0.01 momentum: 0.9 } } }
)";

// The gradients of a product of two recomputed tensors read one of them each.
constexpr char kAttention[] = R"(
layer { name: "patches" convolution { channels: 16 kernel: 4 stride: 4 } }
layer { name: "first" attention { heads: 2 } }
layer { name: "second" attention { heads: 1 } }
layer { global_average_pool {} }
layer { name: "fc" linear {} }
train { batch_size: 16 optimizer { sgd { learning_rate: 0.01 momentum: 0.9 } } }
)";

// Returns options that prescribe an algorithm for each convolution of the training step: the first
// that exists on this machine, instead of the one that is measured to be fastest. Winograd's
// method, which rounds more, is left out. If given, `of_images` is the layout in which the first
// convolution reads the images.
StepOptions WithFirstChoices(const layers::Network& network, ElementType precision,
                             std::optional<tensor::Layout> of_images = std::nullopt) {
  const absl::StatusOr<ResolvedNetwork> resolved = Resolve(network, {400, 10, 3, 32, 32});
  EXPECT_TRUE(resolved.ok()) << resolved.status();
  layers::Graph graph = resolved->built.graph;
  EXPECT_TRUE(layers::Gradient(graph, resolved->built.loss, graph.parameters()).ok());
  StepOptions options;
  options.precision = precision;
  for (const layers::Node& node : graph.nodes()) {
    if (!layers::IsConvolution(node.op)) continue;
    const std::vector<tensor::ConvolutionChoice> choices =
        tensor::Candidates(node.as<layers::ConvolutionAttributes>().shape,
                           layers::SidesOf(node).direction, precision, /*exact=*/true);
    const auto choice = std::find_if(choices.begin(), choices.end(), [&](const auto& c) {
      return !of_images.has_value() || layers::SidesOf(node).in != resolved->built.images ||
             c.in_layout == *of_images;
    });
    EXPECT_NE(choice, choices.end()) << layers::ChoiceKey(node);
    options.choices[layers::ChoiceKey(node)] = choice->ToString();
  }
  return options;
}

std::vector<float> ParametersOf(TrainingStep& step) {
  const layers::ParameterStore& store = step.store();
  return std::vector<float>(store.values(), store.values() + store.parameter_floats());
}

// Checks that a step that recomputes intermediate results instead of keeping them gives the same
// numbers and takes at most as much memory. Recomputed results have the same bits. But the plan
// (the compiled step) may compute a sum over a channel together with a recomputed result and then
// add in another order, so later losses can differ slightly.
TEST_F(TrainingStepTest, ResultsComputedAgainGiveTheSameNumbersInLessMemory) {
  for (const char* text : {kResidual, kGated, kDense, kDeep}) {
    for (const ElementType precision : {ElementType::kF32, ElementType::kBf16}) {
      if (precision == ElementType::kBf16 && !tensor::onednn::Bf16Available()) continue;
      SCOPED_TRACE(std::string(Name(precision)) + text);
      network_ = layers::ParseNetwork(text).value();
      network_.mutable_train()->set_recompute(false);
      const StepOptions options = WithFirstChoices(network_, precision);
      auto kept = StepOnNoise(network_, 10, 400, options, &tuner_).value();
      std::vector<float> losses;
      for (int i = 0; i < 3; ++i) losses.push_back(kept->Run(i).loss);
      const int64_t bytes = kept->plan().arena_bytes();
      const auto expect_same = [&](int64_t most_bytes) {
        const auto again = StepOnNoise(network_, 10, 400, options, &tuner_);
        ASSERT_TRUE(again.ok()) << again.status();
        EXPECT_EQ((*again)->Run(0).loss, losses[0]);
        const double tolerance = precision == ElementType::kF32 ? 1e-6 : 1e-4;
        // In the residual network in f32, the other order of addition does not change the losses.
        const bool is_exact = text == kResidual && precision == ElementType::kF32;
        for (int i = 1; i < 3; ++i)
          EXPECT_NEAR((*again)->Run(i).loss, losses[i], is_exact ? 0 : tolerance) << i;
        EXPECT_THAT(ParametersOf(**again),
                    Pointwise(FloatNear(static_cast<float>(tolerance)), ParametersOf(*kept)));
        EXPECT_LE((*again)->plan().arena_bytes(), most_bytes);
      };
      const bool is_mostly_cheap = text == kGated || text == kDense;
      network_.mutable_train()->clear_recompute();
      expect_same(is_mostly_cheap ? bytes * 96 / 100 : bytes);
      network_.mutable_train()->set_recompute(true);
      expect_same(is_mostly_cheap ? bytes * 96 / 100 : bytes);
      if (text != kDeep) continue;
      // With this memory limit, results of convolutions are recomputed, too.
      const int64_t kib = bytes * 7 / 10 / 1024, fixed = 1 << 20;
      network_.mutable_train()->set_memory(absl::StrCat(kib + fixed / 1024, "KiB"));
      expect_same(kib * 1024 + fixed);
    }
  }
}

// A run is the same to the bit whether the step takes images in the format that its first
// convolution reads (NHWC) or in NCHW, and whether a batch is made in one or the other format.
TEST_F(TrainingStepTest, ImagesAsTheyAreReadGiveTheSameBits) {
  constexpr int64_t kImages = 16, kPixels = 32 * 32;
  network_ = layers::ParseNetwork(kResidual).value();
  std::vector<float> nchw(kImages * 3 * kPixels), nhwc(nchw.size());
  FillWithNoise(nchw.data(), static_cast<int64_t>(nchw.size()));
  for (int64_t i = 0; i < kImages; ++i) {
    for (int64_t at = 0; at < 3 * kPixels; ++at)
      nhwc[(i * kPixels + at % kPixels) * 3 + at / kPixels] = nchw[i * 3 * kPixels + at];
  }
  std::vector<int32_t> labels(kImages);
  FillWithNoise(labels.data(), kImages, 10);
  StepOptions options = WithFirstChoices(network_, ElementType::kF32, tensor::Layout::kNhwc);
  auto plain = StepOnNoise(network_, 10, 400, options, &tuner_).value();
  options.images_as_read = true;
  auto as_read = StepOnNoise(network_, 10, 400, options, &tuner_).value();
  EXPECT_EQ(plain->image_format(), data::BatchFormat::kF32Nchw);
  EXPECT_EQ(as_read->image_format(), data::BatchFormat::kF32Nhwc);
  const data::Batch planes{nchw.data(), labels.data(), kImages, 0, 0},
      pixels{nhwc.data(), labels.data(), kImages, 0, 0};
  for (int i = 0; i < 4; ++i) {
    plain->RunParts(i, i % 2 == 0 ? planes : pixels,
                    i % 2 == 0 ? data::BatchFormat::kF32Nchw : data::BatchFormat::kF32Nhwc);
    as_read->RunParts(i, i < 2 ? planes : pixels,
                      i < 2 ? data::BatchFormat::kF32Nchw : data::BatchFormat::kF32Nhwc);
    EXPECT_EQ(as_read->Update(i).loss, plain->Update(i).loss) << i;
  }
  EXPECT_EQ(ParametersOf(*as_read), ParametersOf(*plain));
  EXPECT_EQ(as_read->PlainImages(), nchw);
  EXPECT_EQ(as_read->FindNonFinite(4), "the loss");  // everything is finite
}

TEST_F(TrainingStepTest, AMemoryBudgetThatCannotBeMetIsRefused) {
  network_ = layers::ParseNetwork(kDeep).value();
  const auto expect = [&](const char* memory, const char* message) {
    network_.mutable_train()->set_memory(memory);
    const absl::Status status = StepOnNoise(network_, 10, 400, {}, &tuner_).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message));
  };
  expect("much", "train.memory: found \"much\"; expected a number and its unit, \"4GiB\"");
  expect("-1GiB", "expected a number");
  expect(
      "1KiB",
      "train.memory: 1KiB are too little: weights, gradients and the optimizer's state alone take "
      "at least ");
  expect("1MiB",
         "are the least that was found, however much is computed again; most is needed at 'unit");
}

TEST_F(TrainingStepTest, AttentionMeetsAMemoryBudgetOrRefusesIt) {
  network_ = layers::ParseNetwork(kAttention).value();
  const StepOptions options = WithFirstChoices(network_, ElementType::kF32);
  auto kept = StepOnNoise(network_, 10, 400, options, &tuner_).value();
  const float loss = kept->Run(0).loss;
  const int64_t kib = kept->plan().arena_bytes() / 1024;
  int met = 0;
  for (int64_t percent = 10; percent <= 100; percent += 10) {
    SCOPED_TRACE(percent);
    network_.mutable_train()->set_memory(absl::StrCat(kib * percent / 100, "KiB"));
    const auto step = StepOnNoise(network_, 10, 400, options, &tuner_);
    if (!step.ok()) {
      EXPECT_THAT(std::string(step.status().message()), HasSubstr("train.memory"));
      continue;
    }
    ++met;
    EXPECT_FLOAT_EQ((*step)->Run(0).loss, loss);
    EXPECT_LE((*step)->plan().arena_bytes(), kib * percent / 100 * 1024);
  }
  EXPECT_GE(met, 1);
}

TEST_F(TrainingStepTest, WhiteningLooksAtTheImages) {
  auto step = Make();
  const data::Dataset images = data::LoadDataset("sample", "", data::Split::kTrain).value();
  layers::ParameterStore& store = step->store();
  const layers::ParameterStore::Slot& slot = *store.FindParameter("conv1.weight");
  const float without = store.values()[slot.offset];
  ASSERT_TRUE(step->Initialise(&images, data::ComputeNormalisation(images)).ok());
  EXPECT_NE(store.values()[slot.offset], without);
  // By whitening, the second half of the filters is the negated first half.
  EXPECT_EQ(store.values()[slot.offset], -store.values()[slot.offset + slot.size / 2]);
}

TEST_F(TrainingStepTest, ClassesMustBeThoseOfTheData) {
  network_.mutable_input()->set_classes(5);
  EXPECT_THAT(std::string(StepOnNoise(network_, 10, 400, {}, &tuner_).status().message()),
              HasSubstr("5 classes"));
}

// If no layer computes with the whole batch, as batch_norm does, four accumulated batches of 4
// images give the same update as one batch of 16. With a loss that weights classes this also holds
// if the batches have different sums of weights, even the sum 0.
class AccumulationTest : public TrainingStepTest,
                         public testing::WithParamInterface<const char*> {};

TEST_P(AccumulationTest, IsTheLargerBatch) {
  constexpr int64_t kFloats = 3 * 32 * 32, kParts = 4, kPart = 4, kClasses = 10;
  network_ = *layers::ParseNetwork(absl::StrCat(R"(
layer { name: "conv" convolution { channels: 8 kernel: 3 stride: 2 } }
layer { activation { kind: GELU } }
layer { name: "fc" linear {} }
train { batch_size: 16 optimizer { sgd { learning_rate: 0.1 momentum: 0.9 } } }
)",
                                                GetParam()));
  std::vector<float> images(kParts * kPart * kFloats);
  FillWithNoise(images.data(), static_cast<int64_t>(images.size()));
  std::vector<int32_t> labels(kParts * kPart);
  FillWithNoise(labels.data(), static_cast<int64_t>(labels.size()), kClasses);
  std::fill_n(labels.begin() + kPart, kPart, 3);  // a class of weight 0 or little, below
  std::vector<float> values(labels.size() * kClasses);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i % 3 == 0 ? 1.0f : 0.0f;
  auto whole = Make();
  network_.mutable_train()->set_batch_size(kPart);
  network_.mutable_train()->set_accumulate(kParts);
  auto parts = Make();
  ASSERT_EQ(parts->parts(), kParts);
  for (int64_t n = 0; n < 3; ++n) {
    std::copy(images.begin(), images.end(), whole->images());
    if (whole->takes_values()) {
      std::copy(values.begin(), values.end(), static_cast<float*>(whole->targets()));
    } else {
      std::copy(labels.begin(), labels.end(), whole->labels());
    }
    const float loss = whole->Run(n).loss;
    const void* const targets =
        whole->takes_values() ? static_cast<void*>(values.data()) : labels.data();
    parts->RunParts(n, {images.data(), targets, kParts * kPart, 0, n}, data::BatchFormat::kF32Nchw);
    EXPECT_NEAR(parts->Update(n).loss, loss, 1e-5 * std::abs(loss));
  }
  for (int64_t i = 0; i < whole->store().parameter_floats(); ++i)
    ASSERT_NEAR(parts->store().values()[i], whole->store().values()[i], 2e-5) << i;
}

INSTANTIATE_TEST_SUITE_P(
    All, AccumulationTest,
    testing::Values("", "loss { hinge {} }", "loss { binary_cross_entropy {} }",
                    "loss { softmax_cross_entropy { class_weight: [1, 9, 0.1, 0, 5, 1, 2, 1, 8, 3] "
                    "} }",
                    "loss { softmax_cross_entropy { class_weight: [1, 9, 0.1, 0.2, 5, 1, 2, 1, 8, "
                    "3] label_smoothing: 0.1 } }"));

}  // namespace
}  // namespace cotangent::training
