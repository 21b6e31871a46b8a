#include "data/pipeline.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/random.h"

namespace cotangent::data {
namespace {

constexpr int kMostWorkers = 1024;

absl::Status Check(const Dataset& dataset, const PipelineOptions& options) {
  if (options.batch_size < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the batch size is ", options.batch_size, "; at least 1 is needed"));
  }
  if (options.ranks < 1 || options.rank < 0 || options.rank >= options.ranks ||
      options.batch_size % options.ranks != 0 || (options.ranks > 1 && !options.drop_last)) {
    return absl::InvalidArgumentError(
        absl::StrCat("rank ", options.rank, " of ", options.ranks, " has no share of batches of ",
                     options.batch_size, ": the ranks must divide full batches"));
  }
  if (options.buffers < 2) {
    return absl::InvalidArgumentError(
        absl::StrCat("the pipeline has ", options.buffers, " buffers; at least 2 are needed"));
  }
  if (options.workers < 1 || options.workers > kMostWorkers) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the pipeline has ", options.workers, " workers; 1 to ", kMostWorkers, " are possible"));
  }
  if (dataset.size() == 0) return absl::InvalidArgumentError("the data set has no images");
  if (options.drop_last && options.batch_size > dataset.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the batch size is ", options.batch_size, ", but the data set ", dataset.name,
                     " has only ", dataset.size(), " images; take a batch size of at most that"));
  }
  for (double deviation : options.normalisation.deviation) {
    if (!(deviation > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("a channel's standard deviation is ", deviation, "; it must be above 0"));
    }
  }
  const bool has_classes = dataset.target_kind == TargetKind::kClass;
  if (!has_classes && options.targets == TargetFormat::kClassNumbers) {
    return absl::InvalidArgumentError(absl::StrCat("the data set ", dataset.name, " has ",
                                                   PluralOf(dataset.target_kind),
                                                   ", not classes that have numbers"));
  }
  if (options.balance_classes && !has_classes) {
    return absl::InvalidArgumentError(absl::StrCat("classes cannot be balanced: the data set ",
                                                   dataset.name, " has ",
                                                   PluralOf(dataset.target_kind)));
  }
  if (options.mixing.is_used() && (options.targets == TargetFormat::kClassNumbers ||
                                   dataset.target_kind == TargetKind::kNumbers)) {
    return absl::InvalidArgumentError("only images of classes or labels can be mixed");
  }
  RETURN_IF_ERROR(Validate(options.mixing));
  return Validate(options.augmentation, dataset.height, dataset.width);
}

// Shuffles by the method of Fisher and Yates.
void Shuffle(SplitMix64& random, std::vector<int32_t>& order) {
  for (size_t left = order.size(); left > 1; --left)
    std::swap(order[left - 1], order[random.Below(left)]);
}

// Orders an epoch as PipelineOptions::balance_classes says. Each class contributes its images in a
// random order, over and over until it has contributed its equal share of the epoch; then the
// images of all classes are shuffled. `copy` receives for each index of the order how often the
// image there was drawn before.
void OrderBalanced(const Dataset& dataset, SplitMix64& random, std::vector<int32_t>& order,
                   std::vector<int32_t>& copy) {
  std::vector<std::vector<int32_t>> of_class(dataset.classes.size());
  for (int64_t i = 0; i < dataset.size(); ++i)
    of_class[dataset.labels[i]].push_back(static_cast<int32_t>(i));
  std::vector<int32_t> present;
  for (size_t k = 0; k < of_class.size(); ++k) {
    if (!of_class[k].empty()) present.push_back(static_cast<int32_t>(k));
  }
  Shuffle(random, present);  // the first ones get one more image each if a rest is left
  std::vector<std::pair<int32_t, int32_t>> chosen;
  const size_t share = order.size() / present.size(), left = order.size() % present.size();
  for (size_t p = 0; p < present.size(); ++p) {
    std::vector<int32_t>& images = of_class[present[p]];
    for (size_t i = 0; i < share + (p < left ? 1 : 0); ++i) {
      if (i % images.size() == 0) Shuffle(random, images);
      chosen.push_back({images[i % images.size()], static_cast<int32_t>(i / images.size())});
    }
  }
  std::vector<int32_t> places(order.size());
  std::iota(places.begin(), places.end(), 0);
  Shuffle(random, places);
  copy.resize(order.size());
  for (size_t i = 0; i < places.size(); ++i) std::tie(order[i], copy[i]) = chosen[places[i]];
}

}  // namespace

PipelineOptions EvaluationOptions(int batch_size, const Normalisation& normalisation,
                                  BatchFormat format) {
  PipelineOptions options;
  options.batch_size = batch_size;
  options.shuffle = false;
  options.drop_last = false;
  options.normalisation = normalisation;
  options.format = format;
  return options;
}

absl::StatusOr<BatchMaker> BatchMaker::Create(const Dataset* dataset,
                                              const PipelineOptions& options) {
  RETURN_IF_ERROR(Check(*dataset, options));
  return BatchMaker(dataset, options);
}

BatchMaker::BatchMaker(const Dataset* dataset, const PipelineOptions& options)
    : dataset_(dataset),
      options_(options),
      writer_(dataset->channels, dataset->height, dataset->width, options.normalisation,
              options.format),
      order_(dataset->size()) {
  std::iota(order_.begin(), order_.end(), 0);
}

int64_t BatchMaker::batches_per_epoch() const {
  const int64_t size = dataset_->size(), batch = options_.batch_size;
  return options_.drop_last ? size / batch : (size + batch - 1) / batch;
}

int BatchMaker::SizeOf(int64_t index) const {
  return static_cast<int>(
      std::min(share(), dataset_->size() - index * options_.batch_size - options_.rank * share()));
}

void BatchMaker::OrderEpoch(int64_t epoch) {
  if (!options_.shuffle || epoch == ordered_epoch_) return;
  SplitMix64 random = GeneratorAt(options_.seed, Purpose::kShuffle, epoch, 0);
  if (options_.balance_classes) {
    OrderBalanced(*dataset_, random, order_, copy_);
  } else {
    // Shuffling always begins with the original order, so that an epoch's order does not depend on
    // other epochs.
    std::iota(order_.begin(), order_.end(), 0);
    Shuffle(random, order_);
  }
  ordered_epoch_ = epoch;
}

absl::Status BatchMaker::MakeImage(int64_t epoch, int64_t at, void* output) {
  const int64_t image = order_[at];
  // A repeated image is augmented with random numbers of its own.
  const int64_t number = image + (copy_.empty() ? 0 : copy_[at] * dataset_->size());
  const Augmentation& augmentation = options_.augmentation;
  const Placement placement =
      PlacementOf(augmentation, dataset_->height, dataset_->width, options_.seed, epoch, number);
  if (augmentation.chain.empty()) {
    ASSIGN_OR_RETURN(const uint8_t* pixels, dataset_->Pixels(image, read_));
    writer_.Write(pixels, placement, output);
    return absl::OkStatus();
  }
  absl::Status status = TransformImage(epoch, image, number);
  if (status.ok()) writer_.Write(scratch_.bytes.data(), placement, output);
  return status;
}

absl::Status BatchMaker::TransformImage(int64_t epoch, int64_t image, int64_t number) {
  const std::vector<ChainLink>& chain = options_.augmentation.chain;
  scratch_.channels = dataset_->channels;
  scratch_.height = dataset_->height;
  scratch_.width = dataset_->width;
  scratch_.bytes.resize(dataset_->image_bytes());
  size_t first = 0;
  if (BeginsWithCrop(chain) && dataset_->reader != nullptr && dataset_->reader->has_pictures()) {
    const ImageReader::PartOf part = [&](int height, int width) {
      return FirstCrop(chain, options_.seed, epoch, number, height, width);
    };
    RETURN_IF_ERROR(dataset_->Read(image, scratch_.bytes.data(), &part));
    first = 1;
  } else {
    ASSIGN_OR_RETURN(const uint8_t* pixels, dataset_->Pixels(image, read_));
    std::copy_n(pixels, dataset_->image_bytes(), scratch_.bytes.data());
  }
  ApplyChain(chain, options_.seed, epoch, number, scratch_, first);
  return absl::OkStatus();
}

int64_t BatchMaker::bytes_of_target() const {
  return options_.targets == TargetFormat::kClassNumbers
             ? int64_t{sizeof(int32_t)}
             : static_cast<int64_t>(dataset_->classes.size() * sizeof(float));
}

void BatchMaker::WriteTarget(int64_t image, void* target) const {
  if (options_.targets == TargetFormat::kClassNumbers) {
    *static_cast<int32_t*>(target) = dataset_->labels[image];
    return;
  }
  auto* const values = static_cast<float*>(target);
  dataset_->WriteTargets(image, values);
  for (size_t k = 0; k < options_.target_mean.size(); ++k)
    values[k] =
        static_cast<float>((values[k] - options_.target_mean[k]) / options_.target_deviation[k]);
}

// Mixes each image that this rank makes for the batch, and its target, with the image before it in
// the batch of all ranks (the batch's first image with the last), as DrawMix() says. Goes from the
// last image to the first, so that the image before is not yet mixed itself. The image before this
// rank's first one is made here once more.
absl::Status BatchMaker::MixBatch(int64_t epoch, int64_t index, int64_t first, void* images,
                                  float* targets) {
  const Mix mix =
      DrawMix(options_.mixing, dataset_->height, dataset_->width, options_.seed, epoch, index);
  if (mix.kind == Mix::Kind::kNone) return absl::OkStatus();
  const int64_t bytes = writer_.output_bytes(), batch = index * options_.batch_size;
  const auto count = static_cast<int64_t>(dataset_->classes.size());
  const int64_t whole = std::min<int64_t>(options_.batch_size, dataset_->size() - batch);
  const int64_t before = batch + (first - batch + whole - 1) % whole;
  before_first_.resize(bytes);
  targets_before_first_.resize(count);
  RETURN_IF_ERROR(MakeImage(epoch, before, before_first_.data()));
  WriteTarget(order_[before], targets_before_first_.data());
  auto* const output = static_cast<std::byte*>(images);
  for (int i = SizeOf(index) - 1; i >= 0; --i) {
    MixImage(mix, options_.format, dataset_->channels, dataset_->height, dataset_->width,
             output + i * bytes, i > 0 ? output + (i - 1) * bytes : before_first_.data());
    MixTargets(mix, count, targets + i * count,
               i > 0 ? targets + (i - 1) * count : targets_before_first_.data());
  }
  return absl::OkStatus();
}

absl::Status BatchMaker::MakeBatch(int64_t epoch, int64_t index, void* images, void* targets) {
  OrderEpoch(epoch);
  const int64_t first = index * options_.batch_size + options_.rank * share();
  const int size = SizeOf(index);
  auto* output = static_cast<std::byte*>(images);
  for (int i = 0; i < size; ++i) {
    // Shuffled images lie anywhere in memory, so the processor is asked to load the next image into
    // its cache while this image is written.
    if (i + 1 < size && dataset_->is_in_memory()) {
      const uint8_t* next = dataset_->image(order_[first + i + 1]);
      for (int64_t at = 0; at < dataset_->image_bytes(); at += 64) __builtin_prefetch(next + at);
    }
    RETURN_IF_ERROR(MakeImage(epoch, first + i, output + i * writer_.output_bytes()));
    WriteTarget(order_[first + i], static_cast<std::byte*>(targets) + i * bytes_of_target());
  }
  return options_.mixing.is_used()
             ? MixBatch(epoch, index, first, images, static_cast<float*>(targets))
             : absl::OkStatus();
}

Pipeline::Pipeline(std::unique_ptr<Crew> crew) : crew_(std::move(crew)) {}
Pipeline::~Pipeline() = default;

absl::StatusOr<std::unique_ptr<Pipeline>> Pipeline::Create(const Dataset* dataset,
                                                           const PipelineOptions& options) {
  ASSIGN_OR_RETURN(BatchMaker maker, BatchMaker::Create(dataset, options));
  Crew::Options crew;
  crew.batches_per_epoch = maker.batches_per_epoch();
  crew.image_bytes = maker.image_bytes();
  crew.target_bytes = maker.target_bytes();
  crew.places = options.workers + options.buffers;
  std::vector<Crew::Make> makes;
  for (int worker = 0; worker < options.workers; ++worker) {
    // Each worker has its own copy of `maker`, since only one thread may call a BatchMaker.
    makes.emplace_back([maker](int64_t epoch, int64_t index, void* images,
                               void* targets) mutable -> absl::StatusOr<int> {
      RETURN_IF_ERROR(maker.MakeBatch(epoch, index, images, targets));
      return maker.SizeOf(index);
    });
  }
  return std::unique_ptr<Pipeline>(new Pipeline(std::make_unique<Crew>(crew, std::move(makes))));
}

int64_t Pipeline::batches_per_epoch() const { return crew_->options().batches_per_epoch; }
Batch Pipeline::Next() { return crew_->Next(); }
void Pipeline::Seek(int64_t epoch, int64_t index) { crew_->Seek(epoch, index); }

}  // namespace cotangent::data
