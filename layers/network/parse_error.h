// Translates error messages of protobuf's text parser into messages for the author of a network
// text, the .textproto file that describes a network.
#ifndef COTANGENT_LAYERS_NETWORK_PARSE_ERROR_H_
#define COTANGENT_LAYERS_NETWORK_PARSE_ERROR_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/descriptor.h"
#include "layers/network/network_text.h"
#include "layers/network/source_text.h"

namespace cotangent::layers {

// The limit given to protobuf's parser for how deep messages may be nested. Sequences (layers written
// inside a layer) may be nested kDeepestNesting deep (network_text.h), and each nests two messages,
// Sequence and Layer. The limit is twice what they take: that leaves room for the messages inside
// the innermost layer, and sequences that are nested a little too deep get the error that names
// sequences (blocks.cc), not protobuf's.
inline constexpr int kDeepestMessage = 4 * kDeepestNesting;
// Fields with numbers from this one on are set by ParseNetwork() only; texts may not set them.
inline constexpr int kFirstHiddenField = 100;

// Returns the names of those fields of a message that texts may set.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor* message);
// Returns what values the field accepts, such as "a whole number".
std::string Expectation(const google::protobuf::FieldDescriptor* field);

// Returns an error such as "'layer' has no field 'colour'; ...". `name` is the unknown name, at
// byte `begin` (from 0) of the fragment (a piece of a network text, source_text.h). The text of the
// fragment is a message of the type `root`, which error messages call `root_name`.
absl::Status NoSuchField(const Fragment& fragment, const google::protobuf::Descriptor* root,
                         absl::string_view root_name, size_t begin, absl::string_view name);

// Returns the error to show to the user in place of protobuf's `message` about the byte `offset` of
// the fragment.
absl::Status Explain(const Fragment& fragment, const google::protobuf::Descriptor* root,
                     absl::string_view root_name, size_t offset, absl::string_view message);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_PARSE_ERROR_H_
