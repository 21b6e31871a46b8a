#include "layers/network/initialize.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace cotangent::layers {
namespace {

ParameterSpec Spec(tensor::Shape shape) {
  ParameterSpec spec;
  spec.name = "conv.weight";
  spec.shape = shape;
  spec.fan_in = shape[1] * (shape.rank() == 4 ? shape[2] * shape[3] : 1);
  spec.fan_out = shape[0] * (shape.rank() == 4 ? shape[2] * shape[3] : 1);
  spec.default_initialiser.mutable_kaiming_uniform()->set_negative_slope(std::sqrt(5.0));
  spec.initialiser = spec.default_initialiser;
  return spec;
}

std::vector<float> Values(const ParameterSpec& spec, uint64_t seed = 1) {
  std::vector<float> values(spec.shape.NumElements());
  Initialize(spec, seed, absl::MakeSpan(values));
  return values;
}

struct Moments {
  double mean, deviation, largest;
};

Moments MomentsOf(const std::vector<float>& values) {
  double sum = 0, squares = 0, largest = 0;
  for (float v : values)
    sum += v, squares += double{v} * v, largest = std::max(largest, std::abs(double{v}));
  const double mean = sum / values.size();
  return {mean, std::sqrt(squares / values.size() - mean * mean), largest};
}

TEST(RandomStream, StreamsDifferAndReproduce) {
  const RandomStream a(1, "a"), again(1, "a"), b(1, "b"), other_seed(2, "a");
  int equal = 0;
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(a.Uniform(i), again.Uniform(i));
    equal += a.Uniform(i) == b.Uniform(i);
    equal += a.Uniform(i) == other_seed.Uniform(i);
  }
  EXPECT_EQ(equal, 0);
}

TEST(Initialize, DefaultIsPyTorchs) {
  const Moments m = MomentsOf(Values(Spec({64, 32, 3, 3})));
  const double bound = 1 / std::sqrt(32.0 * 9);
  EXPECT_NEAR(m.mean, 0, bound * 0.02);
  EXPECT_NEAR(m.deviation, bound / std::sqrt(3.0), bound * 0.01);
  EXPECT_LE(m.largest, bound * (1 + 1e-6));
  EXPECT_GT(m.largest, bound * 0.999);
}

TEST(Initialize, KaimingAndXavierDeviations) {
  ParameterSpec spec = Spec({64, 32, 3, 3});
  auto* kaiming = spec.initialiser.mutable_kaiming_normal();
  kaiming->set_mode(Initialiser::FAN_OUT);
  kaiming->set_nonlinearity(Initialiser::RELU);
  EXPECT_NEAR(MomentsOf(Values(spec)).deviation, std::sqrt(2.0 / (64 * 9)), 5e-4);
  spec.initialiser.mutable_xavier_normal()->set_gain(2);
  EXPECT_NEAR(MomentsOf(Values(spec)).deviation, 2 * std::sqrt(2.0 / (96 * 9)), 1e-3);
  spec.initialiser.mutable_xavier_uniform();
  EXPECT_NEAR(MomentsOf(Values(spec)).deviation, std::sqrt(2.0 / (96 * 9)), 5e-4);
  EXPECT_LE(MomentsOf(Values(spec)).largest, std::sqrt(6.0 / (96 * 9)) * (1 + 1e-6));
}

TEST(Initialize, SimpleOnes) {
  ParameterSpec spec = Spec({100, 100});
  spec.initialiser.mutable_normal()->set_mean(3);
  spec.initialiser.mutable_normal()->set_deviation(0.5);
  EXPECT_NEAR(MomentsOf(Values(spec)).mean, 3, 0.02);
  EXPECT_NEAR(MomentsOf(Values(spec)).deviation, 0.5, 0.02);
  spec.initialiser.mutable_uniform()->set_low(2);
  spec.initialiser.mutable_uniform()->set_high(4);
  EXPECT_NEAR(MomentsOf(Values(spec)).mean, 3, 0.02);
  spec.initialiser.mutable_constant()->set_value(7);
  EXPECT_EQ(Values(spec)[55], 7);
  spec.initialiser.set_multiply(0.5);
  EXPECT_EQ(Values(spec)[55], 3.5);
  spec.initialiser.mutable_normal()->set_deviation(0.1);
  spec.initialiser.set_unit_deviation(true);
  EXPECT_NEAR(MomentsOf(Values(spec)).deviation, 0.5, 1e-3);
  ParameterSpec identity = Spec({2, 3});
  identity.initialiser.mutable_identity();
  EXPECT_EQ(Values(identity), (std::vector<float>{1, 0, 0, 0, 1, 0}));
}

TEST(Initialize, Dirac) {
  ParameterSpec spec = Spec({4, 2, 3, 3});
  spec.initialiser.mutable_dirac();
  const std::vector<float> zeros = Values(spec);
  spec.initialiser.mutable_dirac()->set_default_others(true);
  const std::vector<float> others = Values(spec);
  const std::vector<float> plain = Values(Spec({4, 2, 3, 3}));
  for (int i = 0; i < 72; ++i) {
    const int filter = i / 18, channel = i / 9 % 2, pixel = i % 9;
    if (filter < 2) {
      EXPECT_EQ(others[i], filter == channel && pixel == 4 ? 1 : 0);
      EXPECT_EQ(zeros[i], others[i]);
    } else {
      EXPECT_EQ(zeros[i], 0);
      EXPECT_EQ(others[i], plain[i]);
    }
  }
}

TEST(Initialize, DependsOnSeedAndNameAlone) {
  const ParameterSpec spec = Spec({8, 8});
  ParameterSpec other = spec;
  other.name = "fc.weight";
  EXPECT_NE(Values(spec), Values(spec, 2));
  EXPECT_NE(Values(spec), Values(other));
  std::vector<float> both(128);
  Initialize({other, spec}, 1, absl::MakeSpan(both));
  EXPECT_EQ(std::vector<float>(both.begin() + 64, both.end()), Values(spec));
}

TEST(Whiten, MakesPatchesWhite) {
  const tensor::Shape images_shape = {16, 3, 8, 8}, filters_shape = {24, 3, 2, 2};
  std::vector<float> images(images_shape.NumElements());
  const RandomStream random(1, "images");
  // Makes neighbouring pixels and channels correlated.
  for (size_t i = 0; i < images.size(); ++i)
    images[i] =
        random.Normal(i / 2) + 0.5 * random.Normal(i % 1000) + 0.1 * random.Normal(1000000 + i);
  std::vector<float> filters(filters_shape.NumElements());
  ASSERT_TRUE(Whiten(images, images_shape, 0, filters_shape, absl::MakeSpan(filters)).ok());
  // The responses of the first 12 filters must have second moments 1 and be uncorrelated.
  std::vector<double> moments(144);
  for (int n = 0; n < 16; ++n) {
    for (int at = 0; at < 49; ++at) {
      double response[12] = {};
      for (int f = 0; f < 12; ++f) {
        for (int i = 0; i < 12; ++i) {
          response[f] += filters[f * 12 + i] *
                         images[((n * 3 + i / 4) * 8 + at / 7 + i / 2 % 2) * 8 + at % 7 + i % 2];
        }
      }
      for (int f = 0; f < 144; ++f) moments[f] += response[f / 12] * response[f % 12] / (16 * 49);
    }
  }
  for (int f = 0; f < 144; ++f) EXPECT_NEAR(moments[f], f / 12 == f % 12 ? 1 : 0, 1e-4);
  for (int i = 0; i < 144; ++i) EXPECT_EQ(filters[144 + i], -filters[i]);
  EXPECT_FALSE(Whiten(images, images_shape, 0, {24, 3, 9, 9}, absl::MakeSpan(filters)).ok());
}

TEST(CheckInitialiser, RejectsWhatMakesNoSense) {
  ParameterSpec spec = Spec({8, 8});
  spec.initialiser.mutable_dirac();
  EXPECT_FALSE(CheckInitialiser(spec).ok());
  spec.initialiser.mutable_identity();
  EXPECT_TRUE(CheckInitialiser(spec).ok());
  spec.initialiser.mutable_normal()->set_deviation(-1);
  EXPECT_FALSE(CheckInitialiser(spec).ok());
  spec.initialiser.mutable_uniform()->set_low(2);
  EXPECT_FALSE(CheckInitialiser(spec).ok());
  spec.initialiser.mutable_constant()->set_value(NAN);
  EXPECT_FALSE(CheckInitialiser(spec).ok());
}

}  // namespace
}  // namespace cotangent::layers
