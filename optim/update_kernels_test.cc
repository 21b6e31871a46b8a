#include "optim/update_kernels.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent::optim {
namespace {

std::vector<float> Normal(int size, int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& value : values) value = normal(random);
  return values;
}

// The parameters after one call of every loop in turn.
std::vector<float> AfterEveryLoop(const UpdateKernels& k, int size, int cut) {
  std::vector<float> w = Normal(size, 1);
  const std::vector<float> g = Normal(size, 2);
  std::vector<float> a = Normal(size, 3), b = Normal(size, 4), c = Normal(size, 5);
  for (auto* state : {&a, &b, &c}) {
    for (float& value : *state) value = std::abs(value) + 2;
  }
  UpdateCoefficients coefficients;
  coefficients.learning_rate = 0.01f;
  coefficients.gradient_scale = 0.5f;
  coefficients.gradient_bound = 0.7f;
  coefficients.decay = 0.1f;
  coefficients.shrink = 0.99f;
  coefficients.momentum = 0.9f;
  coefficients.direction_gradient = 1;
  coefficients.direction_momentum = 0.9f;
  coefficients.first_share = 0.1f;
  coefficients.second_keep = 0.95f;
  coefficients.second_share = 0.05f;
  coefficients.root_scale = 1.5f;
  coefficients.epsilon = 1e-3f;
  for (auto loop : {k.sgd, k.sgd_momentum, k.adam, k.adam_max, k.rmsprop[0][0], k.rmsprop[0][1],
                    k.rmsprop[1][0], k.rmsprop[1][1], k.adagrad, k.momentum_direction}) {
    for (int begin = 0; begin < size; begin += cut) {
      const int count = std::min(cut, size - begin);
      loop({w.data() + begin, g.data() + begin, {&a[begin], &b[begin], &c[begin]}, count},
           coefficients);
    }
  }
  k.blend(w.data(), g.data(), size, 0.75f);
  w.insert(w.end(), b.begin(), b.end());
  return w;
}

TEST(UpdateKernelsTest, EveryInstructionSetAgreesAndTheCutDoesNotMatter) {
  NamedKernels available[3];
  const int count = AvailableKernels(available);
  const std::vector<float> expected = AfterEveryLoop(*available[count - 1].kernels, 1003, 1003);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(available[i].name);
    const std::vector<float> whole = AfterEveryLoop(*available[i].kernels, 1003, 1003);
    EXPECT_EQ(whole, AfterEveryLoop(*available[i].kernels, 1003, 37));
    EXPECT_EQ(whole, expected);
  }
}

TEST(UpdateKernelsTest, SummariesSeeEveryPlace) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  NamedKernels available[3];
  const int count = AvailableKernels(available);
  for (int i = 0; i < count; ++i) {
    SCOPED_TRACE(available[i].name);
    const UpdateKernels& k = *available[i].kernels;
    std::vector<float> g(101, std::numeric_limits<float>::max());
    EXPECT_TRUE(k.summarise(g.data(), 101).finite);
    EXPECT_TRUE(k.all_finite(g.data(), 101));
    for (int place = 0; place < 101; ++place) {
      for (float bad : {kNan, -kNan, kInfinity, -kInfinity}) {
        g.assign(101, 1.0f);
        g[place] = bad;
        EXPECT_FALSE(k.summarise(g.data(), 101).finite);
        EXPECT_FALSE(k.all_finite(g.data(), 101));
      }
    }
    g.assign(101, -2.0f);
    EXPECT_DOUBLE_EQ(k.summarise(g.data(), 101).sum_of_squares, 404);
  }
}

}  // namespace
}  // namespace cotangent::optim
