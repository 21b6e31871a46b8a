#include "training/plan_cache.h"

#include <stdio.h>
#include <unistd.h>

#include <chrono>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "data/dataset.h"
#include "data/file.h"
#include "training/checkpoint.h"

namespace cotangent::training {
namespace {

constexpr int64_t kLargestCache = 64 << 20;
constexpr char kChecksum[] = "crc32c ";

// Returns the times in the cache file, or "" if the file is missing or its checksum is wrong.
std::string ReadCache() {
  absl::StatusOr<std::string> file = data::ReadFile(PlanCachePath(), kLargestCache);
  if (!file.ok()) return "";
  const size_t line_end = file->find('\n');
  if (line_end == std::string::npos) return "";
  const std::string text = file->substr(line_end + 1);
  return file->substr(0, line_end) == absl::StrCat(kChecksum, Crc32c(text)) ? text : "";
}

// Returns a function that reports progress on standard error: when the first convolution is
// measured, and then every kEvery.
std::function<void(int)> SignsOfLife() {
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::seconds kEvery(10);
  return [start = Clock::now(), last = Clock::now()](int measured) mutable {
    const Clock::time_point now = Clock::now();
    if (measured == 0) {
      start = last = now;
      fprintf(stderr, "measuring convolutions on this machine (once)...\n");
    } else if (now - last > kEvery) {
      last = now;
      fprintf(stderr, "measured %d convolutions in %.0f s, going on...\n", measured,
              std::chrono::duration<double>(now - start).count());
    }
  };
}

}  // namespace

std::string PlanCachePath() { return data::JoinPath(data::DefaultDataDir(), "plan-cache"); }

CachedTuner::CachedTuner(int threads, std::function<bool()> cancelled)
    : tuner_(threads, {.before_measuring = SignsOfLife(),
                       .cancelled = std::move(cancelled),
                       .stuck = [this](const std::string& message) {
                         Save();
                         fprintf(stderr,
                                 "%s: this is noted in %s, and it will not be tried again; please "
                                 "start once more\n",
                                 message.c_str(), PlanCachePath().c_str());
                         _exit(1);
                       }}) {
  tuner_.Restore(ReadCache());
}

void CachedTuner::Save() {
  if (!tuner_.changed()) return;
  // Another program may have saved measurements since this program read the file. Both those and
  // our own are written.
  const std::string mine = tuner_.ToText();
  tuner_.Restore(ReadCache());
  tuner_.Restore(mine);
  const std::string text = tuner_.ToText();
  if (data::MakeDirectories(data::DefaultDataDir()).ok()) {
    data::WriteFileAtomically(PlanCachePath(), absl::StrCat(kChecksum, Crc32c(text), "\n", text))
        .IgnoreError();
  }
}

}  // namespace cotangent::training
