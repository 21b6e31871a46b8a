// Network texts: reading them with errors a person can act on, changing single fields, printing
// them.
#ifndef COTANGENT_LAYERS_NETWORK_NETWORK_TEXT_H_
#define COTANGENT_LAYERS_NETWORK_NETWORK_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// The longest text that is read, and the longest that blocks may expand it to, in bytes.
inline constexpr size_t kLongestNetworkText = 1 << 20;
inline constexpr size_t kLongestExpandedText = 1 << 22;
// How deep sequences and blocks may nest in each other.
inline constexpr int kDeepestNesting = 16;

// The network that `text` describes (see network.proto), with every `use` of a block replaced by
// the sequence it stands for, so that the result holds no blocks, and with `place` filled in where
// messages will want it.
//
// Whatever the bytes: a network or an InvalidArgument error "file:line:column: what was found; what
// was expected", lines and columns counted from 1 in `text`, also for what stands in blocks. Sizes
// and connections are not checked here but by Build() (build.h).
absl::StatusOr<Network> ParseNetwork(absl::string_view text, absl::string_view file = "network");

// Sets one field: "train.optimizer.sgd.learning_rate=0.1", "layer[conv1].convolution.kernel=[3,
// 5]", "train.optimizer.adamw={learning_rate: 0.001}". Layers (and other repeated parts that have
// names) are selected by name or by position from 0; layers of a block that was used are found in
// its sequence: "layer[layer1].sequence.layer[conv1].convolution.channels". Repeated fields are
// replaced as a whole. Strings need no quotes. An error names the part of the path that is wrong
// and the fields there are; `network` is then unchanged.
absl::Status ApplyOverride(Network& network, absl::string_view assignment);

// Notes that the field of the recipe at `path`, "train.epochs", was set elsewhere than in the text:
// by what `place` says, "--epochs". ApplyOverride() does so itself.
void NotePlace(Network& network, absl::string_view path, absl::string_view place);

// An error that begins with the path of a field of the recipe ("train.optimizer.sgd.momentum is 1;
// ..."), preceded by the place of that field, or of the nearest part around it that the text has;
// other errors as they are.
absl::Status AtPlace(const Network& network, const absl::Status& error);

// The text of `network`, without the places, such that ParseNetwork() reads the same network from
// it.
std::string NetworkText(const Network& network);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_NETWORK_TEXT_H_
