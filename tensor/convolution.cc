#include "tensor/convolution.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/cpu.h"
#include "base/parallel.h"
#include "tensor/depthwise.h"
#include "tensor/int8_convolution.h"
#include "tensor/linear_product.h"
#include "tensor/onednn.h"
#include "tensor/product_convolution.h"
#include "tensor/winograd.h"
#include "tensor/winograd_rows.h"

namespace cotangent::tensor {
namespace {

int64_t OutExtent(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad) {
  return (in + pad - ((kernel - 1) * dilation + 1)) / stride + 1;
}

onednn::Description ConvolutionDescription(const ConvolutionShape& s, Direction direction,
                                           const ConvolutionChoice& choice, bool with_bias) {
  std::vector<int64_t> weights = {s.out_channels, s.in_channels, s.kernel_height, s.kernel_width};
  if (s.groups > 1) {
    weights = {s.groups, s.out_channels / s.groups, s.in_channels / s.groups, s.kernel_height,
               s.kernel_width};
  }
  const bool read_bf16 = direction == Direction::kForward ? choice.in_type == ElementType::kBf16
                                                          : choice.out_type == ElementType::kBf16;
  const bool bf16_weights = read_bf16 && direction != Direction::kWeightGradient;
  const onednn::Operation operation =
      direction == Direction::kForward         ? onednn::Operation::kConvolutionForward
      : direction == Direction::kInputGradient ? onednn::Operation::kConvolutionInputGradient
                                               : onednn::Operation::kConvolutionWeightGradient;
  return {
      .operation = operation,
      .winograd = choice.algorithm == Algorithm::kWinograd,
      .in = {{s.batch, s.in_channels, s.in_height, s.in_width}, choice.in_type, choice.in_layout},
      .weights = {std::move(weights), bf16_weights ? ElementType::kBf16 : ElementType::kF32},
      .out = {{s.batch, s.out_channels, s.out_height(), s.out_width()},
              choice.out_type,
              choice.out_layout},
      .with_bias = with_bias,
      .strides = {s.stride_height, s.stride_width},
      .dilations = {s.dilation_height, s.dilation_width},
      .pad_begin = {s.pad_top, s.pad_left},
      .pad_end = {s.pad_bottom, s.pad_right}};
}

// A linear layer as a product of matrices. With features in the order in which the input's layout
// has them (k, padding included), weights are [out, k]:
//   forward           out [n, out]       = in [n, k] weights^T
//   input gradient    in_gradient [n, k] = out_gradient [n, out] weights
//   weight gradient   [out, k]           = out_gradient^T in
onednn::Description MatmulDescription(const ConvolutionShape& s, Direction direction,
                                      const ConvolutionChoice& choice, bool with_bias) {
  const int64_t features = StorageElements(s.in(), choice.in_layout) / s.batch;
  auto matrix = [](int64_t rows, int64_t columns, ElementType type) {
    return onednn::Tensor{{rows, columns}, type, std::nullopt, {columns, 1}};
  };
  auto transposed = [](onednn::Tensor tensor) {
    std::swap(tensor.dims[0], tensor.dims[1]);
    std::swap(tensor.strides[0], tensor.strides[1]);
    return tensor;
  };
  const ElementType read_type = direction == Direction::kForward ? choice.in_type : choice.out_type;
  const onednn::Tensor in = matrix(s.batch, features, choice.in_type);
  const onednn::Tensor out = matrix(s.batch, s.out_channels, choice.out_type);
  onednn::Description description;
  description.operation = onednn::Operation::kMatmul;
  switch (direction) {
    case Direction::kForward:
      description.in = in;
      description.weights = transposed(matrix(s.out_channels, features, read_type));
      description.out = out;
      description.with_bias = with_bias;
      break;
    case Direction::kInputGradient:
      description.in = out;
      description.weights = matrix(s.out_channels, features, read_type);
      description.out = in;
      break;
    case Direction::kWeightGradient:
      description.in = transposed(out);
      description.weights = in;
      description.out = matrix(s.out_channels, features, ElementType::kF32);
      break;
  }
  return description;
}

onednn::Description DescriptionOf(const ConvolutionShape& shape, Direction direction,
                                  const ConvolutionChoice& choice, bool with_bias) {
  return choice.algorithm == Algorithm::kMatmul
             ? MatmulDescription(shape, direction, choice, with_bias)
             : ConvolutionDescription(shape, direction, choice, with_bias);
}

bool IsReference(std::string_view implementation) { return implementation.rfind("ref", 0) == 0; }
bool IsGemm(std::string_view implementation) {
  return implementation.find("gemm") != std::string_view::npos &&
         implementation.find("brg") == std::string_view::npos;
}
bool Uses(std::string_view instruction_set, std::string_view implementation) {
  return implementation.find(instruction_set) != std::string_view::npos;
}

// The choice as a convolution of our own, if it is one.
std::unique_ptr<OwnConvolution> CreateOwn(const ConvolutionShape& shape, Direction direction,
                                          const ConvolutionChoice& choice, bool relu, bool pooled) {
  const ElementType type = choice.in_type;
  if (choice.out_type != type || choice.out_layout != Layout::kNhwc) return nullptr;
  if (choice.algorithm == Algorithm::kMatmul && LinearProduct::IsAvailable(shape, type) &&
      choice.implementation == LinearProduct::ImplementationName()) {
    return std::make_unique<LinearProduct>(shape, direction, choice.in_layout, relu);
  }
  if (choice.in_layout != Layout::kNhwc) return nullptr;
  if (choice.algorithm == Algorithm::kWinograd && WinogradConvolution::IsAvailable(shape, type) &&
      WinogradConvolution::IsImplementation(choice.implementation, type)) {
    return std::make_unique<WinogradConvolution>(shape, direction, type, choice.implementation,
                                                 relu, pooled);
  }
  if (choice.implementation == DepthwiseConvolution::ImplementationName(type) &&
      DepthwiseConvolution::IsAvailable(shape, type)) {
    return std::make_unique<DepthwiseConvolution>(shape, direction, type, relu);
  }
  if (choice.implementation == WinogradRows::ImplementationName(type) &&
      WinogradRows::IsAvailable(shape, direction, type)) {
    return std::make_unique<WinogradRows>(shape, type, relu);
  }
  if (choice.implementation == ProductConvolution::ImplementationName(type) &&
      ProductConvolution::IsAvailable(shape, direction, type)) {
    return std::make_unique<ProductConvolution>(shape, type, relu);
  }
  return nullptr;
}

std::vector<std::pair<Layout, Layout>> LayoutPairs(const ConvolutionShape& shape,
                                                   Algorithm algorithm) {
  using enum Layout;
  if (algorithm == Algorithm::kWinograd) return {{kBlocked16, kBlocked16}};
  if (algorithm == Algorithm::kDirect) {
    return {{kNhwc, kNhwc},      {kBlocked16, kBlocked16}, {kBlocked8, kBlocked8},
            {kNchw, kBlocked16}, {kNchw, kBlocked8},       {kNchw, kNhwc},
            {kNchw, kNchw}};
  }
  std::vector<std::pair<Layout, Layout>> pairs;
  for (Layout layout : {kNhwc, kNchw, HasAvx512() ? kBlocked16 : kBlocked8}) {
    const bool known = std::any_of(pairs.begin(), pairs.end(), [&](const auto& pair) {
      return SameStorage(shape.in(), pair.first, layout);
    });
    if (!known) pairs.emplace_back(layout, kNhwc);
  }
  return pairs;
}

std::vector<std::pair<ElementType, ElementType>> TypePairs(Direction direction,
                                                           ElementType precision) {
  using enum ElementType;
  if (precision != kBf16 || !Bf16Available()) return {{kF32, kF32}};
  switch (direction) {
    case Direction::kForward:
      return {{kBf16, kBf16}, {kBf16, kF32}, {kF32, kF32}};
    case Direction::kInputGradient:
      return {{kBf16, kBf16}, {kF32, kBf16}, {kF32, kF32}};
    case Direction::kWeightGradient:
      return {{kBf16, kBf16}, {kF32, kF32}};
  }
  return {};
}

// Every implementation for every layout and type.
std::vector<ConvolutionChoice> AllImplementations(const ConvolutionShape& shape,
                                                  Direction direction, ElementType precision,
                                                  bool exact) {
  std::vector<Algorithm> algorithms = {Algorithm::kDirect};
  if (!exact) algorithms.push_back(Algorithm::kWinograd);
  // As a convolution, a linear layer is several times slower.
  if (shape.IsLinear()) algorithms = {Algorithm::kMatmul};
  std::vector<ConvolutionChoice> all;
  for (auto [in_type, out_type] : TypePairs(direction, precision)) {
    if (in_type != out_type) continue;
    if (!exact) {
      for (std::string& name : WinogradConvolution::Implementations(shape, direction, in_type)) {
        all.push_back({Algorithm::kWinograd, Layout::kNhwc, Layout::kNhwc, in_type, out_type,
                       std::move(name)});
      }
    }
    if (!exact && WinogradRows::IsAvailable(shape, direction, in_type)) {
      all.push_back({Algorithm::kWinograd, Layout::kNhwc, Layout::kNhwc, in_type, out_type,
                     WinogradRows::ImplementationName(in_type)});
    }
    if (DepthwiseConvolution::IsAvailable(shape, in_type)) {
      all.push_back({Algorithm::kDirect, Layout::kNhwc, Layout::kNhwc, in_type, out_type,
                     DepthwiseConvolution::ImplementationName(in_type)});
    }
    if (ProductConvolution::IsAvailable(shape, direction, in_type)) {
      all.push_back({Algorithm::kDirect, Layout::kNhwc, Layout::kNhwc, in_type, out_type,
                     ProductConvolution::ImplementationName(in_type)});
    }
  }
  for (Algorithm algorithm : algorithms) {
    for (auto [in_layout, out_layout] : LayoutPairs(shape, algorithm)) {
      for (auto [in_type, out_type] : TypePairs(direction, precision)) {
        ConvolutionChoice choice{algorithm, in_layout, out_layout, in_type, out_type, ""};
        if (algorithm == Algorithm::kMatmul && in_type == out_type &&
            LinearProduct::IsAvailable(shape, in_type)) {
          choice.implementation = LinearProduct::ImplementationName();
          all.push_back(choice);
        }
        for (std::string& name :
             onednn::Implementations(DescriptionOf(shape, direction, choice, false))) {
          choice.implementation = std::move(name);
          all.push_back(choice);
        }
      }
    }
  }
  return all;
}

// Sums columns of [rows, channels], in any layout, in double across images so that large batches
// lose nothing.
template <typename T>
void SumChannels(const Shape& shape, Layout layout, const T* data, float* sums) {
  const Strides strides = StridesOf(shape, layout);
  const int64_t channels = shape.channels(), pixels = shape.height() * shape.width();
  const int64_t span = std::min<int64_t>(strides.block, 16);
  ParallelFor((channels + span - 1) / span, [&](int64_t share) {
    const int64_t begin = share * span;
    const int64_t count = std::min(span, channels - begin);
    double total[16] = {};
    for (int64_t n = 0; n < shape.batch(); ++n) {
      const T* at = data + strides.Offset(n, begin, 0, 0);
      float image[16] = {};
      for (int64_t p = 0; p < pixels; ++p, at += strides.w)
        for (int64_t i = 0; i < count; ++i) image[i] += static_cast<float>(at[i]);
      for (int64_t i = 0; i < count; ++i) total[i] += image[i];
    }
    for (int64_t i = 0; i < count; ++i) sums[begin + i] = static_cast<float>(total[i]);
  });
}

// out = max(least, out + addend), without the addend where it is null. What is not a number stays
// so.
template <typename T>
void AddAndClip(int64_t count, const T* addend, float least, T* out) {
  const auto clipped = [least](float y) { return static_cast<T>(y < least ? least : y); };
  ParallelRanges(count, LeastItems(1), [&](int64_t begin, int64_t end) {
    if (addend == nullptr) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) out[i] = clipped(static_cast<float>(out[i]));
    } else {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i)
        out[i] = clipped(static_cast<float>(out[i]) + static_cast<float>(addend[i]));
    }
  });
}

template <typename Function>
double SecondsOf(Function function) {
  const auto begin = std::chrono::steady_clock::now();
  function();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int64_t ConvolutionShape::out_height() const {
  return OutExtent(in_height, kernel_height, stride_height, dilation_height, pad_top + pad_bottom);
}

int64_t ConvolutionShape::out_width() const {
  return OutExtent(in_width, kernel_width, stride_width, dilation_width, pad_left + pad_right);
}

int64_t ConvolutionShape::MultiplyAdds() const {
  return batch * out_channels * out_height() * out_width() * (in_channels / groups) *
         kernel_height * kernel_width;
}

bool ConvolutionShape::IsLinear() const {
  return groups == 1 && kernel_height == in_height && kernel_width == in_width &&
         pad_top + pad_bottom + pad_left + pad_right == 0 &&
         (dilation_height == 1 || kernel_height == 1) && (dilation_width == 1 || kernel_width == 1);
}

absl::Status ConvolutionShape::Validate() const {
  const std::pair<const char*, int64_t> sizes[] = {{"batch", batch},
                                                   {"in_channels", in_channels},
                                                   {"out_channels", out_channels},
                                                   {"groups", groups},
                                                   {"in_height", in_height},
                                                   {"in_width", in_width},
                                                   {"kernel_height", kernel_height},
                                                   {"kernel_width", kernel_width},
                                                   {"stride_height", stride_height},
                                                   {"stride_width", stride_width},
                                                   {"dilation_height", dilation_height},
                                                   {"dilation_width", dilation_width}};
  constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();
  for (auto [name, size] : sizes) {
    if (size < 1 || size > kLargest) {
      return absl::InvalidArgumentError(absl::StrCat("a convolution's ", name, " is ", size,
                                                     "; it must be from 1 to ", kLargest));
    }
  }
  for (int64_t pad : {pad_top, pad_bottom, pad_left, pad_right}) {
    if (pad < 0 || pad > kLargest) {
      return absl::InvalidArgumentError(
          absl::StrCat("a convolution's padding is ", pad, "; it must be from 0 to ", kLargest));
    }
  }
  if (in_channels % groups != 0 || out_channels % groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a convolution from ", in_channels, " to ", out_channels, " channels cannot have ", groups,
        " groups: the number of groups must divide both"));
  }
  const int64_t span_height = (kernel_height - 1) * dilation_height + 1,
                span_width = (kernel_width - 1) * dilation_width + 1;
  if (span_height > in_height + pad_top + pad_bottom ||
      span_width > in_width + pad_left + pad_right) {
    return absl::InvalidArgumentError(
        absl::StrCat("a convolution's kernel spans ", span_height, "x", span_width,
                     " pixels, more than its padded input of ", in_height + pad_top + pad_bottom,
                     "x", in_width + pad_left + pad_right));
  }
  for (const Shape& shape : {in(), out(), weights()}) {
    if (absl::Status status = shape.Validate(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

std::string ConvolutionShape::ToString() const {
  std::string text =
      absl::StrCat(batch, "x", in_channels, "x", in_height, "x", in_width, " -> ", out_channels,
                   "x", out_height(), "x", out_width(), " k", kernel_height, "x", kernel_width,
                   " s", stride_height, "x", stride_width);
  absl::StrAppend(&text, " p", pad_top, ",", pad_bottom, ",", pad_left, ",", pad_right);
  if (dilation_height != 1 || dilation_width != 1)
    absl::StrAppend(&text, " d", dilation_height, "x", dilation_width);
  if (groups != 1) absl::StrAppend(&text, " g", groups);
  return text;
}

std::string_view Name(Direction direction) {
  constexpr std::string_view kNames[] = {"forward", "input_gradient", "weight_gradient"};
  return kNames[static_cast<int>(direction)];
}

std::string_view Name(Algorithm algorithm) {
  constexpr std::string_view kNames[] = {"direct", "winograd", "matmul"};
  return kNames[static_cast<int>(algorithm)];
}

std::string ConvolutionChoice::ToString() const {
  std::string text;
  for (std::string_view part :
       {Name(algorithm), std::string_view(" "), Name(in_layout), std::string_view("/"),
        Name(in_type), std::string_view(" "), Name(out_layout), std::string_view("/"),
        Name(out_type), std::string_view(" "), std::string_view(implementation)}) {
    text.append(part);
  }
  return text;
}

absl::StatusOr<ConvolutionChoice> ConvolutionChoice::Parse(std::string_view text) {
  const absl::Status error = absl::InvalidArgumentError(
      absl::StrCat("'", std::string(text), "' does not name a choice of convolution"));
  const std::vector<std::string> parts = absl::StrSplit(std::string(text), absl::MaxSplits(' ', 3));
  if (parts.size() != 4) return error;
  ConvolutionChoice choice;
  auto match = [](auto& field, auto values, std::string_view name) {
    for (auto value : values) {
      if (Name(value) == name) {
        field = value;
        return true;
      }
    }
    return false;
  };
  auto side = [&](Layout& layout, ElementType& type, const std::string& part) {
    const size_t slash = part.find('/');
    if (slash == std::string::npos) return false;
    using enum Layout;
    return match(layout, std::initializer_list<Layout>{kNchw, kNhwc, kBlocked8, kBlocked16},
                 part.substr(0, slash)) &&
           match(type,
                 std::initializer_list<ElementType>{ElementType::kF32, ElementType::kBf16,
                                                    ElementType::kU8, ElementType::kS8},
                 part.substr(slash + 1));
  };
  const std::initializer_list<Algorithm> algorithms = {Algorithm::kDirect, Algorithm::kWinograd,
                                                       Algorithm::kMatmul};
  if (!match(choice.algorithm, algorithms, parts[0]) ||
      !side(choice.in_layout, choice.in_type, parts[1]) ||
      !side(choice.out_layout, choice.out_type, parts[2])) {
    return error;
  }
  choice.implementation = parts[3];
  return choice;
}

bool CanPool(const ConvolutionShape& shape, const ConvolutionChoice& choice) {
  const ElementType type = choice.in_type;
  return choice.out_type == type && choice.in_layout == Layout::kNhwc &&
         choice.out_layout == Layout::kNhwc && choice.algorithm == Algorithm::kWinograd &&
         WinogradConvolution::IsAvailable(shape, type) &&
         WinogradConvolution::IsImplementation(choice.implementation, type) &&
         WinogradConvolution::CanPool(shape);
}

bool Bf16Available() { return onednn::Bf16Available(); }

std::vector<ConvolutionChoice> Candidates(const ConvolutionShape& shape, Direction direction,
                                          ElementType precision, bool exact) {
  if (!shape.Validate().ok()) return {};
  std::vector<ConvolutionChoice> all = AllImplementations(shape, direction, precision, exact);
  // Keep the best kind there is: kernels for the widest vectors; else any generated kernel; else
  // whatever there is.
  auto is_kernel = [](const ConvolutionChoice& choice) {
    return choice.algorithm == Algorithm::kMatmul || !IsGemm(choice.implementation);
  };
  const std::vector<std::function<bool(const ConvolutionChoice&)>> kinds = {
      [&](const auto& c) { return is_kernel(c) && Uses("avx512", c.implementation); },
      [&](const auto& c) { return is_kernel(c) && Uses("avx2", c.implementation); }, is_kernel,
      [](const auto& c) { return true; }};
  std::vector<ConvolutionChoice> kept;
  for (auto types : TypePairs(direction, precision)) {
    for (const auto& kind : kinds) {
      const size_t before = kept.size();
      for (const ConvolutionChoice& choice : all) {
        if (std::pair(choice.in_type, choice.out_type) == types &&
            !IsReference(choice.implementation) && kind(choice)) {
          kept.push_back(choice);
        }
      }
      if (kept.size() > before) break;
    }
  }
  if (kept.empty() && !all.empty()) kept.push_back(all.front());
  return kept;
}

struct Convolution::State {
  ConvolutionShape shape;
  Direction direction;
  ConvolutionChoice choice;
  // One of the two.
  std::unique_ptr<onednn::Primitive> primitive;
  std::unique_ptr<OwnConvolution> own;
  bool sum_bias_gradient = false;  // in a pass of its own, where the primitive has none
  Epilogue pass = {};              // what the primitive has not of the epilogue: a pass of its own

  bool matmul() const { return choice.algorithm == Algorithm::kMatmul; }
  ElementType weight_type() const {
    if (direction == Direction::kWeightGradient) return ElementType::kF32;
    return direction == Direction::kForward ? choice.in_type : choice.out_type;
  }
};

Convolution::Convolution(std::unique_ptr<State> state) : state_(std::move(state)) {}
Convolution::~Convolution() = default;

absl::StatusOr<std::unique_ptr<Convolution>> Convolution::Create(const ConvolutionShape& shape,
                                                                 Direction direction,
                                                                 const ConvolutionChoice& choice,
                                                                 const Epilogue& epilogue) {
  if (absl::Status status = shape.Validate(); !status.ok()) return status;
  if (choice.algorithm == Algorithm::kMatmul && !shape.IsLinear()) {
    return absl::InvalidArgumentError(
        absl::StrCat(shape.ToString(), " is no linear layer: it cannot run as a matmul"));
  }
  const bool weight_gradient = direction == Direction::kWeightGradient, with_bias = epilogue.bias;
  if (epilogue.pooled &&
      (!CanPool(shape, choice) || epilogue.addend || (weight_gradient && with_bias))) {
    return absl::InvalidArgumentError(absl::StrCat(
        "convolution ", shape.ToString(), ", ", choice.ToString(),
        ": cannot pool its output side; Winograd convolutions of our own with a padding of 1 can"));
  }
  auto state = std::make_unique<State>(State{shape, direction, choice, nullptr, nullptr});
  if (epilogue.int8 != nullptr) {
    absl::StatusOr<std::unique_ptr<OneDnnInt8Convolution>> int8 =
        OneDnnInt8Convolution::Create(shape, choice, epilogue);
    if (!int8.ok()) return int8.status();
    state->own = *std::move(int8);
    return std::unique_ptr<Convolution>(new Convolution(std::move(state)));
  }
  state->own = CreateOwn(shape, direction, choice, epilogue.relu, epilogue.pooled);
  if (state->own) {
    state->sum_bias_gradient = with_bias && weight_gradient;
    return std::unique_ptr<Convolution>(new Convolution(std::move(state)));
  }
  absl::StatusOr<std::unique_ptr<onednn::Primitive>> primitive = absl::NotFoundError("");
  const bool primitive_bias =
      with_bias && !(weight_gradient && choice.algorithm == Algorithm::kMatmul);
  onednn::Description description = DescriptionOf(shape, direction, choice, primitive_bias);
  if (epilogue.addend || epilogue.relu) {
    description.with_addend = epilogue.addend, description.with_relu = epilogue.relu;
    // The wrong numbers, in some shapes, are what oneDNN 2.6's products give here without AVX-512.
    if (HasAvx512() || !IsGemm(choice.implementation))
      primitive = onednn::Primitive::Create(description, choice.implementation);
    if (!primitive.ok()) state->pass = {.addend = epilogue.addend, .relu = epilogue.relu};
    description.with_addend = description.with_relu = false;
  }
  if (!primitive.ok() && primitive_bias)
    primitive = onednn::Primitive::Create(description, choice.implementation);
  if (!primitive.ok() && (!with_bias || weight_gradient)) {
    primitive = onednn::Primitive::Create(DescriptionOf(shape, direction, choice, false),
                                          choice.implementation);
    state->sum_bias_gradient = with_bias;
  }
  if (!primitive.ok()) {
    return absl::Status(primitive.status().code(),
                        absl::StrCat("convolution ", shape.ToString(), ", ", choice.ToString(),
                                     ": ", primitive.status().message()));
  }
  state->primitive = *std::move(primitive);
  return std::unique_ptr<Convolution>(new Convolution(std::move(state)));
}

const ConvolutionShape& Convolution::shape() const { return state_->shape; }
Direction Convolution::direction() const { return state_->direction; }
const ConvolutionChoice& Convolution::choice() const { return state_->choice; }
int64_t Convolution::scratch_bytes() const {
  return state_->own ? state_->own->scratch_bytes() : state_->primitive->scratch_bytes();
}
std::string Convolution::implementation() const {
  return state_->own ? state_->own->implementation() : state_->primitive->implementation();
}

int64_t Convolution::packed_weight_bytes() const {
  if (state_->own) return state_->own->packed_weight_bytes();
  if (state_->matmul())
    return StorageBytes(state_->shape.weights(), state_->choice.in_layout, state_->weight_type());
  return state_->primitive->weight_bytes();
}

bool Convolution::weights_are_plain() const {
  if (state_->own) return state_->own->weights_are_plain();
  if (!state_->matmul()) return state_->primitive->weights_are_plain();
  return state_->weight_type() == ElementType::kF32 &&
         SameStorage(state_->shape.weights(), state_->choice.in_layout, Layout::kNchw);
}

void Convolution::PackWeights(const float* oihw, void* packed) const {
  if (state_->own) {
    state_->own->PackWeights(oihw, packed);
  } else if (state_->matmul()) {
    Reorder(state_->shape.weights(), oihw, Layout::kNchw, ElementType::kF32, packed,
            state_->choice.in_layout, state_->weight_type());
  } else {
    state_->primitive->PackWeights(oihw, packed);
  }
}

void Convolution::UnpackWeightGradient(const void* packed, float* oihw) const {
  if (state_->own) {
    state_->own->UnpackWeightGradient(packed, oihw);
  } else if (state_->matmul()) {
    Reorder(state_->shape.weights(), packed, state_->choice.in_layout, ElementType::kF32, oihw,
            Layout::kNchw, ElementType::kF32);
  } else {
    state_->primitive->UnpackWeights(packed, oihw);
  }
}

void Convolution::Run(const ConvolutionArguments& a) {
  State& state = *state_;
  if (state.own) {
    state.own->Run(a);
  } else if (!state.matmul() || state.direction == Direction::kForward) {
    state.primitive->Run(a.in, a.weights, a.bias, const_cast<void*>(a.addend), a.out, a.scratch);
  } else if (state.direction == Direction::kInputGradient) {
    state.primitive->Run(a.out, a.weights, nullptr, nullptr, a.in, a.scratch);
  } else {
    state.primitive->Run(a.out, a.in, nullptr, nullptr, a.weights, a.scratch);
  }
  if (state.pass.addend || state.pass.relu) {
    const int64_t count = StorageElements(state.shape.out(), state.choice.out_layout);
    const void* addend = state.pass.addend ? a.addend : nullptr;
    const float least = state.pass.relu ? 0 : -std::numeric_limits<float>::infinity();
    if (state.choice.out_type == ElementType::kBf16) {
      AddAndClip(count, static_cast<const Bf16*>(addend), least, static_cast<Bf16*>(a.out));
    } else {
      AddAndClip(count, static_cast<const float*>(addend), least, static_cast<float*>(a.out));
    }
  }
  if (state.sum_bias_gradient) {
    BiasGradient(state.shape.out(), state.choice.out_layout, state.choice.out_type, a.out,
                 static_cast<float*>(a.bias));
  }
}

void BiasGradient(const Shape& shape, Layout layout, ElementType type, const void* out_gradient,
                  float* bias_gradient) {
  if (type == ElementType::kBf16) {
    SumChannels(shape, layout, static_cast<const Bf16*>(out_gradient), bias_gradient);
  } else {
    SumChannels(shape, layout, static_cast<const float*>(out_gradient), bias_gradient);
  }
}

ConvolutionTime Measure(Convolution& convolution, const ConvolutionArguments& arguments,
                        float* plain_weights, const MeasureOptions& options) {
  auto pack = [&] {
    if (convolution.direction() == Direction::kWeightGradient) {
      convolution.UnpackWeightGradient(arguments.weights, plain_weights);
    } else {
      convolution.PackWeights(plain_weights, arguments.weights);
    }
  };
  auto fastest = [&](auto function, const std::function<void()>& before) {
    double best = SecondsOf(function), spent = best;  // the first run warms up
    if (best > 2 * options.clearly_slow) return best;
    for (int i = 0; i < options.repetitions && (i < 2 || spent < options.budget_seconds); ++i) {
      if (before) before();
      const double seconds = SecondsOf(function);
      best = i == 0 && before ? seconds : std::min(best, seconds);
      spent += seconds;
      if (seconds > options.clearly_slow) break;
    }
    return best;
  };
  const bool packs = options.packing && !convolution.weights_are_plain();
  const double pack_seconds = packs ? fastest(pack, nullptr) : 0;
  return {.run_seconds = fastest([&] { convolution.Run(arguments); }, options.before_run),
          .pack_seconds = pack_seconds};
}

}  // namespace cotangent::tensor
