// Families of implementations of convolutions. A choice (ConvolutionChoice in convolution.h) names
// an implementation; Convolution::Create() asks the family to which the choice belongs to make the
// implementation.
//
// A family is one source file. It holds a class that computes convolutions, and a
// ConvolutionFamily, which says for which convolutions the class works, lists the choices that are
// worth measuring, and makes objects of the class. To add a family, write such a file and list it
// in convolution_families.cc; convolution_test and convolution_sweep_test then try it on all their
// shapes.
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

// The interface of a family's class, through which Convolution runs it. A function without a comment
// of its own means the same as the function of that name in Convolution.
class ConvolutionImplementation {
 public:
  virtual ~ConvolutionImplementation() = default;
  virtual std::string implementation() const = 0;
  virtual int64_t packed_weight_bytes() const = 0;
  virtual int64_t scratch_bytes() const = 0;
  virtual bool weights_are_plain() const { return false; }
  virtual void PackWeights(const float* oihw, void* packed) const = 0;
  // Converts a packed weight gradient to f32 [out, in / groups, height, width]. Convolution calls
  // it for kWeightGradient only.
  virtual void UnpackWeightGradient(const void*, float*) const {}
  // Computes the convolution with all operations that the Epilogue asks for; only the gradient of
  // the bias may be left out (writes_bias_gradient()).
  virtual void Run(const ConvolutionArguments& arguments) const = 0;
  // Returns whether Run() of kWeightGradient with Epilogue::bias writes the gradient of the bias.
  // If not, Convolution computes it.
  virtual bool writes_bias_gradient() const { return false; }
};

// The element types of a convolution's two sides: its input and its output, or their gradients.
struct SideTypes {
  ElementType in, out;
  friend bool operator==(const SideTypes&, const SideTypes&) = default;
};

// The kinds of kernels, from worst to best: by method, or by the instruction set that a kernel was
// written for. For each pair of element types, Candidates() lists only those of the best kind.
enum class KernelKind : uint8_t {
  kReference,  // plain loops, for testing
  kGemm,       // copies the inputs of each output pixel into a row, then multiplies matrices
  kOneByOne,   // adds up millions of products one by one in f32, which loses digits
  kPortable,   // uses instructions that every processor of this architecture has
  kAvx2,
  kAvx512,
};

struct ConvolutionCandidate {
  ConvolutionChoice choice;
  KernelKind kind;
};

struct ConvolutionFamily {
  std::string_view name;  // as in tensor/README.md
  // The algorithm of every choice of the family. Families of kWinograd round more than others,
  // except those with int8, so Candidates() leaves them out if it is asked for exact results.
  Algorithm algorithm;
  // Returns whether this processor has the necessary instructions and the family can compute this
  // direction of this shape with these types.
  bool (*available)(const ConvolutionShape& shape, Direction direction, const SideTypes& types);
  // Returns the family's choices that are worth measuring for a convolution for which available()
  // is true, those most likely to be fast first.
  std::vector<ConvolutionCandidate> (*candidates)(const ConvolutionShape& shape,
                                                  Direction direction, const SideTypes& types);
  // Returns whether `choice` belongs to the family, even if candidates() does not list it. Called
  // only if choice.algorithm is the family's `algorithm`, and available() is true for the shape,
  // direction and types.
  bool (*has)(const ConvolutionChoice& choice);
  // Returns whether the family supports Epilogue::pooled for a shape for which available() is true.
  // Null: it never does.
  bool (*can_pool)(const ConvolutionShape& shape) = nullptr;
  // True: the family computes only convolutions with Epilogue::int8. False: it computes only
  // convolutions without Epilogue::int8.
  bool int8 = false;
  // Makes the implementation of a choice for which has() and available() are true.
  absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> (*create)(
      const ConvolutionShape& shape, Direction direction, const ConvolutionChoice& choice,
      const Epilogue& epilogue);
};

// Returns all families, in the order in which their candidates are listed.
absl::Span<const ConvolutionFamily* const> ConvolutionFamilies();

// Returns the family to which this choice for this shape belongs, or null if there is none. `int8`
// says whether Epilogue::int8 is set.
const ConvolutionFamily* FamilyOf(const ConvolutionShape& shape, Direction direction,
                                  const ConvolutionChoice& choice, bool int8);

// Returns one layout for each different order in which NHWC, NCHW and the blocked layout of this
// processor's registers store the features of a linear layer's input.
std::vector<Layout> LinearLayouts(const ConvolutionShape& shape);

// NhwcChoice() returns a choice whose two sides are NHWC of the same type. OwnKernelKind() returns
// the kind of the candidates whose kernels come from own_kernels.h, on this processor.
inline ConvolutionChoice NhwcChoice(Algorithm algorithm, ElementType type, std::string name) {
  return {algorithm, Layout::kNhwc, Layout::kNhwc, type, type, std::move(name)};
}
inline KernelKind OwnKernelKind() { return HasAvx512() ? KernelKind::kAvx512 : KernelKind::kAvx2; }

// Returns a family that uses the kernels of own_kernels.h and has one choice for each type. Both
// sides of the choice have this type, in NHWC. The class T has
//   static bool IsAvailable(const ConvolutionShape&, Direction, ElementType);
//   static ConvolutionChoice Choice(ElementType);
//   T(const ConvolutionShape&, Direction, ElementType, bool relu);  // relu: results are max(0, y)
template <class T>
constexpr ConvolutionFamily NhwcFamily(std::string_view name, Algorithm algorithm) {
  return {
      .name = name,
      .algorithm = algorithm,
      .available =
          [](const ConvolutionShape& shape, Direction direction, const SideTypes& types) {
            return types.in == types.out && T::IsAvailable(shape, direction, types.in);
          },
      .candidates =
          [](const ConvolutionShape&, Direction, const SideTypes& types) {
            return std::vector<ConvolutionCandidate>{{T::Choice(types.in), OwnKernelKind()}};
          },
      .has = [](const ConvolutionChoice& choice) { return choice == T::Choice(choice.in_type); },
      .create = [](const ConvolutionShape& shape, Direction direction,
                   const ConvolutionChoice& choice, const Epilogue& epilogue)
          -> absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> {
        return std::make_unique<T>(shape, direction, choice.in_type, epilogue.relu);
      },
  };
}

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_CONVOLUTION_FAMILY_H_
