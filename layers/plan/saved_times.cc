#include "layers/plan/saved_times.h"

#include <map>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"

namespace cotangent::layers {
namespace {

// The word that stands in place of the seconds of a candidate that exceeded the time limit.
constexpr char kRefused[] = "never";
// The most bytes of temporary memory (scratch memory, packed weights) that a line may name, more
// than any machine has.
constexpr int64_t kMostTemporaryBytes = int64_t{1} << 44;

}  // namespace

std::string RefusedLine(absl::string_view machine, tensor::Direction direction,
                        const tensor::ConvolutionChoice& choice) {
  return absl::StrCat(machine, "\t*\t", std::string(tensor::Name(direction)), "\t", kRefused,
                      "\t0\t", choice.ToString(), "\t0");
}

std::string ToText(const SavedTimes& saved, absl::string_view first_line) {
  std::string text = absl::StrCat(first_line, "\n");
  for (const std::string& line : std::set<std::string>(saved.refused.begin(), saved.refused.end()))
    absl::StrAppend(&text, line, "\n");
  std::map<std::string, const std::vector<MeasuredChoice>*> sorted;
  for (const auto& [key, choices] : saved.times) sorted[key] = &choices;
  for (const auto& [key, choices] : sorted) {
    for (const MeasuredChoice& c : *choices)
      absl::StrAppend(&text, key, "\t", absl::StrFormat("%.3e", c.seconds), "\t", c.temporary_bytes,
                      "\t", c.choice.ToString(), absl::StrFormat("\t%.2f", c.other_load), "\n");
  }
  return text;
}

SavedTimes ParseSavedTimes(absl::string_view text, absl::string_view first_line) {
  SavedTimes saved;
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  // absl::StrSplit() of a string_view whose data() is null gives no lines at all.
  if (lines.empty() || lines[0] != first_line) return saved;
  absl::flat_hash_set<std::string> unreadable;  // convolutions of which a line cannot be read
  for (absl::string_view line : lines) {
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    MeasuredChoice measured;
    if (fields.size() != 7 || !absl::SimpleAtod(fields[6], &measured.other_load)) continue;
    if (fields[3] == kRefused) {
      saved.refused.insert(std::string(line));
      continue;
    }
    const std::string key = absl::StrCat(fields[0], "\t", fields[1], "\t", fields[2]);
    absl::StatusOr<tensor::ConvolutionChoice> choice = tensor::ConvolutionChoice::Parse(fields[5]);
    if (!absl::SimpleAtod(fields[3], &measured.seconds) || !(measured.seconds > 0) ||
        !absl::SimpleAtoi(fields[4], &measured.temporary_bytes) || measured.temporary_bytes < 0 ||
        measured.temporary_bytes > kMostTemporaryBytes || !choice.ok()) {
      unreadable.insert(key);
      continue;
    }
    measured.choice = *std::move(choice);
    saved.times[key].push_back(std::move(measured));
  }
  for (const std::string& key : unreadable) saved.times.erase(key);
  return saved;
}

}  // namespace cotangent::layers
