// Measures the time of one step of most update rules, on 11 million parameters (as many as a
// ResNet-18 has), or for Muon on those of a smaller network; and of the check that gradients are
// finite:
//   bazel run //optim:optimizer_benchmark
// bytes_per_second counts the bytes of a buffer each time that a step reads or writes it. The
// update reads and writes parameters and state, and reads the gradients; the check that gradients
// are finite reads them once more.

#include <string>
#include <vector>

#include "benchmark/benchmark.h"
#include "google/protobuf/text_format.h"
#include "optim/optimizer.h"

namespace cotangent::optim {
namespace {

void RunSteps(benchmark::State& state, const std::string& text,
              const std::vector<ParameterSlice>& slices) {
  OptimizerConfig config;
  if (!google::protobuf::TextFormat::ParseFromString(text, &config)) {
    return state.SkipWithError("the optimizer's text does not parse");
  }
  auto optimizer = Optimizer::Create(config, slices, {100, 1000000});
  if (!optimizer.ok())
    return state.SkipWithError(std::string(optimizer.status().message()).c_str());
  const int64_t size = slices.back().offset + slices.back().size;
  std::vector<float> w(size), g(size);
  for (int64_t i = 0; i < size; ++i) {
    w[i] = 0.01f * static_cast<float>(i % 17 - 8);
    g[i] = 1e-3f * static_cast<float>(i % 13 - 6);
  }
  (*optimizer)->Initialise(w.data());
  int64_t step = 0;
  for (auto _ : state) {
    if (!(*optimizer)->Step(w.data(), g.data(), step++)) state.SkipWithError("not finite");
  }
  int64_t state_size = 0;
  for (const StateSlice& slice : (*optimizer)->StateSlices()) state_size += slice.size;
  state.SetBytesProcessed(state.iterations() * 4 * (4 * size + 2 * state_size));
}

void BM_Step(benchmark::State& state, const std::string& text) {
  RunSteps(state, text, {{"weight", {11000000}, 0, 11000000}});
}

// Measures a step of the rule Muon on the filters of cifar94, the network that reaches 94% on
// CIFAR-10.
void BM_Muon(benchmark::State& state) {
  std::vector<ParameterSlice> slices;
  int64_t offset = 0;
  for (auto [out, in] :
       {std::pair{64, 24}, {64, 64}, {256, 64}, {256, 256}, {256, 256}, {256, 256}}) {
    slices.push_back(
        {"conv" + std::to_string(slices.size()), {out, in, 3, 3}, offset, out * in * 9});
    offset += out * in * 9;
  }
  RunSteps(state, "muon { newton_schulz_steps: 3 renormalise_weights: true }", slices);
}

// Measures the check that gradients are finite, on one thread. The benchmark's argument is the
// number of parameters.
void BM_FiniteCheck(benchmark::State& state) {
  const int64_t size = state.range(0);
  OptimizerConfig config;
  config.mutable_sgd();
  auto optimizer = Optimizer::Create(config, {{"weight", {size}, 0, size}}, {100, 1000000});
  if (!optimizer.ok())
    return state.SkipWithError(std::string(optimizer.status().message()).c_str());
  const std::vector<float> gradients(size, 1e-3f);
  for (auto _ : state) benchmark::DoNotOptimize((*optimizer)->FindNonFinite(gradients.data()));
}

BENCHMARK(BM_FiniteCheck)->ArgName("parameters")->Arg(272474)->Arg(11173962);
BENCHMARK_CAPTURE(BM_Step, sgd, std::string("sgd {}"))->UseRealTime();
BENCHMARK_CAPTURE(BM_Step, sgd_momentum, std::string("sgd { momentum: 0.9 weight_decay: 1e-4 }"))
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_Step, sgd_clip_norm, std::string("sgd { momentum: 0.9 } clip_norm: 1"))
    ->UseRealTime();
BENCHMARK_CAPTURE(BM_Step, sgd_ema, std::string("sgd { momentum: 0.9 } ema {}"))->UseRealTime();
BENCHMARK_CAPTURE(BM_Step, adam, std::string("adam {}"))->UseRealTime();
BENCHMARK_CAPTURE(BM_Step, adamw, std::string("adamw {}"))->UseRealTime();
BENCHMARK_CAPTURE(BM_Step, rmsprop, std::string("rmsprop {}"))->UseRealTime();
BENCHMARK_CAPTURE(BM_Step, adagrad, std::string("adagrad {}"))->UseRealTime();
BENCHMARK(BM_Muon)->UseRealTime();

}  // namespace
}  // namespace cotangent::optim
