// Families of implementations of convolutions, which Convolution (convolution.h) chooses from.
//
// A family is a file: a class that computes, and the ConvolutionFamily that tells which
// convolutions it is for, which of its choices are worth measuring, and makes them. To add one,
// write its file and name it in convolution_families.cc; convolution_test and
// convolution_sweep_test then try it on every shape that they know.
#ifndef COTANGENT_TENSOR_CONVOLUTION_FAMILY_H_
#define COTANGENT_TENSOR_CONVOLUTION_FAMILY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/cpu.h"
#include "tensor/convolution.h"

namespace cotangent::tensor {

// What Convolution runs. Functions mean what those of Convolution do.
class ConvolutionImplementation {
 public:
  virtual ~ConvolutionImplementation() = default;
  virtual std::string implementation() const = 0;
  virtual int64_t packed_weight_bytes() const = 0;
  virtual int64_t scratch_bytes() const = 0;
  virtual bool weights_are_plain() const { return false; }
  virtual void PackWeights(const float* oihw, void* packed) const = 0;
  // Called for kWeightGradient only.
  virtual void UnpackWeightGradient(const void*, float*) const {}
  // Forward, a bias and an addend are added where `arguments` has them.
  virtual void Run(const ConvolutionArguments& arguments) const = 0;
  // Whether Run() of kWeightGradient with Epilogue::bias writes the bias gradient; Convolution sums
  // it up otherwise.
  virtual bool writes_bias_gradient() const { return false; }
};

// The element types of the input and the output side.
struct SideTypes {
  ElementType in, out;
  friend bool operator==(const SideTypes&, const SideTypes&) = default;
};

// What an implementation was made for, from worst to best. Of one convolution's candidates only the
// best kind is measured.
enum class KernelKind : uint8_t {
  kReference,  // plain loops, to test others with
  kGemm,       // a product of matrices after a copy of the image
  kPortable,   // kernels for instructions that every processor of the kind has
  kAvx2,
  kAvx512,
};

struct ConvolutionCandidate {
  ConvolutionChoice choice;
  KernelKind kind;
};

struct ConvolutionFamily {
  std::string_view name;  // as README.md has it
  // Of every choice. That of kWinograd rounds more than sums of products do, and is left out where
  // exact results are asked for.
  Algorithm algorithm;
  // Whether this processor has the instructions, and the family computes such convolutions.
  bool (*available)(const ConvolutionShape& shape, Direction direction, const SideTypes& types);
  // The family's choices for convolutions that are available(), best guesses first.
  std::vector<ConvolutionCandidate> (*candidates)(const ConvolutionShape& shape,
                                                  Direction direction, const SideTypes& types);
  // Whether a choice of `algorithm` is the family's, be it worth measuring or not.
  bool (*has)(const ConvolutionChoice& choice);
  // Whether Epilogue::pooled can be had for a shape that is available(). Null: never.
  bool (*can_pool)(const ConvolutionShape& shape) = nullptr;
  // Whether the family is for Epilogue::int8, and for nothing else.
  bool int8 = false;
  // Makes a choice that the family has() and that is available().
  absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> (*create)(
      const ConvolutionShape& shape, Direction direction, const ConvolutionChoice& choice,
      const Epilogue& epilogue);
};

// All of them, in the order in which their candidates are listed.
absl::Span<const ConvolutionFamily* const> ConvolutionFamilies();

// The family that makes a choice for a shape; null if none does.
const ConvolutionFamily* FamilyOf(const ConvolutionShape& shape, Direction direction,
                                  const ConvolutionChoice& choice, bool int8);

// Layouts of a linear layer's input in which its features lie in different orders.
std::vector<Layout> LinearLayouts(const ConvolutionShape& shape);

// For families whose two sides are NHWC in one type, by kernels of own_kernels.h: a choice, and a
// candidate.
inline ConvolutionChoice NhwcChoice(Algorithm algorithm, ElementType type, std::string name) {
  return {algorithm, Layout::kNhwc, Layout::kNhwc, type, type, std::move(name)};
}
inline KernelKind OwnKernelKind() { return HasAvx512() ? KernelKind::kAvx512 : KernelKind::kAvx2; }

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_CONVOLUTION_FAMILY_H_
