// Forward convolutions of 8-bit integers (Int8Convolution in convolution.h) by oneDNN's kernels, in
// NHWC. A linear layer runs as a pointwise convolution of one image, in which each pixel holds the
// features of one image of the batch.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "base/element_type.h"
#include "base/memory.h"
#include "base/round_up.h"
#include "base/status_macros.h"
#include "tensor/convolution_family.h"
#include "tensor/int8_convolution.h"
#include "tensor/onednn.h"

namespace cotangent::tensor {
namespace {

int64_t Aligned(int64_t bytes) { return RoundUp(bytes, kAlignment); }

onednn::Description DescriptionOf(const ConvolutionShape& s, const ConvolutionChoice& choice) {
  onednn::Description d;
  d.operation = onednn::Operation::kConvolutionForward;
  d.in = {{}, choice.in_type, Layout::kNhwc};
  d.weights = {{}, ElementType::kS8};
  d.out = {{}, choice.out_type, Layout::kNhwc};
  d.scales.assign(s.out_channels, 1.0f);
  if (s.IsLinear()) {
    const int64_t features = s.in_channels * s.in_height * s.in_width;
    d.in.dims = {1, features, s.batch, 1};
    d.weights.dims = {s.out_channels, features, 1, 1};
    d.out.dims = {1, s.out_channels, s.batch, 1};
    return d;
  }
  d.in.dims = {s.batch, s.in_channels, s.in_height, s.in_width};
  d.weights.dims = {s.out_channels, s.in_channels, s.kernel_height, s.kernel_width};
  if (s.groups > 1) {
    d.weights.dims = {s.groups, s.out_channels / s.groups, s.in_channels / s.groups,
                      s.kernel_height, s.kernel_width};
  }
  d.out.dims = {s.batch, s.out_channels, s.out_height(), s.out_width()};
  d.strides = {s.stride_height, s.stride_width};
  d.dilations = {s.dilation_height, s.dilation_width};
  d.pad_begin = {s.pad_top, s.pad_left};
  d.pad_end = {s.pad_bottom, s.pad_right};
  return d;
}

class OneDnnInt8Convolution final : public ConvolutionImplementation {
 public:
  // Errors: types, layouts or a number of scales that do not fit epilogue.int8 (CheckInt8Choice()),
  // an implementation that oneDNN does not offer, or an epilogue that the implementation does not
  // support.
  static absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> Create(
      const ConvolutionShape& shape, Direction direction, const ConvolutionChoice& choice,
      const Epilogue& epilogue);

  std::string implementation() const override { return primitive_->implementation(); }
  int64_t packed_weight_bytes() const override { return primitive_->weight_bytes(); }
  int64_t scratch_bytes() const override;
  void PackWeights(const float* oihw, void* packed) const override;
  void Run(const ConvolutionArguments& arguments) const override;

 private:
  OneDnnInt8Convolution(const ConvolutionShape& shape, const Epilogue& epilogue);

  const ConvolutionShape shape_;
  const std::vector<float> weight_scales_;
  std::vector<float> bias_factors_;  // convert the bias to oneDNN's units; empty: no bias
  std::unique_ptr<onednn::Primitive> primitive_;
};

OneDnnInt8Convolution::OneDnnInt8Convolution(const ConvolutionShape& shape,
                                             const Epilogue& epilogue)
    : shape_(shape), weight_scales_(epilogue.int8->weight_scales) {
  if (!epilogue.bias) return;
  for (const float scale : weight_scales_) {
    bias_factors_.push_back(onednn::BiasIsScaled() ? 1 / epilogue.int8->out_scale
                                                   : 1 / (epilogue.int8->in_scale * scale));
  }
}

absl::StatusOr<std::unique_ptr<ConvolutionImplementation>> OneDnnInt8Convolution::Create(
    const ConvolutionShape& shape, Direction, const ConvolutionChoice& choice,
    const Epilogue& epilogue) {
  const Int8Convolution& int8 = *epilogue.int8;
  const bool is_real = int8.out_type == ElementType::kF32;
  RETURN_IF_ERROR(CheckInt8Choice(shape, choice, epilogue));
  onednn::Description d = DescriptionOf(shape, choice);
  const float out_scale = is_real ? 1 : int8.out_scale;
  for (size_t o = 0; o < d.scales.size(); ++o)
    d.scales[o] = int8.in_scale * int8.weight_scales[o] / out_scale;
  d.with_bias = epilogue.bias;
  d.with_addend = epilogue.addend;
  d.addend_type = is_real ? choice.out_type : int8.addend_type;
  d.addend_scale = is_real ? 1 : int8.addend_scale / out_scale;
  // With u8 results no relu is needed: clamping to u8 already replaces negative results by 0.
  d.with_relu = epilogue.relu && choice.out_type != ElementType::kU8;
  auto made = std::unique_ptr<OneDnnInt8Convolution>(new OneDnnInt8Convolution(shape, epilogue));
  ASSIGN_OR_RETURN(made->primitive_, onednn::Primitive::Create(d, choice.implementation));
  return made;
}

int64_t OneDnnInt8Convolution::scratch_bytes() const {
  return Aligned(primitive_->scratch_bytes()) +
         Aligned(static_cast<int64_t>(bias_factors_.size() * sizeof(float)));
}

void OneDnnInt8Convolution::PackWeights(const float* oihw, void* packed) const {
  const int64_t count = shape_.weights().NumElements(), taps = count / shape_.out_channels;
  const int64_t pixels = shape_.kernel_height * shape_.kernel_width, channels = taps / pixels;
  std::vector<int8_t> integers(count);
  for (int64_t i = 0; i < count; ++i) {
    const int64_t tap = i % taps;
    // The features of a linear layer lie in the order of its NHWC input image.
    const int64_t place = shape_.IsLinear() ? i - tap + tap % pixels * channels + tap / pixels : i;
    integers[place] = RoundedWeight(oihw[i], weight_scales_[i / taps]);
  }
  primitive_->PackWeights(integers.data(), packed);
}

void OneDnnInt8Convolution::Run(const ConvolutionArguments& a) const {
  float* const bias = reinterpret_cast<float*>(static_cast<char*>(a.scratch) +
                                               Aligned(primitive_->scratch_bytes()));
  for (size_t o = 0; o < bias_factors_.size(); ++o)
    bias[o] = static_cast<const float*>(a.bias)[o] * bias_factors_[o];
  primitive_->Run(a.in, a.weights, bias, const_cast<void*>(a.addend), a.out, a.scratch);
}

}  // namespace

extern constexpr ConvolutionFamily kOneDnnInt8Family = {
    .name = "oneDNN's 8-bit integers",
    .algorithm = Algorithm::kDirect,
    .available =
        [](const ConvolutionShape&, Direction direction, const SideTypes&) {
          return direction == Direction::kForward && onednn::Int8Available();
        },
    .candidates =
        [](const ConvolutionShape& shape, Direction, const SideTypes& types) {
          std::vector<ConvolutionCandidate> all;
          ConvolutionChoice choice{Algorithm::kDirect, Layout::kNhwc, Layout::kNhwc,
                                   types.in,           types.out,     ""};
          for (std::string& name : onednn::Implementations(DescriptionOf(shape, choice))) {
            if (!onednn::HasInt8Instructions(name)) continue;
            choice.implementation = std::move(name);
            all.push_back({choice, KernelKind::kAvx2});
          }
          return all;
        },
    .has = [](const ConvolutionChoice&) { return true; },
    .int8 = true,
    .create = OneDnnInt8Convolution::Create,
};

}  // namespace cotangent::tensor
