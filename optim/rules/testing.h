#ifndef COTANGENT_OPTIM_RULES_TESTING_H_
#define COTANGENT_OPTIM_RULES_TESTING_H_

// Helpers for the tests of update rules.

#include <memory>
#include <string>
#include <vector>

#include "optim/optimizer.h"

namespace cotangent::optim {

// Returns `size` normally distributed numbers (mean 0, standard deviation 1), the same ones for the
// same seed.
std::vector<float> Normal(int64_t size, int seed);

// Parses an OptimizerConfig in protobuf's text format.
OptimizerConfig ParseOptimizer(const std::string& text);

// Makes the optimizer that `text` describes for one parameter "w" of this shape, in a run of 10
// epochs of 10 steps.
std::unique_ptr<Optimizer> MakeOptimizer(const std::string& text, std::vector<int64_t> shape);

// Expects that one update by the rule in `text` gives the same bits in parameters and state with
// every instruction set and, except for matrix rules, however the parameters are cut into ranges.
void ExpectSameBitsEverywhere(const std::string& text);

// Expects that the rule in `text` is refused with an error that contains `message`.
void ExpectRefused(const std::string& text, const std::string& message);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_RULES_TESTING_H_
