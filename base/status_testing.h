#ifndef COTANGENT_BASE_STATUS_TESTING_H_
#define COTANGENT_BASE_STATUS_TESTING_H_

#include <utility>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

namespace cotangent {

// For tests: returns the value of a StatusOr; an error fails the test.
template <class T>
T Made(absl::StatusOr<T> value) {
  EXPECT_TRUE(value.ok()) << value.status();
  return *std::move(value);
}

}  // namespace cotangent

#endif  // COTANGENT_BASE_STATUS_TESTING_H_
