// Measures which implementation of a convolution is fastest on this machine, and remembers the
// times.
#ifndef COTANGENT_LAYERS_PLAN_TUNER_H_
#define COTANGENT_LAYERS_PLAN_TUNER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "layers/plan/saved_times.h"
#include "tensor/convolution.h"

namespace cotangent::layers {

// The conditions under which a convolution is measured.
struct ConvolutionUse {
  // The type of activations. kU8 or kS8: a convolution of 8-bit integers.
  ElementType precision = ElementType::kF32;
  // Only for convolutions of integers: the type of the results; kF32: real numbers.
  ElementType out_type = ElementType::kF32;
  bool exact = false;  // true: no Winograd convolutions (less accurate)
  // Packing copies weights into the order in which an implementation reads them. If
  // constant_weights is false, weights change between runs, and the time includes packing the
  // weights (or unpacking their gradient) in every run. If true, weights are packed once, and the
  // time of packing does not count.
  bool constant_weights = false;
  // For constant weights: how many times the weights of the whole network, unpacked, fit into the
  // cache, from 0 to kMostRoom. If the packed weights of an implementation take more than `room`
  // times (after rounding to an integer) their unpacked size, every run has to fetch them from
  // memory, so the implementation is measured with empty caches.
  int room = 0;

  friend bool operator==(const ConvolutionUse&, const ConvolutionUse&) = default;
};
inline constexpr int kMostRoom = 4;

// Callbacks of a tuner while it measures, which may take minutes.
struct TunerWatch {
  // Called before each convolution that is measured, with the number of those measured before it.
  std::function<void(int measured)> before_measuring = nullptr;
  // Called before each candidate is timed, and by Plan::Compile() (plan.h) before each of its
  // parts. If it returns true, Measure() or Plan::Compile() ends with a Cancelled error.
  std::function<bool()> cancelled = nullptr;
  // Called on another thread if a candidate, named in the message, does not end within a time
  // limit. Only ending the process stops such a candidate. ToText() already records the candidate
  // then, so a tuner that restores the text does not try it again.
  std::function<void(const std::string& message)> stuck = nullptr;
};

// Returns whether `text` has the first line of shared times (Tuner::ToShare()).
bool AreSharedTimes(absl::string_view text);

class TunerWorkspace;

// Measures the times of candidates (implementations and formats) for convolutions, once per
// (processor, instruction set, oneDNN version, families of implementations, threads, shape,
// direction, use). The times can be saved as text, one line per candidate. A later run that
// restores the text measures only what is missing from it, and what was measured while other work
// took at least a tenth of the processors and more than twice as much as it takes then. A later
// version of the program that has other families of implementations measures everything again.
class Tuner {
 public:
  explicit Tuner(int threads, TunerWatch watch = {});
  ~Tuner();

  // Adds the times in `text`, made by ToText(). They replace known times of the same convolutions,
  // unless the known times were measured while other work took less of the processors. Unreadable
  // lines, the other lines of a convolution that has an unreadable line, and the text of a version
  // of ToText() with another first line are ignored; these convolutions are measured again.
  void Restore(absl::string_view text);
  // Returns all known times as text, including those of other machines that were restored.
  std::string ToText() const;
  // Adds times that were measured on another machine: `text` is made by ToShare(). Where no times
  // of this machine are known, Measure() returns these at once, scaled to this number of threads;
  // and for similar shapes it times only the candidates that were fast. Ignored are times of
  // another family of processors, instruction set or version of oneDNN, and of more than twice or
  // less than a quarter as many threads. The text is kept, and read when Measure() first needs it.
  void RestoreShared(absl::string_view text);
  // Forgets what RestoreShared() added, so that Measure() measures.
  void ForgetShared() {
    unread_shared_.clear();
    shared_.clear();
    shared_shapes_.clear();
  }
  // Returns text for RestoreShared(): the times of the convolutions that Measure() was asked for, as
  // far as they were measured on this machine, and those in `earlier`, another such text, of all
  // others.
  std::string ToShare(absl::string_view earlier = "") const;
  // Returns whether the times or the candidates that did not end have changed since the last
  // Restore().
  bool changed() const { return changed_; }

  // Returns the candidates that are not clearly slow, with their times, fastest first; at least
  // one, or an error.
  absl::StatusOr<std::vector<MeasuredChoice>> Measure(const tensor::ConvolutionShape& shape,
                                                      tensor::Direction direction,
                                                      const ConvolutionUse& use);

  // Drops the known and the shared times of this convolution, so that the next Measure() measures
  // it again.
  void Forget(const tensor::ConvolutionShape& shape, tensor::Direction direction,
              const ConvolutionUse& use) {
    ReadShared();
    const std::string key = Key(shape, direction, use);
    known_.times.erase(key);
    shared_.erase(key.substr(machine_.size() + 1));
  }

  // Returns a Cancelled error if TunerWatch::cancelled says so.
  absl::Status CheckNotCancelled() const;

  // Frees the memory that measuring uses, such as images and weights for the largest convolution
  // measured.
  void FreeMemory();

 private:
  void ReadShared();
  void ReadShared(absl::string_view text);
  std::string Key(const tensor::ConvolutionShape& shape, tensor::Direction direction,
                  const ConvolutionUse& use) const;
  absl::StatusOr<std::vector<MeasuredChoice>> MeasureAll(const tensor::ConvolutionShape& shape,
                                                         tensor::Direction direction,
                                                         const ConvolutionUse& use);
  absl::StatusOr<std::vector<MeasuredChoice>> InTheRunning(const tensor::ConvolutionShape& shape,
                                                           tensor::Direction direction,
                                                           const ConvolutionUse& use,
                                                           bool* screened);
  absl::StatusOr<tensor::ConvolutionTime> Time(const tensor::ConvolutionShape& shape,
                                               tensor::Direction direction,
                                               const tensor::ConvolutionChoice& choice,
                                               const ConvolutionUse& use,
                                               tensor::MeasureOptions options);
  std::vector<tensor::ConvolutionChoice> Candidates(const tensor::ConvolutionShape& shape,
                                                    tensor::Direction direction,
                                                    const ConvolutionUse& use) const;
  bool IsWorthAnotherLook(const std::string& key, const std::vector<MeasuredChoice>& choices);

  const int threads_;
  const std::string machine_, family_;  // of lines of times, and of shared times
  const TunerWatch watch_;
  struct MeasuredShape {
    tensor::ConvolutionShape shape;
    std::string use;  // direction and conditions, as in SavedTimes
    std::vector<MeasuredChoice> choices;
    bool screened;  // true: all candidates were first timed on a small batch
  };
  std::vector<MeasuredShape> measured_shapes_;  // measured by this object, not restored
  std::unique_ptr<TunerWorkspace> workspace_;
  int measured_ = 0;  // number of convolutions measured
  SavedTimes known_;
  absl::flat_hash_set<std::string> measured_here_;
  std::vector<std::string> unread_shared_;  // texts from RestoreShared()
  // The times of the others of these texts, under the keys of SavedTimes without the machine; the same by
  // shape; and the keys that Measure() was asked for.
  absl::flat_hash_map<std::string, std::vector<MeasuredChoice>> shared_;
  std::vector<MeasuredShape> shared_shapes_;
  absl::flat_hash_set<std::string> asked_;
  std::optional<double> load_now_;
  bool changed_ = false;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_TUNER_H_
