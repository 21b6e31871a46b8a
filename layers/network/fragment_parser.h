// Parses pieces (Fragments, source_text.h) of network texts, the .textproto files that describe
// networks, into protobuf messages, and records in each layer's message where the layer stands in
// the file.
#ifndef COTANGENT_LAYERS_NETWORK_FRAGMENT_PARSER_H_
#define COTANGENT_LAYERS_NETWORK_FRAGMENT_PARSER_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "layers/network/network.pb.h"
#include "layers/network/source_text.h"

namespace cotangent::layers {

// Keeps the first error that protobuf's text parser reports; line and column are counted from 0, as
// protobuf counts them.
class FirstError : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (!found) found = {line, column, message};
  }
  void AddWarning(int, google::protobuf::io::ColumnNumber, const std::string&) override {}

  struct Found {
    int line, column;
    std::string message;
  };
  std::optional<Found> found;
};

// A hidden field: one that a text sets although only ParseNetwork() may set it. `at` is its place
// in the fragment.
struct HiddenField {
  const google::protobuf::FieldDescriptor* field;
  google::protobuf::TextFormat::ParseLocation at;
};
// Returns the first hidden field in `message` and the messages inside it; nullopt if there is none.
std::optional<HiddenField> FindHiddenField(const google::protobuf::Message& message,
                                           const google::protobuf::TextFormat::ParseInfoTree& tree);

// Returns the error for a hidden field, which is the error that the name of a nonexistent field
// would cause.
absl::Status RefuseHiddenField(const Fragment& fragment, const google::protobuf::Descriptor* root,
                               absl::string_view root_name, const HiddenField& hidden);

// Parses a Network or Block; error messages call it `root_name`. Sets the fields `place`,
// `formula_place` and `field_place`, which later error messages need. Returns an error if the
// fragment is not a text of such a message or sets a hidden field.
absl::Status ParseFragment(const Fragment& fragment, absl::string_view root_name, Network& network);
absl::Status ParseFragment(const Fragment& fragment, absl::string_view root_name, Block& block);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_FRAGMENT_PARSER_H_
