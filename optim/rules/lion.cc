// The update rule Lion. Apart from weight decay, each update subtracts from a parameter w the
// learning rate times the sign (-1, 0 or 1) of a mean of its momentum m and its gradient g.
// optimizer.proto documents its settings.

#include "optim/rules/rule.h"

namespace cotangent::optim {
namespace {

struct Coefficients {
  Clipping clipping;
  float learning_rate;
  float shrink;           // w is multiplied by this before its update
  float direction_share;  // the direction is the sign of m + direction_share (g - m)
  float momentum_share;   // m += momentum_share (g - m)
};

struct LionLoop {
  static COTANGENT_INLINE void Run(const UpdateRange& r, const Coefficients& coefficients) {
    const Coefficients c = coefficients;
    float* const w = r.parameters;
    const float* const g = r.gradients;
    float* const m = r.state[0];
#pragma omp simd
    for (int64_t i = 0; i < r.size; ++i) {
      const float difference = Gradient(g[i], 0, c.clipping, 0) - m[i];
      const float direction = m[i] + c.direction_share * difference;
      const float above = direction > 0 ? c.learning_rate : 0;
      const float below = direction < 0 ? c.learning_rate : 0;
      w[i] = c.shrink * w[i] - (above - below);
      m[i] += c.momentum_share * difference;
    }
  }
};

class LionRule final : public LoopRule<Coefficients> {
 public:
  using Settings = Lion;

  LionRule(const Lion& lion, const RuleContext& context, SettingsChecker& check) : lion_(lion) {
    check.Fraction(lion.beta1(), "beta1");
    check.Fraction(lion.beta2(), "beta2");
    state_names = {"momentum"};
    loop_ = LoopFor<LionLoop>(context.instructions);
  }

  void BeginStep(const StepInput& input) override {
    coefficients_ = {
        .clipping = input.clipping,
        .learning_rate = static_cast<float>(input.learning_rate),
        .shrink = static_cast<float>(1 - input.learning_rate * weight_decay),
        .direction_share = static_cast<float>(1 - lion_.beta1()),
        .momentum_share = static_cast<float>(1 - lion_.beta2()),
    };
  }

 private:
  const Lion lion_;
};

COTANGENT_UPDATE_RULE(LionRule);

}  // namespace
}  // namespace cotangent::optim
