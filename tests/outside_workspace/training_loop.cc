// Trains a small network on images that the program makes itself: 8x8 pixels with a horizontal or a
// vertical bar in noise. The program has its own training loop: it fills the input buffers of a
// compiled training step, runs the step, and computes its own metric (the share of images
// classified correctly).
//
//   cd tests/outside_workspace && bazel run //:training_loop

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <random>
#include <vector>

#include "layers/network/network_function.h"
#include "layers/network/network_text.h"
#include "layers/plan/tuner.h"
#include "training/recipe.h"
#include "training/step.h"

namespace {

constexpr char kNetwork[] = R"(
input { channels: 1 height: 8 width: 8 classes: 2 }
layer { name: "conv1" convolution { channels: 8 kernel: 3 padding: SAME } }
layer { activation { kind: RELU } }
layer { max_pool { kernel: 2 } }
layer { name: "fc" linear {} }
loss { softmax_cross_entropy {} }
train { batch_size: 32 optimizer { sgd { learning_rate: 0.05 momentum: 0.9 } } }
)";
constexpr int kBatch = 32, kSide = 8;
constexpr int64_t kSteps = 150;

// Fills the images [kBatch, 1, 8, 8] and the labels [kBatch]: an image of label 0 has a bright row,
// one of label 1 a bright column.
void FillBatch(std::mt19937& generator, float* images, int32_t* labels) {
  std::normal_distribution<float> noise(0, 0.5F);
  for (int i = 0; i < kBatch; ++i) {
    labels[i] = static_cast<int32_t>(generator() % 2);
    const int at = static_cast<int>(generator() % kSide);
    for (int y = 0; y < kSide; ++y) {
      for (int x = 0; x < kSide; ++x) {
        const bool bar = (labels[i] == 0 ? y : x) == at;
        images[(i * kSide + y) * kSide + x] = noise(generator) + (bar ? 2.0F : 0.0F);
      }
    }
  }
}

// Returns the value; if there is an error instead, prints it and ends the program.
template <typename T>
T OrExit(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::fprintf(stderr, "%s\n", std::string(value.status().message()).c_str());
    std::exit(1);
  }
  return *std::move(value);
}

}  // namespace

int main() {
  using namespace cotangent;  // NOLINT
  const layers::Network text = OrExit(layers::ParseNetwork(kNetwork));
  const auto network = OrExit(training::Resolve(
      text,
      {.images = kSteps * kBatch, .classes = 2, .channels = 1, .height = kSide, .width = kSide}));
  layers::Tuner tuner(1);
  const auto step = OrExit(training::TrainingStep::Create(network, {}, &tuner));
  if (!step->Initialise(nullptr, {}).ok()) return 1;
  std::mt19937 generator(1);
  for (int64_t number = 0; number < kSteps; ++number) {
    if (number == step->PreparedUntil() || number == 0) {
      if (!step->Prepare(number).ok()) return 1;
    }
    FillBatch(generator, step->images(), step->labels());
    const auto outcome = step->Run(number);
    if (number % 50 == 0)
      std::printf("step %d  loss %.4f\n", static_cast<int>(number), outcome.loss);
  }

  // Copies the trained parameters, by name, to a NetworkFunction of the same network.
  const auto function =
      OrExit(layers::NetworkFunction::Create(text, tuner, {.batch_size = kBatch, .classes = 2}));
  layers::NetworkVector point = function->Zero();
  for (const auto& part : function->parameters()) {
    const auto* slot = step->store().FindParameter(part.name);
    if (slot == nullptr) return 1;
    std::copy_n(step->store().values() + slot->offset, slot->size,
                point.parameters.begin() + part.offset);
  }
  std::vector<int32_t> labels(kBatch);
  FillBatch(generator, point.images.data(), labels.data());
  if (!function->SetPoint(point, labels).ok()) return 1;
  const auto output = OrExit(function->Value());
  int right = 0;
  for (int i = 0; i < kBatch; ++i)
    right += (output.prediction[2 * i + 1] > output.prediction[2 * i]) == (labels[i] == 1);
  std::printf("bars told apart: %d of %d\n", right, kBatch);
  return right >= kBatch * 9 / 10 ? 0 : 1;
}
