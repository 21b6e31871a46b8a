#include "data/views.h"

#include <utility>

#include "base/status_macros.h"

namespace cotangent::data {

absl::StatusOr<std::unique_ptr<ViewMaker>> ViewMaker::Create(const Dataset* dataset,
                                                             const PipelineOptions& options,
                                                             int64_t first, int64_t every) {
  ASSIGN_OR_RETURN(BatchMaker maker, BatchMaker::Create(dataset, options));
  return std::unique_ptr<ViewMaker>(new ViewMaker(dataset, std::move(maker), first, every));
}

ViewMaker::ViewMaker(const Dataset* dataset, BatchMaker maker, int64_t first, int64_t every)
    : dataset_(dataset),
      maker_(std::move(maker)),
      writer_(dataset->channels, dataset->height, dataset->width, maker_.options().normalisation,
              maker_.options().format),
      every_(every),
      index_(first - every) {
  const PipelineOptions& options = maker_.options();
  if (dataset->is_in_memory()) {
    own_targets_.resize(maker_.target_bytes());
    return;
  }
  if (first >= batches()) return;
  Crew::Options crew;
  crew.batches_per_epoch = (batches() - first + every - 1) / every;
  crew.one_epoch = true;
  crew.image_bytes = options.batch_size * dataset->image_bytes();
  crew.target_bytes = maker_.target_bytes();
  crew.places = options.workers + options.buffers;
  const Crew::Make make = [=, this](int64_t, int64_t index, void* images, void* targets) {
    return ReadBatch(first + index * every, images, targets);
  };
  crew_ = std::make_unique<Crew>(crew, std::vector<Crew::Make>(options.workers, make));
}

void ViewMaker::WriteTargets(int64_t index, void* targets) const {
  const int64_t first = index * maker_.options().batch_size;
  for (int i = 0; i < maker_.SizeOf(index); ++i)
    maker_.WriteTarget(first + i, static_cast<char*>(targets) + i * target_bytes());
}

absl::StatusOr<int> ViewMaker::ReadBatch(int64_t index, void* images, void* targets) const {
  const int64_t first = index * maker_.options().batch_size;
  for (int i = 0; i < maker_.SizeOf(index); ++i) {
    RETURN_IF_ERROR(
        dataset_->Read(first + i, static_cast<uint8_t*>(images) + i * dataset_->image_bytes()));
  }
  WriteTargets(index, targets);
  return maker_.SizeOf(index);
}

absl::Status ViewMaker::Next() {
  index_ += every_;
  if (crew_ == nullptr) {
    images_ = dataset_->image(index_ * maker_.options().batch_size);
    WriteTargets(index_, own_targets_.data());
    targets_ = own_targets_.data();
    return absl::OkStatus();
  }
  const Batch batch = crew_->Next();
  images_ = static_cast<const uint8_t*>(batch.images);
  targets_ = batch.targets;
  return batch.status;
}

void ViewMaker::Write(const Placement& placement, void* images) const {
  for (int i = 0; i < size(); ++i)
    writer_.Write(images_ + i * dataset_->image_bytes(), placement,
                  static_cast<char*>(images) + i * writer_.output_bytes());
}

}  // namespace cotangent::data
