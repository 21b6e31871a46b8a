// Parses pieces of network texts (the .textproto files that describe networks) by protobuf's text
// parser, and records in the messages where their layers and fields stand in the file.

#include "layers/network/fragment_parser.h"

#include <type_traits>
#include <vector>

#include "absl/strings/str_cat.h"
#include "layers/network/parse_error.h"

namespace cotangent::layers {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::RepeatedPtrField;
using google::protobuf::TextFormat;

// Returns the place (file:line:column) at which the value of `field`, a quoted text, begins, after
// its quote.
std::string PlaceOfText(const Fragment& fragment, const TextFormat::ParseInfoTree& tree,
                        const Descriptor* message, absl::string_view field) {
  const TextFormat::ParseLocation at =
      tree.GetLocation(message->FindFieldByName(std::string(field)), -1);
  const size_t quote = fragment.text().find_first_of("\"'", fragment.OffsetOf(at.line, at.column));
  return fragment.Place(quote == std::string::npos ? fragment.text().size() : quote + 1);
}

void NotePlaces(const Fragment& fragment, const TextFormat::ParseInfoTree& parent,
                const FieldDescriptor* field, RepeatedPtrField<Layer>& layers) {
  for (int i = 0; i < layers.size(); ++i) {
    Layer& layer = layers[i];
    const TextFormat::ParseLocation at = parent.GetLocation(field, i);
    layer.set_place(fragment.Place(fragment.OffsetOf(at.line, at.column)));
    const TextFormat::ParseInfoTree* tree = parent.GetTreeForNested(field, i);
    if (tree == nullptr) continue;
    const auto nested = [&](const char* name) {
      return tree->GetTreeForNested(Layer::descriptor()->FindFieldByName(name), -1);
    };
    if (layer.has_activation()) {
      layer.mutable_activation()->clear_formula_place();
      if (layer.activation().has_formula() && nested("activation") != nullptr) {
        layer.mutable_activation()->set_formula_place(PlaceOfText(
            fragment, *nested("activation"), Layer::Activation::descriptor(), "formula"));
      }
    }
    if (layer.has_elementwise()) {
      layer.mutable_elementwise()->clear_formula_place();
      if (layer.elementwise().has_formula() && nested("elementwise") != nullptr) {
        layer.mutable_elementwise()->set_formula_place(PlaceOfText(
            fragment, *nested("elementwise"), Layer::Elementwise::descriptor(), "formula"));
      }
    }
    if (layer.has_sequence() && nested("sequence") != nullptr) {
      NotePlaces(fragment, *nested("sequence"),
                 Layer::Sequence::descriptor()->FindFieldByName("layer"),
                 *layer.mutable_sequence()->mutable_layer());
    }
  }
}

// Records the places of all fields of `message`, including the fields of messages inside it. `path`
// is the path of `message`, such as "train.optimizer".
void NoteFieldPlaces(const Fragment& fragment, const TextFormat::ParseInfoTree& tree,
                     const Message& message, const std::string& path, Network& network) {
  const Reflection* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const int index = field->is_repeated() ? i : -1;
      const TextFormat::ParseLocation at = tree.GetLocation(field, index);
      if (at.line < 0) continue;
      const std::string field_path =
          absl::StrCat(path, ".", field->name(), index < 0 ? "" : absl::StrCat("[", i, "]"));
      Network::FieldPlace& noted = *network.add_field_place();
      noted.set_path(field_path);
      noted.set_place(fragment.Place(fragment.OffsetOf(at.line, at.column)));
      const TextFormat::ParseInfoTree* nested = tree.GetTreeForNested(field, index);
      if (nested == nullptr || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
      NoteFieldPlaces(fragment, *nested,
                      index < 0 ? reflection->GetMessage(message, field)
                                : reflection->GetRepeatedMessage(message, field, i),
                      field_path, network);
    }
  }
}

template <typename M>
absl::Status Parse(const Fragment& fragment, absl::string_view root_name, M& message) {
  TextFormat::Parser parser;
  FirstError error;
  TextFormat::ParseInfoTree tree;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(&tree);
  parser.SetRecursionLimit(kDeepestMessage);
  if (!parser.ParseFromString(fragment.text(), &message)) {
    if (!error.found) return fragment.Error(0, "not a network text");
    return Explain(fragment, M::descriptor(), root_name,
                   fragment.OffsetOf(error.found->line, error.found->column), error.found->message);
  }
  if (const auto hidden = FindHiddenField(message, tree))
    return RefuseHiddenField(fragment, M::descriptor(), root_name, *hidden);
  NotePlaces(fragment, tree, M::descriptor()->FindFieldByName("layer"), *message.mutable_layer());
  if constexpr (std::is_same_v<M, Network>) {
    for (const char* field : {"input", "loss", "train"}) {
      const FieldDescriptor* descriptor = M::descriptor()->FindFieldByName(field);
      const TextFormat::ParseInfoTree* nested = tree.GetTreeForNested(descriptor, -1);
      if (nested == nullptr) continue;
      NoteFieldPlaces(fragment, *nested, message.GetReflection()->GetMessage(message, descriptor),
                      field, message);
    }
    if (message.layer().empty()) NotePlace(message, "layer", fragment.Place(0));
    if (message.loss().has_formula()) {
      const TextFormat::ParseInfoTree* loss =
          tree.GetTreeForNested(M::descriptor()->FindFieldByName("loss"), -1);
      const TextFormat::ParseInfoTree* formula =
          loss == nullptr
              ? nullptr
              : loss->GetTreeForNested(Loss::descriptor()->FindFieldByName("formula"), -1);
      if (formula != nullptr) {
        message.mutable_loss()->mutable_formula()->set_place(
            PlaceOfText(fragment, *formula, Loss::Formula::descriptor(), "text"));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<HiddenField> FindHiddenField(const Message& message,
                                           const TextFormat::ParseInfoTree& tree) {
  const Reflection* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->number() >= kFirstHiddenField)
      return HiddenField{field, tree.GetLocation(field, -1)};
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const TextFormat::ParseInfoTree* nested =
          tree.GetTreeForNested(field, field->is_repeated() ? i : -1);
      if (nested == nullptr) continue;
      const std::optional<HiddenField> found =
          FindHiddenField(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                               : reflection->GetMessage(message, field),
                          *nested);
      if (found) return found;
    }
  }
  return std::nullopt;
}

absl::Status RefuseHiddenField(const Fragment& fragment, const Descriptor* root,
                               absl::string_view root_name, const HiddenField& hidden) {
  const size_t begin = fragment.OffsetOf(hidden.at.line, hidden.at.column);
  return NoSuchField(fragment, root, root_name, begin, hidden.field->name());
}

absl::Status ParseFragment(const Fragment& fragment, absl::string_view root_name,
                           Network& network) {
  return Parse(fragment, root_name, network);
}

absl::Status ParseFragment(const Fragment& fragment, absl::string_view root_name, Block& block) {
  return Parse(fragment, root_name, block);
}

}  // namespace cotangent::layers
