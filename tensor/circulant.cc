#include "tensor/circulant.h"

#include <fftw3.h>

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace cotangent::tensor {
namespace {

// FFTW's planner must not run in two threads at a time; its transforms may.
std::mutex& PlannerMutex() {
  static auto* const mutex = new std::mutex;
  return *mutex;
}

struct FreeFftw {
  void operator()(void* memory) const { fftw_free(memory); }
};
template <typename T>
using FftwBuffer = std::unique_ptr<T[], FreeFftw>;

double LargestMagnitude(absl::Span<const double> values) {
  double largest = 0;
  for (const double v : values) largest = std::max(largest, std::abs(v));
  return largest;
}

}  // namespace

struct CircularConvolver::State {
  int64_t n = 0;
  int64_t half = 0;  // n / 2 + 1 frequencies are stored; the others are their conjugates
  FftwBuffer<double> time;
  FftwBuffer<fftw_complex> kernel, spectrum;
  fftw_plan forward = nullptr, backward = nullptr;

  ~State() {
    const std::lock_guard<std::mutex> lock(PlannerMutex());
    if (forward != nullptr) fftw_destroy_plan(forward);
    if (backward != nullptr) fftw_destroy_plan(backward);
  }

  // Returns whether `memory` has the same alignment as the buffer `time`. Only then may plans that
  // were made for `time` run on it.
  bool IsAligned(const double* memory) const {
    return fftw_alignment_of(const_cast<double*>(memory)) == fftw_alignment_of(time.get());
  }

  void Transform(absl::Span<const double> x, fftw_complex* result) {
    // FFTW's interface lacks const, but a real transform to another buffer does not change its
    // input.
    double* in = const_cast<double*>(x.data());
    if (!IsAligned(in)) in = std::copy(x.begin(), x.end(), time.get()) - n;
    fftw_execute_dft_r2c(forward, in, result);
  }

  // Multiplies each spectrum[k] by kernel[k] / n. The division is needed because FFTW's backward
  // transform yields n times the inverse.
  void MultiplySpectra() {
    const double scale = 1.0 / static_cast<double>(n);
    for (int64_t k = 0; k < half; ++k) {
      const double re = kernel[k][0] * spectrum[k][0] - kernel[k][1] * spectrum[k][1];
      const double im = kernel[k][0] * spectrum[k][1] + kernel[k][1] * spectrum[k][0];
      spectrum[k][0] = re * scale;
      spectrum[k][1] = im * scale;
    }
  }

  void TransformBack(absl::Span<double> result) {
    double* const out = IsAligned(result.data()) ? result.data() : time.get();
    fftw_execute_dft_c2r(backward, spectrum.get(), out);
    if (out == time.get()) std::copy(out, out + n, result.begin());
  }
};

CircularConvolver::CircularConvolver(std::unique_ptr<State> state) : state_(std::move(state)) {}
CircularConvolver::~CircularConvolver() = default;
int64_t CircularConvolver::size() const { return state_->n; }

absl::StatusOr<std::unique_ptr<CircularConvolver>> CircularConvolver::Create(int64_t n,
                                                                             Planning planning) {
  if (n < 1 || n > (int64_t{1} << 30)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a circular convolution of length ", n, "; expected 1 to 2^30"));
  }
  auto state = std::make_unique<State>();
  state->n = n;
  state->half = n / 2 + 1;
  state->time.reset(fftw_alloc_real(n));
  state->kernel.reset(fftw_alloc_complex(state->half));
  state->spectrum.reset(fftw_alloc_complex(state->half));
  if (!state->time || !state->kernel || !state->spectrum) {
    return absl::ResourceExhaustedError(absl::StrCat("no memory for transforms of length ", n));
  }
  const unsigned flags = planning == Planning::kMeasured ? FFTW_MEASURE : FFTW_ESTIMATE;
  {
    const std::lock_guard<std::mutex> lock(PlannerMutex());
    state->forward =
        fftw_plan_dft_r2c_1d(static_cast<int>(n), state->time.get(), state->spectrum.get(), flags);
    state->backward =
        fftw_plan_dft_c2r_1d(static_cast<int>(n), state->spectrum.get(), state->time.get(), flags);
  }
  if (state->forward == nullptr || state->backward == nullptr) {
    return absl::InternalError(absl::StrCat("FFTW has no plan for length ", n));
  }
  return std::unique_ptr<CircularConvolver>(new CircularConvolver(std::move(state)));
}

void CircularConvolver::SetKernel(absl::Span<const double> a) {
  state_->Transform(a, state_->kernel.get());
}

void CircularConvolver::Multiply(absl::Span<const double> x, absl::Span<double> result) {
  state_->Transform(x, state_->spectrum.get());
  state_->MultiplySpectra();
  state_->TransformBack(result);
}

void CircularConvolver::Convolve(absl::Span<const double> a, absl::Span<const double> x,
                                 absl::Span<double> result) {
  SetKernel(a);
  Multiply(x, result);
}

std::vector<Complex> CircularConvolver::Eigenvalues(absl::Span<const double> a) {
  State& state = *state_;
  state.Transform(a, state.spectrum.get());
  std::vector<Complex> eigenvalues(state.n);
  for (int64_t k = 0; k < state.n; ++k) {
    const fftw_complex& value = state.spectrum[std::min(k, state.n - k)];
    eigenvalues[k] = {value[0], k < state.half ? value[1] : -value[1]};
  }
  return eigenvalues;
}

absl::StatusOr<std::vector<double>> CircularConvolver::Inverse(absl::Span<const double> a,
                                                               double tolerance) {
  State& state = *state_;
  state.Transform(a, state.spectrum.get());
  double largest = 0;
  for (int64_t k = 0; k < state.half; ++k)
    largest = std::max(largest, std::hypot(state.spectrum[k][0], state.spectrum[k][1]));
  const double scale = 1.0 / static_cast<double>(state.n);
  for (int64_t k = 0; k < state.half; ++k) {
    const Complex value(state.spectrum[k][0], state.spectrum[k][1]);
    if (!(std::abs(value) > tolerance * largest)) {
      return absl::FailedPreconditionError(absl::StrCat(
          "the circulant matrix has no inverse: its eigenvalue at frequency ", k, " of ", state.n,
          " is ", std::abs(value), " in absolute value, its largest ", largest));
    }
    const Complex inverse = scale / value;
    state.spectrum[k][0] = inverse.real();
    state.spectrum[k][1] = inverse.imag();
  }
  std::vector<double> b(state.n);
  state.TransformBack(absl::MakeSpan(b));
  return b;
}

std::vector<double> Shifted(absl::Span<const double> x, int64_t shift) {
  std::vector<double> result(x.begin(), x.end());
  const int64_t n = static_cast<int64_t>(x.size());
  if (n == 0) return result;
  const int64_t back = ((-shift) % n + n) % n;
  std::rotate(result.begin(), result.begin() + back, result.end());
  return result;
}

std::vector<double> DirectCircularConvolution(absl::Span<const double> a,
                                              absl::Span<const double> x) {
  const size_t n = a.size();
  std::vector<double> result(n, 0.0);
  for (size_t j = 0; j < n; ++j) {
    const double xj = x[j];
    for (size_t k = 0; k < n - j; ++k) result[j + k] += a[k] * xj;
    for (size_t k = n - j; k < n; ++k) result[j + k - n] += a[k] * xj;
  }
  return result;
}

absl::StatusOr<CirculantDetection> DetectCirculant(absl::Span<const double> matrix, int64_t n,
                                                   double tolerance) {
  if (n < 1 || static_cast<int64_t>(matrix.size()) != n * n) {
    return absl::InvalidArgumentError(
        absl::StrCat("a matrix of ", matrix.size(), " entries; expected ", n, " x ", n));
  }
  CirculantDetection detection;
  double worst = tolerance * LargestMagnitude(matrix);
  detection.circulant = true;
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double found = matrix[i * n + j], expected = matrix[(i + n - j) % n * n];
      if (std::abs(found - expected) <= worst) continue;
      worst = std::abs(found - expected);
      detection = {
          .circulant = false, .a = {}, .row = i, .column = j, .found = found, .expected = expected};
    }
  }
  if (detection.circulant) {
    for (int64_t i = 0; i < n; ++i) detection.a.push_back(matrix[i * n]);
  }
  return detection;
}

namespace {

// Returns an error unless the results of `map` have n elements, and map(2 u + v) = 2 map(u) +
// map(v), up to rounding errors and `tolerance` (relative), for two vectors u and v without
// symmetry.
absl::Status CheckLinear(const LinearMap& map, int64_t n, double tolerance) {
  std::vector<double> u(n), v(n), w(n);
  for (int64_t i = 0; i < n; ++i) {
    u[i] = std::sin(1.0 + 1.7 * i * i);
    v[i] = std::cos(2.0 + 0.9 * i * i);
    w[i] = 2 * u[i] + v[i];
  }
  const std::vector<double> fu = map(u), fv = map(v), fw = map(w);
  for (const auto* result : {&fu, &fv, &fw}) {
    if (static_cast<int64_t>(result->size()) != n) {
      return absl::InvalidArgumentError(
          absl::StrCat("the map takes ", n, " numbers to ", result->size(), "; expected as many"));
    }
  }
  const double scale =
      std::max(LargestMagnitude(fw), 3 * std::max(LargestMagnitude(fu), LargestMagnitude(fv)));
  for (int64_t i = 0; i < n; ++i) {
    if (std::abs(fw[i] - 2 * fu[i] - fv[i]) > (tolerance + 1e-13 * n) * scale) {
      return absl::InvalidArgumentError(
          absl::StrCat("the map is not linear: f(2u + v) and 2 f(u) + f(v) differ at index ", i,
                       ": ", fw[i], " and ", 2 * fu[i] + fv[i]));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<EquivarianceDecision> DecideShiftEquivariance(const LinearMap& map, int64_t n,
                                                             double tolerance) {
  if (n < 1)
    return absl::InvalidArgumentError(absl::StrCat("a map of ", n, " numbers; expected 1 or more"));
  RETURN_IF_ERROR(CheckLinear(map, n, tolerance));
  EquivarianceDecision decision;
  std::vector<double> e(n, 0.0);
  e[0] = 1;
  decision.a = map(e);
  decision.equivariant = true;
  double largest = LargestMagnitude(decision.a), worst = 0;
  for (int64_t shift = 1; shift < n; ++shift) {
    const std::vector<double> response = map(Shifted(e, shift)),
                              expected = Shifted(decision.a, shift);
    largest = std::max(largest, LargestMagnitude(response));
    for (int64_t i = 0; i < n; ++i) {
      const double difference = std::abs(response[i] - expected[i]);
      if (difference <= worst) continue;
      worst = difference;
      decision.shift = shift;
      decision.index = i;
      decision.found = response[i];
      decision.expected = expected[i];
    }
  }
  decision.equivariant = worst <= tolerance * largest;
  if (decision.equivariant)
    return EquivarianceDecision{.equivariant = true, .a = std::move(decision.a), .input = {}};
  decision.input = e;
  return decision;
}

}  // namespace cotangent::tensor
