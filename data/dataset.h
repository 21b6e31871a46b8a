#ifndef COTANGENT_DATA_DATASET_H_
#define COTANGENT_DATA_DATASET_H_

// CIFAR-10, CIFAR-100 and a sample of CIFAR-10 that is part of the program.
//
// Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. Both sets have 50,000
// training and 10,000 test images of 32 x 32 pixels. Their binary files are sequences of records of
// fixed size:
//
//   CIFAR-10    label (0..9)                               1024 red, 1024 green, 1024 blue    3073
//   bytes CIFAR-100   coarse label (0..19), fine label (0..99)   1024 red, 1024 green, 1024 blue
//   3074 bytes

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cotangent::data {

enum class DatasetName { kCifar10, kCifar100, kSample };
enum class Split { kTrain, kTest };
// Which of CIFAR-100's two labels is learnt: one of 100 classes or one of 20 groups of five
// classes.
enum class LabelKind { kFine, kCoarse };

struct Dataset {
  std::string name;                  // "cifar10", "cifar100" or "sample".
  std::vector<std::string> classes;  // Class names; a label is an index into it.
  int channels = 3;
  int height = 32;
  int width = 32;
  std::vector<uint8_t> images;  // [size, channels, height, width], contiguous.
  std::vector<uint8_t> labels;  // [size]

  int64_t size() const { return static_cast<int64_t>(labels.size()); }
  int64_t image_bytes() const { return int64_t{channels} * height * width; }
  // The pixels of one image, [channels, height, width].
  const uint8_t* image(int64_t index) const { return images.data() + index * image_bytes(); }
};

// "cifar10", "cifar100" or "sample".
absl::StatusOr<DatasetName> ParseDatasetName(absl::string_view text);
absl::string_view ToString(DatasetName name);

// $XDG_CACHE_HOME/cotangent, else ~/.cache/cotangent.
std::string DefaultDataDir();

// Reads one split of a data set that lies, unpacked as its authors packed it, in `data_dir`
// (`data_dir`/cifar-10-batches-bin, `data_dir`/cifar-100-binary). The sample needs no directory.
// Files that are missing (kNotFound), too short, too long or hold a label out of range
// (kInvalidArgument) are named in the error with what was found, what was expected, and the command
// that mends it.
absl::StatusOr<Dataset> Load(DatasetName name, const std::string& data_dir, Split split,
                             LabelKind label_kind = LabelKind::kFine);

absl::StatusOr<Dataset> LoadCifar10(const std::string& data_dir, Split split);
absl::StatusOr<Dataset> LoadCifar100(const std::string& data_dir, Split split,
                                     LabelKind label_kind);

// 400 training and 200 test images of CIFAR-10, 40 and 20 of each class; they are part of the
// program.
absl::StatusOr<Dataset> LoadSample(Split split);

// The files a data set consists of, as paths below the data directory, and the bytes each must
// have.
struct DataFile {
  std::string path;
  int64_t bytes;
};
std::vector<DataFile> FilesOf(DatasetName name);
std::vector<DataFile> FilesOf(DatasetName name, Split split);

// How a record starts: CIFAR-10 has one label byte, CIFAR-100 two.
enum class RecordFormat { kCifar10, kCifar100 };
int64_t RecordBytes(RecordFormat format);

// Appends the records in `bytes`, of which there must be a whole number, to `dataset`, whose
// `classes` say how many labels there are. `source` names the bytes in errors; `first_record` is
// the number of the first record in it.
absl::Status AppendCifarRecords(absl::Span<const uint8_t> bytes, RecordFormat format,
                                LabelKind label_kind, absl::string_view source,
                                int64_t first_record, Dataset& dataset);

// A data set from bytes in one of the record formats: what the readers do, for bytes from anywhere.
absl::StatusOr<Dataset> ParseCifarRecords(absl::Span<const uint8_t> bytes, RecordFormat format,
                                          LabelKind label_kind = LabelKind::kFine,
                                          absl::string_view source = "the records");

// The class names, in the order of the labels.
std::vector<std::string> Cifar10Classes();
std::vector<std::string> Cifar100Classes(LabelKind label_kind);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_DATASET_H_
