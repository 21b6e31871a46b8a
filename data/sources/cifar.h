#ifndef COTANGENT_DATA_SOURCES_CIFAR_H_
#define COTANGENT_DATA_SOURCES_CIFAR_H_

// The records of CIFAR-10 and CIFAR-100.
//
// Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009. Both sets have 50,000
// training and 10,000 test images of 32 x 32 pixels. Their binary files are sequences of records of
// fixed size:
//
//   CIFAR-10    label (0..9)                               1024 red, 1024 green, 1024 blue   3073 bytes
//   CIFAR-100   coarse label (0..19), fine label (0..99)   1024 red, 1024 green, 1024 blue   3074 bytes

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/dataset.h"

namespace cotangent::data {

inline constexpr Normalization kCifar10Normalization = {{0.49140, 0.48216, 0.44653},
                                                        {0.24703, 0.24349, 0.26159}};

// How a record starts: CIFAR-10 has one label byte, CIFAR-100 two.
enum class CifarFormat { kCifar10, kCifar100 };
int64_t CifarRecordBytes(CifarFormat format);

// Which of CIFAR-100's two labels is learnt: one of 100 classes or one of 20 groups of five
// classes.
enum class CifarLabel { kFine, kCoarse };

// The class names, in the order of the labels.
std::vector<std::string> Cifar10Classes();
std::vector<std::string> Cifar100Classes(CifarLabel label);

// Appends the records in `bytes`, of which there must be a whole number, to `dataset`, whose
// `classes` say how many labels there are. `source` names the bytes in errors; `first_record` is
// the number of the first record in it.
absl::Status AppendCifarRecords(absl::Span<const uint8_t> bytes, CifarFormat format,
                                CifarLabel label, absl::string_view source, int64_t first_record,
                                Dataset& dataset);

// A data set from bytes in one of the record formats.
absl::StatusOr<Dataset> ParseCifarRecords(absl::Span<const uint8_t> bytes, CifarFormat format,
                                          CifarLabel label = CifarLabel::kFine,
                                          absl::string_view source = "the records");

// Official records from a sheet, a PNG with an image in each row, its pixels one after the other,
// and from the labels, a JSON list. Images first_label, first_label + 1, ... of the list are those
// of the sheet.
absl::StatusOr<std::string> CifarRecordsFromSheet(absl::Span<const uint8_t> png,
                                                  absl::string_view labels_json,
                                                  int64_t first_label);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_CIFAR_H_
