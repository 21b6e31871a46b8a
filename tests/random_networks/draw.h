// Network texts drawn at random, of what networks are seldom made of: every kind of layer at its
// degenerate sizes (one cell, one channel, one class, one image, a kernel as large as the image, a
// stride larger than the kernel, padding larger than half of it, a window that is the image), alone
// and one after the other in every order.
#ifndef COTANGENT_TESTS_RANDOM_NETWORKS_DRAW_H_
#define COTANGENT_TESTS_RANDOM_NETWORKS_DRAW_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "layers/network/build.h"

namespace cotangent::tests {

struct RandomNetwork {
  int64_t batch = 1, channels = 3, height = 1, width = 1, classes = 2;
  std::vector<std::string> layers;  // each the text of one
  std::string loss;

  std::string Text() const;
};

// The same for the same seed. Every network builds.
RandomNetwork DrawNetwork(uint64_t seed);

absl::StatusOr<layers::BuiltNetwork> BuildText(const RandomNetwork& network);

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_RANDOM_NETWORKS_DRAW_H_
