#ifndef COTANGENT_DATA_PIPELINE_H_
#define COTANGENT_DATA_PIPELINE_H_

// Makes the batches of a data set ahead of the training step that uses them.
//
// For a given data set and options, a batch depends on (options.seed, epoch, index in the epoch)
// only: its images, their order and their augmentation are the same whenever and wherever it is
// made. A run can therefore be resumed at any step (Seek), and any epoch can be repeated from its
// number alone.
//
//   auto pipeline = Pipeline::Create(&dataset, {.batch_size = 128, .seed = 1});
//   for (int step = 0; step < steps; ++step) {
//     Pipeline::Batch batch = (*pipeline)->Next();   // the next one is being made meanwhile
//     Train(batch.images, batch.labels());
//   }

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "data/augment.h"
#include "data/crew.h"
#include "data/dataset.h"
#include "data/mixing.h"

namespace cotangent::data {

// The form in which a batch holds the targets of its images.
enum class TargetFormat {
  kClassNumbers,  // int32_t, the number of the class
  kValues,        // f32 [classes], as Dataset::WriteTargets() writes them
};

struct PipelineOptions {
  int batch_size = 128;
  uint64_t seed = 0;
  // Whether each epoch has a new random order; if not, images come in the order of the data set.
  bool shuffle = true;
  // Used with `shuffle`: an epoch has as many images as the data set, but the same number from each
  // class (or one more from some classes). Some images of large classes are left out. Images of
  // small classes come several times, some of a class perhaps once more than its others, and are
  // augmented anew each time.
  bool balance_classes = false;
  // Whether to leave out the last images of an epoch if they do not fill a batch; if not, the last
  // batch is smaller.
  bool drop_last = true;
  Augmentation augmentation = {};
  // How images are mixed with each other. Mixing needs targets of the format kValues that are
  // classes or labels.
  Mixing mixing = {};
  TargetFormat targets = TargetFormat::kClassNumbers;
  // For targets that are numbers: a batch holds (number - mean) / deviation. Empty: the numbers are
  // not changed.
  std::vector<double> target_mean = {}, target_deviation = {};
  Normalisation normalisation = {};
  BatchFormat format = BatchFormat::kF32Nchw;
  // Threads that make batches, each its own batch. The batches do not depend on the number of
  // threads.
  int workers = 1;
  // Batches in memory in addition to one for each worker. The caller reads one of them; the others
  // are finished and wait for the caller. At least 2.
  int buffers = 2;
  // For training with several ranks (processes): makes only the share of rank `rank` of each batch,
  // which is batch_size / ranks images beginning at image rank * batch_size / ranks of the batch.
  // Several ranks require `drop_last` and a batch size that `ranks` divides.
  int ranks = 1, rank = 0;
};

// Returns options for evaluation: all images in order, without random changes.
PipelineOptions EvaluationOptions(int batch_size, const Normalisation& normalisation,
                                  BatchFormat format);

// Makes single batches on the calling thread, in memory of the caller.
class BatchMaker {
 public:
  // `dataset` must outlive the maker. Returns kInvalidArgument if an option is out of its range, if
  // the options do not fit each other or the data set, or if the data set has no images.
  static absl::StatusOr<BatchMaker> Create(const Dataset* dataset, const PipelineOptions& options);

  const PipelineOptions& options() const { return options_; }
  int64_t batches_per_epoch() const;
  // Returns the number of images made for batch `index` of an epoch: share(), or fewer for a
  // smaller last batch.
  int SizeOf(int64_t index) const;
  // Return the bytes of a full batch of share() images, and the bytes of its targets.
  int64_t image_bytes() const { return share() * writer_.output_bytes(); }
  int64_t target_bytes() const { return share() * bytes_of_target(); }
  // Returns the bytes of one image's target.
  int64_t bytes_of_target() const;
  // Returns the number of images that this rank makes of a full batch.
  int64_t share() const { return options_.batch_size / options_.ranks; }

  // Makes a batch: writes up to image_bytes() and target_bytes() bytes. `index` is in [0,
  // batches_per_epoch()). If images lie in memory, it does not fail, and without transforms and
  // balanced classes it allocates memory only for the first batch that is mixed; if images are
  // read, it returns the reader's errors. Only one thread may call it at a time, since the maker
  // stores the order of the latest epoch.
  absl::Status MakeBatch(int64_t epoch, int64_t index, void* images, void* targets);

  // Writes the target of image number `image` of the data set, which takes bytes_of_target() bytes.
  void WriteTarget(int64_t image, void* target) const;

 private:
  BatchMaker(const Dataset* dataset, const PipelineOptions& options);
  void OrderEpoch(int64_t epoch);
  // Mixes the images of a batch with one another, and their targets. This rank's share of the batch
  // begins at index `first` of order_.
  absl::Status MixBatch(int64_t epoch, int64_t index, int64_t first, void* images, float* targets);
  // Writes the image order_[at], transformed, placed and normalised, to `output`.
  absl::Status MakeImage(int64_t epoch, int64_t at, void* output);
  // Applies the transforms of the options to image number `image` and leaves the result in
  // `scratch_`. `number` selects the random numbers; it is the image's number, or another one for a
  // repeated image.
  absl::Status TransformImage(int64_t epoch, int64_t image, int64_t number);

  const Dataset* dataset_;
  PipelineOptions options_;
  ImageWriter writer_;
  std::vector<uint8_t> read_;  // the image read last
  Planar scratch_;             // the image that transforms work on
  // Used if batches are mixed: the image that this rank's first image of the batch is mixed with,
  // and that other image's targets. The other image is the one before the first in the batch of all
  // ranks or, if there is none before it, the last image of that batch.
  std::vector<std::byte> before_first_;
  std::vector<float> targets_before_first_;
  int64_t ordered_epoch_ = -1;
  std::vector<int32_t> order_;  // the images of epoch `ordered_epoch_` in their order
  // If classes are balanced: for each index of `order_`, how often its image was drawn before in
  // the epoch (0 for its first copy).
  std::vector<int32_t> copy_;
};

// Yields the batches of all epochs one after the other. The pipeline's own threads make them while
// the caller computes.
class Pipeline {
 public:
  // A batch of images in the format PipelineOptions::format, with targets in the format
  // PipelineOptions::targets.
  using Batch = data::Batch;

  // `dataset` must outlive the pipeline. Starts to make batch 0 of epoch 0.
  static absl::StatusOr<std::unique_ptr<Pipeline>> Create(const Dataset* dataset,
                                                          const PipelineOptions& options);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  int64_t batches_per_epoch() const;

  // Waits for the next batch; after an epoch's last batch comes the first one of the next epoch.
  // The batch's memory is valid until the next call of Next() or Seek(). It is one of
  // options.workers + options.buffers blocks of memory, which are used in turn and never move.
  Batch Next();

  // Makes batch `index` of `epoch` the next one; `index` is in [0, batches_per_epoch()).
  void Seek(int64_t epoch, int64_t index);

 private:
  explicit Pipeline(std::unique_ptr<Crew> crew);
  std::unique_ptr<Crew> crew_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_PIPELINE_H_
