#include "data/sources/picture_reader.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/fit.h"
#include "data/image_file.h"

namespace cotangent::data {
namespace {

// A picture is what a file holds, of any size; an image has the network's size.
//
// Writes the part of the picture, stretched to the image's size; without a part, writes the whole
// picture, fitted as `options` say.
void WritePart(const Image& picture, const std::optional<Rectangle>& part,
               const FitOptions& options, uint8_t* image) {
  if (part.has_value()) {
    PictureFitter(options.shape, {Fit::kStretch, options.fit.filter})
        .Write(ViewOf(picture, *part), image);
  } else {
    PictureFitter(options.shape, options.fit).Write(ViewOf(picture), image);
  }
}

// The end of a record (of a packed file) that holds a picture: the picture's size in pixels.
struct Size {
  int32_t height, width;
};

// Returns the error that a record without a picture holds; kDataLoss if it holds no error, either.
absl::Status ErrorOf(const std::vector<uint8_t>& record, int64_t index) {
  size_t end = record.size();
  while (end > 0 && record[end - 1] == 0) --end;
  if (end == 0 || record.size() - end < sizeof(Size))
    return absl::DataLossError(absl::StrCat("record ", index, " of the cache is no picture"));
  return absl::InvalidArgumentError(
      absl::StrCat(std::string(record.begin(), record.begin() + static_cast<int64_t>(end)),
                   " (when the cache was made)"));
}

// The base of readers that make images from pictures or from parts of them. Read() fits the whole
// picture to the image's size.
class PartReader : public ImageReader {
 public:
  absl::Status Read(int64_t index, uint8_t* image) const override {
    return ReadPart(
        index, [](int, int) { return std::nullopt; }, image);
  }
  bool has_pictures() const override { return true; }
};

class FileReader final : public PartReader {
 public:
  FileReader(std::shared_ptr<const PictureList> pictures, const FitOptions& options,
             bool has_pictures)
      : pictures_(std::move(pictures)), options_(options), has_pictures_(has_pictures) {}

  bool has_pictures() const override { return has_pictures_; }

  absl::Status ReadPart(int64_t index, const PartOf& part, uint8_t* image) const override {
    const absl::StatusOr<DecodedPart> decoded = ReadImagePart(pictures_->path(index), part);
    if (!decoded.ok()) {
      const auto error = absl::InvalidArgumentError(
          absl::StrCat(pictures_->place(index), decoded.status().message()));
      return options_.skip_bad || options_.replace_later ? error : OrSkipIt(error);
    }
    WritePart(decoded->image, decoded->part, options_, image);
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<const PictureList> pictures_;
  const FitOptions options_;
  const bool has_pictures_;
};

class MemoryReader final : public PartReader {
 public:
  MemoryReader(std::vector<Image> pictures, const FitOptions& options)
      : pictures_(std::move(pictures)), options_(options) {}

  absl::Status ReadPart(int64_t index, const PartOf& part, uint8_t* image) const override {
    const Image& picture = pictures_[index];
    WritePart(picture, part(picture.height, picture.width), options_, image);
    return absl::OkStatus();
  }

 private:
  const std::vector<Image> pictures_;
  const FitOptions options_;
};

class PackedPictureReader final : public PartReader {
 public:
  PackedPictureReader(std::shared_ptr<const PackedFile> file, const FitOptions& options)
      : file_(std::move(file)), options_(options) {}

  absl::Status ReadPart(int64_t index, const PartOf& part, uint8_t* image) const override {
    ASSIGN_OR_RETURN(const Image picture, ReadRecord(*file_, index));
    WritePart(picture, part(picture.height, picture.width), options_, image);
    return absl::OkStatus();
  }

 private:
  const std::shared_ptr<const PackedFile> file_;
  const FitOptions options_;
};

class PackedImageReader final : public ImageReader {
 public:
  PackedImageReader(std::shared_ptr<const PackedFile> file, int64_t image_bytes)
      : file_(std::move(file)), image_bytes_(image_bytes) {}
  absl::Status Read(int64_t index, uint8_t* image) const override {
    if (file_->size(index) == image_bytes_) return file_->Read(index, image);
    std::vector<uint8_t> record(file_->size(index));
    RETURN_IF_ERROR(file_->Read(index, record.data()));
    return ErrorOf(record, index);
  }

 private:
  const std::shared_ptr<const PackedFile> file_;
  const int64_t image_bytes_;
};

}  // namespace

absl::Status OrSkipIt(const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat(status.message(), "; or train without such pictures: --on_bad_image=skip"));
}

std::shared_ptr<const ImageReader> ReadFromFiles(std::shared_ptr<const PictureList> pictures,
                                                 const FitOptions& options, bool has_pictures) {
  return std::make_shared<FileReader>(std::move(pictures), options, has_pictures);
}

std::shared_ptr<const ImageReader> ReadFromMemory(std::vector<Image> pictures,
                                                  const FitOptions& options) {
  return std::make_shared<MemoryReader>(std::move(pictures), options);
}

// The size comes last, so that ReadRecord() can use the record's bytes as the picture's pixels
// without moving them.
void MakeRecord(const Image& picture, std::vector<uint8_t>& record) {
  const Size size = {picture.height, picture.width};
  const auto* const bytes = reinterpret_cast<const uint8_t*>(&size);
  record.assign(picture.rgb.begin(), picture.rgb.end());
  record.insert(record.end(), bytes, bytes + sizeof(size));
}

absl::StatusOr<Image> ReadRecord(const PackedFile& file, int64_t index) {
  Image picture;
  picture.rgb.resize(file.size(index));
  RETURN_IF_ERROR(file.Read(index, picture.rgb.data()));
  Size size = {};
  const int64_t pixels = file.size(index) - static_cast<int64_t>(sizeof(size));
  if (pixels > 0) {
    std::memcpy(&size, picture.rgb.data() + pixels, sizeof(size));
    picture.rgb.resize(pixels);
  }
  if (size.height < 1 || size.width < 1 || int64_t{3} * size.height * size.width != pixels) {
    const auto* const bytes = reinterpret_cast<const uint8_t*>(&size);
    picture.rgb.insert(picture.rgb.end(), bytes, bytes + (pixels > 0 ? sizeof(size) : 0));
    return ErrorOf(picture.rgb, index);
  }
  picture.height = size.height, picture.width = size.width;
  return picture;
}

void MakeErrorRecord(const absl::Status& error, int64_t image_bytes, std::vector<uint8_t>& record) {
  record.assign(error.message().begin(), error.message().end());
  record.resize(record.size() + sizeof(Size));
  if (static_cast<int64_t>(record.size()) == image_bytes) record.push_back(0);
}

std::shared_ptr<const ImageReader> ReadPackedPictures(std::shared_ptr<const PackedFile> file,
                                                      const FitOptions& options) {
  return std::make_shared<PackedPictureReader>(std::move(file), options);
}

std::shared_ptr<const ImageReader> ReadPackedImages(std::shared_ptr<const PackedFile> file,
                                                    int64_t image_bytes) {
  return std::make_shared<PackedImageReader>(std::move(file), image_bytes);
}

}  // namespace cotangent::data
