#ifndef COTANGENT_DATA_SOURCES_CIFAR_H_
#define COTANGENT_DATA_SOURCES_CIFAR_H_

// Reads the records of CIFAR-10 and CIFAR-100 (Krizhevsky, "Learning Multiple Layers of Features
// from Tiny Images", 2009). Both data sets have 50,000 training and 10,000 test images of 32 x 32
// pixels. Their binary files are sequences of records of fixed size:
//
//   CIFAR-10    label (0..9)                            1024 red, 1024 green, 1024 blue  3073 bytes
//   CIFAR-100   coarse (0..19) and fine label (0..99)   1024 red, 1024 green, 1024 blue  3074 bytes

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "data/dataset.h"

namespace cotangent::data {

inline constexpr Normalisation kCifar10Normalisation = {{0.49140, 0.48216, 0.44653},
                                                        {0.24703, 0.24349, 0.26159}};

// The format of a record, see the table above: CIFAR-10 has one label byte, CIFAR-100 two.
enum class CifarFormat { kCifar10, kCifar100 };
int64_t CifarRecordBytes(CifarFormat format);

// Which of CIFAR-100's two labels is the class: the fine one (100 classes) or the coarse one (20
// groups of five classes).
enum class CifarLabel { kFine, kCoarse };

// Return the names of the classes in the order of the labels.
std::vector<std::string> Cifar10Classes();
std::vector<std::string> Cifar100Classes(CifarLabel label);

// Appends the records in `bytes` to `dataset`. A label must be below the number of
// `dataset.classes`, and `bytes` must contain complete records; otherwise the error names `source`
// and, for a label, the number of the record. The first record in `bytes` has the number
// `first_record`. In the format of CIFAR-10 `label` does not matter.
absl::Status AppendCifarRecords(absl::Span<const uint8_t> bytes, CifarFormat format,
                                CifarLabel label, absl::string_view source, int64_t first_record,
                                Dataset& dataset);

// Returns a data set with the records in `bytes`.
absl::StatusOr<Dataset> ParseCifarRecords(absl::Span<const uint8_t> bytes, CifarFormat format,
                                          CifarLabel label = CifarLabel::kFine,
                                          absl::string_view source = "the records");

// Returns records of CIFAR-10 made from a sheet and labels. The sheet is a PNG with one image in
// each row, whose pixels follow one another. The labels are a JSON list; the first image has the
// label at index `first_label`, the next one the label after it.
absl::StatusOr<std::string> CifarRecordsFromSheet(absl::Span<const uint8_t> png,
                                                  absl::string_view labels_json,
                                                  int64_t first_label);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_CIFAR_H_
