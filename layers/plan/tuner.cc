// Times the candidates (implementations and formats) for convolutions on this machine, and saves
// the times as text: Tuner::ToText() and Restore() (see tuner.h).

#include "layers/plan/tuner.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/cpu.h"
#include "base/load.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "layers/plan/watchdog.h"
#include "tensor/onednn.h"

namespace cotangent::layers {
namespace {

using tensor::Convolution;
using tensor::ConvolutionArguments;
using tensor::ConvolutionShape;
using tensor::Direction;

// Candidates are timed on fewer images than the full batch if that is large, in two stages. The
// first stage uses little work (kFirstFlops, kFirstBytes) and drops candidates that take more than
// kScreeningSlack times as long as the fastest. The second stage uses enough work (kEnoughFlops,
// kEnoughBytes) that a larger batch would change little; these bytes exceed the caches of a thread.
// A small batch is unfair to candidates with costs that do not grow with the batch, so the first
// stage drops only candidates that are clearly slow, and the second keeps kFewestImages, or fewer
// if these have kFewestPixels pixels of output.
constexpr double kEnoughFlops = 1.5e9, kEnoughBytes = 48e6;
constexpr double kFirstFlops = 5e8, kFirstBytes = 24e6;
constexpr int64_t kFewestImages = 16, kFewestPixels = 1536, kFewestFirstImages = 4;
constexpr double kScreeningSlack = 1.6, kSimilarShapeSlack = 1.3;
// A candidate is not run again after a run that takes more than this many times as long as the
// fastest candidate so far, or after a run to warm up that takes more than twice that:
// kFirstClearlySlower holds in the first stage, kClearlySlower in the first round of the second.
constexpr double kFirstClearlySlower = 2, kClearlySlower = 1.25;
// Two shapes can be similar (see Similar() below for all conditions) only if their batches, numbers
// of channels, heights and widths each differ by no more than this factor. If a similar shape went
// through the first stage before, only the candidates that took at most kSimilarShapeSlack times as
// long as the fastest for that shape are tried for this one.
constexpr double kSimilar = 2;
// Limits for measurements that other work disturbs: the share of the processors that other work may
// take before a measurement counts as disturbed, and how often at most the second stage times all
// candidates if it is disturbed. (kLookAtLoad, below, says how long the load is watched.)
constexpr double kMostOtherLoad = 0.1;
constexpr int kMostRounds = 3;
// The time limit of a candidate in seconds, about a hundred times what a candidate should take.
constexpr int kMostSeconds = 120;
constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr std::chrono::milliseconds kLookAtLoad{100};
// More bytes than the caches hold: the caches of one thread, and the caches of all threads
// together.
constexpr int64_t kMoreThanOwnCaches = 40 << 20, kMoreThanAllCaches = 640 << 20;
// The first line of a saved text. Its number is raised when the form of the lines changes, when a
// family of implementations becomes so much faster that it should be measured again, or when it no
// longer has an implementation that saved texts may name.
constexpr char kHeader[] = "cotangent plan cache 13";
// The first line of a text of shared times.
constexpr char kSharedHeader[] = "cotangent shared times 1";
// Shared times are used for up to kMostMoreThreads times as many threads as they were measured
// with, and for as few as one in kMostFewerThreads of them.
constexpr int kMostMoreThreads = 4, kMostFewerThreads = 2;
constexpr char kThreads[] = " threads";
constexpr int kElementTypes = static_cast<int>(ElementType::kF64) + 1;

std::string MachineKey(int threads) {
  std::string key = absl::StrCat(ProcessorName(), "; ", Name(WidestInstructionSet()), "; oneDNN ",
                                 tensor::onednn::Version(), "; kernels ",
                                 absl::Hex(tensor::FamiliesFingerprint(), absl::kZeroPad16), "; ",
                                 threads, kThreads);
  std::replace(key.begin(), key.end(), '\t', ' ');
  return key;
}

// Returns what stands before the number of threads in the machine of shared times. New families of
// implementations do not make shared times invalid: what was fast still is.
std::string FamilyKey() {
  return absl::StrCat(ProcessorFamily(), "; ", Name(WidestInstructionSet()), "; oneDNN ",
                      tensor::onednn::Version(), "; ");
}

// Returns the number of threads of a machine of shared times, or 0 if its family is not this
// FamilyKey().
int ThreadsOfFamily(absl::string_view machine, absl::string_view family) {
  int threads = 0;
  if (!absl::ConsumePrefix(&machine, family) || !absl::ConsumeSuffix(&machine, kThreads) ||
      !absl::SimpleAtoi(machine, &threads))
    return 0;
  return std::max(0, threads);
}

// Cuts the key of a convolution in SavedTimes into the machine and the rest.
std::pair<std::string, std::string> SplitKey(absl::string_view key) {
  return absl::StrSplit(key, absl::MaxSplits('\t', 1));
}

bool IsInt8(const ConvolutionUse& use) { return Bytes(use.precision) == 1; }

// Returns the text of a direction and of the conditions, in which the times of a shape are saved.
std::string UseText(Direction direction, const ConvolutionUse& use) {
  const std::string result = IsInt8(use) ? absl::StrCat("->", std::string(Name(use.out_type))) : "";
  const std::string weights =
      use.constant_weights ? absl::StrCat(" constant weights, room ", use.room) : "";
  return absl::StrCat(std::string(tensor::Name(direction)), " ", std::string(Name(use.precision)),
                      result, use.exact ? " exact" : "", weights);
}

}  // namespace

// Memory that one candidate after the other uses. Memory for f32 and bf16 is filled with numbers
// from -1 to 1, of which few are zero and none is denormal, since both could change the speed. The
// memory is reused, because allocating and filling new memory takes as long as the runs.
class TunerWorkspace {
 public:
  // Returns pointers into memory that is large enough for this convolution. They are valid until
  // the next call.
  absl::StatusOr<ConvolutionArguments> Fit(const Convolution& convolution) {
    const ConvolutionShape& shape = convolution.shape();
    const tensor::ConvolutionChoice& choice = convolution.choice();
    AlignedBuffer& in = in_[static_cast<int>(choice.in_type)];
    AlignedBuffer& out = out_[static_cast<int>(choice.out_type)];
    absl::Status status = Grow(
        in, tensor::StorageBytes(shape.in(), choice.in_layout, choice.in_type), choice.in_type);
    status.Update(Grow(out, tensor::StorageBytes(shape.out(), choice.out_layout, choice.out_type),
                       choice.out_type));
    status.Update(Grow(plain_, shape.weights().NumElements() * 4, ElementType::kF32));
    status.Update(Grow(weights_, convolution.packed_weight_bytes(), ElementType::kU8));
    status.Update(
        Grow(scratch_, std::max<int64_t>(convolution.scratch_bytes(), 64), ElementType::kU8));
    RETURN_IF_ERROR(status);
    return ConvolutionArguments{
        .in = in.data(), .weights = weights_.data(), .out = out.data(), .scratch = scratch_.data()};
  }
  float* plain() { return plain_.as<float>(); }

  // Reads more bytes than the caches hold, on all threads, so that the caches contain nothing that
  // the candidate uses.
  void EmptyCaches() {
    if (!Grow(other_, std::min(kMoreThanOwnCaches * Threads(), kMoreThanAllCaches),
              ElementType::kF32)
             .ok())
      return;
    const float* const numbers = other_.as<float>();
    const int64_t count = other_.size() / 4;
    ParallelRanges(count / 16, 1, [&](int64_t begin, int64_t end) {
      float sum = 0;
      for (int64_t i = begin; i < end; ++i) sum += numbers[16 * i];
      sum_.store(sum, std::memory_order_relaxed);  // the store makes the compiler keep the reads
    });
  }

 private:
  // Makes the buffer at least `bytes` large and fills it with numbers of this type from -1 to 1;
  // buffers of 8-bit types are filled with zeros.
  static absl::Status Grow(AlignedBuffer& buffer, int64_t bytes, ElementType type) {
    if (buffer.size() >= bytes) return absl::OkStatus();
    buffer = {};
    ASSIGN_OR_RETURN(buffer, AlignedBuffer::Create(bytes, "measuring convolutions"));
    if (Bytes(type) > 1) Fill(buffer, type);
    return absl::OkStatus();
  }

  static void Fill(AlignedBuffer& buffer, ElementType type) {
    const int64_t count = buffer.size() / Bytes(type), period = std::min<int64_t>(count, 1 << 16);
    for (int64_t i = 0; i < period; ++i) {
      const float value = static_cast<float>((i * 2654435761u >> 16) % 257) / 128 - 1;
      if (type == ElementType::kBf16)
        buffer.as<uint16_t>()[i] = FloatToBf16(value);
      else
        buffer.as<float>()[i] = value;
    }
    char* const bytes = buffer.as<char>();
    for (int64_t filled = period * Bytes(type); filled < buffer.size();) {
      const int64_t more = std::min(filled, buffer.size() - filled);
      std::memcpy(bytes + filled, bytes, more);
      filled += more;
    }
  }

  AlignedBuffer in_[kElementTypes], out_[kElementTypes];
  AlignedBuffer weights_, plain_, scratch_, other_;
  std::atomic<float> sum_ = 0;
};

namespace {

// Returns the least number of images on which a candidate is timed: as many as have `pixels` pixels
// of output, up to kFewestImages, but at least kFewestFirstImages and two for each thread.
int64_t FewestImages(const ConvolutionShape& shape, int64_t pixels) {
  const int64_t image = shape.out().height() * shape.out().width();
  return std::max({kFewestFirstImages, int64_t{2} * Threads(),
                   std::min(kFewestImages, (pixels + image - 1) / image)});
}

ConvolutionShape WithLessWork(ConvolutionShape shape, double most_flops, double most_bytes,
                              int64_t fewest_images) {
  const auto bytes = [&] {
    return 4.0 * static_cast<double>(shape.in().NumElements() + shape.out().NumElements());
  };
  while (shape.batch >= 2 * fewest_images &&
         (2.0 * static_cast<double>(shape.MultiplyAdds()) > most_flops || bytes() > most_bytes))
    shape.batch /= 2;
  return shape;
}

bool SimilarSizes(int64_t a, int64_t b) {
  return static_cast<double>(std::max(a, b)) <= kSimilar * static_cast<double>(std::min(a, b));
}
// Kernels work on vectors of 16 channels and treat the remaining channels separately, so a shape
// with a multiple of 16 channels is not similar to a shape without.
bool SimilarChannels(int64_t a, int64_t b) {
  return SimilarSizes(a, b) && (a % 16 == 0) == (b % 16 == 0);
}
// With constant weights, which implementation is fastest depends on how long reading them takes, so
// the numbers of weights must be similar, too.
bool Similar(const ConvolutionShape& a, const ConvolutionShape& b, const ConvolutionUse& use) {
  ConvolutionShape like_a = b;
  like_a.batch = a.batch;
  like_a.in_channels = a.in_channels, like_a.out_channels = a.out_channels;
  like_a.in_height = a.in_height, like_a.in_width = a.in_width;
  const auto depthwise = [](const ConvolutionShape& s) {
    return s.groups > 1 && s.groups == s.in_channels && s.groups == s.out_channels;
  };
  if (depthwise(a) && depthwise(b)) like_a.groups = a.groups;
  if (use.constant_weights && !SimilarSizes(a.weights().NumElements(), b.weights().NumElements())) {
    return false;
  }
  return like_a == a && a.IsLinear() == b.IsLinear() && SimilarSizes(a.batch, b.batch) &&
         SimilarChannels(a.in_channels, b.in_channels) &&
         SimilarChannels(a.out_channels, b.out_channels) &&
         SimilarSizes(a.in_height, b.in_height) && SimilarSizes(a.in_width, b.in_width);
}

// Packed weights are a copy of the weights in the order in which an implementation reads them.
// Returns whether the weights are constant and their packed copy is so large that it is no longer
// in a cache when a run begins (ConvolutionUse::room).
bool AreFarAway(const Convolution& convolution, const ConvolutionUse& use) {
  const double plain =
      static_cast<double>(convolution.shape().weights().NumElements() * Bytes(use.precision));
  return use.constant_weights &&
         std::lround(static_cast<double>(convolution.packed_weight_bytes()) / plain) > use.room;
}

// Returns arbitrary scales for a convolution of integers, whose speed does not depend on them.
tensor::Int8Convolution AnyScales(const ConvolutionShape& shape,
                                  const tensor::ConvolutionChoice& choice,
                                  const ConvolutionUse& use) {
  return {.in_type = choice.in_type,
          .out_type = use.out_type,
          .weight_scales = std::vector<float>(shape.out_channels, 1.0f)};
}

// Returns the estimated time in seconds of a full batch of `shape`, from the time of a run of
// `sample`, the same shape with fewer images. If the time includes packing weights, they are packed
// once per batch.
double AtFullBatch(const tensor::ConvolutionTime& time, const ConvolutionShape& shape,
                   const ConvolutionShape& sample) {
  return time.pack_seconds +
         time.run_seconds * static_cast<double>(shape.batch) / static_cast<double>(sample.batch);
}

// Returns the bytes of scratch memory and packed weights that a choice needs while it runs.
absl::StatusOr<int64_t> TemporaryBytes(const ConvolutionShape& shape, Direction direction,
                                       const tensor::ConvolutionChoice& choice,
                                       const ConvolutionUse& use) {
  const tensor::Int8Convolution int8 = AnyScales(shape, choice, use);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Convolution> whole,
      Convolution::Create(shape, direction, choice, {.int8 = IsInt8(use) ? &int8 : nullptr}));
  const int64_t packed = whole->weights_are_plain() ? 0 : whole->packed_weight_bytes();
  return whole->scratch_bytes() + packed;
}

bool Faster(const MeasuredChoice& a, const MeasuredChoice& b) { return a.seconds < b.seconds; }

}  // namespace

bool AreSharedTimes(absl::string_view text) {
  return absl::StartsWith(text, absl::StrCat(kSharedHeader, "\n"));
}

Tuner::Tuner(int threads, TunerWatch watch)
    : threads_(threads),
      machine_(MachineKey(threads)),
      family_(FamilyKey()),
      watch_(std::move(watch)) {}
Tuner::~Tuner() = default;
void Tuner::FreeMemory() { workspace_.reset(); }

absl::Status Tuner::CheckNotCancelled() const {
  if (!watch_.cancelled || !watch_.cancelled()) return absl::OkStatus();
  return absl::CancelledError("interrupted while the network was planned");
}

std::string Tuner::Key(const ConvolutionShape& shape, Direction direction,
                       const ConvolutionUse& use) const {
  return absl::StrCat(machine_, "\t", shape.ToString(), "\t", UseText(direction, use));
}

void Tuner::Restore(absl::string_view text) {
  changed_ = false;
  SavedTimes restored = ParseSavedTimes(text, kHeader);
  known_.refused.insert(restored.refused.begin(), restored.refused.end());
  for (auto& [key, choices] : restored.times) {
    // The known times are kept if they were measured under less load.
    const auto known = known_.times.find(key);
    if (known == known_.times.end() || choices[0].other_load <= known->second[0].other_load)
      known_.times[key] = std::move(choices);
  }
}

std::string Tuner::ToText() const { return layers::ToText(known_, kHeader); }

void Tuner::RestoreShared(absl::string_view text) { unread_shared_.emplace_back(text); }

void Tuner::ReadShared() {
  for (const std::string& text : std::exchange(unread_shared_, {})) ReadShared(text);
}

void Tuner::ReadShared(absl::string_view text) {
  for (auto& [key, choices] : ParseSavedTimes(text, kSharedHeader).times) {
    const auto [machine, convolution] = SplitKey(key);
    const int threads = ThreadsOfFamily(machine, family_);
    if (threads == 0 || kMostFewerThreads * threads_ < threads ||
        threads_ > kMostMoreThreads * threads)
      continue;
    for (MeasuredChoice& choice : choices)
      choice.seconds *= static_cast<double>(threads) / threads_;
    shared_[convolution] = choices;
    const std::vector<std::string> fields = absl::StrSplit(convolution, '\t');
    const absl::StatusOr<ConvolutionShape> shape = ConvolutionShape::Parse(fields[0]);
    if (shape.ok()) shared_shapes_.push_back({*shape, fields[1], std::move(choices), true});
  }
}

std::string Tuner::ToShare(absl::string_view earlier) const {
  SavedTimes shared = ParseSavedTimes(earlier, kSharedHeader);
  const std::string family = absl::StrCat(family_, threads_, kThreads);
  for (const std::string& convolution : asked_) {
    const auto known = known_.times.find(absl::StrCat(machine_, "\t", convolution));
    if (known != known_.times.end())
      shared.times[absl::StrCat(family, "\t", convolution)] = known->second;
  }
  return layers::ToText(shared, kSharedHeader);
}

absl::StatusOr<std::vector<MeasuredChoice>> Tuner::Measure(const ConvolutionShape& shape,
                                                           Direction direction,
                                                           const ConvolutionUse& use) {
  const std::string key = Key(shape, direction, use);
  const std::string convolution = SplitKey(key).second;
  asked_.insert(convolution);
  const auto known = known_.times.find(key);
  if (known != known_.times.end()) {
    if (!IsWorthAnotherLook(key, known->second)) return known->second;
  } else {
    ReadShared();
    if (const auto shared = shared_.find(convolution); shared != shared_.end())
      return shared->second;
  }
  if (watch_.before_measuring) watch_.before_measuring(measured_++);
  OtherLoad load;
  absl::StatusOr<std::vector<MeasuredChoice>> measured = MeasureAll(shape, direction, use);
  measured_here_.insert(key);
  if (!measured.ok()) return measured;
  const double other_load = load.SinceLast();
  for (MeasuredChoice& choice : *measured) choice.other_load = other_load;
  known_.times[key] = *measured;
  changed_ = true;
  return measured;
}

// Returns whether known times should be measured again. Times that were measured before (not by
// this object) while other work took at least kMostOtherLoad of the processors are measured again,
// once, if other work takes less than half as much when this function first asks.
bool Tuner::IsWorthAnotherLook(const std::string& key, const std::vector<MeasuredChoice>& choices) {
  if (choices[0].other_load < kMostOtherLoad || measured_here_.contains(key)) return false;
  if (!load_now_) {
    OtherLoad load;
    std::this_thread::sleep_for(kLookAtLoad);
    load_now_ = load.SinceLast();
  }
  return *load_now_ < choices[0].other_load / 2;
}

// Measures the time of a run; if weights change between runs, also the time to pack them or to
// unpack their gradient.
absl::StatusOr<tensor::ConvolutionTime> Tuner::Time(const ConvolutionShape& shape,
                                                    Direction direction,
                                                    const tensor::ConvolutionChoice& choice,
                                                    const ConvolutionUse& use,
                                                    tensor::MeasureOptions options) {
  const Watchdog watchdog(kMostSeconds, std::chrono::seconds(1), [&] {
    // This runs on the watchdog's thread. The measuring thread is stuck in the candidate, so the
    // tuner can be changed here without a lock.
    known_.refused.insert(RefusedLine(machine_, direction, choice));
    changed_ = true;
    if (watch_.stuck) {
      watch_.stuck(absl::StrCat("the ", std::string(tensor::Name(direction)), " convolution ",
                                shape.ToString(), " by ", choice.ToString(),
                                " did not come back within ", kMostSeconds, " s"));
    }
  });
  const tensor::Int8Convolution int8 = AnyScales(shape, choice, use);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Convolution> convolution,
      Convolution::Create(shape, direction, choice, {.int8 = IsInt8(use) ? &int8 : nullptr}));
  ASSIGN_OR_RETURN(ConvolutionArguments arguments, workspace_->Fit(*convolution));
  if (direction != Direction::kWeightGradient)
    convolution->PackWeights(workspace_->plain(), arguments.weights);
  options.packing = !use.constant_weights;
  if (AreFarAway(*convolution, use)) options.before_run = [&] { workspace_->EmptyCaches(); };
  return tensor::Measure(*convolution, arguments, workspace_->plain(), options);
}

// Returns the candidates, except those that exceeded the time limit before.
std::vector<tensor::ConvolutionChoice> Tuner::Candidates(const ConvolutionShape& shape,
                                                         Direction direction,
                                                         const ConvolutionUse& use) const {
  std::vector<tensor::ConvolutionChoice> all =
      IsInt8(use) ? tensor::Int8Candidates(shape, use.precision, use.out_type)
                  : tensor::Candidates(shape, direction, use.precision, use.exact);
  std::erase_if(all, [&](const tensor::ConvolutionChoice& choice) {
    return known_.refused.contains(RefusedLine(machine_, direction, choice));
  });
  return all;
}

// Returns the candidates worth timing exactly, fastest first. If this object has put a similar
// shape, for the same direction and under the same conditions `use`, through the first stage
// before, or has shared times of one, these are the candidates that were fast for that shape, in
// the same order. Otherwise (or if none of those is a candidate here) sets *screened to true, times
// every candidate on little work (the first stage), and drops the slow ones.
absl::StatusOr<std::vector<MeasuredChoice>> Tuner::InTheRunning(const ConvolutionShape& shape,
                                                                Direction direction,
                                                                const ConvolutionUse& use,
                                                                bool* screened) {
  const std::vector<tensor::ConvolutionChoice> all = Candidates(shape, direction, use);
  const std::string use_text = UseText(direction, use);
  for (const std::vector<MeasuredShape>* shapes : {&measured_shapes_, &shared_shapes_}) {
    for (const MeasuredShape& other : *shapes) {
      if (!other.screened || other.use != use_text || !Similar(shape, other.shape, use)) continue;
      std::vector<MeasuredChoice> candidates;
      for (const MeasuredChoice& c : other.choices) {
        if (c.seconds <= kSimilarShapeSlack * other.choices[0].seconds &&
            std::find(all.begin(), all.end(), c.choice) != all.end())
          candidates.push_back(c);
      }
      if (!candidates.empty()) return candidates;
    }
  }
  *screened = true;
  const ConvolutionShape first =
      WithLessWork(shape, kFirstFlops, kFirstBytes, FewestImages(shape, 0));
  std::vector<MeasuredChoice> candidates;
  absl::Status last = absl::InternalError("no candidates");
  double fastest = kNever;
  for (const tensor::ConvolutionChoice& choice : all) {
    RETURN_IF_ERROR(CheckNotCancelled());
    const absl::StatusOr<tensor::ConvolutionTime> time = Time(
        first, direction, choice, use,
        {.repetitions = 1, .budget_seconds = 0, .clearly_slow = kFirstClearlySlower * fastest});
    if (time.ok()) {
      fastest = std::min(fastest, time->run_seconds);
      candidates.push_back({choice, AtFullBatch(*time, shape, first)});
    } else {
      last = time.status();
    }
  }
  if (candidates.empty()) return last;
  std::stable_sort(candidates.begin(), candidates.end(), Faster);
  while (candidates.back().seconds > kScreeningSlack * candidates[0].seconds) candidates.pop_back();
  return candidates;
}

absl::StatusOr<std::vector<MeasuredChoice>> Tuner::MeasureAll(const ConvolutionShape& shape,
                                                              Direction direction,
                                                              const ConvolutionUse& use) {
  if (workspace_ == nullptr) workspace_ = std::make_unique<TunerWorkspace>();
  bool screened = false;
  ASSIGN_OR_RETURN(const std::vector<MeasuredChoice> candidates,
                   InTheRunning(shape, direction, use, &screened));
  const ConvolutionShape sample =
      WithLessWork(shape, kEnoughFlops, kEnoughBytes, FewestImages(shape, kFewestPixels));
  std::vector<MeasuredChoice> measured;
  absl::Status last;
  double fastest = kNever;  // seconds of a run of the sample
  OtherLoad load;
  for (int round = 0; round == 0 || (round < kMostRounds && measured.size() > 1); ++round) {
    // The least of several measured times is hardly affected by other work. Under load, more rounds
    // are needed. Each round goes through all candidates, so that no candidate is timed only in the
    // worst moments.
    if (round > 0 && load.SinceLast() < kMostOtherLoad) break;
    std::vector<MeasuredChoice> again;
    for (const MeasuredChoice& candidate : round == 0 ? candidates : measured) {
      RETURN_IF_ERROR(CheckNotCancelled());
      const absl::StatusOr<tensor::ConvolutionTime> time =
          Time(sample, direction, candidate.choice, use,
               {.repetitions = 2,
                .budget_seconds = 0.02,
                .clearly_slow = round == 0 ? kClearlySlower * fastest : kNever});
      const absl::StatusOr<int64_t> bytes =
          round > 0 ? candidate.temporary_bytes
                    : TemporaryBytes(shape, direction, candidate.choice, use);
      if (!time.ok() || !bytes.ok()) {
        last = time.ok() ? bytes.status() : time.status();
        continue;
      }
      fastest = std::min(fastest, time->run_seconds);
      double seconds = AtFullBatch(*time, shape, sample);
      if (round > 0) seconds = std::min(seconds, candidate.seconds);
      again.push_back({candidate.choice, seconds, *bytes});
    }
    measured = std::move(again);
  }
  if (measured.empty()) return last;
  std::stable_sort(measured.begin(), measured.end(), Faster);
  measured_shapes_.push_back({shape, UseText(direction, use), measured, screened});
  return measured;
}

}  // namespace cotangent::layers
