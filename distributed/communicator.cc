#include "distributed/communicator.h"

#include <stdlib.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace cotangent::distributed {
namespace {

class MeansOfOne final : public Means {
 public:
  explicit MeansOfOne(size_t stretches) : records_(stretches) {}
  void Begin(size_t /*stretch*/) override {}
  void Finish() override {}
  void Forget() override {}
  const std::vector<Record>& records() const override { return records_; }

 private:
  const std::vector<Record> records_;
};

class Alone final : public Communicator {
 public:
  int ranks() const override { return 1; }
  int rank() const override { return 0; }
  std::string host() const override { return "this machine"; }
  void Sum(absl::Span<double> /*values*/) override {}
  std::unique_ptr<Means> MakeMeans(float* /*buffer*/, std::vector<Stretch> stretches,
                                   ElementType /*format*/) override {
    return std::make_unique<MeansOfOne>(stretches.size());
  }
  void BeginBroadcast(absl::Span<float> /*values*/, int /*from*/) override {}
  void FinishBroadcasts() override {}
  double SecondsWaited() const override { return 0; }
  void Broadcast(std::string& /*text*/) override {}
  std::vector<std::string> Gather(const std::string& text) override { return {text}; }
  void Abort(int exit_code) override { exit(exit_code); }
};

// Encodes a status as text: its code as one byte, then its message; OK is the empty text.
std::string ToText(const absl::Status& status) {
  if (status.ok()) return "";
  return absl::StrCat(std::string(1, static_cast<char>(status.code())),
                      std::string(status.message()));
}

absl::Status FromText(const std::string& text) {
  if (text.empty()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(text[0]), text.substr(1));
}

std::string RankOn(int rank, const std::string& host) {
  return absl::StrCat("rank ", rank, " on ", host);
}

// Returns the first line of `a` and the first line of `b` in which the two texts differ, so that an
// error message need not quote the whole texts.
std::pair<std::string, std::string> FirstDifference(const std::string& a, const std::string& b) {
  const std::vector<std::string> of_a = absl::StrSplit(a, '\n'), of_b = absl::StrSplit(b, '\n');
  for (size_t i = 0; i < std::max(of_a.size(), of_b.size()); ++i) {
    const std::string line_a = i < of_a.size() ? of_a[i] : "the end of the text";
    const std::string line_b = i < of_b.size() ? of_b[i] : "the end of the text";
    if (line_a != line_b) return {line_a, line_b};
  }
  return {a, b};
}

}  // namespace

Communicator& OneProcess() {
  static Alone* const alone = new Alone;
  return *alone;
}

bool Any(Communicator& ranks, bool here) {
  double count = here ? 1 : 0;
  ranks.Sum(absl::MakeSpan(&count, 1));
  return count > 0;
}

absl::Status Agree(Communicator& ranks, const absl::Status& here) {
  const std::vector<std::string> texts = ranks.Gather(ToText(here));
  const auto failed = std::find_if(texts.begin(), texts.end(),
                                   [](const std::string& text) { return !text.empty(); });
  if (failed == texts.end()) return absl::OkStatus();
  absl::Status status = FromText(*failed);
  if (std::all_of(texts.begin(), texts.end(),
                  [&](const std::string& text) { return text == *failed; }))
    return status;
  const int rank = static_cast<int>(failed - texts.begin());
  return absl::Status(status.code(), absl::StrCat(RankOn(rank, ranks.Gather(ranks.host())[rank]),
                                                  ": ", status.message()));
}

absl::Status AtRankZero(Communicator& ranks, const std::function<absl::Status()>& work) {
  std::string text = ranks.rank() == 0 ? ToText(work()) : "";
  ranks.Broadcast(text);
  return FromText(text);
}

absl::Status CheckSame(Communicator& ranks, const Facts& facts) {
  absl::Status status;
  const std::string zero = ranks.Gather(ranks.host())[0];
  for (const auto& [name, here] : facts) {
    std::string expected = here;
    ranks.Broadcast(expected);
    if (!status.ok() || here == expected) continue;
    const auto [line_here, line_expected] = FirstDifference(here, expected);
    status = absl::InvalidArgumentError(absl::StrCat(name, " here is '", line_here, "', on ",
                                                     RankOn(0, zero), " '", line_expected,
                                                     "': all ranks must have the same"));
  }
  return Agree(ranks, status);
}

}  // namespace cotangent::distributed
