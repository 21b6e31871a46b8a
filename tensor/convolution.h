// Convolution in its three directions, each with every implementation that there is for it on this
// machine; convolution_family.h tells how those are added.
//
// Forward, for batch n, output channel o and pixel (y, x), with input channels i of o's group:
//
//   out[n, o, y, x] = bias[o] + sum over i, ky, kx of weights[o, i, ky, kx] * in[n, i, y', x']
//   where y' = y * stride + ky * dilation - pad_top, x' = x * stride + kx * dilation - pad_left
//
// (cross-correlation, as every deep learning library has it; in is zero outside its image). It is
// linear in `in` and in `weights`; the other two directions are its transposes:
//
//   in_gradient[n, i, y', x']        sums weights * out_gradient over all (o, ky, kx) that read it
//   weight_gradient[o, i, ky, kx]    sums in * out_gradient over n, y, x
//   bias_gradient[o]                 sums out_gradient over n, y, x
//
// Which implementation is fastest differs by shape, direction and machine, so the choice is
// explicit: Candidates() lists what is worth trying, Convolution::Create() builds one, Measure()
// times it. A linear layer is the case of a kernel as large as its image without padding; it has
// matrix-product candidates besides.
#ifndef COTANGENT_TENSOR_CONVOLUTION_H_
#define COTANGENT_TENSOR_CONVOLUTION_H_

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
  int64_t groups = 1;  // group g maps the g-th share of the inputs to the g-th of the outputs
  int64_t in_height = 1, in_width = 1;
  int64_t kernel_height = 1, kernel_width = 1;
  int64_t stride_height = 1, stride_width = 1;
  int64_t dilation_height = 1, dilation_width = 1;  // from one kernel cell to the next: 1 is dense
  int64_t pad_top = 0, pad_bottom = 0, pad_left = 0, pad_right = 0;

  int64_t out_height() const;
  int64_t out_width() const;
  Shape in() const { return {batch, in_channels, in_height, in_width}; }
  Shape out() const { return {batch, out_channels, out_height(), out_width()}; }
  Shape weights() const {
    return {out_channels, in_channels / groups, kernel_height, kernel_width};
  }

  // A multiply-add for each kernel cell and output, cells on the padding included: 2 FLOP each.
  int64_t MultiplyAdds() const;

  // Whether the kernel covers the whole image without padding: a linear layer on in_channels *
  // height * width features.
  bool IsLinear() const;

  // Every size positive (padding: not negative), groups dividing the channels, the kernel inside
  // the padded image.
  absl::Status Validate() const;

  // "128x24x31x31 -> 64x31x31 k3x3 s1x1 p1,1,1,1", with "g" and "d" where not 1.
  std::string ToString() const;

  friend bool operator==(const ConvolutionShape&, const ConvolutionShape&) = default;
};

enum class Direction : uint8_t { kForward, kInputGradient, kWeightGradient };
std::string_view Name(Direction direction);  // "forward", "input_gradient", "weight_gradient"

enum class Algorithm : uint8_t {
  kDirect,    // sums of products as the formula has them, in any order
  kWinograd,  // F(4x4, 3x3) or F(4, 3): fewer multiplications, larger rounding errors
  kMatmul,    // linear layers: one matrix product; weights are only permuted to the input's layout
};
std::string_view Name(Algorithm algorithm);  // "direct", "winograd", "matmul"

// One way to compute one direction of a convolution. `in_*` describe the activations on the input
// side (in forward, the input gradient in kInputGradient), `out_*` those on the output side.
struct ConvolutionChoice {
  Algorithm algorithm = Algorithm::kDirect;
  Layout in_layout = Layout::kNchw, out_layout = Layout::kNchw;
  ElementType in_type = ElementType::kF32, out_type = ElementType::kF32;
  std::string implementation;  // its name; empty: oneDNN's first

  // "winograd nChw16c/f32 nChw16c/f32 jit_wino_4x3:avx512_core", which Parse() reads again.
  std::string ToString() const;
  static absl::StatusOr<ConvolutionChoice> Parse(std::string_view text);

  friend bool operator==(const ConvolutionChoice&, const ConvolutionChoice&) = default;
};

// Whether bf16 activations and weights can be computed with here (with AVX-512; fast with
// AVX512_BF16).
bool Bf16Available();

// A forward convolution of 8-bit integers, each of which stands for itself times a scale:
//
//   out_scale out = relu(sum of in_scale in * weight_scales[o] weight + bias + addend_scale addend)
//
// Activations are u8 or s8; weights are s8, a scale for each output channel; sums are exact in s32.
// What is stored is rounded to nearest even and clamped to its type.
struct Int8Convolution {
  ElementType in_type = ElementType::kU8;
  ElementType out_type = ElementType::kF32;    // kU8 or kS8; kF32: real numbers, f32 or bf16
  ElementType addend_type = ElementType::kU8;  // with an addend, which `out` is as large as
  float in_scale = 1, out_scale = 1, addend_scale = 1;
  std::vector<float> weight_scales;
};

// Whether such convolutions have kernels here that are faster than those of bf16 or f32: with VNNI
// (AVX-512 or AVX2) or AMX.
bool Int8Available();

// Candidates() for Epilogue::int8 forward. Empty where !Int8Available(). Create() refuses some of
// them with Epilogue::addend.
std::vector<ConvolutionChoice> Int8Candidates(const ConvolutionShape& shape, ElementType in_type,
                                              ElementType out_type);

// The choices that are worth measuring on this machine: those made for its widest instruction set,
// or the best that there are for the shape; plain reference loops only where nothing else exists.
// Never empty for a valid shape.
//   precision   kF32: f32 on both sides. kBf16: also bf16 on both sides, and bf16 read with f32
//               written (out of kForward, in_gradient of kInputGradient). Sums are f32 in any case.
//   exact       leaves Winograd out.
std::vector<ConvolutionChoice> Candidates(const ConvolutionShape& shape, Direction direction,
                                          ElementType precision, bool exact);

// What a convolution does to its results before it stores them.
struct Epilogue {
  // kForward: adds a bias. kWeightGradient: writes the bias gradient, too.
  bool bias = false;
  bool addend = false;  // kForward: adds a tensor with the shape, layout and type of `out`
  bool relu = false;    // kForward: then stores max(0, out)
  // The output side is max-pooled in windows of 2x2, rows and columns that fill none left out:
  // `out` is [batch, out_channels, out_height / 2, out_width / 2], and `positions`, bytes in NHWC,
  // tells which cell of its window, 0 to 3 by rows, the number came from. kForward writes both (not
  // the positions where that pointer is null); the gradients read both, and take the gradient of the
  // output to be zero in the other cells. Only for choices that CanPool(), without an addend.
  bool pooled = false;
  // kForward of a choice of Int8Candidates(): how integers are read and written; must outlive the
  // convolution. Weights are still packed from f32, and the bias is in f32.
  const Int8Convolution* int8 = nullptr;
};

// Whether Create() makes this choice with Epilogue::pooled.
bool CanPool(const ConvolutionShape& shape, const ConvolutionChoice& choice);

// Where a Convolution reads and writes. Activations are in the choice's layouts and types,
// `weights` is packed; bias is f32 [out_channels]. Bias and addend are needed only where asked for
// in Create(); the addend is as `out`, and may not be `out` itself.
//
//                    in        weights   bias      addend    out       scratch
//   kForward         reads     reads     reads     reads     writes    uses
//   kInputGradient   writes    reads                         reads     uses
//   kWeightGradient  reads     writes    writes              reads     uses
struct ConvolutionArguments {
  void* in = nullptr;
  void* weights = nullptr;
  void* bias = nullptr;
  void* out = nullptr;
  void* scratch = nullptr;  // scratch_bytes(), aligned to 64; keeps nothing between runs
  const void* addend = nullptr;
  uint8_t* positions = nullptr;
};

// One direction of a convolution, ready to run any number of times without allocating. Used by one
// thread at a time.
class Convolution {
 public:
  // No epilogue for kInputGradient. Errors: an invalid shape, or a choice that this machine does
  // not offer for it.
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

  // Whether packed weights are f32 [out, in / groups, height, width] as they are, so that nothing
  // need be packed.
  bool weights_are_plain() const;

  // f32 [out, in / groups, height, width] to the implementation's own layout and type, and the
  // reverse for kWeightGradient.
  void PackWeights(const float* oihw, void* packed) const;
  void UnpackWeightGradient(const void* packed, float* oihw) const;

  void Run(const ConvolutionArguments& arguments);

  // The name of what runs, such as "jit:avx512_core_bf16".
  std::string implementation() const;

 private:
  struct State;
  explicit Convolution(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// bias_gradient[c] = sum of out_gradient over images and pixels, as a pass of its own. Image sums
// in f32, their sum in f64.
void BiasGradient(const Shape& shape, Layout layout, ElementType type, const void* out_gradient,
                  float* bias_gradient);

struct ConvolutionTime {
  double run_seconds;  // fastest Run()
  // Fastest PackWeights() or UnpackWeightGradient(); 0 for plain weights, or without
  // MeasureOptions::packing.
  double pack_seconds;
};

struct MeasureOptions {
  // Runs after one that warms up. Fewer once `budget_seconds` are spent, but at least two.
  int repetitions = 5;
  double budget_seconds = 0.25;
  // A run that takes longer than this is the last; so is the one that warms up, if it takes twice as
  // long. In seconds.
  double clearly_slow = std::numeric_limits<double>::infinity();
  bool packing = true;  // times the packing of weights, too
  // Called before every run and not timed: empties the caches, say.
  std::function<void()> before_run = nullptr;
};

// Times a convolution on buffers of the caller's (all that its direction uses, and plain_weights of
// f32 for packing).
ConvolutionTime Measure(Convolution& convolution, const ConvolutionArguments& arguments,
                        float* plain_weights, const MeasureOptions& options = {});

}  // namespace cotangent::tensor

#endif  // COTANGENT_TENSOR_CONVOLUTION_H_
