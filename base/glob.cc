#include "base/glob.h"

#include <cstddef>

namespace cotangent {

// Each `*` at first matches nothing. After a mismatch the last `*` that was reached matches one
// character more, and matching resumes with the part of the pattern behind that `*`. The `*`s
// before it need not be tried again: whatever they could match, the last one can.
bool FitsPattern(std::string_view name, std::string_view pattern) {
  size_t n = 0, p = 0, after_star = std::string_view::npos, star_took_to = 0;
  while (n < name.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      after_star = ++p;
      star_took_to = n;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == name[n])) {
      ++p;
      ++n;
    } else if (after_star != std::string_view::npos) {
      p = after_star;
      n = ++star_took_to;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace cotangent
