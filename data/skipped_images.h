#ifndef COTANGENT_DATA_SKIPPED_IMAGES_H_
#define COTANGENT_DATA_SKIPPED_IMAGES_H_

#include <functional>
#include <mutex>
#include <set>
#include <string>

#include "absl/status/status.h"

namespace cotangent::data {

// The number of images that cannot be read up to which each is reported by itself.
inline constexpr int kMostTold = 20;

// Reports to the user that images cannot be read and are replaced: the first kMostTold one by one
// with their errors, then only the number of such images, whenever it reaches 40, 80, 160 and so
// on. An image that several epochs ask for is reported once. Several threads may call Note() at the
// same time.
class SkippedImages {
 public:
  using Say = std::function<void(const std::string& line)>;
  explicit SkippedImages(Say say) : say_(std::move(say)) {}

  // Reports `error`, whose message names the image, unless the same message was reported before.
  void Note(const absl::Status& error);

 private:
  const Say say_;
  std::mutex mutex_;
  std::set<std::string> errors_;
  size_t next_count_ = 2 * kMostTold;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SKIPPED_IMAGES_H_
