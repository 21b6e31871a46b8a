// Checks that every operation of the program has been compared with the reference evaluator (plain
// loops, layers/graph/reference.h) by some test.

#include <set>
#include <string>

#include "gtest/gtest.h"
#include "layers/graph/operation.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::layers {
namespace {

TEST(OperationTableTest, NamesDiffer) {
  std::set<std::string> names;
  for (Op op : AllOperations()) EXPECT_TRUE(names.insert(op->name()).second) << op->name();
  EXPECT_GE(names.size(), 28u);
}

// Runs after all tests of the program. Fails if some operation was never passed to
// ExpectPlanAgrees(), which compares values and derivatives of a plan (a compiled graph) with the
// reference evaluator.
class EveryOperationIsChecked : public testing::Environment {
 public:
  void TearDown() override {
    if (testing::GTEST_FLAG(filter) != "*") return;
    for (Op op : AllOperations())
      EXPECT_EQ(CheckedOperations().count(op->name()), 1u)
          << op->name() << ": no test has given it to ExpectPlanAgrees()";
  }
};

const testing::Environment* const every_operation_is_checked =
    testing::AddGlobalTestEnvironment(new EveryOperationIsChecked);

}  // namespace
}  // namespace cotangent::layers
