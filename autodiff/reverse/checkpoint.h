#ifndef COTANGENT_AUTODIFF_REVERSE_CHECKPOINT_H_
#define COTANGENT_AUTODIFF_REVERSE_CHECKPOINT_H_

// Computes the gradient of a long loop in bounded memory.
//
// A tape of a loop of a million steps holds a million steps. But a step can be recorded again from
// the state before it, so it is enough to store the state at some steps, the checkpoints, and to
// work from the loop's end: advance from the nearest checkpoint without recording, record a few
// steps (a segment), sweep them backward, drop them. With c checkpoints, and every step run without
// recording at most r times, loops of up to binomial(c + r, c) segments can be reversed, and no
// schedule does better (Griewank and Walther, Algorithm 799: revolve, ACM TOMS 26, 2000): 20
// checkpoints and 4 runs reach 10,626 segments. This file implements that schedule as a recursion.
// (The first run through the whole loop, which computes the final state, does not count here.)
//
//   auto step = [](auto state, auto parameters, std::size_t k) {
//     state[0] += parameters[0] * sin(state[0]);
//   };
//   auto loss = [](auto state) { return state[0] * state[0]; };
//   // With 24 checkpoints, 64 steps recorded at a time:
//   LoopGradient(step, 1'000'000, state, parameters, loss);
//
// This needs memory for the tape of `steps_per_recording` steps, for `checkpoints` copies of the
// state, and for a few more.

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "autodiff/reverse/gradient.h"
#include "autodiff/reverse/tape.h"

namespace cotangent::autodiff::reverse {

struct CheckpointOptions {
  std::size_t checkpoints = 24;          // most stored states, beside the initial one; at least 1
  std::size_t steps_per_recording = 64;  // steps on the tape at once; at least 1
};

// The derivatives of a scalar that depends on the loop's final state; `cotangent` stands for the
// scalar's derivative by the final state.
struct LoopDerivative {
  std::vector<double> final_state;
  std::vector<double> by_state;       // cotangent^T d(final state)/d(initial state)
  std::vector<double> by_parameters;  // cotangent^T d(final state)/d(parameters)
  std::size_t tape_bytes = 0;         // bytes of the largest recording
  std::size_t plain_steps = 0;  // steps run without recording, including runs of the whole loop
};

namespace internal {

// Returns how many segments c checkpoints can reverse with at most r runs of each step: binomial(c
// + r, c), or `most` if that is smaller.
inline std::size_t Reach(std::size_t c, std::size_t r, std::size_t most) {
  std::size_t reach = 1;
  for (std::size_t i = 1; i <= std::min(c, r); ++i) {
    reach = reach * (std::max(c, r) + i) / i;
    if (reach >= most) return most;
  }
  return reach;
}

template <class Step>
class LoopReversal {
 public:
  LoopReversal(Step& step, std::span<const double> parameters, const CheckpointOptions& options)
      : step_(step), parameters_(parameters), options_(options) {}

  // Reverses segments [begin, end) of steps_per_recording steps each; the loop has `steps` steps in
  // all, and `state` is the state before segment `begin`. Turns the member `cotangent` from the
  // derivative by the state after these segments into the derivative by the state before them, and
  // adds to result.by_parameters. Stores at most `checkpoints` states at a time.
  void Reverse(std::size_t begin, std::size_t end, std::size_t steps, std::vector<double>& state,
               std::size_t checkpoints) {
    while (end - begin > 1) {
      const std::size_t middle = begin + Advance(end - begin, checkpoints);
      std::vector<double> at_middle = state;
      Run(at_middle, FirstStep(begin, steps), FirstStep(middle, steps));
      Reverse(middle, end, steps, at_middle, checkpoints > 1 ? checkpoints - 1 : 1);
      end = middle;
    }
    if (begin < end) Record(state, FirstStep(begin, steps), FirstStep(end, steps));
  }

  void Run(std::vector<double>& state, std::size_t first, std::size_t last) {
    for (std::size_t k = first; k < last; ++k) step_(std::span<double>(state), parameters_, k);
    result.plain_steps += last - first;
  }

  LoopDerivative result;
  std::vector<double> cotangent;

 private:
  std::size_t FirstStep(std::size_t segment, std::size_t steps) const {
    return std::min(steps, segment * options_.steps_per_recording);
  }

  // Returns how many of the next `segments` segments lie before the next checkpoint, such that
  // `checkpoints` checkpoints reverse all of them with the least number of runs.
  static std::size_t Advance(std::size_t segments, std::size_t checkpoints) {
    if (checkpoints <= 1) return segments - 1;
    std::size_t runs = 1;
    while (Reach(checkpoints, runs, segments) < segments) ++runs;
    const std::size_t before =
        Reach(checkpoints, runs - 1, segments);  // with one run less, since one leads through them
    return std::clamp<std::size_t>(before, 1, segments - 1);
  }

  void Record(const std::vector<double>& state, std::size_t first, std::size_t last) {
    tape_.Clear();
    Tape::Scope recording(tape_);
    std::vector<Var> inputs, parameters;
    for (double s : state) inputs.push_back(tape_.Input(s));
    for (double p : parameters_) parameters.push_back(tape_.Input(p));
    std::vector<Var> variables = inputs;
    for (std::size_t k = first; k < last; ++k)
      step_(std::span<Var>(variables), std::span<const Var>(parameters), k);
    tape_.ClearAdjoints();
    for (std::size_t i = 0; i < variables.size(); ++i) tape_.AddAdjoint(variables[i], cotangent[i]);
    tape_.Sweep();
    for (std::size_t i = 0; i < inputs.size(); ++i) cotangent[i] = tape_.Adjoint(inputs[i]);
    for (std::size_t i = 0; i < parameters.size(); ++i)
      result.by_parameters[i] += tape_.Adjoint(parameters[i]);
    result.tape_bytes = std::max(result.tape_bytes, tape_.bytes());
  }

  Step& step_;
  std::span<const double> parameters_;
  const CheckpointOptions options_;
  Tape tape_;
};

}  // namespace internal

// Returns the vector-Jacobian products of a loop that calls step(std::span<T> state,
// std::span<const T> parameters, std::size_t k) for k = 0, ..., steps - 1 and changes `state` in
// place. T is double or Var. `cotangent` is the derivative of some scalar by the final state.
template <class Step>
LoopDerivative LoopVjp(Step&& step, std::size_t steps, std::span<const double> state,
                       std::span<const double> parameters, std::span<const double> cotangent,
                       const CheckpointOptions& options = {}) {
  internal::LoopReversal<Step> reversal(step, parameters, options);
  reversal.cotangent.assign(cotangent.begin(), cotangent.end());
  reversal.result.by_parameters.assign(parameters.size(), 0);
  std::vector<double> first(state.begin(), state.end());
  const std::size_t segments =
      (steps + options.steps_per_recording - 1) / options.steps_per_recording;
  std::vector<double> last = first;
  reversal.Run(last, 0, steps);
  reversal.Reverse(0, segments, steps, first, std::max<std::size_t>(1, options.checkpoints));
  reversal.result.final_state = std::move(last);
  reversal.result.by_state = std::move(reversal.cotangent);
  return std::move(reversal.result);
}

// Returns the gradient of loss(std::span<const T> final_state), a function with one result, by the
// initial state and the parameters of the loop that calls `step` as in LoopVjp.
template <class Step, class Loss>
LoopDerivative LoopGradient(Step&& step, std::size_t steps, std::span<const double> state,
                            std::span<const double> parameters, Loss&& loss,
                            const CheckpointOptions& options = {}) {
  std::vector<double> last(state.begin(), state.end());
  for (std::size_t k = 0; k < steps; ++k) step(std::span<double>(last), parameters, k);
  LoopDerivative derivative =
      LoopVjp(step, steps, state, parameters, Gradient(loss, last), options);
  derivative.plain_steps += steps;
  return derivative;
}

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_CHECKPOINT_H_
