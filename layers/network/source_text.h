// Network texts (the .textproto files that describe networks), and pieces of them in which
// parameters are replaced. Each piece knows for each of its bytes the place in the original text
// from which the byte comes.
#ifndef COTANGENT_LAYERS_NETWORK_SOURCE_TEXT_H_
#define COTANGENT_LAYERS_NETWORK_SOURCE_TEXT_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::layers {

// The error message if blocks expand to more than kLongestExpandedText bytes.
inline constexpr char kTooLong[] =
    "the blocks of this network expand to too long a text; use fewer of them, or smaller ones";

// The text of a file, with the file's name and the offsets at which its lines begin.
class Source {
 public:
  Source(absl::string_view file, absl::string_view text);

  absl::string_view text() const { return text_; }
  // Returns the place of the byte at `offset` (counted from 0) as "file:line:column". Lines and
  // columns are counted from 1, columns in bytes.
  std::string Place(size_t offset) const;
  absl::Status Error(size_t offset, absl::string_view message) const;

 private:
  std::string file_;
  std::string text_;
  std::vector<size_t> line_starts_;
};

// A piece of a Source in which parameters are replaced by their values. The Source must outlive the
// Fragment.
class Fragment {
 public:
  // Makes a fragment of the whole source. `text` has the length of the source's text and equals it,
  // except that some parts may be replaced by spaces.
  Fragment(const Source& source, std::string text);
  // Takes the bytes [begin, end) of `source` without comments. Replaces every `$name`, also in
  // quotes, by its value, and every `$(...)` by the value of its arithmetic (arithmetic.h). Error
  // messages about the fragment end with `purpose`, which says what the fragment is for, such as "
  // (in block 'unit' with channels=64, used at net:40:3)". Returns an error if a name has no value,
  // arithmetic is wrong, or the result is longer than `longest` bytes.
  static absl::StatusOr<Fragment> Substitute(const Source& source, size_t begin, size_t end,
                                             const std::map<std::string, std::string>& values,
                                             std::string purpose, size_t longest);

  const std::string& text() const { return text_; }
  // Returns the index of the byte at a line and column as protobuf counts them: both from 0, and a
  // tab moves to the next multiple of 8 columns.
  size_t OffsetOf(int line, int column) const;
  // Returns the place in the source from which byte `offset` of text() comes, as Source::Place()
  // does.
  std::string Place(size_t offset) const;
  absl::Status Error(size_t offset, absl::string_view message) const;

 private:
  // Describes the part of text_ from byte `at` up to the `at` of the next segment. If `copied`, the
  // part was copied from the source from byte `origin` on; otherwise the whole part is the value of
  // the parameter or arithmetic at byte `origin`.
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

// A token of a network text: a word (letters, digits, `_`), a string with its quotes, or any other
// single character. Comments and spaces are not tokens.
struct Token {
  enum Kind { kWord, kString, kSymbol } kind;
  size_t begin, end;
  absl::string_view text;

  bool Is(absl::string_view symbol) const { return text == symbol; }
  bool Opens() const { return Is("{") || Is("<"); }
  bool Closes() const { return Is("}") || Is(">"); }
};

// Splits `text` into tokens, whose `text` points into it. Tokenize() never fails: a string without
// a closing quote ends with its line.
std::vector<Token> Tokenize(absl::string_view text);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_SOURCE_TEXT_H_
