#include "tensor/int8_convolution.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tensor/onednn.h"
#include "tensor/own_kernels.h"

namespace cotangent::tensor {

bool Int8Available() { return HaveOwnInt8Kernels() || onednn::Int8Available(); }

std::vector<ConvolutionChoice> Int8Candidates(const ConvolutionShape& shape, ElementType in_type,
                                              ElementType out_type) {
  std::vector<ConvolutionChoice> candidates;
  if (!shape.Validate().ok()) return candidates;
  std::vector<ElementType> out_types = {out_type};
  if (out_type == ElementType::kF32 && Bf16Available()) out_types.push_back(ElementType::kBf16);
  for (const ElementType type : out_types) {
    const SideTypes types = {in_type, type};
    for (const ConvolutionFamily* family : ConvolutionFamilies()) {
      if (!family->int8 || !family->available(shape, Direction::kForward, types)) continue;
      for (ConvolutionCandidate& candidate : family->candidates(shape, Direction::kForward, types))
        candidates.push_back(std::move(candidate.choice));
    }
  }
  return candidates;
}

absl::Status CheckInt8Choice(const ConvolutionShape& shape, const ConvolutionChoice& choice,
                             const Epilogue& epilogue) {
  const Int8Convolution& int8 = *epilogue.int8;
  const bool is_real = int8.out_type == ElementType::kF32;
  const bool out_fits =
      is_real ? choice.out_type == ElementType::kF32 || choice.out_type == ElementType::kBf16
              : choice.out_type == int8.out_type;
  if (choice.in_layout == Layout::kNhwc && choice.out_layout == Layout::kNhwc &&
      choice.in_type == int8.in_type && out_fits &&
      static_cast<int64_t>(int8.weight_scales.size()) == shape.out_channels && !epilogue.pooled) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat("convolution ", shape.ToString(), ", ",
                                                 choice.ToString(),
                                                 ": not one of integers that was asked for"));
}

}  // namespace cotangent::tensor
