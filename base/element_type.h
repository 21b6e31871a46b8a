// The number types that a tensor can hold, and conversion between float and bfloat16. All rounding
// to bfloat16 happens here, except in vector kernels, which round in registers.
#ifndef COTANGENT_BASE_ELEMENT_TYPE_H_
#define COTANGENT_BASE_ELEMENT_TYPE_H_

#include <bit>
#include <cstdint>
#include <string_view>

namespace cotangent {

enum class ElementType : uint8_t {
  kF32,   // float
  kBf16,  // bfloat16: the upper 16 bits of a float
  kS32,   // int32_t
  kU8,    // uint8_t
  kS8,    // int8_t
  kF64,   // double, for reference results in tests
};

// Returns the size of one element in bytes.
constexpr int64_t Bytes(ElementType type) {
  switch (type) {
    case ElementType::kF32:
    case ElementType::kS32:
      return 4;
    case ElementType::kBf16:
      return 2;
    case ElementType::kU8:
    case ElementType::kS8:
      return 1;
    case ElementType::kF64:
      return 8;
  }
  return 0;
}

// Returns "f32", "bf16", "s32", "u8", "s8" or "f64".
constexpr std::string_view Name(ElementType type) {
  switch (type) {
    case ElementType::kF32:
      return "f32";
    case ElementType::kBf16:
      return "bf16";
    case ElementType::kS32:
      return "s32";
    case ElementType::kU8:
      return "u8";
    case ElementType::kS8:
      return "s8";
    case ElementType::kF64:
      return "f64";
  }
  return "?";
}

// Rounds to the nearest bfloat16, ties to even. bfloat16 has a float's sign and exponent and 7
// explicit bits of mantissa, so the relative rounding error of a normal number is at most 2^-8. A
// NaN becomes a quiet NaN; a value too large becomes infinity, as in IEEE 754.
inline uint16_t FloatToBf16(float value) {
  uint32_t bits = std::bit_cast<uint32_t>(value);
  uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  uint32_t quiet_nan = (bits >> 16) | 0x40;
  return static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? quiet_nan : rounded);
}

inline float Bf16ToFloat(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

// A bfloat16 as it is stored, for kernels that are templates over their storage type. It converts
// to and from float; arithmetic is done in float.
struct Bf16 {
  uint16_t bits;

  Bf16() = default;
  explicit Bf16(float value) : bits(FloatToBf16(value)) {}
  explicit operator float() const { return Bf16ToFloat(bits); }
};
static_assert(sizeof(Bf16) == 2);

// The element type that stores the C++ type T: ElementTypeOf<float> == ElementType::kF32. It is
// kF32 also for types that have no specialisation below.
template <typename T>
inline constexpr ElementType ElementTypeOf = ElementType::kF32;
template <>
inline constexpr ElementType ElementTypeOf<Bf16> = ElementType::kBf16;
template <>
inline constexpr ElementType ElementTypeOf<int32_t> = ElementType::kS32;
template <>
inline constexpr ElementType ElementTypeOf<uint8_t> = ElementType::kU8;
template <>
inline constexpr ElementType ElementTypeOf<int8_t> = ElementType::kS8;
template <>
inline constexpr ElementType ElementTypeOf<double> = ElementType::kF64;

}  // namespace cotangent

#endif  // COTANGENT_BASE_ELEMENT_TYPE_H_
