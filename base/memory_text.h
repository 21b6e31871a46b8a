// Writes amounts of memory for people.
#ifndef COTANGENT_BASE_MEMORY_TEXT_H_
#define COTANGENT_BASE_MEMORY_TEXT_H_

#include <cstdint>
#include <string>

namespace cotangent {

// Returns an amount such as "700.0 MiB" or, from 1024 MiB on, "4.5 GiB". Rounds up to a tenth, so
// that a limit set to the amount shown is large enough.
std::string MemoryText(int64_t bytes);

}  // namespace cotangent

#endif  // COTANGENT_BASE_MEMORY_TEXT_H_
