#include "base/memory.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent {
namespace {

using ::testing::HasSubstr;

TEST(AlignedBuffer, IsAlignedAndZeroed) {
  for (int64_t bytes : {int64_t{1}, int64_t{100}, int64_t{1} << 20, (int64_t{5} << 20) + 3}) {
    absl::StatusOr<AlignedBuffer> buffer = AlignedBuffer::Create(bytes);
    ASSERT_TRUE(buffer.ok());
    EXPECT_EQ(buffer->size(), bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(buffer->data()) % kAlignment, 0u);
    const uint8_t* data = buffer->as<uint8_t>();
    EXPECT_TRUE(std::all_of(data, data + bytes, [](uint8_t byte) { return byte == 0; }));
    AlignedBuffer moved = *std::move(buffer);
    EXPECT_EQ(moved.data(), data);
  }
  EXPECT_EQ(AlignedBuffer::Create(0)->data(), nullptr);
  EXPECT_FALSE(AlignedBuffer::Create(-1).ok());
}

TEST(AlignedBuffer, RefusesWhatTheMachineDoesNotHave) {
  const absl::Status status = AlignedBuffer::Create(int64_t{1} << 60, "the training plan").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the training plan needs 1073741824.0 GiB of memory; "));
  EXPECT_GT(AvailableMemoryBytes(), 0);
}

TEST(BigVector, GrowsAsAVectorDoes) {
  BigVector<float> numbers;
  for (int i = 0; i < 1'000'000; ++i) numbers.push_back(static_cast<float>(i));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(numbers.data()) % kAlignment, 0u);
  const BigVector<float> copy = numbers;
  for (int i : {0, 1, 4095, 999'999}) EXPECT_EQ(copy[i], static_cast<float>(i));
}

}  // namespace
}  // namespace cotangent
