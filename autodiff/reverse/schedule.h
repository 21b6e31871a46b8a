#ifndef COTANGENT_AUTODIFF_REVERSE_SCHEDULE_H_
#define COTANGENT_AUTODIFF_REVERSE_SCHEDULE_H_

// Orders the statements of a recorded program so that several can be replayed at once. A slot is
// the number under which a value of the program, and its derivative, are stored. Include
// autodiff/reverse/program.h, not this file.
//
// A statement's level is one more than the highest level among its operands (inputs and constants
// have level 0), so the statements of one level do not wait for one another. Statements of one
// level and one type are grouped into chunks, vectors of up to eight statements that are replayed
// together (kernel.h): a loop that computes something for i = 1, 2, ... is replayed for up to eight
// values of i together. (One or two statements that are left over are replayed one by one.) Three
// rules make the operands of a chunk lie side by side in memory:
//
//   - the statements of one level and type are ordered by the slot of their first variable;
//   - results get new slots, in the order of the schedule;
//   - constants get new slots too, in the order in which they are first used.
//
// A sum of many terms (kLongSum in schedule.cc), s += term, does not count as a sequence of steps:
// all its terms have one level, and a chunk adds as many of them at once as it has lanes.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "autodiff/reverse/machine.h"
#include "autodiff/reverse/recorder.h"

namespace cotangent::autodiff::reverse::replay {

struct Schedule {
  // A sequence of chunks of statements of one type or, if `alone`, of single such statements.
  struct Part {
    Run run;
    bool alone;
  };
  std::vector<Part> parts;
  std::vector<Place> operand;       // where the operands of all chunks and single statements are
  std::vector<std::uint32_t> list;  // the slots of those places that list their slots
  std::size_t saved = 0;            // number of doubles saved for the backward walk
  std::uint32_t slots = 0;          // number of slots, with those of lanes without a statement
  std::vector<std::pair<std::uint32_t, double>> constants;
  std::vector<Branch> branches;
  std::uint32_t output = 0;
  std::size_t steps = 0;  // number of chunks and single statements
};

// Schedules the statements of `listing` with up to `width` statements in a chunk. `inputs` is the
// number of inputs, `output` the slot of the result in `listing`.
Schedule MakeSchedule(const Listing& listing, std::size_t inputs, std::uint32_t output, int width);

}  // namespace cotangent::autodiff::reverse::replay

#endif  // COTANGENT_AUTODIFF_REVERSE_SCHEDULE_H_
