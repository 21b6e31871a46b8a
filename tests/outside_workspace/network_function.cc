// Uses a network as a function of its parameters. Compares three derivatives of its loss along a
// direction: by forward mode, by a difference, and from the gradient of reverse mode.
//
//   cd tests/outside_workspace && bazel run //:network_function

#include "layers/network/network_function.h"

#include <cmath>
#include <cstdio>
#include <random>

#include "layers/network/network_text.h"
#include "layers/plan/tuner.h"

int main() {
  using namespace cotangent;  // NOLINT
  const auto network = layers::ParseNetwork(R"text(
input { channels: 1 height: 8 width: 8 classes: 3 }
layer { name: "conv1" convolution { channels: 4 kernel: 3 padding: SAME } }
layer { activation { formula: "x / (1 + abs(x))" } }
layer { global_average_pool {} }
layer { name: "fc" linear {} }
loss { softmax_cross_entropy {} }
)text");
  if (!network.ok()) return std::puts(std::string(network.status().message()).c_str()), 1;
  layers::Tuner tuner(1);
  const auto function = layers::NetworkFunction::Create(*network, tuner, {.classes = 3});
  if (!function.ok()) return std::puts(std::string(function.status().message()).c_str()), 1;
  layers::NetworkFunction& f = **function;
  f.SetToRandomPoint(1);
  std::mt19937 generator(2);
  std::normal_distribution<float> normal;
  layers::NetworkVector direction = f.Zero();
  for (float& x : direction.parameters) x = normal(generator);

  const auto forward = f.Jvp(direction);
  const auto gradient = f.Gradient();
  if (!forward.ok() || !gradient.ok()) return 1;
  double inner = 0;
  for (size_t i = 0; i < direction.parameters.size(); ++i)
    inner += gradient->parameters[i] * direction.parameters[i];

  const layers::NetworkVector start = f.point();
  const auto loss_at = [&](float distance) {
    layers::NetworkVector moved = start;
    for (size_t i = 0; i < moved.parameters.size(); ++i)
      moved.parameters[i] += distance * direction.parameters[i];
    const std::vector<int32_t> labels = f.labels();
    const auto value =
        f.SetPoint(moved, labels).ok() ? f.Value() : absl::StatusOr<layers::NetworkOutput>();
    return value.ok() ? static_cast<double>(value->loss) : NAN;
  };
  const double difference = (loss_at(1e-2F) - loss_at(-1e-2F)) / 2e-2;
  std::printf(
      "along a direction the loss changes by %.6f (forward), %.6f (reverse), %.6f (numeric)\n",
      forward->loss, inner, difference);
  return std::abs(forward->loss - inner) < 1e-4 && std::abs(difference - inner) < 1e-2 ? 0 : 1;
}
