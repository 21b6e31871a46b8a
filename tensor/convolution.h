// Convolution in its three directions (forward and the two gradients), with every implementation
// that this machine offers. convolution_family.h explains how to add implementations.
//
// Forward, for batch n, output channel o and pixel (y, x), with i over the input channels of o's
// group (in `weights`, i is counted within the group):
//
//   out[n, o, y, x] = bias[o] + sum over i, ky, kx of weights[o, i, ky, kx] * in[n, i, y', x']
//   where y' = y * stride + ky * dilation - pad_top, x' = x * stride + kx * dilation - pad_left
//
// (This is cross-correlation, as in all deep learning libraries; `in` is zero outside its image.)
// The result is linear in `in` and in `weights`; the other two directions are the transposes of
// these linear maps:
//
//   in_gradient[n, i, y', x']        sums weights * out_gradient over all (o, ky, kx) by which an
//                                    output (y, x) reads in[n, i, y', x']
//   weight_gradient[o, i, ky, kx]    sums in * out_gradient over n, y, x
//   bias_gradient[o]                 sums out_gradient over n, y, x
//
// Which implementation is fastest depends on shape, direction and machine. A ConvolutionChoice
// names one implementation with its layouts and types. Candidates() lists the choices that are
// worth trying, Convolution::Create() makes a convolution that computes by one of them, and
// Measure() times it. A linear layer is a convolution whose kernel is as large as the image,
// without padding, dilation or groups; it has candidates of its own, which run it as a matrix
// product.
//
// Weights are "plain" as f32 [out, in / groups, height, width], and "packed" in the layout and type
// that an implementation reads.
#ifndef COTANGENT_TENSOR_CONVOLUTION_H_
#define COTANGENT_TENSOR_CONVOLUTION_H_

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "tensor/layout.h"
#include "tensor/shape.h"

namespace cotangent::tensor {

struct ConvolutionShape {
  int64_t batch = 1;
  int64_t in_channels = 1, out_channels = 1;
  int64_t groups = 1;  // channels are divided into `groups` parts; output part g reads input part g
  int64_t in_height = 1, in_width = 1;
  int64_t kernel_height = 1, kernel_width = 1;
  int64_t stride_height = 1, stride_width = 1;
  int64_t dilation_height = 1, dilation_width = 1;  // distance of kernel cells in pixels; 1: dense
  int64_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;

  int64_t out_height() const;
  int64_t out_width() const;
  Shape in() const { return {batch, in_channels, in_height, in_width}; }
  Shape out() const { return {batch, out_channels, out_height(), out_width()}; }
  Shape weights() const {
    return {out_channels, in_channels / groups, kernel_height, kernel_width};
  }

  // Returns the multiply-adds of the direct formula, including those on the padding. Each is 2
  // floating-point operations.
  int64_t MultiplyAdds() const;

  // Returns whether the convolution is a linear layer on in_channels * in_height * in_width
  // features: the kernel is as large as the image, without padding, dilation or groups.
  bool IsLinear() const;

  // Returns an error unless every size is in [1, 2^31 - 1] and every padding in [0, 2^31 - 1],
  // `groups` divides both numbers of channels, the kernel fits into the padded image, and
  // Shape::Validate() accepts the shapes of all tensors.
  absl::Status Validate() const;

  // Returns "128x24x31x31 -> 64x31x31 k3x3 s1x1 p1,1,1,1" (kernel, stride; padding at the top,
  // bottom, left and right), followed by " d2x2" (dilation) and " g3" (groups) if these are not 1.
  std::string ToString() const;
  // Parses what ToString() returns; an error for any other text.
  static absl::StatusOr<ConvolutionShape> Parse(std::string_view text);

  friend bool operator==(const ConvolutionShape&, const ConvolutionShape&) = default;
};

enum class Direction : uint8_t { kForward, kInputGradient, kWeightGradient };
std::string_view Name(Direction direction);  // "forward", "input_gradient", "weight_gradient"

enum class Algorithm : uint8_t {
  kDirect,    // computes the formula's products; sums in any order
  kWinograd,  // minimal filtering, F(4x4, 3x3) or F(4, 3): fewer products, more rounding
  kMatmul,    // linear layers as a matrix product; permutes weights to the input's layout
};
std::string_view Name(Algorithm algorithm);  // "direct", "winograd", "matmul"

// Returns a hash of the names of all families of implementations (convolution_family.h). A program
// with another hash has other families, so candidates that it measured may not include the fastest
// ones of this program.
uint64_t FamiliesFingerprint();

// One way to compute one direction of a convolution. `in_*` describe the activations on the input
// side (in kInputGradient, the gradient of the input), `out_*` those on the output side (in both
// gradients, the gradient of the output).
struct ConvolutionChoice {
  Algorithm algorithm = Algorithm::kDirect;
  Layout in_layout = Layout::kNchw, out_layout = Layout::kNchw;
  ElementType in_type = ElementType::kF32, out_type = ElementType::kF32;
  std::string implementation;  // the kernel's name; empty: the first that oneDNN offers

  // Returns "winograd nChw16c/f32 nChw16c/f32 jit_wino_4x3:avx512_core" or the like; Parse() reads
  // this text.
  std::string ToString() const;
  static absl::StatusOr<ConvolutionChoice> Parse(std::string_view text);

  friend bool operator==(const ConvolutionChoice&, const ConvolutionChoice&) = default;
};

// Returns whether oneDNN has bf16 kernels, other than reference loops, for this processor. Such
// kernels need AVX-512, and are faster than those in f32 only with AVX512_BF16.
bool Bf16Available();

// Describes a forward convolution of 8-bit integers. Each integer stands for itself times a scale:
//
//   out_scale out = relu(sum of in_scale in * weight_scales[o] weight + bias + addend_scale addend)
//
// with a relu, a bias and an addend only if the Epilogue asks for them. Activations are u8 or s8.
// Weights are s8, with a scale for each output channel. Sums of products are exact in s32. Results
// are rounded to the nearest integer (ties to even) and clamped to the range of out_type. If
// out_type is kF32, results and addend are real numbers of the type ConvolutionChoice::out_type;
// out_scale must then be 1, and addend_scale and addend_type are ignored.
struct Int8Convolution {
  ElementType in_type = ElementType::kU8;
  ElementType out_type = ElementType::kF32;    // kU8, kS8, or kF32: real numbers, in f32 or bf16
  ElementType addend_type = ElementType::kU8;  // of Epilogue::addend
  float in_scale = 1, out_scale = 1, addend_scale = 1;
  std::vector<float> weight_scales;
};

// Weights of 8-bit convolutions are the integers from -127 to 127: -128 is not used, so that the
// range is symmetric. RoundedWeight() returns weight / scale, rounded to such an integer (ties to
// even).
inline constexpr float kLargestInt8Weight = 127;
inline int8_t RoundedWeight(float weight, float scale) {
  return static_cast<int8_t>(
      std::clamp(std::nearbyint(weight / scale), -kLargestInt8Weight, kLargestInt8Weight));
}

// Returns whether this processor has 8-bit kernels that are faster than those in bf16 or f32. Such
// kernels need AVX2, VNNI or AMX.
bool Int8Available();

// Returns the choices that are worth measuring for a forward convolution with Epilogue::int8 (for
// out_type kF32 those that write f32 and, if Bf16Available(), bf16); none if the shape is invalid
// or Int8Available() is false, and none for groups without VNNI or AMX. Convolution::Create()
// refuses some of them if there is an addend.
std::vector<ConvolutionChoice> Int8Candidates(const ConvolutionShape& shape, ElementType in_type,
                                              ElementType out_type);

// Returns the choices that are worth measuring on this machine: for each pair of element types,
// those of the fastest kind (method or instruction set; KernelKind in convolution_family.h) that
// exists for this shape. If there are only plain reference loops, returns one choice with these.
// Never empty for a valid shape; empty for an invalid one.
//   precision   kF32: f32 on both sides. kBf16: if Bf16Available(), additionally bf16 on both
//               sides, and bf16 read with f32 written (out of kForward, in_gradient of
//               kInputGradient). Sums are always f32.
//   exact       leaves out Winograd's algorithm, which rounds more.
std::vector<ConvolutionChoice> Candidates(const ConvolutionShape& shape, Direction direction,
                                          ElementType precision, bool exact);

// The operations that a convolution applies to its results before it stores them, in this order:
// bias, addend, relu, pooling.
struct Epilogue {
  // kForward: adds a bias. kWeightGradient: also writes the gradient of the bias.
  bool bias = false;
  bool addend = false;  // kForward: adds a tensor with the shape, layout and type of `out`
  bool relu = false;    // kForward: replaces negative results by 0
  // The output side is max-pooled in windows of 2x2; an odd last row or column is left out. `out`
  // is then [batch, out_channels, out_height / 2, out_width / 2]. `positions`, one byte per element
  // of `out` in NHWC, says which cell of its window the maximum came from: 0 to 3, row by row.
  // kForward writes both (only `out` if `positions` is null). kInputGradient and kWeightGradient
  // read both (`out` is then the gradient of the pooled output), and take the gradient of the
  // unpooled output to be zero at all other cells. Only for choices with CanPool(), without an
  // addend and, in kWeightGradient, without a bias.
  bool pooled = false;
  // kForward with a choice of Int8Candidates(): how integers are read and written. The object must
  // outlive the convolution. PackWeights() still takes f32, and the bias is f32. The addend has the
  // type that Int8Convolution says.
  const Int8Convolution* int8 = nullptr;
};

// Returns whether Convolution::Create() accepts `choice` for `shape` with Epilogue::pooled.
bool CanPool(const ConvolutionShape& shape, const ConvolutionChoice& choice);

// The buffers that Convolution::Run() reads and writes. Activations have the layouts and types of
// the choice; `weights` are packed; `bias` is f32 [out_channels]. The buffer that holds a tensor in
// kForward holds its gradient where the table says "gradient". `bias`, `addend` and `positions` are
// needed only if the Epilogue asks for a bias, an addend or pooling; in kForward, a bias or addend
// that it does not ask for must be null. `addend` has the layout and type of `out` (with
// Epilogue::int8, the type that Int8Convolution says) and must be another buffer.
//
//                    in         weights    bias       addend    out        scratch
//   kForward         reads      reads      reads      reads     writes     uses
//   kInputGradient   gradient,  reads                           gradient,  uses
//                    written                                    read
//   kWeightGradient  reads      gradient,  gradient,            gradient,  uses
//                               written    written              read
struct ConvolutionArguments {
  void* in = nullptr;
  void* weights = nullptr;
  void* bias = nullptr;
  void* out = nullptr;
  void* scratch = nullptr;  // scratch_bytes() bytes, aligned to 64; holds nothing between runs
  const void* addend = nullptr;
  uint8_t* positions = nullptr;
};

// One direction of a convolution, computed as a fixed ConvolutionChoice says. Run() can be called
// any number of times and allocates nothing. Only one thread may use an object at a time.
class Convolution {
 public:
  // Errors: an invalid shape, a choice that this machine does not offer for it, or an epilogue that
  // the choice does not support. REQUIRES: `epilogue` has an addend or relu only in kForward, and
  // no bias in kInputGradient.
  static absl::StatusOr<std::unique_ptr<Convolution>> Create(const ConvolutionShape& shape,
                                                             Direction direction,
                                                             const ConvolutionChoice& choice,
                                                             const Epilogue& epilogue = {});
  ~Convolution();

  const ConvolutionShape& shape() const;
  Direction direction() const;
  const ConvolutionChoice& choice() const;

  int64_t packed_weight_bytes() const;
  int64_t scratch_bytes() const;

  // Returns whether the packed weights are just f32 [out, in / groups, height, width], so that they
  // need no packing.
  bool weights_are_plain() const;

  // PackWeights() converts f32 weights [out, in / groups, height, width] to the implementation's
  // own layout and type. UnpackWeightGradient() does the reverse for the result of kWeightGradient.
  // REQUIRES: weights_are_plain() is false.
  void PackWeights(const float* oihw, void* packed) const;
  void UnpackWeightGradient(const void* packed, float* oihw) const;

  void Run(const ConvolutionArguments& arguments);

  // Returns the name of the kernel that runs, such as "jit:avx512_core_bf16".
  std::string implementation() const;

 private:
  struct State;
  explicit Convolution(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Computes bias_gradient[c] = sum of out_gradient over images and pixels, for a tensor of this
// shape, layout and type (f32 or bf16). The pixels of an image are summed in f32, the images in
// f64. Convolution::Run() calls this function where the implementation does not compute the bias
// gradient itself.
void BiasGradient(const Shape& shape, Layout layout, ElementType type, const void* out_gradient,
                  float* bias_gradient);

struct ConvolutionTime {
  double run_seconds;  // of the fastest Run()
  // Seconds of the fastest PackWeights() or, for kWeightGradient, UnpackWeightGradient(); 0 if the
  // weights are plain or MeasureOptions::packing is false.
  double pack_seconds;
};

struct MeasureOptions {
  // The number of runs after a first run, which warms up but is timed, too. Measuring ends earlier
  // when budget_seconds are spent (the first run included), though not before one run after the
  // first, or when a run is clearly_slow. Packing is measured in the same way, and may spend
  // budget_seconds once more.
  int repetitions = 5;
  double budget_seconds = 0.25;
  // The number of seconds from which a run counts as slow. A run that takes longer is the last. If
  // the warming-up run takes more than twice this time, it is the only run.
  double clearly_slow = std::numeric_limits<double>::infinity();
  bool packing = true;  // whether packing the weights is timed, too
  // Called before each Run() but the first, outside of the timing, for example to evict data from
  // the caches. The first run then counts only if it is the only one. Not called before packing.
  std::function<void()> before_run = nullptr;
};

// Times a convolution. The caller provides all buffers that its direction uses, and
// `plain_weights`, f32 [out, in / groups, height, width], for packing.
ConvolutionTime Measure(Convolution& convolution, const ConvolutionArguments& arguments,
                        float* plain_weights, const MeasureOptions& options = {});

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_CONVOLUTION_H_
