// Computes the edit distance of two words. Error messages use it to suggest what a misspelt name
// was meant to be.
#ifndef COTANGENT_BASE_EDIT_DISTANCE_H_
#define COTANGENT_BASE_EDIT_DISTANCE_H_

#include <cstddef>
#include <string_view>

namespace cotangent {

// Returns the smallest number of edits that turn `a` into `b`. An edit inserts, removes or replaces
// a byte, or swaps two neighbouring bytes; no byte is edited twice (this is the restricted Damerau
// distance, "optimal string alignment"). Time and memory grow with a.size() * b.size().
size_t EditDistance(std::string_view a, std::string_view b);

}  // namespace cotangent

#endif  // COTANGENT_BASE_EDIT_DISTANCE_H_
