#include "tensor/convolution.h"

#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/fnv.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "tensor/convolution_family.h"
#include "tensor/onednn.h"

namespace cotangent::tensor {
namespace {

std::vector<SideTypes> TypesToMeasure(Direction direction, ElementType precision) {
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

std::vector<ConvolutionCandidate> AllCandidates(const ConvolutionShape& shape, Direction direction,
                                                const SideTypes& types, bool exact) {
  std::vector<ConvolutionCandidate> all;
  for (const ConvolutionFamily* family : ConvolutionFamilies()) {
    if (family->int8 || (exact && family->algorithm == Algorithm::kWinograd) ||
        !family->available(shape, direction, types)) {
      continue;
    }
    for (ConvolutionCandidate& candidate : family->candidates(shape, direction, types))
      all.push_back(std::move(candidate));
  }
  return all;
}

// Sums the output gradient `data`, in any layout, over images and pixels for each channel: up to
// kPixels pixels in f32, and these sums in double, so that large batches and images lose no precision.
template <typename T>
void SumChannels(const Shape& shape, Layout layout, const T* data, float* sums) {
  const Strides strides = StridesOf(shape, layout);
  const int64_t channels = shape.channels(), pixels = shape.height() * shape.width();
  constexpr int64_t kPixels = 4096;
  const int64_t span = std::min<int64_t>(strides.block, 16);
  ParallelFor((channels + span - 1) / span, [&](int64_t share) {
    const int64_t begin = share * span;
    const int64_t count = std::min(span, channels - begin);
    double total[16] = {};
    for (int64_t n = 0; n < shape.batch(); ++n) {
      const T* at = data + strides.Offset(n, begin, 0, 0);
      for (int64_t first = 0; first < pixels; first += kPixels) {
        float part[16] = {};
        for (int64_t p = first; p < std::min(first + kPixels, pixels); ++p, at += strides.w)
          for (int64_t i = 0; i < count; ++i) part[i] += static_cast<float>(at[i]);
        for (int64_t i = 0; i < count; ++i) total[i] += part[i];
      }
    }
    for (int64_t i = 0; i < count; ++i) sums[begin + i] = static_cast<float>(total[i]);
  });
}

// Returns how often the system has suspended a thread of this process to run another one.
int64_t Suspensions() {
  rusage usage = {};
  return getrusage(RUSAGE_SELF, &usage) == 0 ? usage.ru_nivcsw : 0;
}

// Returns the seconds that a call of the function takes. If they are more than `slow` seconds and
// the system has suspended a thread meanwhile, that may be the reason, so the function is called
// again: until the shortest time is at most `slow` or a call was not disturbed, but at most
// kMostTries times. A time of more than kLong is not explained by a suspension and not taken again.
// Calls `before`, unless it is null, before each call but the first.
template <typename Function>
double SecondsOf(Function function, double slow, const std::function<void()>& before) {
  constexpr int kMostTries = 4;
  constexpr double kLong = 0.02;  // seconds; a thread is suspended for some milliseconds
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kMostTries; ++i) {
    if (i > 0 && before) before();
    const int64_t suspensions = Suspensions();
    const auto begin = std::chrono::steady_clock::now();
    function();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
    least = std::min(least, seconds.count());
    if (least <= slow || least > kLong || Suspensions() == suspensions) break;
  }
  return least;
}

}  // namespace

bool CanPool(const ConvolutionShape& shape, const ConvolutionChoice& choice) {
  const ConvolutionFamily* const family =
      FamilyOf(shape, Direction::kForward, choice, /*int8=*/false);
  return family != nullptr && family->can_pool != nullptr && family->can_pool(shape);
}

bool Bf16Available() { return onednn::Bf16Available(); }

uint64_t FamiliesFingerprint() {
  std::string names;
  for (const ConvolutionFamily* family : ConvolutionFamilies())
    absl::StrAppend(&names, std::string(family->name), "\n");
  return Fnv1a(names);
}

std::vector<ConvolutionChoice> Candidates(const ConvolutionShape& shape, Direction direction,
                                          ElementType precision, bool exact) {
  if (!shape.Validate().ok()) return {};
  std::vector<ConvolutionChoice> kept;
  std::vector<ConvolutionChoice> references;
  for (const SideTypes& types : TypesToMeasure(direction, precision)) {
    std::vector<ConvolutionCandidate> all = AllCandidates(shape, direction, types, exact);
    KernelKind best = KernelKind::kReference;
    for (const ConvolutionCandidate& candidate : all) best = std::max(best, candidate.kind);
    for (ConvolutionCandidate& candidate : all) {
      if (candidate.kind == KernelKind::kReference) {
        references.push_back(std::move(candidate.choice));
      } else if (candidate.kind == best) {
        kept.push_back(std::move(candidate.choice));
      }
    }
  }
  if (kept.empty() && !references.empty()) kept.push_back(references.front());
  return kept;
}

struct Convolution::State {
  ConvolutionShape shape;
  Direction direction;
  ConvolutionChoice choice;
  std::unique_ptr<ConvolutionImplementation> implementation;
  bool sum_bias_gradient;  // whether Run() sums the bias gradient in a separate loop
};

Convolution::Convolution(std::unique_ptr<State> state) : state_(std::move(state)) {}
Convolution::~Convolution() = default;

absl::StatusOr<std::unique_ptr<Convolution>> Convolution::Create(const ConvolutionShape& shape,
                                                                 Direction direction,
                                                                 const ConvolutionChoice& choice,
                                                                 const Epilogue& epilogue) {
  RETURN_IF_ERROR(shape.Validate());
  const auto error = [&](const auto&... what) {
    return absl::InvalidArgumentError(
        absl::StrCat("convolution ", shape.ToString(), ", ", choice.ToString(), ": ", what...));
  };
  if (choice.algorithm == Algorithm::kMatmul && !shape.IsLinear()) {
    return absl::InvalidArgumentError(
        absl::StrCat(shape.ToString(), " is no linear layer: it cannot run as a matmul"));
  }
  const bool bias_gradient = epilogue.bias && direction == Direction::kWeightGradient;
  if (epilogue.pooled && (!CanPool(shape, choice) || epilogue.addend || bias_gradient)) {
    return error(
        "cannot pool its output side; Winograd convolutions of our own with a padding of 1 can");
  }
  const ConvolutionFamily* const family =
      FamilyOf(shape, direction, choice, epilogue.int8 != nullptr);
  if (family == nullptr) return error("nothing on this machine computes this");
  ASSIGN_OR_RETURN(std::unique_ptr<ConvolutionImplementation> implementation,
                   family->create(shape, direction, choice, epilogue));
  const bool sum_bias_gradient = bias_gradient && !implementation->writes_bias_gradient();
  return std::unique_ptr<Convolution>(new Convolution(std::make_unique<State>(
      State{shape, direction, choice, std::move(implementation), sum_bias_gradient})));
}

const ConvolutionShape& Convolution::shape() const { return state_->shape; }
Direction Convolution::direction() const { return state_->direction; }
const ConvolutionChoice& Convolution::choice() const { return state_->choice; }
int64_t Convolution::scratch_bytes() const { return state_->implementation->scratch_bytes(); }
std::string Convolution::implementation() const { return state_->implementation->implementation(); }
int64_t Convolution::packed_weight_bytes() const {
  return state_->implementation->packed_weight_bytes();
}
bool Convolution::weights_are_plain() const { return state_->implementation->weights_are_plain(); }

void Convolution::PackWeights(const float* oihw, void* packed) const {
  state_->implementation->PackWeights(oihw, packed);
}

void Convolution::UnpackWeightGradient(const void* packed, float* oihw) const {
  state_->implementation->UnpackWeightGradient(packed, oihw);
}

void Convolution::Run(const ConvolutionArguments& arguments) {
  state_->implementation->Run(arguments);
  if (state_->sum_bias_gradient) {
    BiasGradient(state_->shape.out(), state_->choice.out_layout, state_->choice.out_type,
                 arguments.out, static_cast<float*>(arguments.bias));
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
    const double slow = options.clearly_slow;
    double best = SecondsOf(function, 2 * slow, nullptr), spent = best;  // the first run warms up
    if (best > 2 * slow) return best;
    for (int i = 0; i < options.repetitions && (i < 1 || spent < options.budget_seconds); ++i) {
      if (before) before();
      const double seconds = SecondsOf(function, slow, before);
      best = i == 0 && before ? seconds : std::min(best, seconds);
      spent += seconds;
      if (seconds > slow) break;
    }
    return best;
  };
  const bool packs = options.packing && !convolution.weights_are_plain();
  const double pack_seconds = packs ? fastest(pack, nullptr) : 0;
  return {.run_seconds = fastest([&] { convolution.Run(arguments); }, options.before_run),
          .pack_seconds = pack_seconds};
}

}  // namespace cotangent::tensor
