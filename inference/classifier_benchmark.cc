// Measures the time that a Classifier takes in addition to the plan (the compiled network) that it
// runs: bazel run //inference:classifier_benchmark
// BM_Plan runs the plan alone, BM_Classify classifies a picture with the same network. The
// difference is the time for resizing the picture, normalising it, the softmax and the locks.

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

void BM_Plan(benchmark::State& state) {
  const training::TrainedNetwork trained = MakeTrainedFromZoo(kNetworks[state.range(0)], 10);
  const int threads = UsefulThreads();
  SetThreads(threads);
  training::CachedTuner tuner(threads);
  training::StepOptions options;
  options.threads = threads;
  const auto plan =
      training::Evaluator::Create(trained.network, 10, 1, options, *trained.store, *tuner).value();
  tuner.Save();
  for (auto _ : state) benchmark::DoNotOptimize(plan->Run());
}

void BM_Classify(benchmark::State& state) {
  const std::string path = "/tmp/classifier_benchmark.safetensors";
  if (!WriteInferenceFile(path, MakeTrainedFromZoo(kNetworks[state.range(0)], 10)).ok())
    return state.SkipWithError("cannot write into /tmp");
  const auto classifier = Classifier::Load(path).value();
  const std::vector<uint8_t> pixels(size_t{3} * 32 * 32, 77);
  std::vector<float> probabilities(10);
  for (auto _ : state)
    classifier->Classify({pixels.data(), 32, 32}, absl::MakeSpan(probabilities)).IgnoreError();
}

BENCHMARK(BM_Plan)->DenseRange(0, 2)->UseRealTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_Classify)->DenseRange(0, 2)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace cotangent::inference
