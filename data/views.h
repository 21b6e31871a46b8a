#ifndef COTANGENT_DATA_VIEWS_H_
#define COTANGENT_DATA_VIEWS_H_

// The batches of a data set in order, for evaluation.
//
//   auto views = ViewMaker::Create(&dataset, EvaluationOptions(100, normalization, format));
//   for (int64_t i = 0; i < (*views)->batches(); ++i) {
//     if (absl::Status status = (*views)->Next(); !status.ok()) return status;
//     (*views)->Write({}, images);   // of batch number i: (*views)->size() images
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
  // `dataset` must outlive it. Of images that are not in memory, options.workers threads read
  // batches ahead, and each image once for all its views.
  static absl::StatusOr<std::unique_ptr<ViewMaker>> Create(const Dataset* dataset,
                                                           const PipelineOptions& options);

  int64_t batches() const { return maker_.batches_per_epoch(); }
  int64_t target_bytes() const { return maker_.bytes_of_target(); }  // of one image

  // Goes on to the next batch, at first batch 0; not after the last. Errors are those of the
  // images' reader.
  absl::Status Next();
  // Of this batch.
  int size() const { return maker_.SizeOf(index_); }
  const void* targets() const { return targets_; }
  // Writes its images, all placed alike (see TestTimeViews()).
  void Write(const Placement& placement, void* images) const;

 private:
  ViewMaker(const Dataset* dataset, BatchMaker maker);
  // Reads the images of a batch as they are in the data set.
  absl::StatusOr<int> ReadBatch(int64_t index, void* images, void* targets) const;
  void WriteTargets(int64_t index, void* targets) const;

  const Dataset* const dataset_;
  const BatchMaker maker_;
  const ImageWriter writer_;
  std::vector<char> own_targets_;  // where there is no crew
  std::unique_ptr<Crew> crew_;
  int64_t index_ = -1;
  const uint8_t* images_ = nullptr;
  const void* targets_ = nullptr;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_VIEWS_H_
