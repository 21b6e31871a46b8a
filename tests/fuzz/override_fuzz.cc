// Applies the input as a value of --set (an assignment field.path=value) to a network with layers
// of several kinds. An assignment that is refused must change nothing.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "layers/network/network_text.h"
#include "tests/fuzz/property.h"

namespace {

namespace layers = cotangent::layers;

constexpr char kNetwork[] = R"text(
name: "several"
block {
  name: "pair"
  layer { name: "conv" convolution { channels: 8 kernel: 3 padding: SAME } }
  layer { name: "relu" activation { kind: RELU } }
}
layer { name: "one" use { block: "pair" } }
layer { name: "softsign" activation { formula: "x / (1 + abs(x))" } }
layer { name: "norm" batch_norm {} }
layer { name: "pool" max_pool { kernel: 2 } }
layer { name: "drop" dropout {} }
layer { name: "fc" linear {} }
train { batch_size: 16 epochs: 1 optimizer { sgd { learning_rate: 0.1 } } }
)text";

struct Original {
  layers::Network network;
  std::string text;
};

Original MakeOriginal() {
  const absl::StatusOr<layers::Network> parsed = layers::ParseNetwork(kNetwork);
  COTANGENT_PROPERTY(parsed.ok());
  return {*parsed, layers::NetworkText(*parsed)};
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Original* const original = new Original(MakeOriginal());
  layers::Network network = original->network;
  const absl::string_view assignment(reinterpret_cast<const char*>(data), size);
  const absl::Status status = layers::ApplyOverride(network, assignment);
  if (!status.ok()) {
    COTANGENT_PROPERTY(!status.message().empty());
    COTANGENT_PROPERTY(layers::NetworkText(network) == original->text);
    return 0;
  }
  COTANGENT_PROPERTY(layers::ParseNetwork(layers::NetworkText(network)).ok());
  return 0;
}
