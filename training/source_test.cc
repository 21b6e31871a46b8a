#include "training/source.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::training {
namespace {

using ::testing::HasSubstr;

TEST(MissingClassesTest, AreCountedAndTheFirstNamed) {
  data::Dataset images;
  images.classes = {"ash", "beech", "cedar"};
  images.labels = {1, 1, 2};
  EXPECT_EQ(DescribeMissingClasses(images, data::Split::kTrain),
            "note: 1 of 3 classes has no training images (ash); the network cannot learn it");
  images.labels = {1};
  EXPECT_EQ(DescribeMissingClasses(images, data::Split::kValidation),
            "note: 2 of 3 classes have no validation images (the first: ash); the figures say "
            "nothing of them");
  images.labels = {2, 1, 0};
  EXPECT_EQ(DescribeMissingClasses(images, data::Split::kTest), "");
  images.labels = {};
  images.target_kind = TargetKind::kNumbers;
  EXPECT_EQ(DescribeMissingClasses(images, data::Split::kTrain), "");
}

TEST(OpenSourceTest, AShareOfNoneOrOfAllIsAnError) {
  layers::Network network;
  const auto message = [&network](double share) {
    network.mutable_train()->mutable_evaluation()->set_validation(share);
    return std::string(OpenSource(network, "sample", {}).status().message());
  };
  EXPECT_EQ(message(0.1), "");
  EXPECT_THAT(message(1e-9), HasSubstr("which is none of the 400 training images"));
  EXPECT_THAT(message(1 - 1e-9), HasSubstr("which is all of the 400 training images"));
  EXPECT_THAT(message(1), HasSubstr("train.evaluation.validation is 1; expected a share from 0"));
}

}  // namespace
}  // namespace cotangent::training
