#include "training/run_state.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::training {
namespace {

using ::testing::HasSubstr;

// Returns what ReadRunState() finds in a checkpoint with these metadata and no tensors.
absl::StatusOr<RunState> Read(const Metadata& metadata) {
  const std::string path = ::testing::TempDir() + "/run_state_test.safetensors";
  EXPECT_TRUE(WriteCheckpoint(path, metadata, {}).ok());
  return ReadRunState(*ReadCheckpoint(path), path);
}

TEST(RunStateTest, NumbersComeBackAsTheyWere) {
  RunState state;
  state.step = 1200;
  state.epochs = 1.0 / 3;
  state.train_seconds = 1e-3;
  state.epoch_loss = -0.1;
  state.epoch_losses = 7;
  state.seed = 18446744073709551615u;
  state.threads = 2;
  state.learning_rate = 0.1;
  const absl::StatusOr<RunState> read = Read(ToMetadata(state));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->epochs, state.epochs);
  EXPECT_EQ(read->train_seconds, state.train_seconds);
  EXPECT_EQ(read->epoch_loss, state.epoch_loss);
  EXPECT_EQ(read->epoch_losses, 7);
  EXPECT_EQ(read->seed, state.seed);
  EXPECT_EQ(read->threads, 2);
  EXPECT_EQ(read->learning_rate, state.learning_rate);
  EXPECT_EQ(read->best, state.best);  // infinity
  EXPECT_EQ(read->best_step, -1);
}

TEST(RunStateTest, MissingNumbersAreDefaults) {
  const absl::StatusOr<RunState> read = Read({{"step", "5"}});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->step, 5);
  EXPECT_EQ(read->validated_step, -1);
}

TEST(RunStateTest, DamagedNumbersAreErrors) {
  const struct {
    const char *key, *text, *says;
  } cases[] = {
      {"step", "five", "name no step"},
      {"epochs", "0x1.8p+",
       "epochs cannot be read: it is 0x1.8p+; expected a number of at least 0"},
      {"epochs", "inf", "epochs cannot be read"},
      {"train_seconds", "-1", "train_seconds cannot be read"},
      {"epoch_loss", "nan", "epoch_loss cannot be read: it is nan; expected a number"},
      {"epoch_losses", "-1", "expected an integer of at least 0"},
      {"skipped", "many", "skipped cannot be read: it is many"},
      {"seed", "-1", "seed cannot be read"},
      {"threads", "4294967296", "threads cannot be read"},
      {"learning_rate", "0.1x", "learning_rate cannot be read"},
      {"best", "good", "best cannot be read"},
      {"best_step", "-2", "best_step cannot be read: it is -2; expected an integer of at least -1"},
      {"stale", "1.5", "stale cannot be read"},
      {"validated_step", "", ""}};
  for (const auto& c : cases) {
    Metadata metadata = ToMetadata(RunState());
    metadata[c.key] = c.text;
    const absl::StatusOr<RunState> read = Read(metadata);
    EXPECT_EQ(read.ok(), *c.says == '\0') << c.key << " " << c.text;
    if (!read.ok()) {
      EXPECT_THAT(std::string(read.status().message()), HasSubstr(c.says));
    }
  }
}

}  // namespace
}  // namespace cotangent::training
