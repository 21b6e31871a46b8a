#include "tensor/shape.h"

#include "gtest/gtest.h"

namespace cotangent::tensor {
namespace {

TEST(Shape, CountsAndPrints) {
  const Shape shape = {128, 64, 32, 30};
  EXPECT_EQ(shape.rank(), 4);
  EXPECT_EQ(shape.NumElements(), 128 * 64 * 32 * 30);
  EXPECT_EQ(shape.ToString(), "[128, 64, 32, 30]");
  EXPECT_EQ(Shape().NumElements(), 1);
  EXPECT_EQ(Shape().ToString(), "[]");
  EXPECT_TRUE(shape.Validate().ok());
  EXPECT_NE(shape, (Shape{128, 64, 32}));
}

TEST(Shape, RejectsEmptyNegativeAndAbsurdExtents) {
  EXPECT_EQ(Shape({4, 0}).Validate().message(),
            "shape [4, 0] has the extent 0; every extent must be at least 1");
  EXPECT_FALSE(Shape({-1}).Validate().ok());
  EXPECT_FALSE(Shape({int64_t{1} << 40, int64_t{1} << 40}).Validate().ok());
  EXPECT_FALSE(Shape({int64_t{1} << 61}).Validate().ok());  // too many bytes for an int64_t
  EXPECT_FALSE(Shape({1, 1, 1, 1, 1, 1, 1}).Validate().ok());
}

}  // namespace
}  // namespace cotangent::tensor
