#include "data/sources/pictures.h"

#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <filesystem>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "base/editor_text.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "data/image_file.h"
#include "data/random.h"
#include "data/sources/picture_reader.h"

namespace cotangent::data {
namespace {

// A picture is what a file holds, of any size; an image has the network's size. A bad picture
// cannot be read.
//
// A hash of numbers and texts that are taken one after the other.
class Hash {
 public:
  void Take(int64_t value) { hash_ = SplitMix64(hash_ + static_cast<uint64_t>(value)).Next(); }
  void Take(absl::string_view text) {
    for (const char c : text) Take(int64_t{static_cast<unsigned char>(c)});
    Take(static_cast<int64_t>(text.size()));
  }
  // Returns 16 hexadecimal digits.
  std::string Text() const { return absl::StrFormat("%016x", hash_); }

 private:
  uint64_t hash_ = 0;
};

// Adds to a hash how pictures are fitted to images of the network's size.
void TakeFit(const FitOptions& options, Hash& hash) {
  for (const int64_t value : {int64_t{options.shape.channels}, int64_t{options.shape.height},
                              int64_t{options.shape.width}, static_cast<int64_t>(options.fit.how)})
    hash.Take(value);
  // The default filter adds nothing to the hash, so that fingerprints in earlier checkpoints stay
  // valid.
  if (options.fit.filter != Filter::kAntialiased)
    hash.Take(static_cast<int64_t>(options.fit.filter));
}

// Returns the name of a class as it stands in lines and tables: on one line, without control
// characters, in valid UTF-8.
std::string NameOfClass(const std::string& text) {
  return absl::StrReplaceAll(Printable(text), {{"\n", "\xef\xbf\xbd"}, {"\t", "\xef\xbf\xbd"}});
}

// Returns the error that two classes (or labels, or numbers) have one name, as NameOfClass()
// returns it.
absl::Status TwoOfOneName(const std::string& text, TargetKind targets, const std::string& name) {
  constexpr absl::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD
  const char* const what = targets == TargetKind::kNumbers  ? "numbers"
                           : targets == TargetKind::kLabels ? "labels"
                                                            : "classes";
  return absl::InvalidArgumentError(absl::StrCat(
      text, ": two ", what, " have the name \"", name, "\"",
      absl::StrContains(name, kReplacement)
          ? absl::StrCat(", where ", kReplacement, " stands for bytes that are no printable UTF-8")
          : "",
      "; rename one of them"));
}

// Returns the error of the first picture that could not be read, or OK.
absl::Status FirstError(const std::vector<absl::Status>& statuses) {
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return OrSkipIt(status);
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<Split> SplitNamed(absl::string_view name) {
  const std::string plain = absl::AsciiStrToLower(name);
  if (plain == "train" || plain == "training") return Split::kTrain;
  if (plain == "val" || plain == "valid" || plain == "validation") return Split::kValidation;
  if (plain == "test" || plain == "testing") return Split::kTest;
  return std::nullopt;
}

absl::StatusOr<std::shared_ptr<const Source>> PictureSource::Create(
    const std::string& text, TargetKind targets, std::vector<std::string> classes,
    PictureList (&pictures)[3], std::vector<std::string> notes) {
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
  source->notes_ = std::move(notes);
  // Checkpoints store the names of classes, labels or numbers in JSON, which holds valid UTF-8
  // only. With other bytes in them, the names in a checkpoint would differ from those of the data
  // set.
  std::set<std::string> names;
  for (const std::string& name : classes) {
    source->classes.push_back(NameOfClass(name));
    // Programs match the classes of a data set and of a network by their names.
    if (!names.insert(source->classes.back()).second)
      return TwoOfOneName(text, targets, source->classes.back());
  }
  for (int split = 0; split < 3; ++split) {
    pictures[split].ShrinkToFit();
    source->pictures_[split] = std::make_shared<const PictureList>(std::move(pictures[split]));
  }
  return source;
}

absl::Status PictureSource::VisitImages(Split split, const Visit& visit) const {
  const PictureList& list = pictures(split);
  for (int64_t i = 0; i < list.size(); ++i) visit(list.name(i), list.label(i));
  return absl::OkStatus();
}

std::vector<absl::Status> PictureSource::ReadAll(Split split,
                                                 const std::function<bool(int64_t, Image)>& take,
                                                 bool stop_at_bad) const {
  const PictureList& list = pictures(split);
  std::vector<absl::Status> statuses(list.size());
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  const auto read = [&] {
    for (int64_t i = next++; i < list.size() && !stop; i = next++) {
      absl::StatusOr<Image> picture = ReadImage(list.path(i));
      if (picture.ok()) {
        if (!take(i, *std::move(picture))) stop = true;
      } else {
        statuses[i] =
            absl::InvalidArgumentError(absl::StrCat(list.place(i), picture.status().message()));
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
  std::vector<int32_t> good;
  int bad = 0;
  for (size_t i = 0; i < statuses.size(); ++i) {
    if (statuses[i].ok()) {
      good.push_back(static_cast<int32_t>(i));
    } else if (++bad <= kMostTold) {
      options_.say(absl::StrCat("skipped: ", statuses[i].message()));
    }
  }
  if (bad == 0) return;
  options_.say(absl::StrCat("note: ", bad, " of ", statuses.size(), " pictures could not be read"));
  pictures_[static_cast<int>(split)] =
      std::make_shared<const PictureList>(pictures(split).Some(good));
}

std::shared_ptr<const Source> PictureSource::Fitted(const FitOptions& options) const {
  auto fitted = std::make_shared<PictureSource>(*this);
  fitted->options_ = options;
  fitted->channels = options.shape.channels;
  fitted->height = options.shape.height;
  fitted->width = options.shape.width;
  for (const std::string& note : notes_) options.say(note);
  if (!options.skip_bad) return fitted;
  for (Split split : {Split::kTrain, Split::kValidation, Split::kTest}) {
    if (split != Split::kTrain || fitted->IsSmall(split)) fitted->RemoveBad(split);
  }
  return fitted;
}

bool PictureSource::IsSmall(Split split) const {
  const PictureList& list = pictures(split);
  if (!DrawsParts(split)) {
    // The height and width have not been checked yet, so the product may be too large for an
    // integer.
    const double bytes = 1.0 * channels * height * width * static_cast<double>(list.size());
    return bytes <= static_cast<double>(options_.most_bytes_in_memory);
  }
  // The total of the picture files in bytes. The decoded pictures mostly take more. So if the files
  // alone take more than is allowed in memory, the pictures are not kept there, and need not be
  // decoded to find that out.
  int64_t file_bytes = 0;
  for (int64_t i = 0; i < list.size() && file_bytes <= options_.most_bytes_in_memory; ++i) {
    struct stat about = {};
    if (stat(list.path(i).c_str(), &about) == 0) file_bytes += about.st_size;
  }
  return file_bytes <= options_.most_bytes_in_memory;
}

std::string PictureSource::Fingerprint(Split split, bool as_images) const {
  const PictureList& list = pictures(split);
  Hash hash;
  if (as_images) TakeFit(options_, hash);
  for (int64_t i = 0; i < list.size(); ++i) {
    struct stat about = {};
    stat(list.path(i).c_str(), &about);
    hash.Take(list.name(i));
    for (const float target : list.targets(i)) hash.Take(int64_t{std::bit_cast<uint32_t>(target)});
    for (const int64_t value : {int64_t{list.label(i)}, int64_t{about.st_size},
                                int64_t{about.st_mtim.tv_sec}, int64_t{about.st_mtim.tv_nsec}})
      hash.Take(value);
  }
  return hash.Text();
}

absl::StatusOr<std::shared_ptr<const PackedFile>> PictureSource::OpenCache(Split split,
                                                                           bool as_images) const {
  if (absl::Status status = MakeDirectories(options_.cache); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--cache=", options_.cache, ": ", status.message()));
  }
  const PackedContents contents = {Fingerprint(split, as_images), pictures(split).size()};
  // The name of the packed file depends on the source, the split and, for images, how they are
  // fitted, but not on the pictures' contents. If pictures have changed, the new file therefore
  // replaces the old one.
  Hash which;
  which.Take(name);
  which.Take(static_cast<int64_t>(split));
  if (as_images) TakeFit(options_, which);
  const char* const what = as_images ? "images" : "pictures";
  const std::string path =
      JoinPath(options_.cache, absl::StrCat(what, "-", which.Text(), ".cache"));
  absl::StatusOr<std::shared_ptr<const PackedFile>> file = PackedFile::Open(path, contents);
  if (!absl::IsNotFound(file.status())) return file;
  options_.say(
      absl::StrCat("packing ", contents.records, " ", what, " of ", title, " into ", path));
  const auto make = [&](int64_t index, std::vector<uint8_t>& record) -> absl::Status {
    const absl::StatusOr<Image> picture = ReadImage(pictures(split).path(index));
    if (!picture.ok()) {
      const auto error = absl::InvalidArgumentError(
          absl::StrCat(pictures(split).place(index), picture.status().message()));
      if (!options_.skip_bad) return OrSkipIt(error);
      MakeErrorRecord(error, as_images ? int64_t{channels} * height * width : 0, record);
    } else if (as_images) {
      record = FitPicture(*picture, options_.shape, options_.fit);
    } else {
      MakeRecord(*picture, record);
    }
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(PackedFile::Write(path, contents, make, options_.threads));
  file = PackedFile::Open(path, contents);
  if (file.ok()) options_.say(absl::StrCat("packed: ", (*file)->size_of_all() >> 20, " MiB"));
  return file;
}

absl::Status PictureSource::DecodeImages(Split split, Dataset& dataset) const {
  const int64_t bytes = dataset.image_bytes();
  const auto put = [&](int64_t i, const Image& picture) {
    const std::vector<uint8_t> image = FitPicture(picture, options_.shape, options_.fit);
    std::copy(image.begin(), image.end(), dataset.images.begin() + i * bytes);
    return true;
  };
  return FirstError(ReadAll(split, put, /*stop_at_bad=*/true));
}

absl::Status PictureSource::TakeImages(Split split, Dataset& dataset) const {
  const int64_t bytes = dataset.image_bytes();
  const bool is_small = IsSmall(split);
  if (is_small) {
    dataset.images.resize(dataset.size() * bytes);
  } else {
    dataset.fingerprint = Fingerprint(split, /*as_images=*/true);
  }
  if (options_.cache.empty()) {
    if (is_small) return DecodeImages(split, dataset);
    dataset.reader = ReadFromFiles(pictures_[static_cast<int>(split)], options_,
                                   /*has_pictures=*/false);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(auto file, OpenCache(split, /*as_images=*/true));
  const auto reader = ReadPackedImages(std::move(file), bytes);
  if (!is_small) {
    dataset.reader = reader;
    return absl::OkStatus();
  }
  for (int64_t i = 0; i < dataset.size(); ++i)
    RETURN_IF_ERROR(reader->Read(i, dataset.images.data() + i * bytes));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Image>> PictureSource::DecodePictures(Split split) const {
  std::vector<Image> decoded;
  if (!IsSmall(split)) return decoded;
  decoded.resize(pictures(split).size());
  std::atomic<int64_t> bytes{0};
  const auto keep = [&](int64_t i, Image picture) {
    bytes += static_cast<int64_t>(picture.rgb.size());
    decoded[i] = std::move(picture);
    return bytes <= options_.most_bytes_in_memory;
  };
  RETURN_IF_ERROR(FirstError(ReadAll(split, keep, /*stop_at_bad=*/true)));
  if (bytes > options_.most_bytes_in_memory) decoded.clear();
  return decoded;
}

absl::Status PictureSource::TakePictures(Split split, Dataset& dataset) const {
  dataset.fingerprint = Fingerprint(split, /*as_images=*/true);
  if (options_.cache.empty()) {
    ASSIGN_OR_RETURN(std::vector<Image> decoded, DecodePictures(split));
    dataset.reader = decoded.empty() ? ReadFromFiles(pictures_[static_cast<int>(split)], options_,
                                                     /*has_pictures=*/true)
                                     : ReadFromMemory(std::move(decoded), options_);
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(auto file, OpenCache(split, /*as_images=*/false));
  // If bad pictures are skipped, the packed file of a split that is not small (IsSmall()) may have
  // records of errors, which the reader returns when such a record is read.
  if (file->size_of_all() > options_.most_bytes_in_memory || !IsSmall(split)) {
    dataset.reader = ReadPackedPictures(std::move(file), options_);
    return absl::OkStatus();
  }
  std::vector<Image> decoded;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    ASSIGN_OR_RETURN(Image picture, ReadRecord(*file, i));
    decoded.push_back(std::move(picture));
  }
  dataset.reader = ReadFromMemory(std::move(decoded), options_);
  return absl::OkStatus();
}

absl::StatusOr<Dataset> PictureSource::Load(const std::string&, Split split) const {
  Dataset dataset = EmptyDataset(*this);
  const std::shared_ptr<const PictureList>& list = pictures_[static_cast<int>(split)];
  dataset.labels = list->labels();
  dataset.targets = list->targets();
  dataset.name_of_image = [list](int64_t index) { return std::string(list->name(index)); };
  if (options_.replace_later && !options_.skip_bad && split != Split::kTrain && !IsSmall(split)) {
    const auto look = [](int64_t, const Image&) { return true; };
    RETURN_IF_ERROR(FirstError(ReadAll(split, look, /*stop_at_bad=*/true)));
  }
  RETURN_IF_ERROR(DrawsParts(split) ? TakePictures(split, dataset) : TakeImages(split, dataset));
  if ((options_.skip_bad || options_.replace_later) && dataset.reader != nullptr)
    dataset.skipped = std::make_shared<SkippedImages>(options_.say);
  return dataset;
}

}  // namespace cotangent::data
