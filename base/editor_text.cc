#include "base/editor_text.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace cotangent {
namespace {

constexpr char kByteOrderMark[] = "\xef\xbb\xbf", kReplacementCharacter[] = "\xef\xbf\xbd";

// A decoded UTF-8 character: its code point and its length. Overlong forms, surrogates and codes
// above U+10FFFF are not valid (RFC 3629).
struct Character {
  uint32_t code = 0;
  size_t bytes = 0;  // 0: the bytes are not valid UTF-8
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
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};  // least code by length in bytes
  const bool is_surrogate = code >= 0xd800 && code < 0xe000;
  if (code < kLeast[bytes] || is_surrogate || code > 0x10ffff) return {};
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
  return (code >= 0x2010 && code <= 0x2015) || code == 0x2212 || code == 0xfe63 || code == 0xff0d;
}

// A range of non-ASCII characters (code points `first` to `last`, both included) that error
// messages explain: `description` names their kind, `mend` says what to write instead in ASCII.
struct Symbol {
  uint32_t first, last;
  const char* description;
  const char* mend;
};
constexpr Symbol kSymbols[] = {
    {0xd7, 0xd7, "multiplication sign", "*"},
    {0xb7, 0xb7, "multiplication sign", "*"},
    {0x2217, 0x2217, "multiplication sign", "*"},
    {0x2219, 0x2219, "multiplication sign", "*"},
    {0x22c5, 0x22c5, "multiplication sign", "*"},
    {0x2022, 0x2022, "multiplication sign", "*"},
    {0x2715, 0x2716, "multiplication sign", "*"},
    {0xff0a, 0xff0a, "multiplication sign", "*"},
    {0xf7, 0xf7, "division sign", "/"},
    {0x2044, 0x2044, "division sign", "/"},
    {0x2215, 0x2215, "division sign", "/"},
    {0xff0f, 0xff0f, "division sign", "/"},
    {0xb2, 0xb3, "superscript", "a power, such as ^2"},
    {0xb9, 0xb9, "superscript", "a power, such as ^2"},
    {0x2070, 0x207e, "superscript", "a power, such as ^2"},
    {0x2080, 0x208e, "subscript", "plain digits"},
    {0x221a, 0x221a, "root sign", "sqrt(..)"},
    {0x3c0, 0x3c0, "letter", "pi"},
    {0x2264, 0x2264, "sign", "<="},
    {0x2265, 0x2265, "sign", ">="},
    {0x221e, 0x221e, "sign", "inf"},
    {0xff08, 0xff09, "parenthesis", "a plain one"},
    {0xff0b, 0xff0b, "plus sign", "+"},
    {0xff0c, 0xff0c, "comma", "a plain one"},
    {0xff1d, 0xff1d, "equals sign", "="},
    {0xff10, 0xff19, "digit", "a plain one"},
};

}  // namespace

std::string WithoutEditorMarks(absl::string_view text) {
  absl::ConsumePrefix(&text, kByteOrderMark);
  std::string plain(text);
  for (size_t i = 0; i < plain.size(); ++i) {
    if (plain[i] == '\r' && (i + 1 == plain.size() || plain[i + 1] != '\n')) plain[i] = '\n';
  }
  return plain;
}

std::string Printable(absl::string_view text) {
  std::string printable;
  while (!text.empty()) {
    const auto [code, bytes] = CharacterAt(text);
    const bool is_control = (code < 0x20 && code != '\n' && code != '\t') ||
                            (code >= 0x7f && code < 0xa0) || bytes == 0;
    // Embeddings, overrides, isolates and their ends (Unicode Standard Annex 9).
    const bool turns_text =
        (code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
    absl::StrAppend(&printable,
                    is_control || turns_text ? kReplacementCharacter : text.substr(0, bytes));
    text.remove_prefix(std::max<size_t>(bytes, 1));
  }
  return printable;
}

absl::string_view WideEncodingOf(absl::string_view text) {
  constexpr absl::string_view kZeros("\0\0\0", 3);
  const bool is_low_first = absl::StartsWith(text, "\xff\xfe"),
             is_high_first = absl::StartsWith(text, "\xfe\xff");
  const absl::string_view first = text.substr(0, 4);
  if (first.size() == 4 && first != absl::string_view("\0\0\0\0", 4)) {
    const bool has_mark = first == absl::string_view("\0\0\xfe\xff", 4) ||
                          (is_low_first && absl::EndsWith(first, kZeros.substr(1)));
    if (has_mark || absl::StartsWith(first, kZeros) || absl::EndsWith(first, kZeros))
      return "UTF-32";
  }
  if (is_low_first || is_high_first) return "UTF-16";
  return text.size() > 1 && (text[0] == 0) != (text[1] == 0) ? "UTF-16" : "";
}

ForeignCharacter ForeignCharacterAt(absl::string_view text) {
  const auto [code, bytes] = CharacterAt(text);
  if (bytes == 0) {
    return {
        1, false,
        absl::StrFormat("the byte 0x%02x, which is no UTF-8", static_cast<unsigned char>(text[0])),
        "save the text as UTF-8"};
  }
  const std::string number = absl::StrFormat("(U+%04X)", code);
  const std::string shown = absl::StrCat(text.substr(0, bytes), " ", number);
  if (IsQuote(code))
    return {bytes, true, absl::StrCat("the typographic quote ", shown),
            "expected a plain one, \" or '"};
  if (IsSpace(code)) {
    const bool keeps = code == 0xa0 || code == 0x202f;
    return {bytes, false, absl::StrCat("a ", keeps ? "no-break" : "typographic", " space ", number),
            "expected a plain space"};
  }
  if (IsInvisible(code))
    return {bytes, false, absl::StrCat("an invisible character ", number), "remove it"};
  if (IsDash(code))
    return {bytes, false, absl::StrCat("the typographic dash ", shown), "expected a plain one, -"};
  for (const Symbol& symbol : kSymbols) {
    if (code >= symbol.first && code <= symbol.last)
      return {bytes, false, absl::StrCat("the ", symbol.description, " ", shown),
              absl::StrCat("expected ", symbol.mend)};
  }
  return {bytes, false, absl::StrCat("the character '", text.substr(0, bytes), "' ", number), ""};
}

std::string FoundForeignCharacter(absl::string_view text) {
  const ForeignCharacter character = ForeignCharacterAt(text);
  return absl::StrCat("found ", character.description, character.mend.empty() ? "" : "; ",
                      character.mend);
}

size_t FirstForeignCharacter(absl::string_view text) {
  const auto found = std::find_if(text.begin(), text.end(),
                                  [](char c) { return static_cast<unsigned char>(c) >= 0x80; });
  return found == text.end() ? absl::string_view::npos : static_cast<size_t>(found - text.begin());
}

}  // namespace cotangent
