#include "inference/quantise/quantise.h"

#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/inference_file.h"
#include "inference/quantise/histogram.h"
#include "inference/trained_testing.h"
#include "tensor/convolution.h"
#include "training/evaluation.h"

namespace cotangent::inference {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kNetwork[] = R"(
  input { height: 10 width: 10 }
  layer { name: "conv1" convolution { channels: 16 kernel: 3 bias: false } }
  layer { name: "bn1" batch_norm {} } layer { activation { kind: RELU } }
  layer { name: "conv2" convolution { channels: 16 kernel: 3 } } layer { activation { kind: RELU } }
  layer { name: "fc" linear {} })";

data::Dataset Noise(int64_t size, int side) {
  data::Dataset dataset;
  dataset.height = dataset.width = side;
  dataset.labels.resize(size);
  uint64_t random = 1;
  for (int64_t i = 0; i < size * dataset.image_bytes(); ++i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    dataset.images.push_back(static_cast<uint8_t>(random >> 56));
  }
  return dataset;
}

absl::StatusOr<Calibration> CalibrateOn(const training::TrainedNetwork& trained,
                                        const data::Dataset& dataset,
                                        const CalibrationOptions& options = {}) {
  layers::Tuner tuner(1);
  return Calibrate(trained, dataset, options, tuner);
}

std::vector<float> Answers(const training::TrainedNetwork& trained, const data::Dataset& dataset) {
  static auto& tuner = *new layers::Tuner(1);  // all evaluators use the same implementations
  auto evaluator =
      *training::Evaluator::Create(trained.network, static_cast<int64_t>(trained.classes.size()),
                                   dataset.size(), {}, *trained.store, tuner, trained.quantisation);
  std::vector<float> answers;
  EXPECT_TRUE(evaluator
                  ->Evaluate(
                      dataset, trained.normalisation,
                      training::ViewsOf(layers::Train::Evaluation::NONE), [] { return false; },
                      &answers)
                  .ok());
  return answers;
}

double RelativeError(const std::vector<float>& a, const std::vector<float>& b) {
  double off = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    off += (a[i] - b[i]) * double{a[i] - b[i]};
    size += double{a[i]} * a[i];
  }
  return std::sqrt(off / size);
}

TEST(Quantise, CalibratesWritesAndReadsBack) {
  training::TrainedNetwork trained = MakeTrained(kNetwork, {"a", "b", "c"});
  const data::Dataset dataset = Noise(40, 10);
  const std::vector<float> before = Answers(trained, dataset);
  const absl::StatusOr<Calibration> calibration = CalibrateOn(trained, dataset);
  ASSERT_TRUE(calibration.ok()) << calibration.status();
  ASSERT_EQ(calibration->layers.size(), 2u);  // conv1 reads the images and is not quantised
  EXPECT_EQ(calibration->layers[0].layer, "conv2");
  EXPECT_EQ(calibration->layers[0].kept, "");
  EXPECT_GT(calibration->layers[0].error(), 1e-4);
  EXPECT_LT(calibration->layers[0].error(), 0.05);
  const layers::QuantisedLayer& conv2 = calibration->quantisation.at("conv2.weight");
  EXPECT_FALSE(conv2.in.is_signed);
  EXPECT_EQ(conv2.out, calibration->quantisation.at("fc.weight").in);
  EXPECT_EQ(calibration->quantisation.at("fc.weight").out.scale, 0);  // fc yields the result

  trained.quantisation = calibration->quantisation;
  const std::vector<float> quantised = Answers(trained, dataset);
  EXPECT_LT(RelativeError(before, quantised), 0.05);
  if (tensor::Int8Available()) {
    EXPECT_GT(RelativeError(before, quantised), 1e-5);
  }

  const std::string path = testing::TempDir() + "/int8.safetensors";
  ASSERT_TRUE(WriteInferenceFile(path, trained).ok());
  EXPECT_TRUE(absl::IsNotFound(training::OpenCheckpoint(path + ".none").status()));
  const auto found = training::OpenCheckpoint(path);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_GT(found->checkpoint.Find("conv2.weight")->rows, 0);
  EXPECT_EQ(found->checkpoint.Find("conv1.weight")->rows, 0);
  const auto loaded = training::LoadTrained(found->checkpoint, path);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_TRUE(loaded->quantisation == trained.quantisation);
  // The network that was written to a file and read again computes with the same integers: nothing
  // is rounded twice.
  if (tensor::Int8Available()) {
    EXPECT_EQ(Answers(*loaded, dataset), quantised);
  }
  const std::string again = testing::TempDir() + "/again.safetensors";
  ASSERT_TRUE(WriteInferenceFile(again, *loaded).ok());
  const auto twice = training::LoadTrained(training::OpenCheckpoint(again)->checkpoint, again);
  if (tensor::Int8Available()) {
    EXPECT_EQ(Answers(*twice, dataset), quantised);
  }
}

TEST(Quantise, KeepsWhatIsAskedForAndWhatErrs) {
  const training::TrainedNetwork trained = MakeTrained(kNetwork, {"a", "b", "c"});
  const data::Dataset dataset = Noise(20, 10);
  auto calibration = CalibrateOn(trained, dataset, {.keep = {"f*"}});
  ASSERT_TRUE(calibration.ok());
  EXPECT_EQ(calibration->layers[1].kept, "asked for");
  EXPECT_EQ(calibration->quantisation.size(), 1u);
  EXPECT_FALSE(KeepMore(*calibration));
  EXPECT_EQ(calibration->layers[0].kept, "accuracy");
  calibration = CalibrateOn(trained, dataset, {.most_error = 1e-6});
  ASSERT_TRUE(calibration.ok());
  EXPECT_TRUE(calibration->quantisation.empty());
  EXPECT_EQ(calibration->layers[0].kept, "its error");
}

TEST(Quantise, RefusesPicturesOfAnotherSize) {
  const training::TrainedNetwork trained = MakeTrained(kNetwork, {"a", "b", "c"});
  const absl::Status smaller = CalibrateOn(trained, Noise(4, 9)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(smaller));
  EXPECT_THAT(smaller.message(), HasSubstr("takes images of 3x10x10, the data set has 3x9x9"));
  EXPECT_THAT(smaller.message(), Not(HasSubstr("--")));
  const absl::Status none = CalibrateOn(trained, Noise(0, 10)).status();
  EXPECT_TRUE(absl::IsInvalidArgument(none));
  EXPECT_THAT(none.message(), HasSubstr("has no pictures"));
}

TEST(Quantise, NamesTheLayersThatMayBeKept) {
  const training::TrainedNetwork trained = MakeTrained(kNetwork, {"a", "b", "c"});
  const absl::Status unknown = CalibrateOn(trained, Noise(20, 10), {.keep = {"tail"}}).status();
  EXPECT_TRUE(absl::IsNotFound(unknown));
  EXPECT_THAT(unknown.message(), HasSubstr("no layer has the name \"tail\"; those that can be"));
  EXPECT_THAT(unknown.message(), Not(HasSubstr("--")));
}

TEST(Quantise, SaysWhenThereIsNothingToQuantise) {
  const auto calibration = CalibrateOn(
      MakeTrained("input { height: 4 width: 4 } layer { linear {} }", {"a", "b"}), Noise(4, 4));
  EXPECT_TRUE(absl::IsInvalidArgument(calibration.status()));
}

Histogram Shown(const std::vector<float>& numbers) {
  Histogram histogram;
  histogram.Measure(numbers.data(), static_cast<int64_t>(numbers.size()));
  histogram.Count(numbers.data(), static_cast<int64_t>(numbers.size()));
  return histogram;
}

TEST(Histogram, ErrorIsThatOfRounding) {
  std::vector<float> numbers;
  for (int i = 0; i < 100000; ++i) numbers.push_back(std::fabs(std::sin(0.37f * i)) * 3);
  for (const bool is_signed : {false, true}) {
    if (is_signed) numbers.push_back(-1);
    const Histogram::Choice choice = Shown(numbers).Choose(0);
    EXPECT_EQ(choice.scale.is_signed, is_signed);
    double off = 0, size = 0;
    const double most = is_signed ? 127 : 255;
    for (float x : numbers) {
      const double q = std::min<double>(std::nearbyint(x / choice.scale.scale), most);
      off += std::pow(x - q * choice.scale.scale, 2);
      size += double{x} * x;
    }
    EXPECT_NEAR(choice.error, std::sqrt(off / size), 0.1 * choice.error);
  }
}

// Clamping a single outlier costs less than a scale that is large enough for it.
TEST(Histogram, LeavesOutliersOut) {
  std::vector<float> numbers;
  for (int i = 0; i < 100000; ++i) numbers.push_back(static_cast<float>(i % 1000) / 1000);
  numbers.push_back(4);
  // The best limit L, to which larger magnitudes are clamped, minimises (4 - L)^2, the error of the
  // outlier, plus 1e5 (L / 255)^2 / 12, the rounding errors of the others.
  EXPECT_NEAR(Shown(numbers).Choose(0).scale.scale, 3.55f / 255, 0.1f / 255);
  EXPECT_NEAR(Shown(numbers).Choose(100).scale.scale, 4.0f / 255, 1e-6);
  EXPECT_NEAR(Shown(numbers).Choose(50).scale.scale, 0.5f / 255, 1e-4);
}

TEST(Histogram, ZerosHaveAScale) {
  const Histogram::Choice choice = Shown({0, 0, 0}).Choose(0);
  EXPECT_GT(choice.scale.scale, 0);
  EXPECT_EQ(choice.error, 0);
}

}  // namespace
}  // namespace cotangent::inference
