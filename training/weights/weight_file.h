// Reads files of named tensors that other programs wrote: safetensors, and PyTorch's .pt and .pth.
#ifndef COTANGENT_TRAINING_WEIGHTS_WEIGHT_FILE_H_
#define COTANGENT_TRAINING_WEIGHTS_WEIGHT_FILE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::training {

// The type of a tensor's numbers. kOther stands for integers, truth values and other types.
enum class NumberType { kF64, kF32, kF16, kBf16, kOther };

// The tensors of a file by name. Numbers keep the file's type until CopyTo() converts them.
class WeightFile {
 public:
  struct Tensor {
    NumberType type = NumberType::kOther;
    std::vector<int64_t> shape;
    int64_t elements = 0;  // the product of the shape's extents
    // Element (i, j, ...) is number i * strides[0] + j * strides[1] + ..., counted from byte
    // `offset` of the storage (array of numbers) with the index `storage`.
    int storage = 0;
    int64_t offset = 0;
    std::vector<int64_t> strides;
  };

  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  const Tensor* Find(const std::string& name) const;
  // Copies a tensor of this file to `destination` in row-major order, as f32; `destination` has
  // room for tensor.elements numbers. REQUIRES: tensor.type is not kOther.
  void CopyTo(const Tensor& tensor, float* destination) const;

 private:
  friend absl::StatusOr<WeightFile> ParseSafetensorsWeights(std::string bytes,
                                                            absl::string_view source);
  friend absl::StatusOr<WeightFile> ParseTorchWeights(absl::string_view bytes,
                                                      absl::string_view source);
  std::map<std::string, Tensor> tensors_;
  std::vector<std::string> storages_;
};

// Errors of the functions below begin with `source` or the path and say what was found and what to
// do. They are InvalidArgument, except that ReadWeightFile() returns other codes (NotFound, for
// example) if the file cannot be read.

// Parses a safetensors file; its header is checked as weights/safetensors.h says. For a checkpoint
// of this project the result has the parameters' moving averages in place of the parameters if
// there are any, and lacks the optimizer's state.
absl::StatusOr<WeightFile> ParseSafetensorsWeights(std::string bytes, absl::string_view source);

// Parses a file that torch.save() of PyTorch 1.6 or later wrote: a zip archive of a pickle and the
// tensors' numbers. Nothing in the pickle is executed (torch_pickle.h). Compressed entries, which
// PyTorch does not write, are refused, so that the memory taken is proportional to the file's size.
absl::StatusOr<WeightFile> ParseTorchWeights(absl::string_view bytes, absl::string_view source);

// Reads a file of either kind. Its first bytes tell which kind it is.
absl::StatusOr<WeightFile> ReadWeightFile(const std::string& path);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_WEIGHTS_WEIGHT_FILE_H_
