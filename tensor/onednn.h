// The interface to oneDNN: its only engine and stream, and one small wrapper that makes every
// primitive (oneDNN's word for a prepared operation). Only onednn.cc and its private header
// onednn_api.h include oneDNN's headers and know which version of its API is installed, 2.6 or 3.
// Version 3 has no Winograd convolutions in f32; winograd.cc and winograd_rows.cc replace them.
//
//   Description d = ...;                            // what to compute, and layouts that are fixed
//   for (const std::string& name : Implementations(d)) ...
//   auto primitive = Primitive::Create(d, name);    // chooses the layouts that d leaves open
//   (*primitive)->weight_bytes();
//   (*primitive)->Run(in, weights, bias, addend, out, scratch);
//
// oneDNN itself runs on one thread here. To run, a primitive makes several calls of oneDNN, which
// base/parallel.h hands out to threads. Each call computes some of the images, or some rows of a
// matrix; if a direct forward convolution in NHWC has enough work but fewer images than threads,
// some lines of an image.
#ifndef COTANGENT_TENSOR_ONEDNN_H_
#define COTANGENT_TENSOR_ONEDNN_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "tensor/layout.h"

namespace cotangent::tensor::onednn {

// Returns oneDNN's version, such as "2.6.3".
std::string Version();

// Returns whether oneDNN's bf16 kernels run on this processor.
bool Bf16Available();
// Int8Available() returns whether oneDNN's 8-bit convolutions can use VNNI or AMX on this
// processor; HasInt8Instructions() returns whether the implementation of this name uses them.
bool Int8Available();
bool HasInt8Instructions(std::string_view implementation);
// Returns, for convolutions with Description::scales, in which units the bias is given: true
// (oneDNN 3): in units of `out`; false (oneDNN 2): in units of the unscaled sums of products.
bool BiasIsScaled();

enum class Operation {
  kConvolutionForward,
  kConvolutionInputGradient,
  kConvolutionWeightGradient,
  kMatmul,  // out [m, n] = in [m, k] weights [k, n] + bias [n]
};

// A tensor as a primitive sees it. If neither layout nor strides are given, the primitive chooses
// its order in memory.
struct Tensor {
  std::vector<int64_t> dims;
  ElementType type = ElementType::kF32;
  std::optional<Layout> layout = std::nullopt;  // of a 4-D tensor
  std::vector<int64_t> strides = {};            // in elements, one per dimension
};

struct Description {
  Operation operation = Operation::kConvolutionForward;
  bool winograd = false;
  // For convolutions, `in` and `out` are the activations on either side, or their gradients. The
  // dimensions of weights are [out, in, kh, kw], or with groups [groups, out / groups, in / groups,
  // kh, kw].
  Tensor in, weights, out;
  bool with_bias = false;
  bool with_addend = false, with_relu = false;  // forward: applied in this order
  // Forward convolutions of integers (`in` u8 or s8, weights s8) multiply their sums by
  // scales[output channel], which converts them to units of `out`. addend_scale does the same for
  // the addend, whose type must have the size of `out`'s.
  std::vector<float> scales = {};
  ElementType addend_type = ElementType::kF32;
  float addend_scale = 1;
  // Parameters of a convolution, as {vertical, horizontal}. A dilation of 1 is dense.
  std::array<int64_t, 2> strides = {1, 1}, dilations = {1, 1}, pad_begin = {0, 0}, pad_end = {0, 0};
};

// Returns oneDNN's names of the implementations that can compute `description` on this processor,
// in oneDNN's order of preference, without those that are known to compute it wrongly. The slow
// reference loops ("ref:any", "ref_...") come last.
std::vector<std::string> Implementations(const Description& description);

class Primitive {
 public:
  // `implementation` is one of Implementations(), or "" for the first.
  static absl::StatusOr<std::unique_ptr<Primitive>> Create(const Description& description,
                                                           std::string_view implementation);
  ~Primitive();

  const std::string& implementation() const;
  int64_t weight_bytes() const;
  int64_t scratch_bytes() const;

  // Returns whether the primitive reads (in a weight gradient: writes) its weights as row-major
  // f32.
  bool weights_are_plain() const;

  // PackWeights() converts row-major weights (f32, or s8 if Description::scales is set) to the
  // primitive's own form. UnpackWeights() does the reverse for a weight gradient. REQUIRES: the
  // operation is a convolution, and weights_are_plain() is false.
  void PackWeights(const void* plain, void* packed);
  void UnpackWeights(const void* packed, float* plain);

  // Runs the primitive. Its operation determines which buffers are read and which are written.
  // `bias` (f32) and `addend` are ignored unless the Description asks for them; `scratch` has
  // scratch_bytes(). Only one thread may call this at a time. Nothing is allocated except by oneDNN
  // for its own bookkeeping.
  void Run(void* in, void* weights, void* bias, void* addend, void* out, void* scratch);

 private:
  struct State;
  explicit Primitive(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Computes c = alpha op(a) op(b) + beta c, in row-major f32. op(a) is a [m, k] matrix and op(b) a
// [k, n] matrix; op(a) is the transpose of a if transpose_a, otherwise a itself; op(b) likewise.
// `a_row`, `b_row` and `c_row` are the floats from one stored row to the next.
void Sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
           const float* a, int64_t a_row, const float* b, int64_t b_row, float beta, float* c,
           int64_t c_row);

}  // namespace cotangent::tensor::onednn

#endif  // COTANGENT_TENSOR_ONEDNN_H_
