// Texts that were made from other texts, and where in the original each of their places is.
#ifndef COTANGENT_LAYERS_NETWORK_SOURCE_TEXT_H_
#define COTANGENT_LAYERS_NETWORK_SOURCE_TEXT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::layers {

// Why blocks are not expanded any further.
inline constexpr char kTooLong[] =
    "the blocks of this network expand to too long a text; use fewer of them, or smaller ones";

// A file as it was read.
class Source {
 public:
  Source(absl::string_view file, absl::string_view text);

  absl::string_view text() const { return text_; }
  // "file:line:column" of a byte, counted from 1.
  std::string Place(size_t offset) const;
  absl::Status Error(size_t offset, absl::string_view message) const;

 private:
  std::string file_;
  std::string text_;
  std::vector<size_t> line_starts_;
};

// A piece of a Source with parameters replaced by their values. Refers to its Source.
class Fragment {
 public:
  // `text` is the source's whole text, byte for byte, parts of it blanked out.
  Fragment(const Source& source, std::string text);
  // The bytes [begin, end) of `source`, every `$name` outside comments replaced by its value, and
  // every `$(...)` by what it comes to (arithmetic.h).
  // `purpose` ends every message: " (in block 'unit' with channels=64, used at net:40:3)". An error
  // if a name has no value or if the result is longer than `longest`.
  static absl::StatusOr<Fragment> Substitute(const Source& source, size_t begin, size_t end,
                                             const std::map<std::string, std::string>& values,
                                             std::string purpose, size_t longest);

  const std::string& text() const { return text_; }
  // The byte at a line and column as protobuf counts them: from 0, tabs moving to the next multiple
  // of 8.
  size_t OffsetOf(int line, int column) const;
  // "file:line:column" of a byte of text() in the source.
  std::string Place(size_t offset) const;
  absl::Status Error(size_t offset, absl::string_view message) const;

 private:
  // text_[at, next segment's at) comes from source bytes from `origin` on if copied, else all of it
  // from the parameter that stands at `origin`.
  struct Segment {
    size_t at;
    size_t origin;
    bool copied;
  };

  size_t Origin(size_t offset) const;

  const Source* source_;
  std::string text_;
  std::string purpose_;
  std::vector<Segment> segments_;
  std::vector<size_t> line_starts_;
};

// A word (letters, digits, `_`), a string with its quotes, or a single other character. Comments
// are skipped.
struct Token {
  enum Kind { kWord, kString, kSymbol } kind;
  size_t begin, end;
  absl::string_view text;

  bool Is(absl::string_view symbol) const { return text == symbol; }
  bool Opens() const { return Is("{") || Is("<"); }
  bool Closes() const { return Is("}") || Is(">"); }
};

// The tokens of `text`, which they refer to. Never fails: an unclosed string ends with its line.
std::vector<Token> Tokenize(absl::string_view text);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_SOURCE_TEXT_H_
