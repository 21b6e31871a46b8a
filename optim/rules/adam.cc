// The update rules Adam and AdamW. optimizer.proto documents their settings. w is a parameter, g
// its gradient; m and s are the running means of g and of g^2.

#include <cmath>
#include <type_traits>

#include "optim/rules/rule.h"

namespace cotangent::optim {
namespace {

struct Coefficients {
  Clipping clipping;
  float learning_rate;  // includes the correction for m's start at 0
  float decay;          // weight decay: decay * w is added to the gradient
  float shrink;         // w is multiplied by this before its update
  float first_share;    // m += first_share (g - m)
  float second_keep;    // s = second_keep s + second_share g^2
  float second_share;
  // Includes the correction for s's start at 0. The denominator is sqrt(s) root_scale + epsilon.
  float root_scale;
  float epsilon;
};

// If kLargest, the loop divides by the square root of the largest s so far (AMSGrad) instead of
// that of the current s.
template <bool kLargest>
struct AdamLoop {
  static COTANGENT_INLINE void Run(const UpdateRange& r, const Coefficients& coefficients) {
    const Coefficients c = coefficients;
    float* const w = r.parameters;
    const float* const g = r.gradients;
    float* const m = r.state[0];
    float* const s = r.state[1];
    float* const largest = r.state[2];
#pragma omp simd
    for (int64_t i = 0; i < r.size; ++i) {
      const float gradient = Gradient(g[i], w[i], c.clipping, c.decay);
      m[i] += c.first_share * (gradient - m[i]);
      s[i] = c.second_keep * s[i] + c.second_share * gradient * gradient;
      float second = s[i];
      if constexpr (kLargest) {
        largest[i] = largest[i] > second ? largest[i] : second;
        second = largest[i];
      }
      const float root = std::sqrt(second) * c.root_scale;
      w[i] = c.shrink * w[i] - c.learning_rate * (m[i] / (root + c.epsilon));
    }
  }
};

template <typename AdamMessage>
class AnyAdamRule final : public LoopRule<Coefficients> {
 public:
  using Settings = AdamMessage;

  AnyAdamRule(const AdamMessage& adam, const RuleContext& context, SettingsChecker& check)
      : adam_(adam) {
    check.Fraction(adam.beta1(), "beta1");
    check.Fraction(adam.beta2(), "beta2");
    check.NotNegative(adam.epsilon(), "epsilon");
    state_names = {"first_moment", "second_moment"};
    if (adam.amsgrad()) state_names.push_back("largest_second_moment");
    loop_ = adam.amsgrad() ? LoopFor<AdamLoop<true>>(context.instructions)
                           : LoopFor<AdamLoop<false>>(context.instructions);
  }

  void BeginStep(const StepInput& input) override {
    constexpr bool kDecoupled = std::is_same_v<AdamMessage, AdamW>;
    const double rate = input.learning_rate, count = static_cast<double>(input.step) + 1;
    coefficients_ = {
        .clipping = input.clipping,
        .learning_rate = static_cast<float>(rate / (1 - std::pow(adam_.beta1(), count))),
        .decay = static_cast<float>(kDecoupled ? 0 : weight_decay),
        .shrink = static_cast<float>(kDecoupled ? 1 - rate * weight_decay : 1),
        .first_share = static_cast<float>(1 - adam_.beta1()),
        .second_keep = static_cast<float>(adam_.beta2()),
        .second_share = static_cast<float>(1 - adam_.beta2()),
        .root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(adam_.beta2(), count))),
        .epsilon = static_cast<float>(adam_.epsilon()),
    };
  }

 private:
  const AdamMessage adam_;
};

using AdamRule = AnyAdamRule<Adam>;
using AdamWRule = AnyAdamRule<AdamW>;
COTANGENT_UPDATE_RULE(AdamRule);
COTANGENT_UPDATE_RULE(AdamWRule);

}  // namespace
}  // namespace cotangent::optim
