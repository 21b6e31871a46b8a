// Texts as editors and word processors leave them.
#ifndef COTANGENT_BASE_EDITOR_TEXT_H_
#define COTANGENT_BASE_EDITOR_TEXT_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace cotangent {

// `text` without the UTF-8 byte-order mark at its beginning; lines that end with a carriage return
// alone end with a newline.
std::string WithoutEditorMarks(absl::string_view text);

// Whether it begins with UTF-16's byte-order mark.
bool IsUtf16(absl::string_view text);

// A character of UTF-8 that is not ASCII.
struct ForeignCharacter {
  size_t bytes = 1;
  bool is_quote = false;    // a typographic one
  std::string description;  // "the typographic dash − (U+2212)", "a no-break space (U+00A0)"
  std::string mend;         // "expected a plain space", "remove it"; empty: none is known
};

// The one that `text` begins with; bytes that are no UTF-8 are described as such. REQUIRES: a first
// byte that is not ASCII.
ForeignCharacter ForeignCharacterAt(absl::string_view text);

// "found a no-break space (U+00A0); expected a plain space".
std::string FoundForeignCharacter(absl::string_view text);

// The position of the first that is in `text`, or npos.
size_t FirstForeignCharacter(absl::string_view text);

}  // namespace cotangent

#endif  // COTANGENT_BASE_EDITOR_TEXT_H_
