// Compares updates and learning rates with those of PyTorch, which testdata/make_pytorch_updates.py
// wrote to testdata/pytorch_updates.txt.

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "optim/optimizer.h"
#include "optim/optimizer.pb.h"
#include "optim/schedule.h"

namespace cotangent::optim {
namespace {

constexpr int kSize = 17;

struct RecordedStep {
  int steps;
  std::vector<double> values;
};

struct RecordedCase {
  bool is_schedule = false;
  std::string name;
  std::string config;
  std::vector<RecordedStep> steps;
  std::vector<double> rates;
};

std::vector<double> ReadNumbers(std::istringstream& line) {
  std::vector<double> numbers;
  for (double x; line >> x;) numbers.push_back(x);
  return numbers;
}

std::vector<RecordedCase> ReadCases() {
  std::ifstream file("optim/testdata/pytorch_updates.txt");
  std::vector<RecordedCase> cases;
  for (std::string text; std::getline(file, text);) {
    std::istringstream line(text);
    std::string key;
    line >> key;
    if (key == "case" || key == "schedule") {
      cases.emplace_back();
      cases.back().is_schedule = key == "schedule";
      line >> cases.back().name;
    } else if (key == "config") {
      std::getline(line, cases.back().config);
    } else if (key == "step") {
      int steps = 0;
      line >> steps;
      cases.back().steps.push_back({steps, ReadNumbers(line)});
    } else if (key == "rates") {
      cases.back().rates = ReadNumbers(line);
    }
  }
  return cases;
}

// Returns the same initial parameters as make_pytorch_updates.py uses.
std::vector<float> InitialParameters() {
  std::vector<float> w(kSize);
  for (int i = 0; i < kSize; ++i) w[i] = (1 + 0.125f * (i % 7)) * (i % 3 == 0 ? -1 : 1);
  return w;
}

void Gradient(const std::vector<float>& w, int step, std::vector<float>& g) {
  for (int i = 0; i < kSize; ++i) {
    const float noise =
        static_cast<float>(((i * 7919 + step * 104729 + i * step * 31) % 2001 - 1000) / 1000.0);
    const float target = i % 3 == 0 ? -1.5f : 1.5f;
    g[i] = 0.5f * (w[i] - target) + noise;
  }
}

// Returns the largest absolute difference of `actual` and `expected` within the tensor of `slice`,
// divided by the largest absolute value that is expected there.
double RelativeError(const std::vector<float>& actual, const std::vector<double>& expected,
                     const ParameterSlice& slice) {
  double difference = 0, largest = 0;
  for (int64_t i = slice.offset; i < slice.offset + slice.size; ++i) {
    difference = std::max(difference, std::abs(actual[i] - expected[i]));
    largest = std::max(largest, std::abs(expected[i]));
  }
  return difference / largest;
}

TEST(OptimizerPytorchTest, HundredStepsAreEqual) {
  int compared = 0;
  for (const RecordedCase& recorded : ReadCases()) {
    if (recorded.is_schedule) continue;
    SCOPED_TRACE(recorded.name);
    OptimizerConfig config;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(recorded.config, &config));
    const std::vector<ParameterSlice> slices = {{"a", {3, 4}, 0, 12}, {"b", {5}, 12, 5}};
    auto optimizer = Optimizer::Create(config, slices, {10, 100});
    ASSERT_TRUE(optimizer.ok()) << optimizer.status();
    std::vector<float> w = InitialParameters(), g(kSize);
    (*optimizer)->Initialise(w.data());
    double worst = 0;
    int done = 0;
    for (const RecordedStep& expected : recorded.steps) {
      for (; done < expected.steps; ++done) {
        Gradient(w, done, g);
        ASSERT_TRUE((*optimizer)->Step(w.data(), g.data(), done));
      }
      ASSERT_EQ(expected.values.size(), kSize);
      for (const ParameterSlice& slice : slices) {
        const double error = RelativeError(w, expected.values, slice);
        worst = std::max(worst, error);
        EXPECT_LE(error, 1e-6) << slice.name << " after " << done << " steps";
      }
    }
    EXPECT_EQ(done, 100);
    RecordProperty("worst_relative_error_" + recorded.name, std::to_string(worst * 1e9) + "e-9");
    ++compared;
  }
  EXPECT_EQ(compared, 19);
}

TEST(OptimizerPytorchTest, SchedulesAreEqual) {
  int compared = 0;
  for (const RecordedCase& recorded : ReadCases()) {
    if (!recorded.is_schedule) continue;
    SCOPED_TRACE(recorded.name);
    ScheduleConfig config;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(recorded.config, &config));
    auto schedule = Schedule::Create(config, {10, 60});
    ASSERT_TRUE(schedule.ok()) << schedule.status();
    ASSERT_EQ(recorded.rates.size(), 60);
    for (int step = 0; step < 60; ++step) {
      EXPECT_NEAR(0.5 * schedule->Multiplier(step), recorded.rates[step], 1e-12) << step;
    }
    ++compared;
  }
  EXPECT_EQ(compared, 10);
}

}  // namespace
}  // namespace cotangent::optim
