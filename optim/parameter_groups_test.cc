#include "optim/parameter_groups.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::optim {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<ParameterSlice> SomeSlices() {
  return {{"conv1.weight", {8, 3, 3, 3}, 0, 216},
          {"conv1.bias", {8}, 216, 8},
          {"fc.weight", {10, 8}, 224, 80},
          {"fc.bias", {10}, 304, 10}};
}

Group MakeGroup(std::vector<std::string> patterns, std::vector<int> ranks = {}) {
  Group group;
  for (const auto& pattern : patterns) group.add_pattern(pattern);
  for (int rank : ranks) group.add_rank(rank);
  return group;
}

absl::StatusOr<std::vector<int>> Assign(const std::vector<Group>& groups) {
  std::vector<const Group*> pointers;
  for (const Group& group : groups) pointers.push_back(&group);
  return AssignGroups(SomeSlices(), pointers, "optimizer.group");
}

TEST(AssignGroupsTest, FirstFitWins) {
  auto groups = Assign({MakeGroup({"fc.bias"}), MakeGroup({"*.bias", "fc.*"})});
  ASSERT_TRUE(groups.ok());
  EXPECT_THAT(*groups, ElementsAre(0, 2, 2, 1));
}

TEST(AssignGroupsTest, RankNarrowsAPattern) {
  auto groups = Assign({MakeGroup({"conv*"}, {4}), MakeGroup({}, {1})});
  ASSERT_TRUE(groups.ok());
  EXPECT_THAT(*groups, ElementsAre(1, 2, 0, 2));
}

TEST(AssignGroupsTest, APatternThatFitsNothingIsNamedWithTheNamesThereAre) {
  auto groups = Assign({MakeGroup({"*.bias", "convolution*"})});
  ASSERT_FALSE(groups.ok());
  EXPECT_THAT(std::string(groups.status().message()),
              AllOf(HasSubstr("optimizer.group[0].pattern \"convolution*\" fits no parameter"),
                    HasSubstr("conv1.weight, conv1.bias, fc.weight, fc.bias")));
}

TEST(AssignGroupsTest, GroupsWithoutParametersAreErrors) {
  EXPECT_THAT(std::string(Assign({MakeGroup({})}).status().message()),
              HasSubstr("neither pattern nor rank"));
  EXPECT_THAT(std::string(Assign({MakeGroup({"fc*"}, {4})}).status().message()),
              HasSubstr("both the name and the rank"));
  EXPECT_THAT(std::string(Assign({MakeGroup({"*"}), MakeGroup({"fc*"})}).status().message()),
              HasSubstr("put the narrower group first"));
}

}  // namespace
}  // namespace cotangent::optim
