#include "data/sources/source.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

TEST(SourceTest, IsFoundByName) {
  EXPECT_EQ((*FindSource("cifar100"))->title, "CIFAR-100");
  EXPECT_THAT(
      std::string(FindSource("imagenet").status().message()),
      AllOf(HasSubstr("\"imagenet\""), HasSubstr("cifar10, cifar100"), HasSubstr("and sample")));
}

TEST(SourceTest, FilesLieInTheFolder) {
  for (const char* name : {"cifar10", "cifar100", "sample"}) {
    const std::shared_ptr<const Source> source = FindSource(name).value();
    EXPECT_EQ(source->name, name);
    for (Split split : {Split::kTrain, Split::kTest}) {
      for (const DataFile& file : source->files(split)) {
        EXPECT_EQ(file.path.substr(0, source->folder.size() + 1), source->folder + "/");
      }
    }
    EXPECT_EQ(source->origins.empty(), source->train_files.empty());
  }
}

}  // namespace
}  // namespace cotangent::data
