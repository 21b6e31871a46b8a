// Tests train_distributed, which trains with several ranks (processes that train together), all on
// this machine: what the ranks compute, and what happens if one of them fails.

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <numeric>
#include <random>
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

// A network in which ranks share more than gradients: batch statistics, dropout masks, and the
// updates of matrices that are large enough for the work to be divided among the ranks.
constexpr char kSynchronised[] = R"(
layer { name: "conv" convolution { channels: 128 kernel: 3 stride: 4 } }
layer { name: "bn" batch_norm { synchronised: true } }
layer { name: "relu" activation { kind: RELU } }
layer { name: "pool" max_pool { kernel: 2 } }
layer { name: "drop" dropout { rate: 0.2 } }
layer { name: "conv2" convolution { channels: 128 kernel: 3 padding: SAME } }
layer { name: "bn2" batch_norm { synchronised: true } }
layer { name: "gelu" activation { kind: GELU } }
layer { name: "average" global_average_pool {} }
layer { name: "fc" linear {} }
train {
  batch_size: 16
  epochs: 1
  optimizer {
    muon { learning_rate: 0.01 }
    group { rank: 1 sgd { learning_rate: 0.05 momentum: 0.9 } }
    group { pattern: "fc.weight" sgd { learning_rate: 0.05 momentum: 0.9 } }
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
  // Returns the last line of a run's metrics, which is an evaluation.
  nlohmann::json LastEvaluation(const std::string& output) const {
    std::istringstream lines(ReadFileOrEmpty(directory_ + "/" + output + "/metrics.jsonl"));
    std::string last;
    for (std::string line; std::getline(lines, line);) last = line;
    return nlohmann::json::parse(last, nullptr, false);
  }
  // Returns the values of the tensor conv.weight of the newest undamaged checkpoint of a run; empty
  // if there is none.
  std::vector<float> Weights(const std::string& output) const {
    const auto found = training::FindNewestGood(directory_ + "/" + output, [](const auto&) {});
    if (!found.has_value()) return {};
    const auto* tensor = found->checkpoint.Find("conv.weight");
    std::vector<float> values(tensor->size);
    found->checkpoint.CopyTo(*tensor, values.data());
    return values;
  }
  // Returns the ids of the processes of rank `rank` in the run whose $HOME is `directory` (every
  // program that this test starts has its working directory as $HOME).
  static std::vector<pid_t> RankOf(const std::string& directory, int rank) {
    std::vector<pid_t> ranks;
    DIR* const all = opendir("/proc");
    for (const dirent* entry = readdir(all); entry != nullptr; entry = readdir(all)) {
      const std::string process = std::string("/proc/") + entry->d_name;
      const std::string environment = ReadFileOrEmpty(process + "/environ");
      if (environment.find("HOME=" + directory) != std::string::npos &&
          environment.find("OMPI_COMM_WORLD_RANK=" + std::to_string(rank) + '\0') !=
              std::string::npos)
        ranks.push_back(std::stoi(entry->d_name));
    }
    closedir(all);
    return ranks;
  }
  // Sends a signal to rank 1 when `job`, which writes to the directory "out", has logged more than
  // 30 losses.
  void SignalRankOne(Process& job, int signal_number) const {
    ASSERT_TRUE(job.WaitUntil([&] { return Losses("out").size() > 30; }, kPatience))
        << job.Errors();
    const std::vector<pid_t> rank = RankOf(directory_, 1);
    ASSERT_EQ(rank.size(), 1u);
    kill(rank[0], signal_number);
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
    // Each rank evaluates a share of the test images; together they must find what one rank finds.
    const nlohmann::json of_one = LastEvaluation("of1"), of_several = LastEvaluation(output);
    EXPECT_EQ(of_several["test_accuracy"], of_one["test_accuracy"]);
    EXPECT_NEAR(of_several["test_loss"].get<double>() / of_one["test_loss"].get<double>(), 1, 1e-5);
  }
  // With the same number of ranks, a run must repeat bit for bit.
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

// The losses show that batch statistics and dropout masks do not depend on the number of ranks. The
// resumed run shows that a checkpoint holds the whole of matrices whose update is divided among
// ranks.
TEST_F(DistributedTest, SynchronisedRanksComputeTheStepsOfOneMachine) {
  WriteFile(directory_ + "/net.textproto", kSynchronised);
  ASSERT_EQ(Train(1, "of1").exit_code, 0);
  ASSERT_EQ(Train(2, "of2").exit_code, 0);
  const std::vector<double> one = Losses("of1"), two = Losses("of2");
  ASSERT_EQ(one.size(), two.size());
  ASSERT_GE(one.size(), 20u);
  for (size_t i = 0; i < one.size(); ++i) EXPECT_NEAR(two[i] / one[i], 1, 1e-4) << i;
  ASSERT_EQ(Train(2, "again", {"--max_steps=12"}).exit_code, 0);
  ASSERT_EQ(Train(2, "again", {"--resume"}).exit_code, 0);
  EXPECT_EQ(Losses("again"), two);
  EXPECT_EQ(Weights("again"), Weights("of2"));
}

// R2, the coefficient of determination, is not a sum over images, so ranks gather the answers for
// all images. With two ranks the 70 test images are three batches of at most 32; the third one, of
// 6 images, belongs to rank 0.
TEST_F(DistributedTest, NumbersAreMeasuredAsByOneProcess) {
  std::string list = "path,number,split\n";
  for (int i = 0; i < 134; ++i) {
    const std::string name = "picture" + std::to_string(i) + ".pgm";
    std::string picture = "P5 8 8 255\n";
    for (int pixel = 0; pixel < 64; ++pixel) picture += static_cast<char>((i * pixel + i) % 200);
    WriteFile(directory_ + "/" + name, picture);
    list += name + "," + std::to_string(i * 37 % 101) + (i < 64 ? ",train\n" : ",test\n");
  }
  WriteFile(directory_ + "/list.csv", list);
  WriteFile(directory_ + "/net.textproto", R"(
input { channels: 1 height: 8 width: 8 }
layer { name: "fc" linear {} }
loss { squared_error {} }
train { batch_size: 64 epochs: 3 optimizer { sgd { learning_rate: 0.01 } } }
)");
  nlohmann::json of_one;
  for (const int ranks : {1, 2, 4}) {
    const std::string output = "of" + std::to_string(ranks);
    const Outcome outcome = Train(ranks, output, {"--dataset=list.csv"});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.errors;
    const nlohmann::json found = LastEvaluation(output);
    if (ranks == 1) of_one = found;
    for (const char* key : {"test_r2", "test_loss"}) {
      ASSERT_TRUE(found.contains(key)) << found;
      EXPECT_NEAR(found[key].get<double>() / of_one[key].get<double>(), 1, 1e-5) << key;
    }
  }
}

TEST_F(DistributedTest, GradientsInBf16TrainAsWellAndAgain) {
  const Outcome f32 = Train(2, "f32"), bf16 = Train(2, "bf16", {"--gradients=bf16"});
  ASSERT_EQ(f32.exit_code, 0) << f32.errors;
  ASSERT_EQ(bf16.exit_code, 0) << bf16.errors;
  EXPECT_THAT(bf16.errors, HasSubstr("of gradients (bf16) in"));
  const std::vector<double> exact = Losses("f32"), rounded = Losses("bf16");
  ASSERT_EQ(exact.size(), rounded.size());
  EXPECT_NE(exact, rounded);
  // The first steps must be equal except for rounding. Later losses, each of few images at a high
  // learning rate, differ as much as those of runs with different seeds; their means must be close.
  ASSERT_EQ(exact.size(), 50u);
  for (size_t i = 0; i < 9; ++i) EXPECT_NEAR(rounded[i] / exact[i], 1, 1e-3) << i;
  const auto mean_of_last_epoch = [](const std::vector<double>& losses) {
    return std::accumulate(losses.begin() + 25, losses.end(), 0.0) / 25;
  };
  EXPECT_NEAR(mean_of_last_epoch(rounded) / mean_of_last_epoch(exact), 1, 0.02);
  // A run that is resumed from a checkpoint at the end of an epoch must repeat the uninterrupted
  // run.
  ASSERT_EQ(Train(2, "again", {"--gradients=bf16", "--max_steps=25"}).exit_code, 0);
  ASSERT_EQ(Train(2, "again", {"--gradients=bf16", "--resume"}).exit_code, 0);
  EXPECT_EQ(Losses("again"), rounded);
  EXPECT_EQ(Weights("again"), Weights("bf16"));
  EXPECT_EQ(Train(2, "out", {"--gradients=f16"}).exit_code, 2);
}

TEST_F(DistributedTest, MetricsAndTraceShowCommunication) {
  ASSERT_EQ(Train(2, "out", {"--max_steps=10", "--profile=trace.json"}).exit_code, 0);
  std::istringstream lines(ReadFileOrEmpty(directory_ + "/out/metrics.jsonl"));
  std::string line;
  std::getline(lines, line);
  std::getline(lines, line);
  const nlohmann::json step = nlohmann::json::parse(line);
  EXPECT_GT(step["communication_seconds"], 0.0);
  EXPECT_GE(step["waited_seconds"], 0.0);
  ASSERT_EQ(step["computing_seconds_by_rank"].size(), 2u);
  EXPECT_GT(step["computing_seconds_by_rank"][1], 0.0);
  EXPECT_THAT(ReadFileOrEmpty(directory_ + "/trace.json"), HasSubstr("gradients mean over ranks"));
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

TEST_F(DistributedTest, WhatIsMissingOrNotTheSameIsToldOnce) {
  const std::string program = Runfile("tools/train_distributed");
  // Gives --resume to only one of two ranks; the program must refuse this.
  std::vector<std::string> words = {"--allow-run-as-root", "--oversubscribe", "--bind-to", "none"};
  for (const bool resumes : {true, false}) {
    if (!resumes) words.push_back(":");
    words.insert(words.end(), {"-np", "1", program, "--network=net.textproto", "--dataset=sample"});
    if (resumes) words.push_back("--resume");
  }
  const Outcome mixed = RunProgram("/usr/bin/mpirun", words, Options(), 60);
  EXPECT_EQ(mixed.exit_code, 2) << mixed.errors;
  const size_t told = mixed.errors.find("--resume here is 'not given'");
  ASSERT_NE(told, std::string::npos) << mixed.errors;
  EXPECT_EQ(mixed.errors.find("--resume here is", told + 1), std::string::npos);

  // Starts ranks as MPICH's mpirun does. Such ranks do not know of each other, so they must refuse
  // to train.
  for (const char* rank : {"0", "1"}) {
    const Outcome other = RunProgram(
        program, {"--network=net.textproto", "--dataset=sample"},
        {.directory = directory_,
         .environment = {"PMI_SIZE=2", std::string("PMI_RANK=") + rank, "OMPI_ALLOW_RUN_AS_ROOT=1",
                         "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1"}},
        60);
    EXPECT_EQ(other.exit_code, 2) << other.errors;
    EXPECT_EQ(other.errors.find("2 ranks were started") != std::string::npos,
              std::string(rank) == "0")
        << other.errors;
  }

  const Outcome no_mpirun = RunProgram(
      program, {"--ranks=2"}, {.directory = directory_, .environment = {"PATH=/nowhere"}}, 60);
  EXPECT_EQ(no_mpirun.exit_code, 2);
  EXPECT_THAT(no_mpirun.errors, HasSubstr("openmpi-bin"));

  const Outcome no_host = RunProgram(
      "/usr/bin/mpirun",
      {"--allow-run-as-root", "-np", "2", "--host", "localhost,no-such-host.invalid", program},
      Options(), 60);
  EXPECT_FALSE(no_host.timed_out);
  EXPECT_NE(no_host.exit_code, 0);
}

// Kills a rank at random three times, or as often as the environment variable COTANGENT_KILLS says,
// while checkpoints are being written most of the time. A run is killed and resumed up to
// kKillsOfARun times, and finally resumed to its end.
TEST_F(DistributedTest, KilledAtRandomAndResumedItEndsWithTheSameBits) {
  constexpr int kKillsOfARun = 5;
  const char* const asked = getenv("COTANGENT_KILLS");
  const int kills = asked == nullptr ? 3 : std::stoi(asked);
  const std::vector<std::string> more = {"--epochs=20", "--checkpoint_every=5", "--resume"};
  ASSERT_EQ(Train(2, "whole", more).exit_code, 0);
  std::mt19937 random(1);
  int killed = 0, tries = 0;
  for (; killed < kills && tries < 2 * kills; ++tries) {
    const std::string output = "killed" + std::to_string(tries / kKillsOfARun);
    const size_t until = Losses(output).size() + 1 + random() % 60;
    Process job(Runfile("tools/train_distributed"), Arguments(2, output, more), Options());
    const bool has_trained =
        job.WaitUntil([&] { return Losses(output).size() >= until; }, kPatience);
    usleep(random() % 20'000);
    const std::vector<pid_t> ranks = RankOf(directory_, static_cast<int>(random() % 2));
    if (ranks.size() == 1 && kill(ranks[0], SIGKILL) == 0) ++killed;
    const Outcome outcome = job.Wait(30);
    EXPECT_FALSE(outcome.timed_out) << outcome.errors;
    EXPECT_TRUE(has_trained || outcome.exit_code == 0) << outcome.errors;
  }
  EXPECT_EQ(killed, kills) << "in " << tries << " tries";
  for (int i = 0; i <= (tries - 1) / kKillsOfARun; ++i) {
    const std::string output = "killed" + std::to_string(i);
    const Outcome last = Train(2, output, more);
    EXPECT_EQ(last.exit_code, 0) << last.errors;
    EXPECT_EQ(Losses(output), Losses("whole"));
    EXPECT_EQ(Weights(output), Weights("whole"));
  }
}

TEST_F(DistributedTest, TheMachineIsDescribed) {
  const Outcome outcome = Train(2, "out", {"--describe_machine"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, HasSubstr("2 ranks of"));
  EXPECT_THAT(outcome.output, HasSubstr("mpirun --oversubscribe -np 2"));
}

TEST_F(DistributedTest, ARankThatDiesEndsTheJobAndIsNamed) {
  const std::vector<std::string> more = {"--epochs=1000", "--checkpoint_every=10"};
  Process job(Runfile("tools/train_distributed"), Arguments(2, "out", more), Options());
  ASSERT_NO_FATAL_FAILURE(SignalRankOne(job, SIGKILL));
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
  ASSERT_NO_FATAL_FAILURE(SignalRankOne(job, SIGSTOP));
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
