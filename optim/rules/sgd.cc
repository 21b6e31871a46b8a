// The update rule stochastic gradient descent, of a parameter w with gradient g; optionally with
// momentum v and Nesterov's correction. Sgd in optimizer.proto documents its settings.

#include "optim/rules/rule.h"

namespace cotangent::optim {
namespace {

struct Coefficients {
  Clipping clipping;
  float learning_rate;
  float decay;     // weight decay: decay * w is added to the gradient
  float shrink;    // decoupled weight decay: w is multiplied by this before its update
  float momentum;  // v = momentum v + gradient_share g
  float gradient_share;
  float direction_gradient;  // w -= learning_rate (direction_gradient g + direction_momentum v)
  float direction_momentum;
};

struct PlainLoop {
  static COTANGENT_INLINE void Run(const UpdateRange& r, const Coefficients& coefficients) {
    const Coefficients c = coefficients;
    float* const w = r.parameters;
    const float* const g = r.gradients;
#pragma omp simd
    for (int64_t i = 0; i < r.size; ++i) {
      w[i] = c.shrink * w[i] - c.learning_rate * Gradient(g[i], w[i], c.clipping, c.decay);
    }
  }
};

struct MomentumLoop {
  static COTANGENT_INLINE void Run(const UpdateRange& r, const Coefficients& coefficients) {
    const Coefficients c = coefficients;
    float* const w = r.parameters;
    const float* const g = r.gradients;
    float* const v = r.state[0];
#pragma omp simd
    for (int64_t i = 0; i < r.size; ++i) {
      const float gradient = Gradient(g[i], w[i], c.clipping, c.decay);
      v[i] = c.momentum * v[i] + c.gradient_share * gradient;
      const float direction = c.direction_gradient * gradient + c.direction_momentum * v[i];
      w[i] = c.shrink * w[i] - c.learning_rate * direction;
    }
  }
};

class SgdRule final : public LoopRule<Coefficients> {
 public:
  using Settings = Sgd;

  SgdRule(const Sgd& sgd, const RuleContext& context, SettingsChecker& check) : sgd_(sgd) {
    check.Fraction(sgd.momentum(), "momentum");
    check.Require(sgd.dampening() >= 0 && sgd.dampening() <= 1, "dampening", sgd.dampening(),
                  "a number from 0 to 1");
    check.Require(!sgd.nesterov() || sgd.momentum() > 0, "momentum", sgd.momentum(),
                  "a number above 0, since nesterov is true");
    check.Require(!sgd.nesterov() || sgd.dampening() == 0, "dampening", sgd.dampening(),
                  "0, since nesterov is true");
    if (sgd.momentum() > 0) state_names = {"momentum"};
    loop_ = sgd.momentum() > 0 ? LoopFor<MomentumLoop>(context.instructions)
                               : LoopFor<PlainLoop>(context.instructions);
  }

  void BeginStep(const StepInput& input) override {
    const double rate = input.learning_rate;
    const bool decoupled = sgd_.decoupled_weight_decay();
    coefficients_ = {
        .clipping = input.clipping,
        .learning_rate = static_cast<float>(rate),
        .decay = static_cast<float>(decoupled ? 0 : weight_decay),
        .shrink = static_cast<float>(decoupled ? 1 - rate * weight_decay : 1),
        .momentum = static_cast<float>(sgd_.momentum()),
        // Dampening does not apply to the first gradient of a run, as in PyTorch.
        .gradient_share = static_cast<float>(input.step == 0 ? 1 : 1 - sgd_.dampening()),
        .direction_gradient = sgd_.nesterov() ? 1.0f : 0.0f,
        .direction_momentum = sgd_.nesterov() ? static_cast<float>(sgd_.momentum()) : 1.0f,
    };
  }

 private:
  const Sgd sgd_;
};

COTANGENT_UPDATE_RULE(SgdRule);

}  // namespace
}  // namespace cotangent::optim
