// Computes the initial values of parameters, before the first training step.
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

// Describes one parameter tensor of a network: its name and shape, how it is initialised, and
// whether training changes it.
struct ParameterSpec {
  std::string name;  // the name that PyTorch would give it: "layer1.0.conv1.weight"
  tensor::Shape shape;
  // The initialiser to use: the one in the network text (the .textproto file that describes the
  // network), or the layer's default if the text gives none.
  Initialiser initialiser;
  // The layer's default initialiser. `dirac` uses it for filters that copy no channel, if the text
  // sets default_others, and Initialize() uses it in place of `whiten`.
  Initialiser default_initialiser;
  // The numbers of inputs and outputs of a unit, as network.proto defines them at Initialiser. A
  // bias has the fan_in and fan_out of its weight.
  int64_t fan_in = 1, fan_out = 1;
  bool trainable = true;  // false: keeps its initial values
  int tensor = -1;        // the parameter's TensorId in the graph
};

// Returns an error if the initialiser does not suit the parameter's shape or has an invalid number.
// The message does not name the field; callers put the name, such as "bias_init", in front.
absl::Status CheckInitialiser(const ParameterSpec& parameter);

// Writes the initial values, shape.NumElements() of them in row-major order. The values depend only
// on the seed and the parameter (its name, shape, initialisers and fans), so a layer keeps its
// values when other layers are added. The initialiser `whiten`, which needs images (see Whiten()
// below), is replaced by the layer's default here.
void Initialize(const ParameterSpec& parameter, uint64_t seed, absl::Span<float> values);

// Initialises all parameters. Their values follow each other in `values`, without gaps.
void Initialize(absl::Span<const ParameterSpec> parameters, uint64_t seed,
                absl::Span<float> values);

// Computes filters of the given shape, [2 C K_h K_w, C, K_h, K_w], that whiten patches of images.
// All n patches p of K_h x K_w pixels (stride 1) are used. Let v_i be the eigenvectors of the
// patches' second moments (1/n) sum p p^T, and l_i the eigenvalues in ascending order. The filters
// are v_i / sqrt(l_i + epsilon), followed by the same filters negated. `images` [N, C, H, W] are
// row-major and normalised as the network will see them. Returns an error if the shapes do not fit,
// or if l_i + epsilon is 0 for some i.
absl::Status Whiten(absl::Span<const float> images, const tensor::Shape& image_shape,
                    double epsilon, const tensor::Shape& shape, absl::Span<float> filters);

// A stream of random numbers with access to any position: the counter-based generator
// Philox-4x32-10 of Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011). Its key is
// the seed; its counter consists of the index of a block of four 32-bit words and a hash of the
// stream's name.
class RandomStream {
 public:
  RandomStream(uint64_t seed, absl::string_view stream);

  // Uniform(i) and Normal(i) return number i (from 0) of the stream. Use only one of the two kinds
  // per stream.
  double Uniform(uint64_t i) const;  // in [0, 1), 32 bits
  std::array<double, 4> Uniforms(
      uint64_t i) const;            // Uniform(4 i) to Uniform(4 i + 3), at the cost of one
  double Normal(uint64_t i) const;  // mean 0, deviation 1, by the method of Box and Muller

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
