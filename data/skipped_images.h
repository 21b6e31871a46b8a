#ifndef COTANGENT_DATA_SKIPPED_IMAGES_H_
#define COTANGENT_DATA_SKIPPED_IMAGES_H_

#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/status.h"

namespace cotangent::data {

// How many images that cannot be read are told one by one.
inline constexpr int kMostTold = 20;

// Tells the user of images that cannot be read and are replaced: of the first kMostTold with their
// errors, then of their number whenever it has doubled. An image that several epochs ask for is
// told once. Several threads may call it at the same time.
class SkippedImages {
 public:
  using Say = std::function<void(const std::string& line)>;
  explicit SkippedImages(Say say) : say_(std::move(say)) {}

  // `error` names the image.
  void Note(const absl::Status& error);

 private:
  const Say say_;
  std::mutex mutex_;
  std::set<std::string> errors_;
  size_t next_count_ = 2 * kMostTold;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SKIPPED_IMAGES_H_
