#include "data/convert.h"

#include <vector>

#include "base/element_type.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

constexpr float kScale[3] = {0.0158f, 0.0161f, 0.015f};
constexpr float kOffset[3] = {-1.98f, -1.97f, -1.71f};

template <typename Element>
Element Expected(uint8_t byte, int channel) {
  const float product = byte * kScale[channel];  // rounded, as with -ffp-contract=off
  const float value = product + kOffset[channel];
  if constexpr (sizeof(Element) == 4) return value;
  return FloatToBf16(value);
}

template <typename Element>
void TestConverters(InstructionSet instructions) {
  const Converters<Element> converters = ConvertersFor<Element>(instructions);
  for (int channels : {1, 3}) {
    for (int width : {1, 7, 16, 32, 37}) {
      const int rows = 3, plane = rows * width, channel_stride = plane + 5;
      std::vector<uint8_t> bytes(channels * channel_stride);
      for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = i * 41 + 3;
      const ByteRows in = {bytes.data(), channel_stride, channels, rows, width, kScale, kOffset};
      std::vector<Element> planar(channels * plane + 1, Element{77}), interleaved = planar;
      converters.planar(in, plane, planar.data());
      converters.interleaved(in, interleaved.data());
      for (int c = 0; c < channels; ++c) {
        for (int i = 0; i < plane; ++i) {
          const Element expected = Expected<Element>(bytes[c * channel_stride + i], c);
          ASSERT_EQ(planar[c * plane + i], expected) << channels << " " << width << " " << i;
          ASSERT_EQ(interleaved[i * channels + c], expected)
              << channels << " " << width << " " << i;
        }
      }
      EXPECT_EQ(planar.back(), Element{77});
      EXPECT_EQ(interleaved.back(), Element{77});
    }
  }
}

TEST(ConvertTest, AllProcessorsComputeTheSameBits) {
  for (InstructionSet instructions : AvailableInstructionSets()) {
    TestConverters<float>(instructions);
    TestConverters<uint16_t>(instructions);
  }
}

}  // namespace
}  // namespace cotangent::data
