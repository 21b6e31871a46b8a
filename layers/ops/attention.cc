// Attention over the pixels of an image: Vaswani et al., "Attention is all you need" (2017). From
// queries q, keys k and values v, each [N, C, H, W], whose channels are divided into `heads` groups
// (heads) of d = C / heads channels, it computes
//   y_i = sum_j softmax_j(q_i . k_j / sqrt(d)) v_j
// for the pixels i, j of each image and the channels of each head.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "layers/graph/operation.h"
#include "layers/ops/concat.h"
#include "layers/ops/convolution.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/layer.h"
#include "layers/ops/softmax.h"
#include "layers/plan/kernel.h"
#include "tensor/onednn.h"

namespace cotangent::layers {
namespace {

// The sizes of attention's matrices. An image tensor [N, C, H, W] is treated as N * heads matrices
// [pixels, d], one for each image and head, where pixels = H * W. The attention weights, one for
// each pair of pixels, are one tensor [N * heads * pixels, pixels], which holds a matrix [pixels,
// pixels] for each image and head. The attribute of all three operations of this file is the number
// of heads, an int64_t.
struct Sizes {
  Sizes(int64_t heads, const Shape& image)
      : heads(heads),
        pixels(image[2] * image[3]),
        channels(image[1]),
        depth(image[1] / heads),
        matrices(image[0] * heads) {}
  // Returns the index of element (pixel i, channel c) of matrix m in an image tensor in NCHW order.
  int64_t At(int64_t m, int64_t i, int64_t c) const {
    return (m / heads * channels + m % heads * depth + c) * pixels + i;
  }

  int64_t heads, pixels, channels, depth, matrices;
};

// Gives access to the matrices of one tensor (a factor or the product) as f32, one matrix at a
// time. row() is the number of floats from one row to the next. An f32 tensor is used in place; a
// bf16 tensor is converted from and to scratch memory.
class Matrices {
 public:
  Matrices(const Buffer& buffer, const Sizes& sizes)
      : buffer_(buffer), sizes_(sizes), is_image_(buffer.shape.rank() == 4) {}

  bool is_f32() const { return buffer_.format.type == ElementType::kF32; }
  int64_t columns() const { return is_image_ ? sizes_.depth : sizes_.pixels; }
  int64_t row() const { return is_f32() && is_image_ ? sizes_.channels : columns(); }

  float* Read(int64_t m, float* scratch) const {
    if (is_f32()) return buffer_.as<float>() + At(m);
    ForEachRow(m, [&](Bf16* row, int64_t i) {
      for (int64_t c = 0; c < columns(); ++c)
        scratch[i * columns() + c] = static_cast<float>(row[c]);
    });
    return scratch;
  }
  // Place() returns the address at which to write matrix m. Written() must be called afterwards;
  // for a bf16 tensor it converts the matrix from the scratch memory.
  float* Place(int64_t m, float* scratch) const {
    return is_f32() ? buffer_.as<float>() + At(m) : scratch;
  }
  void Written(int64_t m, const float* scratch) const {
    if (is_f32()) return;
    ForEachRow(m, [&](Bf16* row, int64_t i) {
      for (int64_t c = 0; c < columns(); ++c)
        row[c] = static_cast<Bf16>(scratch[i * columns() + c]);
    });
  }

 private:
  int64_t At(int64_t m) const {
    if (!is_image_) return m * sizes_.pixels * sizes_.pixels;
    return m / sizes_.heads * sizes_.pixels * sizes_.channels + m % sizes_.heads * sizes_.depth;
  }
  template <typename Visit>
  void ForEachRow(int64_t m, Visit visit) const {
    const int64_t step = is_image_ ? sizes_.channels : columns();
    for (int64_t i = 0; i < sizes_.pixels; ++i) visit(buffer_.as<Bf16>() + At(m) + i * step, i);
  }

  const Buffer& buffer_;
  const Sizes& sizes_;
  const bool is_image_;
};

// Returns the kernel for the matrix products y = a b, one for each image and head, where the
// tensors of rank 4 among a, b and y have the shape `image`. If a flag is set, the transpose of a
// or b is used.
Kernel ProductKernel(KernelContext& kernel, const Shape& image, bool transpose_a,
                     bool transpose_b) {
  const Sizes sizes(kernel.node.as<int64_t>(), image);
  const int64_t largest = sizes.pixels * std::max(sizes.pixels, sizes.depth);
  const auto scratch =
      kernel.Temporary(Threads() * 3 * largest * static_cast<int64_t>(sizeof(float)));
  return [=, buffer = kernel.buffer, node = kernel.node](int64_t) {
    const Buffer a_buffer = buffer(node.inputs[0]), b_buffer = buffer(node.inputs[1]),
                 y_buffer = buffer(node.outputs[0]);
    const Matrices a(a_buffer, sizes), b(b_buffer, sizes), y(y_buffer, sizes);
    const int64_t depth = transpose_a ? sizes.pixels : a.columns();
    ParallelFor(sizes.matrices, [&](int64_t m, int thread) {
      float* const own = reinterpret_cast<float*>(scratch()) + thread * 3 * largest;
      const float* const left = a.Read(m, own);
      const float* const right = b.Read(m, own + largest);
      tensor::onednn::Sgemm(transpose_a, transpose_b, sizes.pixels, y.columns(), depth, 1, left,
                            a.row(), right, b.row(), 0, y.Place(m, own + 2 * largest), y.row());
      y.Written(m, own + 2 * largest);
    });
  };
}

extern const Op kTokenScores, kTokenMix, kTokenMixTransposed;

// Base of the three products of attention. Each product is linear in both factors, so its
// derivatives are products of the same three kinds.
template <class Derived>
class Bilinear : public OperationWithKernel<Derived> {
 public:
  absl::Status Jvp(ForwardRule& rule) const override {
    std::vector<TensorId> terms;
    for (int i : {0, 1}) {
      if (rule.d[i] == kNoTensor) continue;
      std::vector<TensorId> factors = {rule.in(0), rule.in(1)};
      factors[i] = rule.d[i];
      terms.push_back(rule.Like(this, factors, rule.out(0)));
    }
    ASSIGN_OR_RETURN(rule.made[0], Add(rule.graph, rule.node.name, std::move(terms)));
    return absl::OkStatus();
  }
};

// Computes a, b [N, C, H, W] -> s [N * heads * pixels, pixels] with s_ij = sum_c a_ic b_jc for each
// image and head.
class TokenScores : public Bilinear<TokenScores> {
 public:
  const char* name() const override { return "token_scores"; }
  absl::Status Vjp(ReverseRule& rule) const override {
    const TensorId a = rule.in(0), b = rule.in(1), ds = rule.d[0];
    if (rule.Needs(a)) rule.Contribute(a, rule.Like(kTokenMix, {ds, b}, a));
    if (rule.Needs(b)) rule.Contribute(b, rule.Like(kTokenMixTransposed, {ds, a}, b));
    return absl::OkStatus();
  }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const Sizes sizes(node.as<int64_t>(), e.shape(node.inputs[0]));
    std::vector<T> s;
    for (int64_t m = 0; m < sizes.matrices; ++m) {
      for (int64_t i = 0; i < sizes.pixels; ++i) {
        for (int64_t j = 0; j < sizes.pixels; ++j) {
          T sum(0.0);
          for (int64_t c = 0; c < sizes.depth; ++c)
            sum = sum + e.in(node, 0)[sizes.At(m, i, c)] * e.in(node, 1)[sizes.At(m, j, c)];
          s.push_back(sum);
        }
      }
    }
    e.out(node, 0) = std::move(s);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return ProductKernel(kernel, kernel.graph.shape(kernel.node.inputs[0]), false, true);
  }
};

// Computes p [N * heads * pixels, pixels], v [N, C, H, W] -> y [N, C, H, W] with y_ic = sum_j p_ij
// v_jc for each image and head; if `transposed`, y_ic = sum_j p_ji v_jc.
template <bool transposed>
class TokenMix : public Bilinear<TokenMix<transposed>> {
 public:
  const char* name() const override { return transposed ? "token_mix_transposed" : "token_mix"; }
  bool occurs_in_inference() const override { return !transposed; }
  absl::Status Vjp(ReverseRule& rule) const override {
    const TensorId p = rule.in(0), v = rule.in(1), dy = rule.d[0];
    if (rule.Needs(p)) {
      std::vector<TensorId> factors = {dy, v};
      if (transposed) std::swap(factors[0], factors[1]);
      rule.Contribute(p, rule.Like(kTokenScores, factors, p));
    }
    if (rule.Needs(v))
      rule.Contribute(v, rule.Like(transposed ? kTokenMix : kTokenMixTransposed, {p, dy}, v));
    return absl::OkStatus();
  }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    const Sizes sizes(node.as<int64_t>(), e.shape(node.inputs[1]));
    const std::vector<T>&p = e.in(node, 0), &v = e.in(node, 1);
    std::vector<T> y = e.Zeros(node.outputs[0]);
    for (int64_t m = 0; m < sizes.matrices; ++m) {
      for (int64_t i = 0; i < sizes.pixels; ++i) {
        for (int64_t j = 0; j < sizes.pixels; ++j) {
          const int64_t row = transposed ? j : i, column = transposed ? i : j;
          const T& weight = p[(m * sizes.pixels + row) * sizes.pixels + column];
          for (int64_t c = 0; c < sizes.depth; ++c) {
            T& sum = y[sizes.At(m, i, c)];
            sum = sum + weight * v[sizes.At(m, j, c)];
          }
        }
      }
    }
    e.out(node, 0) = std::move(y);
    return absl::OkStatus();
  }
  absl::StatusOr<Kernel> Bind(KernelContext& kernel) const override {
    return ProductKernel(kernel, kernel.graph.shape(kernel.node.inputs[1]), transposed, false);
  }
};

const TokenScores token_scores;
const TokenMix<false> token_mix;
const TokenMix<true> token_mix_transposed;
const Op kTokenScores = &token_scores, kTokenMix = &token_mix,
         kTokenMixTransposed = &token_mix_transposed;

absl::StatusOr<TensorId> Attend(Graph& graph, absl::string_view name, TensorId qkv, int64_t heads) {
  const Shape shape = graph.shape(qkv);
  const int64_t channels = shape[1] / 3, pixels = shape[2] * shape[3];
  const Shape image = {shape[0], channels, shape[2], shape[3]};
  ASSIGN_OR_RETURN(TensorId q, Slice(graph, name, qkv, 0, channels));
  ASSIGN_OR_RETURN(const TensorId k, Slice(graph, name, qkv, channels, channels));
  ASSIGN_OR_RETURN(const TensorId v, Slice(graph, name, qkv, 2 * channels, channels));
  const int64_t channels_a_head = channels / heads;
  const double scale = 1 / std::sqrt(static_cast<double>(channels_a_head));
  ASSIGN_OR_RETURN(q, Elementwise(graph, name, graph.Operand(0) * scale, {q}));
  const TensorId scores =
      graph.AddNode(kTokenScores, name, {q, k}, heads, Shape({shape[0] * heads * pixels, pixels}));
  ASSIGN_OR_RETURN(const TensorId weights, Softmax(graph, name, scores));
  return graph.AddNode(kTokenMix, name, {weights, v}, heads, image);
}

absl::StatusOr<Value> AttentionLayer(const Layer& layer, LayerBuilder& b) {
  const auto& text = layer.attention();
  RETURN_IF_ERROR(b.NeedImage(b.input()));
  const Shape shape = b.shape(b.input());
  const int64_t channels = shape[1], pixels = shape[2] * shape[3];
  RETURN_IF_ERROR(CheckSize("heads", text.heads(), 1, kMostChannels));
  if (channels % text.heads() != 0)
    return Error(absl::StrCat("heads is ", text.heads(), ", which does not divide the ", channels,
                              " channels of '", b.input().maker, "'; expected a divisor of ",
                              channels));
  RETURN_IF_ERROR(b.CheckResult({text.heads(), pixels, pixels}));
  Initialiser xavier;
  xavier.mutable_xavier_uniform();
  const auto project = [&](const char* field, TensorId x, int64_t out,
                           const Initialiser& otherwise) -> absl::StatusOr<TensorId> {
    ASSIGN_OR_RETURN(
        const TensorId weight,
        b.AddParameter(absl::StrCat(field, ".weight"), {out, channels, 1, 1},
                       text.has_weight_init(), text.weight_init(), otherwise, channels, out));
    // Both projections of the layer, in_proj and out_proj, are convolutions with kernels of 1x1
    // pixels. Each is named "<layer>.<field>" rather than after the layer, because a plan (a graph
    // compiled for this machine) saves its choice of an implementation under the convolution's name
    // (ChoiceKey() in layers/plan/assign.h), which must be unique.
    ASSIGN_OR_RETURN(TensorId y,
                     Convolution(b.graph(), absl::StrCat(b.name(), ".", field), x, weight, {}));
    if (!text.bias()) return y;
    ASSIGN_OR_RETURN(const TensorId bias,
                     b.AddParameter(absl::StrCat(field, ".bias"), {out}, false, {},
                                    LayerBuilder::ConstantInitialiser(0), channels, out));
    return AddBias(b.graph(), b.name(), y, bias);
  };
  // Four matrices of weights for each pixel; the scores of all pairs of pixels, and the mix by them.
  b.row().multiply_adds = pixels * (4 * channels * channels + 2 * pixels * channels);
  ASSIGN_OR_RETURN(const TensorId qkv, project("in_proj", b.input().id, 3 * channels, xavier));
  ASSIGN_OR_RETURN(const TensorId y, Attend(b.graph(), b.name(), qkv, text.heads()));
  return b.Made(project("out_proj", y, channels, LayerBuilder::DefaultWeightInitialiser()));
}

const RegisterLayer attention_layer(Layer::kAttention, AttentionLayer,
                                    {.aliases = {"MHA", "MHSA", "MultiheadAttention",
                                                 "MultiHeadSelfAttention", "SelfAttention",
                                                 "Transformer"},
                                     .field_aliases = {{"num_heads", "heads"}}});

}  // namespace
}  // namespace cotangent::layers
