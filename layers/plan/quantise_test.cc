#include "layers/plan/quantise.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/ops/convolution.h"
#include "layers/plan/fold.h"
#include "layers/plan/plan.h"
#include "layers/plan/plan_testing.h"
#include "tensor/convolution.h"

namespace cotangent::layers {
namespace {

constexpr int64_t kBatch = 2;

// What a plan (a graph compiled for this machine) computed, and its operations.
struct Answers {
  std::vector<float> result;
  std::vector<std::string> kinds;  // kind and formats of each operation of the plan
};

// A network folded for inference (fold.h) with random weights; computes its results for random
// images.
class Case {
 public:
  explicit Case(const std::string& layers) {
    auto text = ParseNetwork(
        absl::StrCat("input { channels: 3 height: 12 width: 12 classes: 7 } ", layers), "test");
    EXPECT_TRUE(text.ok()) << text.status();
    BuildOptions options;
    options.batch_size = kBatch;
    options.training = options.with_loss = false;
    options.classes = 7;
    auto built = Build(*text, options);
    EXPECT_TRUE(built.ok()) << built.status();
    network_ = *std::move(built);
    store_ = *ParameterStore::Create(network_.graph);
    SplitMix random(7);
    for (const ParameterStore::Slot& slot : store_->parameters()) {
      const double fan_in =
          slot.shape.rank() >= 2 ? static_cast<double>(slot.size) / slot.shape[0] : 1;
      for (int64_t i = 0; i < slot.size; ++i)
        store_->values()[slot.offset + i] =
            static_cast<float>(random.Uniform() * std::sqrt(6 / fan_in));
    }
    for (const ParameterStore::Slot& slot : store_->states()) {
      for (int64_t i = 0; i < slot.size; ++i)
        store_->state_values()[slot.offset + i] = static_cast<float>(std::exp2(random.Uniform()));
    }
    folded_ = *FoldedGraph::Create(network_.graph, network_.prediction, *store_);
    folded_->Update();
  }

  std::vector<QuantisableConvolution> Convolutions() const {
    return QuantisableConvolutions(folded_->graph(), network_.prediction);
  }

  // Computes the tensors in real numbers once and returns the scales of each convolution's tensors:
  // the largest magnitude divided by 127 (s8) or 255 (u8, for tensors that are never negative).
  Quantisation Calibrate() {
    std::vector<PlanResult> results = {{network_.prediction}};
    for (const QuantisableConvolution& c : Convolutions()) {
      for (TensorId t : {c.in, c.out, c.addend}) {
        const auto same = [&](const PlanResult& r) { return r.tensor == t; };
        if (t != kNoTensor && std::none_of(results.begin(), results.end(), same))
          results.push_back({t});
      }
    }
    const std::unique_ptr<Plan> plan = Compile(folded_->graph(), results);
    Quantisation quantisation;
    const auto scale = [&](TensorId t) -> TensorScale {
      if (t == kNoTensor || t == network_.prediction) return {};
      const float* const values = plan->result(t);
      const int64_t count = folded_->graph().shape(t).NumElements();
      const auto [least, most] = std::minmax_element(values, values + count);
      return *least < 0 ? TensorScale{std::max(-*least, *most) / 127, true}
                        : TensorScale{*most / 255, false};
    };
    for (const QuantisableConvolution& c : Convolutions())
      quantisation[c.weight] = {scale(c.in), scale(c.out), scale(c.addend)};
    return quantisation;
  }

  Answers Plain() { return AnswersOf(folded_->graph()); }
  Answers Quantised(const Quantisation& quantisation) {
    Graph graph = folded_->graph();
    const absl::Status status = QuantiseGraph(quantisation, network_.prediction, folded_->store(),
                                              QuantisedFor::kThisProcessor, graph);
    EXPECT_TRUE(status.ok()) << status;
    return AnswersOf(graph);
  }
  absl::Status StatusOf(const Quantisation& quantisation) {
    Graph graph = folded_->graph();
    return QuantiseGraph(quantisation, network_.prediction, folded_->store(),
                         QuantisedFor::kThisProcessor, graph);
  }

 private:
  std::unique_ptr<Plan> Compile(const Graph& graph, const std::vector<PlanResult>& results) {
    Tuner tuner(1);
    PlanOptions options;
    options.constant_parameters = true;
    auto plan = Plan::Compile(graph, results, folded_->store(), tuner, options);
    EXPECT_TRUE(plan.ok()) << plan.status();
    SplitMix random(3);
    float* const pixels = static_cast<float*>((*plan)->input(network_.images));
    for (int64_t i = 0; i < graph.shape(network_.images).NumElements(); ++i)
      pixels[i] = static_cast<float>(2 * random.Uniform());
    (*plan)->Run(0);
    (*plan)->Run(0);
    return *std::move(plan);
  }
  Answers AnswersOf(const Graph& graph) {
    const std::unique_ptr<Plan> plan = Compile(graph, {{network_.prediction}});
    Answers answers;
    const float* const result = plan->result(network_.prediction);
    answers.result.assign(result, result + graph.shape(network_.prediction).NumElements());
    for (const Plan::Description& d : plan->Describe())
      answers.kinds.push_back(absl::StrCat(d.kind, " ", d.formats));
    return answers;
  }

  BuiltNetwork network_;
  std::unique_ptr<ParameterStore> store_;
  std::unique_ptr<FoldedGraph> folded_;
};

// Returns the root mean square of a - b, divided by the root mean square of a.
double RelativeError(const std::vector<float>& a, const std::vector<float>& b) {
  double off = 0, size = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    off += (a[i] - b[i]) * double{a[i] - b[i]};
    size += double{a[i]} * a[i];
  }
  return std::sqrt(off / size);
}

int Count(const std::vector<std::string>& kinds, const std::string& part) {
  return static_cast<int>(std::count_if(kinds.begin(), kinds.end(), [&](const std::string& kind) {
    return absl::StrContains(kind, part);
  }));
}

class QuantiseGraphTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!tensor::Int8Available()) GTEST_SKIP() << "this processor has neither AVX2 nor VNNI";
  }
};

constexpr char kResidual[] = R"(
  layer { name: "stem" convolution { channels: 16 kernel: 3 pad: 1 bias: false } }
  layer { name: "bn0" batch_norm {} } layer { name: "r0" activation { kind: RELU } }
  layer { name: "c1" convolution { channels: 24 kernel: 3 stride: 2 pad: 1 bias: false } }
  layer { name: "bn1" batch_norm {} } layer { name: "r1" activation { kind: RELU } }
  layer { name: "c2" convolution { channels: 24 kernel: 3 pad: 1 bias: false } }
  layer { name: "bn2" batch_norm {} }
  layer { name: "down" input: "r0" convolution { channels: 24 kernel: 1 stride: 2 bias: false } }
  layer { name: "bnd" batch_norm {} }
  layer { name: "sum" input: "bn2" input: "bnd" add {} } layer { name: "r2" activation { kind: RELU } }
  layer { name: "c3" convolution { channels: 24 kernel: 3 pad: 1 bias: false } }
  layer { name: "bn3" batch_norm {} }
  layer { name: "sum2" input: "bn3" input: "r2" add {} } layer { name: "r3" activation { kind: RELU } }
  layer { name: "pool" global_average_pool {} } layer { name: "fc" linear {} })";

// In a residual network, convolutions pass integers to each other without conversion.
TEST_F(QuantiseGraphTest, ResidualNetwork) {
  Case network(kResidual);
  ASSERT_EQ(network.Convolutions().size(), 5u);  // all but the first, which reads the images
  const Answers plain = network.Plain(), quantised = network.Quantised(network.Calibrate());
  const double error = RelativeError(plain.result, quantised.result);
  EXPECT_LT(error, 0.03);
  EXPECT_GT(error, 1e-5);
  // Two convolutions store u8: "c1", and of "c2" and "down" the one that adds the result of the
  // other. "c3" adds its own input, which takes a separate fused pass (a loop over memory).
  EXPECT_EQ(Count(quantised.kinds, "convolution forward nhwc/u8 -> nhwc/u8"), 2);
  EXPECT_EQ(Count(quantised.kinds, "convolution forward nhwc/u8 -> nhwc/s8"), 2);
  EXPECT_EQ(Count(quantised.kinds, "pass nhwc/u8 nhwc/s8 -> "), 1);
}

// The fused passes (loops over memory) between the convolutions of this network read and write
// integers.
TEST_F(QuantiseGraphTest, PassesReadAndWriteIntegers) {
  Case network(R"(
    layer { name: "c0" convolution { channels: 8 kernel: 3 } } layer { activation { kind: GELU } }
    layer { name: "c1" convolution { channels: 20 kernel: 3 pad: 1 } } layer { max_pool { kernel: 2 } }
    layer { name: "bn" batch_norm {} } layer { name: "act" activation { kind: GELU } }
    layer { name: "c2" convolution { channels: 20 kernel: 3 pad: 1 groups: 20 } }
    layer { name: "act2" activation { kind: SILU } }
    layer { name: "both" input: "act" input: "act2" concat {} }
    layer { name: "c3" convolution { channels: 12 kernel: 1 } } layer { name: "fc" linear {} })");
  const Answers plain = network.Plain(), quantised = network.Quantised(network.Calibrate());
  EXPECT_LT(RelativeError(plain.result, quantised.result), 0.04);
  // Not every processor has 8-bit kernels for "c2", which stays real then.
  const auto c2 = tensor::Int8Candidates({.in_channels = 20, .out_channels = 20, .groups = 20},
                                         ElementType::kS8, ElementType::kS8);
  EXPECT_GE(Count(quantised.kinds, "s8 -> nhwc/s8"), c2.empty() ? 2 : 3);
}

// If only some convolutions are quantised, the others and the operations between them compute with
// real numbers.
TEST_F(QuantiseGraphTest, Mixed) {
  Case network(kResidual);
  const Quantisation all = network.Calibrate();
  const Answers plain = network.Plain();
  for (const auto& [left_out, unused] : all) {
    SCOPED_TRACE(left_out);
    Quantisation some = all;
    some.erase(left_out);
    EXPECT_LT(RelativeError(plain.result, network.Quantised(some).result), 0.03);
    Quantisation one = {{left_out, all.at(left_out)}};
    EXPECT_LT(RelativeError(plain.result, network.Quantised(one).result), 0.03);
    one.begin()->second.out = {};
    EXPECT_LT(RelativeError(plain.result, network.Quantised(one).result), 0.03);
  }
}

TEST_F(QuantiseGraphTest, NothingChangesWithoutScales) {
  Case network(kResidual);
  const Answers plain = network.Plain(), quantised = network.Quantised({});
  EXPECT_LT(RelativeError(plain.result, quantised.result), 1e-5);
  EXPECT_EQ(Count(quantised.kinds, "u8"), 0);
}

TEST(QuantiseGraph, RefusesScalesThatAreNone) {
  Case network(kResidual);
  for (const float scale : {-1.0f, NAN, INFINITY, 1e-42f})
    EXPECT_TRUE(absl::IsInvalidArgument(
        network.StatusOf({{"c1.weight", {.in = {scale, false}, .out = {}, .addend = {}}}})))
        << scale;
}

TEST(QuantiseGraph, WeightScales) {
  // The third row's quotient, 1e-44 / 127, is below the smallest float.
  const float weights[] = {1, -2, 0.5f, 0, 0, 0, 1e-44f, 0, 0};
  EXPECT_EQ(WeightScales(weights, 3, 3), (std::vector<float>{2.0f / 127, 1, 1}));
}

}  // namespace
}  // namespace cotangent::layers
