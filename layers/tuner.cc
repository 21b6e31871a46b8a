#include "layers/tuner.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tensor/cpu.h"
#include "tensor/memory.h"
#include "tensor/onednn.h"

namespace cotangent::layers {
namespace {

using tensor::Convolution;
using tensor::ConvolutionArguments;
using tensor::ConvolutionShape;
using tensor::Direction;

// Work beyond which a smaller batch tells as much, and work that tells who is out of the running. What does not grow with the
// batch makes small ones unfair, so the second judges mildly.
constexpr double kEnoughFlops = 1e10;
constexpr double kFirstFlops = 1e9;
constexpr int64_t kFewestImages = 16;
constexpr double kHopeless = 1.6;
constexpr char kHeader[] = "cotangent plan cache 5";

std::string MachineKey(int threads) {
  std::string key = absl::StrCat(tensor::ProcessorName(), "; oneDNN ", tensor::onednn::Version(), "; ", threads, " threads");
  std::replace(key.begin(), key.end(), '\t', ' ');
  return key;
}

// Buffers for one convolution, filled with small numbers (zeros would hide denormals and flatter nobody).
struct Workspace {
  tensor::AlignedBuffer in, out, weights, plain, scratch;

  static absl::StatusOr<Workspace> Create(const Convolution& convolution) {
    const ConvolutionShape& shape = convolution.shape();
    const tensor::ConvolutionChoice& choice = convolution.choice();
    Workspace w;
    const std::pair<tensor::AlignedBuffer*, int64_t> wanted[] = {
        {&w.in, tensor::StorageBytes(shape.in(), choice.in_layout, choice.in_type)},
        {&w.out, tensor::StorageBytes(shape.out(), choice.out_layout, choice.out_type)},
        {&w.weights, convolution.packed_weight_bytes()},
        {&w.plain, shape.weights().NumElements() * 4},
        {&w.scratch, std::max<int64_t>(convolution.scratch_bytes(), 64)}};
    for (const auto& [buffer, bytes] : wanted) {
      absl::StatusOr<tensor::AlignedBuffer> made = tensor::AlignedBuffer::Create(bytes, "measuring convolutions");
      if (!made.ok()) return made.status();
      *buffer = *std::move(made);
    }
    Fill(w.in, choice.in_type), Fill(w.out, choice.out_type), Fill(w.plain, tensor::ElementType::kF32);
    return w;
  }

  static void Fill(tensor::AlignedBuffer& buffer, tensor::ElementType type) {
    const int64_t count = buffer.size() / tensor::Bytes(type);
    for (int64_t i = 0; i < count; ++i) {
      const float value = static_cast<float>((i * 2654435761u >> 16) % 257) / 128 - 1;
      if (type == tensor::ElementType::kBf16) buffer.as<uint16_t>()[i] = tensor::FloatToBf16(value);
      else buffer.as<float>()[i] = value;
    }
  }

  ConvolutionArguments Arguments() { return {.in = in.data(), .weights = weights.data(), .out = out.data(), .scratch = scratch.data()}; }
};

ConvolutionShape WithLessWork(ConvolutionShape shape, double most_flops) {
  while (2.0 * shape.MultiplyAdds() > most_flops && shape.batch >= 2 * kFewestImages) shape.batch /= 2;
  return shape;
}

// Of one run with its weights packed or unpacked.
absl::StatusOr<double> SecondsOf(const ConvolutionShape& shape, Direction direction, const tensor::ConvolutionChoice& choice, int repetitions, double budget_seconds) {
  absl::StatusOr<std::unique_ptr<Convolution>> convolution = Convolution::Create(shape, direction, choice);
  if (!convolution.ok()) return convolution.status();
  absl::StatusOr<Workspace> workspace = Workspace::Create(**convolution);
  if (!workspace.ok()) return workspace.status();
  const ConvolutionArguments arguments = workspace->Arguments();
  float* plain = workspace->plain.as<float>();
  if (direction != Direction::kWeightGradient) (*convolution)->PackWeights(plain, arguments.weights);
  const tensor::ConvolutionTime time = tensor::Measure(**convolution, arguments, plain, repetitions, budget_seconds);
  return time.run_seconds + time.pack_seconds;
}

}  // namespace

Tuner::Tuner(int threads, std::function<void()> on_measure) : machine_(MachineKey(threads)), on_measure_(std::move(on_measure)) {}

std::string Tuner::Key(const ConvolutionShape& shape, Direction direction, tensor::ElementType precision, bool exact) const {
  return absl::StrCat(machine_, "\t", shape.ToString(), "\t", std::string(tensor::Name(direction)), " ", std::string(tensor::Name(precision)), exact ? " exact" : "");
}

// A line: machine, shape, direction and precision, seconds, choice; separated by tabs.
void Tuner::Restore(absl::string_view text) {
  changed_ = false;
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  // A view of nothing splits into no lines at all.
  if (lines.empty() || lines[0] != kHeader) return;
  absl::flat_hash_map<std::string, std::vector<MeasuredChoice>> restored;
  for (absl::string_view line : lines) {
    const std::vector<std::string> fields = absl::StrSplit(line, '\t');
    double seconds = 0;
    if (fields.size() != 5 || !absl::SimpleAtod(fields[3], &seconds) || !(seconds > 0)) continue;
    absl::StatusOr<tensor::ConvolutionChoice> choice = tensor::ConvolutionChoice::Parse(fields[4]);
    if (choice.ok()) restored[absl::StrCat(fields[0], "\t", fields[1], "\t", fields[2])].push_back({*choice, seconds});
  }
  for (auto& [key, choices] : restored) known_[key] = std::move(choices);
}

std::string Tuner::ToText() const {
  std::map<std::string, const std::vector<MeasuredChoice>*> sorted;
  for (const auto& [key, choices] : known_) sorted[key] = &choices;
  std::string text = absl::StrCat(kHeader, "\n");
  for (const auto& [key, choices] : sorted) {
    for (const MeasuredChoice& c : *choices) absl::StrAppend(&text, key, "\t", absl::StrFormat("%.3e", c.seconds), "\t", c.choice.ToString(), "\n");
  }
  return text;
}

absl::StatusOr<std::vector<MeasuredChoice>> Tuner::Measure(const ConvolutionShape& shape, Direction direction, tensor::ElementType precision, bool exact) {
  const std::string key = Key(shape, direction, precision, exact);
  if (auto known = known_.find(key); known != known_.end()) return known->second;
  if (on_measure_) std::exchange(on_measure_, nullptr)();
  const auto start = std::chrono::steady_clock::now();
  absl::StatusOr<std::vector<MeasuredChoice>> measured = MeasureAll(shape, direction, precision, exact);
  seconds_spent_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!measured.ok()) return measured;
  known_[key] = *measured;
  changed_ = true;
  return measured;
}

absl::StatusOr<std::vector<MeasuredChoice>> Tuner::MeasureAll(const ConvolutionShape& shape, Direction direction, tensor::ElementType precision, bool exact) const {
  const ConvolutionShape first = WithLessWork(shape, kFirstFlops), sample = WithLessWork(shape, kEnoughFlops);
  std::vector<MeasuredChoice> candidates;
  absl::Status last = absl::InternalError("no candidates");
  for (const tensor::ConvolutionChoice& choice : tensor::Candidates(first, direction, precision, exact)) {
    const absl::StatusOr<double> seconds = SecondsOf(first, direction, choice, 1, 0);
    if (seconds.ok()) {
      candidates.push_back({choice, *seconds});
    } else {
      last = seconds.status();
    }
  }
  const auto faster = [](const MeasuredChoice& a, const MeasuredChoice& b) { return a.seconds < b.seconds; };
  std::stable_sort(candidates.begin(), candidates.end(), faster);
  std::vector<MeasuredChoice> measured;
  for (const MeasuredChoice& candidate : candidates) {
    if (candidate.seconds > kHopeless * candidates[0].seconds) break;
    const absl::StatusOr<double> seconds = SecondsOf(sample, direction, candidate.choice, 3, 0.1);
    if (!seconds.ok()) return seconds.status();
    measured.push_back({candidate.choice, *seconds * (static_cast<double>(shape.batch) / sample.batch)});
  }
  if (measured.empty()) return last;
  std::stable_sort(measured.begin(), measured.end(), faster);
  return measured;
}

}  // namespace cotangent::layers
