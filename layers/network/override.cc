// Sets single fields of a network by assignments such as "layer[conv1].convolution.channels=8".

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "google/protobuf/text_format.h"
#include "layers/network/fragment_parser.h"
#include "layers/network/nearest_name.h"
#include "layers/network/network_text.h"
#include "layers/network/parse_error.h"

namespace cotangent::layers {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::RepeatedPtrField;
using google::protobuf::TextFormat;

// A step of a path: "layer[conv1]" has the field "layer" and the selector "conv1".
struct Step {
  std::string field;
  std::optional<std::string> selector;
};

absl::Status BadPath(absl::string_view assignment, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("--set ", assignment, ": ", message));
}

// Splits "layer[conv1].linear=..." into the steps of its path and the value.
absl::StatusOr<std::pair<std::vector<Step>, std::string>> SplitAssignment(
    absl::string_view assignment) {
  std::vector<Step> steps;
  size_t i = 0;
  while (true) {
    Step step;
    while (i < assignment.size() && (absl::ascii_isalnum(assignment[i]) || assignment[i] == '_'))
      step.field += assignment[i++];
    if (step.field.empty())
      return BadPath(assignment, "expected field.path=value, such as train.epochs=5");
    if (i < assignment.size() && assignment[i] == '[') {
      const size_t close = assignment.find(']', i);
      if (close == absl::string_view::npos)
        return BadPath(assignment, "a '[' is not closed; expected a ']' for it");
      step.selector = std::string(assignment.substr(i + 1, close - i - 1));
      i = close + 1;
    }
    steps.push_back(std::move(step));
    if (i < assignment.size() && assignment[i] == '.') {
      ++i;
      continue;
    }
    if (i < assignment.size() && assignment[i] == '=')
      return std::pair(std::move(steps), std::string(assignment.substr(i + 1)));
    return BadPath(assignment, "expected field.path=value, such as train.epochs=5");
  }
}

absl::StatusOr<const FieldDescriptor*> FindField(const Message& message, absl::string_view inside,
                                                 const Step& step, absl::string_view assignment) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(step.field);
  if (field != nullptr && field->number() < kFirstHiddenField) return field;
  return BadPath(assignment,
                 absl::StrCat("'", inside, "' has no field '", step.field, "'; ",
                              Suggestion(step.field, FieldNames(message.GetDescriptor()))));
}

// Returns the element of a repeated message field that the step selects by the element's `name` or
// by its position, counted from 0; without a selector, the only element.
absl::StatusOr<Message*> Select(Message& parent, const FieldDescriptor* field, const Step& step,
                                absl::string_view assignment) {
  const Reflection* reflection = parent.GetReflection();
  const int size = reflection->FieldSize(parent, field);
  const FieldDescriptor* name = field->message_type()->FindFieldByName("name");
  std::vector<std::string> names;
  for (int i = 0; i < size; ++i) {
    const Message& element = reflection->GetRepeatedMessage(parent, field, i);
    const bool named = name != nullptr && element.GetReflection()->HasField(element, name);
    names.push_back(named ? element.GetReflection()->GetString(element, name) : absl::StrCat(i));
    if (named && step.selector == names.back())
      return reflection->MutableRepeatedMessage(&parent, field, i);
  }
  if (!step.selector && size == 1) return reflection->MutableRepeatedMessage(&parent, field, 0);
  if (!step.selector) {
    return BadPath(assignment,
                   absl::StrCat("there are ", size, " of '", field->name(), "'; expected ",
                                field->name(), "[name or number]: ", absl::StrJoin(names, ", ")));
  }
  int position = -1;
  if (absl::SimpleAtoi(*step.selector, &position) && position >= 0 && position < size)
    return reflection->MutableRepeatedMessage(&parent, field, position);
  return BadPath(assignment, absl::StrCat("there is no ", field->name(), " '", *step.selector,
                                          "'; ", Suggestion(*step.selector, names)));
}

// Returns the message in `field`, for the next step of the path. Returns an error if `field`
// belongs to a oneof of which another member is set: setting a field inside `field` would not
// select it.
absl::StatusOr<Message*> Descend(Message& message, const FieldDescriptor* field, const Step& step,
                                 absl::string_view assignment) {
  if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
    return BadPath(assignment, absl::StrCat("'", field->name(), "' is ", Expectation(field),
                                            " and has no fields; set ", field->name(), "=..."));
  }
  if (field->is_repeated()) return Select(message, field, step, assignment);
  if (step.selector)
    return BadPath(assignment, absl::StrCat("there is only one '", field->name(),
                                            "'; expected no [", *step.selector, "]"));
  const Reflection* reflection = message.GetReflection();
  if (const auto* oneof = field->containing_oneof(); oneof != nullptr) {
    const FieldDescriptor* chosen = reflection->GetOneofFieldDescriptor(message, oneof);
    if (chosen != nullptr && chosen != field) {
      return BadPath(assignment,
                     absl::StrCat("it is '", chosen->name(), "', not '", field->name(),
                                  "'; to change it, set ", field->name(), "={...} as a whole"));
    }
  }
  return reflection->MutableMessage(&message, field);
}

absl::Status Assign(Message& parent, const FieldDescriptor* field, std::string value,
                    absl::string_view assignment) {
  value = std::string(absl::StripAsciiWhitespace(value));
  if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING && !absl::StartsWith(value, "\"") &&
      !absl::StartsWith(value, "'") && !absl::StartsWith(value, "[")) {
    value = absl::StrCat("\"", absl::CEscape(value), "\"");
  }
  std::unique_ptr<Message> parsed(parent.New());
  TextFormat::Parser parser;
  FirstError error;
  TextFormat::ParseInfoTree tree;
  parser.RecordErrorsTo(&error);
  parser.WriteLocationsTo(&tree);
  parser.SetRecursionLimit(kDeepestMessage);
  const std::string text = absl::StrCat(field->name(), ": ", value);
  const bool ok = parser.ParseFromString(text, parsed.get());
  const std::optional<HiddenField> hidden = ok ? FindHiddenField(*parsed, tree) : std::nullopt;
  if (!ok || hidden) {
    const Source source("value", text);
    const Fragment fragment(source, text);
    const Descriptor* root = parent.GetDescriptor();
    const size_t offset =
        error.found ? fragment.OffsetOf(error.found->line, error.found->column) : 0;
    const absl::Status why = hidden ? RefuseHiddenField(fragment, root, root->name(), *hidden)
                                    : Explain(fragment, root, root->name(), offset,
                                              error.found ? error.found->message : "not a value");
    const absl::string_view message = why.message();
    return BadPath(assignment, message.substr(message.find(": ") + 2));
  }
  std::vector<const FieldDescriptor*> set;
  parsed->GetReflection()->ListFields(*parsed, &set);
  if (set.size() > 1 || (set.size() == 1 && set[0] != field))
    return BadPath(assignment, absl::StrCat("expected one value, ", Expectation(field)));
  parent.GetReflection()->ClearField(&parent, field);
  parent.MergeFrom(*parsed);
  return absl::OkStatus();
}

bool HasUse(const RepeatedPtrField<Layer>& layers) {
  return std::any_of(layers.begin(), layers.end(), [](const Layer& layer) {
    return layer.has_use() || HasUse(layer.sequence().layer());
  });
}

}  // namespace

absl::Status ApplyOverride(Network& network, absl::string_view assignment) {
  ASSIGN_OR_RETURN(auto split, SplitAssignment(assignment));
  Network changed = network;
  Message* message = &changed;
  std::string inside = "network";
  const std::vector<Step>& steps = split.first;
  for (size_t i = 0; i < steps.size(); ++i) {
    ASSIGN_OR_RETURN(const FieldDescriptor* field,
                     FindField(*message, inside, steps[i], assignment));
    inside = field->name();
    const bool is_last = i + 1 == steps.size();
    if (is_last && !steps[i].selector) {
      RETURN_IF_ERROR(Assign(*message, field, split.second, assignment));
      break;
    }
    if (is_last) {
      return BadPath(assignment, absl::StrCat("one element of '", inside,
                                              "' cannot be replaced; set the whole list ", inside,
                                              "=[...], or a field of it"));
    }
    ASSIGN_OR_RETURN(message, Descend(*message, field, steps[i], assignment));
  }
  if (changed.block_size() > 0 || HasUse(changed.layer())) {
    return BadPath(assignment,
                   "blocks are there while the text is read, and no longer; write out the layers "
                   "themselves, as 'sequence { layer { ... } }'");
  }
  NotePlace(changed, absl::StripAsciiWhitespace(assignment.substr(0, assignment.find('='))),
            absl::StrCat("--set ", assignment));
  network.Swap(&changed);
  return absl::OkStatus();
}

}  // namespace cotangent::layers
