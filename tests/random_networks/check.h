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

// Returns messages about all disagreements, or that the network cannot be built; empty if there is
// nothing to report. Runs in this process.
std::string Disagreements(const RandomNetwork& network, const CheckOptions& options);

// Returns the same as Disagreements(), computed in a child process, so that a crash or an endless
// loop is reported too. The child itself times the implementations of each convolution, to choose
// the fastest. REQUIRES: this process has not started any threads.
std::string DisagreementsOfChild(const RandomNetwork& network, const CheckOptions& options);

// Returns a network that still disagrees with the reference, with as few layers as could be found
// by removing layers from `network`. Also sets its batch, channels and size to 1, its classes to 2
// and its loss to softmax cross-entropy, each if the network then still disagrees. REQUIRES:
// `network` disagrees.
RandomNetwork Shrink(RandomNetwork network, const CheckOptions& options);

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_RANDOM_NETWORKS_CHECK_H_
