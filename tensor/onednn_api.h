// Hides the differences between oneDNN 2 and oneDNN 3 behind the names in the right column of this
// table. Only onednn.cc includes this header.
//
//   memory formats    values in 2, handles in 3                                  Format, FormatRef
//   implementations   an iterator over descriptors in 2, one descriptor that
//                     moves on to the next implementation in 3                   Candidates
//   buffers           bound on a stream in 2 (which clears padding), not in 3    BindBuffer
//   relu              with a scale in 2, without in 3                            AppendRelu
//   scales of sums    part of a primitive in 2, an argument of its runs in 3;
//                     a bias is added before them in 2, after in 3               SetScales, AppendSum
#ifndef COTANGENT_TENSOR_ONEDNN_API_H_
#define COTANGENT_TENSOR_ONEDNN_API_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "oneapi/dnnl/dnnl.h"

namespace cotangent::tensor::onednn {

// Owns a handle of oneDNN's C interface.
template <typename Handle, dnnl_status_t (*destroy)(Handle)>
class Owned {
 public:
  Owned() = default;
  Owned(Owned&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Owned() {
    if (handle_ != nullptr) destroy(handle_);
  }
  Handle get() const { return handle_; }
  Handle* out() { return &handle_; }
  Handle Release() { return std::exchange(handle_, nullptr); }

 private:
  Handle handle_ = nullptr;
};
using Attributes = Owned<dnnl_primitive_attr_t, dnnl_primitive_attr_destroy>;
using MemoryHandle = Owned<dnnl_memory_t, dnnl_memory_destroy>;
using PostOperations = Owned<dnnl_post_ops_t, dnnl_post_ops_destroy>;
using PrimitiveDescription = Owned<dnnl_primitive_desc_t, dnnl_primitive_desc_destroy>;
using PrimitiveHandle = Owned<dnnl_primitive_t, dnnl_primitive_destroy>;

// A reference to the memory format of an operand.
#if DNNL_VERSION_MAJOR >= 3
using FormatRef = const_dnnl_memory_desc_t;
#else
using FormatRef = const dnnl_memory_desc_t*;
#endif

struct Operands {
  FormatRef in, weights, bias, out;
};

// The algorithm of a convolution, and how its kernel moves over the input, as {vertical,
// horizontal}. A dilation of 0 is dense, as oneDNN counts.
struct Window {
  dnnl_alg_kind_t algorithm;
  const dnnl_dim_t *strides, *dilations, *pad_begin, *pad_end;
};

#if DNNL_VERSION_MAJOR >= 3

// The memory format of a tensor: its dimensions, type and order. An empty format has size 0.
class Format {
 public:
  static Format WithTag(const std::vector<int64_t>& dims, dnnl_data_type_t type,
                        dnnl_format_tag_t tag) {
    Format made;
    dnnl_memory_desc_create_with_tag(made.handle_.out(), static_cast<int>(dims.size()), dims.data(),
                                     type, tag);
    return made;
  }
  static Format WithStrides(const std::vector<int64_t>& dims, dnnl_data_type_t type,
                            const std::vector<int64_t>& strides) {
    Format made;
    dnnl_memory_desc_create_with_strides(made.handle_.out(), static_cast<int>(dims.size()),
                                         dims.data(), type, strides.data());
    return made;
  }
  // Returns a copy, or an empty format for null.
  static Format CopyOf(FormatRef other) {
    Format made;
    if (other != nullptr)
      dnnl_memory_desc_clone(made.handle_.out(), other);
    else
      dnnl_memory_desc_create_with_tag(made.handle_.out(), 0, nullptr, dnnl_data_type_undef,
                                       dnnl_format_tag_undef);
    return made;
  }
  FormatRef get() const { return handle_.get(); }

 private:
  Owned<dnnl_memory_desc_t, dnnl_memory_desc_destroy> handle_;
};

// Lists the implementations of an operation, in oneDNN's order of preference: call Begin...(), then
// Next() until it returns false.
class Candidates {
 public:
  bool BeginForward(const Operands& o, const Window& w, const_dnnl_primitive_attr_t attributes,
                    dnnl_engine_t engine) {
    return dnnl_convolution_forward_primitive_desc_create(
               current_.out(), engine, dnnl_forward_training, w.algorithm, o.in, o.weights, o.bias,
               o.out, w.strides, w.dilations, w.pad_begin, w.pad_end, attributes) == dnnl_success;
  }
  bool BeginInputGradient(const Operands& o, const Window& w,
                          const_dnnl_primitive_attr_t attributes, dnnl_engine_t engine) {
    return dnnl_convolution_backward_data_primitive_desc_create(
               current_.out(), engine, w.algorithm, o.in, o.weights, o.out, w.strides, w.dilations,
               w.pad_begin, w.pad_end, nullptr, attributes) == dnnl_success;
  }
  bool BeginWeightGradient(const Operands& o, const Window& w,
                           const_dnnl_primitive_attr_t attributes, dnnl_engine_t engine) {
    return dnnl_convolution_backward_weights_primitive_desc_create(
               current_.out(), engine, w.algorithm, o.in, o.weights, o.bias, o.out, w.strides,
               w.dilations, w.pad_begin, w.pad_end, nullptr, attributes) == dnnl_success;
  }
  bool BeginMatmul(const Operands& o, const_dnnl_primitive_attr_t attributes,
                   dnnl_engine_t engine) {
    return dnnl_matmul_primitive_desc_create(current_.out(), engine, o.in, o.weights, o.bias, o.out,
                                             attributes) == dnnl_success;
  }
  dnnl_primitive_desc_t current() const { return current_.get(); }
  bool Next() { return dnnl_primitive_desc_next_impl(current_.get()) == dnnl_success; }
  // Returns the current implementation's descriptor and gives up its ownership.
  dnnl_primitive_desc_t Take() { return current_.Release(); }

 private:
  PrimitiveDescription current_;
};

inline void BindBuffer(dnnl_memory_t memory, void* data, dnnl_stream_t) {
  dnnl_memory_set_data_handle(memory, data);
}
inline bool AppendRelu(dnnl_post_ops_t post) {
  return dnnl_post_ops_append_eltwise(post, dnnl_eltwise_relu, 0, 0) == dnnl_success;
}

inline bool AppendSum(dnnl_post_ops_t post, float scale, dnnl_data_type_t type) {
  return dnnl_post_ops_append_sum(post, scale, 0, type) == dnnl_success;
}
// Sums of products have a scale for each output channel. Output channels are the first dimension of
// the weights (mask 1) or, with groups, the first two (mask 3).
inline constexpr bool kScalesAreArguments = true;
inline constexpr int kScalesArgument = DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS;
inline bool SetScales(dnnl_primitive_attr_t attributes, const std::vector<float>&, bool grouped) {
  return dnnl_primitive_attr_set_scales_mask(attributes, DNNL_ARG_WEIGHTS, grouped ? 3 : 1) ==
         dnnl_success;
}

#else  // oneDNN 2

// The same names for oneDNN 2; the comments above hold here, too, except for the mask of the
// scales, which here says that output channels are dimension 1 of the output.
class Format {
 public:
  static Format WithTag(const std::vector<int64_t>& dims, dnnl_data_type_t type,
                        dnnl_format_tag_t tag) {
    Format made;
    dnnl_memory_desc_init_by_tag(&made.value_, static_cast<int>(dims.size()), dims.data(), type,
                                 tag);
    return made;
  }
  static Format WithStrides(const std::vector<int64_t>& dims, dnnl_data_type_t type,
                            const std::vector<int64_t>& strides) {
    Format made;
    dnnl_memory_desc_init_by_strides(&made.value_, static_cast<int>(dims.size()), dims.data(), type,
                                     strides.data());
    return made;
  }
  static Format CopyOf(FormatRef other) {
    Format made;
    if (other != nullptr) made.value_ = *other;
    return made;
  }
  FormatRef get() const { return &value_; }

 private:
  dnnl_memory_desc_t value_{};
};

class Candidates {
 public:
  bool BeginForward(const Operands& o, const Window& w, const_dnnl_primitive_attr_t attributes,
                    dnnl_engine_t engine) {
    dnnl_convolution_desc_t operation;
    return dnnl_dilated_convolution_forward_desc_init(
               &operation, dnnl_forward_training, w.algorithm, o.in, o.weights, o.bias, o.out,
               w.strides, w.dilations, w.pad_begin, w.pad_end) == dnnl_success &&
           Begin(&operation, attributes, engine);
  }
  bool BeginInputGradient(const Operands& o, const Window& w,
                          const_dnnl_primitive_attr_t attributes, dnnl_engine_t engine) {
    dnnl_convolution_desc_t operation;
    return dnnl_dilated_convolution_backward_data_desc_init(
               &operation, w.algorithm, o.in, o.weights, o.out, w.strides, w.dilations, w.pad_begin,
               w.pad_end) == dnnl_success &&
           Begin(&operation, attributes, engine);
  }
  bool BeginWeightGradient(const Operands& o, const Window& w,
                           const_dnnl_primitive_attr_t attributes, dnnl_engine_t engine) {
    dnnl_convolution_desc_t operation;
    return dnnl_dilated_convolution_backward_weights_desc_init(
               &operation, w.algorithm, o.in, o.weights, o.bias, o.out, w.strides, w.dilations,
               w.pad_begin, w.pad_end) == dnnl_success &&
           Begin(&operation, attributes, engine);
  }
  bool BeginMatmul(const Operands& o, const_dnnl_primitive_attr_t attributes,
                   dnnl_engine_t engine) {
    dnnl_matmul_desc_t operation;
    return dnnl_matmul_desc_init(&operation, o.in, o.weights, o.bias, o.out) == dnnl_success &&
           Begin(&operation, attributes, engine);
  }
  dnnl_primitive_desc_t current() const { return current_.get(); }
  bool Next() {
    return dnnl_primitive_desc_iterator_next(iterator_.get()) == dnnl_success && Fetch();
  }
  dnnl_primitive_desc_t Take() { return current_.Release(); }

 private:
  bool Begin(const void* operation, const_dnnl_primitive_attr_t attributes, dnnl_engine_t engine) {
    return dnnl_primitive_desc_iterator_create(iterator_.out(), operation, attributes, engine,
                                               nullptr) == dnnl_success &&
           Fetch();
  }
  bool Fetch() {
    PrimitiveDescription fetched;
    *fetched.out() = dnnl_primitive_desc_iterator_fetch(iterator_.get());
    current_ = std::move(fetched);
    return current_.get() != nullptr;
  }

  Owned<dnnl_primitive_desc_iterator_t, dnnl_primitive_desc_iterator_destroy> iterator_;
  PrimitiveDescription current_;
};

inline void BindBuffer(dnnl_memory_t memory, void* data, dnnl_stream_t stream) {
  dnnl_memory_set_data_handle_v2(memory, data, stream);
}
inline bool AppendRelu(dnnl_post_ops_t post) {
  return dnnl_post_ops_append_eltwise(post, 1, dnnl_eltwise_relu, 0, 0) == dnnl_success;
}

inline bool AppendSum(dnnl_post_ops_t post, float scale, dnnl_data_type_t type) {
  return dnnl_post_ops_append_sum_v2(post, scale, type) == dnnl_success;
}
inline constexpr bool kScalesAreArguments = false;
inline constexpr int kScalesArgument = 0;
inline bool SetScales(dnnl_primitive_attr_t attributes, const std::vector<float>& scales, bool) {
  return dnnl_primitive_attr_set_output_scales(attributes, static_cast<dnnl_dim_t>(scales.size()),
                                               /*mask=*/1 << 1, scales.data()) == dnnl_success;
}

#endif

}  // namespace cotangent::tensor::onednn

#endif  // COTANGENT_TENSOR_ONEDNN_API_H_
