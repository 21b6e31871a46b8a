#include "training/weights/weight_file.h"

#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/element_type.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "training/weights/safetensors.h"

namespace cotangent::training {
namespace {

template <typename T>
T Load(const char* bytes) {
  T value;
  std::memcpy(&value, bytes, sizeof(T));
  return value;
}

// Converts IEEE 754 binary16: 1 bit sign, 5 bits exponent (bias 15), 10 bits fraction.
float HalfToFloat(uint16_t half) {
  const float sign = (half & 0x8000) != 0 ? -1.0f : 1.0f;
  const int exponent = half >> 10 & 31, fraction = half & 1023;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(static_cast<float>(fraction), -24);
  return sign * std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
}

float NumberAt(const char* bytes, NumberType type) {
  switch (type) {
    case NumberType::kF64:
      return static_cast<float>(Load<double>(bytes));
    case NumberType::kF32:
      return Load<float>(bytes);
    case NumberType::kF16:
      return HalfToFloat(Load<uint16_t>(bytes));
    case NumberType::kBf16:
      return Bf16ToFloat(Load<uint16_t>(bytes));
    case NumberType::kOther:
      break;
  }
  return NAN;
}

int64_t BytesOf(NumberType type) {
  return type == NumberType::kF64 ? 8 : type == NumberType::kF32 ? 4 : 2;
}

NumberType TypeOf(absl::string_view dtype) {
  if (dtype == "F64") return NumberType::kF64;
  if (dtype == "F32") return NumberType::kF32;
  if (dtype == "F16") return NumberType::kF16;
  if (dtype == "BF16") return NumberType::kBf16;
  return NumberType::kOther;
}

// Returns the strides, in numbers, of a row-major tensor.
std::vector<int64_t> DenseStrides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t i = shape.size(); i-- > 0; stride *= shape[i]) strides[i] = stride;
  return strides;
}

}  // namespace

const WeightFile::Tensor* WeightFile::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

void WeightFile::CopyTo(const Tensor& tensor, float* destination) const {
  if (tensor.elements == 0) return;
  const char* const begin = storages_[tensor.storage].data() + tensor.offset;
  if (tensor.type == NumberType::kF32 && tensor.strides == DenseStrides(tensor.shape)) {
    std::memcpy(destination, begin, tensor.elements * sizeof(float));
    return;
  }
  std::vector<int64_t> index(tensor.shape.size(), 0);
  const int64_t bytes = BytesOf(tensor.type);
  int64_t place = 0;  // offset of the current element, in numbers
  for (int64_t n = 0; n < tensor.elements; ++n) {
    destination[n] = NumberAt(begin + place * bytes, tensor.type);
    // Advances to the next index; the last axis runs fastest.
    for (size_t axis = index.size(); axis-- > 0;) {
      place += tensor.strides[axis];
      if (++index[axis] < tensor.shape[axis]) break;
      place -= tensor.shape[axis] * tensor.strides[axis];
      index[axis] = 0;
    }
  }
}

absl::StatusOr<WeightFile> ParseSafetensorsWeights(std::string bytes, absl::string_view source) {
  const auto wrong = [&](absl::string_view finding) {
    return absl::InvalidArgumentError(absl::StrCat(
        source, ": ", finding, "; the file is damaged or cut short: fetch or save it again"));
  };
  const int64_t size = static_cast<int64_t>(bytes.size());
  const int64_t header_bytes =
      size < kSafetensorsLengthBytes ? 0 : SafetensorsHeaderLength(bytes.data());
  if (size < kSafetensorsLengthBytes || header_bytes > kLargestSafetensorsHeader ||
      header_bytes > size - kSafetensorsLengthBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(source,
                     ": neither a whole safetensors file nor a zip archive of torch.save(): "
                     "expected one of the two. Files that PyTorch before 1.6 wrote can be "
                     "loaded and saved again by a newer one"));
  }
  absl::StatusOr<SafetensorsHeader> header = ParseSafetensorsHeader(
      absl::string_view(bytes).substr(kSafetensorsLengthBytes, header_bytes));
  if (!header.ok()) return wrong(header.status().message());
  const int64_t data_begin = kSafetensorsLengthBytes + header_bytes;
  if (absl::Status status = CheckSafetensorsPlaces(*header, size - data_begin); !status.ok())
    return wrong(status.message());

  WeightFile file;
  file.storages_.push_back(bytes.substr(data_begin));
  for (const auto& [full_name, tensor] : header->tensors) {
    absl::string_view name = full_name;
    if (absl::StartsWith(name, "optimizer/")) continue;
    const bool is_average = absl::ConsumePrefix(&name, "ema/");
    if (!is_average && header->tensors.count(absl::StrCat("ema/", name)) > 0) continue;
    const NumberType type = TypeOf(tensor.dtype);
    file.tensors_[std::string(name)] = {type, tensor.shape,      ElementsOf(tensor.shape, size),
                                        0,    tensor.offsets[0], DenseStrides(tensor.shape)};
  }
  return file;
}

absl::StatusOr<WeightFile> ReadWeightFile(const std::string& path) {
  absl::StatusOr<std::string> bytes = data::ReadFile(path);
  if (!bytes.ok()) {
    return absl::Status(bytes.status().code(),
                        absl::StrCat(bytes.status().message(),
                                     "; expected a safetensors file, such as a checkpoint of a "
                                     "run, or a .pt or .pth file of PyTorch"));
  }
  if (absl::StartsWith(*bytes, "PK")) return ParseTorchWeights(*bytes, path);
  return ParseSafetensorsWeights(*std::move(bytes), path);
}

}  // namespace cotangent::training
