// What can happen to a run on a shared machine, caused for real: message, exit code and the files
// that survive.

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/faults/training_run.h"
#include "tests/process/process.h"

namespace cotangent::tests {
namespace {

namespace fs = std::filesystem;
using testing::AssertionResult;

// More steps than any test waits for.
constexpr int64_t kEndless = 10'000'000;

AssertionResult Says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << part << "\" is not said in:\n" << text;
}

// Nothing half-written, and no lock.
AssertionResult IsTidy(const std::string& directory) {
  for (const std::string& name : FilesIn(directory)) {
    if (name.find(".tmp-") != std::string::npos || name == "lock")
      return testing::AssertionFailure() << name << " was left behind";
  }
  return testing::AssertionSuccess();
}

// Resumes for a few steps: whether the checkpoints that are there serve.
AssertionResult CanBeResumed(const TrainingRun& run) {
  const Outcome resumed =
      run.RunToEnd({"--resume", "--max_steps=" + std::to_string(run.NewestStep() + 2)});
  if (resumed.exit_code != 0) return testing::AssertionFailure() << resumed.errors;
  if (!Says(resumed.errors, "going on from")) return testing::AssertionFailure() << resumed.errors;
  return testing::AssertionSuccess();
}

class Endless {
 public:
  explicit Endless(const TrainingRun& run, const std::vector<std::string>& more = {})
      : run_(run), process_(run.program(), run.Arguments(more), run.Options()) {}
  Process* operator->() { return &process_; }
  bool HasCheckpointAfter(int64_t step) {
    return process_.WaitUntil([&] { return run_.NewestStep() > step; }, kPatience);
  }
  bool HasSaid(const std::string& text) {
    return process_.WaitUntil([&] { return process_.Errors().find(text) != std::string::npos; },
                              kPatience);
  }

 private:
  const TrainingRun& run_;
  Process process_;
};

// ---- Signals

void Interrupt(int signal_number, int exit_code) {
  const TrainingRun run(kEndless);
  Endless process(run);
  ASSERT_TRUE(process.HasCheckpointAfter(5)) << process->Errors();
  process->Signal(signal_number);
  const Outcome outcome = process->Wait(kPatience);
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.errors;
  EXPECT_TRUE(Says(outcome.errors, "interrupted; go on with: train --resume --output_dir=out"));
  EXPECT_EQ(outcome.output, "");
  EXPECT_TRUE(IsTidy(run.output()));
  EXPECT_TRUE(CanBeResumed(run));
}

TEST(Signals, CtrlCWritesACheckpoint) { Interrupt(SIGINT, 130); }
TEST(Signals, SigtermWritesACheckpoint) { Interrupt(SIGTERM, 143); }

TEST(Signals, ASecondCtrlCEndsAtOnce) {
  const std::string directory = MakeTestDirectory("run");
  // A network whose convolutions take seconds to be measured, in which the first signal is only
  // noted.
  Process process(Runfile("tools/train"),
                  {"--network=resnet18", "--dataset=sample", "--output_dir=out"},
                  {.directory = directory});
  ASSERT_TRUE(process.WaitUntil(
      [&] { return process.Errors().find("measuring convolutions") != std::string::npos; },
      kPatience))
      << process.Errors();
  process.Signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  ASSERT_TRUE(process.IsRunning()) << "the first signal should only have been noted";
  process.Signal(SIGINT);
  const Outcome outcome = process.Wait(kPatience);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.exit_code, 130);
  // Had it gone on to the end of its step, there would be a checkpoint.
  for (const std::string& name : FilesIn(directory + "/out"))
    EXPECT_EQ(name.find("checkpoint"), std::string::npos) << name;
}

// ---- The output directory

TEST(Lock, ASecondRunIsRefusedAndTheHolderNamed) {
  const TrainingRun run(kEndless);
  Endless first(run);
  ASSERT_TRUE(first.HasCheckpointAfter(0)) << first->Errors();
  const Outcome second = run.RunToEnd();
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_TRUE(Says(second.errors, "another run is writing to out: process "));
  EXPECT_TRUE(Says(second.errors, "choose another --output_dir"));
  const int64_t then = run.NewestStep();
  EXPECT_TRUE(first.HasCheckpointAfter(then)) << "the first run does not go on";
}

TEST(Lock, OfADeadProcessIsTakenOver) {
  const TrainingRun run(kEndless);
  {
    Endless first(run);
    ASSERT_TRUE(first.HasCheckpointAfter(0)) << first->Errors();
    first->Signal(SIGKILL);
    first->Wait(kPatience);
  }
  ASSERT_NE(ReadFileOrEmpty(run.output() + "/lock"), "");
  const Outcome second =
      run.RunToEnd({"--resume", "--max_steps=" + std::to_string(run.NewestStep() + 1)});
  EXPECT_EQ(second.exit_code, 0) << second.errors;
  EXPECT_TRUE(Says(second.errors, "took over out from process "));
  EXPECT_TRUE(IsTidy(run.output()));
}

TEST(OutputDirectory, RemovedMidRun) {
  const TrainingRun run(kEndless);
  Endless process(run);
  ASSERT_TRUE(process.HasCheckpointAfter(0)) << process->Errors();
  std::error_code error;
  while (fs::exists(run.output(), error)) fs::remove_all(run.output(), error);
  ASSERT_TRUE(process.HasSaid("no checkpoint of step")) << process->Errors();
  process->Signal(SIGTERM);
  const Outcome outcome = process->Wait(kPatience);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
  EXPECT_TRUE(Says(outcome.errors, "No such file or directory"));
  EXPECT_FALSE(fs::exists(run.output())) << "a removed directory came back";
}

TEST(OutputDirectory, TurnedReadOnlyMidRunAndBack) {
  const TrainingRun run(kEndless);
  Process::Options options = run.Options();
  // The superuser may write everywhere unless this is taken from it.
  options.before_exec = [] { prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0); };
  Process process(run.program(), run.Arguments(), options);
  const auto has_checkpoint_after = [&](int64_t step) {
    return process.WaitUntil([&] { return run.NewestStep() > step; }, kPatience);
  };
  ASSERT_TRUE(has_checkpoint_after(0)) << process.Errors();
  ASSERT_EQ(chmod(run.output().c_str(), 0555), 0);
  ASSERT_TRUE(process.WaitUntil(
      [&] { return process.Errors().find("no checkpoint of step") != std::string::npos; },
      kPatience))
      << process.Errors();
  EXPECT_TRUE(
      Says(process.Errors(), "Permission denied; those before it are kept, training goes on"));
  const int64_t newest = run.NewestStep();
  EXPECT_GT(newest, 0);
  ASSERT_EQ(chmod(run.output().c_str(), 0755), 0);
  EXPECT_TRUE(has_checkpoint_after(newest))
      << "no checkpoint is written where that is possible again";
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(kPatience).exit_code, 143);
  EXPECT_TRUE(IsTidy(run.output()));
  EXPECT_TRUE(CanBeResumed(run));
}

// ---- A full disk

TEST(FullDisk, ForFilesBeyondASize) {
  const TrainingRun run(40);
  Process::Options options = run.Options();
  options.before_exec = [] {
    // Room for the network's text and some lines, not for a checkpoint.
    const rlimit limit = {6000, 6000};
    setrlimit(RLIMIT_FSIZE, &limit);
    signal(SIGXFSZ, SIG_IGN);
  };
  const Outcome outcome = RunProgram(run.program(), run.Arguments(), options, kPatience);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
  EXPECT_TRUE(Says(outcome.errors, "no checkpoint of step 3: cannot write"));
  EXPECT_TRUE(Says(outcome.errors, "File too large; those before it are kept, training goes on"));
  EXPECT_TRUE(IsTidy(run.output()));
  EXPECT_TRUE(run.Checkpoints().empty());
  // Lines are whole, as many as there was room for.
  const std::string metrics = ReadFileOrEmpty(run.output() + "/metrics.jsonl");
  ASSERT_FALSE(metrics.empty());
  EXPECT_EQ(metrics.back(), '\n');
}

// A small file system of one's own, which needs the right to mount it.
class SmallDisk {
 public:
  explicit SmallDisk(const std::string& path) : path_(path) {
    fs::create_directories(path);
    const uid_t user = getuid();
    const gid_t group = getgid();
    if (unshare(CLONE_NEWNS) != 0) {
      if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return;
      WriteFile("/proc/self/setgroups", "deny");
      WriteFile("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
      WriteFile("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
    }
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return;
    is_mounted_ = mount("tmpfs", path.c_str(), "tmpfs", 0, "size=256k") == 0;
  }
  ~SmallDisk() {
    if (is_mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool is_mounted() const { return is_mounted_; }
  // Takes all room that is left.
  void Fill() const {
    FILE* file = fopen((path_ + "/filler").c_str(), "wb");
    setvbuf(file, nullptr, _IONBF, 0);
    const std::string block(4096, 'x');
    while (fwrite(block.data(), 1, block.size(), file) == block.size()) {
    }
    fclose(file);
  }
  void Empty() const { fs::remove(path_ + "/filler"); }

 private:
  const std::string path_;
  bool is_mounted_ = false;
};

TEST(FullDisk, MidRunAndRoomAgain) {
  const TrainingRun run(kEndless);
  const SmallDisk disk(run.output());
  if (!disk.is_mounted())
    GTEST_SKIP() << "no right to mount a small file system here; run as the superuser";
  Endless process(run, {"--log_every=1000000"});
  ASSERT_TRUE(process.HasCheckpointAfter(0)) << process->Errors();
  disk.Fill();
  ASSERT_TRUE(process.HasSaid("no checkpoint of step")) << process->Errors();
  EXPECT_TRUE(Says(process->Errors(),
                   "No space left on device; those before it are kept, training goes on"));
  EXPECT_FALSE(run.Checkpoints().empty()) << "the checkpoints before must stay";
  const int64_t newest = run.NewestStep();
  disk.Empty();
  EXPECT_TRUE(process.HasCheckpointAfter(newest))
      << "no checkpoint is written where there is room again";
  process->Signal(SIGTERM);
  EXPECT_EQ(process->Wait(kPatience).exit_code, 143);
  EXPECT_TRUE(IsTidy(run.output()));
  EXPECT_TRUE(CanBeResumed(run));
}

TEST(FullDisk, ToTheEnd) {
  const TrainingRun run(kEndless);
  const SmallDisk disk(run.output());
  if (!disk.is_mounted())
    GTEST_SKIP() << "no right to mount a small file system here; run as the superuser";
  Endless process(run);
  ASSERT_TRUE(process.HasCheckpointAfter(0)) << process->Errors();
  disk.Fill();
  ASSERT_TRUE(process.HasSaid("no checkpoint of step")) << process->Errors();
  process->Signal(SIGTERM);
  const Outcome outcome = process->Wait(kPatience);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
  EXPECT_TRUE(Says(outcome.errors, "No space left on device"));
  disk.Empty();
  EXPECT_TRUE(IsTidy(run.output()));
  EXPECT_TRUE(CanBeResumed(run));
}

// ---- Files that others change

TEST(Checkpoint, DamagedNewestIsReportedAndTheOneBeforeUsed) {
  const TrainingRun undisturbed(30), run(30, &undisturbed);
  const Outcome whole = undisturbed.RunToEnd();
  ASSERT_EQ(whole.exit_code, 0) << whole.errors;
  ASSERT_EQ(run.RunToEnd({"--max_steps=12"}).exit_code, 0);
  std::string bytes = ReadFileOrEmpty(run.LastCheckpoint());
  bytes[bytes.size() / 2] ^= 1;
  WriteFile(run.LastCheckpoint(), bytes);
  const Outcome resumed = run.RunToEnd({"--resume"});
  EXPECT_EQ(resumed.exit_code, 0);
  EXPECT_TRUE(Says(resumed.errors, "checkpoint-00000012.safetensors: the checksum of tensor"));
  EXPECT_TRUE(Says(resumed.errors, "going on from out/checkpoint-00000009.safetensors"));
  EXPECT_EQ(resumed.output.substr(0, resumed.output.find(',')),
            whole.output.substr(0, whole.output.find(',')));
}

TEST(Data, TruncatedMidRun) {
  const TrainingRun run(kEndless);
  const std::string data = run.directory() + "/data/cifar-10-batches-bin/";
  std::vector<std::string> files;
  for (const char* name : {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
                           "data_batch_5", "test_batch"}) {
    files.push_back(data + name + ".bin");
    WriteFile(files.back(), "");
    fs::resize_file(files.back(), 30'730'000);  // black, all of one class
  }
  Endless process(run, {"--dataset=cifar10", "--data_dir=data"});
  ASSERT_TRUE(process.HasCheckpointAfter(0)) << process->Errors();
  for (const std::string& file : files) fs::resize_file(file, 1000);
  const int64_t newest = run.NewestStep();
  EXPECT_TRUE(process.HasCheckpointAfter(newest))
      << "a run holds its data in memory, but: " << process->Errors();
  process->Signal(SIGINT);
  EXPECT_EQ(process->Wait(kPatience).exit_code, 130);
  EXPECT_TRUE(IsTidy(run.output()));
}

// ---- Memory and numbers

TEST(Memory, ThatIsNotThereIsNotAskedFor) {
  const std::string directory = MakeTestDirectory("run");
  // 31 GiB for the second convolution's input and result, as many as a text may ask for.
  constexpr int64_t kPages = (int64_t{31} << 30) / 4096;
  if (sysconf(_SC_PHYS_PAGES) > kPages) GTEST_SKIP() << "this machine has the memory";
  WriteFile(directory + "/net.textproto",
            "train { batch_size: 400 }\n"
            "layer { name: \"narrow\" convolution { channels: 10240 kernel: 1 } }\n"
            "layer { name: \"wide\" convolution { channels: 10240 kernel: 1 groups: 10240 } }\n"
            "layer { global_average_pool {} }\nlayer { name: \"fc\" linear {} }\n");
  const Outcome outcome = RunProgram(
      Runfile("tools/train"), {"--network=net.textproto", "--dataset=sample", "--output_dir=out"},
      {.directory = directory}, kPatience);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.signal, 0);
  EXPECT_TRUE(outcome.exit_code == 1 || outcome.exit_code == 2) << outcome.exit_code;
  EXPECT_TRUE(Says(outcome.errors, "GiB"));
  EXPECT_TRUE(Says(outcome.errors, "memory"));
  rusage usage;
  ASSERT_EQ(getrusage(RUSAGE_CHILDREN, &usage), 0);
  EXPECT_LT(usage.ru_maxrss, 4 << 20) << "KiB: memory was taken before it was seen to be too much";
}

TEST(Numbers, ALossThatIsNotFiniteStopsTheRun) {
  const TrainingRun run(60);
  const Outcome outcome = run.RunToEnd({"--set=train.optimizer.sgd.learning_rate=1e30"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(Says(outcome.errors, "step "));
  EXPECT_TRUE(Says(outcome.errors, "first not finite: "));
  EXPECT_TRUE(Says(outcome.errors, "--on_nonfinite=skip"));
  EXPECT_TRUE(IsTidy(run.output()));
}

TEST(Numbers, OrIsSkippedWhereThatIsAskedFor) {
  const TrainingRun run(60);
  const Outcome outcome =
      run.RunToEnd({"--set=train.optimizer.sgd.learning_rate=1e30", "--on_nonfinite=skip"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
  EXPECT_TRUE(Says(outcome.errors, "step skipped"));
  EXPECT_TRUE(Says(ReadFileOrEmpty(run.output() + "/metrics.jsonl"), "skipped_steps"));
}

}  // namespace
}  // namespace cotangent::tests
