// A trained network as a library: it takes pictures and returns the probabilities of their classes.
//
//   absl::StatusOr<std::unique_ptr<Classifier>> classifier = Classifier::Load("runs/mine");
//   std::vector<float> probabilities((*classifier)->classes().size());
//   absl::Status status =
//       (*classifier)->Classify({rgb, width, height}, absl::MakeSpan(probabilities));
//
// inference/classifier_c.h offers the same in C.
#ifndef COTANGENT_INFERENCE_CLASSIFIER_H_
#define COTANGENT_INFERENCE_CLASSIFIER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "base/target_kind.h"

namespace cotangent::inference {

enum class Precision { kF32, kBf16 };

struct ClassifierOptions {
  int threads = 0;         // 0: one per core; the whole process shares them
  int64_t batch_size = 1;  // the most pictures in a batch
  // How many single pictures of different calls may be computed at the same time (Classify()); no
  // more than there are threads. Each takes the memory of a plan (the network compiled for one
  // picture) of its own.
  int simultaneous = 1;
  Precision precision = Precision::kF32;  // kBf16 means kF32 if the processor lacks bf16
  // Load() calls this before each convolution that it measures, with the number of those measured
  // before. Measuring all of them may take minutes.
  std::function<void(int measured)> before_measuring = nullptr;
  // Load() calls this, on another thread, if a candidate (an algorithm that is being timed for a
  // convolution) does not end within two minutes. Only ending the process stops the candidate; the
  // next process does not try it again. If this function is null or returns, Load() goes on
  // waiting.
  std::function<void(const std::string& message)> stuck = nullptr;
};

// A picture in memory: `height` rows of `width` pixels, three bytes each (red, green, blue),
// without gaps. It may have any size up to 100 megapixels. It is resized to the network's input
// size in the way that the network's text (its description in protobuf text format) says, or
// stretched if the text does not say.
struct Picture {
  const uint8_t* rgb = nullptr;
  int width = 0, height = 0;
};

class Classifier {
 public:
  // Loads a trained network and prepares it to run. `path` is a checkpoint of the program `train`,
  // a run's directory (its newest intact checkpoint is taken), or a file that `export
  // --format=safetensors` wrote. Sizes, classes, normalisation (the mean and the deviation of the
  // inputs) and the way pictures are resized come from the file. Convolutions are measured to find
  // the fastest implementations; the result is stored for the next time (training/plan_cache.h).
  //
  // Errors: NotFound if there is no such file, or if `path` is a directory without an intact
  // checkpoint; InvalidArgument if the file cannot be read, is damaged, of another version or not a
  // checkpoint, if the network's images do not have 1 or 3 channels, or for invalid options;
  // ResourceExhausted if memory does not suffice.
  static absl::StatusOr<std::unique_ptr<Classifier>> Load(const std::string& path,
                                                          const ClassifierOptions& options = {});
  // Loads a network from the bytes of a checkpoint file; `name` replaces the path in error
  // messages.
  static absl::StatusOr<std::unique_ptr<Classifier>> LoadBytes(
      std::string bytes, const std::string& name, const ClassifierOptions& options = {});
  virtual ~Classifier() = default;

  // Says what the network computes for a picture: of one of several classes (kClass), probabilities
  // that sum to 1; of labels, any number of which are true (kLabels), a probability for each; or
  // numbers, in their own units.
  virtual TargetKind answers() const = 0;
  // Returns the names of the classes (or labels, or numbers), in the order in which Classify()
  // writes their probabilities (or numbers).
  virtual const std::vector<std::string>& classes() const = 0;
  // Return the size of the network's input images.
  virtual int channels() const = 0;
  virtual int height() const = 0;
  virtual int width() const = 0;
  // Returns ClassifierOptions::batch_size.
  virtual int64_t batch_size() const = 0;
  // Returns ClassifierOptions::simultaneous, or the number of threads if that is less.
  virtual int simultaneous() const = 0;

  // Classifies a picture: writes one probability for each class or label, or the numbers, as
  // answers() says. Errors: InvalidArgument for a picture without pixels or with too many, or if
  // `probabilities` does not have classes().size() elements.
  //
  // Several threads may call at the same time. They resize their pictures in parallel. At most one
  // batch and simultaneous() single pictures are computed at the same time; further calls wait.
  // Each operation of the network is computed by all threads of the process or, while these compute
  // one of another call, by the calling thread alone. Apart from small tables that oneDNN may need,
  // memory is allocated only when there are more simultaneous calls, or larger pictures, than ever
  // before.
  absl::Status Classify(const Picture& picture, absl::Span<float> probabilities) {
    return ClassifyBatch(absl::MakeConstSpan(&picture, 1), probabilities);
  }
  // Classifies several pictures, which need not have the same size. `probabilities` is [pictures,
  // classes]. They are computed in batches of at most batch_size() pictures, or one by one.
  virtual absl::Status ClassifyBatch(absl::Span<const Picture> pictures,
                                     absl::Span<float> probabilities) = 0;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_CLASSIFIER_H_
