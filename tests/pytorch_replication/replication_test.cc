// Checks that the networks convnet and resnet20 of layers/zoo train as in PyTorch: with the same
// weights and batches, they have the same loss at each of 100 steps, except for rounding.
// make_reference.py computed PyTorch's losses; that file describes the weights and batches that
// both sides use.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "gtest/gtest.h"
#include "layers/graph/vjp.h"
#include "layers/network/build.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"
#include "layers/zoo/zoo.h"
#include "optim/optimizer.h"
#include "optim/optimizer.pb.h"

namespace cotangent::layers {
namespace {

constexpr int kSteps = 100;
constexpr int64_t kBatch = 16;
constexpr int64_t kPixels = 32 * 32;
constexpr int64_t kRecordBytes = 1 + 3 * kPixels;
constexpr double kMean[] = {0.4914, 0.4822, 0.4465}, kDeviation[] = {0.2470, 0.2435, 0.2616};

uint64_t Fnv1a(const std::string& name) {
  uint64_t value = 0xcbf29ce484222325ull;
  for (const char c : name) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  return value;
}

// Returns number i, counted from 1, of the SplitMix64 generator with this seed: its upper 24 bits,
// scaled to [-1, 1).
double SplitMix(uint64_t seed, uint64_t i) {
  uint64_t z = seed + i * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z = z ^ (z >> 31);
  return static_cast<double>(z >> 40) / (1 << 23) - 1;
}

void Initialise(ParameterStore& store) {
  for (const ParameterStore::Slot& slot : store.parameters()) {
    float* to = store.values() + slot.offset;
    if (slot.shape.rank() < 2) {
      for (int64_t i = 0; i < slot.size; ++i) to[i] = absl::EndsWith(slot.name, "weight") ? 1 : 0;
      continue;
    }
    const double bound = std::sqrt(6 / static_cast<double>(slot.size / slot.shape[0]));
    for (int64_t i = 0; i < slot.size; ++i)
      to[i] = static_cast<float>(SplitMix(Fnv1a(slot.name), i + 1) * bound);
  }
  for (const ParameterStore::Slot& slot : store.states()) {
    for (int64_t i = 0; i < slot.size; ++i)
      store.state_values()[slot.offset + i] = absl::EndsWith(slot.name, "var") ? 1 : 0;
  }
}

std::vector<uint8_t> ReadBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void FillBatch(const std::vector<uint8_t>& records, int64_t step, float* images, int32_t* labels) {
  const int64_t count = static_cast<int64_t>(records.size()) / kRecordBytes;
  for (int64_t n = 0; n < kBatch; ++n) {
    const uint8_t* record = records.data() + (step * kBatch + n) % count * kRecordBytes;
    labels[n] = record[0];
    for (int64_t i = 0; i < 3 * kPixels; ++i) {
      images[n * 3 * kPixels + i] = static_cast<float>(
          (record[1 + i] / 255.0 - kMean[i / kPixels]) / kDeviation[i / kPixels]);
    }
  }
}

void ExpectPyTorchsLosses(const std::string& name, double learning_rate) {
  SetThreads(1);
  const absl::StatusOr<Network> network = FindNetwork(name);
  ASSERT_TRUE(network.ok()) << network.status();
  absl::StatusOr<BuiltNetwork> built = Build(*network, {.batch_size = kBatch});
  ASSERT_TRUE(built.ok()) << built.status();
  const std::vector<TensorId> parameters = built->graph.parameters();
  const absl::StatusOr<std::vector<TensorId>> gradients =
      Gradient(built->graph, built->loss, parameters);
  ASSERT_TRUE(gradients.ok()) << gradients.status();
  absl::StatusOr<std::unique_ptr<ParameterStore>> store = ParameterStore::Create(built->graph);
  ASSERT_TRUE(store.ok()) << store.status();
  Initialise(**store);

  std::vector<PlanResult> results = {{built->loss}};
  std::vector<optim::ParameterSlice> slices;
  for (size_t i = 0; i < parameters.size(); ++i) {
    const ParameterStore::Slot& slot =
        *(*store)->FindParameter(built->graph.tensor(parameters[i]).name);
    results.push_back({(*gradients)[i], (*store)->gradients() + slot.offset});
    slices.push_back({slot.name, {slot.shape.begin(), slot.shape.end()}, slot.offset, slot.size});
  }
  Tuner tuner(1);
  absl::StatusOr<std::unique_ptr<Plan>> plan =
      Plan::Compile(built->graph, results, **store, tuner, PlanOptions());
  ASSERT_TRUE(plan.ok()) << plan.status();
  optim::OptimizerConfig config;
  config.mutable_sgd()->set_learning_rate(learning_rate);
  config.mutable_sgd()->set_momentum(0.9);
  absl::StatusOr<std::unique_ptr<optim::Optimizer>> optimizer =
      optim::Optimizer::Create(config, slices, {.steps_per_epoch = kSteps, .total_steps = kSteps});
  ASSERT_TRUE(optimizer.ok()) << optimizer.status();
  (*optimizer)->Initialise((*store)->values());

  const std::vector<uint8_t> records = ReadBytes("data/testdata/sample_train.bin");
  ASSERT_GE(records.size(), kBatch * kRecordBytes);
  std::ifstream reference(absl::StrCat("tests/pytorch_replication/", name, ".txt"));
  double worst = 0;  // the largest relative difference
  int64_t at = 0;
  for (int64_t step = 0; step < kSteps; ++step) {
    double expected = 0;
    ASSERT_TRUE(reference >> expected);
    FillBatch(records, step, static_cast<float*>((*plan)->input(built->images)),
              static_cast<int32_t*>((*plan)->input(built->labels)));
    (*plan)->Run(step);
    const double loss = *(*plan)->result(built->loss);
    if (const double difference = std::abs(loss / expected - 1); !(difference <= worst))
      worst = difference, at = step;
    ASSERT_TRUE((*optimizer)->Step((*store)->values(), (*store)->gradients(), step));
  }
  EXPECT_LE(worst, 1e-4);
  std::cout << name << ": losses differ from PyTorch's by at most " << worst
            << ", relative, at step " << at << "\n";
}

TEST(ReplicationTest, ConvNet) { ExpectPyTorchsLosses("convnet", 0.0001); }
TEST(ReplicationTest, ResNet20) { ExpectPyTorchsLosses("resnet20", 0.00001); }

}  // namespace
}  // namespace cotangent::layers
