// Convolutions by oneDNN in f32 and bf16: direct kernels, Winograd kernels (in versions that have
// them), and linear layers as one matrix product.
#include <algorithm>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "tensor/convolution_family.h"
#include "tensor/onednn.h"

namespace cotangent::tensor {
namespace {

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

// Describes a linear layer as a matrix product. k = `features` is the number of features of an
// image, including padding, in the order of the input's layout. Weights are [out, k]:
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

// Returns whether oneDNN's implementation of this name copies the image and multiplies matrices
// ("gemm:jit"), unlike direct kernels such as "jit:avx512_core_bf16" or "brgconv:avx2".
bool IsGemm(std::string_view implementation) {
  return implementation.find("gemm") != std::string_view::npos &&
         implementation.find("brg") == std::string_view::npos;
}

// Returns whether an implementation of the gradient by the weights adds up, one by one, what more
// pixels than this contribute. (With 2^21 equal numbers, the sums of "jit:avx2" and "jit_dw:avx2" are
// wrong by 2%.)
bool AddsOneByOne(const ConvolutionShape& shape, Direction direction,
                  std::string_view implementation) {
  constexpr int64_t kMostPixels = 1 << 20;
  const bool divides = IsGemm(implementation) || implementation.rfind("jit_1x1", 0) == 0;
  return direction == Direction::kWeightGradient && !divides &&
         shape.batch * shape.out_height() * shape.out_width() > kMostPixels;
}

KernelKind KindOf(const ConvolutionShape& shape, Direction direction, Algorithm algorithm,
                  std::string_view implementation) {
  const auto names = [&](std::string_view part) {
    return implementation.find(part) != std::string_view::npos;
  };
  if (implementation.rfind("ref", 0) == 0) return KernelKind::kReference;
  // For kMatmul, an implementation with "gemm" in its name copies nothing, since a linear layer is
  // a matrix product; so it does not count as kGemm.
  if (algorithm != Algorithm::kMatmul && IsGemm(implementation)) return KernelKind::kGemm;
  if (AddsOneByOne(shape, direction, implementation)) return KernelKind::kOneByOne;
  // In oneDNN 3, AVX-512 with AMX is called "avx10_1_512_amx".
  if (names("avx512") || names("avx10")) return KernelKind::kAvx512;
  if (names("avx2")) return KernelKind::kAvx2;
  return KernelKind::kPortable;
}

// Computes out = max(least, out + addend), or max(least, out) if addend is null. NaN stays NaN.
template <typename T>
void AddAndClip(int64_t count, const T* addend, float least, T* out) {
  const auto clip = [&](auto value_at) {
    ParallelRanges(count, LeastItems(1), [&](int64_t begin, int64_t end) {
#pragma omp simd
      for (int64_t i = begin; i < end; ++i) {
        const float y = value_at(i);
        out[i] = static_cast<T>(y < least ? least : y);
      }
    });
  };
  const auto result = [out](int64_t i) { return static_cast<float>(out[i]); };
  if (addend == nullptr) return clip(result);
  clip([result, addend](int64_t i) { return result(i) + static_cast<float>(addend[i]); });
}

class OneDnnConvolution final : public ConvolutionImplementation {
 public:
  static absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> Create(
      const ConvolutionShape& shape, Direction direction, const ConvolutionChoice& choice,
      const Epilogue& epilogue);

  std::string implementation() const override { return primitive_->implementation(); }
  int64_t packed_weight_bytes() const override {
    return is_matmul() ? StorageBytes(shape_.weights(), choice_.in_layout, weight_type())
                       : primitive_->weight_bytes();
  }
  int64_t scratch_bytes() const override { return primitive_->scratch_bytes(); }
  bool weights_are_plain() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void UnpackWeightGradient(const void* packed, float* oihw) const override;
  void Run(const ConvolutionArguments& arguments) const override;
  bool writes_bias_gradient() const override { return primitive_has_bias_; }

 private:
  OneDnnConvolution(const ConvolutionShape& shape, Direction direction,
                    const ConvolutionChoice& choice)
      : shape_(shape), direction_(direction), choice_(choice) {}

  absl::Status MakePrimitive(const Epilogue& epilogue);
  void RunPrimitive(const ConvolutionArguments& arguments) const;

  bool is_matmul() const { return choice_.algorithm == Algorithm::kMatmul; }
  ElementType weight_type() const {
    if (direction_ == Direction::kWeightGradient) return ElementType::kF32;
    return direction_ == Direction::kForward ? choice_.in_type : choice_.out_type;
  }

  const ConvolutionShape shape_;
  const Direction direction_;
  const ConvolutionChoice choice_;
  std::unique_ptr<onednn::Primitive> primitive_;
  bool primitive_has_bias_ = false;
  // The operations of the epilogue that the primitive cannot do: adding the addend, and relu. Run()
  // does them afterwards, in a separate loop over the results.
  bool add_after_ = false, clip_after_ = false;
};

// Tries to make a primitive with the whole epilogue, then one with the bias only. If both fail, and
// there is no bias or the direction is kWeightGradient, makes a primitive without an epilogue.
absl::Status OneDnnConvolution::MakePrimitive(const Epilogue& epilogue) {
  const bool weight_gradient = direction_ == Direction::kWeightGradient;
  absl::StatusOr<std::unique_ptr<onednn::Primitive>> primitive = absl::NotFoundError("");
  primitive_has_bias_ = epilogue.bias && !(weight_gradient && is_matmul());
  onednn::Description description = DescriptionOf(shape_, direction_, choice_, primitive_has_bias_);
  const std::string& name = choice_.implementation;
  if (epilogue.addend || epilogue.relu) {
    description.with_addend = epilogue.addend, description.with_relu = epilogue.relu;
    // Without AVX-512, oneDNN 2.6's "gemm" kernels compute wrong results with an addend or a relu
    // for some shapes.
    if (HasAvx512() || !IsGemm(name)) primitive = onednn::Primitive::Create(description, name);
    if (!primitive.ok()) add_after_ = epilogue.addend, clip_after_ = epilogue.relu;
    description.with_addend = description.with_relu = false;
  }
  if (!primitive.ok() && primitive_has_bias_)
    primitive = onednn::Primitive::Create(description, name);
  if (!primitive.ok() && (!epilogue.bias || weight_gradient)) {
    primitive_has_bias_ = false;
    primitive = onednn::Primitive::Create(DescriptionOf(shape_, direction_, choice_, false), name);
  }
  ASSIGN_OR_RETURN(primitive_, std::move(primitive));
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> OneDnnConvolution::Create(
    const ConvolutionShape& shape, Direction direction, const ConvolutionChoice& choice,
    const Epilogue& epilogue) {
  auto made = std::unique_ptr<OneDnnConvolution>(new OneDnnConvolution(shape, direction, choice));
  if (const absl::Status status = made->MakePrimitive(epilogue); !status.ok()) {
    return absl::Status(status.code(), absl::StrCat("convolution ", shape.ToString(), ", ",
                                                    choice.ToString(), ": ", status.message()));
  }
  return made;
}

bool OneDnnConvolution::weights_are_plain() const {
  if (!is_matmul()) return primitive_->weights_are_plain();
  return weight_type() == ElementType::kF32 &&
         SameStorage(shape_.weights(), choice_.in_layout, Layout::kNchw);
}

void OneDnnConvolution::PackWeights(const float* oihw, void* packed) const {
  if (is_matmul()) {
    Reorder(shape_.weights(), oihw, Layout::kNchw, ElementType::kF32, packed, choice_.in_layout,
            weight_type());
  } else {
    primitive_->PackWeights(oihw, packed);
  }
}

void OneDnnConvolution::UnpackWeightGradient(const void* packed, float* oihw) const {
  if (is_matmul()) {
    Reorder(shape_.weights(), packed, choice_.in_layout, ElementType::kF32, oihw, Layout::kNchw,
            ElementType::kF32);
  } else {
    primitive_->UnpackWeights(packed, oihw);
  }
}

void OneDnnConvolution::RunPrimitive(const ConvolutionArguments& a) const {
  if (!is_matmul() || direction_ == Direction::kForward) {
    primitive_->Run(a.in, a.weights, a.bias, const_cast<void*>(a.addend), a.out, a.scratch);
  } else if (direction_ == Direction::kInputGradient) {
    primitive_->Run(a.out, a.weights, nullptr, nullptr, a.in, a.scratch);
  } else {
    primitive_->Run(a.out, a.in, nullptr, nullptr, a.weights, a.scratch);
  }
}

void OneDnnConvolution::Run(const ConvolutionArguments& a) const {
  RunPrimitive(a);
  if (!add_after_ && !clip_after_) return;
  const int64_t count = StorageElements(shape_.out(), choice_.out_layout);
  const void* addend = add_after_ ? a.addend : nullptr;
  const float least = clip_after_ ? 0 : -std::numeric_limits<float>::infinity();
  if (choice_.out_type == ElementType::kBf16) {
    AddAndClip(count, static_cast<const Bf16*>(addend), least, static_cast<Bf16*>(a.out));
  } else {
    AddAndClip(count, static_cast<const float*>(addend), least, static_cast<float*>(a.out));
  }
}

// ---- The families (convolution_family.h) -------------------------------------------------------

using LayoutPair = std::pair<Layout, Layout>;  // of the input side and the output side

std::vector<ConvolutionCandidate> CandidatesIn(const std::vector<LayoutPair>& layouts,
                                               const ConvolutionShape& shape, Direction direction,
                                               Algorithm algorithm, const SideTypes& types) {
  std::vector<ConvolutionCandidate> all;
  for (const auto& [in_layout, out_layout] : layouts) {
    ConvolutionChoice choice{algorithm, in_layout, out_layout, types.in, types.out, ""};
    for (std::string& name :
         onednn::Implementations(DescriptionOf(shape, direction, choice, false))) {
      choice.implementation = std::move(name);
      all.push_back({choice, KindOf(shape, direction, algorithm, choice.implementation)});
    }
  }
  return all;
}

// Returns the pairs without those that are the same storage as an earlier one, such as NCHW beside
// NHWC for images of one pixel. oneDNN takes them for the same and, from its cache, gives one the
// implementations of the other: which ones it lists then depends on what was made before.
std::vector<LayoutPair> Distinct(const ConvolutionShape& shape,
                                 std::initializer_list<LayoutPair> pairs) {
  std::vector<LayoutPair> distinct;
  for (const LayoutPair& pair : pairs) {
    const bool is_known =
        std::any_of(distinct.begin(), distinct.end(), [&](const LayoutPair& other) {
          return SameStorage(shape.in(), other.first, pair.first) &&
                 SameStorage(shape.out(), other.second, pair.second);
        });
    if (!is_known) distinct.push_back(pair);
  }
  return distinct;
}

std::vector<ConvolutionCandidate> DirectCandidates(const ConvolutionShape& shape,
                                                   Direction direction, const SideTypes& types) {
  using enum Layout;
  // A linear layer is several times slower as a convolution than as a matrix product.
  if (shape.IsLinear()) return {};
  const std::vector<LayoutPair> layouts = Distinct(shape, {{kNhwc, kNhwc},
                                                           {kBlocked16, kBlocked16},
                                                           {kBlocked8, kBlocked8},
                                                           {kNchw, kBlocked16},
                                                           {kNchw, kBlocked8},
                                                           {kNchw, kNhwc},
                                                           {kNchw, kNchw}});
  return CandidatesIn(layouts, shape, direction, Algorithm::kDirect, types);
}

std::vector<ConvolutionCandidate> WinogradCandidates(const ConvolutionShape& shape,
                                                     Direction direction, const SideTypes& types) {
  if (shape.IsLinear()) return {};
  return CandidatesIn({{Layout::kBlocked16, Layout::kBlocked16}}, shape, direction,
                      Algorithm::kWinograd, types);
}

std::vector<ConvolutionCandidate> MatmulCandidates(const ConvolutionShape& shape,
                                                   Direction direction, const SideTypes& types) {
  std::vector<LayoutPair> layouts;
  for (const Layout layout : LinearLayouts(shape)) layouts.emplace_back(layout, Layout::kNhwc);
  return CandidatesIn(layouts, shape, direction, Algorithm::kMatmul, types);
}

bool IsFloatingPoint(const SideTypes& types) {
  const auto is = [](ElementType type) {
    return type == ElementType::kF32 || type == ElementType::kBf16;
  };
  return is(types.in) && is(types.out);
}

constexpr auto kComputesAll = [](const ConvolutionShape&, Direction, const SideTypes& types) {
  return IsFloatingPoint(types);
};
// A choice with the right algorithm always belongs to the family. Choices are named after oneDNN's
// own implementations, and Create() fails for a name that oneDNN does not offer for the shape.
constexpr auto kHasAll = [](const ConvolutionChoice&) { return true; };

}  // namespace

extern constexpr ConvolutionFamily kOneDnnDirectFamily = {
    .name = "oneDNN",
    .algorithm = Algorithm::kDirect,
    .available = kComputesAll,
    .candidates = DirectCandidates,
    .has = kHasAll,
    .create = OneDnnConvolution::Create,
};

extern constexpr ConvolutionFamily kOneDnnWinogradFamily = {
    .name = "oneDNN's Winograd",
    .algorithm = Algorithm::kWinograd,
    .available = kComputesAll,
    .candidates = WinogradCandidates,
    .has = kHasAll,
    .create = OneDnnConvolution::Create,
};

extern constexpr ConvolutionFamily kOneDnnMatmulFamily = {
    .name = "oneDNN's product",
    .algorithm = Algorithm::kMatmul,
    .available = [](const ConvolutionShape& shape, Direction,
                    const SideTypes& types) { return IsFloatingPoint(types) && shape.IsLinear(); },
    .candidates = MatmulCandidates,
    .has = kHasAll,
    .create = OneDnnConvolution::Create,
};

}  // namespace cotangent::tensor
