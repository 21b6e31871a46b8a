// Reads weight files of other programs: safetensors, and the archives of torch.save(). The pickle
// inside such an archive is also read on its own, because no fuzzer guesses an archive's checksums.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/fuzz/property.h"
#include "training/weights/torch_pickle.h"
#include "training/weights/weight_file.h"

namespace {

namespace training = cotangent::training;

void Check(const absl::StatusOr<training::WeightFile>& file) {
  if (!file.ok()) {
    COTANGENT_PROPERTY(absl::StartsWith(file.status().message(), "fuzz: "));
    return;
  }
  for (const auto& [name, tensor] : file->tensors()) {
    if (tensor.type == training::NumberType::kOther) continue;
    std::vector<float> numbers(tensor.elements);
    file->CopyTo(tensor, numbers.data());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  Check(training::ParseSafetensorsWeights(bytes, "fuzz"));
  Check(training::ParseTorchWeights(bytes, "fuzz"));
  const auto tensors = training::ReadTorchPickle(bytes);
  if (!tensors.ok()) COTANGENT_PROPERTY(!tensors.status().message().empty());
  return 0;
}
