#include <algorithm>

#include "base/cpu.h"
#include "tensor/convolution_family.h"
#include "tensor/layout.h"

namespace cotangent::tensor {

extern const ConvolutionFamily kWinogradFamily, kWinogradRowsFamily, kDepthwiseFamily,
    kOuterProductFamily, kShiftedProductFamily, kProductFamily, kLinearProductFamily,
    kPixelProductFamily, kPixelCorrelationFamily, kOneDnnDirectFamily, kOneDnnWinogradFamily,
    kOneDnnMatmulFamily, kOneDnnInt8Family, kInt8WinogradFamily, kInt8ProductFamily;

absl::Span<const ConvolutionFamily* const> ConvolutionFamilies() {
  static constexpr const ConvolutionFamily* kFamilies[] = {
      &kWinogradFamily,         &kWinogradRowsFamily, &kDepthwiseFamily,      &kOuterProductFamily,
      &kShiftedProductFamily,   &kProductFamily,      &kLinearProductFamily,  &kPixelProductFamily,
      &kPixelCorrelationFamily, &kOneDnnDirectFamily, &kOneDnnWinogradFamily, &kOneDnnMatmulFamily,
      &kOneDnnInt8Family,       &kInt8WinogradFamily, &kInt8ProductFamily};
  return kFamilies;
}

const ConvolutionFamily* FamilyOf(const ConvolutionShape& shape, Direction direction,
                                  const ConvolutionChoice& choice, bool int8) {
  for (const ConvolutionFamily* family : ConvolutionFamilies()) {
    if (family->int8 == int8 && family->algorithm == choice.algorithm &&
        family->available(shape, direction, {choice.in_type, choice.out_type}) &&
        family->has(choice)) {
      return family;
    }
  }
  return nullptr;
}

std::vector<Layout> LinearLayouts(const ConvolutionShape& shape) {
  std::vector<Layout> layouts;
  for (const Layout layout :
       {Layout::kNhwc, Layout::kNchw, HasAvx512() ? Layout::kBlocked16 : Layout::kBlocked8}) {
    const bool known = std::any_of(layouts.begin(), layouts.end(), [&](Layout other) {
      return SameStorage(shape.in(), other, layout);
    });
    if (!known) layouts.push_back(layout);
  }
  return layouts;
}

}  // namespace cotangent::tensor
