#include "layers/network/editor_text.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/editor_text.h"

namespace cotangent::layers {
namespace {

// Returns the message about the non-ASCII character at the beginning of `text`: what it is, and
// what to write instead or, if that is not known, where such characters may stand.
std::string Finding(absl::string_view text) {
  return absl::StrCat(
      FoundForeignCharacter(text),
      ForeignCharacterAt(text).mend.empty() ? ", which may stand in comments and quotes only" : "");
}

}  // namespace

absl::Status CheckCharacters(const Source& source) {
  const absl::string_view text = source.text();
  if (const absl::string_view encoding = WideEncodingOf(text); !encoding.empty())
    return source.Error(0, absl::StrCat("the text is in ", encoding, "; save it as UTF-8"));
  if (const size_t zero = text.find('\0'); zero != absl::string_view::npos)
    return source.Error(zero, "a byte 0, which no text has; save the text as UTF-8");
  const bool is_text = std::none_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_iscntrl(c) && !absl::ascii_isspace(c);
  });
  if (!is_text) return absl::OkStatus();  // the parser reports control characters
  for (const Token& token : Tokenize(text)) {
    if (token.kind == Token::kSymbol && static_cast<unsigned char>(token.text[0]) >= 0x80) {
      return source.Error(token.begin, Finding(text.substr(token.begin)));
    }
    const bool is_open = token.kind == Token::kString &&
                         (token.text.size() < 2 || token.text.back() != token.text.front());
    for (size_t i = token.begin; is_open && i < token.end;) {
      size_t bytes = 1;
      if (static_cast<unsigned char>(text[i]) >= 0x80) {
        const ForeignCharacter character = ForeignCharacterAt(text.substr(i));
        if (character.is_quote) return source.Error(i, Finding(text.substr(i)));
        bytes = character.bytes;
      }
      i += bytes;
    }
  }
  return absl::OkStatus();
}

}  // namespace cotangent::layers
