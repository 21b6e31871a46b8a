// Causes faults that can happen to a run on a shared machine (signals, a full disk, changed files,
// too little memory), and losses that are not finite. The tests check the message, the exit code
// and the files that survive.

#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/faults/training_run.h"
#include "tests/process/process.h"

namespace cotangent::tests {
namespace {

namespace fs = std::filesystem;
using testing::AssertionResult;
using testing::ContainsRegex;

// A number of steps so large that no run reaches it during a test.
constexpr int64_t kEndless = 10'000'000;

AssertionResult Says(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "\"" << part << "\" is not said in:\n" << text;
}

// Checks that no half-written file and no lock is left in the directory.
AssertionResult IsTidy(const std::string& directory) {
  for (const std::string& name : FilesIn(directory)) {
    if (name.find(".tmp-") != std::string::npos || name == "lock")
      return testing::AssertionFailure() << name << " was left behind";
  }
  return testing::AssertionSuccess();
}

// Checks that the checkpoints of a run are usable: resumes it for two steps.
AssertionResult CanBeResumed(const TrainingRun& run) {
  const Outcome resumed =
      run.RunToEnd({"--resume", "--max_steps=" + std::to_string(run.NewestStep() + 2)});
  if (resumed.exit_code != 0) return testing::AssertionFailure() << resumed.errors;
  if (!Says(resumed.errors, "going on from")) return testing::AssertionFailure() << resumed.errors;
  return testing::AssertionSuccess();
}

// A process that makes the training run `run`, with the arguments `more`, and that is killed when
// this object is destroyed.
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

// ---- Signals sent to a run ----

void Interrupt(int signal_number, int exit_code) {
  const TrainingRun run(kEndless);
  Endless process(run, {"--checkpoint_every=1000000"});
  const auto has_begun = [&] { return run.LoggedSteps().size() > 5; };
  ASSERT_TRUE(process->WaitUntil(has_begun, kPatience)) << process->Errors();
  process->Signal(signal_number);
  const Outcome outcome = process->Wait(kPatience);
  EXPECT_EQ(run.NewestStep(), run.LoggedSteps().back()) << "no checkpoint of the last step";
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.errors;
  EXPECT_TRUE(Says(outcome.errors, "interrupted; go on with: train --resume --output_dir=out"));
  EXPECT_EQ(outcome.output, "");
  EXPECT_TRUE(IsTidy(run.output()));
  EXPECT_TRUE(CanBeResumed(run));
}

TEST(Signals, CtrlCWritesACheckpoint) { Interrupt(SIGINT, 130); }
TEST(Signals, SigtermWritesACheckpoint) { Interrupt(SIGTERM, 143); }

TEST(Signals, TheFirstEndsPlanning) {
  for (const auto& [signal_number, exit_code] : {std::pair(SIGTERM, 143), {SIGINT, 130}}) {
    // Timing the implementations of this network's convolutions takes seconds, so the signal comes
    // before training. (The network comes with times for batches of about 128.)
    const std::string directory = MakeTestDirectory("run");
    Process process(
        Runfile("tools/train"),
        {"--network=resnet18", "--batch_size=48", "--dataset=sample", "--output_dir=out"},
        {.directory = directory});
    const auto has_begun = [&] {
      return process.Errors().find("measuring convolutions") != std::string::npos;
    };
    ASSERT_TRUE(process.WaitUntil(has_begun, kPatience)) << process.Errors();
    process.Signal(signal_number);
    const Outcome outcome = process.Wait(kPatience);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.errors;
    EXPECT_TRUE(Says(outcome.errors, "interrupted before the first step"));
    EXPECT_TRUE(FilesIn(directory + "/out").empty()) << "it went on to its first step";
  }
}

TEST(Signals, ASecondCtrlCEndsAtOnce) {
  const std::string directory = MakeTestDirectory("run");
  // Each step takes seconds, and after the first signal the run goes on to the end of the current
  // step. Planning is short, since only two convolutions and one linear layer have to be timed.
  WriteFile(directory + "/net.textproto", R"(
layer { name: "a" convolution { channels: 48 kernel: 7 padding: SAME } }
layer { name: "b" convolution { channels: 48 kernel: 7 padding: SAME } }
layer { global_average_pool {} }
layer { name: "fc" linear {} })");
  Process process(Runfile("tools/train"),
                  {"--network=net.textproto", "--dataset=sample", "--output_dir=out",
                   "--batch_size=400", "--log_every=1", "--checkpoint_every=1000000"},
                  {.directory = directory});
  // After step 2, evaluation has been planned as well, so the signals below come during a training
  // step.
  const auto has_begun = [&] {
    return ReadFileOrEmpty(directory + "/out/metrics.jsonl").find("\"step\":2,") !=
           std::string::npos;
  };
  ASSERT_TRUE(process.WaitUntil(has_begun, kPatience)) << process.Errors();
  // Waits until the third step has begun: a signal between the log line and the step would end the
  // run at once.
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  process.Signal(SIGINT);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  ASSERT_TRUE(process.IsRunning()) << "the first signal should only have been noted";
  process.Signal(SIGINT);
  const Outcome outcome = process.Wait(kPatience);
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.exit_code, 130);
  // If the process had gone on to the end of its step, it would have written a checkpoint.
  for (const std::string& name : FilesIn(directory + "/out"))
    EXPECT_EQ(name.find("checkpoint"), std::string::npos) << name;
}

// nohup and shells start programs with some signals ignored; the program must not change that.
TEST(Signals, ThatWereIgnoredStayIgnored) {
  const TrainingRun run(kEndless);
  Process::Options options = run.Options();
  options.before_exec = [] { signal(SIGHUP, SIG_IGN), signal(SIGINT, SIG_IGN); };
  Process process(run.program(), run.Arguments(), options);
  const auto has_step_after = [&](int64_t step) {
    return process.WaitUntil([&] { return run.NewestStep() > step; }, kPatience);
  };
  ASSERT_TRUE(has_step_after(0)) << process.Errors();
  for (int i = 0; i < 2; ++i) process.Signal(SIGHUP), process.Signal(SIGINT);
  EXPECT_TRUE(has_step_after(run.NewestStep() + kCheckpointEvery)) << "the run ended";
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(kPatience).exit_code, 143);
}

// Ctrl-C also ends the `tee` of `train 2>&1 | tee log`, and a pager may be left at any time.
TEST(Signals, AReaderThatGoesAwayDoesNotEndARun) {
  const TrainingRun run(30);
  std::string command = "{ " + run.program();
  for (const std::string& argument : run.Arguments()) command += " '" + argument + "'";
  command += " >result; echo $? >code; } 2>&1 | head -n 1";
  const Outcome outcome = RunProgram("/bin/sh", {"-c", command}, run.Options(), kPatience);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
  EXPECT_EQ(std::count(outcome.output.begin(), outcome.output.end(), '\n'), 1) << outcome.output;
  EXPECT_EQ(ReadFileOrEmpty(run.directory() + "/code"), "0\n");
  EXPECT_TRUE(Says(ReadFileOrEmpty(run.directory() + "/result"), "test accuracy: "));
  EXPECT_EQ(run.NewestStep(), 30);
}

// ---- The output directory: its lock and its permissions ----

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
  // The superuser may write everywhere, unless this capability is taken away.
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
  // Imitates a write that had begun when the directory became read-only: makes half a checkpoint,
  // which the program could not remove.
  std::ofstream(run.output() + "/checkpoint-00000001.safetensors.tmp-1-1") << "half";
  ASSERT_EQ(chmod(run.output().c_str(), 0755), 0);
  EXPECT_TRUE(has_checkpoint_after(newest))
      << "no checkpoint is written where that is possible again";
  process.Signal(SIGTERM);
  EXPECT_EQ(process.Wait(kPatience).exit_code, 143);
  EXPECT_TRUE(IsTidy(run.output()));
  EXPECT_TRUE(CanBeResumed(run));
}

// ---- A full disk ----

TEST(FullDisk, ForFilesBeyondASize) {
  const TrainingRun run(40);
  Process::Options options = run.Options();
  options.before_exec = [] {
    // A file may have 6000 bytes: enough for the network's text, and for some lines of the log
    // metrics.jsonl, but not for a checkpoint.
    const rlimit limit = {6000, 6000};
    setrlimit(RLIMIT_FSIZE, &limit);
  };
  const Outcome outcome = RunProgram(run.program(), run.Arguments(), options, kPatience);
  EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
  EXPECT_TRUE(Says(outcome.errors, "no checkpoint of step 3: cannot write"));
  EXPECT_TRUE(Says(outcome.errors, "File too large; those before it are kept, training goes on"));
  EXPECT_TRUE(IsTidy(run.output()));
  EXPECT_TRUE(run.Checkpoints().empty());
  // The log has only whole lines, as many as there was room for.
  const std::string metrics = ReadFileOrEmpty(run.output() + "/metrics.jsonl");
  ASSERT_FALSE(metrics.empty());
  EXPECT_EQ(metrics.back(), '\n');
}

// Mounts a small file system for a test. is_mounted() is false if the process lacks the right to
// mount.
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
  // Writes a file that takes all space that is left.
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
  Endless process(run, {"--log_every=1000000", "--keep=1"});
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

// Of two checkpoints that are kept, the older one makes room for the next.
TEST(FullDisk, TheOldestCheckpointMakesRoom) {
  const TrainingRun run(kEndless);
  const SmallDisk disk(run.output());
  if (!disk.is_mounted())
    GTEST_SKIP() << "no right to mount a small file system here; run as the superuser";
  Endless process(run, {"--log_every=1000000", "--keep=2"});
  ASSERT_TRUE(process.HasCheckpointAfter(kCheckpointEvery)) << process->Errors();
  disk.Fill();
  for (int i = 0; i < 3; ++i)
    EXPECT_TRUE(process.HasCheckpointAfter(run.NewestStep())) << process->Errors();
  process->Signal(SIGTERM);
  EXPECT_EQ(process->Wait(kPatience).exit_code, 143);
  EXPECT_FALSE(Says(process->Errors(), "no checkpoint of step"));
  disk.Empty();
  EXPECT_TRUE(IsTidy(run.output()));
  EXPECT_TRUE(CanBeResumed(run));
}

TEST(FullDisk, ToTheEnd) {
  const TrainingRun run(kEndless);
  const SmallDisk disk(run.output());
  if (!disk.is_mounted())
    GTEST_SKIP() << "no right to mount a small file system here; run as the superuser";
  Endless process(run, {"--keep=1"});
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

// ---- Files that other programs change ----

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

// Writes files of zeros with the names and sizes of CIFAR-10's: all images are black and of class
// 0. Returns the files' paths.
std::vector<std::string> MakeBlackData(const TrainingRun& run) {
  const std::string data = run.directory() + "/data/cifar-10-batches-bin/";
  std::vector<std::string> files;
  for (const char* name : {"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
                           "data_batch_5", "test_batch"}) {
    files.push_back(data + name + ".bin");
    WriteFile(files.back(), "");
    fs::resize_file(files.back(), 30'730'000);
  }
  return files;
}

const std::vector<std::string> kBlackData = {"--dataset=cifar10", "--data_dir=data"};

// Checks that a run goes on when `change` has changed its data files, because it holds its data in
// memory.
void ChangeDataMidRun(const TrainingRun& run,
                      const std::function<void(const std::string& file)>& change) {
  const std::vector<std::string> files = MakeBlackData(run);
  Endless process(run, kBlackData);
  EXPECT_TRUE(process.HasCheckpointAfter(0)) << process->Errors();
  for (const std::string& file : files) change(file);
  EXPECT_TRUE(process.HasCheckpointAfter(run.NewestStep())) << process->Errors();
  process->Signal(SIGINT);
  EXPECT_EQ(process->Wait(kPatience).exit_code, 130);
  EXPECT_TRUE(IsTidy(run.output()));
}

TEST(Data, TruncatedMidRun) {
  const TrainingRun run(kEndless);
  // The truncated files cannot be used to resume: the program would download the data again.
  ChangeDataMidRun(run, [](const std::string& file) { fs::resize_file(file, 1000); });
}

TEST(Data, ReplacedMidRun) {
  const TrainingRun run(kEndless);
  ChangeDataMidRun(run, [](const std::string& file) {
    fs::copy_file(file, file + ".new");
    std::fstream(file + ".new", std::ios::in | std::ios::out | std::ios::binary)
        << '\7';  // changes a label
    fs::rename(file + ".new", file);
  });
  const std::string steps = "--max_steps=" + std::to_string(run.NewestStep() + 1);
  const Outcome resumed = run.RunToEnd({kBlackData[0], kBlackData[1], "--resume", steps});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.errors;
  EXPECT_TRUE(Says(resumed.errors, "going on from"));
  EXPECT_TRUE(Says(resumed.errors, "note: the checkpoint was made with the training images "));
}

// ---- Too little memory; losses that are not finite ----

TEST(Memory, ThatIsNotThereIsNotAskedFor) {
  // The first network needs about 240 GiB for all its results together. The second needs 31 GiB for
  // the input and the result of one convolution, which is about the most that a network text
  // (.textproto) may ask for.
  std::vector<std::string> texts = {
      "train { batch_size: 5 }\nlayer { pad { pad: 8000 } }\n"
      "layer { name: \"norm\" repeat: 15 batch_norm {} }\n",
      "train { batch_size: 400 }\n"
      "layer { name: \"narrow\" convolution { channels: 10240 kernel: 1 } }\n"
      "layer { name: \"wide\" convolution { channels: 10240 kernel: 1 groups: 10240 } }\n"};
  // Limits the process to 8 GiB, because a machine might have enough memory for these networks. A
  // sanitizer needs more than 8 GiB for itself; then there is no limit, and only the first network
  // is tried, which is too large for any machine.
  std::function<void()> limit_memory = [] {
    const rlimit limit = {rlim_t{8} << 30, rlim_t{8} << 30};
    setrlimit(RLIMIT_AS, &limit);
  };
  if (kIsSanitized) limit_memory = {}, texts.resize(1);
  for (const std::string& text : texts) {
    const std::string directory = MakeTestDirectory("run");
    WriteFile(directory + "/net.textproto",
              text + "layer { global_average_pool {} }\nlayer { name: \"fc\" linear {} }\n");
    const Outcome outcome = RunProgram(
        Runfile("tools/train"), {"--network=net.textproto", "--dataset=sample", "--output_dir=out"},
        {.directory = directory, .environment = {}, .before_exec = limit_memory}, kPatience);
    EXPECT_FALSE(outcome.timed_out);
    EXPECT_EQ(outcome.exit_code, 1) << outcome.errors;
    EXPECT_TRUE(Says(outcome.errors, " GiB of memory; "));
    EXPECT_TRUE(Says(outcome.errors, " GiB are available: use a smaller batch or network"));
  }
  rusage usage;
  ASSERT_EQ(getrusage(RUSAGE_CHILDREN, &usage), 0);
  EXPECT_LT(usage.ru_maxrss, 4 << 20) << "KiB: memory was taken before it was seen to be too much";
}

// With this learning rate, the weights are finite after the first step, but the results that they
// give are not.
const std::string kFarTooFast = "--set=train.optimizer.sgd.learning_rate=1e37";

TEST(Numbers, ALossThatIsNotFiniteStopsTheRun) {
  for (const std::string precision : {"f32", "bf16"}) {
    SCOPED_TRACE(precision);
    const TrainingRun run(60);
    const Outcome outcome =
        run.RunToEnd({"--precision=" + precision, "--checkpoint_every=1", kFarTooFast});
    EXPECT_EQ(outcome.exit_code, 1);
    EXPECT_THAT(outcome.errors, ContainsRegex("step [0-9]+ \\(epoch 1\\): "));
    EXPECT_THAT(outcome.errors, ContainsRegex("first not finite: the (result of|gradient at) layer "
                                              "(conv|norm|relu|pool|drop|fc) \\([a-z_]+\\)"));
    EXPECT_TRUE(Says(outcome.errors, "try a smaller learning rate"));
    EXPECT_TRUE(Says(outcome.errors, "or --on_nonfinite=skip"));
    EXPECT_TRUE(Says(outcome.errors, "the last good checkpoint is " +
                                         run.LastCheckpoint().substr(run.directory().size() + 1)));
    EXPECT_EQ(outcome.output, "");
    EXPECT_TRUE(IsTidy(run.output()));
    for (const auto& [name, bytes] : TensorsOf(run.LastCheckpoint())) {
      std::vector<float> numbers(bytes.size() / sizeof(float));
      std::memcpy(numbers.data(), bytes.data(), bytes.size());
      EXPECT_TRUE(std::all_of(numbers.begin(), numbers.end(), [](float number) {
        return std::isfinite(number);
      })) << name;
    }
  }
}

TEST(Numbers, OrIsSkippedWhereThatIsAskedFor) {
  for (const std::string precision : {"f32", "bf16"}) {
    const TrainingRun run(60);
    const Outcome outcome =
        run.RunToEnd({"--precision=" + precision, kFarTooFast, "--on_nonfinite=skip"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
    EXPECT_TRUE(Says(outcome.errors, "step skipped"));
    EXPECT_TRUE(Says(ReadFileOrEmpty(run.output() + "/metrics.jsonl"), "skipped_steps"));
  }
}

TEST(Numbers, ARunThatOnlySkipsHasFailed) {
  const TrainingRun run(10);
  const Outcome outcome = run.RunToEnd(
      {"--on_nonfinite=skip", "--set=layer[conv].convolution.weight_init.normal.deviation=1e38"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_TRUE(Says(outcome.errors, "none of the 10 steps changed anything"));
  EXPECT_EQ(outcome.errors.find("loss 0.0000"), std::string::npos) << outcome.errors;
  EXPECT_EQ(outcome.output, "");
}

// ---- Differences after which a resumed run cannot repeat the uninterrupted run bit for bit ----

TEST(Resumption, SaysWhatDiffers) {
  const TrainingRun run(30);
  ASSERT_EQ(run.RunToEnd({"--max_steps=3"}).exit_code, 0);
  const std::string same = run.RunToEnd({"--resume", "--max_steps=6"}).errors;
  EXPECT_TRUE(Says(same, "going on from"));
  EXPECT_EQ(same.find("note:"), std::string::npos) << same;
  const std::string other =
      run.RunToEnd({"--resume", "--max_steps=9", "--threads=2", "--precision=bf16"}).errors;
  EXPECT_TRUE(Says(other, "note: the checkpoint was made with threads 1, this run has 2: "));
  if (other.find("no bf16 arithmetic") == std::string::npos) {
    EXPECT_TRUE(Says(other, "made with precision f32, this run has bf16: "));
  }
  EXPECT_TRUE(Says(other, "note: the network text differs from the checkpoint's"));
  // Imitates another build: a program with the same code but other bytes.
  const std::string program = run.directory() + "/train";
  fs::copy_file(run.program(), program);
  std::ofstream(program, std::ios::app | std::ios::binary) << '\0';
  const Outcome rebuilt =
      RunProgram(program, run.Arguments({"--resume", "--max_steps=12"}), run.Options(), kPatience);
  EXPECT_EQ(rebuilt.exit_code, 0) << rebuilt.errors;
  EXPECT_TRUE(Says(rebuilt.errors, "note: the checkpoint was made with build "));
}

}  // namespace
}  // namespace cotangent::tests
