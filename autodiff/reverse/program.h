#ifndef COTANGENT_AUTODIFF_REVERSE_PROGRAM_H_
#define COTANGENT_AUTODIFF_REVERSE_PROGRAM_H_

// A function recorded once, whose value and gradient are then computed at other points without
// running it again.
//
//   reverse::Program program(f, x);                               // runs f once, at x
//   program.Gradients(points, values, gradients);                 // at any number of points
//
// Each statement of f (see node.h) has become a pair of functions that the compiler made of
// its expression's type: one computes it, one hands its adjoint to its operands. What is recorded
// is which pair, and where the operands are; to replay is to walk that list forth and back, with
// vectors as wide as the processor has. What stands in their lanes depends on the number of points:
//
//   eight points    are walked at once, each lane one of them: whatever f does, reading the list
//                   costs an eighth, and a loop in which each step waits for the one before has
//                   eight steps to work on;
//   a single point  (or what is left of many) puts eight statements of one type that do not wait
//                   for one another into the lanes: see schedule.h. This is as fast for sums and
//                   loops over independent elements. A program whose statements all wait for one
//                   another has one to work on and gains nothing: replay it at several points.
//
// A recording holds the branches that f took at x. Every comparison is recorded with its outcome,
// and so is whatever else f asks of a number (signbit, isnan, isfinite, fpclassify, ilogb, frexp's
// exponent, ...); a point at which one comes out otherwise is not answered but reported, and its
// results are NaN.
// abs, max, relu and their like are operations, not branches, and are right on both sides. Numbers
// that f takes out of its variables by Value() or value_of are constants of the recording.
//
// A Program is used by one thread at a time. The first single point and the first eight take
// longer: their working memory, and the schedule, are made then.

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
  // Records the scalar function f at x. It is replayed in registers of `width` doubles: 2, 4 or 8,
  // if the processor has them.
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

  // values[p] and the gradient at gradients[p * n ..] for the points x[p * n ..], n the number of
  // inputs. Returns the points, in order, at which f branches otherwise than where it was recorded;
  // their results are NaN.
  std::vector<std::size_t> Gradients(std::span<const double> x, std::span<double> values,
                                     std::span<double> gradients);

  // The bytes of the recording, the schedule, and the working memory.
  std::size_t bytes() const;

 private:
  // A value of each slot, an adjoint, and saved values: of one point, or a Pack's of eight.
  struct Memory {
    std::vector<replay::Pack> value, adjoint, saved;
  };

  // At one point, and at up to eight together; true where f branches as recorded.
  bool ReplayPoint(std::span<const double> x, double& value, std::span<double> gradient);
  void ReplayPoints(std::span<const double> x, std::span<double> values,
                    std::span<double> gradients, std::span<bool> kept);
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
