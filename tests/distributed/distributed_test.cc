// Ranks on one machine, as a person starts them: what they compute, and what happens when they break.

#include <dirent.h>
#include <signal.h>

#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/process/process.h"
#include "training/checkpoint.h"

namespace cotangent::tests {
namespace {

using ::testing::HasSubstr;

constexpr double kPatience = 120;  // seconds
constexpr char kNetwork[] = R"(
layer { name: "conv" convolution { channels: 8 kernel: 3 padding: SAME } }
layer { name: "relu" activation { kind: RELU } }
layer { name: "pool" max_pool { kernel: 4 } }
layer { name: "fc" linear {} }
train {
  batch_size: 16
  epochs: 2
  augmentation { flip: RANDOM crop: 2 }
  optimizer {
    sgd { learning_rate: 0.05 momentum: 0.9 weight_decay: 5e-4 }
    schedule { cosine {} }
  }
  evaluation { every_epochs: 1000000 }
}
)";

class DistributedTest : public ::testing::Test {
 protected:
  DistributedTest() : directory_(MakeTestDirectory("distributed")) {
    WriteFile(directory_ + "/net.textproto", kNetwork);
  }

  std::vector<std::string> Arguments(int ranks, const std::string& output,
                                     const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"--ranks=" + std::to_string(ranks),
                                          "--network=net.textproto", "--dataset=sample",
                                          "--log_every=1", "--output_dir=" + output};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  Process::Options Options() const { return {.directory = directory_}; }
  Outcome Train(int ranks, const std::string& output,
                const std::vector<std::string>& more = {}) const {
    return RunProgram(Runfile("tools/train_distributed"), Arguments(ranks, output, more), Options(),
                      kPatience);
  }
  std::vector<double> Losses(const std::string& output) const {
    std::istringstream lines(ReadFileOrEmpty(directory_ + "/" + output + "/metrics.jsonl"));
    std::vector<double> losses;
    for (std::string line; std::getline(lines, line);) {
      const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
      if (object.contains("learning_rate")) losses.push_back(object["train_loss"]);
    }
    return losses;
  }
  // The bytes of a tensor of the newest checkpoint.
  std::vector<float> Weights(const std::string& output) const {
    const auto found = training::FindNewestGood(directory_ + "/" + output, [](const auto&) {});
    if (!found.has_value()) return {};
    const auto* tensor = found->checkpoint.Find("conv.weight");
    std::vector<float> values(tensor->size);
    found->checkpoint.CopyTo(*tensor, values.data());
    return values;
  }
  // Rank 1 of the run that stands in a directory.
  static std::vector<pid_t> SecondRankOf(const std::string& directory) {
    std::vector<pid_t> ranks;
    DIR* const all = opendir("/proc");
    for (const dirent* entry = readdir(all); entry != nullptr; entry = readdir(all)) {
      const std::string process = std::string("/proc/") + entry->d_name;
      const std::string environment = ReadFileOrEmpty(process + "/environ");
      if (environment.find("HOME=" + directory) != std::string::npos &&
          environment.find("OMPI_COMM_WORLD_RANK=1") != std::string::npos)
        ranks.push_back(std::stoi(entry->d_name));
    }
    closedir(all);
    return ranks;
  }

  const std::string directory_;
};

TEST_F(DistributedTest, RanksComputeTheStepsOfOneMachine) {
  for (int ranks : {1, 2, 4})
    ASSERT_EQ(Train(ranks, "of" + std::to_string(ranks)).exit_code, 0) << ranks;
  const std::vector<double> one = Losses("of1");
  ASSERT_EQ(one.size(), 50u);
  for (const char* output : {"of2", "of4"}) {
    const std::vector<double> several = Losses(output);
    ASSERT_EQ(several.size(), one.size());
    for (size_t i = 0; i < one.size(); ++i)
      EXPECT_NEAR(several[i] / one[i], 1, 1e-5) << output << ", step " << i + 1;
  }
  // The same number of ranks: the same bits.
  ASSERT_EQ(Train(4, "again").exit_code, 0);
  EXPECT_EQ(Losses("again"), Losses("of4"));
  EXPECT_EQ(Weights("again"), Weights("of4"));
}

TEST_F(DistributedTest, ARunGoesOnWithAsManyOrOtherRanks) {
  ASSERT_EQ(Train(2, "whole").exit_code, 0);
  for (const char* output : {"same", "other"})
    ASSERT_EQ(Train(2, output, {"--max_steps=20"}).exit_code, 0);
  ASSERT_EQ(Train(2, "same", {"--resume"}).exit_code, 0);
  EXPECT_EQ(Losses("same"), Losses("whole"));
  EXPECT_EQ(Weights("same"), Weights("whole"));
  ASSERT_EQ(Train(4, "other", {"--resume"}).exit_code, 0);
  const std::vector<double> other = Losses("other"), whole = Losses("whole");
  ASSERT_EQ(other.size(), whole.size());
  for (size_t i = 0; i < other.size(); ++i) EXPECT_NEAR(other[i] / whole[i], 1, 1e-5) << i;
}

TEST_F(DistributedTest, WhatRanksCannotShareIsRefusedOnce) {
  for (int ranks : {3, 32}) {
    const Outcome outcome = Train(ranks, "out");
    EXPECT_EQ(outcome.exit_code, 2);
    const size_t told = outcome.errors.find("ranks cannot share out equally");
    ASSERT_NE(told, std::string::npos) << outcome.errors;
    EXPECT_EQ(outcome.errors.find("ranks cannot share out equally", told + 1), std::string::npos);
  }
  EXPECT_EQ(Train(-1, "out").exit_code, 2);
}

TEST_F(DistributedTest, ARankThatDiesEndsTheJobAndIsNamed) {
  const std::vector<std::string> more = {"--epochs=1000", "--checkpoint_every=10"};
  Process job(Runfile("tools/train_distributed"), Arguments(2, "out", more), Options());
  ASSERT_TRUE(job.WaitUntil([&] { return Losses("out").size() > 30; }, kPatience)) << job.Errors();
  const std::vector<pid_t> rank = SecondRankOf(directory_);
  ASSERT_EQ(rank.size(), 1u);
  kill(rank[0], SIGKILL);
  const Outcome outcome = job.Wait(30);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_NE(outcome.exit_code, 0);
  EXPECT_THAT(outcome.errors, HasSubstr("process rank 1"));
  const Outcome resumed = Train(2, "out", {"--resume", "--max_steps=100"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.errors;
  EXPECT_THAT(resumed.errors, HasSubstr("going on from out/checkpoint-"));
}

TEST_F(DistributedTest, ARankThatHangsEndsTheJobAndIsNamed) {
  Process job(Runfile("tools/train_distributed"), Arguments(2, "out", {"--epochs=1000000"}),
              Options());
  ASSERT_TRUE(job.WaitUntil([&] { return Losses("out").size() > 30; }, kPatience)) << job.Errors();
  const std::vector<pid_t> rank = SecondRankOf(directory_);
  ASSERT_EQ(rank.size(), 1u);
  kill(rank[0], SIGSTOP);
  const Outcome outcome = job.Wait(40);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.errors, HasSubstr("for rank 1 on"));
}

TEST_F(DistributedTest, SignalsEndAllRanksWithACheckpoint) {
  for (const auto& [signal_number, exit_code] : {std::pair(SIGTERM, 143), std::pair(SIGINT, 130)}) {
    const std::string output = "out" + std::to_string(signal_number);
    Process job(Runfile("tools/train_distributed"),
                Arguments(2, output, {"--epochs=1000000", "--checkpoint_every=1000000"}),
                Options());
    ASSERT_TRUE(job.WaitUntil([&] { return Losses(output).size() > 5; }, kPatience))
        << job.Errors();
    job.Signal(signal_number);
    EXPECT_EQ(job.Wait(30).exit_code, exit_code);
    EXPECT_FALSE(Weights(output).empty());
  }
}

}  // namespace
}  // namespace cotangent::tests
