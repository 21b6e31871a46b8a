// The data source "sample": 400 training and 200 test images of CIFAR-10, 40 and 20 of each class,
// which are part of the program.

#include "base/status_macros.h"
#include "data/sources/cifar.h"
#include "data/sources/source.h"

// The records of the images, which the rule `sample_images` in BUILD links into the program.
extern "C" const uint8_t cotangent_sample_train_begin[], cotangent_sample_train_end[];
extern "C" const uint8_t cotangent_sample_test_begin[], cotangent_sample_test_end[];

namespace cotangent::data {
namespace {

class Sample final : public Source {
 public:
  Sample() {
    name = "sample";
    title = "the sample";
    classes = Cifar10Classes();
    normalisation = kCifar10Normalisation;
  }

  absl::StatusOr<int64_t> Size(Split split) const override {
    return static_cast<int64_t>(Bytes(split).size()) / CifarRecordBytes(CifarFormat::kCifar10);
  }

  absl::StatusOr<Dataset> Load(const std::string&, Split split) const override {
    Dataset dataset = EmptyDataset(*this);
    RETURN_IF_ERROR(AppendCifarRecords(Bytes(split), CifarFormat::kCifar10, CifarLabel::kFine,
                                       "the built-in sample", 0, dataset));
    return dataset;
  }

 private:
  static absl::Span<const uint8_t> Bytes(Split split) {
    const bool train = split == Split::kTrain;
    const uint8_t* begin = train ? cotangent_sample_train_begin : cotangent_sample_test_begin;
    const uint8_t* end = train ? cotangent_sample_train_end : cotangent_sample_test_end;
    return absl::MakeConstSpan(begin, end - begin);
  }
};

absl::StatusOr<std::shared_ptr<const Source>> OpenSample(const std::string& text, TargetKind) {
  return text == "sample" ? std::make_shared<Sample>() : nullptr;
}

COTANGENT_SOURCE(OpenSample, "sample");

}  // namespace
}  // namespace cotangent::data
