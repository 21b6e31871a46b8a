// What protobuf's parser of texts complains about, in the user's terms.
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

// How deep messages may nest: a sequence is two messages deep, the recipe below it a few more.
inline constexpr int kDeepestMessage = 4 * kDeepestNesting;
// Fields with this number and higher are written by ParseNetwork() alone.
inline constexpr int kFirstHiddenField = 100;

// The names of a message's fields but those.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor* message);
// "a whole number": what a field's value may be.
std::string Expectation(const google::protobuf::FieldDescriptor* field);

// "'layer' has no field 'colour'; ...", where `name` stands at the byte `begin` of the fragment,
// which is the text of a message `root`.
absl::Status NoSuchField(const Fragment& fragment, const google::protobuf::Descriptor* root,
                         absl::string_view root_name, size_t begin, absl::string_view name);

// The error for protobuf's `message` about the byte `offset`.
absl::Status Explain(const Fragment& fragment, const google::protobuf::Descriptor* root,
                     absl::string_view root_name, size_t offset, absl::string_view message);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_PARSE_ERROR_H_
