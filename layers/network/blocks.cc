// Expands the blocks of a network text, the .textproto file that describes a network
// (network.proto). A block is a named group of layers with parameters (`$name`); each `use` of the
// block inserts the layers once or several times.

#include "layers/network/blocks.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "layers/network/fragment_parser.h"
#include "layers/network/nearest_name.h"
#include "layers/network/network_text.h"

namespace cotangent::layers {
namespace {

using google::protobuf::RepeatedPtrField;

struct BlockText {
  size_t begin, end;  // byte offsets in the source: the text between the block's braces
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

bool IsWordCharacter(char c) { return absl::ascii_isalnum(c) || c == '_'; }

// Returns whether `word` occurs in `text` as a whole word: "count" does not occur in
// "count_padding".
bool HasWord(absl::string_view text, absl::string_view word) {
  for (size_t at = text.find(word); at != absl::string_view::npos; at = text.find(word, at + 1)) {
    const size_t end = at + word.size();
    if ((at == 0 || !IsWordCharacter(text[at - 1])) &&
        (end == text.size() || !IsWordCharacter(text[end])))
      return true;
  }
  return false;
}

std::vector<std::string> Keys(const std::map<std::string, BlockText>& blocks) {
  std::vector<std::string> keys;
  for (const auto& [key, unused] : blocks) keys.push_back(key);
  return keys;
}

// Splits "channels=64, pad=[1, 2]" into {"channels", "64"}, {"pad", "[1, 2]"}.
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
    RETURN_IF_ERROR(TakeBlocks(rest));
    Network network;
    const Fragment fragment(source_, std::move(rest));
    RETURN_IF_ERROR(ParseFragment(fragment, "network", network));
    if (network.block_size() > 0)
      return source_.Error(0, "write each block as 'block { ... }', not as a list");
    RETURN_IF_ERROR(Expand(*network.mutable_layer(), 0));
    return network;
  }

 private:
  // Records all blocks of the text, and replaces them in `rest` by spaces; line breaks stay.
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
      RETURN_IF_ERROR(NoteBlock(tokens, open, close));
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
        RETURN_IF_ERROR(ExpandUse(layer, depth));
      } else {
        RETURN_IF_ERROR(Expand(*layer.mutable_sequence()->mutable_layer(), depth + 1));
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
    using Values = std::map<std::string, std::string>;
    ASSIGN_OR_RETURN(Values values, Arguments(layer, name, block));
    const bool counts = Counts(block);
    if (!counts || !layer.has_repeat() || layer.repeat() < 1) {
      if (counts) values.insert({{"index", "0"}, {"count", "1"}});
      ASSIGN_OR_RETURN(*layer.mutable_sequence(), Expanded(layer, block, name, values, depth));
      return absl::OkStatus();
    }
    // The block's text may depend on $index or $count (see Counts()), so each copy is expanded by
    // itself. The name of copy i is the number i, so that its layers get full names of the same
    // form ("stage.0.conv") as Build() in build.h gives to the copies of a repeated layer.
    values.emplace("count", absl::StrCat(layer.repeat()));
    Layer::Sequence copies;
    for (int64_t i = 0; i < layer.repeat(); ++i) {
      Values own = values;
      own.emplace("index", absl::StrCat(i));
      ASSIGN_OR_RETURN(Layer::Sequence sequence, Expanded(layer, block, name, own, depth));
      Layer& copy = *copies.add_layer();
      copy.set_name(absl::StrCat(i));
      copy.set_place(layer.place());
      *copy.mutable_frozen() = layer.frozen();
      *copy.mutable_sequence() = std::move(sequence);
    }
    layer.clear_repeat();
    layer.clear_frozen();
    *layer.mutable_sequence() = std::move(copies);
    return absl::OkStatus();
  }

  // Returns whether the block's text may depend on the number of the copy (`$index`) or on the
  // number of copies (`$count`): whether it contains the word "index" or "count", and no parameter
  // of the block has that name.
  bool Counts(const BlockText& block) const {
    const absl::string_view text = source_.text().substr(block.begin, block.end - block.begin);
    for (const char* word : {"index", "count"}) {
      const bool is_parameter = std::find(block.parameters.begin(), block.parameters.end(), word) !=
                                block.parameters.end();
      if (!is_parameter && HasWord(text, word)) return true;
    }
    return false;
  }

  // Returns the layers that a use of the block (`layer`) stands for if the block's parameters have
  // these values. `depth` counts the sequences and blocks around the use.
  absl::StatusOr<Layer::Sequence> Expanded(const Layer& layer, const BlockText& block,
                                           const std::string& name,
                                           const std::map<std::string, std::string>& values,
                                           int depth) {
    const auto error = [&](absl::string_view message) {
      return absl::InvalidArgumentError(absl::StrCat(layer.place(), ": ", message));
    };
    const std::string with = absl::StrJoin(values, ", ", absl::PairFormatter("="));
    ASSIGN_OR_RETURN(
        Fragment fragment,
        Fragment::Substitute(source_, block.begin, block.end, values,
                             absl::StrCat(" (in block '", name, "'", with.empty() ? "" : " with ",
                                          with.substr(0, 200), ", used at ", layer.place(), ")"),
                             kLongestExpandedText - std::min(expanded_, kLongestExpandedText)));
    expanded_ += fragment.text().size() + 1;
    if (expanded_ > kLongestExpandedText) return error(kTooLong);
    Block body;
    RETURN_IF_ERROR(ParseFragment(fragment, "block", body));
    active_.push_back(name);
    RETURN_IF_ERROR(Expand(*body.mutable_layer(), depth + 1));
    active_.pop_back();
    Layer::Sequence sequence;
    sequence.mutable_layer()->Swap(body.mutable_layer());
    return sequence;
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
  std::vector<std::string> active_;  // names of the blocks being expanded, outermost first
  size_t expanded_ = 0;              // size of the expanded blocks so far, in bytes
};

}  // namespace

absl::StatusOr<Network> ReadNetwork(const Source& source) { return Reader(source).Read(); }

}  // namespace cotangent::layers
