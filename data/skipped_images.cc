#include "data/skipped_images.h"

#include "absl/strings/str_cat.h"

namespace cotangent::data {

void SkippedImages::Note(const absl::Status& error) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!errors_.insert(std::string(error.message())).second) return;
  if (errors_.size() <= kMostTold) {
    say_(absl::StrCat("skipped: ", error.message()));
  } else if (errors_.size() == next_count_) {
    say_(absl::StrCat("note: ", errors_.size(), " pictures could not be read so far"));
    next_count_ *= 2;
  }
}

}  // namespace cotangent::data
