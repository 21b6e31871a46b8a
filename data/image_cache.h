#ifndef COTANGENT_DATA_IMAGE_CACHE_H_
#define COTANGENT_DATA_IMAGE_CACHE_H_

// Images brought to a network's size, packed into one file, so that later epochs and runs need not
// decode pictures again. Images are read from the file when they are asked for: the system keeps of
// it in memory what there is room for, and a file that is cut short meanwhile is an error, where a
// mapped one would end the program.
//
// A file is: a header (Header in image_cache.cc: magic number, number of images, bytes of each,
// fingerprint of what it was made from), the CRC-32C of each image, the CRC-32C of all before; then
// the images, from a multiple of 64 bytes on. It appears whole or not at all.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "data/dataset.h"

namespace cotangent::data {

struct CacheContents {
  std::string fingerprint;  // of the pictures and of how they are brought to size
  int64_t images = 0, image_bytes = 0;
};

// Opens the cache in `path`. kNotFound unless it is there, its header is sound and names these
// contents. Reading an image compares its checksum; kDataLoss says how to mend a damaged one.
absl::StatusOr<std::shared_ptr<const ImageReader>> OpenImageCache(const std::string& path,
                                                                  const CacheContents& contents);

// Writes a cache of all images of `reader`, on `threads` threads, in bounded memory. Errors: those
// of the reader; kUnavailable where the file cannot be written (a full disk, say). After an error
// no file is left.
absl::Status WriteImageCache(const std::string& path, const CacheContents& contents,
                             const ImageReader& reader, int threads);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_IMAGE_CACHE_H_
