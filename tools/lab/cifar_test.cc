#include <string>
#include <vector>

#include "data/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tools/lab/experiments.h"
#include "tools/lab/report_testing.h"

namespace cotangent::tools::lab {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// Writes the logs of a run of three epochs of each network, which end at these accuracies, and
// returns the directory of the runs.
std::string Runs(const std::string& name, const std::vector<double>& accuracies) {
  const std::string directory = ::testing::TempDir() + name;
  const char* const networks[] = {"softmax_classifier", "two_layer_net", "convnet"};
  for (int i = 0; i < 3; ++i) {
    const std::string run = directory + "/" + networks[i];
    EXPECT_TRUE(data::MakeDirectories(run).ok());
    std::string lines;
    for (int epoch = 1; epoch <= 3; ++epoch) {
      lines += "{\"step\": " + std::to_string(10 * epoch) +
               ", \"epoch\": " + std::to_string(epoch) +
               ", \"train_loss\": " + std::to_string(2.3 / epoch) +
               ", \"test_accuracy\": " + std::to_string(accuracies[i] * epoch / 3) + "}\n";
    }
    EXPECT_TRUE(data::WriteFileAtomically(run + "/metrics.jsonl", lines).ok());
  }
  return directory;
}

TEST(Cifar, ReadsSavedMetrics) {
  const auto report =
      RunCifar({.runs_dir = Runs("good", {0.4, 0.5, 0.6}), .data_dir = "/nonexistent"});
  EXPECT_THAT(Ids(report, Verdict::kHolds), ElementsAre("cifar.order", "cifar.loss_falls"));
  EXPECT_THAT(Ids(report, Verdict::kSkipped), ElementsAre("cifar.reproduced"));
}

TEST(Cifar, AnotherOrderFails) {
  EXPECT_THAT(
      Failing(RunCifar({.runs_dir = Runs("bad", {0.4, 0.7, 0.6}), .data_dir = "/nonexistent"})),
      ElementsAre("cifar.order"));
}

TEST(Cifar, WithoutRunsOrDataSaysHowToGetThem) {
  const auto report = RunCifar({.runs_dir = "/nonexistent", .data_dir = "/nonexistent"});
  EXPECT_THAT(Failing(report), IsEmpty());
  EXPECT_THAT(Ids(report, Verdict::kSkipped), Contains("cifar.order"));
  EXPECT_THAT(report->claims[0].how, ::testing::HasSubstr("fetch_data"));
}

TEST(Cifar, BrokenMetricsAreAnError) {
  const std::string directory = Runs("broken", {0.4, 0.5, 0.6});
  ASSERT_TRUE(
      data::WriteFileAtomically(directory + "/convnet/metrics.jsonl", "{\"step\": 1}\nnonsense\n")
          .ok());
  const auto report = RunCifar({.runs_dir = directory, .data_dir = "/nonexistent"});
  EXPECT_THAT(std::string(report.status().message()), ::testing::HasSubstr("metrics.jsonl:2:1"));
}

}  // namespace
}  // namespace cotangent::tools::lab
