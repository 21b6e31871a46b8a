#include "distributed/buckets.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent::distributed {
namespace {

TEST(BucketBytesTest, BytesTakeLongerThanTheirCompany) {
  // With a link of 1 Gb/s (125 MB/s) and a latency of 0.4 ms, sending 0.4 MB takes 8 times the
  // latency. The other two links give the smallest and the largest size of a bucket (of the
  // gradients that are sent as one message).
  EXPECT_EQ(BucketBytes({0.4e-3, 125e6}), 400'000);
  EXPECT_EQ(BucketBytes({1e-6, 1e9}), 1 << 16);
  EXPECT_EQ(BucketBytes({1, 1e9}), 1 << 24);
}

TEST(MakeBucketsTest, NeighboursAreGatheredFromTheLast) {
  // Four gradients of 100 floats, each aligned to 16 floats. The one that begins at 112 is computed
  // last.
  const std::vector<Bucket> buckets =
      MakeBuckets({{0, 100, 8}, {112, 100, 9}, {224, 100, 5}, {336, 100, 4}}, 4 * 150, 15);
  ASSERT_EQ(buckets.size(), 2u);
  EXPECT_EQ(buckets[0].stretch.begin, 224);
  EXPECT_EQ(buckets[0].stretch.size, 212);
  EXPECT_EQ(buckets[0].operation, 5u);
  EXPECT_EQ(buckets[1].stretch.begin, 0);
  EXPECT_EQ(buckets[1].stretch.size, 212);
  EXPECT_EQ(buckets[1].operation, 9u);
}

TEST(MakeBucketsTest, WhatIsNotTrainedIsLeftOut) {
  const std::vector<Bucket> buckets = MakeBuckets({{0, 10, 3}, {100, 10, 7}}, 1 << 20, 15);
  ASSERT_EQ(buckets.size(), 2u);
  EXPECT_EQ(buckets[0].stretch.begin, 0);  // complete first, although it lies before the other
  EXPECT_EQ(buckets[0].stretch.size, 10);
  EXPECT_EQ(buckets[1].stretch.begin, 100);
}

}  // namespace
}  // namespace cotangent::distributed
