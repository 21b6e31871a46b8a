#include "base/status_macros.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace cotangent {
namespace {

absl::StatusOr<std::unique_ptr<int>> Positive(int value) {
  if (value <= 0) return absl::InvalidArgumentError("expected a number above 0");
  return std::make_unique<int>(value);
}

absl::Status Even(int value, int& calls) {
  ++calls;
  return value % 2 == 0 ? absl::OkStatus() : absl::OutOfRangeError("odd");
}

absl::StatusOr<std::string> Halves(int a, int b, int& calls) {
  RETURN_IF_ERROR(Even(a, calls));
  ASSIGN_OR_RETURN(const std::unique_ptr<int> first, Positive(a));
  std::unique_ptr<int> second;
  ASSIGN_OR_RETURN(second, Positive(b));
  return std::to_string(*first / 2) + " " + std::to_string(*second / 2);
}

TEST(StatusMacros, PassErrorsOnAndYieldValues) {
  int calls = 0;
  EXPECT_EQ(*Halves(4, 6, calls), "2 3");
  EXPECT_EQ(calls, 1);  // each expression is evaluated once
  EXPECT_EQ(Halves(3, 6, calls).status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_EQ(Halves(-2, 6, calls).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Halves(4, 0, calls).status().message(), "expected a number above 0");
}

}  // namespace
}  // namespace cotangent
