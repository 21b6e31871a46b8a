#include "inference/classifier_c.h"

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "inference/classifier.h"

using cotangent::TargetKind;
using cotangent::inference::Classifier;

struct cotangent_classifier {
  std::unique_ptr<Classifier> classifier;
};

namespace {

// Writes the status's message to `error`, cut to `error_bytes` bytes with its final zero; returns
// the status's code.
int Tell(const absl::Status& status, char* error, size_t error_bytes) {
  if (error != nullptr && error_bytes > 0) {
    const absl::string_view message = status.message();
    size_t bytes = std::min(message.size(), error_bytes - 1);
    // Bytes 10xxxxxx continue a character of UTF-8, which is not cut in two.
    while (bytes > 0 && bytes < message.size() && (message[bytes] & 0xc0) == 0x80) --bytes;
    std::copy_n(message.data(), bytes, error);  // message.data() may be null
    error[bytes] = 0;
  }
  return static_cast<int>(status.code());
}

}  // namespace

cotangent_classifier* cotangent_load(const char* path, int threads, int64_t batch_size, char* error,
                                     size_t error_bytes) {
  cotangent::inference::ClassifierOptions options;
  options.threads = threads;
  options.batch_size = batch_size;
  auto classifier = Classifier::Load(path == nullptr ? "" : path, options);
  Tell(classifier.status(), error, error_bytes);
  if (!classifier.ok()) return nullptr;
  return new cotangent_classifier{*std::move(classifier)};
}

void cotangent_free(cotangent_classifier* classifier) { delete classifier; }

int cotangent_answers(const cotangent_classifier* classifier) {
  switch (classifier->classifier->answers()) {
    case TargetKind::kClass:
      return COTANGENT_CLASSES;
    case TargetKind::kLabels:
      return COTANGENT_LABELS;
    case TargetKind::kNumbers:
      return COTANGENT_NUMBERS;
  }
  return COTANGENT_CLASSES;
}

int64_t cotangent_classes(const cotangent_classifier* classifier) {
  return static_cast<int64_t>(classifier->classifier->classes().size());
}

const char* cotangent_class_name(const cotangent_classifier* classifier, int64_t number) {
  const auto& names = classifier->classifier->classes();
  const bool is_one = number >= 0 && number < static_cast<int64_t>(names.size());
  return is_one ? names[number].c_str() : nullptr;
}

int cotangent_classify(cotangent_classifier* classifier, const uint8_t* rgb, int width, int height,
                       float* probabilities, char* error, size_t error_bytes) {
  if (classifier == nullptr || probabilities == nullptr) {
    return Tell(absl::InvalidArgumentError(absl::StrCat(
                    classifier == nullptr ? "classifier" : "probabilities",
                    " is NULL: expected what cotangent_load() returned, and room for a "
                    "number for each class")),
                error, error_bytes);
  }
  Classifier& network = *classifier->classifier;
  const absl::Span<float> result(probabilities, network.classes().size());
  return Tell(network.Classify({rgb, width, height}, result), error, error_bytes);
}
