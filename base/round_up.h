// Division of counts that rounds up.
#ifndef COTANGENT_BASE_ROUND_UP_H_
#define COTANGENT_BASE_ROUND_UP_H_

#include <cstdint>

namespace cotangent {

// DivideUp() returns a / b, rounded up; RoundUp() returns the smallest multiple of b that is at
// least a. REQUIRES: a >= 0, b > 0.
constexpr int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }
constexpr int64_t RoundUp(int64_t a, int64_t b) { return DivideUp(a, b) * b; }

}  // namespace cotangent

#endif  // COTANGENT_BASE_ROUND_UP_H_
