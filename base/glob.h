#ifndef COTANGENT_BASE_GLOB_H_
#define COTANGENT_BASE_GLOB_H_

#include <string_view>

namespace cotangent {

// Returns whether the whole of `name` matches `pattern`. In a pattern `*` matches any characters or
// none, `?` matches exactly one, and every other character matches itself. A character is a byte.
bool FitsPattern(std::string_view name, std::string_view pattern);

}  // namespace cotangent

#endif  // COTANGENT_BASE_GLOB_H_
