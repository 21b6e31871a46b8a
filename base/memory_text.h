// Writes amounts of memory for people.
#ifndef COTANGENT_BASE_MEMORY_TEXT_H_
#define COTANGENT_BASE_MEMORY_TEXT_H_

#include <cstdint>
#include <string>

namespace cotangent {

// Returns an amount such as "700.0 MiB" or, from 1024 MiB on, "4.5 GiB". It is rounded up to a
// tenth, so that it is enough where somebody allows as much.
std::string MemoryText(int64_t bytes);

}  // namespace cotangent

#endif  // COTANGENT_BASE_MEMORY_TEXT_H_
