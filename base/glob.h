#ifndef COTANGENT_BASE_GLOB_H_
#define COTANGENT_BASE_GLOB_H_

#include <string_view>

namespace cotangent {

// Whether all of `name` fits `pattern`, in which `*` stands for any characters, none included, and
// `?` for any one. Every other character stands for itself.
bool FitsPattern(std::string_view name, std::string_view pattern);

}  // namespace cotangent

#endif  // COTANGENT_BASE_GLOB_H_
