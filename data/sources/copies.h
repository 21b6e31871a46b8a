#ifndef COTANGENT_DATA_SOURCES_COPIES_H_
#define COTANGENT_DATA_SOURCES_COPIES_H_

// Finds pictures that are both in the training split and in a split that is held back for
// evaluation. The network has learnt their targets in training, so an evaluation on them gives
// better figures than one on new pictures.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "data/sources/source.h"

namespace cotangent::data {

struct Copies {
  int64_t compared = 0;  // pictures of the held-back split that were compared
  int64_t count = 0;     // those of them that are training pictures, too
  // The path of the first of these `count` pictures, and of a training picture with the same bytes;
  // both empty if there is none.
  std::string held_back, training;
};

// Returns how many pictures of `held_back` (kValidation or kTest) have the same bytes as a training
// picture, and the first of them. Of more than 10,000 pictures, 10,000 evenly spaced ones are
// compared. Of each compared picture, the first and the last 4 KiB are read. A training picture is
// opened only if a compared picture has the same length, and the two are read whole only if they
// also begin and end alike. Files that are empty or cannot be read are no copies, but count in
// `compared`. Sources whose images are not files of their own have no copies.
absl::StatusOr<Copies> FindCopies(const Source& source, Split held_back);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_COPIES_H_
