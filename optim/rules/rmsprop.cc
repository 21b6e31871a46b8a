// The update rule RMSProp, plain or centered, with or without momentum v. RmsProp in
// optimizer.proto documents its settings. w is a parameter, g its gradient, s the running mean of
// g^2.

#include <cmath>

#include "optim/rules/rule.h"

namespace cotangent::optim {
namespace {

struct Coefficients {
  Clipping clipping;
  float learning_rate;
  float decay;        // weight decay: decay * w is added to the gradient
  float keep, share;  // s = keep s + share g^2
  float epsilon;
  float momentum;  // v = momentum v + direction
};

template <bool kCentered, bool kMomentum>
struct RmsPropLoop {
  static COTANGENT_INLINE void Run(const UpdateRange& r, const Coefficients& coefficients) {
    const Coefficients c = coefficients;
    float* const w = r.parameters;
    const float* const g = r.gradients;
    float* const s = r.state[0];
    float* const mean = r.state[1];
    float* const v = r.state[kCentered ? 2 : 1];
#pragma omp simd
    for (int64_t i = 0; i < r.size; ++i) {
      const float gradient = Gradient(g[i], w[i], c.clipping, c.decay);
      s[i] = c.keep * s[i] + c.share * gradient * gradient;
      float variance = s[i];
      if constexpr (kCentered) {
        mean[i] += c.share * (gradient - mean[i]);
        // Rounding can make this difference of two nearly equal numbers negative; a variance cannot
        // be.
        variance -= mean[i] * mean[i];
        variance = variance > 0 ? variance : 0;
      }
      float direction = gradient / (std::sqrt(variance) + c.epsilon);
      if constexpr (kMomentum) {
        v[i] = c.momentum * v[i] + direction;
        direction = v[i];
      }
      w[i] -= c.learning_rate * direction;
    }
  }
};

class RmsPropRule final : public LoopRule<Coefficients> {
 public:
  using Settings = RmsProp;

  RmsPropRule(const RmsProp& rmsprop, const RuleContext& context, SettingsChecker& check)
      : rmsprop_(rmsprop) {
    check.Fraction(rmsprop.momentum(), "momentum");
    check.Fraction(rmsprop.smoothing(), "smoothing");
    check.NotNegative(rmsprop.epsilon(), "epsilon");
    const bool centered = rmsprop.centered(), momentum = rmsprop.momentum() > 0;
    state_names = {"mean_square"};
    if (centered) state_names.push_back("mean_gradient");
    if (momentum) state_names.push_back("momentum");
    const InstructionSet set = context.instructions;
    if (centered) {
      loop_ =
          momentum ? LoopFor<RmsPropLoop<true, true>>(set) : LoopFor<RmsPropLoop<true, false>>(set);
    } else {
      loop_ = momentum ? LoopFor<RmsPropLoop<false, true>>(set)
                       : LoopFor<RmsPropLoop<false, false>>(set);
    }
  }

  void BeginStep(const StepInput& input) override {
    coefficients_ = {
        .clipping = input.clipping,
        .learning_rate = static_cast<float>(input.learning_rate),
        .decay = static_cast<float>(weight_decay),
        .keep = static_cast<float>(rmsprop_.smoothing()),
        .share = static_cast<float>(1 - rmsprop_.smoothing()),
        .epsilon = static_cast<float>(rmsprop_.epsilon()),
        .momentum = static_cast<float>(rmsprop_.momentum()),
    };
  }

 private:
  const RmsProp rmsprop_;
};

COTANGENT_UPDATE_RULE(RmsPropRule);

}  // namespace
}  // namespace cotangent::optim
