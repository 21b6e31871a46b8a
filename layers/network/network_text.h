// Parses network texts (the .textproto files that describe networks) with helpful errors, changes
// single fields, and prints networks as texts.
#ifndef COTANGENT_LAYERS_NETWORK_NETWORK_TEXT_H_
#define COTANGENT_LAYERS_NETWORK_NETWORK_TEXT_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/network/network.pb.h"

namespace cotangent::layers {

// The largest size in bytes of a text, and of all blocks of a text together after they are
// expanded.
inline constexpr size_t kLongestNetworkText = 1 << 20;
inline constexpr size_t kLongestExpandedText = 1 << 22;
// The largest depth to which sequences and blocks may be nested in each other.
inline constexpr int kDeepestNesting = 16;

// Parses a network text, whose fields network.proto describes. Every `use` of a block is replaced
// by a sequence of the block's layers, so the result contains no blocks. Sets the `place` fields,
// which later error messages need.
//
// For any input, the result is a network or an InvalidArgument error of the form "file:line:column:
// what was found; what was expected" (without line and column if the text is too long). Lines and
// columns count from 1 in `text`, columns in bytes, also for errors within blocks. Sizes and
// connections are checked later, by Build() (layers/network/build.h).
absl::StatusOr<Network> ParseNetwork(absl::string_view text, absl::string_view file = "network");

// Sets one field of the network by an assignment such as
//   train.optimizer.sgd.learning_rate=0.1
//   layer[conv1].convolution.kernel=[3, 5]
//   train.optimizer.adamw={learning_rate: 0.001}
//   layer[layer1].sequence.layer[conv1].convolution.channels=8
// An element of a repeated field, such as a layer, is selected by its name, if it has one, or by
// its position, counted from 0; an only element needs no selector. The layers of a block that is
// used are in the sequence that replaced it, as in the last example. Repeated fields are replaced
// as a whole; strings need no quotes. On an error `network` is unchanged; the message names the
// wrong part of the path and, if a field does not exist, the most similar field or those that
// exist.
absl::Status ApplyOverride(Network& network, absl::string_view assignment);

// Records that the field at `path`, such as "train.epochs", was set outside of the text; `place`
// says by what, such as "--epochs". ApplyOverride() records this itself.
void NotePlace(Network& network, absl::string_view path, absl::string_view place);

// If the error begins with the path of a field of `input`, `loss` or `train`, or of a field set
// outside of the text ("train.optimizer.sgd.momentum is 1; ..."), puts in front the place of that
// field, or of the innermost enclosing message that has a place. Returns other errors unchanged.
absl::Status AtPlace(const Network& network, const absl::Status& error);

// Returns the network as a text, without the `place` fields. ParseNetwork() reads the same network
// from it.
std::string NetworkText(const Network& network);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_NETWORK_TEXT_H_
