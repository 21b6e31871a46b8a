#include "layers/network/network_text.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "google/protobuf/io/tokenizer.h"
#include "google/protobuf/text_format.h"
#include "layers/network/editor_text.h"
#include "layers/network/nearest_name.h"
#include "layers/network/source_text.h"

namespace cotangent::layers {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::RepeatedPtrField;
using google::protobuf::TextFormat;

// A sequence is two messages deep, the recipe below it a few more.
constexpr int kDeepestMessage = 4 * kDeepestNesting;
// Fields with this number and higher are written by ParseNetwork() alone.
constexpr int kFirstHiddenField = 100;

// ---- What protobuf's parser complains about, in the user's terms
// ---------------------------------------------------

// The message that stands around a byte of a text, and the field whose value the byte belongs to.
struct Context {
  const Descriptor* message;     // null inside unknown fields
  std::string name;              // the message's field name, "network" at the top
  const FieldDescriptor* field;  // null outside values
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

std::vector<std::string> FieldNames(const Descriptor* message) {
  std::vector<std::string> names;
  for (int i = 0; i < message->field_count(); ++i) {
    if (message->field(i)->number() < kFirstHiddenField) names.push_back(message->field(i)->name());
  }
  return names;
}

std::vector<std::string> ValueNames(const FieldDescriptor* field) {
  std::vector<std::string> names;
  for (int i = 0; i < field->enum_type()->value_count(); ++i)
    names.push_back(field->enum_type()->value(i)->name());
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

std::vector<std::string> Quoted(absl::string_view message) {
  std::vector<std::string> parts = absl::StrSplit(message, '"'), quoted;
  for (size_t i = 1; i + 1 < parts.size(); i += 2) quoted.push_back(parts[i]);
  return quoted;
}

// The parser complains about some words after having read them: the last such word up to `offset`.
size_t BeginOf(absl::string_view word, absl::string_view text, size_t offset) {
  size_t found = offset;
  for (const Token& token : Tokenize(text)) {
    if (token.begin > offset) break;
    if (token.text == word) found = token.begin;
  }
  return found;
}

// What stands at a byte: a token, a number as a whole.
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

// Whether a value, rather than a field's name, is due at a byte.
bool IsValueDue(absl::string_view text, size_t offset) {
  absl::string_view before;
  for (const Token& token : Tokenize(text)) {
    if (token.begin >= offset) break;
    before = token.text;
  }
  return before == ":" || before == "[" || before == "," || before == "-";
}

absl::Status NoSuchField(const Fragment& fragment, size_t begin, const Context& context,
                         absl::string_view name) {
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
    return NoSuchField(fragment, begin, ContextAt(text, root, root_name, begin), quoted[1]);
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

// ---- Parsing with places
// -------------------------------------------------------------------------------------------

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

// A field that only ParseNetwork() writes, set by a text.
struct HiddenField {
  const FieldDescriptor* field;
  TextFormat::ParseLocation at;
};

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

// As if it were not there.
absl::Status RefuseHiddenField(const Fragment& fragment, const Descriptor* root,
                               absl::string_view root_name, const HiddenField& hidden) {
  const size_t begin = fragment.OffsetOf(hidden.at.line, hidden.at.column);
  return NoSuchField(fragment, begin, ContextAt(fragment.text(), root, root_name, begin),
                     hidden.field->name());
}

// Where the text in quotes begins that is the value of `field`.
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
    if (layer.has_sequence() && nested("sequence") != nullptr) {
      NotePlaces(fragment, *nested("sequence"),
                 Layer::Sequence::descriptor()->FindFieldByName("layer"),
                 *layer.mutable_sequence()->mutable_layer());
    }
  }
}

// Of the fields of `message`, which stands at `path`, and of all in them.
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

// Parses a Network or Block.
template <typename M>
absl::Status ParseFragment(const Fragment& fragment, absl::string_view root_name, M& message) {
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
    const TextFormat::ParseInfoTree* train =
        tree.GetTreeForNested(M::descriptor()->FindFieldByName("train"), -1);
    if (train != nullptr) NoteFieldPlaces(fragment, *train, message.train(), "train", message);
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

// ---- Blocks
// ----------------------------------------------------------------------------------------------------------

struct BlockText {
  size_t begin, end;  // between its braces
  std::vector<std::string> parameters;
  std::map<std::string, std::string> defaults;
};

bool IsIdentifier(absl::string_view name) {
  return !name.empty() && !absl::ascii_isdigit(name[0]) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

std::string ContentOf(const Token& string) {
  std::string content;
  const absl::string_view quoted = string.text;
  if (quoted.size() < 2 || !absl::CUnescape(quoted.substr(1, quoted.size() - 2), &content))
    return std::string(quoted);
  return content;
}

std::vector<std::string> Keys(const std::map<std::string, BlockText>& blocks) {
  std::vector<std::string> keys;
  for (const auto& [key, unused] : blocks) keys.push_back(key);
  return keys;
}

// "channels=64, pad=[1, 2]" -> {"channels", "64"}, {"pad", "[1, 2]"}.
std::vector<std::pair<std::string, std::string>> SplitArguments(absl::string_view text) {
  std::vector<std::pair<std::string, std::string>> arguments;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i < text.size() && (text[i] == '[' || text[i] == '{')) ++depth;
    if (i < text.size() && (text[i] == ']' || text[i] == '}')) --depth;
    if (i < text.size() && (text[i] != ',' || depth > 0)) continue;
    const absl::string_view argument = absl::StripAsciiWhitespace(text.substr(begin, i - begin));
    begin = i + 1;
    if (argument.empty()) continue;
    const std::pair<absl::string_view, absl::string_view> sides =
        absl::StrSplit(argument, absl::MaxSplits('=', 1));
    arguments.emplace_back(absl::StripAsciiWhitespace(sides.first),
                           absl::StripAsciiWhitespace(sides.second));
    if (!absl::StrContains(argument, '=')) arguments.back().second = "";
  }
  return arguments;
}

class Reader {
 public:
  explicit Reader(const Source& source) : source_(source) {}

  absl::StatusOr<Network> Read() {
    std::string rest(source_.text());
    if (absl::Status status = TakeBlocks(rest); !status.ok()) return status;
    Network network;
    const Fragment fragment(source_, std::move(rest));
    if (absl::Status status = ParseFragment(fragment, "network", network); !status.ok())
      return status;
    if (network.block_size() > 0)
      return source_.Error(0, "write each block as 'block { ... }', not as a list");
    if (absl::Status status = Expand(*network.mutable_layer(), 0); !status.ok()) return status;
    return network;
  }

 private:
  // Notes all blocks, and blanks them out of `rest`.
  absl::Status TakeBlocks(std::string& rest) {
    const std::vector<Token> tokens = Tokenize(source_.text());
    int depth = 0;
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (tokens[i].Is("$"))
        return source_.Error(tokens[i].begin,
                             "'$' names a parameter of a block, but this is outside of any block; "
                             "write its value");
      if (tokens[i].Opens()) ++depth;
      if (tokens[i].Closes()) --depth;
      if (depth != 0 || !tokens[i].Is("block")) continue;
      size_t open = i + 1;
      if (open < tokens.size() && tokens[open].Is(":")) ++open;
      if (open >= tokens.size() || !tokens[open].Opens()) continue;
      size_t close = open + 1;
      for (int inner = 1; close < tokens.size(); ++close) {
        if (tokens[close].Opens()) ++inner;
        if (tokens[close].Closes() && --inner == 0) break;
      }
      if (close >= tokens.size())
        return source_.Error(tokens[open].begin, "this block is not closed; expected a '}' for it");
      if (absl::Status status = NoteBlock(tokens, open, close); !status.ok()) return status;
      for (size_t at = tokens[i].begin; at < tokens[close].end; ++at) {
        if (!absl::ascii_isspace(rest[at])) rest[at] = ' ';
      }
      i = close;
    }
    return absl::OkStatus();
  }

  absl::Status NoteBlock(const std::vector<Token>& tokens, size_t open, size_t close) {
    BlockText block = {tokens[open].end, tokens[close].begin, {}, {}};
    std::string name;
    int depth = 0;
    absl::string_view field;
    for (size_t i = open + 1; i < close; ++i) {
      if (tokens[i].Opens()) ++depth;
      if (tokens[i].Closes()) --depth;
      if (depth != 0) continue;
      if (tokens[i].kind == Token::kWord) field = tokens[i].text;
      if (tokens[i].kind != Token::kString) continue;
      if (field == "name") name = ContentOf(tokens[i]);
      if (field != "parameter") continue;
      const auto arguments = SplitArguments(ContentOf(tokens[i]));
      if (arguments.size() != 1 || !IsIdentifier(arguments[0].first)) {
        return source_.Error(
            tokens[i].begin,
            absl::StrCat("a block's parameter is \"name\" or \"name=default\", but found ",
                         tokens[i].text));
      }
      const std::string& parameter = arguments[0].first;
      if (std::find(block.parameters.begin(), block.parameters.end(), parameter) !=
          block.parameters.end()) {
        return source_.Error(
            tokens[i].begin,
            absl::StrCat("parameter '", parameter, "' is there twice; expected different names"));
      }
      block.parameters.push_back(parameter);
      if (absl::StrContains(tokens[i].text, '=')) block.defaults[parameter] = arguments[0].second;
    }
    if (name.empty())
      return source_.Error(tokens[open].begin,
                           "this block has no name; expected name: \"...\" in it");
    if (!blocks_.emplace(name, std::move(block)).second) {
      return source_.Error(
          tokens[open].begin,
          absl::StrCat("there is a block '", name, "' already; give this one another name"));
    }
    return absl::OkStatus();
  }

  absl::Status Expand(RepeatedPtrField<Layer>& layers, int depth) {
    for (Layer& layer : layers) {
      if (!layer.has_sequence() && !layer.has_use()) continue;
      if (depth >= kDeepestNesting) {
        return absl::InvalidArgumentError(
            absl::StrCat(layer.place(), ": sequences and blocks nest deeper than ", kDeepestNesting,
                         " levels; expected a flatter network"));
      }
      if (layer.has_use()) {
        if (absl::Status status = ExpandUse(layer, depth); !status.ok()) return status;
      } else if (absl::Status status =
                     Expand(*layer.mutable_sequence()->mutable_layer(), depth + 1);
                 !status.ok()) {
        return status;
      }
    }
    return absl::OkStatus();
  }

  absl::Status ExpandUse(Layer& layer, int depth) {
    const std::string name = layer.use().block();
    const auto error = [&](absl::string_view message) {
      return absl::InvalidArgumentError(absl::StrCat(layer.place(), ": ", message));
    };
    if (name.empty()) return error("'use' names no block; expected block: \"...\"");
    const auto found = blocks_.find(name);
    if (found == blocks_.end())
      return error(
          absl::StrCat("there is no block '", name, "'; ", Suggestion(name, Keys(blocks_))));
    const BlockText& block = found->second;
    if (std::find(active_.begin(), active_.end(), name) != active_.end()) {
      return error(absl::StrCat("block '", name, "' uses itself: ", absl::StrJoin(active_, " -> "),
                                " -> ", name, "; take this use out of it"));
    }
    absl::StatusOr<std::map<std::string, std::string>> values = Arguments(layer, name, block);
    if (!values.ok()) return values.status();
    const std::string with = absl::StrJoin(*values, ", ", absl::PairFormatter("="));
    absl::StatusOr<Fragment> fragment =
        Fragment::Substitute(source_, block.begin, block.end, *values,
                             absl::StrCat(" (in block '", name, "'", with.empty() ? "" : " with ",
                                          with.substr(0, 200), ", used at ", layer.place(), ")"),
                             kLongestExpandedText - std::min(expanded_, kLongestExpandedText));
    if (!fragment.ok()) return fragment.status();
    expanded_ += fragment->text().size() + 1;
    if (expanded_ > kLongestExpandedText) return error(kTooLong);
    Block body;
    if (absl::Status status = ParseFragment(*fragment, "block", body); !status.ok()) return status;
    active_.push_back(name);
    if (absl::Status status = Expand(*body.mutable_layer(), depth + 1); !status.ok()) return status;
    active_.pop_back();
    layer.mutable_sequence()->mutable_layer()->Swap(body.mutable_layer());
    return absl::OkStatus();
  }

  absl::StatusOr<std::map<std::string, std::string>> Arguments(const Layer& layer,
                                                               const std::string& name,
                                                               const BlockText& block) {
    const auto error = [&](absl::string_view message) {
      return absl::InvalidArgumentError(absl::StrCat(layer.place(), ": ", message));
    };
    std::map<std::string, std::string> values = block.defaults, given;
    for (const std::string& with : layer.use().with()) {
      for (const auto& [parameter, value] : SplitArguments(with)) {
        if (std::find(block.parameters.begin(), block.parameters.end(), parameter) ==
            block.parameters.end()) {
          return error(absl::StrCat("block '", name, "' has no parameter '", parameter, "'; ",
                                    Suggestion(parameter, block.parameters)));
        }
        if (value.empty())
          return error(absl::StrCat("parameter '", parameter, "' of block '", name,
                                    "' is given no value; expected ", parameter, "=..."));
        if (!given.emplace(parameter, value).second)
          return error(absl::StrCat("parameter '", parameter, "' is given twice; expected once"));
        values[parameter] = value;
      }
    }
    for (const std::string& parameter : block.parameters) {
      if (values.count(parameter) == 0) {
        return error(absl::StrCat("block '", name, "' needs a value for '", parameter,
                                  "'; expected with: \"", parameter, "=...\""));
      }
    }
    return values;
  }

  const Source& source_;
  std::map<std::string, BlockText> blocks_;
  std::vector<std::string> active_;  // blocks being expanded, outermost first
  size_t expanded_ = 0;              // bytes so far
};

// ---- Overrides
// ---------------------------------------------------------------------------------------------------------

struct Step {
  std::string field;
  std::optional<std::string> selector;
};

absl::Status BadPath(absl::string_view assignment, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("--set ", assignment, ": ", message));
}

// "layer[conv1].linear=..." -> steps, value.
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

// The element of a repeated message that a step selects, by its field `name` or by position.
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

// One step down to a message, or an error if another member of its oneof is set: reaching into an
// alternative is not choosing it.
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

void RemovePlaces(RepeatedPtrField<Layer>& layers) {
  for (Layer& layer : layers) {
    layer.clear_place();
    if (layer.has_activation()) layer.mutable_activation()->clear_formula_place();
    if (layer.has_sequence()) RemovePlaces(*layer.mutable_sequence()->mutable_layer());
  }
}

}  // namespace

absl::StatusOr<Network> ParseNetwork(absl::string_view text, absl::string_view file) {
  if (text.size() > kLongestNetworkText) {
    return absl::InvalidArgumentError(
        absl::StrCat(file, ": ", text.size(), " bytes long; expected a network text of at most ",
                     kLongestNetworkText));
  }
  const Source source(file, WithoutEditorMarks(text));
  if (absl::Status status = CheckCharacters(source); !status.ok()) return status;
  return Reader(source).Read();
}

absl::Status ApplyOverride(Network& network, absl::string_view assignment) {
  auto split = SplitAssignment(assignment);
  if (!split.ok()) return split.status();
  Network changed = network;
  Message* message = &changed;
  std::string inside = "network";
  const std::vector<Step>& steps = split->first;
  for (size_t i = 0; i < steps.size(); ++i) {
    absl::StatusOr<const FieldDescriptor*> field =
        FindField(*message, inside, steps[i], assignment);
    if (!field.ok()) return field.status();
    inside = (*field)->name();
    const bool is_last = i + 1 == steps.size();
    if (is_last && !steps[i].selector) {
      if (absl::Status status = Assign(*message, *field, split->second, assignment); !status.ok())
        return status;
      break;
    }
    if (is_last) {
      return BadPath(assignment, absl::StrCat("one element of '", inside,
                                              "' cannot be replaced; set the whole list ", inside,
                                              "=[...], or a field of it"));
    }
    absl::StatusOr<Message*> next = Descend(*message, *field, steps[i], assignment);
    if (!next.ok()) return next.status();
    message = *next;
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

std::string NetworkText(const Network& network) {
  Network plain = network;
  plain.clear_field_place();
  RemovePlaces(*plain.mutable_layer());
  if (plain.loss().has_formula()) plain.mutable_loss()->mutable_formula()->clear_place();
  TextFormat::Printer printer;
  printer.SetUseShortRepeatedPrimitives(true);
  std::string text;
  printer.PrintToString(plain, &text);
  return text;
}

}  // namespace cotangent::layers
