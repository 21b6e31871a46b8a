#ifndef COTANGENT_DATA_PIPELINE_H_
#define COTANGENT_DATA_PIPELINE_H_

// Batches of a data set, made ahead of the step that consumes them.
//
// A batch is a pure function of (options.seed, epoch, index in the epoch): its images, their
// augmentation and their order come out the same whenever and wherever it is made. So a run can be
// resumed at any step (Seek) and any epoch can be replayed from its number alone.
//
//   auto pipeline = Pipeline::Create(&dataset, {.batch_size = 128, .seed = 1});
//   for (int step = 0; step < steps; ++step) {
//     Pipeline::Batch batch = (*pipeline)->Next();   // the next one is being made meanwhile
//     Train(batch.images, batch.labels);
//   }

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/mixing.h"

namespace cotangent::data {

// How targets of images are written.
enum class TargetFormat {
  kClassNumbers,  // int32_t
  kValues,        // f32 [classes]: Dataset::WriteTargets()
};

struct PipelineOptions {
  int batch_size = 128;
  uint64_t seed = 0;
  // A new random order each epoch; otherwise the order of the data set.
  bool shuffle = true;
  // With `shuffle`: an epoch is as long as ever, but has as many images of each class as of every
  // other (one more of some): of large classes some are left out, those of small ones come several
  // times, each as often as any other or once more, augmented anew each time.
  bool balance_classes = false;
  // Leaves out the last images of an epoch where they do not fill a batch; otherwise the last batch
  // is a short one.
  bool drop_last = true;
  Augmentation augmentation = {};
  // Needs targets in values, of classes or labels.
  Mixing mixing = {};
  TargetFormat targets = TargetFormat::kClassNumbers;
  // Of targets that are numbers: a batch holds (number - mean) / deviation. Empty: the numbers
  // themselves.
  std::vector<double> target_mean = {}, target_deviation = {};
  Normalization normalization = {};
  BatchFormat format = BatchFormat::kF32Nchw;
  // Threads that make batches, each a batch of its own. Batches are the same however many.
  int workers = 1;
  // Batches in memory beside one for each worker: one that the caller reads, the others ready. At
  // least 2.
  int buffers = 2;
  // Makes only the share of rank `rank` of each batch: batch_size / ranks images, from number
  // rank * batch_size / ranks on. `ranks` must divide the batch size. Needs `drop_last`.
  int ranks = 1, rank = 0;
};

// For evaluation: in order, all images, nothing random.
PipelineOptions EvaluationOptions(int batch_size, const Normalization& normalization,
                                  BatchFormat format);

// Makes batches where it is called, in the caller's memory.
class BatchMaker {
 public:
  // `dataset` must outlive the maker. kInvalidArgument for options that do not fit the data set.
  static absl::StatusOr<BatchMaker> Create(const Dataset* dataset, const PipelineOptions& options);

  const PipelineOptions& options() const { return options_; }
  int64_t batches_per_epoch() const;
  // The number of images made for batch `index` of an epoch: the rank's share of batch_size, but
  // for a short last one.
  int SizeOf(int64_t index) const;
  // What a full batch takes: `images` [share, ...] and `targets` [share].
  int64_t image_bytes() const { return share() * writer_.output_bytes(); }
  int64_t target_bytes() const { return share() * bytes_of_target(); }
  // Of one image.
  int64_t bytes_of_target() const;
  // The images of a full batch that are this rank's.
  int64_t share() const { return options_.batch_size / options_.ranks; }

  // Writes a batch, index in [0, batches_per_epoch()). Of images in memory it allocates nothing
  // after the first call, and does not fail; others' errors are those of their reader. It keeps the
  // order of the latest epoch, so only one thread may call it at a time.
  absl::Status MakeBatch(int64_t epoch, int64_t index, void* images, void* targets);

  // Writes the images of batch `index` of the data set in order, all placed alike (see
  // TestTimeViews()); those that are read, by options().workers threads.
  absl::Status MakeView(const Placement& placement, int64_t index, void* images,
                        void* targets) const;

 private:
  BatchMaker(const Dataset* dataset, const PipelineOptions& options);
  void OrderEpoch(int64_t epoch);
  // Of an image of the data set.
  void WriteTarget(int64_t image, void* target) const;
  // Mixes the images of a batch, which lie from place `first` of the epoch's order on.
  absl::Status MixBatch(int64_t epoch, int64_t index, int64_t first, void* images, float* targets);
  // Writes the image at place `at` of the epoch's order.
  absl::Status MakeImage(int64_t epoch, int64_t at, void* output);
  // Brings an image through the chain into `scratch_`; its random numbers are those of `number`.
  absl::Status TransformImage(int64_t epoch, int64_t image, int64_t number);

  const Dataset* dataset_;
  PipelineOptions options_;
  ImageWriter writer_;
  std::vector<uint8_t> read_;  // An image that was read.
  Planar scratch_;             // An image that transforms work on.
  // Of mixed batches, the image before the first and its targets.
  std::vector<std::byte> before_first_;
  std::vector<float> targets_before_first_;
  int64_t ordered_epoch_ = -1;
  std::vector<int32_t> order_;  // The images of epoch `ordered_epoch_` in their order.
  // Where classes are balanced: how often the image at a place of `order_` came before in the
  // epoch.
  std::vector<int32_t> copy_;
};

// The same batches, one after the other, made by threads of their own while the caller computes.
class Pipeline {
 public:
  struct Batch {
    const void* images;  // [size, ...] in the format of the options, 64-byte aligned.
    // [size] as the options' format says.
    const void* targets;
    const int32_t* labels() const { return static_cast<const int32_t*>(targets); }
    int size;
    int64_t epoch;
    int64_t index;             // In the epoch.
    absl::Status status = {};  // Where an image could not be read; the batch is then of no use.
  };

  // `dataset` must outlive the pipeline. Starts making batch 0 of epoch 0.
  static absl::StatusOr<std::unique_ptr<Pipeline>> Create(const Dataset* dataset,
                                                          const PipelineOptions& options);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  int64_t batches_per_epoch() const;

  // Waits for the next batch; epoch follows epoch without end. Its memory stays as it is until the
  // next call of Next() or Seek(). The memory is one of options.workers + options.buffers places
  // that never move.
  Batch Next();

  // Makes batch `index` of `epoch` the next one, index in [0, batches_per_epoch()).
  void Seek(int64_t epoch, int64_t index);

 private:
  class Crew;
  explicit Pipeline(std::unique_ptr<Crew> crew);
  std::unique_ptr<Crew> crew_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_PIPELINE_H_
