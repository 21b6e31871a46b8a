// Plans (compiles for this machine) networks of thousands of layers. Planning must take time in
// proportion to the number of layers (a test whose planning takes much longer exceeds its time
// limit), and must end when the tuner is cancelled.

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "layers/graph/vjp.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan.h"
#include "layers/plan/tuner.h"

namespace cotangent::layers {
namespace {

constexpr char kUnit[] =
    "block { name: 'unit' layer { convolution { channels: 2 kernel: 1 bias: false } } "
    "layer { batch_norm {} } layer { activation { kind: RELU } } }";
BuiltNetwork Built(const std::string& blocks, const std::string& layers) {
  const absl::StatusOr<Network> network =
      ParseNetwork(absl::StrCat("input { channels: 2 height: 2 width: 2 classes: 2 } ", blocks, " ",
                                layers, " layer { linear {} }"));
  EXPECT_TRUE(network.ok()) << network.status();
  absl::StatusOr<BuiltNetwork> built =
      Build(*network, {.batch_size = 2, .training = true, .with_loss = true, .classes = 2});
  EXPECT_TRUE(built.ok()) << built.status();
  return *std::move(built);
}

// Plans the loss and all gradients.
absl::Status StatusOfPlan(BuiltNetwork network, Tuner& tuner, PlanOptions options = {}) {
  Graph& graph = network.graph;
  const auto store = ParameterStore::Create(graph);
  const auto gradients = Gradient(graph, network.loss, graph.parameters());
  EXPECT_TRUE(store.ok() && gradients.ok());
  std::vector<PlanResult> results = {{network.loss}};
  for (TensorId gradient : *gradients) results.push_back({gradient});
  options.threads = 1;
  return Plan::Compile(graph, results, **store, tuner, options).status();
}

std::string Repeated(int count, const std::string& layer) {
  return absl::StrCat("layer { repeat: ", count, " ", layer, " }");
}

TEST(DeepNetworks, ArePlanned) {
  Tuner tuner(1);
  EXPECT_EQ(StatusOfPlan(Built("", Repeated(9000, "activation { kind: RELU }")), tuner),
            absl::OkStatus());
  // The windows of these poolings overlap, so the result of each is stored, not computed inside a
  // pass. Scheduling must not recurse from each pooling to the next.
  EXPECT_EQ(
      StatusOfPlan(Built("", Repeated(9900, "max_pool { kernel: 3 stride: 1 pad: 1 }")), tuner),
      absl::OkStatus());
  EXPECT_EQ(StatusOfPlan(Built(kUnit, Repeated(300, "use { block: 'unit' }")), tuner),
            absl::OkStatus());
}

// Each gate reads its input twice: what is found out by going back along the graph from every tensor
// takes exponential time.
TEST(DeepNetworks, OfGatesArePlanned) {
  constexpr char kGate[] =
      "block { name: 'gate' layer { name: 'a' activation { kind: TANH } } "
      "layer { input: 'a' input: 'input' multiply {} } }";
  Tuner tuner(1);
  EXPECT_EQ(StatusOfPlan(Built(kGate, Repeated(200, "use { block: 'gate' }")), tuner),
            absl::OkStatus());
  EXPECT_EQ(StatusOfPlan(Built("", Repeated(1000, "batch_norm {}")), tuner), absl::OkStatus());
}

// The tuner's `cancelled` turns true at its n-th call, for n = 1, 2, ..., until planning needs
// fewer than n calls.
TEST(Cancelling, EndsPlanningWhereverItIs) {
  Tuner known(1);
  const BuiltNetwork network = Built(kUnit, Repeated(2, "use { block: 'unit' }"));
  ASSERT_EQ(StatusOfPlan(network, known), absl::OkStatus());
  int calls = 0, last = 0;
  for (absl::Status status = absl::CancelledError("none yet"); !status.ok();) {
    calls = 0, ++last;
    // The restored text has the times of all convolutions, so nothing is measured.
    Tuner tuner(1, {.cancelled = [&] { return ++calls >= last; }});
    tuner.Restore(known.ToText());
    status = StatusOfPlan(network, tuner, {.recompute = Recompute::kIfCheap});
    EXPECT_TRUE(status.ok() || absl::IsCancelled(status)) << status;
    EXPECT_EQ(status.ok(), calls < last);
  }
  // Planning calls `cancelled` at least once for each item of the schedule, and between its other
  // parts.
  EXPECT_GT(last, 20);
}

}  // namespace
}  // namespace cotangent::layers
