// Sets some of a source's training images apart for validation.

#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/fnv.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "data/random.h"
#include "data/sources/source.h"

namespace cotangent::data {
namespace {

// Hashes a name twice, since the high bits of FNV-1a, on which a comparison with a bound mostly
// depends, hardly depend on the last letters of the name.
uint64_t HashOf(absl::string_view name) { return SplitMix64::Hash(Fnv1a(name)); }

// If bad images are replaced by others (Dataset::skipped is set, and the images are not in memory),
// reads every image once and removes the bad ones, for which reading gives an InvalidArgument
// error: in an evaluation, an image that replaces another would count twice.
void KeepReadable(Dataset& dataset) {
  if (dataset.skipped == nullptr || dataset.is_in_memory()) return;
  std::vector<absl::Status> statuses(dataset.size());
  std::vector<std::vector<uint8_t>> images(Threads(), std::vector<uint8_t>(dataset.image_bytes()));
  ParallelFor(dataset.size(), [&](int64_t i, int thread) {
    statuses[i] = dataset.reader->Read(i, images[thread].data());
  });
  std::vector<int32_t> readable;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    if (absl::IsInvalidArgument(statuses[i])) {
      dataset.skipped->Note(statuses[i]);
    } else {
      readable.push_back(static_cast<int32_t>(i));
    }
  }
  dataset.Keep(std::move(readable));
}

class Divided final : public Source {
 public:
  Divided(std::shared_ptr<const Source> whole, double share)
      : Source(*whole), whole_(std::move(whole)), bound_(static_cast<uint64_t>(share * 0x1p64)) {}

  bool Has(Split split) const override { return split == Split::kValidation || whole_->Has(split); }

  absl::StatusOr<int64_t> Size(Split split) const override {
    if (split == Split::kTest) return whole_->Size(split);
    ASSIGN_OR_RETURN(const auto chosen, Chosen(split));
    return static_cast<int64_t>(chosen.size());
  }

  absl::Status VisitImageNames(
      Split split, const std::function<void(absl::string_view name)>& visit) const override {
    if (split == Split::kTest) return whole_->VisitImageNames(split, visit);
    return whole_->VisitImageNames(Split::kTrain, [&](absl::string_view name) {
      if (Belongs(name, split)) visit(name);
    });
  }

  std::string FileOf(absl::string_view image_name) const override {
    return whole_->FileOf(image_name);
  }

  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override {
    if (split == Split::kTest) return whole_->Load(data_dir, split);
    ASSIGN_OR_RETURN(Dataset dataset, whole_->Load(data_dir, Split::kTrain));
    ASSIGN_OR_RETURN(std::vector<int32_t> chosen, Chosen(split));
    dataset.Keep(std::move(chosen));
    if (split != Split::kValidation) return dataset;
    KeepReadable(dataset);
    if (dataset.size() > 0) return dataset;
    return absl::InvalidArgumentError(absl::StrCat(
        title, ": none of the images set apart for validation can be read; set more apart"));
  }

 private:
  bool Belongs(absl::string_view name, Split split) const {
    return (HashOf(name) < bound_) == (split == Split::kValidation);
  }

  absl::StatusOr<std::vector<int32_t>> Chosen(Split split) const {
    std::vector<int32_t> chosen;
    int32_t index = 0;
    RETURN_IF_ERROR(whole_->VisitImageNames(Split::kTrain, [&](absl::string_view name) {
      if (Belongs(name, split)) chosen.push_back(index);
      ++index;
    }));
    return chosen;
  }

  const std::shared_ptr<const Source> whole_;
  const uint64_t bound_;  // images whose HashOf() is below this are validation images
};

}  // namespace

std::shared_ptr<const Source> WithValidation(std::shared_ptr<const Source> source, double share) {
  return std::make_shared<Divided>(std::move(source), share);
}

}  // namespace cotangent::data
