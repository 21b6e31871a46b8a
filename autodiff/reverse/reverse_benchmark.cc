// Times, on the four functions of benchmark_functions.h, the plain function, its gradient with a
// recording each time (on a Tape and on a FusedTape), and its gradient by replaying at 1 and at 16
// points. The counter per_point is the time of a replay divided by the number of points.

#include <cstddef>
#include <span>
#include <vector>

#include "autodiff/reverse/benchmark_functions.h"
#include "autodiff/reverse/gradient.h"
#include "autodiff/reverse/program.h"
#include "benchmark/benchmark.h"

namespace cotangent::autodiff::reverse::benchmark {
namespace {

template <class F>
void Plain(::benchmark::State& state) {
  const F f;
  const std::vector<double> x = F::Point();
  for (auto _ : state) ::benchmark::DoNotOptimize(f(std::span<const double>(x)));
}

template <class F, class Tape>
void GradientWithRecording(::benchmark::State& state) {
  const F f;
  const std::vector<double> x = F::Point();
  std::vector<double> gradient(x.size());
  Tape tape;
  for (auto _ : state) ::benchmark::DoNotOptimize(GradientInto(tape, f, x, gradient));
  state.counters["tape_bytes"] = static_cast<double>(tape.bytes());
}

template <class F, std::size_t kPoints>
void GradientReplayed(::benchmark::State& state) {
  const std::vector<double> x = F::Point();
  std::vector<double> points, values(kPoints), gradients(kPoints * x.size());
  for (std::size_t p = 0; p < kPoints; ++p) {
    for (const double xi : x) points.push_back(xi * (1 + 0.001 * static_cast<double>(p)));
  }
  Program program(F(), x);
  for (auto _ : state) program.Gradients(points, values, gradients);
  state.counters["per_point"] = ::benchmark::Counter(
      kPoints, ::benchmark::Counter::kIsIterationInvariantRate | ::benchmark::Counter::kInvert);
}

#define COTANGENT_BENCHMARK(F)                                                              \
  BENCHMARK_TEMPLATE(Plain, F)->Unit(::benchmark::kMicrosecond);                            \
  BENCHMARK_TEMPLATE(GradientWithRecording, F, Tape)->Unit(::benchmark::kMicrosecond);      \
  BENCHMARK_TEMPLATE(GradientWithRecording, F, FusedTape)->Unit(::benchmark::kMicrosecond); \
  BENCHMARK_TEMPLATE(GradientReplayed, F, 1)->Unit(::benchmark::kMicrosecond);              \
  BENCHMARK_TEMPLATE(GradientReplayed, F, 16)->Unit(::benchmark::kMicrosecond)
COTANGENT_BENCHMARK(GaussianMixture);
COTANGENT_BENCHMARK(TanhNetwork);
COTANGENT_BENCHMARK(Rosenbrock);
COTANGENT_BENCHMARK(PendulumLoop);

}  // namespace
}  // namespace cotangent::autodiff::reverse::benchmark
