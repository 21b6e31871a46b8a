// The hash FNV-1a of texts (Fowler, Noll and Vo): 64 bits, the same on every machine and in every
// version of the program. Random numbers that are seeded with the hash of a name, and data sets
// that are divided by it, therefore stay the same.
#ifndef COTANGENT_BASE_FNV_H_
#define COTANGENT_BASE_FNV_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace cotangent {

// Returns the hash of the bytes of `text`. The last byte changes the highest 16 bits of the hash
// only by a carry.
constexpr uint64_t Fnv1a(absl::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

// Values published with the hash (the test vectors of the Internet-Draft draft-eastlake-fnv).
static_assert(Fnv1a("") == 0xcbf29ce484222325 && Fnv1a("a") == 0xaf63dc4c8601ec8c &&
              Fnv1a("foobar") == 0x85944171f73967e8);

}  // namespace cotangent

#endif  // COTANGENT_BASE_FNV_H_
