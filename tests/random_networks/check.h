// Checks that a plan of a network (its graph compiled for this machine) computes the same as the
// reference (plain loops in double precision): its loss, its derivatives in forward and reverse
// mode, for some seeds second derivatives, and its prediction for inference.
#ifndef COTANGENT_TESTS_RANDOM_NETWORKS_CHECK_H_
#define COTANGENT_TESTS_RANDOM_NETWORKS_CHECK_H_

#include <cstdint>
#include <string>

#include "base/element_type.h"
#include "tests/random_networks/draw.h"

namespace cotangent::tests {

struct CheckOptions {
  ElementType precision = ElementType::kF32;
  uint64_t seed = 1;  // seed of the parameters and images
};

// Returns one line for each disagreement; empty if there is none. Runs in this process.
std::string Disagreements(const RandomNetwork& network, const CheckOptions& options);

// Returns the same as Disagreements(), computed in a child process, so that a crash or an endless
// loop is reported too. The child measures convolutions itself. REQUIRES: this process has not
// started any threads.
std::string DisagreementsOfChild(const RandomNetwork& network, const CheckOptions& options);

// Returns a network that still disagrees with the reference, with as few and as simple layers as
// could be found by changing `network`.
RandomNetwork Shrink(RandomNetwork network, const CheckOptions& options);

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_RANDOM_NETWORKS_CHECK_H_
