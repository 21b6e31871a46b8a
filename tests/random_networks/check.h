// Whether a network, planned for this machine, computes what the reference computes: its loss, its
// derivatives in both modes, and second ones.
#ifndef COTANGENT_TESTS_RANDOM_NETWORKS_CHECK_H_
#define COTANGENT_TESTS_RANDOM_NETWORKS_CHECK_H_

#include <cstdint>
#include <string>

#include "base/element_type.h"
#include "tests/random_networks/draw.h"

namespace cotangent::tests {

struct CheckOptions {
  ElementType precision = ElementType::kF32;
  uint64_t seed = 1;  // of parameters and images
};

// What disagrees, a line each; empty: nothing. In this process.
std::string Disagreements(const RandomNetwork& network, const CheckOptions& options);

// The same in a process of its own, so that a crash is an answer too, and one that does not end.
// Children measure convolutions for themselves; call it before this process has started threads.
std::string DisagreementsOfChild(const RandomNetwork& network, const CheckOptions& options);

// A network with as few layers, and each as plain, as still disagrees.
RandomNetwork Shrink(RandomNetwork network, const CheckOptions& options);

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_RANDOM_NETWORKS_CHECK_H_
