// Classifies pictures on eight threads at once with one loaded network, and checks that every
// answer is bitwise equal to the first one for the same pictures and that memory does not grow:
//
//   classify [SECONDS]      60 by default
//
// Build it with --config=tsan to find races.

#include <stdio.h>
#include <stdlib.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "inference/classifier.h"
#include "inference/inference_file.h"
#include "inference/trained_testing.h"
#include "tests/endurance/resident.h"

namespace cotangent::inference {
namespace {

constexpr int kThreads = 8, kClasses = 10, kBatch = 4;
// From the moment when the share kWarmUp of the time has passed until the end, the process's memory
// may grow by at most the factor kMostGrowth.
constexpr double kWarmUp = 0.2, kMostGrowth = 1.05;

// Pictures of several sizes. A call classifies one of them, or all of them as one batch.
class Pictures {
 public:
  Pictures() {
    for (const auto& [width, height] : {std::pair{32, 32}, {33, 57}, {120, 80}, {7, 300}}) {
      auto& bytes = pixels_.emplace_back(size_t{3} * width * height);
      for (size_t i = 0; i < bytes.size(); ++i)
        bytes[i] = static_cast<uint8_t>(i * 7919 % 251 + pixels_.size());
      pictures_.push_back({bytes.data(), width, height});
    }
  }
  // Returns the answers of call number `call`: for one picture, or for all of them. Returns an
  // empty vector if the call fails.
  std::vector<float> Answers(Classifier& classifier, size_t call) const {
    const bool all = call % (pictures_.size() + 1) == pictures_.size();
    const auto chosen = all ? absl::MakeConstSpan(pictures_)
                            : absl::MakeConstSpan(&pictures_[call % (pictures_.size() + 1)], 1);
    std::vector<float> answers(chosen.size() * kClasses);
    if (!classifier.ClassifyBatch(chosen, absl::MakeSpan(answers)).ok()) answers.clear();
    return answers;
  }
  size_t calls() const { return pictures_.size() + 1; }

 private:
  std::vector<std::vector<uint8_t>> pixels_;
  std::vector<Picture> pictures_;
};

int Run(double seconds) {
  const std::string path = "/tmp/endurance.safetensors";
  if (!WriteInferenceFile(path, MakeTrainedFromZoo("resnet20", kClasses)).ok()) {
    fprintf(stderr, "cannot write %s\n", path.c_str());
    return 1;
  }
  const auto classifier = Classifier::Load(path, {.batch_size = kBatch, .simultaneous = 2}).value();
  const Pictures pictures;
  std::vector<std::vector<float>> expected;
  for (size_t i = 0; i < pictures.calls(); ++i)
    expected.push_back(pictures.Answers(*classifier, i));

  const auto start = std::chrono::steady_clock::now();
  const auto passed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::atomic<int64_t> calls = 0, wrong = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = t; passed() < seconds; ++i, ++calls) {
        const size_t call = i % pictures.calls();
        if (pictures.Answers(*classifier, call) != expected[call]) ++wrong;
      }
    });
  }
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds * kWarmUp));
  const double warm = tests::ResidentMib("self");
  for (std::thread& thread : threads) thread.join();
  const double end = tests::ResidentMib("self");
  printf(
      "%lld calls on %d threads in %.0f s, %lld wrong; %.1f MiB resident when warm, %.1f at the "
      "end\n",
      static_cast<long long>(calls), kThreads, passed(), static_cast<long long>(wrong), warm, end);
  return wrong == 0 && end <= warm * kMostGrowth ? 0 : 1;
}

}  // namespace
}  // namespace cotangent::inference

int main(int argc, char** argv) { return cotangent::inference::Run(argc > 1 ? atof(argv[1]) : 60); }
