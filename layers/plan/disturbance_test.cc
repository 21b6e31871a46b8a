// Tests that training gives the same weights, to the bit, whether or not other work takes the
// processors meanwhile: a loop is divided into the same shares (ranges of iterations) and sums are
// added in the same order, whichever thread computes a share (base/parallel.h).

#include <atomic>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "gtest/gtest.h"
#include "layers/graph/vjp.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/plan_testing.h"
#include "layers/plan/tuner.h"

namespace cotangent::layers {
namespace {

// A network with dense, strided, depthwise and 1x1 convolutions, with sums over channels, images
// and pixels, and with attention; its tensors are large enough to be divided among several threads.
constexpr char kNetwork[] =
    "input { channels: 3 height: 16 width: 16 classes: 10 } "
    "layer { name: 'stem' convolution { channels: 24 kernel: 3 pad: 1 } } "
    "layer { name: 'bn1' batch_norm {} } layer { name: 'act1' activation { kind: SILU } } "
    "layer { name: 'depthwise' convolution { channels: 24 kernel: 5 pad: 2 groups: 24 } } "
    "layer { name: 'norm' layer_norm { axes: CHANNELS } } "
    "layer { name: 'both' input: 'norm' input: 'act1' concat {} } "
    "layer { name: 'pool' max_pool { kernel: 2 } } "
    "layer { name: 'conv2' convolution { channels: 32 kernel: 3 pad: 1 } } "
    "layer { name: 'bn2' batch_norm {} } layer { name: 'act2' activation { kind: RELU } } "
    "layer { name: 'point' convolution { channels: 32 kernel: 1 } } "
    "layer { name: 'group' group_norm { groups: 4 } } "
    "layer { name: 'gate' global_average_pool {} } "
    "layer { name: 'gated' input: 'group' input: 'gate' elementwise { formula: 'a * sigmoid(b)' } "
    "} "
    "layer { name: 'strided' convolution { channels: 48 kernel: 3 stride: 2 pad: 1 } } "
    "layer { name: 'attention' attention { heads: 4 } } "
    "layer { name: 'drop' dropout { rate: 0.2 } } layer { name: 'fc' linear {} } ";
constexpr int64_t kBatch = 12;
constexpr int kSteps = 4;

// Keeps two threads busy until it is destroyed.
class OtherWork {
 public:
  OtherWork() {
    for (std::thread& thread : threads_)
      thread = std::thread([this] {
        while (!done_.load(std::memory_order_relaxed)) {
        }
      });
  }
  ~OtherWork() {
    done_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> done_ = false;
  std::thread threads_[2];
};

using Choices = absl::flat_hash_map<std::string, std::string>;

// Returns the parameters and running statistics after kSteps steps. The plan (the network's
// compiled graph) uses the implementations that `choices` names by convolution, and measures
// implementations for convolutions that are not in `choices`. On return, `choices` holds all
// implementations in use.
std::vector<float> Train(ElementType precision, int threads, Choices& choices) {
  const absl::StatusOr<Network> network = ParseNetwork(kNetwork);
  EXPECT_TRUE(network.ok()) << network.status();
  absl::StatusOr<BuiltNetwork> built = Build(*network, {.batch_size = kBatch});
  EXPECT_TRUE(built.ok()) << built.status();
  Graph& graph = built->graph;
  const std::vector<TensorId> parameters = graph.parameters();
  const std::vector<TensorId> gradients = *Gradient(graph, built->loss, parameters);
  const std::unique_ptr<ParameterStore> store = *ParameterStore::Create(graph);
  SplitMix random(5);
  for (int64_t i = 0; i < store->parameter_floats(); ++i)
    store->values()[i] = static_cast<float>(0.2 * random.Uniform());
  std::vector<PlanResult> results = {{built->loss}};
  for (size_t i = 0; i < parameters.size(); ++i)
    results.push_back(
        {gradients[i],
         store->gradients() + store->FindParameter(graph.tensor(parameters[i]).name)->offset});
  SetThreads(threads);
  Tuner tuner(threads);
  const std::unique_ptr<Plan> plan =
      *Plan::Compile(graph, results, *store, tuner,
                     {.precision = precision, .threads = threads, .choices = choices});
  choices = plan->choices();
  for (int step = 0; step < kSteps; ++step) {
    float* const images = static_cast<float*>(plan->input(built->images));
    for (int64_t i = 0; i < graph.shape(built->images).NumElements(); ++i)
      images[i] = static_cast<float>(random.Uniform());
    int32_t* const labels = static_cast<int32_t*>(plan->input(built->labels));
    for (int64_t i = 0; i < kBatch; ++i) labels[i] = static_cast<int32_t>(random.Below(10));
    plan->Run(step);
    for (int64_t i = 0; i < store->parameter_floats(); ++i)
      store->values()[i] -= 0.05f * store->gradients()[i];
  }
  std::vector<float> all(store->values(), store->values() + store->parameter_floats());
  for (const ParameterStore::Slot& slot : store->states())
    all.insert(all.end(), store->state_values() + slot.offset,
               store->state_values() + slot.offset + slot.size);
  return all;
}

TEST(Disturbance, ChangesNoBit) {
  for (const ElementType precision : {ElementType::kF32, ElementType::kBf16}) {
    for (const int threads : {1, 2, 3}) {
      SCOPED_TRACE(absl::StrCat(std::string(Name(precision)), ", ", threads, " threads"));
      Choices choices;
      const std::vector<float> alone = Train(precision, threads, choices);
      for (const float value : alone) ASSERT_EQ(value, value);  // fails if NaN
      const OtherWork work;
      const std::vector<float> beside = Train(precision, threads, choices);
      ASSERT_EQ(alone.size(), beside.size());
      EXPECT_EQ(std::memcmp(alone.data(), beside.data(), alone.size() * sizeof(float)), 0);
    }
  }
}

}  // namespace
}  // namespace cotangent::layers
