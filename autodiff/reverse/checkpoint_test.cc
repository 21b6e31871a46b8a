#include "autodiff/reverse/checkpoint.h"

#include <cmath>
#include <span>
#include <vector>

#include "autodiff/reverse/gradient.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::autodiff::reverse {
namespace {

// A step of a damped, driven pendulum. The state is angle and speed, the parameters are stiffness
// and damping.
const auto kStep = [](auto state, auto parameters, std::size_t k) {
  using std::sin;
  const double h = 0.01;
  const typename decltype(state)::value_type speed =
      state[1] + h * (std::cos(0.01 * static_cast<double>(k)) - parameters[0] * sin(state[0]) -
                      parameters[1] * state[1]);
  state[0] += h * speed;
  state[1] = speed;
};
const std::vector<double> kState = {0.3, 0.1}, kParameters = {1.2, 0.2};
const auto kLoss = [](auto state) { return state[0] * state[0] + 2.0 * state[1]; };

LoopDerivative Plain(std::size_t steps) {
  const auto whole = [&]<class T>(std::span<const T> x) {
    std::vector<T> state(x.begin(), x.begin() + 2);
    for (std::size_t k = 0; k < steps; ++k) kStep(std::span<T>(state), x.subspan(2), k);
    return T(kLoss(std::span<const T>(state)));
  };
  const std::vector<double> x = {kState[0], kState[1], kParameters[0], kParameters[1]};
  const std::vector<double> gradient = Gradient(whole, x);
  return {{}, {gradient[0], gradient[1]}, {gradient[2], gradient[3]}};
}

TEST(CheckpointTest, EqualsThePlainTapeForEverySchedule) {
  for (const std::size_t steps : {0, 1, 2, 7, 64, 65, 500, 1001}) {
    const LoopDerivative expected = Plain(steps);
    for (const CheckpointOptions& options :
         {CheckpointOptions{1, 1}, {1, 50}, {2, 1}, {3, 7}, {24, 64}, {5, 2000}}) {
      SCOPED_TRACE(testing::Message() << steps << " steps, " << options.checkpoints
                                      << " checkpoints, " << options.steps_per_recording);
      const LoopDerivative derivative =
          LoopGradient(kStep, steps, kState, kParameters, kLoss, options);
      EXPECT_THAT(derivative.by_state,
                  testing::Pointwise(testing::DoubleNear(1e-12), expected.by_state));
      EXPECT_THAT(derivative.by_parameters,
                  testing::Pointwise(testing::DoubleNear(1e-12), expected.by_parameters));
    }
  }
}

TEST(CheckpointTest, AMillionStepsWithinAMegabyte) {
  const std::size_t steps = 1'000'000;
  const CheckpointOptions options;
  const LoopDerivative derivative = LoopGradient(kStep, steps, kState, kParameters, kLoss, options);
  EXPECT_LE(derivative.tape_bytes + options.checkpoints * kState.size() * sizeof(double), 1u << 20);
  EXPECT_LE(derivative.plain_steps, 6 * steps);
  const LoopDerivative expected = Plain(steps);
  for (int i = 0; i < 2; ++i) {
    EXPECT_NEAR(derivative.by_state[i], expected.by_state[i], 1e-12);
    EXPECT_NEAR(derivative.by_parameters[i], expected.by_parameters[i],
                1e-9 * std::abs(expected.by_parameters[i]));
  }
}

}  // namespace
}  // namespace cotangent::autodiff::reverse
