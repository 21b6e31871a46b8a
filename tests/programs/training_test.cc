// Training runs as a user starts them, on the sample: what they leave, how they are interrupted,
// how they go on.

#include <signal.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/programs/program.h"

namespace cotangent::tests {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

// Small, yet with all that a run has to remember: momentum, running statistics, dropout,
// augmentation, averages.
constexpr char kNetwork[] = R"(
name: "small"
layer { name: "conv1" convolution { channels: 8 kernel: 3 padding: SAME } }
layer { name: "bn1" batch_norm {} }
layer { activation { kind: RELU } }
layer { max_pool { kernel: 4 } }
layer { dropout { rate: 0.2 } }
layer { name: "fc" linear {} }
train {
  batch_size: 50
  epochs: 3
  augmentation { flip: RANDOM crop: 2 }
  optimizer { sgd { learning_rate: 0.05 momentum: 0.9 } ema { decay: 0.9 } schedule { cosine {} } }
}
)";
constexpr int kSteps = 24;  // 400 images, 3 epochs
constexpr double kPatience = 60;

std::string Prepare(const std::string& name) {
  const std::string directory = NewDirectory(name);
  std::ofstream(directory + "/small.textproto") << kNetwork;
  return directory;
}

std::vector<std::string> TrainArguments(const std::string& output,
                                        std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"--network=./small.textproto", "--dataset=sample",
                                        "--threads=1", "--output_dir=" + output};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

std::string Checkpoint(const std::string& directory, int step) {
  char name[64];
  snprintf(name, sizeof(name), "/checkpoint-%08d.safetensors", step);
  return directory + name;
}

std::string LastLine(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t begin = text.find_last_of('\n', end);
  return text.substr(begin == std::string::npos ? 0 : begin + 1,
                     end - (begin == std::string::npos ? -1 : begin));
}

// The tensors at the end of an undisturbed run.
const std::map<std::string, std::string>& Undisturbed() {
  static const std::map<std::string, std::string> tensors = [] {
    const std::string directory = Prepare("undisturbed");
    const Finished run = RunProgram("train", TrainArguments("run"), directory);
    EXPECT_EQ(run.exit_code, 0) << run.err;
    return TensorsOf(Checkpoint(directory + "/run", kSteps));
  }();
  return tensors;
}

TEST(Training, LeavesWhatTheContractSays) {
  const std::string directory = Prepare("contract");
  const Finished run = RunProgram("train", TrainArguments("run", {"--log_every=5"}), directory);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_TRUE(std::regex_match(
      LastLine(run.out),
      std::regex(
          R"(test accuracy: 0\.\d{4} \(tta 0\.\d{4}\) after 3 epochs, \d+\.\d s of training)")))
      << run.out;
  EXPECT_TRUE(std::filesystem::exists(directory + "/run/network.textproto"));
  EXPECT_FALSE(std::filesystem::exists(directory + "/run/lock"));
  const std::map<std::string, std::string> tensors =
      TensorsOf(Checkpoint(directory + "/run", kSteps));
  for (const char* name :
       {"conv1.weight", "conv1.bias", "bn1.weight", "bn1.running_mean", "bn1.running_var",
        "fc.weight", "optimizer/fc.weight/momentum", "ema/fc.weight"}) {
    EXPECT_TRUE(tensors.count(name)) << name;
  }
  std::ifstream metrics(directory + "/run/metrics.jsonl");
  int evaluations = 0;
  json last;
  for (std::string line; std::getline(metrics, line); last = json::parse(line)) {
    const json object = json::parse(line);
    for (const char* key : {"step", "epoch", "train_seconds", "train_loss"})
      EXPECT_TRUE(object.contains(key)) << line;
    if (object.contains("test_accuracy")) ++evaluations;
    if (!object.contains("test_accuracy"))
      EXPECT_TRUE(object.contains("learning_rate") && object.contains("images_per_second")) << line;
  }
  EXPECT_EQ(evaluations, 3);
  EXPECT_EQ(last["step"], kSteps);
  EXPECT_TRUE(last.contains("tta_accuracy"));
}

TEST(Training, OneSeedGivesOneResultAndAnotherAnother) {
  const std::string directory = Prepare("seeds");
  ASSERT_EQ(RunProgram("train", TrainArguments("same"), directory).exit_code, 0);
  EXPECT_EQ(TensorsOf(Checkpoint(directory + "/same", kSteps)), Undisturbed());
  ASSERT_EQ(RunProgram("train", TrainArguments("other", {"--seed=2"}), directory).exit_code, 0);
  EXPECT_NE(TensorsOf(Checkpoint(directory + "/other", kSteps)), Undisturbed());
}

TEST(Training, StoppedAndResumedItEndsWithTheSameBits) {
  const std::string directory = Prepare("resumed");
  ASSERT_EQ(RunProgram("train", TrainArguments("run", {"--max_steps=3"}), directory).exit_code, 0);
  // In the middle of an epoch, at its end, and within the last.
  for (const char* steps : {"--max_steps=8", "--max_steps=19", "--max_steps=24"}) {
    const Finished run =
        RunProgram("train", {"--resume", "--output_dir=run", "--threads=1", steps}, directory);
    ASSERT_EQ(run.exit_code, 0) << run.err;
    EXPECT_THAT(run.err, HasSubstr("going on from"));
    EXPECT_THAT(run.err, ::testing::Not(HasSubstr("note:")));
  }
  EXPECT_EQ(TensorsOf(Checkpoint(directory + "/run", kSteps)), Undisturbed());
}

TEST(Training, KilledAtAnyMomentItGoesOnFromAGoodState) {
  const std::string directory = Prepare("killed");
  srand(1);
  for (int kill_number = 0; kill_number < 6; ++kill_number) {
    Program train("train",
                  TrainArguments("run", {"--resume", "--checkpoint_every=1", "--log_every=1"}),
                  directory);
    WaitForLines(directory + "/run/metrics.jsonl", 2 * kill_number + 1, kPatience);
    usleep(rand() % 30000);
    train.Send(SIGKILL);
    train.Wait();
  }
  const Finished run = RunProgram("train", TrainArguments("run", {"--resume"}), directory);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(TensorsOf(Checkpoint(directory + "/run", kSteps)), Undisturbed());
  for (const auto& entry : std::filesystem::directory_iterator(directory + "/run"))
    EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr(".tmp-")));
}

TEST(Training, CtrlCWritesACheckpointAndExitsWith130) {
  for (const auto& [signal_number, code] : {std::pair{SIGINT, 130}, std::pair{SIGTERM, 143}}) {
    const std::string directory = Prepare("interrupted");
    Program train(
        "train",
        TrainArguments("run", {"--epochs=100000", "--log_every=1", "--checkpoint_every=1000000"}),
        directory);
    ASSERT_TRUE(WaitForLines(directory + "/run/metrics.jsonl", 3, kPatience));
    train.Send(signal_number);
    const Finished run = train.Wait();
    EXPECT_EQ(run.exit_code, code) << run.err;
    EXPECT_THAT(run.err, HasSubstr("--resume"));
    EXPECT_FALSE(std::filesystem::exists(directory + "/run/lock"));
    const Finished resumed = RunProgram(
        "train", {"--resume", "--output_dir=run", "--threads=1", "--max_steps=1"}, directory);
    EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_THAT(resumed.err, HasSubstr("going on from run/checkpoint-"));
  }
}

TEST(Training, ASecondRunInTheSameDirectoryIsRefused) {
  const std::string directory = Prepare("locked");
  Program first("train", TrainArguments("run", {"--epochs=100000", "--log_every=1"}), directory);
  ASSERT_TRUE(WaitForLines(directory + "/run/metrics.jsonl", 1, kPatience));
  const Finished second = RunProgram("train", TrainArguments("run"), directory);
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("another run is writing to run: process "));
  first.Send(SIGKILL);
  first.Wait();
  const Finished third = RunProgram("train", TrainArguments("run", {"--max_steps=1"}), directory);
  EXPECT_EQ(third.exit_code, 0) << third.err;
  EXPECT_THAT(third.err, HasSubstr("which is gone"));
}

TEST(Training, ADamagedNewestCheckpointIsPassedOver) {
  const std::string directory = Prepare("damaged");
  ASSERT_EQ(RunProgram("train", TrainArguments("run", {"--max_steps=16"}), directory).exit_code, 0);
  const std::string newest = Checkpoint(directory + "/run", 16);
  std::filesystem::resize_file(newest, std::filesystem::file_size(newest) - 1);
  const Finished run = RunProgram("train", TrainArguments("run", {"--resume"}), directory);
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("checkpoint-00000016.safetensors: "));
  EXPECT_THAT(run.err, HasSubstr("going on from run/checkpoint-00000008.safetensors"));
  EXPECT_EQ(TensorsOf(Checkpoint(directory + "/run", kSteps)), Undisturbed());
}

TEST(Training, ALossThatIsNotFiniteStopsTheRunAndNamesTheLayer) {
  const std::string directory = Prepare("nonfinite");
  const Finished run = RunProgram(
      "train",
      TrainArguments("run",
                     {"--set", "train.optimizer.sgd.learning_rate=1e30", "--checkpoint_every=1"}),
      directory);
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("step "));
  EXPECT_THAT(run.err, HasSubstr("first not finite: "));
  EXPECT_THAT(run.err, ::testing::ContainsRegex("layer|parameter|gradient of"));
  EXPECT_THAT(run.err, HasSubstr("the last good checkpoint is run/checkpoint-"));
  EXPECT_TRUE(run.out.empty());
  const Finished skipping = RunProgram(
      "train",
      TrainArguments("skip",
                     {"--set", "train.optimizer.sgd.learning_rate=1e30", "--on_nonfinite=skip"}),
      directory);
  EXPECT_EQ(skipping.exit_code, 0) << skipping.err;
  EXPECT_THAT(skipping.err, HasSubstr("step skipped"));
}

TEST(Training, AFullDiskKeepsWhatWasWrittenBefore) {
  const std::string directory = Prepare("full");
  std::filesystem::create_directories(directory + "/run");
  // Room for two checkpoints, not for the third that replaces the first.
  const std::string in_small_disk =
      "exec unshare -rm /bin/sh -c 'mount -t tmpfs -o size=270k tmpfs run || exit 99; ";
  if (Program::Shell(in_small_disk + "exit 0'", directory).Wait().exit_code != 0)
    GTEST_SKIP() << "no file system of its own can be mounted here";
  const Finished run =
      Program::Shell(in_small_disk +
                         "train --network=./small.textproto --dataset=sample --threads=1 "
                         "--output_dir=run; code=$?; ls run; cp -r run kept; exit $code'",
                     directory)
          .Wait();
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr("No space left on device"));
  EXPECT_THAT(run.err, HasSubstr("training goes on"));
  EXPECT_THAT(run.out, ::testing::Not(HasSubstr(".tmp-")));
  EXPECT_THAT(run.out, ::testing::Not(HasSubstr("test accuracy")));
  const Finished resumed =
      RunProgram("train", {"--resume", "--output_dir=kept", "--threads=1"}, directory);
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(TensorsOf(Checkpoint(directory + "/kept", kSteps)), Undisturbed());
}

TEST(Training, ADirectoryThatIsRemovedIsSaidSo) {
  const std::string directory = Prepare("gone");
  Program train(
      "train",
      TrainArguments("run", {"--epochs=100000", "--log_every=1", "--checkpoint_every=1000000"}),
      directory);
  ASSERT_TRUE(WaitForLines(directory + "/run/metrics.jsonl", 2, kPatience));
  std::filesystem::remove_all(directory + "/run");
  train.Send(SIGTERM);
  const Finished run = train.Wait();
  EXPECT_EQ(run.exit_code, 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr("No such file or directory"));
}

TEST(Training, ACheckpointOfAnotherNetworkIsRefused) {
  const std::string directory = Prepare("another");
  ASSERT_EQ(RunProgram("train", TrainArguments("run", {"--max_steps=1"}), directory).exit_code, 0);
  const Finished run = RunProgram(
      "train", {"--network=two_layer_net", "--dataset=sample", "--output_dir=run", "--resume"},
      directory);
  EXPECT_EQ(run.exit_code, 2);
  EXPECT_THAT(run.err, HasSubstr("another network"));
}

TEST(Training, AnEarlierRunIsSetAside) {
  const std::string directory = Prepare("again");
  ASSERT_EQ(RunProgram("train", TrainArguments("run", {"--max_steps=1"}), directory).exit_code, 0);
  const Finished run = RunProgram("train", TrainArguments("run", {"--max_steps=2"}), directory);
  ASSERT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.err, HasSubstr("run/earlier-1"));
  EXPECT_TRUE(std::filesystem::exists(Checkpoint(directory + "/run/earlier-1", 1)));
}

TEST(Programs, EvaluateAndPredictReadTheCheckpoint) {
  const std::string directory = Prepare("evaluate");
  const Finished train = RunProgram("train", TrainArguments("run"), directory);
  ASSERT_EQ(train.exit_code, 0) << train.err;
  const Finished evaluate = RunProgram(
      "evaluate", {"--checkpoint=" + Checkpoint("run", kSteps), "--tta", "--threads=1"}, directory);
  ASSERT_EQ(evaluate.exit_code, 0) << evaluate.err;
  EXPECT_EQ(evaluate.out.substr(0, 34), LastLine(train.out).substr(0, 34));
  // A black picture of one pixel: a PNG written by hand.
  const unsigned char png[] = {0x89, 'P', 'N', 'G', 13,  10,   26,   10,   0,    0,    0,    13,
                               'I',  'H', 'D', 'R', 0,   0,    0,    1,    0,    0,    0,    1,
                               8,    2,   0,   0,   0,   0x90, 0x77, 0x53, 0xde, 0,    0,    0,
                               12,   'I', 'D', 'A', 'T', 0x78, 0x9c, 0x63, 0x60, 0x60, 0x60, 0,
                               0,    0,   4,   0,   1,   0xf6, 0x17, 0x38, 0x55, 0,    0,    0,
                               0,    'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
  std::ofstream(directory + "/black.png", std::ios::binary)
      .write(reinterpret_cast<const char*>(png), sizeof(png));
  const Finished predict =
      RunProgram("predict", {"--checkpoint=run", "--top=3", "black.png"}, directory);
  ASSERT_EQ(predict.exit_code, 0) << predict.err;
  EXPECT_TRUE(std::regex_search(
      predict.out, std::regex(R"(^black\.png: \w+ [01]\.\d{4}  \w+ 0\.\d{4}  \w+ 0\.\d{4}\n$)")))
      << predict.out;
}

TEST(Programs, BenchmarkPrintsOneObject) {
  const std::string directory = Prepare("benchmark");
  for (const char* mode : {"--inference", "--noinference"}) {
    const Finished run = RunProgram("benchmark",
                                    {"--network=./small.textproto", "--batch_size=8", "--threads=1",
                                     "--seconds=0", "--steps=2", "--json", mode},
                                    directory);
    ASSERT_EQ(run.exit_code, 0) << run.err;
    const json object = json::parse(run.out);
    for (const char* key : {"images_per_second", "milliseconds_per_step", "gflops", "peak_rss_mib",
                            "first_step_seconds"})
      EXPECT_GT(object[key].get<double>(), 0) << key;
    EXPECT_EQ(object["batch_size"], 8);
    EXPECT_EQ(object["precision"], "f32");
    EXPECT_EQ(object["threads"], 1);
  }
}

TEST(Programs, ExplainAndProfileTellWhatAStepDoes) {
  const std::string directory = Prepare("explain");
  const Finished explain = RunProgram(
      "train", {"--network=./small.textproto", "--dataset=sample", "--threads=1", "--explain"},
      directory);
  ASSERT_EQ(explain.exit_code, 0) << explain.err;
  for (const char* word : {"conv1", "convolution forward", "convolution weight_gradient",
                           "optimizer", "total", "GFLOP/s"})
    EXPECT_THAT(explain.out, HasSubstr(word));
  const Finished profile =
      RunProgram("train", TrainArguments("run", {"--profile=trace.json"}), directory);
  ASSERT_EQ(profile.exit_code, 0) << profile.err;
  const json trace = json::parse(Contents(directory + "/trace.json"));
  EXPECT_GT(trace["traceEvents"].size(), 20u);
  EXPECT_EQ(trace["traceEvents"][0]["ph"], "X");
}

}  // namespace
}  // namespace cotangent::tests
