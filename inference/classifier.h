// A trained network as a library: pictures in, probabilities out.
//
//   absl::StatusOr<std::unique_ptr<Classifier>> classifier = Classifier::Load("runs/mine");
//   std::vector<float> probabilities((*classifier)->classes().size());
//   absl::Status status = (*classifier)->Classify({rgb, width, height}, absl::MakeSpan(probabilities));
//
// The same in C: inference/classifier_c.h.
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

struct ClassifierOptions {
  int threads = 0;         // that compute; 0: one a core. The same for all of a process.
  int64_t batch_size = 1;  // the most pictures that are computed at once
  Precision precision = Precision::kF32;  // bf16 where the processor has no such: f32
};

// A picture in memory: `height` rows of `width` pixels, a byte each of red, green and blue, without
// gaps. Of any size up to 100 megapixels; brought to the network's size as its text says (stretched
// where it does not say).
struct Picture {
  const uint8_t* rgb = nullptr;
  int width = 0, height = 0;
};

class Classifier {
 public:
  // Loads a checkpoint of `train`, the newest good one of a run's directory, or what `export
  // --format=safetensors` wrote, and plans and warms it up: sizes, classes, normalisation and how
  // pictures are fitted come from the file. Convolutions that were not measured on this machine
  // before are measured and remembered (training/plan_cache.h).
  //
  // Errors: NotFound without a file; InvalidArgument for one that is damaged, of another version
  // or no checkpoint, for a network whose images have other than 1 or 3 channels, for options
  // that make no sense; ResourceExhausted without the memory.
  static absl::StatusOr<std::unique_ptr<Classifier>> Load(const std::string& path,
                                                          const ClassifierOptions& options = {});
  // The same of a file's bytes, which `name` stands for in errors.
  static absl::StatusOr<std::unique_ptr<Classifier>> LoadBytes(
      std::string bytes, const std::string& name, const ClassifierOptions& options = {});
  virtual ~Classifier() = default;

  // The classes' names, in the order of the probabilities.
  virtual const std::vector<std::string>& classes() const = 0;
  // What one image of the network is.
  virtual int channels() const = 0;
  virtual int height() const = 0;
  virtual int width() const = 0;
  virtual int64_t batch_size() const = 0;

  // Fills in one probability a class; those of a picture sum to 1. Errors: InvalidArgument for a
  // picture without pixels or with too many, or room for other than classes().size() numbers.
  //
  // Any number of threads may call at the same time: pictures are brought to size side by side, the
  // network, which uses all the threads there are, computes one batch at a time. Once warm, that
  // is, after as many calls at once as there ever are, of pictures as large as they ever are,
  // nothing is allocated.
  absl::Status Classify(const Picture& picture, absl::Span<float> probabilities) {
    return ClassifyBatch(absl::MakeConstSpan(&picture, 1), probabilities);
  }
  // Several pictures, of whatever sizes: [pictures, classes]. More than batch_size() of them are
  // computed one batch after the other.
  virtual absl::Status ClassifyBatch(absl::Span<const Picture> pictures,
                                     absl::Span<float> probabilities) = 0;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_CLASSIFIER_H_
