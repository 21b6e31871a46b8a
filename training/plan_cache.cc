#include "training/plan_cache.h"

#include <filesystem>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/dataset.h"
#include "data/file.h"
#include "layers/zoo/zoo.h"
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

}  // namespace

std::string SharedTimesPath(absl::string_view path) {
  return std::filesystem::path(std::string(path)).replace_extension(".times");
}

absl::Status SaveSharedTimes(const std::string& path, const layers::Tuner& tuner) {
  std::string earlier;
  std::error_code error;
  if (std::filesystem::exists(path, error)) {
    ASSIGN_OR_RETURN(earlier, data::ReadFile(path, kLargestCache));
    if (!layers::AreSharedTimes(earlier))
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": is not a file of shared times; name another, or remove it"));
  }
  return data::WriteFileAtomically(path, tuner.ToShare(earlier));
}

std::string PlanCachePath() { return data::JoinPath(data::DefaultDataDir(), "plan-cache"); }

CachedTuner::CachedTuner(int threads, layers::TunerWatch watch, absl::string_view network)
    : tuner_(threads, {.before_measuring = std::move(watch.before_measuring),
                       .cancelled = std::move(watch.cancelled),
                       .stuck = [this, stuck = std::move(watch.stuck)](const std::string& message) {
                         Save();
                         if (stuck) stuck(message);
                       }}) {
  tuner_.Restore(ReadCache());
  for (absl::string_view times : layers::ZooTimes()) tuner_.RestoreShared(times);
  if (network.find_first_of("/.") == absl::string_view::npos) return;
  const absl::StatusOr<std::string> times = data::ReadFile(SharedTimesPath(network), kLargestCache);
  if (times.ok()) tuner_.RestoreShared(*times);
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
