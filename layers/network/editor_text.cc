#include "layers/network/editor_text.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace cotangent::layers {
namespace {

constexpr char kByteOrderMark[] = "\xef\xbb\xbf";

// A character of UTF-8.
struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  // 0: these bytes are no UTF-8
};

Character CharacterAt(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const size_t bytes = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : 4;
  if (bytes == 4 && first >> 3 != 30) return {};
  if (bytes > text.size()) return {};
  uint32_t code = bytes == 1 ? first : first & (0x7f >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if (byte(i) >> 6 != 2) return {};
    code = code << 6 | (byte(i) & 0x3f);
  }
  return {code, bytes};
}

bool IsQuote(uint32_t code) {
  return (code >= 0x2018 && code <= 0x201f) || code == 0xab || code == 0xbb ||
         (code >= 0x2039 && code <= 0x203a) || (code >= 0x300c && code <= 0x300f) ||
         (code >= 0x2032 && code <= 0x2036) || code == 0xff02 || code == 0xff07;
}

bool IsSpace(uint32_t code) {
  return code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x2028 ||
         code == 0x2029 || code == 0x202f || code == 0x205f || code == 0x3000;
}

bool IsInvisible(uint32_t code) {
  return code == 0xad || (code >= 0x200b && code <= 0x200f) || (code >= 0x202a && code <= 0x202e) ||
         (code >= 0x2060 && code <= 0x2064) || code == 0xfeff;
}

bool IsDash(uint32_t code) {
  return (code >= 0x2010 && code <= 0x2015) || code == 0x2212 || code == 0xff0d;
}

// What stands there and what should.
std::string Finding(uint32_t code, absl::string_view character) {
  const std::string number = absl::StrFormat("U+%04X", code);
  if (IsQuote(code)) {
    return absl::StrCat("found the typographic quote ", character, " (", number,
                        "); expected a plain one, \" or '");
  }
  if (IsSpace(code)) {
    return absl::StrCat("found a ", code == 0xa0 || code == 0x202f ? "no-break" : "typographic",
                        " space (", number, "); expected a plain space");
  }
  if (IsInvisible(code))
    return absl::StrCat("found an invisible character (", number, "); remove it");
  if (IsDash(code)) {
    return absl::StrCat("found the typographic dash ", character, " (", number,
                        "); expected a plain one, -");
  }
  return absl::StrCat("found the character '", character, "' (", number,
                      "), which may stand in comments and quotes only");
}

}  // namespace

std::string WithoutEditorMarks(absl::string_view text) {
  absl::ConsumePrefix(&text, kByteOrderMark);
  std::string plain(text);
  for (size_t i = 0; i < plain.size(); ++i) {
    if (plain[i] == '\r' && (i + 1 == plain.size() || plain[i + 1] != '\n')) plain[i] = '\n';
  }
  return plain;
}

absl::Status CheckCharacters(const Source& source) {
  const absl::string_view text = source.text();
  if (absl::StartsWith(text, "\xff\xfe") || absl::StartsWith(text, "\xfe\xff")) {
    return source.Error(0, "the text is in UTF-16; save it as UTF-8");
  }
  const bool is_text = std::none_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_iscntrl(c) && !absl::ascii_isspace(c);
  });
  if (!is_text) return absl::OkStatus();  // which the parser says
  for (const Token& token : Tokenize(text)) {
    if (token.kind == Token::kSymbol && static_cast<unsigned char>(token.text[0]) >= 0x80) {
      const Character character = CharacterAt(text.substr(token.begin));
      if (character.bytes == 0) {
        const int byte = static_cast<unsigned char>(token.text[0]);
        return source.Error(token.begin, absl::StrFormat("found the byte 0x%02x, which is no "
                                                         "UTF-8; save the text as UTF-8",
                                                         byte));
      }
      return source.Error(token.begin,
                          Finding(character.code, text.substr(token.begin, character.bytes)));
    }
    const bool is_open = token.kind == Token::kString &&
                         (token.text.size() < 2 || token.text.back() != token.text.front());
    for (size_t i = token.begin; is_open && i < token.end;) {
      const Character character = CharacterAt(text.substr(i));
      if (IsQuote(character.code))
        return source.Error(i, Finding(character.code, text.substr(i, character.bytes)));
      i += character.bytes == 0 ? 1 : character.bytes;
    }
  }
  return absl::OkStatus();
}

}  // namespace cotangent::layers
