// Compares Dual<double, 8> with Ceres Solver's Jet<double, 8> on the reprojection error of bundle
// adjustment and its derivatives by the camera's eight parameters. Both use the same template,
// compiled with the same flags.
//
//   sudo apt-get install libceres-dev
//   bazel run //autodiff:forward_benchmark -- --benchmark_repetitions=15 \
//       --benchmark_enable_random_interleaving=true

#include <ceres/jet.h>

#include <cmath>

#include "autodiff/forward/dual.h"
#include "benchmark/benchmark.h"

namespace cotangent::autodiff {
namespace {

constexpr int kParameters = 8;
// The camera's parameters: rotation as axis times angle (3 numbers, in radians), translation (3),
// focal length in pixels, radial distortion.
constexpr double kCamera[kParameters] = {0.1, -0.2, 0.3, 0.5, -0.4, -8, 500, -1e-3};
constexpr double kPoint[3] = {1, 2, -3};
constexpr double kObserved[2] = {10, 20};

// Sets `residual` to the difference, in pixels, between where the camera sees the point and where
// it was observed. The rotation of p about the unit axis w follows Rodrigues' formula p cos + (w x
// p) sin + w (w . p)(1 - cos); projection and distortion are those of Snavely, Seitz and Szeliski
// (2006).
template <class T>
[[gnu::noinline]] void ReprojectionError(const T* camera, const double* point,
                                         const double* observed, T* residual) {
  using std::cos, std::sin, std::sqrt;
  T p[3];
  const T squared_angle = camera[0] * camera[0] + camera[1] * camera[1] + camera[2] * camera[2];
  if (squared_angle > 1e-16) {
    const T angle = sqrt(squared_angle), cosine = cos(angle), sine = sin(angle);
    const T inverse = 1.0 / angle;
    const T w[3] = {camera[0] * inverse, camera[1] * inverse, camera[2] * inverse};
    const T cross[3] = {w[1] * point[2] - w[2] * point[1], w[2] * point[0] - w[0] * point[2],
                        w[0] * point[1] - w[1] * point[0]};
    const T along = (w[0] * point[0] + w[1] * point[1] + w[2] * point[2]) * (1.0 - cosine);
    for (int i = 0; i < 3; ++i) p[i] = point[i] * cosine + cross[i] * sine + w[i] * along;
  } else {  // first-order approximation for small angles
    p[0] = point[0] + camera[1] * point[2] - camera[2] * point[1];
    p[1] = point[1] + camera[2] * point[0] - camera[0] * point[2];
    p[2] = point[2] + camera[0] * point[1] - camera[1] * point[0];
  }
  for (int i = 0; i < 3; ++i) p[i] += camera[3 + i];
  const T x = -p[0] / p[2], y = -p[1] / p[2];
  const T scale = camera[6] * (1.0 + camera[7] * (x * x + y * y));
  residual[0] = scale * x - observed[0];
  residual[1] = scale * y - observed[1];
}

void BM_Plain(benchmark::State& state) {
  double camera[kParameters], residual[2];
  for (auto _ : state) {
    for (int i = 0; i < kParameters; ++i) camera[i] = kCamera[i];
    benchmark::DoNotOptimize(camera);
    ReprojectionError(camera, kPoint, kObserved, residual);
    benchmark::DoNotOptimize(residual);
  }
}
BENCHMARK(BM_Plain);

void BM_Dual(benchmark::State& state) {
  using T = forward::Dual<double, kParameters>;
  T camera[kParameters], residual[2];
  for (auto _ : state) {
    for (int i = 0; i < kParameters; ++i) camera[i] = T::Variable(kCamera[i], i);
    benchmark::DoNotOptimize(camera);
    ReprojectionError(camera, kPoint, kObserved, residual);
    benchmark::DoNotOptimize(residual);
  }
}
BENCHMARK(BM_Dual);

void BM_CeresJet(benchmark::State& state) {
  using T = ceres::Jet<double, kParameters>;
  T camera[kParameters], residual[2];
  for (auto _ : state) {
    for (int i = 0; i < kParameters; ++i) camera[i] = T(kCamera[i], i);
    benchmark::DoNotOptimize(camera);
    ReprojectionError(camera, kPoint, kObserved, residual);
    benchmark::DoNotOptimize(residual);
  }
}
BENCHMARK(BM_CeresJet);

}  // namespace
}  // namespace cotangent::autodiff
