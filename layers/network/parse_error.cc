// Finds out what is wrong with a network text (the .textproto file that describes a network), from
// protobuf's error message and from the text around the place of the error.

#include "layers/network/parse_error.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "layers/network/nearest_name.h"

namespace cotangent::layers {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

std::vector<std::string> ValueNames(const FieldDescriptor* field) {
  std::vector<std::string> names;
  for (int i = 0; i < field->enum_type()->value_count(); ++i)
    names.push_back(field->enum_type()->value(i)->name());
  return names;
}

// The innermost message around a byte of a text, and the field to whose value the byte belongs.
struct Context {
  const Descriptor* message;     // null inside a field that does not exist
  std::string name;              // the message's field name, "network" at the top
  const FieldDescriptor* field;  // null if the byte is not within a value
};

Context ContextAt(absl::string_view text, const Descriptor* root, absl::string_view root_name,
                  size_t offset) {
  std::vector<Context> stack = {{root, std::string(root_name), nullptr}};
  const std::vector<Token> tokens = Tokenize(text);
  for (size_t i = 0; i < tokens.size() && tokens[i].begin < offset; ++i) {
    const Token& token = tokens[i];
    if (token.Opens()) {
      const FieldDescriptor* field = stack.back().field;
      const bool is_message =
          field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
      stack.push_back({is_message ? field->message_type() : nullptr,
                       field != nullptr ? field->name() : "", nullptr});
    } else if (token.Closes()) {
      if (stack.size() > 1) stack.pop_back();
    } else if (token.kind == Token::kWord && i + 1 < tokens.size() &&
               (tokens[i + 1].Is(":") || tokens[i + 1].Opens())) {
      const Descriptor* message = stack.back().message;
      stack.back().field =
          message == nullptr ? nullptr : message->FindFieldByName(std::string(token.text));
    }
  }
  return stack.back();
}

std::vector<std::string> Quoted(absl::string_view message) {
  std::vector<std::string> parts = absl::StrSplit(message, '"'), quoted;
  for (size_t i = 1; i + 1 < parts.size(); i += 2) quoted.push_back(parts[i]);
  return quoted;
}

// Returns the offset of the last token, beginning at `offset` at most, that equals `word`; `offset`
// if there is none. The parser reports some words only after it has read on, so `offset` lies after
// such a word.
size_t BeginOf(absl::string_view word, absl::string_view text, size_t offset) {
  size_t found = offset;
  for (const Token& token : Tokenize(text)) {
    if (token.begin > offset) break;
    if (token.text == word) found = token.begin;
  }
  return found;
}

// Returns the text at byte `offset`: a token, or an entire number with its sign and decimals; "the
// end" after the last token.
absl::string_view FoundAt(absl::string_view text, size_t offset) {
  for (const Token& token : Tokenize(text)) {
    if (token.end <= offset) continue;
    size_t end = token.end;
    const auto is_numeric = [](char c) {
      return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '+';
    };
    if (is_numeric(text[token.begin])) {
      while (end < text.size() && is_numeric(text[end])) ++end;
    }
    return text.substr(token.begin, end - token.begin);
  }
  return "the end";
}

// Returns the number with a decimal comma whose digits after the comma begin at this byte, as
// "0,05"; empty if there is none. (A comma may stand between two fields, but not within a number.)
absl::string_view DecimalCommaAt(absl::string_view text, size_t offset) {
  size_t begin = offset, end = offset;
  while (end < text.size() && absl::ascii_isdigit(text[end])) ++end;
  if (end == offset || begin < 2 || text[--begin] != ',') return "";
  const size_t comma = begin;
  while (begin > 0 && absl::ascii_isdigit(text[begin - 1])) --begin;
  return begin == comma ? "" : text.substr(begin, end - begin);
}

// Returns whether the parser expects a value at byte `offset` of the text, rather than the name of
// a field.
bool IsValueDue(absl::string_view text, size_t offset) {
  absl::string_view before;
  for (const Token& token : Tokenize(text)) {
    if (token.begin >= offset) break;
    before = token.text;
  }
  return before == ":" || before == "[" || before == "," || before == "-";
}

}  // namespace

std::vector<std::string> FieldNames(const Descriptor* message) {
  std::vector<std::string> names;
  for (int i = 0; i < message->field_count(); ++i) {
    if (message->field(i)->number() < kFirstHiddenField) names.push_back(message->field(i)->name());
  }
  return names;
}

std::string Expectation(const FieldDescriptor* field) {
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return "a whole number";
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return "a whole number that is not negative";
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return absl::StrCat("one of ", absl::StrJoin(ValueNames(field), ", "));
    case FieldDescriptor::CPPTYPE_STRING:
      return "a text in quotes";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return "{ ... }";
  }
  return "";
}

absl::Status NoSuchField(const Fragment& fragment, const Descriptor* root,
                         absl::string_view root_name, size_t begin, absl::string_view name) {
  const Context context = ContextAt(fragment.text(), root, root_name, begin);
  return fragment.Error(begin, absl::StrCat("'", context.name, "' has no field '", name, "'; ",
                                            Suggestion(name, context.message == nullptr
                                                                 ? std::vector<std::string>()
                                                                 : FieldNames(context.message))));
}

absl::Status Explain(const Fragment& fragment, const Descriptor* root, absl::string_view root_name,
                     size_t offset, absl::string_view message) {
  const absl::string_view text = fragment.text();
  const std::vector<std::string> quoted = Quoted(message);
  if (absl::StrContains(message, "has no field named") && quoted.size() >= 2) {
    const size_t begin = BeginOf(quoted[1], text, offset);
    return NoSuchField(fragment, root, root_name, begin, quoted[1]);
  }
  if (absl::StartsWith(message, "Unknown enumeration value of") && quoted.size() >= 2) {
    const size_t begin = BeginOf(quoted[0], text, offset);
    const FieldDescriptor* field = ContextAt(text, root, root_name, begin).field;
    const bool known = field != nullptr && field->cpp_type() == FieldDescriptor::CPPTYPE_ENUM;
    return fragment.Error(
        begin, absl::StrCat(
                   "'", quoted[1], "' cannot be '", quoted[0], "'; ",
                   Suggestion(quoted[0], known ? ValueNames(field) : std::vector<std::string>())));
  }
  if (absl::StartsWith(message, "Non-repeated field") && !quoted.empty()) {
    const size_t begin = BeginOf(quoted[0], text, offset);
    return fragment.Error(
        begin, absl::StrCat("'", quoted[0], "' is given twice in '",
                            ContextAt(text, root, root_name, begin).name, "'; expected once"));
  }
  if (absl::StrContains(message, "is specified along with field") && quoted.size() >= 2) {
    const size_t begin = BeginOf(quoted[0], text, offset);
    return fragment.Error(begin, absl::StrCat("'", ContextAt(text, root, root_name, begin).name,
                                              "' already has '", quoted[1], "' and cannot have '",
                                              quoted[0], "' too; keep one of them"));
  }
  if (absl::StartsWith(message, "Message is too deep")) {
    return fragment.Error(offset, absl::StrCat("nested deeper than ", kDeepestMessage,
                                               " levels; expected a flatter text"));
  }
  if (absl::StartsWith(message, "Invalid value for boolean field") && quoted.size() >= 2) {
    return fragment.Error(
        BeginOf(quoted[1], text, offset),
        absl::StrCat("'", quoted[0], "' expects true or false, but found '", quoted[1], "'"));
  }
  const Context context = ContextAt(text, root, root_name, offset);
  const absl::string_view found = FoundAt(text, offset);
  if (const absl::string_view number = DecimalCommaAt(text, offset);
      context.field != nullptr && !number.empty()) {
    return fragment.Error(
        number.data() - text.data(),
        absl::StrCat("'", context.field->name(), "' has a decimal comma, ", number,
                     "; expected a point: ", absl::StrReplaceAll(number, {{",", "."}})));
  }
  const bool out_of_range = absl::StartsWith(message, "Integer out of range");
  if (context.field != nullptr && IsValueDue(text, offset) &&
      (out_of_range || absl::StartsWith(message, "Expected ") ||
       absl::StartsWith(message, "Invalid "))) {
    return fragment.Error(offset, absl::StrCat("'", context.field->name(), "' expects ",
                                               Expectation(context.field), ", but found ", found,
                                               out_of_range ? ", which is out of its range" : ""));
  }
  if (absl::StartsWith(message, "Expected identifier, got: ")) {
    return fragment.Error(
        offset, absl::StrCat("expected a field of '", context.name, "', but found ", found,
                             found == "the end" ? "; is a '}' missing?"
                             : found == "}"     ? "; is there a '}' too many?"
                                                : ""));
  }
  if (absl::StartsWith(message, "String literals cannot cross line boundaries"))
    return fragment.Error(offset, "the line ends within a text; expected the quote that closes it");
  if (absl::StartsWith(message, "Invalid control characters"))
    return fragment.Error(offset, "bytes that are no text; expected a network text");
  std::string plain(message);
  if (!plain.empty()) plain[0] = absl::ascii_tolower(plain[0]);
  while (!plain.empty() && plain.back() == '.') plain.pop_back();
  return fragment.Error(offset, plain);
}

}  // namespace cotangent::layers
