// oneDNN, behind a door: the only engine and stream, and one small wrapper through which every
// primitive is made. Nothing outside onednn.cc (and onednn_api.h, its private half) includes
// oneDNN's headers or knows which version of its API is installed: 2.6, or 3. Version 3 has no
// Winograd convolutions in f32; those of winograd.cc and winograd_rows.cc do their work.
//
//   Description d = ...;                            // what to compute, and the layouts fixed already
//   for (const std::string& name : Implementations(d)) ...
//   auto primitive = Primitive::Create(d, name);    // make: the layouts left open are now chosen
//   (*primitive)->weight_bytes();                   // ask
//   (*primitive)->Run(in, weights, bias, addend, out, scratch);
//
// oneDNN itself runs on one thread here: a primitive is as many of its calls as base/parallel.h has
// work for, each on some of the images or of the rows of a matrix; of fewer images than threads,
// forward in NHWC, on some lines of an image.
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

// "2.6.3".
std::string Version();

// Whether oneDNN's bf16 kernels run on this processor.
bool Bf16Available();
// Whether its convolutions of 8-bit integers have the processor's instructions for them (VNNI, AMX).
bool Int8Available();
bool HasInt8Instructions(std::string_view implementation);
// Whether, with Description::scales, the bias is added in units of `out`; else in those of the sums
// of products.
bool BiasIsScaled();

enum class Operation {
  kConvolutionForward,
  kConvolutionInputGradient,
  kConvolutionWeightGradient,
  kMatmul,  // out [m, n] = in [m, k] weights [k, n] + bias [n]
};

// A tensor as a primitive sees it: where neither layout nor strides are given, the primitive
// chooses.
struct Tensor {
  std::vector<int64_t> dims;
  ElementType type = ElementType::kF32;
  std::optional<Layout> layout = std::nullopt;  // of a 4-D tensor
  std::vector<int64_t> strides = {};            // in elements, one a dimension
};

struct Description {
  Operation operation = Operation::kConvolutionForward;
  bool winograd = false;
  // Convolutions: `in` and `out` are the activations on either side or their gradients. Weights
  // [out, in, kh, kw], or [groups, out / groups, in / groups, kh, kw].
  Tensor in, weights, out;
  bool with_bias = false;
  bool with_addend = false, with_relu = false;  // forward: post-operations, in this order
  // Forward convolutions of integers (`in` u8 or s8, weights s8): what a sum of products is worth in
  // units of `out`, by output channel; and so an addend's number, which is as large as one of `out`.
  std::vector<float> scales = {};
  ElementType addend_type = ElementType::kF32;
  float addend_scale = 1;
  // Convolutions: vertical, horizontal. A dilation of 1 is dense.
  std::array<int64_t, 2> strides = {1, 1}, dilations = {1, 1}, pad_begin = {0, 0}, pad_end = {0, 0};
};

// oneDNN's names of the implementations that can do this here, in its own order of preference; its
// plain reference loops are the last ("ref:any", "ref_...").
std::vector<std::string> Implementations(const Description& description);

class Primitive {
 public:
  // implementation: one of Implementations(), or "" for the first.
  static absl::StatusOr<std::unique_ptr<Primitive>> Create(const Description& description,
                                                           std::string_view implementation);
  ~Primitive();

  const std::string& implementation() const;
  int64_t weight_bytes() const;
  int64_t scratch_bytes() const;

  // Whether the weights lie in memory as row-major f32.
  bool weights_are_plain() const;

  // Row-major f32, or s8 where Description::weights are, to the primitive's own form of the weights;
  // the reverse for a weight gradient.
  void PackWeights(const void* plain, void* packed);
  void UnpackWeights(const void* packed, float* plain);

  // Computes. What is read and what is written follows from the operation; a bias is f32, ignored
  // unless asked for, and so is an addend. No memory is allocated here beyond oneDNN's own
  // bookkeeping.
  void Run(void* in, void* weights, void* bias, void* addend, void* out, void* scratch);

 private:
  struct State;
  explicit Primitive(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// c = alpha op(a) op(b) + beta c in f32, row-major: op(a) [m, k], op(b) [k, n], transposed where
// told; a row of each is so many floats after the one before.
void Sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
           const float* a, int64_t a_row, const float* b, int64_t b_row, float beta, float* c,
           int64_t c_row);

}  // namespace cotangent::tensor::onednn

#endif  // COTANGENT_TENSOR_ONEDNN_H_
