#include "layers/plan/tuner.h"

#include <atomic>
#include <chrono>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "base/cpu.h"
#include "gtest/gtest.h"
#include "layers/plan/watchdog.h"

namespace cotangent::layers {
namespace {

TEST(Watchdog, TellsOnceWhatDoesNotComeBack) {
  std::atomic<int> told = 0;
  {
    Watchdog watchdog(2, std::chrono::milliseconds(5), [&] { ++told; });
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  EXPECT_EQ(told, 1);
  {
    Watchdog watchdog(1000, std::chrono::milliseconds(100), [&] { ++told; });
  }
  EXPECT_EQ(told, 1);
}

// A shape for which there are several candidates.
constexpr tensor::ConvolutionShape kShape = {.batch = 2,
                                             .in_channels = 40,
                                             .out_channels = 12,
                                             .in_height = 8,
                                             .in_width = 8,
                                             .kernel_height = 3,
                                             .kernel_width = 3,
                                             .pad_top = 1,
                                             .pad_bottom = 1,
                                             .pad_left = 1,
                                             .pad_right = 1};

std::set<std::string> MeasuredNames(Tuner& tuner, const tensor::ConvolutionShape& shape) {
  const absl::StatusOr<std::vector<MeasuredChoice>> measured =
      tuner.Measure(shape, tensor::Direction::kForward, {});
  std::set<std::string> names;
  for (const MeasuredChoice& c : *measured) names.insert(c.choice.ToString());
  return names;
}

TEST(Tuner, DoesNotTryAgainWhatDidNotComeBack) {
  Tuner first(1);
  MeasuredNames(first, kShape);
  // Makes the text of a tuner whose fastest candidate exceeded the time limit.
  const std::string text = first.ToText();
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  const std::vector<std::string> fields = absl::StrSplit(lines[1], '\t');
  const std::string refused = absl::StrCat(fields[0], "\t*\tforward\tnever\t0\t", fields[5], "\t0");
  Tuner second(1);
  second.Restore(absl::StrCat(lines[0], "\n", refused, "\n"));
  const std::set<std::string> rest = MeasuredNames(second, kShape);
  EXPECT_FALSE(rest.empty());
  EXPECT_FALSE(rest.contains(fields[5]));
  EXPECT_TRUE(absl::StrContains(second.ToText(), refused));
}

// A program with other families of implementations has other candidates.
TEST(Tuner, TimesOfOtherFamiliesAreNotUsed) {
  Tuner first(1);
  MeasuredNames(first, kShape);
  const std::string family =
      absl::StrCat(absl::Hex(tensor::FamiliesFingerprint(), absl::kZeroPad16));
  const std::string text = first.ToText();
  int measured = 0;
  const TunerWatch count = {.before_measuring = [&](int) { ++measured; }};
  Tuner same(1, count), other(1, count);
  same.Restore(text);
  MeasuredNames(same, kShape);
  EXPECT_EQ(measured, 0);
  other.Restore(absl::StrReplaceAll(text, {{family, "0123456789abcdef"}}));
  MeasuredNames(other, kShape);
  EXPECT_EQ(measured, 1);
}

TEST(Tuner, AConvolutionWithAnUnreadableLineIsMeasuredAgain) {
  Tuner first(1);
  MeasuredNames(first, kShape);
  std::vector<std::string> lines = absl::StrSplit(first.ToText(), '\n');
  std::vector<std::string> fields = absl::StrSplit(lines[1], '\t');
  fields[5] = "no choice";
  lines.insert(lines.begin() + 2, absl::StrJoin(fields, "\t"));
  int measured = 0;
  Tuner second(1, {.before_measuring = [&](int) { ++measured; }});
  second.Restore(absl::StrJoin(lines, "\n"));
  MeasuredNames(second, kShape);
  EXPECT_EQ(measured, 1);
}

TEST(Tuner, SimilarShapesAreMeasuredWithWhatWasInTheRunning) {
  Tuner tuner(1);
  const std::set<std::string> known = MeasuredNames(tuner, kShape);
  tensor::ConvolutionShape wider = kShape;
  wider.in_channels = 52;
  for (const std::string& name : MeasuredNames(tuner, wider)) EXPECT_TRUE(known.contains(name));
}

// Shared times are used without measuring, scaled to the number of threads; similar shapes are
// measured with what was fast.
TEST(Tuner, TimesAreSharedWithinAFamilyOfProcessors) {
  Tuner first(1);
  const std::vector<MeasuredChoice> times = *first.Measure(kShape, tensor::Direction::kForward, {});
  const std::string text = first.ToShare();
  EXPECT_TRUE(AreSharedTimes(text));
  EXPECT_FALSE(AreSharedTimes(first.ToText()));
  int measured = 0;
  const TunerWatch count = {.before_measuring = [&](int) { ++measured; }};
  Tuner second(2, count);
  second.RestoreShared(text);
  const std::vector<MeasuredChoice> shared =
      *second.Measure(kShape, tensor::Direction::kForward, {});
  EXPECT_EQ(measured, 0);
  ASSERT_EQ(shared.size(), times.size());
  EXPECT_EQ(shared[0].choice, times[0].choice);
  EXPECT_NEAR(shared[0].seconds, times[0].seconds / 2, 1e-3 * times[0].seconds);
  EXPECT_EQ(shared[0].temporary_bytes, times[0].temporary_bytes);
  EXPECT_FALSE(second.changed());

  std::set<std::string> fast;
  for (const MeasuredChoice& c : times) fast.insert(c.choice.ToString());
  tensor::ConvolutionShape wider = kShape;
  wider.in_channels = 52;
  for (const std::string& name : MeasuredNames(second, wider)) EXPECT_TRUE(fast.contains(name));
  EXPECT_EQ(measured, 1);

  second.ForgetShared();
  MeasuredNames(second, kShape);
  EXPECT_EQ(measured, 2);
}

TEST(Tuner, SharedTimesOfOtherMachinesAreKeptButNotUsed) {
  Tuner first(1);
  MeasuredNames(first, kShape);
  const std::string text = first.ToShare();
  int measured = 0;
  const TunerWatch count = {.before_measuring = [&](int) { ++measured; }};
  for (const char* other : {"NoSuchMaker 1", "another AuthenticAMD"}) {
    const std::string theirs = absl::StrReplaceAll(text, {{ProcessorFamily(), other}});
    Tuner second(1, count);
    second.RestoreShared(theirs);
    MeasuredNames(second, kShape);
    const std::string both = second.ToShare(theirs);
    EXPECT_TRUE(absl::StrContains(both, other));
    EXPECT_TRUE(absl::StrContains(both, absl::StrCat("\n", ProcessorFamily())));
  }
  EXPECT_EQ(measured, 2);
  Tuner many(5, count);  // more than four times as many threads
  many.RestoreShared(text);
  MeasuredNames(many, kShape);
  EXPECT_EQ(measured, 3);
}

}  // namespace
}  // namespace cotangent::layers
