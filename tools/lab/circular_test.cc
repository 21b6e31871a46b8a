#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Returns premises with sizes at which the test is fast. Lengths up to large_size are timed. It is
// above 4096, the largest length at which the product with the whole matrix is timed, too: there,
// the circular product by Fourier transforms is clearly faster. `perturbation` is added to one entry
// of each matrix that should be circulant.
CircularPremises Small(double perturbation = 0) {
  return {.perturbation = perturbation, .large_size = 1 << 14, .measured_size = 256};
}

TEST(Circular, Holds) { EXPECT_THAT(Failing(RunCircular(Small())), IsEmpty()); }

TEST(Circular, OneWrongEntryFails) {
  EXPECT_THAT(Failing(RunCircular(Small(0.01))),
              ElementsAre("circular.product", "circular.commutes", "circular.commutes_measured",
                          "circular.eigenvalues", "circular.detection", "circular.converse"));
}

}  // namespace
}  // namespace cotangent::tools::lab
