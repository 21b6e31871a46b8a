// What parameters are before the first step of training.
#ifndef COTANGENT_LAYERS_NETWORK_INITIALIZE_H_
#define COTANGENT_LAYERS_NETWORK_INITIALIZE_H_

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "layers/network/network.pb.h"
#include "tensor/shape.h"

namespace cotangent::layers {

// One learnt tensor of a network.
struct ParameterSpec {
  std::string name;  // as PyTorch would name it: "layer1.0.conv1.weight"
  tensor::Shape shape;
  Initialiser initialiser;          // complete: the layer's default where the text gives none
  Initialiser default_initialiser;  // the layer's default; also what dirac's other filters may take
  int64_t fan_in = 1,
          fan_out = 1;    // see Initialiser in network.proto; a bias has those of its weight
  bool trainable = true;  // false: stays as it is initialised
  int tensor = -1;        // its TensorId in the graph
};

// An error if the initialiser does not suit the shape or has a number that makes no sense; to be
// said before "bias_init".
absl::Status CheckInitialiser(const ParameterSpec& parameter);

// Writes the initial values, shape.NumElements() of them in row-major order. They depend on the
// seed and the parameter's name alone: a layer keeps its values when others are added. `whiten`
// needs images: see Whiten() below; here it stands for the layer's default.
void Initialize(const ParameterSpec& parameter, uint64_t seed, absl::Span<float> values);

// All parameters, one after the other in one buffer of their total size.
void Initialize(absl::Span<const ParameterSpec> parameters, uint64_t seed,
                absl::Span<float> values);

// Filters [2 C K_h K_w, C, K_h, K_w] that whiten patches of images: the eigenvectors v_i of the
// patches' second moments (1/n) sum p p^T, from the smallest eigenvalue l_i to the largest, each as
// v_i / sqrt(l_i + epsilon), and then all of them negated. `images` are [N, C, H, W], row-major,
// normalised as the network will see them; every patch at stride 1 counts. `shape` is the filters'.
absl::Status Whiten(absl::Span<const float> images, const tensor::Shape& image_shape,
                    double epsilon, const tensor::Shape& shape, absl::Span<float> filters);

// A stream of random numbers that can be entered anywhere: the counter-based generator
// Philox-4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), keyed by
// seed and stream.
class RandomStream {
 public:
  RandomStream(uint64_t seed, absl::string_view stream);

  // The i-th number of each kind; of one stream use one kind alone.
  double Uniform(uint64_t i) const;  // in [0, 1), 32 bits
  std::array<double, 4> Uniforms(
      uint64_t i) const;            // numbers 4 i to 4 i + 3 of these, for the price of one
  double Normal(uint64_t i) const;  // mean 0, deviation 1, by Box and Muller

 private:
  struct Block {
    uint32_t words[4];
  };
  Block BlockAt(uint64_t i) const;

  uint32_t key_[2];
  uint32_t stream_[2];
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_INITIALIZE_H_
