#include "data/pipeline.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <optional>
#include <set>
#include <vector>

#include "data/augmentation/link_of.h"
#include "data/fit.h"
#include "data/image_file.h"
#include "data/sources/cifar.h"
#include "data/sources/source.h"
#include "data/views.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::HasSubstr;

const Dataset& Sample() {
  static const Dataset* const sample =
      new Dataset(LoadDataset("sample", "", Split::kTrain).value());
  return *sample;
}

PipelineOptions Augmented(int batch_size) {
  PipelineOptions options;
  options.batch_size = batch_size;
  options.seed = 5;
  options.augmentation = {.flip = Flip::kRandom, .crop_padding = 4, .cutout = 8};
  options.normalisation = kCifar10Normalisation;
  return options;
}

struct Copy {
  std::vector<char> images;
  std::vector<int32_t> labels;
  bool operator==(const Copy&) const = default;
};

Copy Make(BatchMaker& maker, int64_t epoch, int64_t index) {
  Copy copy;
  copy.images.resize(maker.image_bytes());
  copy.labels.resize(maker.options().batch_size, -1);
  EXPECT_TRUE(maker.MakeBatch(epoch, index, copy.images.data(), copy.labels.data()).ok());
  return copy;
}

// Returns a data set of `size` images. The first two bytes of each image are the image's number,
// low byte first.
Dataset Numbered(int size) {
  Dataset dataset;
  dataset.name = "numbered";
  dataset.height = dataset.width = 2;
  dataset.images.resize(size * 12);
  dataset.labels.resize(size);
  for (int i = 0; i < size; ++i) {
    dataset.images[i * 12] = i & 255;
    dataset.images[i * 12 + 1] = i >> 8;
    dataset.labels[i] = i % 10;
  }
  return dataset;
}

std::vector<int> ImagesOfEpoch(const Dataset& dataset, const PipelineOptions& options,
                               int64_t epoch) {
  BatchMaker maker = BatchMaker::Create(&dataset, options).value();
  std::vector<int> images;
  std::vector<float> pixels(options.batch_size * 12);
  std::vector<int32_t> labels(options.batch_size);
  for (int64_t index = 0; index < maker.batches_per_epoch(); ++index) {
    EXPECT_TRUE(maker.MakeBatch(epoch, index, pixels.data(), labels.data()).ok());
    for (int i = 0; i < maker.SizeOf(index); ++i) {
      const float* image = &pixels[i * 12];
      images.push_back(static_cast<int>(image[0] * 255 + 0.5f) +
                       256 * static_cast<int>(image[1] * 255 + 0.5f));
      EXPECT_EQ(labels[i], images.back() % 10);
    }
  }
  return images;
}

TEST(BatchMakerTest, AnEpochIsAPermutation) {
  const Dataset dataset = Numbered(1003);
  PipelineOptions options;
  options.batch_size = 10;
  options.drop_last = false;
  std::vector<int> first = ImagesOfEpoch(dataset, options, 0),
                   second = ImagesOfEpoch(dataset, options, 1);
  EXPECT_EQ(first.size(), 1003);
  EXPECT_NE(first, second);
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  for (int i = 0; i < 1003; ++i) EXPECT_EQ(first[i], i);
  EXPECT_EQ(first, second);

  options.drop_last = true;
  const std::vector<int> dropped = ImagesOfEpoch(dataset, options, 0);
  EXPECT_EQ(dropped.size(), 1000);
  EXPECT_EQ(std::set<int>(dropped.begin(), dropped.end()).size(), 1000);
}

TEST(BatchMakerTest, EveryImageComesAtEveryPlace) {
  // Counts, over 4000 epochs, at which of the 4 positions of the epoch image 0 comes. Each count is
  // expected to be 1000; its standard deviation is 27.
  const Dataset dataset = Numbered(4);
  std::vector<int> count(4);
  for (int epoch = 0; epoch < 4000; ++epoch) {
    const std::vector<int> images = ImagesOfEpoch(dataset, {.batch_size = 4}, epoch);
    ++count[std::find(images.begin(), images.end(), 0) - images.begin()];
  }
  EXPECT_THAT(count, ::testing::Each(::testing::AllOf(::testing::Gt(870), ::testing::Lt(1130))));
}

TEST(BatchMakerTest, WithoutShufflingInOrderWithAShortLastBatch) {
  const Dataset dataset = Numbered(25);
  const PipelineOptions options = EvaluationOptions(10, Normalisation(), BatchFormat::kF32Nchw);
  const std::vector<int> images = ImagesOfEpoch(dataset, options, 0);
  ASSERT_EQ(images.size(), 25);
  for (int i = 0; i < 25; ++i) EXPECT_EQ(images[i], i);
  EXPECT_EQ(BatchMaker::Create(&dataset, options)->SizeOf(2), 5);
  // A data set with fewer images than the batch size gives one small batch.
  const PipelineOptions wide = EvaluationOptions(100, Normalisation(), BatchFormat::kF32Nchw);
  EXPECT_EQ(ImagesOfEpoch(dataset, wide, 0).size(), 25);
}

TEST(BatchMakerTest, ABatchIsAFunctionOfSeedEpochAndIndex) {
  BatchMaker maker = BatchMaker::Create(&Sample(), Augmented(32)).value();
  BatchMaker other = BatchMaker::Create(&Sample(), Augmented(32)).value();
  const Copy batch = Make(maker, 3, 5);
  for (auto [epoch, index] : {std::pair(0, 0), std::pair(3, 4), std::pair(9, 5)}) {
    EXPECT_FALSE(Make(other, epoch, index) == batch);
  }
  EXPECT_TRUE(Make(other, 3, 5) == batch);
  PipelineOptions reseeded = Augmented(32);
  reseeded.seed = 6;
  BatchMaker another = BatchMaker::Create(&Sample(), reseeded).value();
  EXPECT_FALSE(Make(another, 3, 5) == batch);
}

TEST(BatchMakerTest, AnImageIsPlacedAlikeInBatchesOfAnySize) {
  BatchMaker large = BatchMaker::Create(&Sample(), Augmented(64)).value();
  BatchMaker small = BatchMaker::Create(&Sample(), Augmented(32)).value();
  const Copy whole = Make(large, 2, 1), first = Make(small, 2, 2), second = Make(small, 2, 3);
  std::vector<char> joined = first.images;
  joined.insert(joined.end(), second.images.begin(), second.images.end());
  EXPECT_EQ(whole.images, joined);
}

TEST(BatchMakerTest, SharesOfRanksAreTheBatchOfOneMachine) {
  constexpr int kRanks = 3;
  PipelineOptions options = Augmented(12);
  BatchMaker whole = BatchMaker::Create(&Sample(), options).value();
  const Copy expected = Make(whole, 2, 5);
  options.ranks = kRanks;
  Copy joined;
  for (options.rank = 0; options.rank < kRanks; ++options.rank) {
    BatchMaker maker = BatchMaker::Create(&Sample(), options).value();
    EXPECT_EQ(maker.batches_per_epoch(), whole.batches_per_epoch());
    ASSERT_EQ(maker.SizeOf(5), 4);
    const Copy share = Make(maker, 2, 5);
    joined.images.insert(joined.images.end(), share.images.begin(), share.images.end());
    joined.labels.insert(joined.labels.end(), share.labels.begin(), share.labels.begin() + 4);
  }
  EXPECT_EQ(joined, expected);
}

TEST(BatchMakerTest, RanksThatDoNotDivideABatchAreRefused) {
  PipelineOptions options = Augmented(16);
  options.ranks = 3;
  EXPECT_THAT(std::string(BatchMaker::Create(&Sample(), options).status().message()),
              HasSubstr("the ranks must divide full batches"));
}

TEST(BatchMakerTest, ViewsAreMirroredAndShifted) {
  const auto views =
      ViewMaker::Create(&Sample(), EvaluationOptions(64, Normalisation(), BatchFormat::kF32Nchw))
          .value();
  std::vector<float> images(64 * Sample().image_bytes());
  const auto pixel = [&](int image, int y, int x) {
    return images[image * 3072 + y * 32 + x] * 255;
  };
  // Batch 6, the last one, holds images 384 to 399.
  for (int batch = 0; batch <= 6; ++batch) ASSERT_TRUE(views->Next().ok());
  EXPECT_EQ(views->size(), 16);
  views->Write({.dy = -1, .dx = -1, .flip = true}, images.data());
  const auto* const labels = static_cast<const int32_t*>(views->targets());
  const uint8_t* source = Sample().image(399);
  EXPECT_EQ(labels[15], Sample().labels[399]);
  EXPECT_NEAR(pixel(15, 10, 10), source[9 * 32 + 20], 1e-3);
  EXPECT_NEAR(pixel(15, 0, 31), source[1 * 32 + 1], 1e-3);  // reflected in both directions
}

TEST(BatchMakerTest, OptionsThatDoNotFit) {
  const auto message = [](PipelineOptions options) {
    return std::string(BatchMaker::Create(&Sample(), options).status().message());
  };
  EXPECT_THAT(message({.batch_size = 0}), HasSubstr("batch size is 0"));
  EXPECT_THAT(message({.batch_size = -3}), HasSubstr("batch size is -3"));
  EXPECT_THAT(message({.batch_size = 401}), HasSubstr("only 400 images"));
  EXPECT_THAT(message({.batch_size = 4, .buffers = 1}), HasSubstr("at least 2"));
  EXPECT_THAT(message({.batch_size = 4, .augmentation = {.crop_padding = 99}}),
              HasSubstr("padding"));
  EXPECT_THAT(message({.batch_size = 4, .normalisation = {.deviation = {1, 0, 1}}}),
              HasSubstr("above 0"));
  const Dataset empty;
  EXPECT_FALSE(BatchMaker::Create(&empty, {}).ok());
}

// The parameter of these tests is the number of buffers.
class PipelineTest : public ::testing::TestWithParam<int> {};

TEST_P(PipelineTest, GivesWhatTheMakerMakes) {
  PipelineOptions options = Augmented(48);  // 8 batches per epoch
  options.buffers = GetParam();
  BatchMaker maker = BatchMaker::Create(&Sample(), options).value();
  const auto pipeline = Pipeline::Create(&Sample(), options).value();
  ASSERT_EQ(pipeline->batches_per_epoch(), 8);
  std::set<const void*> places;
  for (int step = 0; step < 20; ++step) {
    const Pipeline::Batch batch = pipeline->Next();
    EXPECT_EQ(batch.epoch, step / 8);
    EXPECT_EQ(batch.index, step % 8);
    EXPECT_EQ(batch.size, 48);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(batch.images) % 64, 0);
    const Copy expected = Make(maker, batch.epoch, batch.index);
    EXPECT_EQ(std::memcmp(batch.images, expected.images.data(), expected.images.size()), 0);
    EXPECT_TRUE(std::equal(expected.labels.begin(), expected.labels.end(), batch.labels()));
    places.insert(batch.images);
  }
  EXPECT_EQ(places.size(), options.workers + GetParam());
}

TEST_P(PipelineTest, SeeksAnywhere) {
  PipelineOptions options = Augmented(48);
  options.buffers = GetParam();
  BatchMaker maker = BatchMaker::Create(&Sample(), options).value();
  const auto pipeline = Pipeline::Create(&Sample(), options).value();
  for (int round = 0; round < 50; ++round) {
    const int64_t epoch = round % 7, index = (round * 5) % 8;
    pipeline->Seek(epoch, index);
    for (int step = 0; step < round % 4; ++step) {
      const Pipeline::Batch batch = pipeline->Next();
      EXPECT_EQ(batch.epoch * 8 + batch.index, epoch * 8 + index + step);
      const Copy expected = Make(maker, batch.epoch, batch.index);
      EXPECT_EQ(std::memcmp(batch.images, expected.images.data(), expected.images.size()), 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Buffers, PipelineTest, ::testing::Values(2, 3, 5));

TEST(PipelineTest, ShortLastBatchesAndThenTheNextEpoch) {
  const Dataset dataset = Numbered(25);
  const auto pipeline =
      Pipeline::Create(&dataset, EvaluationOptions(10, Normalisation(), BatchFormat::kF32Nhwc))
          .value();
  std::vector<int> sizes;
  for (int step = 0; step < 6; ++step) sizes.push_back(pipeline->Next().size);
  EXPECT_THAT(sizes, ::testing::ElementsAre(10, 10, 5, 10, 10, 5));
}

TEST(BalancedSampling, ShowsEveryClassEquallyOften) {
  // There are 100 images of class 0, 10 of class 1, 3 of class 2, and none of class 3.
  Dataset dataset = Numbered(113);
  dataset.classes = {"a", "b", "c", "d"};
  for (int i = 0; i < 113; ++i) dataset.labels[i] = i < 100 ? 0 : i < 110 ? 1 : 2;
  PipelineOptions options;
  options.batch_size = 113;
  options.balance_classes = true;
  BatchMaker maker = *BatchMaker::Create(&dataset, options);
  std::vector<int> first_counts;
  for (int64_t epoch = 0; epoch < 3; ++epoch) {
    const Copy batch = Make(maker, epoch, 0);
    std::vector<int> of_class(4), of_image(113);
    for (int i = 0; i < 113; ++i) {
      ++of_class[batch.labels[i]];
      float byte;
      std::memcpy(&byte, batch.images.data() + int64_t{i} * 12 * 4, 4);
      ++of_image[std::lround(255 * byte)];
    }
    // The epoch has 113 = 3 * 37 + 2 images of three classes, so each class has 37 or 38.
    for (int k = 0; k < 3; ++k) {
      EXPECT_GE(of_class[k], 37);
      EXPECT_LE(of_class[k], 38);
    }
    EXPECT_EQ(of_class[3], 0);
    // Images of one class are used equally often, or some of them once more than the others.
    EXPECT_LE(*std::max_element(of_image.begin(), of_image.begin() + 100), 1);
    const auto [least, most] = std::minmax_element(of_image.begin() + 110, of_image.end());
    EXPECT_LE(*most - *least, 1);
    if (epoch == 1) {
      EXPECT_NE(of_image, first_counts);
    }
    if (epoch == 0) first_counts = of_image;
  }
}

TEST(BalancedSampling, AugmentsCopiesAnew) {
  Dataset dataset = Sample();
  // Only image 7 is of class 0, so it is repeated often; all others are of class 1.
  std::fill(dataset.labels.begin(), dataset.labels.end(), 1);
  dataset.labels[7] = 0;
  PipelineOptions options = Augmented(static_cast<int>(dataset.size()));
  options.balance_classes = true;
  options.augmentation.chain = {LinkOf("brightness { amount: 0.5 }")};
  BatchMaker maker = *BatchMaker::Create(&dataset, options);
  const Copy batch = Make(maker, 0, 0);
  const int64_t bytes = dataset.image_bytes() * 4;
  std::set<std::vector<char>> different;
  for (int i = 0; i < dataset.size(); ++i) {
    if (batch.labels[i] == 0)
      different.emplace(batch.images.begin() + i * bytes, batch.images.begin() + (i + 1) * bytes);
  }
  EXPECT_GT(different.size(), 190);
}

TEST(Transforms, AreTheSameWhoeverMakesTheBatch) {
  PipelineOptions options = Augmented(40);
  options.augmentation.chain = {LinkOf("random_resized_crop {}"), LinkOf("vertical_flip {}"),
                                LinkOf("trivial_augment {}")};
  BatchMaker maker = *BatchMaker::Create(&Sample(), options);
  auto pipeline = *Pipeline::Create(&Sample(), options);
  pipeline->Seek(2, 5);
  const Pipeline::Batch ahead = pipeline->Next();
  Make(maker, 0, 1);
  const Copy batch = Make(maker, 2, 5);
  EXPECT_EQ(std::memcmp(ahead.images, batch.images.data(), batch.images.size()), 0);
}

// Reads the images of the source "sample" when they are needed. Image number `bad` cannot be read.
class SampleReader : public ImageReader {
 public:
  explicit SampleReader(int64_t bad = -1) : bad_(bad) {}
  absl::Status Read(int64_t index, uint8_t* image) const override {
    if (index == bad_) return absl::InvalidArgumentError("bad picture");
    std::copy_n(Sample().image(index), Sample().image_bytes(), image);
    return absl::OkStatus();
  }

 private:
  const int64_t bad_;
};

Dataset ReadSample(int64_t bad = -1) {
  Dataset dataset = Sample();
  dataset.images.clear();
  dataset.reader = std::make_shared<SampleReader>(bad);
  return dataset;
}

// A batch whose targets have the format TargetFormat::kValues.
struct Valued {
  std::vector<float> images, targets;
  bool operator==(const Valued&) const = default;
};
Valued MakeValued(BatchMaker& maker, int64_t epoch, int64_t index) {
  Valued batch;
  batch.images.resize(maker.image_bytes() / sizeof(float));
  batch.targets.resize(maker.target_bytes() / sizeof(float));
  EXPECT_TRUE(maker.MakeBatch(epoch, index, batch.images.data(), batch.targets.data()).ok());
  return batch;
}

// Compares mixed batches with the formulas of data/mixing.h. As in torchvision, each image is mixed
// with the one before it (batch.roll(1)).
TEST(Mixing, MixesEachImageWithTheOneBeforeIt) {
  constexpr int kBatch = 12;
  PipelineOptions options = Augmented(kBatch);
  options.targets = TargetFormat::kValues;
  BatchMaker plain = *BatchMaker::Create(&Sample(), options);
  options.mixing = {.mixup_alpha = 0.4, .mixup_probability = 0.5, .cutmix_probability = 0.4};
  BatchMaker maker = *BatchMaker::Create(&Sample(), options);
  int kinds[3] = {};
  for (int64_t index = 0; index < 30; ++index) {
    const Mix mix = DrawMix(options.mixing, 32, 32, options.seed, 1, index);
    ++kinds[static_cast<int>(mix.kind)];
    const Valued before = MakeValued(plain, 1, index), mixed = MakeValued(maker, 1, index);
    for (int i = 0; i < kBatch; ++i) {
      const int other = (i + kBatch - 1) % kBatch;
      for (int k = 0; k < 10; ++k) {
        ASSERT_NEAR(
            mixed.targets[10 * i + k],
            mix.own * before.targets[10 * i + k] + (1 - mix.own) * before.targets[10 * other + k],
            1e-6);
      }
      for (int at = 0; at < 3072; ++at) {
        const double own = before.images[3072 * i + at], from = before.images[3072 * other + at];
        const int x = at % 32, y = at / 32 % 32;
        const Rectangle& r = mix.part;
        const bool inside =
            x >= r.left && x < r.left + r.width && y >= r.top && y < r.top + r.height;
        const double expected = mix.kind == Mix::Kind::kMixup ? mix.own * own + (1 - mix.own) * from
                                : inside                      ? from
                                                              : own;
        ASSERT_NEAR(mixed.images[3072 * i + at], expected, 1e-6) << index << " " << i << " " << at;
      }
    }
    if (mix.kind == Mix::Kind::kCutMix) {
      EXPECT_NEAR(mix.own, 1 - mix.part.width * mix.part.height / 1024.0, 1e-12);
    }
  }
  EXPECT_GT(kinds[1], 8);
  EXPECT_GT(kinds[2], 6);
}

TEST(Mixing, SharesOfRanksAreTheBatchOfOneMachine) {
  PipelineOptions options = Augmented(12);
  options.targets = TargetFormat::kValues;
  options.mixing = {.mixup_probability = 0.5, .cutmix_probability = 0.5};
  BatchMaker whole = *BatchMaker::Create(&Sample(), options);
  options.ranks = 3;
  for (int64_t index = 0; index < 4; ++index) {
    const Valued expected = MakeValued(whole, 2, index);
    Valued joined;
    for (options.rank = 0; options.rank < 3; ++options.rank) {
      BatchMaker maker = *BatchMaker::Create(&Sample(), options);
      const Valued share = MakeValued(maker, 2, index);
      joined.images.insert(joined.images.end(), share.images.begin(), share.images.end());
      joined.targets.insert(joined.targets.end(), share.targets.begin(), share.targets.end());
    }
    EXPECT_EQ(joined, expected);
  }
}

// Compares CutMix in bf16 with channels last to CutMix in f32 with channels first.
TEST(Mixing, CutMixIsTheSameInEveryFormat) {
  PipelineOptions options = Augmented(4);
  options.targets = TargetFormat::kValues;
  options.mixing = {.cutmix_probability = 1};
  BatchMaker planar = *BatchMaker::Create(&Sample(), options);
  options.format = BatchFormat::kBf16Nhwc;
  BatchMaker interleaved = *BatchMaker::Create(&Sample(), options);
  const Valued expected = MakeValued(planar, 0, 3);
  std::vector<uint16_t> images(interleaved.image_bytes() / 2);
  std::vector<float> targets(40);
  ASSERT_TRUE(interleaved.MakeBatch(0, 3, images.data(), targets.data()).ok());
  for (int i = 0; i < 4 * 3072; ++i) {
    const int image = i / 3072, c = i % 3, pixel = i % 3072 / 3;
    EXPECT_NEAR(std::bit_cast<float>(uint32_t{images[i]} << 16),
                expected.images[image * 3072 + c * 1024 + pixel], 0.01);
  }
}

TEST(Mixing, SharesAreOfABetaDistribution) {
  for (const double alpha : {0.2, 1.0, 4.0}) {
    const Mixing mixing = {.mixup_alpha = alpha, .mixup_probability = 1};
    double sum = 0, squares = 0;
    constexpr int kMany = 4000;
    for (int i = 0; i < kMany; ++i) {
      const double own = DrawMix(mixing, 8, 8, 1, 0, i).own - 0.5;
      sum += own, squares += own * own;
    }
    const double variance = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(sum / kMany, 0, 4 * std::sqrt(variance / kMany));
    EXPECT_NEAR(squares / kMany, variance, 0.1 * variance);
  }
  EXPECT_FALSE(Validate(Mixing{.mixup_probability = 0.7, .cutmix_probability = 0.7}).ok());
  EXPECT_FALSE(Validate(Mixing{.mixup_alpha = 0, .mixup_probability = 1}).ok());
}

TEST(Targets, OfNumbersAreScaledAndThoseOfClassesRefused) {
  Dataset dataset = Numbered(6);
  dataset.target_kind = TargetKind::kNumbers;
  dataset.classes = {"a", "b"};
  for (int i = 0; i < 6; ++i) dataset.targets.insert(dataset.targets.end(), {1.0f * i, 10.0f});
  PipelineOptions options;
  options.batch_size = 6;
  options.shuffle = false;
  EXPECT_THAT(std::string(BatchMaker::Create(&dataset, options).status().message()),
              HasSubstr("has numbers, not classes"));
  options.targets = TargetFormat::kValues;
  options.target_mean = {1, 10};
  options.target_deviation = {2, 5};
  BatchMaker maker = *BatchMaker::Create(&dataset, options);
  const Valued batch = MakeValued(maker, 0, 0);
  for (int i = 0; i < 6; ++i) {
    EXPECT_FLOAT_EQ(batch.targets[2 * i], (i - 1) / 2.0f);
    EXPECT_FLOAT_EQ(batch.targets[2 * i + 1], 0);
  }
  options.mixing = {.mixup_probability = 1};
  EXPECT_THAT(std::string(BatchMaker::Create(&dataset, options).status().message()),
              HasSubstr("only images of classes or labels can be mixed"));
}

// Reads the sample's images as if they were pictures in files, from which parts can be cut.
class SamplePictures final : public SampleReader {
 public:
  bool has_pictures() const override { return true; }
  absl::Status ReadPart(int64_t index, const PartOf& part, uint8_t* image) const override {
    const auto planar = absl::MakeConstSpan(Sample().image(index), Sample().image_bytes());
    const Image picture = FromPlanar(planar, 32, 32);
    const std::optional<Rectangle> wanted = part(32, 32);
    PictureFitter({3, 32, 32}, Fit::kStretch)
        .Write(wanted.has_value() ? ViewOf(picture, *wanted) : ViewOf(picture), image);
    return absl::OkStatus();
  }
};

// If pictures have the size of the images, a part cut from the picture equals the part cut from the
// image.
TEST(Transforms, ACropDrawsFromThePictureAsFromAnImage) {
  Dataset pictures = ReadSample();
  pictures.reader = std::make_shared<SamplePictures>();
  PipelineOptions options = Augmented(40);
  options.augmentation.chain = {LinkOf("random_resized_crop {} probability: 0.7"),
                                LinkOf("vertical_flip {}")};
  BatchMaker expected = *BatchMaker::Create(&Sample(), options),
             drawn = *BatchMaker::Create(&pictures, options);
  EXPECT_EQ(Make(drawn, 1, 3), Make(expected, 1, 3));
}

TEST(Workers, MakeTheSameBatchesHoweverMany) {
  const Dataset read = ReadSample();
  PipelineOptions options = Augmented(32);
  options.augmentation.chain = {LinkOf("random_resized_crop {}"), LinkOf("vertical_flip {}")};
  BatchMaker maker = *BatchMaker::Create(&Sample(), options);
  for (const int workers : {1, 2, 7}) {
    options.workers = workers;
    auto pipeline = *Pipeline::Create(&read, options);
    const auto expect = [&](int64_t epoch, int64_t index) {
      const Pipeline::Batch batch = pipeline->Next();
      ASSERT_TRUE(batch.status.ok());
      ASSERT_EQ(batch.epoch, epoch);
      ASSERT_EQ(batch.index, index);
      const Copy copy = Make(maker, epoch, index);
      ASSERT_EQ(std::memcmp(batch.images, copy.images.data(), copy.images.size()), 0);
      ASSERT_EQ(std::memcmp(batch.targets, copy.labels.data(), 4 * copy.labels.size()), 0);
    };
    for (int64_t n = 0; n < 30; ++n)
      expect(n / maker.batches_per_epoch(), n % maker.batches_per_epoch());
    pipeline->Seek(5, 3);
    for (int64_t n = 0; n < 5; ++n) expect(5, 3 + n);
    pipeline->Seek(1, 0);
    expect(1, 0);
  }
}

TEST(Workers, ABatchWithABadImageSaysSo) {
  const Dataset read = ReadSample(/*bad=*/70);
  PipelineOptions options = EvaluationOptions(50, {}, BatchFormat::kF32Nchw);
  options.workers = 3;
  auto pipeline = *Pipeline::Create(&read, options);
  EXPECT_TRUE(pipeline->Next().status.ok());
  EXPECT_THAT(std::string(pipeline->Next().status.message()), HasSubstr("bad picture"));
  EXPECT_TRUE(pipeline->Next().status.ok());
  auto views = *ViewMaker::Create(&read, options);
  EXPECT_TRUE(views->Next().ok());
  EXPECT_FALSE(views->Next().ok());
}

// Images that an ImageReader reads make the same views (shifted or mirrored versions) as images in
// memory. Each image is read once for all views of a batch, and nothing is read after the last
// batch.
TEST(Workers, ViewsOfImagesThatAreReadAreTheSame) {
  class Counting final : public ImageReader {
   public:
    absl::Status Read(int64_t index, uint8_t* image) const override {
      ++reads;
      std::copy_n(Sample().image(index), Sample().image_bytes(), image);
      return absl::OkStatus();
    }
    mutable std::atomic<int64_t> reads{0};
  };
  Dataset read = ReadSample();
  const auto reader = std::make_shared<Counting>();
  read.reader = reader;
  PipelineOptions options = EvaluationOptions(64, {}, BatchFormat::kF32Nchw);
  auto expected = *ViewMaker::Create(&Sample(), options);
  options.workers = 3;
  auto views = *ViewMaker::Create(&read, options);
  ASSERT_EQ(views->batches(), 7);
  std::vector<float> images(64 * read.image_bytes()), wanted(64 * read.image_bytes());
  for (int64_t batch = 0; batch < views->batches(); ++batch) {
    ASSERT_TRUE(views->Next().ok() && expected->Next().ok());
    ASSERT_EQ(views->size(), expected->size());
    ASSERT_EQ(std::memcmp(views->targets(), expected->targets(), 4 * views->size()), 0);
    for (const View& view : TestTimeViews()) {
      views->Write(view.placement, images.data());
      expected->Write(view.placement, wanted.data());
      ASSERT_EQ(images, wanted);
    }
  }
  views.reset();
  EXPECT_EQ(reader->reads, 400);
}

TEST(Workers, NormalisationOfImagesThatAreReadIsTheirs) {
  const Normalisation whole = ComputeNormalisation(Sample()),
                      read = ComputeNormalisation(ReadSample());
  for (int c = 0; c < 3; ++c) {
    EXPECT_DOUBLE_EQ(whole.mean[c], read.mean[c]);
    EXPECT_DOUBLE_EQ(whole.deviation[c], read.deviation[c]);
  }
}

}  // namespace
}  // namespace cotangent::data
