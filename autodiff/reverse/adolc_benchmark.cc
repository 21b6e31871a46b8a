// Times gradients by ADOL-C and by this project's tape in turn, and prints the medians, in
// microseconds of processor time, and their ratio.
//
// ADOL-C records with keep = 1, so that its reverse sweep needs no forward sweep before it, and
// with buffers large enough to hold its whole tape in memory.

#include <adolc/adolc.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <span>
#include <vector>

#include "autodiff/reverse/benchmark_functions.h"
#include "autodiff/reverse/gradient.h"

// Argument-dependent lookup finds this function for the benchmark functions' unqualified max.
adouble max(const adouble& a, const adouble& b) { return fmax(a, b); }

namespace cotangent::autodiff::reverse::benchmark {
namespace {

template <class F>
std::vector<double> AdolcGradient(const F& f, const std::vector<double>& x) {
  constexpr int kTag = 1, kKeep = 1, kBuffer = 1 << 23;
  trace_on(kTag, kKeep, kBuffer, kBuffer, kBuffer, kBuffer);
  std::vector<adouble> inputs(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) inputs[i] <<= x[i];
  adouble result = f(std::span<const adouble>(inputs));
  double value, seed = 1;
  result >>= value;
  trace_off();
  std::vector<double> gradient(x.size());
  fos_reverse(kTag, 1, static_cast<int>(x.size()), &seed, gradient.data());
  return gradient;
}

double Now() {
  timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return 1e6 * static_cast<double>(time.tv_sec) + 1e-3 * static_cast<double>(time.tv_nsec);
}

template <class Work>
double Microseconds(Work work) {
  const double begin = Now();
  work();
  return Now() - begin;
}

double Median(std::vector<double> times) {
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

template <class F>
void Compare(const char* name) {
  const F f;
  const std::vector<double> x = F::Point();
  std::vector<double> gradient(x.size()), theirs, plain_times, our_times, their_times;
  Tape tape;
  double value = 0;
  for (int round = 0; round < 51; ++round) {
    plain_times.push_back(Microseconds([&] { value += f(std::span<const double>(x)); }));
    our_times.push_back(Microseconds([&] { GradientInto(tape, f, x, gradient); }));
    their_times.push_back(Microseconds([&] { theirs = AdolcGradient(f, x); }));
  }
  double difference = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    difference =
        std::max(difference, std::abs(gradient[i] - theirs[i]) / (1 + std::abs(theirs[i])));
  const double plain = Median(plain_times), ours = Median(our_times), adolc = Median(their_times);
  std::printf(
      "%-18s plain %7.1f   tape %7.1f (%5.2f of plain)   ADOL-C %7.1f   ratio %.3f   largest "
      "difference %.1e\n",
      name, plain, ours, ours / plain, adolc, ours / adolc,
      std::isfinite(value) ? difference : HUGE_VAL);
}

}  // namespace
}  // namespace cotangent::autodiff::reverse::benchmark

int main() {
  using namespace cotangent::autodiff::reverse::benchmark;
  Compare<GaussianMixture>("Gaussian mixture");
  Compare<TanhNetwork>("tanh network");
  Compare<Rosenbrock>("Rosenbrock");
  Compare<PendulumLoop>("pendulum loop");
}
