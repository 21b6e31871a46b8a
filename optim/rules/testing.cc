#include "optim/rules/testing.h"

#include <algorithm>
#include <cmath>
#include <random>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "optim/rules/rule.h"

namespace cotangent::optim {
namespace {

constexpr int64_t kRows = 17, kColumns = 59, kSize = kRows * kColumns;

// Returns parameters and state after one update, made in ranges of `cut` parameters (by a matrix
// rule: of one whole matrix).
std::vector<float> AfterUpdate(const std::string& text, InstructionSet instructions, int64_t cut) {
  auto rule = MakeRule(ParseOptimizer(text), "optimizer", {.instructions = instructions});
  EXPECT_TRUE(rule.ok()) << rule.status();
  if (!rule.ok()) return {};
  std::vector<float> w = Normal(kSize, 1), state[3];
  const std::vector<float> g = Normal(kSize, 2);
  for (int i = 0; i < 3; ++i) {
    state[i] = Normal(kSize, 3 + i);
    for (float& value : state[i]) value = std::abs(value) + 2;
  }
  (*rule)->BeginStep({.step = 3, .learning_rate = 0.01, .clipping = {0.5f, 0.7f}});
  const auto range = [&](int64_t at, int64_t size) {
    return UpdateRange{&w[at], &g[at], {&state[0][at], &state[1][at], &state[2][at]}, size};
  };
  if (const MatrixRule* matrix_rule = (*rule)->AsMatrixRule()) {
    const auto scratch = matrix_rule->MakeScratch(kRows, kSize);
    matrix_rule->UpdateMatrix(range(0, kSize), kRows, kColumns, *scratch);
  } else {
    for (int64_t at = 0; at < kSize; at += cut) {
      (*rule)->Update(range(at, std::min(cut, kSize - at)));
    }
  }
  for (size_t i = 0; i < (*rule)->state_names.size(); ++i) {
    w.insert(w.end(), state[i].begin(), state[i].end());
  }
  return w;
}

}  // namespace

std::vector<float> Normal(int64_t size, int seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(size);
  for (float& value : values) value = normal(random);
  return values;
}

OptimizerConfig ParseOptimizer(const std::string& text) {
  OptimizerConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

std::unique_ptr<Optimizer> MakeOptimizer(const std::string& text, std::vector<int64_t> shape) {
  int64_t size = 1;
  for (int64_t extent : shape) size *= extent;
  auto optimizer =
      Optimizer::Create(ParseOptimizer(text), {{"w", std::move(shape), 0, size}}, {10, 100});
  EXPECT_TRUE(optimizer.ok()) << optimizer.status();
  return *std::move(optimizer);
}

void ExpectSameBitsEverywhere(const std::string& text) {
  SCOPED_TRACE(text);
  const std::vector<float> expected = AfterUpdate(text, InstructionSet::kPortable, kSize);
  EXPECT_NE(expected, Normal(kSize, 1));
  for (InstructionSet instructions : AvailableInstructionSets()) {
    SCOPED_TRACE(static_cast<int>(instructions));
    EXPECT_EQ(AfterUpdate(text, instructions, kSize), expected);
    EXPECT_EQ(AfterUpdate(text, instructions, 37), expected);
  }
}

void ExpectRefused(const std::string& text, const std::string& message) {
  const auto rule = MakeRule(ParseOptimizer(text), "optimizer");
  ASSERT_FALSE(rule.ok()) << text;
  EXPECT_EQ(rule.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(rule.status().message()), ::testing::HasSubstr(message));
}

}  // namespace cotangent::optim
