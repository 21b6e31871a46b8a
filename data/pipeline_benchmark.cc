// Measures how fast batches are made: bazel run //data:pipeline_benchmark
//
// With PICTURES=DIR in the environment, also measures batches made from the picture files in the
// folder DIR.

#include <stdlib.h>

#include <cstdint>
#include <vector>

#include "benchmark/benchmark.h"
#include "data/augmentation/link_of.h"
#include "data/pipeline.h"
#include "data/sources/cifar.h"
#include "data/sources/source.h"

namespace cotangent::data {
namespace {

// Returns a data set of 50,000 images, as many as CIFAR-10 has: the 400 training images of the
// source "sample", 125 times over. As in training, they do not fit in the processor's caches.
const Dataset& LargeDataset() {
  static const Dataset* const dataset = [] {
    const Dataset sample = LoadDataset("sample", "", Split::kTrain).value();
    auto* large = new Dataset(sample);
    for (int i = 1; i < 125; ++i) {
      large->images.insert(large->images.end(), sample.images.begin(), sample.images.end());
      large->labels.insert(large->labels.end(), sample.labels.begin(), sample.labels.end());
    }
    return large;
  }();
  return *dataset;
}

PipelineOptions Options(BatchFormat format, bool augmented) {
  PipelineOptions options;
  options.batch_size = 128;
  options.format = format;
  options.normalisation = kCifar10Normalisation;
  if (augmented) options.augmentation = {.flip = Flip::kRandom, .crop_padding = 4, .cutout = 8};
  return options;
}

void BM_MakeBatch(benchmark::State& state) {
  const auto format = static_cast<BatchFormat>(state.range(0));
  BatchMaker maker = BatchMaker::Create(&LargeDataset(), Options(format, state.range(1))).value();
  std::vector<uint8_t> images(maker.image_bytes());
  std::vector<int32_t> labels(128);
  int64_t step = 0;
  maker.MakeBatch(0, 0, images.data(), labels.data()).IgnoreError();
  for (auto _ : state) {
    maker.MakeBatch(0, step++ % maker.batches_per_epoch(), images.data(), labels.data())
        .IgnoreError();
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * 128);
}
BENCHMARK(BM_MakeBatch)
    ->ArgNames({"format", "augmented"})
    ->ArgsProduct(
        {{static_cast<int>(BatchFormat::kF32Nchw), static_cast<int>(BatchFormat::kF32Nhwc),
          static_cast<int>(BatchFormat::kBf16Nchw), static_cast<int>(BatchFormat::kBf16Nhwc)},
         {0, 1}});

void BM_OrderEpoch(benchmark::State& state) {
  BatchMaker maker = BatchMaker::Create(&LargeDataset(), {.batch_size = 1}).value();
  std::vector<uint8_t> image(maker.image_bytes());
  int32_t label;
  int64_t epoch = 0;
  for (auto _ : state) maker.MakeBatch(epoch++, 0, image.data(), &label).IgnoreError();
}
BENCHMARK(BM_OrderEpoch)->Unit(benchmark::kMicrosecond);

void BM_PipelineNext(benchmark::State& state) {
  auto pipeline = Pipeline::Create(&LargeDataset(), Options(BatchFormat::kBf16Nhwc, true)).value();
  for (auto _ : state) benchmark::DoNotOptimize(pipeline->Next());
  state.SetItemsProcessed(state.iterations() * 128);
}
BENCHMARK(BM_PipelineNext)->UseRealTime();

// Measures making batches of 128 random resized crops of 224 x 224 pixels from the pictures of the
// folder that $PICTURES names. The calling thread decodes a picture anew whenever a batch needs it.
void BM_Pictures(benchmark::State& state) {
  const char* const folder = getenv("PICTURES");
  if (folder == nullptr) return state.SkipWithError("set PICTURES to a folder of class folders");
  FitOptions fit;
  fit.shape = {3, 224, 224};
  fit.draws_parts = true;
  fit.most_bytes_in_memory = 0;
  const Dataset dataset = FindSource(folder).value()->Fitted(fit)->Load("", Split::kTrain).value();
  PipelineOptions options = Options(BatchFormat::kF32Nchw, false);
  options.augmentation = {.flip = Flip::kRandom, .chain = {LinkOf("random_resized_crop {}")}};
  BatchMaker maker = BatchMaker::Create(&dataset, options).value();
  std::vector<uint8_t> images(maker.image_bytes());
  std::vector<int32_t> labels(128);
  int64_t step = 0;
  for (auto _ : state) {
    maker.MakeBatch(0, step++ % maker.batches_per_epoch(), images.data(), labels.data())
        .IgnoreError();
  }
  state.SetItemsProcessed(state.iterations() * 128);
}
BENCHMARK(BM_Pictures)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace cotangent::data
