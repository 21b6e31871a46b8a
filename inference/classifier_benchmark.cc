// Measures the time that a Classifier takes in addition to the plan (the compiled network) that it
// runs: bazel run //inference:classifier_benchmark
//
// Runs of a plan alone alternate with classifications of a picture by the same network. plan_us and
// classify_us are the medians of their times in microseconds. overhead_us is the median of the
// differences between a classification and the run just before it; other programs on the machine
// disturb it less than the difference of the two medians. This overhead consists of resizing and
// normalising the picture, the softmax and the locks.

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "benchmark/benchmark.h"
#include "inference/classifier.h"
#include "inference/inference_file.h"
#include "inference/trained_testing.h"
#include "training/evaluation.h"
#include "training/plan_cache.h"

namespace cotangent::inference {
namespace {

const char* const kNetworks[] = {"softmax_classifier", "convnet", "resnet20"};

double Median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

template <typename Work>
double Microseconds(const Work& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin)
      .count();
}

void BM_Overhead(benchmark::State& state) {
  const std::string network = kNetworks[state.range(0)];
  const training::TrainedNetwork trained = MakeTrainedFromZoo(network, 10);
  const std::string path = "/tmp/classifier_benchmark.safetensors";
  if (!WriteInferenceFile(path, trained).ok()) return state.SkipWithError("cannot write into /tmp");
  const auto classifier = Classifier::Load(path).value();
  training::CachedTuner tuner(Threads());
  training::StepOptions options;
  options.threads = Threads();
  const auto plan =
      training::Evaluator::Create(trained.network, 10, 1, options, *trained.store, *tuner).value();
  std::fill_n(plan->images(), 3 * 32 * 32, 0.0f);
  const std::vector<uint8_t> pixels(size_t{3} * 32 * 32, 77);
  std::vector<float> probabilities(10);
  std::vector<double> alone, classified, differences;
  for (auto _ : state) {
    alone.push_back(Microseconds([&] { benchmark::DoNotOptimize(plan->Run()); }));
    classified.push_back(Microseconds([&] {
      classifier->Classify({pixels.data(), 32, 32}, absl::MakeSpan(probabilities)).IgnoreError();
    }));
    differences.push_back(classified.back() - alone.back());
  }
  state.SetLabel(network);
  state.counters["plan_us"] = Median(std::move(alone));
  state.counters["classify_us"] = Median(std::move(classified));
  state.counters["overhead_us"] = Median(std::move(differences));
}

BENCHMARK(BM_Overhead)->DenseRange(0, 2)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace cotangent::inference
