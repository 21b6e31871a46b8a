// Compares every loss with its reference implementation, and values with those of PyTorch.

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/evaluate.h"
#include "base/status_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/graph/vjp.h"
#include "layers/network/network_text.h"
#include "layers/ops/convolution.h"
#include "layers/ops/loss.h"
#include "layers/ops/losses/loss_kind.h"
#include "layers/plan/plan_testing.h"

namespace cotangent::layers {
namespace {

// Reads the text of a loss, such as "hinge {}". The formula, if it is one, lives in one pool for all,
// which is never deleted. `class_weights` replaces those of the text.
LossAttributes LossByText(const std::string& text, std::vector<double> class_weights = {}) {
  const Network network = *ParseNetwork(absl::StrCat("layer { linear {} } loss { ", text, " }"));
  static auto& pool = *new autodiff::symbolic::Pool;
  LossAttributes loss = Made(ParseLoss(network.loss(), 3, pool));
  loss.class_weights = std::move(class_weights);
  return loss;
}

struct LossCase {
  std::string text;
  std::vector<double> class_weights;

  LossAttributes loss() const { return LossByText(text, class_weights); }
  bool accepts_targets() const {
    return class_weights.empty() || loss().image_loss->weights_targets();
  }
};

// Every loss of network.proto with its defaults, and some of them with other settings.
std::vector<LossCase> Losses() {
  const std::vector<double> weights = {1, 0.5, 2, 0.25, 3, 1, 1.5}, nothing(7, 0.0);
  std::vector<LossCase> losses = {{"softmax_cross_entropy { label_smoothing: 0.2 }", {}},
                                  {"softmax_cross_entropy { label_smoothing: 0.1 }", weights},
                                  {"softmax_cross_entropy {}", nothing},
                                  {"softmax_cross_entropy { label_smoothing: 0.1 }", nothing},
                                  {"hinge { margin: 0.5 }", weights},
                                  {"focal { gamma: 0.5 }", weights},
                                  {"focal {}", nothing},
                                  {"huber { delta: 0.3 }", {}},
                                  {"formula { text: \"(prediction - target)^4\" }", {}}};
  const auto& kinds = *Loss::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds.field_count(); ++i) {
    const std::string& name = kinds.field(i)->name();
    if (name != "formula") losses.push_back({name + " {}", {}});
  }
  return losses;
}

TEST(LossTableTest, EveryKindHasCode) {
  const auto& kinds = *Loss::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds.field_count(); ++i) {
    EXPECT_TRUE(HasLoss(static_cast<Loss::KindCase>(kinds.field(i)->number())))
        << "no file of layers/ops/losses/ has a RegisterLoss for " << kinds.field(i)->name();
  }
}

TEST(LossTableDeathTest, ASecondRegistrationEndsTheProgram) {
  EXPECT_DEATH(RegisterLoss(Loss::kHinge, TargetKind::kClass, MakeImageLoss{}),
               "loss hinge is registered twice");
}

TEST(LossTableTest, ClassWeightsAreWrittenAndRead) {
  EXPECT_THAT(LossesWithClassWeights(), testing::Contains("softmax_cross_entropy"));
  Loss text;
  ASSERT_TRUE(HasClassWeights(text));
  SetClassWeights({1, 2, 0.5}, text);
  EXPECT_THAT(text.softmax_cross_entropy().class_weight(), testing::ElementsAre(1, 2, 0.5));
  autodiff::symbolic::Pool pool;
  EXPECT_THAT(ParseLoss(text, 3, pool)->class_weights, testing::ElementsAre(1, 2, 0.5));
  text.mutable_hinge();
  EXPECT_FALSE(HasClassWeights(text));
}

// Formulas ignore weights of classes, so their messages must have none.
TEST(LossTableTest, LossesWithClassWeightsAreNoFormulas) {
  for (const std::string& name : LossesWithClassWeights())
    EXPECT_NE(LossByText(name + " {}").image_loss, nullptr) << name;
}

TEST(LossTest, All) {
  for (const LossCase& c : Losses()) {
    SCOPED_TRACE(c.text);
    Graph graph;
    const TensorId x = graph.Input("x", {5, 12}), labels = graph.Input("labels", {5}),
                   w = graph.Parameter("w", {7, 12});
    ExpectPlanAgrees(
        graph, Made(LossOf(graph, "loss", Made(Linear(graph, "fc", x, w)), labels, c.loss())));
  }
}

// Checks losses with targets [N, K] instead of labels, for those losses that accept targets.
TEST(LossTest, OfTargets) {
  for (const LossCase& c : Losses()) {
    SCOPED_TRACE(c.text);
    Graph graph;
    const TensorId x = graph.Input("x", {5, 12}), w = graph.Parameter("w", {7, 12});
    // The targets are a state, because no derivative by a state is computed.
    const TensorId targets = graph.State("targets", {5, 7});
    const auto loss = LossOf(graph, "loss", Made(Linear(graph, "fc", x, w)), targets, c.loss());
    ASSERT_EQ(loss.ok(), c.accepts_targets());
    if (loss.ok()) ExpectPlanAgrees(graph, *loss);
  }
}

// The expected values are those of cross_entropy and mse_loss of PyTorch 2.14.1, in double, except
// where a comment says otherwise.
TEST(LossTest, OfTargetsIsPyTorchs) {
  float x[6] = {1.5f, -0.25f, 0.75f, -1, 2, 0.5f}, gradient[6], loss;
  const float t[6] = {0.7f, 0.3f, 0, 0, 0.25f, 0.75f};
  const auto expect = [&](const LossAttributes& attributes, double value,
                          const std::vector<double>& slopes) {
    MeanLoss(attributes, {reinterpret_cast<char*>(x), {2, 3}, {}}, {.shares = t}, &loss,
             {reinterpret_cast<char*>(gradient), {2, 3}, {}});
    EXPECT_NEAR(loss, value, 1e-6);
    for (int i = 0; i < 6; ++i) EXPECT_NEAR(gradient[i], slopes[i], 1e-6) << i;
  };
  expect(LossByText(""), 1.194872376,
         {-0.046259219, -0.097217767, 0.143476986, 0.019556287, 0.267798517, -0.287354804});
  expect(LossByText("softmax_cross_entropy { label_smoothing: 0.1 }"), 1.229039042,
         {-0.027925886, -0.098884433, 0.126810319, 0.002889620, 0.263631851, -0.266521471});
  expect(LossByText("softmax_cross_entropy { label_smoothing: 0.1 }", {1, 2, 0.5}), 1.282460005,
         {0.059146472, -0.235420193, 0.176273722, 0.001015476, 0.096821993, -0.097837469});
  expect(LossByText("mean_squared_error {}"), 0.938333333,
         {0.266666667, -0.183333333, 0.25, -0.333333333, 0.583333333, -0.083333333});
  // PyTorch has no focal loss, and its hinge loss (multi_margin_loss) takes only labels. The
  // expected values follow from the definitions of the two losses, computed with PyTorch's
  // functions.
  expect(LossByText("focal { gamma: 2 }"), 0.742211219,
         {0.057767248, -0.149825455, 0.092058206, 0.017982391, 0.345278616, -0.363261007});
  expect(LossByText("hinge { margin: 1 }"), 1.7375, {-0.2, -0.3, 0.5, 0, 0.375, -0.375});
}

// Compares losses with binary_cross_entropy_with_logits, mse_loss, l1_loss and
// huber_loss(delta=0.8) of PyTorch 2.14.1: the expected values are their means, in double, for the
// x and t below. SumLosses() gives the same.
TEST(LossTest, OfLabelsAndNumbersIsPyTorchs) {
  float x[6] = {1.5f, -0.25f, 0.75f, -1, 2, 0.5f};
  const float t[6] = {0.7f, 0.3f, 0, 0, 0.25f, 0.75f};
  const auto expect = [&](const std::string& text, double expected) {
    const LossAttributes loss = LossByText(text);
    double sum = 0;
    for (int i = 0; i < 6; ++i)
      sum += *autodiff::symbolic::Evaluate(loss.formula, {{"a0", x[i]}, {"a1", t[i]}});
    EXPECT_NEAR(sum / 6, expected, 1e-7) << text;
    const LossSums sums = SumLosses(loss, {reinterpret_cast<char*>(x), {2, 3}, {}}, {.shares = t});
    EXPECT_NEAR(sums.loss / sums.weight, expected, 1e-7) << text;
  };
  expect("binary_cross_entropy {}", 0.829748398);
  expect("squared_error {}", 0.938333333);
  expect("absolute_error {}", 0.85);
  expect("huber { delta: 0.8 }", 0.390625);
}

// If all images of a batch have weight 0, the loss and the gradient are 0, not NaN.
TEST(LossTest, OfABatchWithoutWeightIsZero) {
  for (const char* text : {"softmax_cross_entropy { label_smoothing: 0.1 }", "hinge {}",
                           "mean_squared_error {}", "focal {}"}) {
    const LossAttributes attributes = LossByText(text, {1, 0, 0});
    float x[6] = {1, 2, 3, -1, 0, 4}, gradient[6] = {7, 7, 7, 7, 7, 7}, loss = 7;
    const int32_t labels[2] = {1, 2};
    MeanLoss(attributes, {reinterpret_cast<char*>(x), {2, 3}, {}}, {.labels = labels}, &loss,
             {reinterpret_cast<char*>(gradient), {2, 3}, {}});
    EXPECT_EQ(loss, 0);
    EXPECT_THAT(gradient, testing::Each(0.0f));
  }
}

// Passes the gradient of a loss to ExpectPlanAgrees() as the tensor y. ExpectPlanAgrees()
// differentiates y in reverse and in forward mode, and then differentiates the gradient of y once
// more (the Hessian-vector product).
TEST(GradientTest, OfLossesHasDerivatives) {
  for (const LossCase& c : Losses()) {
    // The gradients of these two are constant between their kinks.
    if (absl::StartsWith(c.text, "hinge") || absl::StartsWith(c.text, "absolute_error")) continue;
    SCOPED_TRACE(c.text);
    Graph graph;
    const TensorId x = graph.Input("x", {5, 7}), labels = graph.Input("labels", {5});
    ExpectPlanAgrees(
        graph, Made(Gradient(graph, Made(LossOf(graph, "loss", x, labels, c.loss())), {x}))[0]);
    if (!c.accepts_targets()) continue;
    Graph other;
    const TensorId y = other.Input("x", {5, 7}), targets = other.State("targets", {5, 7});
    ExpectPlanAgrees(
        other, Made(Gradient(other, Made(LossOf(other, "loss", y, targets, c.loss())), {y}))[0]);
  }
}

}  // namespace
}  // namespace cotangent::layers
