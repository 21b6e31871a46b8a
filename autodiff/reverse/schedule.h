#ifndef COTANGENT_AUTODIFF_REVERSE_SCHEDULE_H_
#define COTANGENT_AUTODIFF_REVERSE_SCHEDULE_H_

// An order in which the statements of a recorded program can be replayed several at once. Include
// autodiff/reverse/program.h, not this file.
//
// A statement's level is one more than the highest among what it reads, so the statements of a
// level do not wait for one another. Those of one type make chunks (see kernel.h), and what the
// program computed step by step for i = 1, 2, .., the chunks compute for eight i together. Three
// things make the operands of a chunk lie side by side in memory:
//
//   - the statements of a level are ordered by the slot of their first variable;
//   - results get slots anew, in the order of the schedule;
//   - so do constants, in the order in which they are first used.
//
// What is added to a long sum is no sequence of steps: all its terms are of one level, and a chunk
// sums eight of them.

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "autodiff/reverse/kernel.h"
#include "autodiff/reverse/recorder.h"

namespace cotangent::autodiff::reverse::replay {

struct Schedule {
  // Runs of chunks and of statements alone.
  struct Part {
    Run run;
    bool alone;
  };
  std::vector<Part> parts;
  std::vector<Place> operand;
  std::vector<std::uint32_t> list;
  std::size_t saved = 0;    // doubles
  std::uint32_t slots = 0;  // and as many more as a chunk at the end may touch
  std::vector<std::pair<std::uint32_t, double>> constants;
  std::vector<Branch> branches;
  std::uint32_t output = 0;
  std::size_t steps = 0;  // chunks and statements alone
};

// With `width` statements to a chunk.
Schedule MakeSchedule(const Listing& listing, std::size_t inputs, std::uint32_t output, int width);

}  // namespace cotangent::autodiff::reverse::replay

#endif  // COTANGENT_AUTODIFF_REVERSE_SCHEDULE_H_
