#include "base/element_type.h"

#include <cmath>
#include <limits>

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(Bf16, KeepsWhatItCanHold) {
  for (float value : {0.0f, -0.0f, 1.0f, -1.5f, 0.0078125f, 65536.0f}) {
    EXPECT_EQ(Bf16ToFloat(FloatToBf16(value)), value);
  }
  EXPECT_TRUE(std::signbit(Bf16ToFloat(FloatToBf16(-0.0f))));
}

TEST(Bf16, RoundsToNearestAndTiesToEven) {
  // Between 1 and 2, bfloat16 numbers lie 2^-7 apart.
  const float step = 1.0f / 128;
  EXPECT_EQ(Bf16ToFloat(FloatToBf16(1 + 0.49f * step)), 1.0f);
  EXPECT_EQ(Bf16ToFloat(FloatToBf16(1 + 0.51f * step)), 1 + step);
  EXPECT_EQ(Bf16ToFloat(FloatToBf16(1 + 0.5f * step)), 1.0f);
  EXPECT_EQ(Bf16ToFloat(FloatToBf16(1 + 1.5f * step)), 1 + 2 * step);
}

TEST(Bf16, KeepsInfinityAndNan) {
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(Bf16ToFloat(FloatToBf16(infinity)), infinity);
  EXPECT_EQ(Bf16ToFloat(FloatToBf16(-infinity)), -infinity);
  EXPECT_EQ(Bf16ToFloat(FloatToBf16(std::numeric_limits<float>::max())), infinity);
  EXPECT_TRUE(std::isnan(Bf16ToFloat(FloatToBf16(std::numeric_limits<float>::quiet_NaN()))));
  EXPECT_TRUE(std::isnan(Bf16ToFloat(FloatToBf16(std::bit_cast<float>(0x7f800001u)))));
  EXPECT_TRUE(std::isnan(Bf16ToFloat(FloatToBf16(std::bit_cast<float>(0xffffffffu)))));
}

TEST(Bf16, EveryValueSurvivesTheRoundTrip) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const float value = Bf16ToFloat(static_cast<uint16_t>(bits));
    if (!std::isnan(value)) {
      ASSERT_EQ(FloatToBf16(value), bits);
    }
  }
}

}  // namespace
}  // namespace cotangent
