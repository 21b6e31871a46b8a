// Reads CIFAR records. The first byte chooses the format and which of CIFAR-100's labels to use;
// the records follow.
#include <cstddef>
#include <cstdint>

#include "data/sources/cifar.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace data_sets = cotangent::data;
  if (size == 0) return 0;
  const auto format =
      data[0] & 1 ? data_sets::CifarFormat::kCifar100 : data_sets::CifarFormat::kCifar10;
  const auto label_kind =
      data[0] & 2 ? data_sets::CifarLabel::kCoarse : data_sets::CifarLabel::kFine;
  const absl::StatusOr<data_sets::Dataset> parsed = data_sets::ParseCifarRecords(
      absl::MakeConstSpan(data + 1, size - 1), format, label_kind, "fuzz");
  if (!parsed.ok()) {
    COTANGENT_PROPERTY(!parsed.status().message().empty());
    return 0;
  }
  COTANGENT_PROPERTY(parsed->size() * data_sets::CifarRecordBytes(format) ==
                     static_cast<int64_t>(size - 1));
  COTANGENT_PROPERTY(static_cast<int64_t>(parsed->images.size()) ==
                     parsed->size() * parsed->image_bytes());
  for (const int32_t label : parsed->labels)
    COTANGENT_PROPERTY(label >= 0 && label < static_cast<int32_t>(parsed->classes.size()));
  return 0;
}
