// Draws at random network texts (.textproto files that describe networks) that are unlike usual
// networks: many kinds of layers, alone and in random order, often at degenerate sizes (one pixel,
// one channel, one class, one image, a kernel or a pooling window as large as the image, a stride
// larger than the kernel, padding larger than half the kernel).
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
  std::vector<std::string> layers;  // the text of each layer
  std::string loss;

  std::string Text() const;
};

// Returns a random network, the same for the same seed. Every network that it returns can be built.
RandomNetwork DrawNetwork(uint64_t seed);

// Builds the network's graph: with its loss for training, or without a loss for prediction if
// `training` is false.
absl::StatusOr<layers::BuiltNetwork> BuildText(const RandomNetwork& network, bool training = true);

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_RANDOM_NETWORKS_DRAW_H_
