#ifndef COTANGENT_AUTODIFF_REVERSE_PROGRAM_H_
#define COTANGENT_AUTODIFF_REVERSE_PROGRAM_H_

// A Program records a function once, and then computes its value and gradient at other points
// without running the function again.
//
//   reverse::Program program(f, x);                               // runs f once, at x
//   program.Gradients(points, values, gradients);                 // at any number of points
//
// Recording turns each statement of f (node.h) into two functions that the compiler generates from
// the type of the statement's expression: one computes the statement, the other hands its adjoint
// (the derivative of f by its result) to its operands. The recording is the list of these functions
// with the places of their operands. Replaying walks the list forward and backward, with the widest
// vectors that the processor has, unless the caller asks for others. What the lanes of the vectors
// hold depends on the number of points:
//
//   eight points    are computed at once, one in each lane of one or more vectors. The list is read
//                   once for all eight, and even if each step of a loop waits for the step before,
//                   the steps of eight points are in progress;
//   a single point  is computed with up to eight statements in the lanes, which are of one type and
//                   do not wait for one another: see schedule.h. For sums and loops over
//                   independent elements this is as fast. If all statements of a function wait for
//                   one another, this gains nothing: replay such a function at several points.
//
// More points than eight are computed in groups of eight. The points that remain are computed
// either together or one by one, whichever takes fewer steps.
//
// A recording holds the branches that f took at x. It stores every comparison with its outcome, and
// every other answer that f got about a number (signbit, isnan, isfinite, fpclassify, ilogb,
// frexp's exponent, ...). If an answer differs at a new point, that point is reported and its
// results are NaN. Functions such as abs, max and relu are operations, not branches, and are right
// on both sides. Numbers that f extracts from its variables with Value() or value_of are constants
// of the recording.
//
// One thread at a time may use a Program. The first single point and the first eight points take
// longer, because the working memory and the schedule are made then.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "autodiff/function.h"
#include "autodiff/reverse/chunk.h"
#include "autodiff/reverse/kernel.h"
#include "autodiff/reverse/recorder.h"
#include "autodiff/reverse/schedule.h"

namespace cotangent::autodiff::reverse {

class Program {
 public:
  // Records f, a function with one result, at x. Replays use registers of `width` doubles: 2, 4 or
  // 8. REQUIRES: the processor has such registers.
  template <class F>
  Program(const F& f, std::span<const double> x, int width = WidestChunk())
      : inputs_(x.size()), width_(width) {
    using Var = replay::Recorder::Var;
    replay::Recorder recorder;
    replay::Recorder::Scope recording(recorder);
    std::vector<Var> inputs;
    for (const double xi : x) inputs.push_back(recorder.Input(xi));
    const std::vector<Var> outputs = Outputs<Var>(f, std::span<const Var>(inputs));
    output_ = recorder.SlotOf(outputs[0].Index(), outputs[0].Value());
    listing_ = recorder.Take();
    for (const replay::Run& run : listing_.runs) statements_ += run.count;
  }

  // Computes, for p = 0 .. values.size() - 1, at the point x[p * n ..], where n is the number of
  // inputs, the value values[p] and the gradient gradients[p * n ..]. Returns, in ascending order,
  // the p at which f branches otherwise than where it was recorded; their results are NaN.
  std::vector<std::size_t> Gradients(std::span<const double> x, std::span<double> values,
                                     std::span<double> gradients);

  // Returns the bytes of the recording and the schedule, without their constants and branches, and
  // of the working memory.
  std::size_t bytes() const;

 private:
  // Values and adjoints by slot (the number of a value of the recorded program), and the values
  // that the walk forward saves for the walk backward: for eight points (a Pack of eight doubles
  // for each slot or saved value), or for one point (the doubles lie one after the other).
  struct Memory {
    std::vector<replay::Pack> value, adjoint, saved;
  };

  // ReplayPoint computes one point by the schedule and returns whether f branches there as
  // recorded. ReplayPoints computes up to eight points together and sets kept[p] to whether f
  // branches as recorded at point p.
  bool ReplayPoint(std::span<const double> x, double& value, std::span<double> gradient);
  void ReplayPoints(std::span<const double> x, std::span<double> values,
                    std::span<double> gradients, std::span<bool> kept);
  // Returns whether computing so many points one by one takes no more steps than computing them
  // together, and is possible. Makes the schedule that this needs, if there is none yet.
  bool SchedulePays(std::size_t points);
  void LoadInputs(std::span<const double> x, std::size_t points);
  void UnloadGradients(std::span<double> gradients, std::size_t points);

  std::size_t inputs_;
  int width_;
  std::uint32_t output_;
  replay::Listing listing_;
  std::size_t statements_ = 0;
  std::optional<replay::Schedule> schedule_;
  Memory points_, point_;
};

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_PROGRAM_H_
