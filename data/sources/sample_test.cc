#include "data/sources/source.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

TEST(SampleTest, IsBalanced) {
  for (auto [split, per_class] : {std::pair(Split::kTrain, 40), std::pair(Split::kTest, 20)}) {
    const Dataset sample = LoadDataset("sample", "/nowhere", split).value();
    EXPECT_EQ(sample.name, "sample");
    EXPECT_EQ(sample.size(), 10 * per_class);
    std::vector<int> count(10);
    for (int32_t label : sample.labels) ++count[label];
    EXPECT_THAT(count, ::testing::Each(per_class));
  }
  // The sample's first training image is that of CIFAR-10: a frog, whose first three pixels have
  // the red values 59, 43, 50.
  const Dataset sample = LoadDataset("sample", "", Split::kTrain).value();
  EXPECT_EQ(sample.classes[sample.labels[0]], "frog");
  EXPECT_EQ(sample.image(0)[0], 59);
  EXPECT_EQ(sample.image(0)[1], 43);
  EXPECT_EQ(sample.image(0)[2], 50);
}

}  // namespace
}  // namespace cotangent::data
