#include "training/report/event_file.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "data/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::training::report {
namespace {

using ::testing::ElementsAre;

// Computes the CRC-32C bit by bit from its polynomial.
uint32_t PlainCrc(const std::string& bytes) {
  uint32_t crc = 0xffffffff;
  for (const char c : bytes) {
    crc ^= static_cast<uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78 : 0);
  }
  return ~crc;
}

uint64_t Number(const std::string& bytes, size_t at, int size) {
  uint64_t value = 0;
  for (int i = 0; i < size; ++i) value |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  return value;
}

// Returns the records of an event file and checks each checksum.
std::vector<std::string> Records(const std::string& path) {
  const std::string bytes = *data::ReadFile(path, 1 << 20);
  const auto check = [&](const std::string& part, size_t at) {
    const uint32_t crc = PlainCrc(part);
    EXPECT_EQ(Number(bytes, at, 4), ((crc >> 15 | crc << 17) + 0xa282ead8u) & 0xffffffff);
  };
  std::vector<std::string> records;
  for (size_t at = 0; at < bytes.size();) {
    const uint64_t length = Number(bytes, at, 8);
    check(bytes.substr(at, 8), at + 8);
    records.push_back(bytes.substr(at + 12, length));
    check(records.back(), at + 12 + length);
    at += 16 + length;
  }
  return records;
}

// Returns the fields of a message in protobuf's wire format: the field's number, and its value as
// text for varints and as raw bytes for all others.
std::vector<std::pair<int, std::string>> Fields(const std::string& message) {
  std::vector<std::pair<int, std::string>> fields;
  size_t at = 0;
  const auto varint = [&] {
    uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<uint8_t>(message[at++]);
      value |= uint64_t{byte & 0x7fu} << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const uint64_t key = varint();
    size_t size = key % 8 == 1 ? 8 : 4;
    if (key % 8 == 0) {
      fields.emplace_back(key / 8, std::to_string(varint()));
      continue;
    }
    if (key % 8 == 2) size = varint();
    fields.emplace_back(key / 8, message.substr(at, size));
    at += size;
  }
  return fields;
}

std::string Get(const std::string& message, int number) {
  for (const auto& [field, value] : Fields(message)) {
    if (field == number) return value;
  }
  return "(none)";
}

TEST(EventFileTest, RecordsAreWhatTensorBoardsDefinitionsSay) {
  std::string path;
  {
    auto events = EventFile::Create(::testing::TempDir());
    ASSERT_TRUE(events.ok()) << events.status();
    path = (*events)->path();
    ASSERT_TRUE((*events)->Scalars(7, {{"train/loss", 0.5}, {"train/rate", 2}}).ok());
    ASSERT_TRUE((*events)->Image(7, "batch", 3, 2, "png bytes").ok());
    ASSERT_TRUE((*events)->Histograms(7, {{"w", HistogramOf({1, 2, 4})}}).ok());
    ASSERT_TRUE((*events)->Graph({{"conv", "convolution", {}}, {"fc", "linear", {"conv"}}}).ok());
  }
  const std::vector<std::string> records = Records(path);
  ASSERT_EQ(records.size(), 5);
  EXPECT_EQ(Get(records[0], 3), "brain.Event:2");
  double wall_time;
  std::memcpy(&wall_time, Get(records[0], 1).data(), 8);
  EXPECT_GT(wall_time, 1.7e9);

  EXPECT_EQ(Get(records[1], 2), "7");
  const std::string value = Get(Get(records[1], 5), 1);
  EXPECT_EQ(Get(value, 1), "train/loss");
  float number;
  std::memcpy(&number, Get(value, 2).data(), 4);
  EXPECT_EQ(number, 0.5f);

  const std::string image = Get(Get(Get(records[2], 5), 1), 4);
  EXPECT_EQ(Get(image, 1), "2");
  EXPECT_EQ(Get(image, 2), "3");
  EXPECT_EQ(Get(image, 4), "png bytes");

  const std::string histogram = Get(Get(Get(records[3], 5), 1), 5);
  double sum;
  std::memcpy(&sum, Get(histogram, 4).data(), 8);
  EXPECT_EQ(sum, 7);
  EXPECT_EQ(Get(histogram, 6).size(), 30 * 8);

  const std::string graph = Get(records[4], 4);
  EXPECT_EQ(Get(Fields(graph)[1].second, 1), "fc");
  EXPECT_EQ(Get(Fields(graph)[1].second, 3), "conv");
}

TEST(EventFileTest, HistogramsCountWhatIsFinite) {
  const Histogram h = HistogramOf({0, 0, 3, INFINITY, NAN});
  EXPECT_EQ(h.num(), 3);
  EXPECT_EQ(h.bucket(0), 2);
  EXPECT_EQ(h.bucket(29), 1);
  EXPECT_EQ(h.max(), 3);
  EXPECT_EQ(HistogramOf({}).num(), 0);
  EXPECT_EQ(HistogramOf({5, 5}).bucket(0), 2);
}

TEST(EventFileTest, ADirectoryThatIsNotThereIsNamed) {
  const auto events = EventFile::Create("/nowhere/at/all");
  EXPECT_THAT(std::string(events.status().message()), ::testing::HasSubstr("/nowhere/at/all"));
}

}  // namespace
}  // namespace cotangent::training::report
