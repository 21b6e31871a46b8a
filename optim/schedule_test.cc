#include "optim/schedule.h"

#include <string>

#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace cotangent::optim {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Schedule> FromText(const std::string& text) {
  ScheduleConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return Schedule::Create(config, {.steps_per_epoch = 25, .total_steps = 200});
}

TEST(ScheduleTest, WithoutAnythingIsConstant) {
  auto schedule = FromText("");
  ASSERT_TRUE(schedule.ok());
  EXPECT_EQ(schedule->Multiplier(0), 1);
  EXPECT_EQ(schedule->Multiplier(1000000), 1);
}

TEST(ScheduleTest, EveryKindHasACurve) {
  const auto* kinds = ScheduleConfig::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) {
    auto schedule = FromText(kinds->field(i)->name() + " {}");
    EXPECT_NE(schedule.status().code(), absl::StatusCode::kUnimplemented) << schedule.status();
  }
}

TEST(ScheduleTest, LinearReachesZeroAtItsLengthAndStays) {
  auto schedule = FromText("polynomial { length { epochs: 3 } }");
  ASSERT_TRUE(schedule.ok());
  EXPECT_DOUBLE_EQ(schedule->Multiplier(0), 1);
  EXPECT_DOUBLE_EQ(schedule->Multiplier(30), 1 - 30 / 75.0);
  EXPECT_EQ(schedule->Multiplier(75), 0);
  EXPECT_EQ(schedule->Multiplier(150), 0);
}

TEST(ScheduleTest, WarmupRisesToWhatTheScheduleStartsWith) {
  auto schedule = FromText(
      "warmup { length { fraction: 0.1 } start_factor: 0.2 } polynomial { end_factor: 0.1 }");
  ASSERT_TRUE(schedule.ok());
  EXPECT_DOUBLE_EQ(schedule->Multiplier(0), 0.2);
  EXPECT_DOUBLE_EQ(schedule->Multiplier(10), 0.6);
  EXPECT_DOUBLE_EQ(schedule->Multiplier(20), 1);
  EXPECT_DOUBLE_EQ(schedule->Multiplier(110), 0.55);
  EXPECT_DOUBLE_EQ(schedule->Multiplier(200), 0.1);
}

TEST(ScheduleTest, OneCycleEndsAtItsEnd) {
  auto schedule = FromText("one_cycle { length { steps: 10 } end_factor: 0.25 }");
  ASSERT_TRUE(schedule.ok());
  EXPECT_DOUBLE_EQ(schedule->Multiplier(0), 0.04);
  EXPECT_DOUBLE_EQ(schedule->Multiplier(2), 1);
  EXPECT_DOUBLE_EQ(schedule->Multiplier(9), 0.25);
  EXPECT_DOUBLE_EQ(schedule->Multiplier(50), 0.25);
}

TEST(ScheduleTest, MistakesAreNamed) {
  const struct {
    const char* text;
    const char* message;
  } kMistakes[] = {
      {"step {}", "schedule.step.every is empty"},
      {"step { every { steps: 0 } }", "schedule.step.every comes to no steps"},
      {"step { every { steps: 3 } factor: -1 }", "schedule.step.factor is -1"},
      {"multi_step {}", "schedule.multi_step has no `at`"},
      {"multi_step { at { steps: 9 } at { steps: 9 } }", "schedule.multi_step.at[1] is step 9"},
      {"cosine { length { epochs: -1 } }", "schedule.cosine.length"},
      {"cosine { length { epochs: nan } }", "schedule.cosine.length"},
      {"cosine { length { epochs: 1e300 } }", "schedule.cosine.length"},
      {"cosine { length { fraction: 2 } }", "between 0 and 1"},
      {"cosine { end_factor: inf }", "schedule.cosine.end_factor is inf"},
      {"one_cycle { rise: 1 }", "schedule.one_cycle.rise is 1"},
      {"polynomial { power: 0 }", "schedule.polynomial.power is 0"},
      {"warmup { length { epochs: 8 } }", "the whole run has 200"},
      {"warmup {}", "schedule.warmup.length is empty"},
  };
  for (const auto& mistake : kMistakes) {
    auto schedule = FromText(mistake.text);
    ASSERT_FALSE(schedule.ok()) << mistake.text;
    EXPECT_EQ(schedule.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(schedule.status().message()), HasSubstr(mistake.message));
  }
}

}  // namespace
}  // namespace cotangent::optim
