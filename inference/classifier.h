// A trained network as a library: it takes pictures and returns the probabilities of their classes.
//
//   absl::StatusOr<std::unique_ptr<Classifier>> classifier = Classifier::Load("runs/mine");
//   std::vector<float> probabilities((*classifier)->classes().size());
//   absl::Status status = (*classifier)->Classify({rgb, width, height}, absl::MakeSpan(probabilities));
//
// inference/classifier_c.h offers the same in C.
#ifndef COTANGENT_INFERENCE_CLASSIFIER_H_
#define COTANGENT_INFERENCE_CLASSIFIER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace cotangent::inference {

enum class Precision { kF32, kBf16 };

// What a network finds out about a picture, as its loss decided.
enum class Answers {
  kClasses,  // which one of several classes it is of: probabilities that sum to 1
  kLabels,   // which of several labels are true of it, any number of them: a probability for each
  kNumbers,  // numbers, in their own units
};
// "classes", "labels", "numbers".
const char* Name(Answers answers);

struct ClassifierOptions {
  int threads = 0;                        // 0: one per core. Shared by the whole process.
  int64_t batch_size = 1;                 // the most pictures computed at once
  Precision precision = Precision::kF32;  // kBf16 falls back to f32 without such instructions
};

// A picture in memory: `height` rows of `width` pixels, three bytes each (red, green, blue),
// without gaps. Any size up to 100 megapixels; it is brought to the network's input size as the
// network's text says, or stretched if the text does not say.
struct Picture {
  const uint8_t* rgb = nullptr;
  int width = 0, height = 0;
};

class Classifier {
 public:
  // Loads a trained network and prepares it to run. `path` is a checkpoint of `train`, a run's
  // directory (its newest intact checkpoint is taken), or a file that `export --format=safetensors`
  // wrote. Sizes, classes, normalisation and the way pictures are resized come from the file.
  // Convolutions are measured to find the fastest implementations; the result is stored for the
  // next time (training/plan_cache.h).
  //
  // Errors: NotFound if there is no file; InvalidArgument if the file is damaged, of another
  // version or no checkpoint, if the network's images do not have 1 or 3 channels or its results
  // are not class probabilities, or for invalid options; ResourceExhausted if memory does not
  // suffice.
  static absl::StatusOr<std::unique_ptr<Classifier>> Load(const std::string& path,
                                                          const ClassifierOptions& options = {});
  // Loads a network from the bytes of a file; `name` replaces the path in error messages.
  static absl::StatusOr<std::unique_ptr<Classifier>> LoadBytes(
      std::string bytes, const std::string& name, const ClassifierOptions& options = {});
  virtual ~Classifier() = default;

  virtual Answers answers() const = 0;
  // The names of the classes (labels, numbers), in the order of the probabilities (numbers).
  virtual const std::vector<std::string>& classes() const = 0;
  // The network's input: channels, height and width of an image.
  virtual int channels() const = 0;
  virtual int height() const = 0;
  virtual int width() const = 0;
  virtual int64_t batch_size() const = 0;

  // Fills in one probability a class or label, or the numbers, as answers() says. Errors:
  // InvalidArgument for a picture without pixels or with too many, or room for other than
  // classes().size() numbers.
  //
  // Several threads may call at the same time. They resize their pictures in parallel; the network,
  // which uses all threads of the process, computes one batch at a time. Nothing is allocated once
  // there have been as many simultaneous calls, with pictures as large, as there will ever be.
  absl::Status Classify(const Picture& picture, absl::Span<float> probabilities) {
    return ClassifyBatch(absl::MakeConstSpan(&picture, 1), probabilities);
  }
  // Classifies several pictures, which may differ in size. `probabilities` is [pictures,
  // classes]. More than batch_size() pictures are computed in several batches.
  virtual absl::Status ClassifyBatch(absl::Span<const Picture> pictures,
                                     absl::Span<float> probabilities) = 0;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_CLASSIFIER_H_
