#include "tensor/onednn.h"

#include <omp.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "base/status_macros.h"
#include "tensor/onednn_api.h"
#include "tensor/onednn_parts.h"

namespace cotangent::tensor::onednn {
namespace {

// Keeps oneDNN from using wider instruction sets than WidestInstructionSet() (base/cpu.h), which
// the other kernels of this program do not use, either. Where the limit is AVX2 or AVX-512, oneDNN
// may also use VNNI; where it is portable code, SSE4.1.
void LimitInstructionSet() {
  if (WidestInstructionSet() == ProcessorInstructionSet()) return;
  dnnl_set_max_cpu_isa(HasAvx512Bf16() ? dnnl_cpu_isa_avx512_core_bf16
                       : HasAvx512()   ? dnnl_cpu_isa_avx512_core_vnni
                       : HasAvx2()     ? dnnl_cpu_isa_avx2_vnni
                                       : dnnl_cpu_isa_sse41);
}

// Returns the process's only engine: the processor.
dnnl_engine_t Engine() {
  static const dnnl_engine_t engine = [] {
    LimitInstructionSet();
    dnnl_engine_t created = nullptr;
    dnnl_engine_create(&created, dnnl_cpu, 0);
    return created;
  }();
  return engine;
}

// While an object of this class exists, oneDNN runs on the calling thread only. The library is
// built for OpenMP, whose threads get equal parts of the work and spin at barriers; this module
// instead makes several smaller calls of oneDNN on the threads of base/parallel.h. oneDNN builds a
// primitive for the number of OpenMP threads at that time, so an object must also exist while a
// primitive is made.
class OneThread {
 public:
  OneThread() : before_(omp_get_max_threads()) {
    if (before_ != 1) omp_set_num_threads(1);
  }
  ~OneThread() {
    if (before_ != 1) omp_set_num_threads(before_);
  }

 private:
  const int before_;
};

// A stream of oneDNN, which runs each call at once, in the order of the calls. Only one thread at a
// time may use it.
class Stream : public Owned<dnnl_stream_t, dnnl_stream_destroy> {
 public:
  Stream() { dnnl_stream_create(out(), Engine(), dnnl_stream_default_flags); }
};

// A tensor as oneDNN's primitives take it: a memory format, and the address of the elements, which
// Bind() sets before each run.
class Memory {
 public:
  void Create(const Format& format) {
    dnnl_memory_create(memory_.out(), format.get(), Engine(), DNNL_MEMORY_NONE);
    bound_ = nullptr;
  }
  dnnl_memory_t get() const { return memory_.get(); }

  // Sets the address to `data`. Doing so makes oneDNN 2 clear the padding, so Bind() does it only
  // if the address changes.
  void Bind(void* data, const Stream& stream) {
    if (data == bound_) return;
    BindBuffer(memory_.get(), data, stream.get());
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
    case ElementType::kS8:
      return dnnl_s8;
    default:
      return dnnl_f32;
  }
}

Format RowMajor(const std::vector<int64_t>& dims, dnnl_data_type_t type) {
  std::vector<int64_t> strides(dims.size(), 1);
  for (int axis = static_cast<int>(dims.size()) - 2; axis >= 0; --axis)
    strides[axis] = strides[axis + 1] * dims[axis + 1];
  return Format::WithStrides(dims, type, strides);
}

Format FormatOf(const Tensor& tensor) {
  const dnnl_data_type_t type = TypeOf(tensor.type);
  if (!tensor.strides.empty()) return Format::WithStrides(tensor.dims, type, tensor.strides);
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
  return Format::WithTag(tensor.dims, type, tag);
}

std::string ImplementationName(dnnl_primitive_desc_t description) {
  const char* name = nullptr;
  if (dnnl_primitive_desc_query(description, dnnl_query_impl_info_str, 0, &name) != dnnl_success ||
      name == nullptr)
    return "";
  return name;
}

// Returns whether along this axis the first or the last window (the inputs of one output) lies
// entirely in the padding.
bool HasWindowInPadding(const Description& d, int axis) {
  const int64_t in = d.in.dims[2 + axis], out = d.out.dims[2 + axis],
                kernel = d.weights.dims[d.weights.dims.size() - 2 + axis];
  const int64_t last_begin = (out - 1) * d.strides[axis] - d.pad_begin[axis],
                first_end = (kernel - 1) * d.dilations[axis] + 1 - d.pad_begin[axis];
  return last_begin >= in || first_end <= 0;
}

// Returns whether oneDNN 2.6 offers `implementation` for `d`, but computes wrongly with it
// (convolution_sweep_test found these cases):
//   * With AVX2, weight gradients of pointwise (1x1) convolutions with a stride and fewer than 8
//     input channels a group: they write outside their buffer, have huge errors, or do not end.
//   * Weight gradients in bf16 of images narrower than the horizontal stride: they read outside
//     their buffers.
//   * With AMX and a horizontal stride, weight gradients of a single column of windows that reach
//     into the right padding: NaN.
//   * With AMX, forward convolutions of the kind "brgconv" with a window entirely in the padding:
//     they read outside their buffers.
//   * Winograd's input gradients if the paddings at the top and bottom, or left and right, differ:
//     they take the padding at the end of an axis for that at its beginning.
bool IsBroken(const Description& d, std::string_view implementation) {
  const auto is = [&](std::string_view part) {
    return implementation.find(part) != std::string_view::npos;
  };
  if (d.operation == Operation::kMatmul) return false;
  const int64_t width = d.in.dims[3], kernel_width = d.weights.dims.back(),
                channels = d.weights.dims[d.weights.dims.size() - 3];  // [groups,] out, in, ..
  switch (d.operation) {
    case Operation::kConvolutionWeightGradient:
      if (implementation == "jit_1x1:avx2")
        return (d.strides[0] > 1 || d.strides[1] > 1) && channels < 8;
      if (is("jit_bf16")) return d.strides[1] > width;
      return is("amx") && d.strides[1] > 1 && d.out.dims[3] == 1 &&
             (kernel_width - 1) * d.dilations[1] + 1 > d.pad_begin[1] + width;
    case Operation::kConvolutionForward:
      return is("brgconv") && is("amx") && (HasWindowInPadding(d, 0) || HasWindowInPadding(d, 1));
    case Operation::kConvolutionInputGradient:
      return is("wino") && d.pad_begin != d.pad_end;
    default:
      return false;
  }
}

// Returns whether the addend is copied to `out` before the run, and oneDNN then adds its sums to
// `out`. This is done for convolutions of integers, most of whose implementations support it.
bool AddsInPlace(const Description& d) { return d.with_addend && !d.scales.empty(); }

// Makes `candidates` list oneDNN's implementations of the operation `d`, beginning at the first.
// Returns whether there is one.
bool Begin(const Description& d, FormatRef weights, dnnl_primitive_attr_t attributes,
           Candidates& candidates) {
  const Format in = FormatOf(d.in), out = FormatOf(d.out);
  const int64_t outputs = d.out.dims[1];
  const Format bias = d.operation == Operation::kMatmul ? RowMajor({1, outputs}, dnnl_f32)
                                                        : RowMajor({outputs}, dnnl_f32);
  const Operands operands = {in.get(), weights, d.with_bias ? bias.get() : nullptr, out.get()};
  // oneDNN counts as dilation the cells skipped between two cells of the kernel, so 0 is dense.
  const std::array<int64_t, 2> holes = {d.dilations[0] - 1, d.dilations[1] - 1};
  const Window window = {d.winograd ? dnnl_convolution_winograd : dnnl_convolution_direct,
                         d.strides.data(), holes.data(), d.pad_begin.data(), d.pad_end.data()};
  switch (d.operation) {
    case Operation::kConvolutionForward:
      return candidates.BeginForward(operands, window, attributes, Engine());
    case Operation::kConvolutionInputGradient:
      return candidates.BeginInputGradient(operands, window, attributes, Engine());
    case Operation::kConvolutionWeightGradient:
      return candidates.BeginWeightGradient(operands, window, attributes, Engine());
    case Operation::kMatmul:
      return candidates.BeginMatmul(operands, attributes, Engine());
  }
  return false;
}

// Goes through oneDNN's implementations in order, without those for which IsBroken() holds, until
// accept() returns true for one; accept() then owns that implementation's descriptor. Returns
// whether accept() returned true. If weights_form is not null, only implementations that take this
// memory format of the weights are considered.
bool FindImplementation(const Description& d, const Format* weights_form,
                        const std::function<bool(dnnl_primitive_desc_t)>& accept) {
  const OneThread one_thread;
  Attributes attributes;
  dnnl_primitive_attr_create(attributes.out());
  dnnl_primitive_attr_set_scratchpad_mode(attributes.get(), dnnl_scratchpad_mode_user);
  PostOperations post;
  if (!d.scales.empty() && !SetScales(attributes.get(), d.scales, d.weights.dims.size() > 4))
    return false;
  if (d.with_addend || d.with_relu) {
    dnnl_post_ops_create(post.out());
    if (AddsInPlace(d)) {
      if (!AppendSum(post.get(), d.addend_scale, TypeOf(d.addend_type))) return false;
    } else if (d.with_addend &&
               dnnl_post_ops_append_binary(post.get(), dnnl_binary_add, FormatOf(d.out).get()) !=
                   dnnl_success) {
      return false;
    }
    if (d.with_relu && !AppendRelu(post.get())) return false;
    dnnl_primitive_attr_set_post_ops(attributes.get(), post.get());
  }
  const Format free_form = FormatOf(d.weights);
  Candidates candidates;
  if (!Begin(d, (weights_form != nullptr ? *weights_form : free_form).get(), attributes.get(),
             candidates))
    return false;
  do {
    if (!IsBroken(d, ImplementationName(candidates.current())) && accept(candidates.current())) {
      candidates.Take();
      return true;
    }
  } while (candidates.Next());
  return false;
}

Format QueryFormat(dnnl_primitive_desc_t description, dnnl_query_t what, int index = 0) {
  return Format::CopyOf(dnnl_primitive_desc_query_md(description, what, index));
}

// Copies a tensor from one memory format to another.
class Reordering {
 public:
  bool Create(const Format& from, const Format& to) {
    PrimitiveDescription description;
    const dnnl_engine_t engine = Engine();
    if (dnnl_reorder_primitive_desc_create(description.out(), from.get(), engine, to.get(), engine,
                                           nullptr) != dnnl_success ||
        dnnl_primitive_create(primitive_.out(), description.get()) != dnnl_success) {
      return false;
    }
    from_.Create(from);
    to_.Create(to);
    return true;
  }

  void Run(const void* from, void* to) {
    const OneThread one_thread;
    from_.Bind(const_cast<void*>(from), stream_);
    to_.Bind(to, stream_);
    const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from_.get()}, {DNNL_ARG_TO, to_.get()}};
    dnnl_primitive_execute(primitive_.get(), stream_.get(), 2, arguments);
  }

 private:
  Stream stream_;
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

bool HasInt8Instructions(std::string_view implementation) {
  return implementation.find("vnni") != std::string_view::npos ||
         implementation.find("amx") != std::string_view::npos;  // "amx_int8" in oneDNN 2
}

bool Int8Available() {
  static const bool available = [] {
    const Description smallest{.operation = Operation::kConvolutionForward,
                               .in = {{1, 16, 8, 8}, ElementType::kU8, Layout::kNhwc},
                               .weights = {{16, 16, 3, 3}, ElementType::kS8},
                               .out = {{1, 16, 6, 6}, ElementType::kU8, Layout::kNhwc},
                               .scales = std::vector<float>(16, 1.0f)};
    const std::vector<std::string> names = Implementations(smallest);
    return std::any_of(names.begin(), names.end(), HasInt8Instructions);
  }();
  return available;
}

bool BiasIsScaled() { return kScalesAreArguments; }

std::vector<std::string> Implementations(const Description& description) {
  std::vector<std::string> names;
  FindImplementation(description, nullptr, [&](dnnl_primitive_desc_t candidate) {
    names.push_back(ImplementationName(candidate));
    return false;
  });
  return names;
}

namespace {

// One call of oneDNN on some rows (images of a convolution, or rows of a matrix product) or some
// lines of one image.
struct Call {
  dnnl_primitive_t primitive = nullptr;
  int64_t in_offset = 0, out_offset = 0, out_bytes = 0;  // offsets: bytes from row 0
  Stream stream;
  Memory in, weights, bias, addend, out, scratch, scales;
  std::vector<dnnl_exec_arg_t> arguments;
};

int64_t Aligned(int64_t bytes) { return RoundUp(bytes, kAlignment); }

}  // namespace

struct Primitive::State {
  // Each primitive serves all parts (onednn_parts.h) that differ only in where they begin.
  std::vector<PrimitiveHandle> primitives;
  std::string implementation;
  std::vector<Call> calls;
  // The bytes of weights, bias and scratch memory that each call needs. In a weight gradient, which
  // adds up the gradients that the calls compute, each call writes gradients by weights and bias of
  // its own: the first call to the result, the others to scratch memory.
  int64_t weight_bytes = 0, bias_bytes = 0, scratch_bytes = 0;
  bool with_bias = false, with_addend = false, adds_in_place = false, weights_are_plain = false,
       sums_weights = false;
  int threads = 1;
  Reordering packing;
  std::vector<float> scales;  // if oneDNN takes them as arguments (version 3)

  absl::Status AddCalls(const Description& d, std::string_view implementation,
                        const std::vector<Part>& parts);
  // Makes the primitive for `d`. The first primitive chooses the memory format of the weights,
  // which is stored in `weights`; further primitives use that format.
  absl::StatusOr<PrimitiveDescription> AddPrimitive(const Description& d, Format& weights);
  absl::Status CreatePacking(const Description& d, const Format& weights);
  void AddCall(const Description& whole, const Part& part, dnnl_primitive_t primitive,
               dnnl_primitive_desc_t description);
  int64_t sum_bytes() const { return Aligned(weight_bytes) + Aligned(bias_bytes); }
  int64_t sums() const { return sums_weights ? static_cast<int64_t>(calls.size()) - 1 : 0; }
  void AddSums(void* weights, void* bias, const char* sums) const;
};

Primitive::Primitive(std::unique_ptr<State> state) : state_(std::move(state)) {}
Primitive::~Primitive() = default;

absl::StatusOr<PrimitiveDescription> Primitive::State::AddPrimitive(const Description& d,
                                                                    Format& weights) {
  PrimitiveDescription description;
  const bool is_first = primitives.empty();
  const bool found =
      FindImplementation(d, is_first ? nullptr : &weights, [&](dnnl_primitive_desc_t candidate) {
        if (!implementation.empty() && ImplementationName(candidate) != implementation)
          return false;
        *description.out() = candidate;
        return true;
      });
  if (!found) {
    return absl::NotFoundError(absl::StrCat("oneDNN ", Version(), " has no implementation '",
                                            implementation,
                                            "' of this operation on this processor"));
  }
  const dnnl_primitive_desc_t pd = description.get();
  if (is_first) {
    weights =
        QueryFormat(pd, IsWeightGradient(d) ? dnnl_query_diff_weights_md : dnnl_query_weights_md);
    implementation = ImplementationName(pd);
  }
  // Building the primitive generates its machine code; for Winograd it may also allocate memory.
  PrimitiveHandle primitive;
  if (dnnl_primitive_create(primitive.out(), pd) != dnnl_success)
    return absl::InternalError(absl::StrCat("oneDNN could not build ", ImplementationName(pd)));
  primitives.push_back(std::move(primitive));
  const Format scratch = QueryFormat(pd, dnnl_query_scratchpad_md);
  scratch_bytes =
      std::max(scratch_bytes, static_cast<int64_t>(dnnl_memory_desc_get_size(scratch.get())));
  return description;
}

absl::Status Primitive::State::CreatePacking(const Description& d, const Format& weights) {
  weight_bytes = static_cast<int64_t>(dnnl_memory_desc_get_size(weights.get()));
  const Format plain =
      RowMajor(d.weights.dims, d.scales.empty() ? dnnl_f32 : TypeOf(d.weights.type));
  weights_are_plain = d.scales.empty() && dnnl_memory_desc_equal(plain.get(), weights.get());
  // A matrix product takes its weights with the strides of the Description; the caller packs the
  // weights.
  if (!weights_are_plain && d.operation != Operation::kMatmul &&
      !(IsWeightGradient(d) ? packing.Create(weights, plain) : packing.Create(plain, weights))) {
    return absl::InternalError(
        absl::StrCat("oneDNN cannot reorder the weights of ", implementation));
  }
  return absl::OkStatus();
}

void Primitive::State::AddCall(const Description& whole, const Part& part,
                               dnnl_primitive_t primitive, dnnl_primitive_desc_t pd) {
  const bool input_gradient = whole.operation == Operation::kConvolutionInputGradient;
  const bool weight_gradient = IsWeightGradient(whole);
  const bool forward = !input_gradient && !weight_gradient;
  const dnnl_query_t weights_query =
      weight_gradient ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
  const Format in = QueryFormat(pd, input_gradient ? dnnl_query_diff_src_md : dnnl_query_src_md);
  const Format out = QueryFormat(pd, forward ? dnnl_query_dst_md : dnnl_query_diff_dst_md);
  const Format weights = QueryFormat(pd, weights_query);
  // row_bytes() returns the bytes from one row to the next. line_bytes() returns those from one
  // line of an image to the next in NHWC, or 0 if the part is not just some lines.
  const auto row_bytes = [&](const Tensor& tensor, const Format& format) {
    if (!tensor.strides.empty()) return tensor.strides[0] * Bytes(tensor.type);
    if (part.in_lines_only) return NumElements(tensor) / tensor.dims[0] * Bytes(tensor.type);
    return static_cast<int64_t>(dnnl_memory_desc_get_size(format.get())) / part.rows;
  };
  const auto line_bytes = [&](const Tensor& tensor) {
    return part.in_lines_only ? tensor.dims[1] * tensor.dims[3] * Bytes(tensor.type) : 0;
  };
  Call& call = calls.emplace_back();
  call.primitive = primitive;
  call.in_offset = part.row * row_bytes(whole.in, in) + part.in_line * line_bytes(whole.in);
  call.out_offset = part.row * row_bytes(whole.out, out) + part.out_line * line_bytes(whole.out);
  call.out_bytes = static_cast<int64_t>(dnnl_memory_desc_get_size(out.get()));
  call.in.Create(in);
  call.weights.Create(weights);
  call.out.Create(out);
  call.scratch.Create(QueryFormat(pd, dnnl_query_scratchpad_md));
  call.arguments = {
      {input_gradient ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, call.in.get()},
      {weight_gradient ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, call.weights.get()},
      {forward ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, call.out.get()},
      {DNNL_ARG_SCRATCHPAD, call.scratch.get()}};
  if (with_bias) {
    const Format bias = QueryFormat(pd, weights_query, 1);
    bias_bytes = static_cast<int64_t>(dnnl_memory_desc_get_size(bias.get()));
    call.bias.Create(bias);
    call.arguments.push_back(
        {weight_gradient ? DNNL_ARG_DIFF_BIAS : DNNL_ARG_BIAS, call.bias.get()});
  }
  if (with_addend && !adds_in_place) {
    call.addend.Create(out);
    call.arguments.push_back(
        {DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1, call.addend.get()});
  }
  if (!scales.empty()) {
    call.scales.Create(RowMajor({static_cast<int64_t>(scales.size())}, dnnl_f32));
    call.scales.Bind(scales.data(), call.stream);
    call.arguments.push_back({kScalesArgument, call.scales.get()});
  }
}

absl::Status Primitive::State::AddCalls(const Description& whole, std::string_view wanted,
                                        const std::vector<Part>& parts) {
  implementation = std::string(wanted);
  if (kScalesAreArguments) scales = whole.scales;
  Format weights;
  std::vector<PrimitiveDescription> descriptions;
  std::vector<size_t> first;  // for each primitive, the index of the first part that it computes
  calls.reserve(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    size_t which = 0;
    while (which < first.size() && !parts[first[which]].SamePrimitive(parts[i])) ++which;
    if (which == first.size()) {
      ASSIGN_OR_RETURN(PrimitiveDescription made, AddPrimitive(OfPart(whole, parts[i]), weights));
      descriptions.push_back(std::move(made));
      first.push_back(i);
    }
    AddCall(whole, parts[i], primitives[which].get(), descriptions[which].get());
  }
  return CreatePacking(whole, weights);
}

absl::StatusOr<std::unique_ptr<Primitive>> Primitive::Create(const Description& d,
                                                             std::string_view implementation) {
  const OneThread one_thread;
  const int64_t rows = d.in.dims[0];
  // Some implementations support the whole operation but not its parts (matrix products of few
  // rows); those get a single call.
  const std::vector<Part> whole = {{.rows = rows}};
  for (const std::vector<Part>& parts : {PartsOf(d), whole}) {
    auto state = std::make_unique<State>();
    state->with_bias = d.with_bias;
    state->with_addend = d.with_addend;
    state->adds_in_place = AddsInPlace(d);
    state->sums_weights = IsWeightGradient(d);
    state->threads = Threads();
    const absl::Status status = state->AddCalls(d, implementation, parts);
    if (status.ok()) return std::unique_ptr<Primitive>(new Primitive(std::move(state)));
    if (!absl::IsNotFound(status) || parts.size() == 1) return status;
  }
  return absl::InternalError("unreachable");
}

const std::string& Primitive::implementation() const { return state_->implementation; }
int64_t Primitive::weight_bytes() const { return state_->weight_bytes; }
int64_t Primitive::scratch_bytes() const {
  const int64_t workers = std::min<int64_t>(state_->threads, state_->calls.size());
  return workers * Aligned(state_->scratch_bytes) + state_->sums() * state_->sum_bytes();
}
bool Primitive::weights_are_plain() const { return state_->weights_are_plain; }
void Primitive::PackWeights(const void* plain, void* packed) { state_->packing.Run(plain, packed); }
void Primitive::UnpackWeights(const void* packed, float* plain) {
  state_->packing.Run(packed, plain);
}

// Adds the gradients that the other calls computed to those of the first call, in the order of the
// calls.
void Primitive::State::AddSums(void* weights, void* bias, const char* sums) const {
  const auto add = [&](int64_t bytes, int64_t offset, void* total) {
    float* const to = static_cast<float*>(total);
    ParallelRanges(bytes / 4, LeastItems(this->sums()), [&](int64_t begin, int64_t end) {
      for (int64_t call = 0; call < this->sums(); ++call) {
        const float* const from =
            reinterpret_cast<const float*>(sums + call * sum_bytes() + offset);
        for (int64_t i = begin; i < end; ++i) to[i] += from[i];
      }
    });
  };
  add(weight_bytes, 0, weights);
  if (with_bias) add(bias_bytes, Aligned(weight_bytes), bias);
}

void Primitive::Run(void* in, void* weights, void* bias, void* addend, void* out, void* scratch) {
  State& state = *state_;
  const int64_t workers = std::min<int64_t>(state.threads, state.calls.size());
  char* const scratches = static_cast<char*>(scratch);
  char* const sums = scratches + workers * Aligned(state.scratch_bytes);
  ParallelFor(static_cast<int64_t>(state.calls.size()), [&](int64_t i, int thread) {
    const OneThread one_thread;
    Call& call = state.calls[i];
    const bool has_sum = state.sums_weights && i > 0;
    char* const sum = has_sum ? sums + (i - 1) * state.sum_bytes() : nullptr;
    const Stream& stream = call.stream;
    call.in.Bind(static_cast<char*>(in) + call.in_offset, stream);
    call.weights.Bind(has_sum ? sum : weights, stream);
    call.out.Bind(static_cast<char*>(out) + call.out_offset, stream);
    call.scratch.Bind(scratches + thread * Aligned(state.scratch_bytes), stream);
    if (state.with_bias) call.bias.Bind(has_sum ? sum + Aligned(state.weight_bytes) : bias, stream);
    if (state.adds_in_place) {
      std::memcpy(static_cast<char*>(out) + call.out_offset,
                  static_cast<const char*>(addend) + call.out_offset, call.out_bytes);
    } else if (state.with_addend) {
      call.addend.Bind(static_cast<char*>(addend) + call.out_offset, stream);
    }
    dnnl_primitive_execute(call.primitive, stream.get(), static_cast<int>(call.arguments.size()),
                           call.arguments.data());
  });
  if (state.sums() > 0) state.AddSums(weights, bias, sums);
}

void Sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
           const float* a, int64_t a_row, const float* b, int64_t b_row, float beta, float* c,
           int64_t c_row) {
  Engine();  // limits the instruction set
  const OneThread one_thread;
  dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, a_row, b, b_row,
             beta, c, c_row);
}

}  // namespace cotangent::tensor::onednn
