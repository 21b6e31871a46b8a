// The update rule Adagrad. optimizer.proto documents its settings. w is a parameter; s is
// initial_accumulator plus the sum of the squares of w's gradients.

#include <cmath>

#include "optim/rules/rule.h"

namespace cotangent::optim {
namespace {

struct Coefficients {
  Clipping clipping;
  float learning_rate;
  float decay;  // weight decay: decay * w is added to the gradient
  float epsilon;
};

struct AdagradLoop {
  static COTANGENT_INLINE void Run(const UpdateRange& r, const Coefficients& coefficients) {
    const Coefficients c = coefficients;
    float* const w = r.parameters;
    const float* const g = r.gradients;
    float* const s = r.state[0];
#pragma omp simd
    for (int64_t i = 0; i < r.size; ++i) {
      const float gradient = Gradient(g[i], w[i], c.clipping, c.decay);
      s[i] += gradient * gradient;
      w[i] -= c.learning_rate * (gradient / (std::sqrt(s[i]) + c.epsilon));
    }
  }
};

class AdagradRule final : public LoopRule<Coefficients> {
 public:
  using Settings = Adagrad;

  AdagradRule(const Adagrad& adagrad, const RuleContext& context, SettingsChecker& check)
      : adagrad_(adagrad) {
    check.NotNegative(adagrad.learning_rate_decay(), "learning_rate_decay");
    check.NotNegative(adagrad.initial_accumulator(), "initial_accumulator");
    check.NotNegative(adagrad.epsilon(), "epsilon");
    state_names = {"sum_of_squares"};
    initial_state = adagrad.initial_accumulator();
    loop_ = LoopFor<AdagradLoop>(context.instructions);
  }

  void BeginStep(const StepInput& input) override {
    const double slowing = 1 + static_cast<double>(input.step) * adagrad_.learning_rate_decay();
    coefficients_ = {
        .clipping = input.clipping,
        .learning_rate = static_cast<float>(input.learning_rate / slowing),
        .decay = static_cast<float>(weight_decay),
        .epsilon = static_cast<float>(adagrad_.epsilon()),
    };
  }

 private:
  const Adagrad adagrad_;
};

COTANGENT_UPDATE_RULE(AdagradRule);

}  // namespace
}  // namespace cotangent::optim
