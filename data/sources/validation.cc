// Sets some of a source's training images apart for validation.

#include <algorithm>

#include "base/status_macros.h"
#include "data/random.h"
#include "data/sources/source.h"

namespace cotangent::data {
namespace {

// The hash FNV-1a (Fowler, Noll, Vo). It is mixed once more, since its high bits depend little on
// the last letters.
uint64_t HashOf(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : name) hash = (hash ^ c) * 0x100000001b3;
  return SplitMix64::Hash(hash);
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

  absl::StatusOr<std::vector<std::string>> ImageNames(Split split) const override {
    auto names = whole_->ImageNames(split == Split::kTest ? split : Split::kTrain);
    if (!names.ok() || split == Split::kTest) return names;
    ASSIGN_OR_RETURN(const auto chosen, Chosen(split));
    std::vector<std::string> kept;
    for (int64_t i : chosen) kept.push_back((*names)[i]);
    return kept;
  }

  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override {
    if (split == Split::kTest) return whole_->Load(data_dir, split);
    absl::StatusOr<Dataset> dataset = whole_->Load(data_dir, Split::kTrain);
    if (!dataset.ok()) return dataset;
    // Images are identified by name, since the source may have left some out.
    std::vector<std::string> names = dataset->names;
    if (names.empty()) {
      ASSIGN_OR_RETURN(names, whole_->ImageNames(Split::kTrain));
    }
    if (!dataset->is_in_memory()) return Subset(*std::move(dataset), names, split);
    const int64_t bytes = dataset->image_bytes();
    int64_t kept = 0;
    for (int64_t i = 0; i < dataset->size(); ++i) {
      if (!Belongs(names[i], split)) continue;
      std::copy_n(dataset->images.begin() + i * bytes, bytes,
                  dataset->images.begin() + kept * bytes);
      dataset->MoveImage(i, kept++);
    }
    dataset->images.resize(kept * bytes);
    dataset->images.shrink_to_fit();
    dataset->ResizeTo(kept);
    return dataset;
  }

 private:
  // For images that are read when they are needed: reads those of one split, training or
  // validation.
  class SideReader final : public ImageReader {
   public:
    SideReader(std::shared_ptr<const ImageReader> whole, std::vector<int64_t> chosen)
        : whole_(std::move(whole)), chosen_(std::move(chosen)) {}
    absl::Status Read(int64_t index, uint8_t* image) const override {
      return whole_->Read(chosen_[index], image);
    }
    bool has_pictures() const override { return whole_->has_pictures(); }
    absl::Status ReadPart(int64_t index, const PartOf& part, uint8_t* image) const override {
      return whole_->ReadPart(chosen_[index], part, image);
    }

   private:
    const std::shared_ptr<const ImageReader> whole_;
    const std::vector<int64_t> chosen_;
  };

  Dataset Subset(Dataset whole, const std::vector<std::string>& names, Split split) const {
    Dataset side = std::move(whole);
    std::vector<int64_t> chosen;
    for (int64_t i = 0; i < side.size(); ++i) {
      if (!Belongs(names[i], split)) continue;
      side.MoveImage(i, static_cast<int64_t>(chosen.size()));
      chosen.push_back(i);
    }
    side.ResizeTo(static_cast<int64_t>(chosen.size()));
    side.reader = std::make_shared<SideReader>(std::move(side.reader), std::move(chosen));
    return side;
  }

  bool Belongs(const std::string& name, Split split) const {
    return (HashOf(name) < bound_) == (split == Split::kValidation);
  }

  absl::StatusOr<std::vector<int64_t>> Chosen(Split split) const {
    ASSIGN_OR_RETURN(const auto names, whole_->ImageNames(Split::kTrain));
    std::vector<int64_t> chosen;
    for (size_t i = 0; i < names.size(); ++i) {
      if (Belongs(names[i], split)) chosen.push_back(static_cast<int64_t>(i));
    }
    return chosen;
  }

  const std::shared_ptr<const Source> whole_;
  const uint64_t bound_;
};

}  // namespace

std::shared_ptr<const Source> WithValidation(std::shared_ptr<const Source> source, double share) {
  return std::make_shared<Divided>(std::move(source), share);
}

}  // namespace cotangent::data
