// Files of named tensors that other programs wrote: safetensors, and PyTorch's own .pt and .pth.
#ifndef COTANGENT_TRAINING_WEIGHTS_WEIGHT_FILE_H_
#define COTANGENT_TRAINING_WEIGHTS_WEIGHT_FILE_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::training {

enum class NumberType { kF64, kF32, kF16, kBf16, kOther };  // kOther: integers and the like

// Tensors by name. Their numbers stay as the file has them until they are asked for.
class WeightFile {
 public:
  struct Tensor {
    NumberType type = NumberType::kOther;
    std::vector<int64_t> shape;
    int64_t elements = 0;  // the product of the shape's extents
    // Element (i, j, ...) is number i strides[0] + j strides[1] + ... from byte `offset` of a
    // storage on.
    int storage = 0;
    int64_t offset = 0;
    std::vector<int64_t> strides;
  };

  const std::map<std::string, Tensor>& tensors() const { return tensors_; }
  const Tensor* Find(const std::string& name) const;
  // The numbers of a tensor of this file in row-major order, as f32, which has room for
  // tensor.elements. REQUIRES: its type is not kOther.
  void CopyTo(const Tensor& tensor, float* destination) const;

 private:
  friend absl::StatusOr<WeightFile> ParseSafetensorsWeights(std::string bytes,
                                                            absl::string_view source);
  friend absl::StatusOr<WeightFile> ParseTorchWeights(absl::string_view bytes,
                                                      absl::string_view source);
  std::map<std::string, Tensor> tensors_;
  std::vector<std::string> storages_;
};

// All errors are InvalidArgument, begin with `source` and say what was found and the mend.

// A safetensors file, its header checked as weights/safetensors.h says. Of a checkpoint of this
// project: the parameters' moving averages where there are any, without the optimizer's state.
absl::StatusOr<WeightFile> ParseSafetensorsWeights(std::string bytes, absl::string_view source);

// What torch.save() writes since PyTorch 1.6: a zip archive of a pickle and the tensors' storages.
// Nothing of the pickle is executed (torch_pickle.h). Entries must be stored as they are, as
// PyTorch stores them, so that the memory taken is in proportion to the file.
absl::StatusOr<WeightFile> ParseTorchWeights(absl::string_view bytes, absl::string_view source);

// A file of either kind, told apart by its first bytes.
absl::StatusOr<WeightFile> ReadWeightFile(const std::string& path);

}  // namespace cotangent::training

#endif  // COTANGENT_TRAINING_WEIGHTS_WEIGHT_FILE_H_
