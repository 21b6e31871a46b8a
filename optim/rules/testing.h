#ifndef COTANGENT_OPTIM_RULES_TESTING_H_
#define COTANGENT_OPTIM_RULES_TESTING_H_

// What the tests of rules share.

#include <memory>
#include <string>
#include <vector>

#include "optim/optimizer.h"

namespace cotangent::optim {

// `size` normally distributed numbers.
std::vector<float> Normal(int64_t size, int seed);

// An optimizer in text form, read.
OptimizerConfig ParseOptimizer(const std::string& text);

// The optimizer `text` of one parameter "w" of this shape in a run of 10 epochs of 10 steps.
std::unique_ptr<Optimizer> MakeOptimizer(const std::string& text, std::vector<int64_t> shape);

// Expects that one update by the rule in `text` leaves the same bits in parameters and state on
// every instruction set and, but for matrices, however the parameters are cut into ranges.
void ExpectSameBitsEverywhere(const std::string& text);

// Expects that the rule in `text` is refused with a message that has `message` in it.
void ExpectRefused(const std::string& text, const std::string& message);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_RULES_TESTING_H_
