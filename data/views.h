#ifndef COTANGENT_DATA_VIEWS_H_
#define COTANGENT_DATA_VIEWS_H_

// Makes the batches of a data set in order, for evaluation. Each batch can be written several times
// with different placements (shifted or mirrored, see Placement in data/augment.h); one such
// version of the images is called a view.
//
//   auto views = ViewMaker::Create(&dataset, EvaluationOptions(100, normalisation, format));
//   for (int64_t i = 0; i < (*views)->batches(); ++i) {
//     if (absl::Status status = (*views)->Next(); !status.ok()) return status;
//     (*views)->Write({}, images);   // writes the (*views)->size() images of batch i
//   }

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/augment.h"
#include "data/crew.h"
#include "data/dataset.h"
#include "data/pipeline.h"

namespace cotangent::data {

class ViewMaker {
 public:
  // `dataset` must outlive the result. If the images are not in memory, options.workers threads
  // read batches in advance; each image is read once, however many views of it are written.
  //
  // The result makes the batches `first`, `first` + `every`, `first` + 2 `every`, ... of the data
  // set. Ranks (processes) that divide the batches among them pass their rank and the number of
  // ranks.
  static absl::StatusOr<std::unique_ptr<ViewMaker>> Create(const Dataset* dataset,
                                                           const PipelineOptions& options,
                                                           int64_t first = 0, int64_t every = 1);

  // Returns the number of batches of the data set, including those that this object leaves out.
  int64_t batches() const { return maker_.batches_per_epoch(); }
  int64_t target_bytes() const { return maker_.bytes_of_target(); }  // bytes of one image's target

  // Goes on to the next batch; the first call goes to batch `first`. REQUIRES: there is such a
  // batch. Returns an error if the data set's reader cannot read an image of the batch.
  absl::Status Next();
  // Return the number of images in the current batch, and their targets.
  int size() const { return maker_.SizeOf(index_); }
  const void* targets() const { return targets_; }
  // Writes the images of the current batch to `images`, all with the same placement, for example
  // that of one of TestTimeViews() (data/augment.h).
  void Write(const Placement& placement, void* images) const;

 private:
  ViewMaker(const Dataset* dataset, BatchMaker maker, int64_t first, int64_t every);
  // Reads the images of batch `index` as bytes, without placement or normalisation, and writes
  // their targets. Returns the number of images.
  absl::StatusOr<int> ReadBatch(int64_t index, void* images, void* targets) const;
  void WriteTargets(int64_t index, void* targets) const;

  const Dataset* const dataset_;
  const BatchMaker maker_;
  const ImageWriter writer_;
  std::vector<char> own_targets_;  // targets of the batch, if the images lie in memory
  std::unique_ptr<Crew> crew_;
  const int64_t every_;
  int64_t index_;  // index of the current batch in the data set, from 0
  const uint8_t* images_ = nullptr;
  const void* targets_ = nullptr;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_VIEWS_H_
