// Sets some of a source's training images apart for validation.

#include <algorithm>
#include <cstdint>
#include <functional>
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

// Decides which images are set apart: those whose names have hashes below `bound`. In a class of
// two or more images, the image with the lowest hash is set apart in any case, and that with the
// highest is not, so that the class has images on either side.
//
// No rule that keeps every image on its side when others are added can set the same share of each
// class apart: such a rule decides about each image without regard to the others, so that chance
// decides how many of a class are set apart.
class Division {
 public:
  explicit Division(uint64_t bound) : bound_(bound) {}

  // Notes the hash of a training image's name for the image's class. Call this for all training
  // images before the first call of IsSetApart(). Ignores images with kUnknownLabel.
  void Take(absl::string_view name, int32_t label) {
    if (label == Source::kUnknownLabel) return;
    if (static_cast<size_t>(label) >= of_class_.size()) of_class_.resize(label + 1);
    const uint64_t hash = HashOf(name);
    Hashes& hashes = of_class_[label];
    hashes.lowest = std::min(hashes.lowest, hash);
    hashes.highest = std::max(hashes.highest, hash);
  }

  bool IsSetApart(absl::string_view name, int32_t label) const {
    const uint64_t hash = HashOf(name);
    if (label == Source::kUnknownLabel) return hash < bound_;
    const Hashes& hashes = of_class_[label];
    return hash != hashes.highest && (hash < bound_ || hash == hashes.lowest);
  }

 private:
  struct Hashes {
    uint64_t lowest = ~uint64_t{0}, highest = 0;
  };
  const uint64_t bound_;
  std::vector<Hashes> of_class_;
};

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

  absl::Status VisitImages(Split split, const Visit& visit) const override {
    if (split == Split::kTest) return whole_->VisitImages(split, visit);
    return VisitWithSplit([&](absl::string_view name, int32_t label, Split its) {
      if (its == split) visit(name, label);
    });
  }

  std::string FileOf(absl::string_view image_name) const override {
    return whole_->FileOf(image_name);
  }

  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override {
    if (split == Split::kTest) return whole_->Load(data_dir, split);
    ASSIGN_OR_RETURN(Dataset dataset, whole_->Load(data_dir, Split::kTrain));
    ASSIGN_OR_RETURN(std::vector<int32_t> chosen, Chosen(split));
    if (split == Split::kValidation && chosen.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(
          title, ": none of its ", dataset.size(),
          " training images is set apart for validation; take a larger share, or more images of "
          "each class: the only one is never set apart"));
    }
    dataset.Keep(std::move(chosen));
    if (split != Split::kValidation) return dataset;
    KeepReadable(dataset);
    if (dataset.size() > 0) return dataset;
    return absl::InvalidArgumentError(absl::StrCat(
        title, ": none of the images set apart for validation can be read; set more apart"));
  }

 private:
  // Visits all training images of the whole, each with the split to which it belongs here.
  absl::Status VisitWithSplit(
      const std::function<void(absl::string_view name, int32_t label, Split split)>& visit) const {
    Division division(bound_);
    RETURN_IF_ERROR(whole_->VisitImages(
        Split::kTrain, [&](absl::string_view name, int32_t label) { division.Take(name, label); }));
    return whole_->VisitImages(Split::kTrain, [&](absl::string_view name, int32_t label) {
      visit(name, label, division.IsSetApart(name, label) ? Split::kValidation : Split::kTrain);
    });
  }

  absl::StatusOr<std::vector<int32_t>> Chosen(Split split) const {
    std::vector<int32_t> chosen;
    int32_t index = 0;
    RETURN_IF_ERROR(VisitWithSplit([&](absl::string_view, int32_t, Split its) {
      if (its == split) chosen.push_back(index);
      ++index;
    }));
    return chosen;
  }

  const std::shared_ptr<const Source> whole_;
  const uint64_t bound_;  // 2^64 times the share
};

}  // namespace

std::shared_ptr<const Source> WithValidation(std::shared_ptr<const Source> source, double share) {
  return std::make_shared<Divided>(std::move(source), share);
}

}  // namespace cotangent::data
