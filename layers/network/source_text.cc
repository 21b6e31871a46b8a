// Substitutes parameters in pieces of a network text (the .textproto file that describes a
// network), and finds for each byte of the result the place in the file from which it comes.

#include "layers/network/source_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "layers/network/arithmetic.h"
#include "layers/network/nearest_name.h"

namespace cotangent::layers {
namespace {

std::vector<size_t> LineStarts(absl::string_view text) {
  std::vector<size_t> starts = {0};
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') starts.push_back(i + 1);
  }
  return starts;
}

bool IsWordCharacter(char c) { return absl::ascii_isalnum(c) || c == '_'; }

size_t EndOfWord(absl::string_view text, size_t begin) {
  while (begin < text.size() && IsWordCharacter(text[begin])) ++begin;
  return begin;
}

size_t EndOfLine(absl::string_view text, size_t begin) {
  return std::min(text.find('\n', begin), text.size());
}

// Returns the position after the closing quote, or the end of the line if there is no closing
// quote.
size_t EndOfString(absl::string_view text, size_t begin) {
  for (size_t i = begin + 1; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == '\\')
      ++i;
    else if (text[i] == text[begin])
      return i + 1;
  }
  return EndOfLine(text, begin);
}

// Returns the position of the ')' that closes the '(' at `open`, in the same line; npos if there is
// none.
size_t ClosingParenthesis(absl::string_view text, size_t open) {
  int depth = 0;
  for (size_t i = open; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == '(') ++depth;
    if (text[i] == ')' && --depth == 0) return i;
  }
  return absl::string_view::npos;
}

}  // namespace

Source::Source(absl::string_view file, absl::string_view text)
    : file_(file), text_(text), line_starts_(LineStarts(text)) {}

std::string Source::Place(size_t offset) const {
  offset = std::min(offset, text_.size());
  const auto line = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset) - 1;
  return absl::StrCat(file_, ":", line - line_starts_.begin() + 1, ":", offset - *line + 1);
}

absl::Status Source::Error(size_t offset, absl::string_view message) const {
  return absl::InvalidArgumentError(absl::StrCat(Place(offset), ": ", message));
}

Fragment::Fragment(const Source& source, std::string text)
    : source_(&source),
      text_(std::move(text)),
      segments_({{0, 0, true}}),
      line_starts_(LineStarts(text_)) {}

absl::StatusOr<Fragment> Fragment::Substitute(const Source& source, size_t begin, size_t end,
                                              const std::map<std::string, std::string>& values,
                                              std::string purpose, size_t longest) {
  const absl::string_view text = source.text();
  Fragment result(source, "");
  result.purpose_ = std::move(purpose);
  result.segments_ = {{0, begin, true}};
  char quote = 0;  // the quote that opened the string around byte i, or 0
  for (size_t i = begin; i < end;) {
    if (quote == 0 && text[i] == '#') {
      i = std::min(EndOfLine(text, i), end);
      result.segments_.push_back({result.text_.size(), i, true});
      continue;
    }
    if (text[i] == '$' && i + 1 < end && text[i + 1] == '(') {
      const size_t close = ClosingParenthesis(text.substr(0, end), i + 1);
      if (close == absl::string_view::npos)
        return source.Error(i, "this '$(' is not closed; expected a ')' for it in its line");
      size_t error_at = 0;
      const absl::StatusOr<std::string> value =
          EvaluateArithmetic(text.substr(i + 2, close - i - 2), values, error_at);
      if (!value.ok()) return source.Error(i + 2 + error_at, value.status().message());
      result.segments_.push_back({result.text_.size(), i, false});
      result.text_ += *value;
      if (result.text_.size() > longest) return source.Error(i, kTooLong);
      i = close + 1;
      result.segments_.push_back({result.text_.size(), i, true});
      continue;
    }
    if (text[i] == '$') {
      const size_t name_end = EndOfWord(text, i + 1);
      const std::string name(text.substr(i + 1, name_end - i - 1));
      const auto value = values.find(name);
      if (value == values.end()) {
        std::vector<std::string> names;
        for (const auto& [known, unused] : values) names.push_back(known);
        return source.Error(i, absl::StrCat("'$", name, "' is no parameter of this block; ",
                                            Suggestion(name, names)));
      }
      result.segments_.push_back({result.text_.size(), i, false});
      result.text_ += value->second;
      if (result.text_.size() > longest) return source.Error(i, kTooLong);
      i = name_end;
      result.segments_.push_back({result.text_.size(), i, true});
      continue;
    }
    if (quote != 0 && text[i] == '\\' && i + 1 < end)
      result.text_ += text[i++];
    else if (text[i] == '\n' || (quote != 0 && text[i] == quote))
      quote = 0;
    else if (quote == 0 && (text[i] == '"' || text[i] == '\''))
      quote = text[i];
    result.text_ += text[i++];
  }
  result.line_starts_ = LineStarts(result.text_);
  return result;
}

size_t Fragment::OffsetOf(int line, int column) const {
  if (line < 0) return 0;
  if (line >= static_cast<int>(line_starts_.size())) return text_.size();
  size_t offset = line_starts_[line];
  for (int at = 0; at < column && offset < text_.size() && text_[offset] != '\n'; ++offset) {
    at = text_[offset] == '\t' ? at / 8 * 8 + 8 : at + 1;
  }
  return offset;
}

size_t Fragment::Origin(size_t offset) const {
  const auto after =
      std::upper_bound(segments_.begin(), segments_.end(), offset,
                       [](size_t value, const Segment& segment) { return value < segment.at; });
  const Segment& segment = after == segments_.begin() ? *after : *(after - 1);
  return segment.copied ? segment.origin + (offset - segment.at) : segment.origin;
}

std::string Fragment::Place(size_t offset) const { return source_->Place(Origin(offset)); }

absl::Status Fragment::Error(size_t offset, absl::string_view message) const {
  return source_->Error(Origin(offset), absl::StrCat(message, purpose_));
}

std::vector<Token> Tokenize(absl::string_view text) {
  std::vector<Token> tokens;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '#') {
      i = EndOfLine(text, i);
    } else if (absl::ascii_isspace(text[i])) {
      ++i;
    } else {
      const bool is_string = text[i] == '"' || text[i] == '\'';
      const bool is_word = IsWordCharacter(text[i]);
      const size_t end = is_string ? EndOfString(text, i) : is_word ? EndOfWord(text, i) : i + 1;
      tokens.push_back({is_string ? Token::kString
                        : is_word ? Token::kWord
                                  : Token::kSymbol,
                        i, end, text.substr(i, end - i)});
      i = end;
    }
  }
  return tokens;
}

}  // namespace cotangent::layers
