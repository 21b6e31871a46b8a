#ifndef COTANGENT_DATA_SOURCES_PICTURE_READER_H_
#define COTANGENT_DATA_SOURCES_PICTURE_READER_H_

// Images that are made from pictures when they are asked for.

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "data/image.h"
#include "data/packed_file.h"
#include "data/sources/picture_list.h"
#include "data/sources/source.h"

namespace cotangent::data {

// How many pictures that cannot be read are told one by one.
inline constexpr int kMostTold = 20;

// The error of a picture that cannot be read, with a way out.
absl::Status OrSkipIt(const absl::Status& status);

// From the pictures' files. Where `options.skip_bad`, in place of a picture that has become bad
// comes the next good one of its class or its targets, so that a run goes on. With `has_pictures`
// parts of them may be read.
std::shared_ptr<const ImageReader> ReadFromFiles(std::shared_ptr<const PictureList> pictures,
                                                 const FitOptions& options, bool has_pictures);

// Parts of pictures that lie in memory.
std::shared_ptr<const ImageReader> ReadFromMemory(std::vector<Image> pictures,
                                                  const FitOptions& options);

// A packed file's record of a whole picture: its pixels, then its height and width as 32-bit numbers.
void MakeRecord(const Image& picture, std::vector<uint8_t>& record);
absl::StatusOr<Image> ReadRecord(const PackedFile& file, int64_t index);
// Parts of the pictures in a file of such records.
std::shared_ptr<const ImageReader> ReadPackedPictures(std::shared_ptr<const PackedFile> file,
                                                      const FitOptions& options);

// From a file whose records are images of the network's size, `image_bytes` each.
std::shared_ptr<const ImageReader> ReadPackedImages(std::shared_ptr<const PackedFile> file,
                                                    int64_t image_bytes);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_PICTURE_READER_H_
