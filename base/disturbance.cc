#include "base/disturbance.h"

#include <algorithm>

#include "base/cpu_quota.h"

namespace cotangent {
namespace {

// The system is asked at most this often.
constexpr std::chrono::milliseconds kAskEvery{100};
// Threads count as undisturbed if the processors left to them are fewer than they are by at most
// max(kMostMissing, kMostMissingPerThread * threads). (An editor and a browser at rest take less.)
constexpr double kMostMissing = 0.25, kMostMissingPerThread = 0.03;
// With fewer processors left per thread than this, they count as crowded. On 2 processors, one busy
// loop leaves 2 threads 0.65 to 0.8 each, and two leave 0.4 to 0.5.
constexpr double kCrowdedPerThread = 0.55;

// A thread fits where other programs leave at least 1 - kNearlyOne of a processor. (A busy loop
// leaves the second of 2 threads 0.3.)
constexpr double kNearlyOne = 0.6;

}  // namespace

Disturbance DisturbanceOf(double left, int threads) {
  if (left >= threads - std::max(kMostMissing, kMostMissingPerThread * threads))
    return Disturbance::kNone;
  return left < kCrowdedPerThread * threads ? Disturbance::kCrowded : Disturbance::kSome;
}

int ThreadsThatFit(double left, int threads) {
  if (DisturbanceOf(left, threads) == Disturbance::kNone) return threads;
  return std::clamp(static_cast<int>(left + kNearlyOne), 1, threads);
}

DisturbanceWatch::DisturbanceWatch(int threads)
    : threads_(threads),
      most_(std::min<double>(load_.processors(), CpuQuota().value_or(load_.processors()))),
      left_(most_) {}

Disturbance DisturbanceWatch::Lately(Clock::time_point now) {
  if (most_ < threads_) return Disturbance::kCrowded;
  CheckIfDue(now);
  return DisturbanceOf(left_.load(std::memory_order_relaxed), threads_);
}

int DisturbanceWatch::ThreadsThatFitLately(Clock::time_point now) {
  CheckIfDue(now);
  return ThreadsThatFit(left_.load(std::memory_order_relaxed), threads_);
}

void DisturbanceWatch::CheckIfDue(Clock::time_point now) {
  if (most_ < threads_) return;
  Clock::rep due = due_.load(std::memory_order_relaxed);
  const Clock::rep next = (now + kAskEvery).time_since_epoch().count();
  if (now.time_since_epoch().count() >= due && due_.compare_exchange_strong(due, next)) Ask();
}

void DisturbanceWatch::Ask() {
  const std::unique_lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  left_.store(load_.processors() * (1 - load_.SinceLast()), std::memory_order_relaxed);
}

}  // namespace cotangent
