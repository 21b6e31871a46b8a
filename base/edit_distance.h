// How far two words are from each other: what finds the name that was meant by a misspelt one.
#ifndef COTANGENT_BASE_EDIT_DISTANCE_H_
#define COTANGENT_BASE_EDIT_DISTANCE_H_

#include <cstddef>
#include <string_view>

namespace cotangent {

// The least number of letters inserted, removed, replaced or swapped with their neighbour that
// makes one word of the other, no part being changed twice (Damerau's distance in its restricted
// form, "optimal string alignment"). Takes time and memory of the product of both lengths.
size_t EditDistance(std::string_view a, std::string_view b);

}  // namespace cotangent

#endif  // COTANGENT_BASE_EDIT_DISTANCE_H_
