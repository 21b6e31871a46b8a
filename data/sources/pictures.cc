#include "data/sources/pictures.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <filesystem>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "data/file.h"
#include "data/image_cache.h"
#include "data/image_file.h"
#include "data/random.h"

namespace cotangent::data {
namespace {

// How many pictures that cannot be read are reported one by one.
constexpr int kMostTold = 20;

absl::Status OrSkipIt(const absl::Status& status) {
  return absl::InvalidArgumentError(
      absl::StrCat(status.message(), "; or train without such pictures: --on_bad_image=skip"));
}

// Reads pictures from their files when they are needed, or has all of them decoded in memory.
class PictureReader final : public ImageReader {
 public:
  // `decoded` is empty, or contains all pictures.
  PictureReader(std::vector<Picture> pictures, FitOptions options, bool has_pictures,
                std::vector<Image> decoded = {})
      : pictures_(std::move(pictures)),
        options_(std::move(options)),
        has_pictures_(has_pictures),
        decoded_(std::move(decoded)) {}

  absl::Status Read(int64_t index, uint8_t* image) const override {
    return ReadPart(
        index, [](int, int) { return std::nullopt; }, image);
  }

  bool has_pictures() const override { return has_pictures_; }

  // If a picture cannot be read and such pictures are to be skipped, the next readable one with the
  // same class or targets is returned in its place, so that the run goes on.
  absl::Status ReadPart(int64_t index, const PartOf& part, uint8_t* image) const override {
    const absl::Status status = ReadOne(index, part, image);
    if (status.ok()) return status;
    if (!options_.skip_bad) return OrSkipIt(status);
    if (++bad_ <= kMostTold) options_.say(absl::StrCat("skipped: ", status.message()));
    const auto count = static_cast<int64_t>(pictures_.size());
    for (int64_t step = 1; step < std::min(count, kMostTries); ++step) {
      const int64_t other = (index + step) % count;
      if (pictures_[other].label == pictures_[index].label &&
          pictures_[other].targets == pictures_[index].targets && ReadOne(other, part, image).ok())
        return absl::OkStatus();
    }
    return status;
  }

 private:
  static constexpr int64_t kMostTries = 1000;

  absl::Status ReadOne(int64_t index, const PartOf& part, uint8_t* image) const {
    if (!decoded_.empty()) {
      const Image& whole = decoded_[index];
      Write(whole, part(whole.height, whole.width), image);
      return absl::OkStatus();
    }
    const Picture& picture = pictures_[index];
    const absl::StatusOr<DecodedPart> decoded = ReadImagePart(picture.path, part);
    if (!decoded.ok())
      return absl::InvalidArgumentError(absl::StrCat(picture.place, decoded.status().message()));
    Write(decoded->image, decoded->part, image);
    return absl::OkStatus();
  }

  void Write(const Image& picture, const std::optional<Rectangle>& part, uint8_t* image) const {
    if (part.has_value()) {
      PictureFitter(options_.shape, {Fit::kStretch, options_.fit.filter})
          .Write(ViewOf(picture, *part), image);
    } else {
      PictureFitter(options_.shape, options_.fit).Write(ViewOf(picture), image);
    }
  }

  const std::vector<Picture> pictures_;
  const FitOptions options_;
  const bool has_pictures_;
  const std::vector<Image> decoded_;
  mutable std::atomic<int> bad_{0};
};

// A hash of a sequence of numbers and texts.
class Hash {
 public:
  void Take(int64_t value) { hash_ = SplitMix64(hash_ + static_cast<uint64_t>(value)).Next(); }
  void Take(const std::string& text) {
    for (const unsigned char c : text) Take(int64_t{c});
    Take(static_cast<int64_t>(text.size()));
  }
  // Returns 16 hexadecimal digits.
  std::string Text() const { return absl::StrFormat("%016x", hash_); }

 private:
  uint64_t hash_ = 0;
};

// Adds to a hash how pictures are fitted to the network's input.
void TakeFit(const FitOptions& options, Hash& hash) {
  for (const int64_t value : {int64_t{options.shape.channels}, int64_t{options.shape.height},
                              int64_t{options.shape.width}, static_cast<int64_t>(options.fit.how)})
    hash.Take(value);
  // The usual filter is not added, so that caches and checkpoints of earlier versions remain valid.
  if (options.fit.filter != Filter::kAntialiased)
    hash.Take(static_cast<int64_t>(options.fit.filter));
}

// Returns a hash of the names, targets, sizes and times of the files and of how pictures are
// fitted.
std::string FingerprintOf(const std::vector<Picture>& pictures, const FitOptions& options) {
  Hash hash;
  TakeFit(options, hash);
  for (const Picture& picture : pictures) {
    struct stat about = {};
    stat(picture.path.c_str(), &about);
    hash.Take(picture.name);
    for (const float target : picture.targets) hash.Take(int64_t{std::bit_cast<uint32_t>(target)});
    for (const int64_t value : {int64_t{picture.label}, int64_t{about.st_size},
                                int64_t{about.st_mtim.tv_sec}, int64_t{about.st_mtim.tv_nsec}})
      hash.Take(value);
  }
  return hash.Text();
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Source>> PictureSource::Create(
    const std::string& text, TargetKind targets, std::vector<std::string> classes,
    std::vector<Picture> (&pictures)[3]) {
  if (pictures[0].empty())
    return absl::InvalidArgumentError(absl::StrCat(text, ": there are no training pictures in it"));
  if (targets == TargetKind::kClass && classes.size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        text, ": there is one class only, \"", classes.empty() ? "" : classes[0],
        "\"; there is nothing to tell apart: a class is a folder (in a CSV file, a label)"));
  }
  auto source = std::make_shared<PictureSource>();
  std::error_code error;
  source->name = std::filesystem::absolute(text, error).lexically_normal().string();
  source->title = text;
  source->target_kind = targets;
  source->classes = std::move(classes);
  for (int split = 0; split < 3; ++split) source->pictures_[split] = std::move(pictures[split]);
  return source;
}

absl::StatusOr<std::vector<std::string>> PictureSource::ImageNames(Split split) const {
  std::vector<std::string> names;
  for (const Picture& picture : pictures(split)) names.push_back(picture.name);
  return names;
}

std::vector<absl::Status> PictureSource::ReadAll(Split split,
                                                 const std::function<bool(int64_t, Image)>& take,
                                                 bool stop_at_bad) const {
  const std::vector<Picture>& list = pictures(split);
  const int64_t count = static_cast<int64_t>(list.size());
  std::vector<absl::Status> statuses(count);
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  const auto read = [&] {
    for (int64_t i = next++; i < count && !stop; i = next++) {
      absl::StatusOr<Image> picture = ReadImage(list[i].path);
      if (picture.ok()) {
        if (!take(i, *std::move(picture))) stop = true;
      } else {
        statuses[i] =
            absl::InvalidArgumentError(absl::StrCat(list[i].place, picture.status().message()));
        if (stop_at_bad) stop = true;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int t = 1; t < options_.threads; ++t) threads.emplace_back(read);
  read();
  for (std::thread& thread : threads) thread.join();
  return statuses;
}

void PictureSource::RemoveBad(Split split) {
  const std::vector<absl::Status> statuses = ReadAll(
      split, [](int64_t, const Image&) { return true; }, /*stop_at_bad=*/false);
  std::vector<Picture>& list = pictures_[static_cast<int>(split)];
  std::vector<Picture> good;
  int bad = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (statuses[i].ok()) {
      good.push_back(std::move(list[i]));
    } else if (++bad <= kMostTold) {
      options_.say(absl::StrCat("skipped: ", statuses[i].message()));
    }
  }
  if (bad > 0)
    options_.say(absl::StrCat("note: ", bad, " of ", list.size(), " pictures could not be read"));
  list = std::move(good);
}

std::shared_ptr<const Source> PictureSource::Fitted(const FitOptions& options) const {
  auto fitted = std::make_shared<PictureSource>(*this);
  fitted->options_ = options;
  fitted->channels = options.shape.channels;
  fitted->height = options.shape.height;
  fitted->width = options.shape.width;
  if (options.skip_bad) {
    for (Split split : {Split::kTrain, Split::kValidation, Split::kTest}) fitted->RemoveBad(split);
  }
  return fitted;
}

absl::Status PictureSource::LoadIntoMemory(Split split, Dataset& dataset) const {
  const int64_t count = dataset.size(), bytes = dataset.image_bytes();
  dataset.images.resize(count * bytes);
  const auto put = [&](int64_t i, const Image& picture) {
    const std::vector<uint8_t> image = FitPicture(picture, options_.shape, options_.fit);
    std::copy(image.begin(), image.end(), dataset.images.begin() + i * bytes);
    return true;
  };
  for (const absl::Status& status : ReadAll(split, put, /*stop_at_bad=*/true)) {
    if (!status.ok()) return OrSkipIt(status);
  }
  return absl::OkStatus();
}

absl::Status PictureSource::KeepPictures(Split split, Dataset& dataset) const {
  dataset.fingerprint = FingerprintOf(pictures(split), options_);
  if (!options_.cache.empty()) {
    options_.say(
        "note: --cache packs images of one size; the training pictures, of which parts are drawn "
        "at random, are decoded for every batch");
  }
  // The total size of the files, mostly less than that of the decoded pictures: if even the files
  // exceed the limit, no picture is decoded in vain.
  int64_t file_bytes = 0;
  for (const Picture& picture : pictures(split)) {
    struct stat about = {};
    if (stat(picture.path.c_str(), &about) == 0) file_bytes += about.st_size;
  }
  std::vector<Image> decoded;
  if (file_bytes <= options_.most_bytes_in_memory) {
    decoded.resize(dataset.size());
    std::atomic<int64_t> bytes{0};
    const auto keep = [&](int64_t i, Image picture) {
      bytes += static_cast<int64_t>(picture.rgb.size());
      decoded[i] = std::move(picture);
      return bytes <= options_.most_bytes_in_memory;
    };
    for (const absl::Status& status : ReadAll(split, keep, /*stop_at_bad=*/true)) {
      if (!status.ok()) return OrSkipIt(status);
    }
    if (bytes > options_.most_bytes_in_memory) decoded = {};
  }
  dataset.reader = std::make_shared<PictureReader>(pictures(split), options_, /*has_pictures=*/true,
                                                   std::move(decoded));
  return absl::OkStatus();
}

absl::Status PictureSource::ReadLater(Split split, Dataset& dataset) const {
  dataset.fingerprint = FingerprintOf(pictures(split), options_);
  auto files = std::make_shared<PictureReader>(pictures(split), options_, /*has_pictures=*/false);
  dataset.reader = files;
  if (options_.cache.empty()) return absl::OkStatus();
  if (absl::Status status = MakeDirectories(options_.cache); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--cache=", options_.cache, ": ", status.message()));
  }
  const CacheContents contents = {dataset.fingerprint, dataset.size(), dataset.image_bytes()};
  // The cache's name depends on the source, the split and the fitting, not on the pictures'
  // contents. If pictures have changed, the file is replaced.
  Hash which;
  which.Take(name);
  which.Take(static_cast<int64_t>(split));
  TakeFit(options_, which);
  const std::string path =
      JoinPath(options_.cache, absl::StrCat("images-", which.Text(), ".cache"));
  absl::StatusOr<std::shared_ptr<const ImageReader>> cache = OpenImageCache(path, contents);
  if (absl::IsNotFound(cache.status())) {
    options_.say(absl::StrCat("packing ", dataset.size(), " images of ", title, " into ", path,
                              " (", contents.images * contents.image_bytes >> 20, " MiB)"));
    if (absl::Status status = WriteImageCache(path, contents, *files, options_.threads);
        !status.ok())
      return status;
    cache = OpenImageCache(path, contents);
  }
  if (!cache.ok()) return cache.status();
  dataset.reader = *std::move(cache);
  return absl::OkStatus();
}

absl::StatusOr<Dataset> PictureSource::Load(const std::string&, Split split) const {
  Dataset dataset = EmptyDataset(*this);
  for (const Picture& picture : pictures(split)) {
    dataset.labels.push_back(picture.label);
    dataset.targets.insert(dataset.targets.end(), picture.targets.begin(), picture.targets.end());
    dataset.names.push_back(picture.name);
  }
  const bool is_small = dataset.size() <= options_.most_bytes_in_memory / dataset.image_bytes();
  absl::Status status = options_.draws_parts && split == Split::kTrain
                            ? KeepPictures(split, dataset)
                        : is_small ? LoadIntoMemory(split, dataset)
                                   : ReadLater(split, dataset);
  if (!status.ok()) return status;
  return dataset;
}

}  // namespace cotangent::data
