// Kills a run that checkpoints often with kill -9 at random moments, and resumes it, many times.
// Every resumption must start from a complete checkpoint and lose at most the steps since the last
// checkpoint. The run must end with the same bits as a run that was never killed.
//
//   bazel run //tests/faults:kill_test -- --kills=200

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "tests/faults/training_run.h"
#include "tests/process/process.h"
#include "training/checkpoint.h"

namespace cotangent::tests {
namespace {

int kills = 10;

TEST(Kill, AnywhereAndResumed) {
  // There are enough steps for all kills to come before the end of the run, each a few steps after
  // the one before.
  const int64_t steps = 200 + 100 * static_cast<int64_t>(kills);
  const TrainingRun undisturbed(steps), disturbed(steps, &undisturbed);
  const double patience = kPatience + 0.2 * static_cast<double>(steps);
  const Outcome whole = undisturbed.RunToEnd({}, patience);
  ASSERT_EQ(whole.exit_code, 0) << whole.errors;

  std::mt19937_64 random(1);
  int64_t newest = -1, most_lost = 0;
  int done = 0, before_first_checkpoint = 0, temporary_files = 0;
  while (done < kills) {
    Process run(disturbed.program(), disturbed.Arguments({"--resume"}), disturbed.Options());
    // Kills about one process in eight within 0.3 seconds of its start, when the network is
    // compiled, and the others within 8 milliseconds after their first checkpoint.
    const bool early = random() % 8 == 0;
    if (!early) {
      const bool began = run.WaitUntil([&] { return disturbed.NewestStep() > newest; }, kPatience);
      ASSERT_TRUE(began || !run.IsRunning())
          << "no step in " << kPatience << " s: " << run.Errors();
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % (early ? 300'000 : 8'000)));
    if (!run.IsRunning()) {
      const Outcome end = run.Wait(0);
      ASSERT_EQ(end.exit_code, 0) << end.errors;
      break;
    }
    run.Signal(SIGKILL);
    const Outcome end = run.Wait(kPatience);
    ASSERT_EQ(end.signal, SIGKILL);
    ++done;
    for (const std::string& name : FilesIn(disturbed.output()))
      temporary_files += name.find(".tmp-") != std::string::npos;

    // Checks what the killed process reported when it started, and the files that it leaves.
    EXPECT_EQ(end.errors.find("damaged"), std::string::npos) << end.errors;
    for (const std::string& name : disturbed.Checkpoints()) {
      EXPECT_TRUE(training::ReadCheckpoint(disturbed.output() + "/" + name).ok()) << name;
    }
    const int64_t now = disturbed.NewestStep();
    EXPECT_GE(now, newest) << "a checkpoint is lost";
    if (now < 0) ++before_first_checkpoint;
    newest = now;
    const std::vector<int64_t> logged = disturbed.LoggedSteps();
    if (!logged.empty())
      most_lost = std::max(most_lost, logged.back() - std::max<int64_t>(newest, 0));
  }
  printf(
      "%d kills: %d of them before the first checkpoint, %d with a file half written; at most %d "
      "steps lost of an interval of %d\n",
      done, before_first_checkpoint, temporary_files, static_cast<int>(most_lost),
      static_cast<int>(kCheckpointEvery));
  EXPECT_EQ(done, kills) << "the run ended too soon to be killed as often";
  EXPECT_LE(most_lost, kCheckpointEvery);

  const Outcome rest = disturbed.RunToEnd({"--resume"}, patience);
  ASSERT_EQ(rest.exit_code, 0) << rest.errors;
  ASSERT_EQ(disturbed.NewestStep(), undisturbed.NewestStep());
  EXPECT_TRUE(TensorsOf(disturbed.LastCheckpoint()) == TensorsOf(undisturbed.LastCheckpoint()))
      << "the weights differ from those of the undisturbed run";
  // The accuracies must be equal to the last digit. The time, which stands after the comma, may
  // differ.
  EXPECT_EQ(rest.output.substr(0, rest.output.find(',')),
            whole.output.substr(0, whole.output.find(',')));
  // The log must look as if the run had never been killed.
  EXPECT_EQ(disturbed.LoggedSteps(), undisturbed.LoggedSteps());
}

}  // namespace
}  // namespace cotangent::tests

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    if (sscanf(argv[i], "--kills=%d", &cotangent::tests::kills) != 1 ||
        cotangent::tests::kills < 1) {
      fprintf(stderr, "kill_test: found %s, expected --kills=NUMBER\n", argv[i]);
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
