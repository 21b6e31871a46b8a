// Tests derivatives of whole networks (network_function.h). Forward mode is compared with dual
// numbers in double, and reverse mode with forward mode; Hessians are checked by their symmetry and
// by differences. Other tests check that CheckNetwork() reports wrong derivatives and raises no
// false alarms.

#include "layers/network/network_function.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "autodiff/forward/dual.h"
#include "autodiff/forward/functions.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/graph/reference.h"
#include "layers/network/initialize.h"
#include "layers/network/network_check.h"
#include "layers/network/network_text.h"
#include "layers/zoo/zoo.h"

namespace cotangent::layers {
namespace {

using testing::HasSubstr;

// A network with many kinds of layers.
constexpr char kAllLayers[] = R"text(
input { channels: 3 height: 12 width: 12 classes: 5 }
layer { name: "conv1" convolution { channels: 8 kernel: 3 pad: 1 } }
layer { name: "bn1" batch_norm {} }
layer { name: "act1" activation { kind: GELU } }
layer { name: "conv2" convolution { channels: 8 kernel: 3 pad: 1 groups: 4 padding_mode: REFLECT bias: false } }
layer { name: "act2" activation { formula: "x / (1 + abs(x))" } }
layer { name: "add" input: "act2" input: "act1" add {} }
layer { name: "drop" dropout { rate: 0.2 } }
layer { name: "pool" max_pool { kernel: 2 } }
layer { name: "overlapping" max_pool { kernel: 3 stride: 1 pad: 1 } }
layer { name: "average" input: "pool" average_pool { kernel: 3 stride: 1 pad: 1 } }
layer { name: "concat" input: "overlapping" input: "average" concat {} }
layer { name: "ln" layer_norm {} }
layer { name: "up" transposed_convolution { channels: 6 kernel: 2 stride: 2 } }
layer { name: "circular" pad { pad: 1 mode: CIRCULAR } }
layer { name: "relu" activation { kind: RELU } }
layer { name: "global" global_average_pool {} }
layer { name: "fc1" linear { features: 9 } }
layer { name: "probabilities" softmax {} }
layer { name: "fc2" linear {} }
)text";

std::unique_ptr<NetworkFunction> FunctionOf(const absl::StatusOr<Network>& network,
                                            const NetworkFunctionOptions& options = {}) {
  static Tuner& tuner = *new Tuner(1);
  EXPECT_TRUE(network.ok()) << network.status();
  auto function = NetworkFunction::Create(*network, tuner, options);
  EXPECT_TRUE(function.ok()) << function.status();
  (*function)->SetToRandomPoint(7);
  return *std::move(function);
}

std::unique_ptr<NetworkFunction> FunctionOf(const std::string& text,
                                            const NetworkFunctionOptions& options = {}) {
  return FunctionOf(ParseNetwork(text), options);
}

NetworkVector RandomDirection(const NetworkFunction& function, const std::string& name) {
  NetworkVector direction = function.Zero();
  for (auto* part : {&direction.parameters, &direction.images}) {
    const RandomStream random(1, absl::StrCat(name, part->size()));
    for (size_t i = 0; i < part->size(); ++i)
      (*part)[i] = static_cast<float>(0.1 * random.Normal(i));
  }
  return direction;
}

double Dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}
double Dot(const NetworkVector& a, const NetworkVector& b) {
  return Dot(a.parameters, b.parameters) + Dot(a.images, b.images);
}
double Norm(const NetworkVector& a) { return std::sqrt(Dot(a, a)); }

// Checks that <u, J v> = <J^T u, v>, that the slope of the loss along v is <gradient, v>, and that
// <u, H v> = <v, H u>.
void ExpectDuality(NetworkFunction& function) {
  const NetworkVector u = RandomDirection(function, "u"), v = RandomDirection(function, "v");
  const auto along = function.Jvp(v);
  ASSERT_TRUE(along.ok()) << along.status();
  std::vector<float> cotangent;
  for (size_t i = 0; i < along->prediction.size(); ++i)
    cotangent.push_back(std::sin(static_cast<float>(i) + 1));
  const auto pulled_back = function.Vjp(cotangent), gradient = function.Gradient(),
             hessian_u = function.Hvp(u), hessian_v = function.Hvp(v);
  ASSERT_TRUE(pulled_back.ok() && gradient.ok() && hessian_u.ok() && hessian_v.ok())
      << hessian_u.status();
  EXPECT_GT(std::abs(along->loss), 0);
  EXPECT_GT(Norm(*hessian_v), 0);
  // The slope along a random direction is about the length of the direction times the root mean
  // square of the gradient's entries.
  const double numbers = static_cast<double>(u.parameters.size() + u.images.size());
  const auto expect_near = [&](double a, double b, double norm) {
    EXPECT_NEAR(a, b, 2e-3 * norm * Norm(v) / std::sqrt(numbers));
  };
  expect_near(Dot(cotangent, along->prediction), Dot(*pulled_back, v), Norm(*pulled_back));
  expect_near(along->loss, Dot(*gradient, v), Norm(*gradient));
  expect_near(Dot(u, *hessian_v), Dot(v, *hessian_u), Norm(*hessian_v));
}

TEST(NetworkFunctionTest, ForwardModeIsThatOfDualNumbers) {
  const auto function = FunctionOf(kAllLayers);
  const NetworkVector v = RandomDirection(*function, "v");
  const auto value = function->Value(), along = function->Jvp(v);
  const auto masks = function->DropoutMasks();
  const auto hessian_product = function->Hvp(v);
  ASSERT_TRUE(value.ok() && along.ok() && masks.ok() && hessian_product.ok());

  const BuiltNetwork& network = function->network();
  ReferenceEvaluator<Dual> reference(network.graph);
  const auto give = [&](TensorId t, const float* values, const float* tangents, int64_t count) {
    std::vector<Dual> duals(values, values + count);
    for (int64_t i = 0; i < count; ++i) duals[i].tangent[0] = tangents[i];
    reference.Give(t, duals);
  };
  const NetworkVector& point = function->point();
  for (size_t k = 0; k < function->parameters().size(); ++k) {
    const NetworkFunction::Part& part = function->parameters()[k];
    give(function->leaves()[k], &point.parameters[part.offset], &v.parameters[part.offset],
         part.size);
  }
  give(network.images, point.images.data(), v.images.data(),
       static_cast<int64_t>(point.images.size()));
  reference.GiveLabels(network.labels, {function->labels().begin(), function->labels().end()});
  for (const auto& [t, mask] : *masks)
    reference.Give(t, std::vector<Dual>(mask.begin(), mask.end()));
  std::vector<TensorId> wanted = {network.loss, network.prediction};
  wanted.insert(wanted.end(), function->gradients().begin(), function->gradients().end());
  ASSERT_TRUE(reference.Compute(wanted).ok());

  EXPECT_NEAR(value->loss, reference.values(network.loss)[0].value, 1e-5);
  EXPECT_NEAR(along->loss, reference.values(network.loss)[0].tangent[0],
              1e-4 * std::abs(along->loss) + 1e-6);
  for (size_t i = 0; i < along->prediction.size(); ++i) {
    EXPECT_NEAR(value->prediction[i], reference.values(network.prediction)[i].value, 1e-5);
    EXPECT_NEAR(along->prediction[i], reference.values(network.prediction)[i].tangent[0], 1e-4);
  }
  // The ReferenceEvaluator, run on the gradient's graph with dual numbers, also gives the Hessian
  // times v.
  double off = 0, norm = 0;
  for (size_t k = 0; k < function->parameters().size(); ++k) {
    const NetworkFunction::Part& part = function->parameters()[k];
    for (int64_t i = 0; i < part.size; ++i) {
      const double expected = reference.values(function->gradients()[k])[i].tangent[0];
      off += std::pow(hessian_product->parameters[part.offset + i] - expected, 2),
          norm += expected * expected;
    }
  }
  EXPECT_LT(std::sqrt(off), 1e-3 * std::sqrt(norm));
}

TEST(NetworkFunctionTest, DualityOfTheZoo) {
  for (const std::string& name : ZooNames()) {
    SCOPED_TRACE(name);
    const absl::StatusOr<Network> network = FindNetwork(name);
    ASSERT_TRUE(network.ok()) << network.status();
    // Large images are skipped: with 224x224 pixels a network takes a minute, and after 53
    // normalised layers rounding in f32 changes slopes by up to 1%.
    if (network->input().height() > 64) continue;
    ExpectDuality(*FunctionOf(network));
  }
}

TEST(NetworkFunctionTest, DualityInEvaluation) {
  ExpectDuality(*FunctionOf(kAllLayers, {.training = false}));
}

TEST(NetworkFunctionTest, SameAnswersAtEveryCall) {
  const auto function = FunctionOf(kAllLayers);
  const NetworkVector v = RandomDirection(*function, "v");
  const auto first = function->Hvp(v);
  ASSERT_TRUE(function->Hvp(function->Zero()).ok() && function->Value().ok());
  EXPECT_EQ(function->Hvp(v)->parameters, first->parameters);
  EXPECT_EQ(Norm(*function->Hvp(function->Zero())), 0);
}

TEST(NetworkFunctionTest, WhatDoesNotFitIsAnError) {
  const auto function = FunctionOf("layer { linear {} }");
  const auto message = [](const absl::Status& status) { return std::string(status.message()); };
  EXPECT_EQ(message(function->Jvp({{1, 2}, {}}).status()),
            "found 2 numbers for parameters and 0 for images, expected 30730 and 6144");
  EXPECT_THAT(message(function->Vjp({1}).status()),
              HasSubstr("a cotangent of 1 numbers, expected one for each of the 20"));
  EXPECT_EQ(message(function->SetPoint(function->Zero(), {0, 10})),
            "label 10 is none of the 10 classes");
  EXPECT_EQ(message(function->SetPoint(function->Zero(), {0})), "found 1 labels for a batch of 2");
  EXPECT_TRUE(absl::IsInvalidArgument(function->Hvp({}).status()));
}

void ExpectAgreement(NetworkFunction& function) {
  const auto check = CheckNetwork(function);
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_TRUE(check->agrees);
  EXPECT_TRUE(check->symmetric) << check->u_hessian_v << " " << check->v_hessian_u;
  for (const NetworkCheckRow& row : check->rows) {
    EXPECT_TRUE(row.agrees) << row.name << ": reverse " << row.reverse << ", forward "
                            << row.forward << ", numeric " << row.numeric << " +- "
                            << row.numeric_error << ", Hessian off by " << row.hessian_off << " +- "
                            << row.hessian_error;
    EXPECT_LT(row.numeric_error, 1e-2 * row.gradient_norm + 1e-6) << row.name;
  }
}

TEST(NetworkCheckTest, AllLayersAgree) { ExpectAgreement(*FunctionOf(kAllLayers)); }

TEST(NetworkCheckTest, AllLossesAgree) {
  for (const char* loss :
       {"softmax_cross_entropy {}",
        "softmax_cross_entropy { label_smoothing: 0.1 class_weight: [1, 2, 0.5, 1, 3] }",
        "hinge { margin: 0.7 }", "mean_squared_error {}", "focal { gamma: 1.5 }",
        "formula { text: \"ln(cosh(prediction - target))\" }"}) {
    SCOPED_TRACE(loss);
    ExpectAgreement(
        *FunctionOf(absl::StrCat("input { channels: 2 height: 6 width: 6 classes: 5 } layer { "
                                 "convolution { channels: 4 kernel: 3 } } "
                                 "layer { activation { kind: TANH } } layer { linear {} } loss { ",
                                 loss, " }")));
  }
}

// options.progress must be called at every stage, because the check of a deep network takes
// minutes.
TEST(NetworkCheckTest, TellsEveryStage) {
  const auto function = FunctionOf(
      "input { channels: 1 height: 2 width: 2 classes: 3 } layer { name: \"fc\" linear {} }");
  NetworkCheckOptions options;
  std::vector<std::string> told;
  options.progress = [&](const std::string& what) { told.push_back(what); };
  ASSERT_TRUE(CheckNetwork(*function, options).ok());
  EXPECT_THAT(told, testing::ElementsAre("slopes of parameter 1 of 3", "slopes of parameter 2 of 3",
                                         "slopes of parameter 3 of 3", "gradients in f64, 1 of 4",
                                         "gradients in f64, 2 of 4", "gradients in f64, 3 of 4",
                                         "gradients in f64, 4 of 4", "f32 rounding, 1 of 3",
                                         "f32 rounding, 2 of 3", "f32 rounding, 3 of 3"));
}

// The sine of numbers around 10,000,000 cannot be computed in f32, where neighbouring numbers are a
// whole unit apart. The check must report this.
TEST(NetworkCheckTest, FindsWhatIsWrong) {
  const auto function = FunctionOf(
      "input { channels: 2 height: 4 width: 4 } layer { name: \"fc1\" linear { features: 6 } } "
      "layer { activation { formula: \"sin(x + 10000000)\" } } layer { name: \"fc2\" linear {} }");
  const auto check = CheckNetwork(*function);
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_FALSE(check->agrees);
  EXPECT_FALSE(check->rows[0].agrees);
}

TEST(NetworkCheckTest, KinksAreNoFalseAlarm) {
  const auto function = FunctionOf(
      "input { channels: 2 height: 4 width: 4 } layer { name: \"fc1\" linear { features: 6 } } "
      "layer { activation { kind: RELU } } layer { name: \"fc2\" linear {} }");
  // Sets the inputs of every ReLU to 0, so that the point lies on kinks.
  NetworkVector point = function->point();
  for (const NetworkFunction::Part& part : function->parameters()) {
    if (part.name == "fc1.weight" || part.name == "fc1.bias")
      std::fill_n(point.parameters.begin() + part.offset, part.size, 0.0f);
  }
  ASSERT_TRUE(function->SetPoint(point, function->labels()).ok());
  const auto check = CheckNetwork(*function);
  ASSERT_TRUE(check.ok()) << check.status();
  EXPECT_TRUE(check->agrees);
  EXPECT_TRUE(check->rows[0].at_kink);
  EXPECT_FALSE(check->rows[2].at_kink);
}

}  // namespace
}  // namespace cotangent::layers
