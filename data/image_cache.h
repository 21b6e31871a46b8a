#ifndef COTANGENT_DATA_IMAGE_CACHE_H_
#define COTANGENT_DATA_IMAGE_CACHE_H_

// Packs images that have been brought to a network's size into one file, so that later epochs and
// runs need not decode the pictures again. Images are read from the file when they are needed; the
// operating system caches what fits in memory. The file is not mapped into memory: if it were cut
// short during the run, a mapped file would end the program, while reading returns an error.
//
// The file consists of a header (Header in image_cache.cc: magic number, number of images, bytes of
// each image, fingerprint of the pictures), the CRC-32C of each image, the CRC-32C of everything
// before, and then the images, which begin at a multiple of 64 bytes. The file appears whole or not
// at all.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "data/dataset.h"

namespace cotangent::data {

// What a cache is made from.
struct CacheContents {
  std::string fingerprint;  // a hash of the pictures and of how they are brought to size
  int64_t images = 0, image_bytes = 0;
};

// Opens the cache file `path`. Returns kNotFound if there is no such file, or its header is damaged
// or describes other contents. Reading an image checks its checksum; the error for a damaged image
// is kDataLoss.
absl::StatusOr<std::shared_ptr<const ImageReader>> OpenImageCache(const std::string& path,
                                                                  const CacheContents& contents);

// Writes a cache of all images of `reader`, read by `threads` threads, a few hundred images at a
// time. Returns the reader's errors, and kUnavailable if the file cannot be written (a full disk,
// say). After an error no file is left.
absl::Status WriteImageCache(const std::string& path, const CacheContents& contents,
                             const ImageReader& reader, int threads);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_IMAGE_CACHE_H_
