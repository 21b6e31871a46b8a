// Measures which implementation of a convolution is fastest on this machine, and remembers.
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
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tensor/convolution.h"

namespace cotangent::layers {

// What a convolution is measured for.
struct ConvolutionUse {
  ElementType precision = ElementType::kF32;  // kU8, kS8: of a convolution of integers
  ElementType out_type = ElementType::kF32;   // of such: kU8, kS8; kF32: real numbers
  bool exact = false;
  // Weights that change are packed, or their gradient unpacked, in every run. Constant ones are
  // packed once and for all.
  bool constant_weights = false;
  // How many times their plain size all constant weights of the network have room in a cache: what
  // packs them larger finds them in memory. From 0 to kMostRoom.
  int room = 0;

  friend bool operator==(const ConvolutionUse&, const ConvolutionUse&) = default;
};
inline constexpr int kMostRoom = 4;

struct MeasuredChoice {
  tensor::ConvolutionChoice choice;
  double seconds =
      0;  // of one run, with its weights packed or unpacked where they change, at the full batch
  int64_t temporary_bytes = 0;  // scratch and packed weights while it runs
  double other_load = 0;        // the part of the processors that others took while it was measured
};

// What a tuner tells and asks while it measures, which may take minutes.
struct TunerWatch {
  // Told before each convolution that is measured how many were measured before it.
  std::function<void(int measured)> before_measuring = nullptr;
  // Asked before each candidate is timed; where it says so, Measure() ends with kCancelled.
  std::function<bool()> cancelled = nullptr;
  // Told, on a thread of its own, that a candidate, named in the message, runs on and on, which
  // nothing but the end of the process can end. The tuner's text says so by then, and whoever
  // restores it does not try that candidate again.
  std::function<void(const std::string& message)> stuck = nullptr;
};

class TunerWorkspace;

// Times the candidates once per (processor, oneDNN version, threads, shape, direction, use). The
// times can be kept as text, a line a candidate, so that another run measures nothing but what was
// measured while other work took more of the processors than now.
class Tuner {
 public:
  explicit Tuner(int threads, TunerWatch watch = {});
  ~Tuner();

  // Takes over the times in `text`, made by ToText(), instead of those known of the same
  // convolutions, unless those were measured beside less other work. Lines that cannot be read are passed over: they cost a measurement.
  void Restore(absl::string_view text);
  // All times known, other machines' included.
  std::string ToText() const;
  // Whether anything was measured since the last Restore().
  bool changed() const { return changed_; }

  // The candidates worth considering with their times, fastest first. Never empty.
  absl::StatusOr<std::vector<MeasuredChoice>> Measure(const tensor::ConvolutionShape& shape,
                                                      tensor::Direction direction,
                                                      const ConvolutionUse& use);

  // The next Measure() of this one measures.
  void Forget(const tensor::ConvolutionShape& shape, tensor::Direction direction,
              const ConvolutionUse& use) {
    known_.erase(Key(shape, direction, use));
  }

  // Gives back what measuring keeps: images and weights for the largest convolution measured.
  void FreeMemory();

  double seconds_spent() const { return seconds_spent_; }

 private:
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
  std::string RefusedKey(tensor::Direction direction,
                         const tensor::ConvolutionChoice& choice) const;
  std::vector<tensor::ConvolutionChoice> Candidates(const tensor::ConvolutionShape& shape,
                                                    tensor::Direction direction,
                                                    const ConvolutionUse& use) const;
  bool Cancelled() const { return watch_.cancelled && watch_.cancelled(); }
  bool IsWorthAnotherLook(const std::string& key, const std::vector<MeasuredChoice>& choices);

  const std::string machine_;
  const TunerWatch watch_;
  struct MeasuredShape {
    tensor::ConvolutionShape shape;
    tensor::Direction direction;
    ConvolutionUse use;
    std::vector<MeasuredChoice> choices;
    bool screened;  // all candidates were in the running at first
  };
  std::vector<MeasuredShape> measured_shapes_;  // by this tuner
  std::unique_ptr<TunerWorkspace> workspace_;
  int measured_ = 0;  // convolutions
  absl::flat_hash_map<std::string, std::vector<MeasuredChoice>> known_;
  absl::flat_hash_set<std::string> measured_here_;
  absl::flat_hash_set<std::string> refused_;  // lines of the text
  std::optional<double> load_now_;
  bool changed_ = false;
  double seconds_spent_ = 0;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_TUNER_H_
