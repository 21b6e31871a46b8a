// Compares plans (graphs compiled for this machine) of whole networks with the reference (plain
// loops in double, layers/graph/reference.h). The networks have operations that are fused into
// passes (loops over memory that compute several operations), tensors stored in several formats, or
// second derivatives, or are random.

#include "layers/plan/plan.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/cpu.h"
#include "base/parallel.h"
#include "base/status_testing.h"
#include "gtest/gtest.h"
#include "layers/graph/graph.h"
#include "layers/graph/vjp.h"
#include "layers/ops/average_pool.h"
#include "layers/ops/batch_norm.h"
#include "layers/ops/concat.h"
#include "layers/ops/convolution.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/layer_norm.h"
#include "layers/ops/loss.h"
#include "layers/ops/losses/loss_kind.h"
#include "layers/ops/max_pool.h"
#include "layers/ops/pad.h"
#include "layers/ops/reshape.h"
#include "layers/ops/sums.h"
#include "layers/plan/parameters.h"
#include "layers/plan/plan_testing.h"
#include "layers/plan/tuner.h"
#include "tensor/convolution.h"
#include "tensor/layout.h"

namespace cotangent::layers {
namespace {

// Builds layers with parameters of their own. The names of layers and parameters, except that of
// the loss, end with a number, counted from 1, that no other name has.
class Builder {
 public:
  Graph& graph() { return graph_; }

  TensorId Convolution(TensorId x, int64_t channels, int64_t kernel, int64_t stride = 1) {
    const int64_t pad = kernel / 2;
    const TensorId w =
        graph_.Parameter(Name("weight"), {channels, graph_.shape(x)[1], kernel, kernel});
    return Made(layers::Convolution(
        graph_, Name("conv"), x, w,
        {.stride_height = stride, .stride_width = stride, .padding = {pad, pad, pad, pad}}));
  }
  TensorId Linear(TensorId x, int64_t features) {
    const TensorId w = graph_.Parameter(
        Name("weight"), {features, graph_.shape(x).NumElements() / graph_.shape(x)[0]});
    return Made(AddBias(graph_, Name("bias"), Made(layers::Linear(graph_, Name("fc"), x, w)),
                        graph_.Parameter(Name("bias"), {features})));
  }
  TensorId BatchNorm(TensorId x) {
    const Shape channels = {graph_.shape(x)[1]};
    return Made(layers::BatchNorm(graph_, Name("bn"), x,
                                  {.scale = graph_.Parameter(Name("scale"), channels),
                                   .shift = graph_.Parameter(Name("shift"), channels),
                                   .running_mean = graph_.State(Name("mean"), channels),
                                   .running_variance = graph_.State(Name("variance"), channels),
                                   .epsilon = 1e-2}));
  }
  TensorId Activation(TensorId x, const std::string& formula = "x * sigmoid(x)") {
    return Made(Formula(graph_, Name("act"), formula, {{"x", x}}));
  }
  TensorId MaxPool(TensorId x, int64_t window, int64_t stride) {
    return Made(layers::MaxPool(graph_, Name("pool"), x,
                                {.height = window,
                                 .width = window,
                                 .stride_height = stride,
                                 .stride_width = stride}))
        .value;
  }
  TensorId GlobalAverage(TensorId x) {
    return Made(AveragePool(graph_, Name("global"), x,
                            {.height = graph_.shape(x)[2], .width = graph_.shape(x)[3]}));
  }
  TensorId Loss(TensorId x) {
    const Shape& shape = graph_.shape(x);
    const LossAttributes loss = *ParseLoss({}, shape[1], graph_.pool());
    return Made(LossOf(graph_, "loss", x, graph_.Input("labels", {shape[0]}), loss));
  }

 private:
  std::string Name(const std::string& kind) { return absl::StrCat(kind, ++made_); }

  Graph graph_;
  int made_ = 0;
};

const std::vector<AgreementOptions>& Ways() {
  static const std::vector<AgreementOptions> ways = {
      {},
      {.exact = false, .threads = 2, .forward_tolerance = 1e-4, .gradient_tolerance = 2e-4},
      InBf16()};
  return ways;
}

TEST(PlanTest, PoolingsInARow) {
  for (const std::string between : {"", "tanh(x)"}) {
    for (AgreementOptions way : Ways()) {
      // In bf16, two different values of a window may become equal, so the position of the maximum
      // may change.
      if (way.by_norm) way.gradient_tolerance = 0.2;
      Builder b;
      TensorId x = b.MaxPool(b.Activation(b.graph().Input("x", {2, 8, 13, 12})), 2, 2);
      if (!between.empty()) x = b.Activation(x, between);
      ExpectPlanAgrees(b.graph(), b.MaxPool(x, 2, 2), way);
    }
  }
}

TEST(PlanTest, PoolsOfDifferentGeometryAdded) {
  Builder b;
  const TensorId x = b.Activation(b.graph().Input("x", {2, 8, 4, 4})),
                 small = b.Activation(b.graph().Input("small", {2, 8, 2, 4}));
  const TensorId a = b.MaxPool(x, 2, 2);
  const TensorId c = Made(MaxPool(b.graph(), "other", small,
                                  {.height = 1, .width = 2, .stride_height = 1, .stride_width = 2}))
                         .value;
  ExpectPlanAgrees(b.graph(), Made(Add(b.graph(), "sum", {a, c})));
}

// Plans a sum with more operands than one pass may have.
TEST(PlanTest, ManyOperands) {
  for (const AgreementOptions& way : Ways()) {
    Builder b;
    TensorId x = b.graph().Input("x", {2, 8, 4, 4});
    std::vector<TensorId> branches;
    for (int i = 0; i < 20; ++i)
      branches.push_back(
          b.BatchNorm(b.Activation(b.graph().Input("x" + std::to_string(i), {2, 8, 4, 4}))));
    TensorId y = Made(Add(b.graph(), "sum", branches));
    for (int i = 0; i < 20; ++i)
      y = Made(Add(b.graph(), "sum", {y, b.graph().Input("y" + std::to_string(i), {2, 8, 4, 4})}));
    ExpectPlanAgrees(b.graph(), b.MaxPool(Made(Add(b.graph(), "both", {x, y})), 2, 2), way);
  }
}

// In a pass with a pooling, each stored tensor counts once per cell of the window. With windows of
// 3x3, the tensors that the 12 convolutions read would be more stores than one pass may have.
TEST(PlanTest, ManyStoresBesideAPool) {
  for (const int64_t window : {2, 3}) {
    Builder b;
    const TensorId x = b.Activation(b.graph().Input("x", {2, 8, 6, 6}));
    std::vector<TensorId> branches;
    for (int i = 0; i < 12; ++i)
      branches.push_back(b.Convolution(b.Activation(x, absl::StrCat("tanh(x - ", i, ")")), 8, 1));
    const TensorId y = Made(Add(b.graph(), "sum", branches));
    ExpectPlanAgrees(
        b.graph(),
        Made(Add(b.graph(), "both", {b.MaxPool(x, window, window), b.MaxPool(y, window, window)})),
        {.second_derivatives = false});
  }
}

TEST(PlanTest, BlockWithPoolOfARemainder) {
  for (const int64_t channels : {3, 8, 24, 40, 64}) {
    for (AgreementOptions way : {AgreementOptions{.threads = channels == 24 ? 2 : 1}, InBf16()}) {
      SCOPED_TRACE(channels);
      Builder b;
      way.gradient_tolerance *= 3;
      const TensorId x = b.Convolution(b.graph().Input("x", {2, 3, 7, 7}), channels, 3);
      TensorId y = b.Activation(b.BatchNorm(b.MaxPool(x, 2, 2)));
      y = b.Activation(b.BatchNorm(b.Convolution(y, channels, 3)));
      ExpectPlanAgrees(b.graph(), b.Loss(b.Linear(b.MaxPool(y, 3, 3), 10)), way);
    }
  }
}

TEST(PlanTest, ResidualBlock) {
  for (const AgreementOptions& way : Ways()) {
    Builder b;
    const TensorId x =
        b.Activation(b.BatchNorm(b.Convolution(b.graph().Input("x", {3, 3, 6, 6}), 16, 3)));
    const TensorId h =
        b.BatchNorm(b.Convolution(b.Activation(b.BatchNorm(b.Convolution(x, 16, 3))), 16, 3));
    const TensorId y = b.Activation(Made(Add(b.graph(), "add", {h, x})));
    const TensorId down = b.BatchNorm(b.Convolution(y, 24, 1, 2));
    const TensorId z =
        b.Activation(Made(Add(b.graph(), "add2", {b.BatchNorm(b.Convolution(y, 24, 3, 2)), down})));
    AgreementOptions options = way;
    options.gradient_tolerance *= 3;
    ExpectPlanAgrees(b.graph(), b.Loss(b.Linear(b.GlobalAverage(z), 10)), options);
  }
}

// After the operation that LastOperationOf() names, a result is final, and changing it does not
// affect other results. (That operation may be one that reads the result: the gradients of batch
// norm's parameters are read again by the gradients of earlier layers.)
TEST(PlanTest, ResultsMayBeTakenAfterTheirLastOperation) {
  for (const ElementType precision : {ElementType::kF32, ElementType::kBf16}) {
    Builder b;
    const TensorId x = b.graph().Input("x", {4, 3, 8, 8});
    const TensorId h = b.Activation(b.BatchNorm(b.Convolution(x, 16, 3)));
    const TensorId y = b.Activation(b.BatchNorm(b.MaxPool(b.Convolution(h, 24, 3, 2), 2, 2)));
    const TensorId loss = b.Loss(b.Linear(b.GlobalAverage(y), 10));
    Graph graph = b.graph();
    const std::vector<TensorId> parameters = graph.parameters();
    const std::vector<TensorId> gradients = Made(Gradient(graph, loss, parameters));
    const auto store = Made(ParameterStore::Create(graph));
    SplitMix random(3);
    for (int64_t i = 0; i < store->parameter_floats(); ++i)
      store->values()[i] = static_cast<float>(random.Uniform());
    std::vector<PlanResult> results = {{loss}};
    for (size_t i = 0; i < parameters.size(); ++i)
      results.push_back(
          {gradients[i],
           store->gradients() + store->FindParameter(graph.tensor(parameters[i]).name)->offset});
    Tuner tuner(1);
    const auto plan = Made(Plan::Compile(graph, results, *store, tuner, {.precision = precision}));
    float* const images = static_cast<float*>(plan->input(x));
    for (int64_t i = 0; i < graph.shape(x).NumElements(); ++i)
      images[i] = static_cast<float>(random.Uniform());
    plan->Run(0);
    const std::vector<float> expected(store->gradients(),
                                      store->gradients() + store->parameter_floats());

    std::vector<float> taken(expected.size(), 0.0f);
    std::set<size_t> last_operations;
    plan->CallAfterOperations([&](size_t operation) {
      for (size_t i = 1; i < results.size(); ++i) {
        if (plan->LastOperationOf(results[i].tensor) != operation) continue;
        last_operations.insert(operation);
        float* const gradient = results[i].destination;
        const int64_t count = graph.shape(results[i].tensor).NumElements();
        std::copy_n(gradient, count, taken.data() + (gradient - store->gradients()));
        std::fill_n(gradient, count, NAN);
      }
    });
    plan->Run(0);
    EXPECT_EQ(taken, expected);
    EXPECT_GT(last_operations.size(), 4u);  // not all results are last used at the very end
  }
}

// A result that becomes the new value of a state is still read when the states are updated.
TEST(PlanTest, ResultsThatUpdateStatesMayBeTakenAfterThat) {
  Builder b;
  Graph& graph = b.graph();
  const TensorId x = graph.Input("x", {1, 4, 1, 1});
  const TensorId old = graph.State("old", {1, 4, 1, 1});
  const TensorId y = Made(Formula(graph, "y", "x + old", {{"x", x}, {"old", old}}));
  graph.UpdateState(old, y);
  const auto store = Made(ParameterStore::Create(graph));
  std::vector<float> taken(4);
  Tuner tuner(1);
  const auto plan = Made(Plan::Compile(graph, {{y, taken.data()}}, *store, tuner, {}));
  std::fill_n(static_cast<float*>(plan->input(x)), 4, 3.0f);
  plan->CallAfterOperations([&](size_t operation) {
    if (operation == plan->LastOperationOf(y)) std::fill(taken.begin(), taken.end(), NAN);
  });
  plan->Run(0);
  const ParameterStore::Slot* slot = store->FindState("old");
  ASSERT_NE(slot, nullptr);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(store->state_values()[slot->offset + i], 3);
}

// Checks the variance of numbers far from zero. If it were computed in f32 as M(x^2) - M(x)^2, with
// M the mean, rounding would destroy it when the mean is many standard deviations from 0. The
// expected values are computed in double.
TEST(PlanTest, MomentsOfNumbersFarFromZero) {
  for (const double mean : {0.0, 300.0, 1e4, -1e5}) {
    for (const int64_t window : {1, 2}) {
      for (const int threads : {1, 2}) {
        SCOPED_TRACE(absl::StrCat("mean ", mean, ", window ", window, ", ", threads, " threads"));
        Builder b;
        Graph& graph = b.graph();
        const TensorId x = graph.Input("x", {6, 19, 33, 21}),
                       offset = graph.Parameter("offset", {19});
        const TensorId h =
            Made(Formula(graph, "act", "x + offset", {{"x", x}, {"offset", offset}}));
        std::vector<PlanResult> results = {{h}};
        if (window > 1) results.push_back({b.MaxPool(h, window, window)});
        const MomentsResult moments = Made(Moments(graph, "moments", h));
        results.push_back({moments.mean}), results.push_back({moments.variance});
        const auto store = Made(ParameterStore::Create(graph));
        Tuner tuner(1);
        SetThreads(threads);
        const auto plan = Made(Plan::Compile(graph, results, *store, tuner, {.threads = threads}));
        SplitMix random(7);
        for (int64_t i = 0; i < graph.shape(x).NumElements(); ++i)
          static_cast<float*>(plan->input(x))[i] = static_cast<float>(random.Uniform());
        for (int64_t c = 0; c < 19; ++c)
          store->values()[c] = static_cast<float>(c % 2 == 0 ? mean : -mean);
        plan->Run(0);
        for (int64_t c = 0; c < 19; ++c) {
          double sum = 0, squares = 0;
          const auto for_each = [&](auto visit) {
            for (int64_t n = 0; n < 6; ++n) {
              for (int64_t i = 0; i < 33 * 21; ++i)
                visit(static_cast<double>(plan->result(h)[(n * 19 + c) * 33 * 21 + i]));
            }
          };
          constexpr double kCount = 6 * 33 * 21;
          for_each([&](double v) { sum += v / kCount; });
          for_each([&](double v) { squares += (v - sum) * (v - sum) / kCount; });
          EXPECT_NEAR(plan->result(moments.mean)[c], sum, 1e-7 * std::abs(sum) + 1e-6);
          // The tolerance allows for the rounding errors of a sum of 4,158 numbers in f32, added
          // one after the other.
          EXPECT_NEAR(plan->result(moments.variance)[c], squares, 1e-4 * squares)
              << "channel " << c;
        }
      }
    }
  }
}

TEST(PlanTest, ConstantsReadByOperations) {
  Builder b;
  const TensorId x = b.graph().Input("x", {2, 8, 5, 5}),
                 ones = Constant(b.graph(), 1, {2, 8, 5, 5});
  const TensorId w = b.graph().Parameter("w", {8, 8, 3, 3});
  const TensorId counts = Made(Convolution(b.graph(), "conv", ones, w, {.padding = {1, 1, 1, 1}}));
  ExpectPlanAgrees(b.graph(),
                   Made(Formula(b.graph(), "product", "a * b", {{"a", counts}, {"b", x}})));
}

TEST(PlanTest, WeightsComputedFromInputs) {
  Builder b;
  const TensorId x = b.graph().Input("x", {2, 8, 5, 5}), w = b.graph().Input("w", {16, 8, 3, 3});
  ExpectPlanAgrees(b.graph(),
                   Made(Convolution(b.graph(), "conv", x, b.Activation(w, "tanh(x)"), {})));
}

TEST(PlanTest, SecondDerivatives) {
  for (const int64_t window : {2, 3}) {
    Builder b;
    Graph& graph = b.graph();
    const TensorId x = graph.Input("x", {2, 8, 7, 7});
    const TensorId h =
        b.MaxPool(b.Activation(b.BatchNorm(b.Convolution(x, 8, 3)), "tanh(x)"), window, 2);
    const TensorId y =
        b.Convolution(Made(Pad(graph, "pad", h, PadMode::kReflect, {1, 1, 1, 1})), 8, 3);
    const TensorId seed = graph.Input("seed", graph.shape(y));
    // Differentiates a gradient: once the gradient by the image, and once the gradient by the first
    // weight.
    for (const TensorId t : {x, graph.parameters()[0]}) {
      Graph copy = graph;
      const std::vector<TensorId> gradient = Made(VectorJacobianProduct(copy, {y}, {seed}, {t}));
      ExpectPlanAgrees(copy, gradient[0], {.forward_tolerance = 1e-4, .gradient_tolerance = 5e-4});
    }
  }
}

// A restored plan cache (saved times of convolutions, tuner.h) may name implementations that do not
// exist in this process, for example because another build of oneDNN wrote it.
// Returns a text of times in which every line names an implementation that does not exist, and no
// other work during the measurement, so that the tuner does not measure again by itself.
std::string WithImaginaryImplementations(const std::string& times) {
  std::string text;
  for (const absl::string_view line : absl::StrSplit(times, '\n')) {
    std::vector<std::string> fields = absl::StrSplit(line, '\t');
    if (fields.size() == 7) {
      fields[5] = fields[5].substr(0, fields[5].rfind(' ')) + " imaginary";
      fields[6] = "0.00";
    }
    absl::StrAppend(&text, absl::StrJoin(fields, "\t"), "\n");
  }
  return text;
}

TEST(PlanTest, TimesOfWhatCannotBeMadeHereArePassedOver) {
  Builder b;
  const TensorId y = b.Loss(
      b.Linear(b.GlobalAverage(b.Convolution(b.graph().Input("x", {2, 3, 6, 6}), 16, 3)), 10));
  const auto store = Made(ParameterStore::Create(b.graph()));
  Tuner measured(1), misled(1), misled_by_others(1);
  Made(Plan::Compile(b.graph(), {{y}}, *store, measured, {}));
  const std::string text = WithImaginaryImplementations(measured.ToText()),
                    shared = WithImaginaryImplementations(measured.ToShare());
  ASSERT_TRUE(absl::StrContains(text, "imaginary"));
  ASSERT_TRUE(absl::StrContains(shared, "imaginary"));
  misled.Restore(text);
  misled_by_others.RestoreShared(shared);
  for (Tuner* tuner : {&misled, &misled_by_others}) {
    const auto plan = Made(Plan::Compile(b.graph(), {{y}}, *store, *tuner, {}));
    for (const auto& [operation, choice] : plan->choices())
      EXPECT_EQ(choice.find("imaginary"), std::string::npos) << operation;
  }
}

TEST(PlanTest, ConstantWeightsAreMeasuredByThemselves) {
  const auto measured = [](int channels, bool constant) {
    Builder b;
    const TensorId y =
        b.Activation(b.Convolution(b.graph().Input("x", {1, channels, 3, 3}), channels, 3));
    const auto store = Made(ParameterStore::Create(b.graph()));
    Tuner tuner(1);
    PlanOptions options;
    options.constant_parameters = constant;
    Made(Plan::Compile(b.graph(), {{y}}, *store, tuner, options));
    return tuner.ToText();
  };
  EXPECT_FALSE(absl::StrContains(measured(16, false), "weights"));
  EXPECT_TRUE(absl::StrContains(measured(16, true), " constant weights, room 4\t"));
  EXPECT_TRUE(
      absl::StrContains(measured(400, true), " constant weights, room 2\t"));  // 5.5 MiB of weights
  EXPECT_TRUE(absl::StrContains(measured(640, true), " constant weights, room 0\t"));  // 14 MiB
}

// Among equally fast choices, the plan takes the one with which it needs the least memory.
TEST(PlanTest, MemoryDecidesBetweenEquals) {
  Builder b;
  const TensorId y = b.Activation(b.Convolution(b.graph().Input("x", {2, 16, 12, 12}), 16, 3));
  const auto store = Made(ParameterStore::Create(b.graph()));
  Tuner measured(1);
  Made(Plan::Compile(b.graph(), {{y}}, *store, measured, {}));
  const std::string text = measured.ToText();
  const std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  int leanest = 0;
  for (size_t lean = 1; lean < lines.size(); ++lean) {
    std::string told = absl::StrCat(lines[0], "\n");
    std::string choice;
    for (size_t i = 1; i < lines.size(); ++i) {
      std::vector<std::string> fields = absl::StrSplit(lines[i], '\t');
      ASSERT_EQ(fields.size(), 7) << lines[i];
      fields[3] = "1e-3";
      fields[4] = i == lean ? "1024" : "100000000";
      if (i == lean) choice = fields[5];
      absl::StrAppend(&told, absl::StrJoin(fields, "\t"), "\n");
    }
    if (absl::StrContains(choice, " nchw/f32 ")) continue;  // passes cannot read the result
    Tuner tuner(1);
    tuner.Restore(told);
    const auto plan = Made(Plan::Compile(b.graph(), {{y}}, *store, tuner, {}));
    EXPECT_EQ(plan->choices().begin()->second, choice);
    ++leanest;
  }
  EXPECT_GE(leanest, 1);
}

TEST(PlanTest, ConvolutionsPoolWhereTheyCan) {
  Builder b;
  const TensorId x = b.graph().Input("x", {3, 5, 14, 9});
  TensorId y = b.MaxPool(b.Convolution(b.Convolution(x, 16, 3), 24, 3), 2, 2);
  y = b.Loss(b.Linear(b.GlobalAverage(b.Activation(b.BatchNorm(y))), 10));
  std::vector<TensorId> wanted = {y};
  for (TensorId gradient :
       Made(Gradient(b.graph(), y, {b.graph().parameters()[0], b.graph().parameters()[1]})))
    wanted.push_back(gradient);
  const auto store = Made(ParameterStore::Create(b.graph()));
  SplitMix random(1);
  for (int64_t i = 0; i < store->parameter_floats(); ++i)
    store->values()[i] = static_cast<float>(random.Uniform());

  const auto run = [&](Plan& plan) {
    SplitMix images(2);
    for (int64_t i = 0; i < b.graph().shape(x).NumElements(); ++i)
      static_cast<float*>(plan.input(x))[i] = static_cast<float>(images.Uniform());
    for (TensorId t : b.graph().inputs()) {
      if (t != x) std::fill_n(static_cast<int32_t*>(plan.input(t)), 3, 7);
    }
    plan.Run(0);
  };

  PlanOptions winograd;
  const std::string choice =
      absl::StrCat("winograd nhwc/f32 nhwc/f32 wino_4x3:", HasAvx512() ? "avx512" : "avx2");
  for (const char* operation : {"conv2", "conv4"}) {
    for (const char* direction : {"forward", "input_gradient", "weight_gradient"})
      winograd.choices[absl::StrCat(operation, " ", direction)] = choice;
  }

  std::vector<std::vector<float>> results[2];
  int pooled[2] = {};
  for (const bool fast : {false, true}) {
    std::vector<PlanResult> asked;
    for (TensorId t : wanted) asked.push_back({t});
    Tuner tuner(1);
    const auto plan = Made(Plan::Compile(b.graph(), asked, *store, tuner,
                                         fast ? winograd : PlanOptions{.exact = true}));
    for (const Plan::Description& operation : plan->Describe())
      pooled[fast] += absl::EndsWith(operation.kind, ", pooled");
    run(*plan);
    for (TensorId t : wanted)
      results[fast].emplace_back(plan->result(t),
                                 plan->result(t) + b.graph().shape(t).NumElements());
  }
  EXPECT_EQ(pooled[false], 0);
  EXPECT_EQ(pooled[true], HasAvx2() ? 3 : 0);  // forward and both gradients

  // A plan without gradients, which does not store the positions of maxima, gives the same loss.
  Tuner tuner(1);
  const auto forward = Made(Plan::Compile(b.graph(), {{y}}, *store, tuner, winograd));
  run(*forward);
  EXPECT_EQ(*forward->result(y), results[true][0][0]);
  for (size_t i = 0; i < wanted.size(); ++i) {
    double largest = 0;
    for (float value : results[false][i]) largest = std::max<double>(largest, std::abs(value));
    EXPECT_GT(largest, 0);
    for (size_t k = 0; k < results[false][i].size(); ++k)
      EXPECT_NEAR(results[true][i][k], results[false][i][k], 1e-4 * largest) << "result " << i;
  }
}

// With inputs_as_read, images come in the format that their first convolution reads, if that is
// NCHW or NHWC in f32 or bf16, and need not be converted. Results have the same bits as with images
// in NCHW.
TEST(PlanTest, ImagesComeAsTheFirstConvolutionReadsThem) {
  Builder b;
  const TensorId x = b.graph().Input("x", {2, 3, 6, 6});
  const TensorId y = b.Loss(b.Linear(b.GlobalAverage(b.Convolution(x, 16, 3)), 10));
  const TensorId gradient = Made(Gradient(b.graph(), y, {b.graph().parameters()[0]}))[0];
  const auto store = Made(ParameterStore::Create(b.graph()));
  SplitMix random(1);
  for (int64_t i = 0; i < store->parameter_floats(); ++i)
    store->values()[i] = static_cast<float>(random.Uniform());
  std::vector<float> images(b.graph().shape(x).NumElements());
  for (float& value : images) value = static_cast<float>(random.Uniform());

  const auto run = [&](Plan& plan) {
    const Format format = plan.input_format(x);
    tensor::Reorder(b.graph().shape(x), images.data(), tensor::Layout::kNchw, ElementType::kF32,
                    plan.input(x), format.layout, format.type);
    for (TensorId t : b.graph().inputs()) {
      if (t != x) std::fill_n(static_cast<int32_t*>(plan.input(t)), 2, 7);
    }
    plan.Run(0);
    std::vector<float> results = {*plan.result(y)};
    results.insert(results.end(), plan.result(gradient),
                   plan.result(gradient) + b.graph().shape(gradient).NumElements());
    return results;
  };
  const tensor::ConvolutionShape& shape =
      std::find_if(b.graph().nodes().begin(), b.graph().nodes().end(),
                   [](const Node& node) { return node.op == kConvolution; })
          ->as<ConvolutionAttributes>()
          .shape;

  std::set<tensor::Layout> seen;
  for (const ElementType precision : {ElementType::kF32, ElementType::kBf16}) {
    if (precision == ElementType::kBf16 && !tensor::Bf16Available()) continue;
    for (const tensor::ConvolutionChoice& choice :
         tensor::Candidates(shape, tensor::Direction::kForward, precision, /*exact=*/false)) {
      SCOPED_TRACE(choice.ToString());
      Tuner tuner(1);
      PlanOptions options{.precision = precision};
      options.choices["conv2 forward"] = choice.ToString();
      const auto plain = Made(Plan::Compile(b.graph(), {{y}, {gradient}}, *store, tuner, options));
      EXPECT_EQ(plain->input_format(x), Format{});
      options.choices = plain->choices();
      options.inputs_as_read = true;
      const auto as_read =
          Made(Plan::Compile(b.graph(), {{y}, {gradient}}, *store, tuner, options));
      const bool can_be_written =
          choice.in_layout == tensor::Layout::kNchw || choice.in_layout == tensor::Layout::kNhwc;
      const Format read{choice.in_layout, choice.in_type};
      EXPECT_EQ(as_read->input_format(x), can_be_written ? read : Format{});
      seen.insert(as_read->input_format(x).layout);
      EXPECT_EQ(run(*as_read), run(*plain));
    }
  }
  EXPECT_EQ(seen.size(), 2u) << "no choice reads NHWC, or none NCHW";
}

// An input that a pass reads must be given as f32 in NCHW, even with inputs_as_read.
TEST(PlanTest, ImagesThatAPassReadsStayPlain) {
  Builder b;
  const TensorId x = b.graph().Input("x", {2, 16, 6, 6});
  const TensorId y = b.Activation(b.Convolution(x, 16, 3));
  const TensorId sum = Made(Formula(b.graph(), "sum", "x + y", {{"x", x}, {"y", y}}));
  const auto store = Made(ParameterStore::Create(b.graph()));
  Tuner tuner(1);
  const auto plan =
      Made(Plan::Compile(b.graph(), {{sum}}, *store, tuner, {.inputs_as_read = true}));
  EXPECT_EQ(plan->input_format(x), Format{});
}

// With AVX-512, oneDNN computes convolutions with 8 channels per group fast in blocks of 8
// channels, a layout that passes cannot read on such a processor.
TEST(PlanTest, GroupsOfHalfARegister) {
  for (const int64_t groups : {2, 5, 6}) {
    for (const int64_t stride : {1, 2}) {
      SCOPED_TRACE(absl::StrCat(groups, " groups, stride ", stride));
      Builder b;
      const int64_t channels = 8 * groups;
      const TensorId x = b.Convolution(b.graph().Input("x", {4, 3, 3, 3}), channels, 1);
      const TensorId w = b.graph().Parameter("w", {channels, 8, 3, 3});
      const TensorId y = Made(Convolution(b.graph(), "grouped", b.Activation(x), w,
                                          {.stride_height = stride,
                                           .stride_width = stride,
                                           .groups = groups,
                                           .padding = {1, 1, 1, 1}}));
      ExpectPlanAgrees(b.graph(), b.Loss(b.Linear(b.BatchNorm(y), 4)),
                       {.gradient_tolerance = 5e-4, .second_derivatives = false});
    }
  }
}

// Checks a network of ten random operations on images, followed by a loss.
void CheckRandomNetwork(uint64_t seed, AgreementOptions options) {
  SplitMix random(seed);
  Builder b;
  const auto pick = [&](std::vector<int64_t> from) { return from[random.Below(from.size())]; };
  const int64_t extent = pick({6, 7, 9});
  std::vector<TensorId> images = {
      b.graph().Input("x", {pick({2, 3, 5}), pick({3, 8, 16}), extent, extent})};
  for (int i = 0; i < 10; ++i) {
    const TensorId x =
        images[images.size() - 1 - random.Below(std::min<int64_t>(3, images.size()))];
    const Shape shape = b.graph().shape(x);
    TensorId y = x;
    switch (random.Below(9)) {
      case 0:
        y = b.Convolution(x, pick({3, 8, 16, 24}), 3);
        break;
      case 1:
        y = b.Convolution(x, pick({8, 16, 40}), pick({1, 3}), pick({1, 2}));
        break;
      case 2:
        y = b.BatchNorm(x);
        break;
      case 3:
        y = b.Activation(x);
        break;
      case 4:
        y = shape[2] >= 4 ? b.MaxPool(x, 2, 2) : b.Activation(x, "tanh(x)");
        break;
      case 5:
        y = shape[2] >= 4 ? b.MaxPool(x, 3, 2) : b.Activation(x, "x / (1 + abs(x))");
        break;
      case 6:
        y = Made(Slice(b.graph(), "slice", x, shape[1] / 3, (shape[1] + 1) / 2));
        break;
      default: {
        // Adds x to all other images of the same shape, or concatenates all of them.
        std::vector<TensorId> alike = {x};
        for (TensorId other : images) {
          Shape s = b.graph().shape(other);
          if (other != x && s == shape) alike.push_back(other);
        }
        y = i % 2 == 0 ? Made(Add(b.graph(), "sum", alike))
                       : Made(Concat(b.graph(), "concat", alike));
      }
    }
    images.push_back(y);
  }
  std::vector<TensorId> ends;
  for (size_t i = images.size() - 3; i < images.size(); ++i) {
    const TensorId y = b.GlobalAverage(images[i]);
    ends.push_back(
        Made(Reshape(b.graph(), "flat", y, {b.graph().shape(y)[0], b.graph().shape(y)[1]})));
  }
  options.seed = seed;
  // Normalises the features, so that the softmax does not saturate. The curvature of a saturated
  // softmax would be lost in rounding.
  const TensorId features =
      Made(LayerNorm(b.graph(), "normal", Made(Concat(b.graph(), "ends", ends)), 1e-2));
  ExpectPlanAgrees(b.graph(), b.Loss(b.Linear(features, 5)), options);
}

TEST(PlanTest, RandomNetworks) {
  for (uint64_t seed = 1; seed <= 10 && !testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(absl::StrCat("seed ", seed));
    AgreementOptions options = Ways()[seed % 4 == 0];
    options.gradient_tolerance *= 5;
    CheckRandomNetwork(seed, options);
  }
}

}  // namespace
}  // namespace cotangent::layers
