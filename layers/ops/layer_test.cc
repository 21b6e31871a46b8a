// Tests operations with their options. Compares the values of a plan (a graph compiled for this
// machine) with the reference (plain loops in double, layers/graph/reference.h), and derivatives
// with those that reverse mode gives through the loops of the reference.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/status_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/graph/graph.h"
#include "layers/graph/jvp.h"
#include "layers/graph/operation.h"
#include "layers/graph/vjp.h"
#include "layers/ops/average_pool.h"
#include "layers/ops/batch_norm.h"
#include "layers/ops/concat.h"
#include "layers/ops/convolution.h"
#include "layers/ops/dropout.h"
#include "layers/ops/elementwise.h"
#include "layers/ops/layer_norm.h"
#include "layers/ops/max_pool.h"
#include "layers/ops/pad.h"
#include "layers/ops/reshape.h"
#include "layers/ops/softmax.h"
#include "layers/ops/sums.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::layers {
namespace {

struct ConvolutionCase {
  int64_t batch, in_channels, out_channels, height, width, kernel_height, kernel_width;
  ConvolutionOptions options;
};

void PrintTo(const ConvolutionCase& c, std::ostream* out) {
  *out << c.batch << "x" << c.in_channels << "x" << c.height << "x" << c.width << " -> "
       << c.out_channels << ", kernel " << c.kernel_height << "x" << c.kernel_width;
}

class ConvolutionTest : public testing::TestWithParam<ConvolutionCase> {};

void CheckConvolution(const ConvolutionCase& c, const AgreementOptions& agreement) {
  Graph graph;
  const TensorId x = graph.Input("x", {c.batch, c.in_channels, c.height, c.width});
  const TensorId w = graph.Parameter(
      "w", {c.out_channels, c.in_channels / c.options.groups, c.kernel_height, c.kernel_width});
  const TensorId bias = graph.Parameter("bias", {c.out_channels});
  const TensorId y =
      Made(AddBias(graph, "bias", Made(Convolution(graph, "conv", x, w, c.options)), bias));
  ExpectPlanAgrees(graph, y, agreement);
}

TEST_P(ConvolutionTest, Exact) { CheckConvolution(GetParam(), {}); }
TEST_P(ConvolutionTest, Fast) {
  // Winograd's algorithm is less precise than other convolutions, so the tolerance is larger.
  CheckConvolution(GetParam(), {.exact = false, .threads = 2, .forward_tolerance = 1e-4});
}
TEST_P(ConvolutionTest, Bf16) { CheckConvolution(GetParam(), InBf16()); }

INSTANTIATE_TEST_SUITE_P(
    All, ConvolutionTest,
    testing::Values(
        ConvolutionCase{2, 3, 8, 6, 7, 3, 3, {}},                          // no padding
        ConvolutionCase{2, 3, 24, 6, 5, 3, 3, {.padding = {1, 1, 1, 1}}},  // padding SAME
        ConvolutionCase{
            3, 16, 40, 6, 6, 3, 3, {.padding = {1, 1, 1, 1}}},  // Winograd's algorithm applies
        ConvolutionCase{2, 8, 64, 5, 5, 1, 1, {}},              // pointwise
        ConvolutionCase{
            2, 8, 8, 8, 8, 2, 2, {.padding = {0, 1, 0, 1}}},  // padding SAME, even kernel
        ConvolutionCase{2,
                        16,
                        8,
                        9,
                        8,
                        3,
                        5,
                        {.stride_height = 2,
                         .stride_width = 3,
                         .padding = {1, 0, 2, 1}}},  // padding by sides, strided
        ConvolutionCase{1,
                        8,
                        16,
                        9,
                        9,
                        3,
                        3,
                        {.dilation_height = 2, .dilation_width = 3, .padding = {2, 2, 3, 3}}},
        ConvolutionCase{2, 16, 24, 5, 5, 3, 3, {.groups = 8, .padding = {1, 1, 1, 1}}},
        ConvolutionCase{2,
                        24,
                        24,
                        5,
                        5,
                        3,
                        3,
                        {.stride_height = 2,
                         .stride_width = 2,
                         .groups = 24,
                         .padding = {1, 1, 1, 1}}},  // depthwise
        ConvolutionCase{4, 3, 3, 1, 1, 1, 1, {}},
        ConvolutionCase{2, 16, 16, 1, 1, 3, 3, {.padding = {1, 1, 1, 1}}},
        ConvolutionCase{1, 3, 16, 7, 7, 7, 7, {.padding = {3, 3, 3, 3}}}));

struct TransposedCase {
  int64_t in_channels, out_channels, kernel;
  ConvolutionOptions options;
  int64_t output_padding_height, output_padding_width;
};

class TransposedConvolutionTest : public testing::TestWithParam<TransposedCase> {};

TEST_P(TransposedConvolutionTest, Agrees) {
  const TransposedCase& c = GetParam();
  for (const AgreementOptions& agreement : {AgreementOptions{}, InBf16()}) {
    Graph graph;
    const TensorId x = graph.Input("x", {2, c.in_channels, 4, 5});
    const TensorId w = graph.Parameter(
        "w", {c.in_channels, c.out_channels / c.options.groups, c.kernel, c.kernel});
    ExpectPlanAgrees(graph,
                     Made(TransposedConvolution(graph, "up", x, w, c.options,
                                                c.output_padding_height, c.output_padding_width)),
                     agreement);
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, TransposedConvolutionTest,
    testing::Values(
        TransposedCase{8, 3, 3, {}, 0, 0},
        TransposedCase{16, 8, 2, {.stride_height = 2, .stride_width = 2}, 0, 0},
        TransposedCase{
            8, 16, 3, {.stride_height = 2, .stride_width = 2, .padding = {1, 1, 1, 1}}, 1, 1},
        TransposedCase{8, 8, 3, {.groups = 4, .padding = {1, 1, 1, 1}}, 0, 0},
        TransposedCase{8, 8, 3, {.dilation_height = 2, .dilation_width = 2}, 0, 0},
        // No kernel position reaches the last rows or columns of the next three results.
        TransposedCase{3, 4, 2, {.stride_height = 2, .stride_width = 2}, 1, 1},
        TransposedCase{3, 4, 1, {.stride_height = 3, .stride_width = 3}, 2, 0},
        TransposedCase{
            8, 8, 3, {.stride_height = 2, .stride_width = 4, .padding = {1, 0, 1, 1}}, 1, 3},
        // The output padding of the height is larger than the stride but smaller than the dilation.
        TransposedCase{
            4, 8, 3, {.dilation_height = 3, .dilation_width = 3, .padding = {0, 1, 1, 0}}, 2, 1},
        TransposedCase{5,
                       6,
                       3,
                       {.stride_height = 2,
                        .stride_width = 2,
                        .dilation_height = 2,
                        .dilation_width = 2,
                        .padding = {2, 2, 2, 2}},
                       1,
                       1},
        TransposedCase{8,
                       16,
                       2,
                       {.stride_height = 2,
                        .stride_width = 2,
                        .dilation_height = 2,
                        .dilation_width = 2,
                        .padding = {2, 2, 2, 2}},
                       0,
                       0}));

TEST(LinearTest, OfFeaturesAndImages) {
  for (const AgreementOptions& agreement :
       {AgreementOptions{}, AgreementOptions{.threads = 2}, InBf16()}) {
    for (const Shape& shape :
         {Shape{5, 40}, Shape{3, 8, 4, 4}, Shape{2, 3, 5, 4}, Shape{2, 24, 1, 1}}) {
      Graph graph;
      const TensorId x = graph.Input("x", shape),
                     w = graph.Parameter("w", {10, shape.NumElements() / shape[0]}),
                     bias = graph.Parameter("b", {10});
      ExpectPlanAgrees(graph, Made(AddBias(graph, "fc", Made(Linear(graph, "fc", x, w)), bias)),
                       agreement);
    }
  }
}

struct PoolCase {
  Shape shape;
  PoolWindow window;
};

void PrintTo(const PoolCase& c, std::ostream* out) {
  *out << c.shape.ToString() << " window " << c.window.height << "x" << c.window.width;
}

class PoolTest : public testing::TestWithParam<PoolCase> {};

void CheckPool(const PoolCase& c, bool is_max, const AgreementOptions& agreement) {
  Graph graph;
  const TensorId x = graph.Input("x", c.shape);
  ExpectPlanAgrees(graph,
                   is_max ? Made(MaxPool(graph, "pool", x, c.window)).value
                          : Made(AveragePool(graph, "pool", x, c.window)),
                   agreement);
}

TEST_P(PoolTest, Max) { CheckPool(GetParam(), true, {}); }
TEST_P(PoolTest, Average) { CheckPool(GetParam(), false, {.threads = 2}); }
TEST_P(PoolTest, AverageOfTruePixels) {
  auto c = GetParam();
  c.window.count_padding = false;
  CheckPool(c, false, {});
}

INSTANTIATE_TEST_SUITE_P(
    All, PoolTest,
    testing::Values(PoolCase{Shape{2, 8, 6, 6}, PoolWindow{2, 2, 2, 2}},
                    PoolCase{Shape{2, 24, 31, 31},
                             PoolWindow{2, 2, 2, 2}},  // no window covers the last row and column
                    PoolCase{Shape{1, 3, 5, 7}, PoolWindow{2, 2, 2, 2}},
                    PoolCase{Shape{1, 16, 7, 7}, PoolWindow{3, 3, 3, 3}},
                    PoolCase{Shape{1, 16, 7, 8}, PoolWindow{3, 3, 2, 2, {1, 1, 1, 1}}},
                    PoolCase{Shape{1, 8, 6, 7}, PoolWindow{2, 3, 1, 2, {1, 0, 0, 1}}},
                    PoolCase{Shape{1, 8, 9, 6}, PoolWindow{2, 2, 3, 3}},  // gaps between windows
                    PoolCase{Shape{3, 16, 4, 5},
                             PoolWindow{4, 5, 1, 1}},  // one window over the whole image
                    PoolCase{Shape{2, 8, 6, 5}, PoolWindow{2, 1, 2, 1}},
                    PoolCase{Shape{2, 3, 20, 17},
                             PoolWindow{20, 17, 20, 17}},  // a position does not fit into a byte
                    PoolCase{Shape{1, 2, 24, 20}, PoolWindow{18, 17, 3, 2, {1, 2, 3, 0}}},
                    PoolCase{Shape{2, 8, 3, 5}, PoolWindow{1, 1, 1, 1}},  // nothing to pool
                    PoolCase{Shape{2, 8, 1, 1}, PoolWindow{1, 1, 1, 1}},
                    PoolCase{Shape{2, 3, 1, 1}, PoolWindow{1, 1, 2, 3}},
                    PoolCase{Shape{2, 3, 5, 4}, PoolWindow{1, 1, 2, 3}}));

// Applies two poolings in windows of 1x1 pixels, one after the other. Before them, and likewise
// after them, stands nothing, a formula, a convolution or a batch normalisation.
TEST(PoolTest, OfOneCellAmongPasses) {
  const auto after = [](Graph& graph, int kind, TensorId x) -> TensorId {
    const int64_t channels = graph.shape(x)[1];
    const auto parameter = [&](const char* name) {
      return graph.Parameter(absl::StrCat(name, graph.num_tensors()), {channels});
    };
    switch (kind) {
      case 0:
        return x;
      case 1:
        return Made(Formula(graph, "act", "x / (1 + exp(-x))", {{"x", x}}));
      case 2:
        return Made(Convolution(
            graph, "conv", x,
            graph.Parameter(absl::StrCat("w", graph.num_tensors()), {8, channels, 1, 1}), {}));
      default: {
        const auto state = [&](const char* name) {
          return graph.State(absl::StrCat(name, graph.num_tensors()), {channels});
        };
        return Made(
            BatchNorm(graph, "bn", x,
                      {parameter("scale"), parameter("shift"), state("mean"), state("variance")}));
      }
    }
  };
  for (const AgreementOptions& agreement : {AgreementOptions{}, InBf16()}) {
    for (const int64_t extent : {1, 3}) {
      for (int kind = 0; kind < 32; ++kind) {
        SCOPED_TRACE(absl::StrCat("extent ", extent, ", kind ", kind));
        const bool is_max = kind % 2 == 0;
        if (kind / 2 % 4 == 3 && kind / 8 == 3)
          continue;  // after two normalisations rounding errors dominate the gradient
        Graph graph;
        TensorId x = after(graph, kind / 2 % 4, graph.Input("x", {5, 8, extent, extent}));
        for (int i = 0; i < 2; ++i)
          x = is_max ? Made(MaxPool(graph, "pool", x, {1, 1, 1, 1})).value
                     : Made(AveragePool(graph, "pool", x, {1, 1, 1, 1}));
        ExpectPlanAgrees(graph, after(graph, kind / 8, x), agreement);
      }
    }
  }
}

// Pools tensors of 5x5 and 4x4 pixels in windows of 2x2. Both results have 2x2 pixels.
TEST(PoolTest, EqualResultsOfUnequalImages) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 8, 5, 5});
  const auto pooled = [&](TensorId t) {
    return Made(MaxPool(graph, "pool", Made(Formula(graph, "act", "tanh(x)", {{"x", t}})),
                        {2, 2, 2, 2}))
        .value;
  };
  ExpectPlanAgrees(
      graph,
      Made(Add(graph, "sum",
               {pooled(x), pooled(Made(Pad(graph, "crop", x, PadMode::kZeros, {-1, 0, 0, -1})))})));
}

// Computes the average and the maximum over the same image of four pixels, and combines them.
TEST(PoolTest, MaximumAndAverageTogether) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 8, 2, 2}),
                 h = Made(Formula(graph, "act", "x * tanh(x)", {{"x", x}}));
  const TensorId y = Made(MaxPool(graph, "max", h, {2, 2, 2, 2})).value,
                 z = Made(AveragePool(graph, "average", h, {2, 2, 2, 2}));
  ExpectPlanAgrees(graph, Made(Formula(graph, "product", "tanh(y) * z", {{"y", y}, {"z", z}})));
}

TEST(PadTest, AllModes) {
  for (const PadMode mode : {PadMode::kZeros, PadMode::kCircular, PadMode::kReflect}) {
    for (const Padding& padding :
         {Padding{1, 1, 1, 1}, Padding{0, 2, 3, 1}, Padding{-1, 2, 1, -1}}) {
      Graph graph;
      const TensorId x = graph.Input("x", {2, 3, 4, 5});
      ExpectPlanAgrees(graph, Made(Pad(graph, "pad", x, mode, padding)));
    }
  }
}

TEST(PadTest, BeforeConvolution) {
  for (const PadMode mode : {PadMode::kCircular, PadMode::kReflect}) {
    for (const AgreementOptions& agreement : {AgreementOptions{.threads = 2}, InBf16()}) {
      Graph graph;
      const TensorId x = graph.Input("x", {2, 8, 5, 5}), w = graph.Parameter("w", {16, 8, 3, 3});
      const TensorId h = Made(Formula(graph, "act", "x * sigmoid(x)", {{"x", x}}));
      ExpectPlanAgrees(
          graph,
          Made(Convolution(graph, "conv", Made(Pad(graph, "pad", h, mode, {1, 1, 1, 1})), w, {})),
          agreement);
    }
  }
}

struct BatchNormCase {
  Shape shape;
  bool scale, shift, training;
};

void PrintTo(const BatchNormCase& c, std::ostream* out) {
  *out << c.shape.ToString() << (c.scale ? " scale" : "") << (c.shift ? " shift" : "")
       << (c.training ? " training" : "");
}

class BatchNormTest : public testing::TestWithParam<BatchNormCase> {};

void CheckBatchNorm(const BatchNormCase& c, bool after_convolution, AgreementOptions agreement) {
  Graph graph;
  const int64_t channels = c.shape[1];
  TensorId x = graph.Input("x", c.shape);
  if (after_convolution)
    x = Made(Convolution(graph, "conv", x, graph.Parameter("w", {channels, channels, 1, 1}), {}));
  BatchNormOptions options{.running_mean = graph.State("bn.running_mean", {channels}),
                           .running_variance = graph.State("bn.running_var", {channels}),
                           .epsilon = 1e-3,
                           .momentum = 0.3,
                           .training = c.training};
  if (c.scale) options.scale = graph.Parameter("bn.weight", {channels});
  if (c.shift) options.shift = graph.Parameter("bn.bias", {channels});
  ExpectPlanAgrees(graph, Made(BatchNorm(graph, "bn", x, options)), agreement);
}

TEST_P(BatchNormTest, OfInput) { CheckBatchNorm(GetParam(), false, {}); }
TEST_P(BatchNormTest, AfterConvolution) {
  if (GetParam().shape.rank() == 4) CheckBatchNorm(GetParam(), true, {.threads = 2});
}
TEST_P(BatchNormTest, Bf16) {
  if (GetParam().shape.rank() == 4) CheckBatchNorm(GetParam(), true, InBf16());
}

INSTANTIATE_TEST_SUITE_P(All, BatchNormTest,
                         testing::Values(BatchNormCase{{3, 8, 4, 4}, true, true, true},
                                         BatchNormCase{{3, 8, 4, 4}, false, true, true},
                                         BatchNormCase{{3, 3, 4, 5}, true, false, true},
                                         BatchNormCase{{2, 24, 3, 3}, false, false, true},
                                         BatchNormCase{{3, 16, 4, 4}, true, true, false},
                                         BatchNormCase{{3, 8, 4, 4}, false, false, false},
                                         BatchNormCase{{6, 12}, true, true, true},
                                         BatchNormCase{{5, 40, 1, 1}, true, true, true}));

TEST(LayerNormTest, WithAndWithoutScaleAndShift) {
  for (const bool affine : {false, true}) {
    for (const Shape& shape : {Shape{3, 8, 4, 5}, Shape{4, 24}}) {
      Graph graph;
      TensorId y = Made(LayerNorm(graph, "ln", graph.Input("x", shape), 1e-3));
      if (affine) {
        y = Made(Formula(graph, "ln", "x * scale + shift",
                         {{"x", y},
                          {"scale", graph.Parameter("ln.weight", {shape[1]})},
                          {"shift", graph.Parameter("ln.bias", {shape[1]})}}));
      }
      ExpectPlanAgrees(graph, y);
    }
  }
}

TEST(LayerNormTest, OfPixels) {
  for (const AgreementOptions& options : {AgreementOptions{.threads = 2}, InBf16()}) {
    for (const Shape& shape : {Shape({2, 5, 3, 4}), Shape({3, 24, 1, 1}), Shape({2, 1, 2, 2})}) {
      Graph graph;
      const TensorId x = graph.Input("x", shape);
      ExpectPlanAgrees(graph, Made(PixelNorm(graph, "norm", x, 0.1)), options);
    }
  }
}

TEST(DropoutTest, DropsAndScales) {
  for (const AgreementOptions& agreement :
       {AgreementOptions{}, AgreementOptions{.threads = 2}, InBf16()}) {
    for (const Shape& shape : {Shape{3, 8, 4, 5}, Shape{4, 24}}) {
      Graph graph;
      const TensorId x = graph.Input("x", shape);
      const TensorId mask = Made(DropoutMask(graph, "drop", x, 0.4));
      ExpectPlanAgrees(graph, Made(Formula(graph, "drop", "x * mask", {{"x", x}, {"mask", mask}})),
                       agreement);
    }
  }
}

TEST(ReshapeTest, FlattensInRowMajorOrder) {
  for (const AgreementOptions& agreement : {AgreementOptions{}, InBf16()}) {
    Graph graph;
    const TensorId x = graph.Input("x", {2, 3, 4, 5}), w = graph.Parameter("w", {7, 60});
    const TensorId flat =
        Made(Reshape(graph, "flat", Made(Formula(graph, "act", "tanh(x)", {{"x", x}})), {2, 60}));
    ExpectPlanAgrees(graph, Made(Linear(graph, "fc", flat, w)), agreement);
  }
}

TEST(ReshapeTest, FromImagesToImages) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 3, 4, 5});
  ExpectPlanAgrees(
      graph, Made(Reshape(graph, "reshape", Made(Formula(graph, "act", "tanh(x)", {{"x", x}})),
                          {2, 6, 5, 2})));
}

TEST(AddTest, OfTwoAndThree) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 8, 3, 3}), a = graph.Input("a", {2, 8, 3, 3}),
                 b = graph.Input("b", {2, 8, 3, 3});
  ExpectPlanAgrees(graph, Made(Add(graph, "sum", {x, a, b, x})));
}

TEST(ConcatTest, OfOddChannels) {
  for (const AgreementOptions& agreement : {AgreementOptions{.threads = 2}, InBf16()}) {
    Graph graph;
    const TensorId x = graph.Input("x", {2, 3, 4, 4}), a = graph.Input("a", {2, 8, 4, 4}),
                   w = graph.Parameter("w", {16, 14, 3, 3});
    const TensorId joined = Made(Concat(graph, "concat", {x, a, x}));
    ExpectPlanAgrees(graph, Made(Convolution(graph, "conv", joined, w, {})), agreement);
  }
}

TEST(ConcatTest, OfFeatures) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 3}), a = graph.Input("a", {2, 8});
  ExpectPlanAgrees(graph, Made(Concat(graph, "concat", {x, a})));
}

// Joins and slices vectors, which hold one value per channel.
TEST(ConcatTest, OfVectors) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 3, 3, 3}), a = graph.Parameter("a", {3}),
                 b = graph.Parameter("b", {4});
  const TensorId joined = Made(Concat(graph, "concat", {a, b}));
  const TensorId part = Made(Slice(graph, "slice", joined, 2, 3));
  ExpectPlanAgrees(graph, Made(Formula(graph, "y", "x * s * s", {{"x", x}, {"s", part}})));
}

// Uses tensors that a plan stores inside the wider tensor into which they are joined: parts that
// are joined twice, sliced, and normalised one by one.
TEST(ConcatTest, OfWhatPassesMake) {
  for (const AgreementOptions& agreement : {AgreementOptions{.threads = 2}, InBf16()}) {
    Graph graph;
    const TensorId x = graph.Input("x", {3, 5, 4, 3});
    const auto act = [&](TensorId t, const char* formula) {
      return Made(Formula(graph, "act", formula, {{"x", t}}));
    };
    const TensorId w = graph.Parameter("w", {6, 5, 3, 3});
    const TensorId conv = Made(Convolution(graph, "conv", x, w, {.padding = {1, 1, 1, 1}}));
    const TensorId first = Made(Concat(graph, "first", {act(x, "x * x"), act(conv, "tanh(x)")}));
    const TensorId all = Made(Concat(graph, "all", {act(conv, "sin(x)"), first, conv}));
    const auto state = [&](const char* name) {
      return graph.State(absl::StrCat(name, graph.num_tensors()), {graph.shape(all)[1]});
    };
    const TensorId scale = graph.Parameter("scale", {23}), shift = graph.Parameter("shift", {23});
    const TensorId normalised =
        Made(BatchNorm(graph, "bn", all, {scale, shift, state("mean"), state("variance")}));
    const TensorId part = Made(Slice(graph, "slice", normalised, 3, 12));
    ExpectPlanAgrees(graph, act(part, "x * x"), agreement);
  }
}

TEST(SliceTest, OfChannels) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 8, 3, 4});
  ExpectPlanAgrees(graph, Made(Slice(graph, "slice", x, 2, 5)));
}

TEST(SoftmaxTest, OfFeatures) {
  Graph graph;
  const TensorId x = graph.Input("x", {4, 11}), w = graph.Parameter("w", {11, 11});
  ExpectPlanAgrees(graph, Made(Softmax(graph, "softmax", Made(Linear(graph, "fc", x, w)))));
}

class ActivationTest : public testing::TestWithParam<std::string> {};

void CheckActivation(const std::string& formula, const AgreementOptions& agreement) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 8, 7, 5}), w = graph.Parameter("w", {8, 8, 1, 1});
  const TensorId h = Made(Convolution(graph, "conv", x, w, {}));
  ExpectPlanAgrees(graph, Made(Formula(graph, "act", formula, {{"x", h}})), agreement);
}

TEST_P(ActivationTest, Agrees) { CheckActivation(GetParam(), {}); }
TEST_P(ActivationTest, Bf16) { CheckActivation(GetParam(), InBf16()); }

INSTANTIATE_TEST_SUITE_P(All, ActivationTest,
                         testing::Values("max(0, x)", "select(0, x, x, 0.01 * x)",
                                         "select(0, x, x, 1.3 * expm1(x))",
                                         "x * (1 + erf(x / sqrt(2))) / 2",
                                         "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2",
                                         "x * sigmoid(x)", "sigmoid(x)", "tanh(x)", "softplus(x)",
                                         "x / (1 + abs(x))", "x * min(max(x + 3, 0), 6) / 6",
                                         "sin(3 * x) * exp(-x^2)"));

// If the tangent of one output of an operation is given, it is kept, although the operation's rule,
// which has to make the tangent of the other output, makes one for this output too.
TEST(TangentTest, GivenForOneOfTwoOutputs) {
  Graph graph;
  const TensorId x = graph.Input("x", {2, 3, 2, 2}), along = graph.Input("along", {2, 3, 2, 2}),
                 along_mean = graph.Input("along_mean", {3});
  const MomentsResult moments = Made(Moments(graph, "moments", x));
  const std::vector<TensorId> tangents = Made(JacobianVectorProduct(
      graph, {moments.mean, moments.variance}, {x, moments.mean}, {along, along_mean}));
  EXPECT_EQ(tangents[0], along_mean);
  EXPECT_NE(tangents[1], kNoTensor);
}

TEST(GradientTest, OfLayerNormAndSoftmaxHasDerivatives) {
  for (const bool softmax : {false, true}) {
    Graph graph;
    const TensorId x = graph.Input("x", {3, 12}), seed = graph.Input("seed", {3, 12});
    const TensorId y =
        softmax ? Made(Softmax(graph, "softmax", x)) : Made(LayerNorm(graph, "ln", x, 1e-3));
    ExpectPlanAgrees(graph, Made(VectorJacobianProduct(graph, {y}, {seed}, {x}))[0]);
  }
}

}  // namespace
}  // namespace cotangent::layers
