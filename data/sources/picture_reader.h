#ifndef COTANGENT_DATA_SOURCES_PICTURE_READER_H_
#define COTANGENT_DATA_SOURCES_PICTURE_READER_H_

// Creates ImageReaders (data/dataset.h) that make images from pictures when a batch needs them. A
// picture is what a file holds, of any size; an image has the network's size.

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

// Returns the error of a picture that cannot be read, with the advice to skip such pictures.
absl::Status OrSkipIt(const absl::Status& status);

// Reads images from the picture files of a list. The argument `has_pictures` is what the reader's
// has_pictures() returns: whether parts of pictures may be read.
std::shared_ptr<const ImageReader> ReadFromFiles(std::shared_ptr<const PictureList> pictures,
                                                 const FitOptions& options, bool has_pictures);

// Reads images, and parts of pictures, from pictures that lie in memory.
std::shared_ptr<const ImageReader> ReadFromMemory(std::vector<Image> pictures,
                                                  const FitOptions& options);

// Writes a whole picture as a record of a packed file (data/packed_file.h), and reads it back. The
// record holds the pixels, then height and width as 32-bit numbers.
void MakeRecord(const Image& picture, std::vector<uint8_t>& record);
absl::StatusOr<Image> ReadRecord(const PackedFile& file, int64_t index);
// Makes the record of a picture that could not be read: the error's text, then 8 zeros in place of
// height and width. `image_bytes` is the size of the packed file's other records if they are images
// of one size, else 0; a record of an error never has that size (if it would, it gets a ninth
// zero). Readers of the file return the error.
void MakeErrorRecord(const absl::Status& error, int64_t image_bytes, std::vector<uint8_t>& record);
// Reads images, and parts of pictures, from a file of the records that MakeRecord() and
// MakeErrorRecord() make.
std::shared_ptr<const ImageReader> ReadPackedPictures(std::shared_ptr<const PackedFile> file,
                                                      const FitOptions& options);

// Reads images from a packed file whose records are images of the network's size, `image_bytes`
// bytes each, or records that MakeErrorRecord() makes.
std::shared_ptr<const ImageReader> ReadPackedImages(std::shared_ptr<const PackedFile> file,
                                                    int64_t image_bytes);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_PICTURE_READER_H_
