// Functions for plain text that editors or word processors may have changed. They remove byte-order
// marks, replace what must not reach a terminal, recognise UTF-16 and UTF-32, and describe
// typographic quotes, no-break spaces and other non-ASCII characters for error messages.
#ifndef COTANGENT_BASE_EDITOR_TEXT_H_
#define COTANGENT_BASE_EDITOR_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace cotangent {

// Returns `text` without a leading UTF-8 byte-order mark, and with every carriage return that no
// newline follows (the line end of old Macintosh files) turned into a newline.
std::string WithoutEditorMarks(absl::string_view text);

// Returns `text` as it may be printed on a terminal: each byte that is not part of a valid UTF-8
// character, each control character (C0, C1 and DEL) but newlines and tabs, and each character that
// turns the direction of the text after it (U+202E and its like), is replaced by U+FFFD. Names of
// files may hold such characters: a terminal would obey an escape sequence in a name, and show the
// rest of the line backwards.
std::string Printable(absl::string_view text);

// Returns "UTF-16" or "UTF-32" if `text` begins as a text in that encoding does, of either byte
// order: with a byte-order mark, or with an ASCII character, which is a byte among zeros. Otherwise
// returns "".
absl::string_view WideEncodingOf(absl::string_view text);

// Describes a non-ASCII character of a UTF-8 text, for error messages.
struct ForeignCharacter {
  size_t bytes = 1;         // length in UTF-8; 1 for a byte that is not valid UTF-8
  bool is_quote = false;    // a typographic quote
  std::string description;  // "the typographic dash − (U+2212)", "a no-break space (U+00A0)"
  std::string mend;         // advice: "expected a plain space", "remove it"; empty if there is none
};

// Describes the character at the beginning of `text`, or its first byte if that is not valid UTF-8.
// REQUIRES: `text` is not empty and its first byte is not ASCII.
ForeignCharacter ForeignCharacterAt(absl::string_view text);

// Returns a message about the character that ForeignCharacterAt(text) describes: "found a no-break
// space (U+00A0); expected a plain space".
std::string FoundForeignCharacter(absl::string_view text);

// Returns the index (from 0) of the first non-ASCII byte in `text`, or npos if there is none.
size_t FirstForeignCharacter(absl::string_view text);

}  // namespace cotangent

#endif  // COTANGENT_BASE_EDITOR_TEXT_H_
