// Parses the input as a network text (the .textproto file that describes a network). If it cannot
// be parsed, the error must begin with the name of the source. Otherwise the network is printed as
// text, which must parse again and then print as the same text (unless it is longer than the parser
// accepts), and a graph is built from the network, which may fail but not crash.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "tests/fuzz/property.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace layers = cotangent::layers;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<layers::Network> network = layers::ParseNetwork(text, "fuzz");
  if (!network.ok()) {
    COTANGENT_PROPERTY(absl::StartsWith(network.status().message(), "fuzz:"));
    return 0;
  }
  const std::string printed = layers::NetworkText(*network);
  const absl::StatusOr<layers::Network> again = layers::ParseNetwork(printed, "printed");
  // The printed text has its blocks expanded, so it may be longer than the longest text that the
  // parser accepts.
  if (printed.size() <= layers::kLongestNetworkText) {
    COTANGENT_PROPERTY(again.ok());
    COTANGENT_PROPERTY(layers::NetworkText(*again) == printed);
  }
  layers::BuildOptions options;
  options.batch_size = 4;
  layers::Build(*network, options).status().IgnoreError();
  return 0;
}
