#include "tensor/onednn.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "oneapi/dnnl/dnnl.h"
#include "tensor/cpu.h"

namespace cotangent::tensor::onednn {
namespace {

// What we rule out (cpu.h), oneDNN must not use either.
void LimitInstructionSet() {
  if (HasAvx512Bf16()) return;
  dnnl_set_max_cpu_isa(HasAvx512() ? dnnl_cpu_isa_avx512_core_vnni
                       : HasAvx2() ? dnnl_cpu_isa_avx2
                                   : dnnl_cpu_isa_sse41);
}

// The process's one engine (the processor) and stream (in order, synchronous).
struct Runtime {
  dnnl_engine_t engine = nullptr;
  dnnl_stream_t stream = nullptr;

  static const Runtime& Get() {
    static const Runtime* const runtime = [] {
      LimitInstructionSet();
      auto* created = new Runtime;
      dnnl_engine_create(&created->engine, dnnl_cpu, 0);
      dnnl_stream_create(&created->stream, created->engine, dnnl_stream_default_flags);
      return created;
    }();
    return *runtime;
  }
};

// Owns a C handle of oneDNN's.
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

 private:
  Handle handle_ = nullptr;
};
using PostOperations = Owned<dnnl_post_ops_t, dnnl_post_ops_destroy>;
using Attributes = Owned<dnnl_primitive_attr_t, dnnl_primitive_attr_destroy>;
using Iterator = Owned<dnnl_primitive_desc_iterator_t, dnnl_primitive_desc_iterator_destroy>;
using PrimitiveDescription = Owned<dnnl_primitive_desc_t, dnnl_primitive_desc_destroy>;
using PrimitiveHandle = Owned<dnnl_primitive_t, dnnl_primitive_destroy>;
using MemoryHandle = Owned<dnnl_memory_t, dnnl_memory_destroy>;

// A tensor for oneDNN that is bound to wherever its elements currently are.
class Memory {
 public:
  void Create(const dnnl_memory_desc_t& description) {
    dnnl_memory_create(memory_.out(), &description, Runtime::Get().engine, DNNL_MEMORY_NONE);
    bound_ = nullptr;
  }
  dnnl_memory_t get() const { return memory_.get(); }

  // Binding anew makes oneDNN clear the padding, so only a change of place is passed on.
  void Bind(void* data) {
    if (data == bound_) return;
    dnnl_memory_set_data_handle_v2(memory_.get(), data, Runtime::Get().stream);
    bound_ = data;
  }

 private:
  MemoryHandle memory_;
  void* bound_ = nullptr;
};

dnnl_data_type_t TypeOf(ElementType type) {
  switch (type) {
    case ElementType::kBf16:
      return dnnl_bf16;
    case ElementType::kS32:
      return dnnl_s32;
    case ElementType::kU8:
      return dnnl_u8;
    default:
      return dnnl_f32;
  }
}

dnnl_memory_desc_t RowMajor(const std::vector<int64_t>& dims, dnnl_data_type_t type) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (int axis = static_cast<int>(dims.size()) - 2; axis >= 0; --axis)
    strides[axis] = strides[axis + 1] * dims[axis + 1];
  dnnl_memory_desc_t description;
  dnnl_memory_desc_init_by_strides(&description, static_cast<int>(dims.size()), dims.data(), type,
                                   strides.data());
  return description;
}

dnnl_memory_desc_t MemoryDescription(const Tensor& tensor) {
  const int rank = static_cast<int>(tensor.dims.size());
  const dnnl_data_type_t type = TypeOf(tensor.type);
  dnnl_memory_desc_t description;
  if (!tensor.strides.empty()) {
    dnnl_memory_desc_init_by_strides(&description, rank, tensor.dims.data(), type,
                                     tensor.strides.data());
    return description;
  }
  dnnl_format_tag_t tag = dnnl_format_tag_any;
  if (tensor.layout.has_value()) {
    switch (*tensor.layout) {
      case Layout::kNchw:
        tag = dnnl_nchw;
        break;
      case Layout::kNhwc:
        tag = dnnl_nhwc;
        break;
      case Layout::kBlocked8:
        tag = dnnl_nChw8c;
        break;
      case Layout::kBlocked16:
        tag = dnnl_nChw16c;
        break;
    }
  }
  dnnl_memory_desc_init_by_tag(&description, rank, tensor.dims.data(), type, tag);
  return description;
}

std::string ImplementationName(dnnl_primitive_desc_t description) {
  const char* name = nullptr;
  if (dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) != dnnl_success ||
      name == nullptr)
    return "";
  return name;
}

// Weights' gradients of pointwise convolutions with a stride, of fewer channels than a register of
// AVX2 has floats: oneDNN 2.6 writes beside the memory it is given, is off by as much as the
// result, or does not come back (convolution_sweep_test).
bool WritesAstray(const Description& d, const std::string& implementation) {
  return d.operation == Operation::kConvolutionWeightGradient && implementation == "jit_1x1:avx2" &&
         (d.strides[0] > 1 || d.strides[1] > 1) &&
         d.weights.dims[d.weights.dims.size() - 3] < 8;  // [groups,] out, in, height, width
}

// Walks oneDNN's implementations in order until `accept` says yes; whether it ever did.
bool FindImplementation(const Description& d,
                        const std::function<bool(dnnl_primitive_desc_t)>& accept) {
  const dnnl_memory_desc_t in = MemoryDescription(d.in), weights = MemoryDescription(d.weights),
                           out = MemoryDescription(d.out);
  const bool matmul = d.operation == Operation::kMatmul;
  const int64_t outputs = d.out.dims[1];
  const dnnl_memory_desc_t bias_description =
      matmul ? RowMajor({1, outputs}, dnnl_f32) : RowMajor({outputs}, dnnl_f32);
  const dnnl_memory_desc_t* bias = d.with_bias ? &bias_description : nullptr;
  // oneDNN counts the holes between a kernel's cells.
  const std::array<int64_t, 2> dilates = {d.dilations[0] - 1, d.dilations[1] - 1};
  const dnnl_alg_kind_t algorithm =
      d.winograd ? dnnl_convolution_winograd : dnnl_convolution_direct;

  dnnl_convolution_desc_t convolution;
  dnnl_matmul_desc_t product;
  const void* operation = &convolution;
  dnnl_status_t status = dnnl_success;
  switch (d.operation) {
    case Operation::kConvolutionForward:
      status = dnnl_dilated_convolution_forward_desc_init(
          &convolution, dnnl_forward_training, algorithm, &in, &weights, bias, &out,
          d.strides.data(), dilates.data(), d.pad_begin.data(), d.pad_end.data());
      break;
    case Operation::kConvolutionInputGradient:
      status = dnnl_dilated_convolution_backward_data_desc_init(
          &convolution, algorithm, &in, &weights, &out, d.strides.data(), dilates.data(),
          d.pad_begin.data(), d.pad_end.data());
      break;
    case Operation::kConvolutionWeightGradient:
      status = dnnl_dilated_convolution_backward_weights_desc_init(
          &convolution, algorithm, &in, &weights, bias, &out, d.strides.data(), dilates.data(),
          d.pad_begin.data(), d.pad_end.data());
      break;
    case Operation::kMatmul:
      operation = &product;
      status = dnnl_matmul_desc_init(&product, &in, &weights, bias, &out);
      break;
  }
  if (status != dnnl_success) return false;

  Attributes attributes;
  dnnl_primitive_attr_create(attributes.out());
  dnnl_primitive_attr_set_scratchpad_mode(attributes.get(), dnnl_scratchpad_mode_user);
  PostOperations post;
  if (d.with_addend || d.with_relu) {
    dnnl_post_ops_create(post.out());
    if (d.with_addend &&
        dnnl_post_ops_append_binary(post.get(), dnnl_binary_add, &out) != dnnl_success)
      return false;
    if (d.with_relu &&
        dnnl_post_ops_append_eltwise(post.get(), 1, dnnl_eltwise_relu, 0, 0) != dnnl_success)
      return false;
    dnnl_primitive_attr_set_post_ops(attributes.get(), post.get());
  }
  Iterator iterator;
  if (dnnl_primitive_desc_iterator_create(iterator.out(), operation, attributes.get(),
                                          Runtime::Get().engine, nullptr) != dnnl_success) {
    return false;
  }
  do {
    PrimitiveDescription candidate;
    *candidate.out() = dnnl_primitive_desc_iterator_fetch(iterator.get());
    if (candidate.get() == nullptr) return false;
    if (!WritesAstray(d, ImplementationName(candidate.get())) && accept(candidate.get())) {
      *candidate.out() = nullptr;  // the taker owns it
      return true;
    }
  } while (dnnl_primitive_desc_iterator_next(iterator.get()) == dnnl_success);
  return false;
}

dnnl_memory_desc_t QueryMemory(dnnl_primitive_desc_t description, dnnl_query_t what,
                               int index = 0) {
  const dnnl_memory_desc_t* found = dnnl_primitive_desc_query_md(description, what, index);
  return found != nullptr ? *found : dnnl_memory_desc_t{};
}

// A copy from one memory format to another.
class Reordering {
 public:
  bool Create(const dnnl_memory_desc_t& from, const dnnl_memory_desc_t& to) {
    PrimitiveDescription description;
    const dnnl_engine_t engine = Runtime::Get().engine;
    if (dnnl_reorder_primitive_desc_create(description.out(), &from, engine, &to, engine,
                                           nullptr) != dnnl_success ||
        dnnl_primitive_create(primitive_.out(), description.get()) != dnnl_success) {
      return false;
    }
    from_.Create(from);
    to_.Create(to);
    return true;
  }

  void Run(const void* from, void* to) {
    from_.Bind(const_cast<void*>(from));
    to_.Bind(to);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from_.get()}, {DNNL_ARG_TO, to_.get()}};
    dnnl_primitive_execute(primitive_.get(), Runtime::Get().stream, 2, arguments);
  }

 private:
  PrimitiveHandle primitive_;
  Memory from_, to_;
};

}  // namespace

std::string Version() {
  const dnnl_version_t* version = dnnl_version();
  return absl::StrCat(version->major, ".", version->minor, ".", version->patch);
}

bool Bf16Available() {
  static const bool available = [] {
    Description smallest{.operation = Operation::kMatmul,
                         .in = {{16, 16}, ElementType::kBf16, std::nullopt, {16, 1}},
                         .weights = {{16, 16}, ElementType::kBf16, std::nullopt, {16, 1}},
                         .out = {{16, 16}, ElementType::kBf16, std::nullopt, {16, 1}}};
    const std::vector<std::string> names = Implementations(smallest);
    return !names.empty() && names[0].rfind("ref", 0) != 0;
  }();
  return available;
}

std::vector<std::string> Implementations(const Description& description) {
  std::vector<std::string> names;
  FindImplementation(description, [&](dnnl_primitive_desc_t candidate) {
    names.push_back(ImplementationName(candidate));
    return false;
  });
  return names;
}

struct Primitive::State {
  PrimitiveHandle primitive;
  std::string implementation;
  Memory in, weights, bias, addend, out, scratch;
  std::vector<dnnl_exec_arg_t> arguments;
  int64_t weight_bytes = 0, scratch_bytes = 0;
  bool with_bias = false, with_addend = false, weights_are_plain = false;
  Reordering packing;
};

Primitive::Primitive(std::unique_ptr<State> state) : state_(std::move(state)) {}
Primitive::~Primitive() = default;

absl::StatusOr<std::unique_ptr<Primitive>> Primitive::Create(const Description& d,
                                                             std::string_view implementation) {
  PrimitiveDescription description;
  const bool found = FindImplementation(d, [&](dnnl_primitive_desc_t candidate) {
    if (!implementation.empty() && ImplementationName(candidate) != implementation) return false;
    *description.out() = candidate;
    return true;
  });
  if (!found) {
    return absl::NotFoundError(absl::StrCat("oneDNN ", Version(), " has no implementation '",
                                            std::string(implementation),
                                            "' of this operation on this processor"));
  }

  auto state = std::make_unique<State>();
  const dnnl_primitive_desc_t pd = description.get();
  const bool input_gradient = d.operation == Operation::kConvolutionInputGradient;
  const bool weight_gradient = d.operation == Operation::kConvolutionWeightGradient;
  const bool forward = !input_gradient && !weight_gradient;
  const dnnl_memory_desc_t in =
      QueryMemory(pd, input_gradient ? dnnl_query_diff_src_md : dnnl_query_src_md);
  const dnnl_query_t weights_query =
      weight_gradient ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
  const dnnl_memory_desc_t weights = QueryMemory(pd, weights_query);
  const dnnl_memory_desc_t out =
      QueryMemory(pd, forward ? dnnl_query_dst_md : dnnl_query_diff_dst_md);
  const dnnl_memory_desc_t scratch = QueryMemory(pd, dnnl_query_scratchpad_md);

  // Building the primitive generates its machine code, and for Winograd may need some temporary
  // memory.
  state->scratch_bytes = static_cast<int64_t>(dnnl_memory_desc_get_size(&scratch));
  if (dnnl_primitive_create(state->primitive.out(), pd) != dnnl_success) {
    return absl::InternalError(absl::StrCat("oneDNN could not build ", ImplementationName(pd)));
  }
  state->implementation = ImplementationName(pd);
  state->weight_bytes = static_cast<int64_t>(dnnl_memory_desc_get_size(&weights));
  state->with_bias = d.with_bias;
  state->with_addend = d.with_addend;

  state->in.Create(in);
  state->weights.Create(weights);
  state->out.Create(out);
  state->scratch.Create(scratch);
  state->arguments = {
      {input_gradient ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, state->in.get()},
      {weight_gradient ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, state->weights.get()},
      {forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, state->out.get()},
      {DNNL_ARG_SCRATCHPAD, state->scratch.get()}};
  if (d.with_bias) {
    state->bias.Create(QueryMemory(pd, weights_query, 1));
    state->arguments.push_back(
        {weight_gradient ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS, state->bias.get()});
  }

  if (d.with_addend) {
    state->addend.Create(out);
    state->arguments.push_back(
        {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, state->addend.get()});
  }

  const dnnl_memory_desc_t plain = RowMajor(d.weights.dims, dnnl_f32);
  state->weights_are_plain = dnnl_memory_desc_equal(&plain, &weights);
  // A matrix product's weights are given with strides; no other form of them is known here.
  if (!state->weights_are_plain && d.operation != Operation::kMatmul) {
    if (!(weight_gradient ? state->packing.Create(weights, plain)
                          : state->packing.Create(plain, weights))) {
      return absl::InternalError(
          absl::StrCat("oneDNN cannot reorder the weights of ", state->implementation));
    }
  }
  return std::unique_ptr<Primitive>(new Primitive(std::move(state)));
}

const std::string& Primitive::implementation() const { return state_->implementation; }
int64_t Primitive::weight_bytes() const { return state_->weight_bytes; }
int64_t Primitive::scratch_bytes() const { return state_->scratch_bytes; }
bool Primitive::weights_are_plain() const { return state_->weights_are_plain; }
void Primitive::PackWeights(const float* plain, void* packed) {
  state_->packing.Run(plain, packed);
}
void Primitive::UnpackWeights(const void* packed, float* plain) {
  state_->packing.Run(packed, plain);
}

void Primitive::Run(void* in, void* weights, void* bias, void* addend, void* out, void* scratch) {
  State& state = *state_;
  state.in.Bind(in);
  state.weights.Bind(weights);
  state.out.Bind(out);
  state.scratch.Bind(scratch);
  if (state.with_bias) state.bias.Bind(bias);
  if (state.with_addend) state.addend.Bind(addend);
  dnnl_primitive_execute(state.primitive.get(), Runtime::Get().stream,
                         static_cast<int>(state.arguments.size()), state.arguments.data());
}

void Sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
           const float* a, int64_t a_row, const float* b, int64_t b_row, float beta, float* c,
           int64_t c_row) {
  Runtime::Get();  // which limits the instruction set
  dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, a_row, b, b_row,
             beta, c, c_row);
}

}  // namespace cotangent::tensor::onednn
