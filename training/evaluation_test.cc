#include "training/evaluation.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "base/parallel.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"

namespace cotangent::training {
namespace {

constexpr int kImages = 30, kClasses = 10;
constexpr int64_t kPixels = 3 * 32 * 32;

data::Dataset Images() {
  data::Dataset dataset;
  dataset.channels = 3;
  dataset.height = dataset.width = 32;
  dataset.classes.resize(kClasses);
  for (int64_t i = 0; i < kImages * kPixels; ++i)
    dataset.images.push_back(static_cast<uint8_t>(i * i % 251));
  for (int i = 0; i < kImages; ++i) dataset.labels.push_back(i * 7 % kClasses);
  return dataset;
}

// Evaluates a linear network with the loss `loss` on Images(), in batches of `batch_size`. Its
// weights are the same for all losses.
Evaluator::Result EvaluateWith(const std::string& loss, int64_t batch_size,
                               std::vector<float>* answers = nullptr) {
  const layers::Network network =
      layers::ParseNetwork("layer { name: \"fc\" linear {} } " + loss).value();
  layers::BuildOptions build;
  build.batch_size = 1;
  const layers::BuiltNetwork built = layers::Build(network, build).value();
  const std::unique_ptr<layers::ParameterStore> store =
      layers::ParameterStore::Create(built.graph).value();
  InitialiseStore(built, 1, *store);
  layers::Tuner tuner(1);
  const std::unique_ptr<Evaluator> evaluator =
      Evaluator::Create(network, kClasses, batch_size, {}, *store, tuner).value();
  return evaluator
      ->Evaluate(
          Images(), {}, ViewsOf(layers::Train::Evaluation::NONE), [] { return false; }, answers)
      .value();
}

class LossTest : public testing::TestWithParam<std::string> {};

TEST_P(LossTest, DoesNotDependOnTheBatch) {
  SetThreads(1);
  const double whole = EvaluateWith(GetParam(), kImages).loss;
  EXPECT_TRUE(std::isfinite(whole));
  EXPECT_GT(whole, 0);
  for (const int64_t batch : {1, 7, 16}) {
    EXPECT_NEAR(EvaluateWith(GetParam(), batch).loss, whole, 1e-5 * whole) << batch << " at a time";
  }
}

INSTANTIATE_TEST_SUITE_P(
    All, LossTest,
    testing::Values("", "loss { hinge {} }", "loss { mean_squared_error {} }", "loss { focal {} }",
                    "loss { formula { text: \"(prediction - target)^4\" } }",
                    "loss { softmax_cross_entropy { class_weight: [1, 0, 3, 0, 0, 8, .1, 1, 1, 5] "
                    "} }",
                    "loss { softmax_cross_entropy { label_smoothing: 0.3 "
                    "class_weight: [1, 0, 3, 0, 0, 8, .1, 1, 1, 5] } }"));

// With class weights 2 and 0.5, the mean loss of one image of class 0, with the loss l_0, and one
// of class 7, with the loss l_7, is (2 l_0 + 0.5 l_7) / 2.5. Images of class 4, whose weight is 0,
// do not change it.
TEST(LossTest, IsTheWeightedMean) {
  SetThreads(1);
  const std::string weights =
      "loss { softmax_cross_entropy { class_weight: [2, 1, 1, 1, 0, 1, 1, 0.5, 1, 1] } }";
  const auto only = [](std::vector<int> classes) {
    const data::Dataset all = Images();
    data::Dataset some = all;
    some.images.clear();
    some.labels.clear();
    for (int i = 0; i < kImages; ++i) {
      if (std::find(classes.begin(), classes.end(), all.labels[i]) == classes.end()) continue;
      some.images.insert(some.images.end(), all.image(i), all.image(i) + kPixels);
      some.labels.push_back(all.labels[i]);
      classes.erase(std::find(classes.begin(), classes.end(), all.labels[i]));
    }
    return some;
  };
  const layers::Network network =
      layers::ParseNetwork("layer { name: \"fc\" linear {} } " + weights).value();
  layers::BuildOptions build;
  build.batch_size = 1;
  const layers::BuiltNetwork built = layers::Build(network, build).value();
  const std::unique_ptr<layers::ParameterStore> store =
      layers::ParameterStore::Create(built.graph).value();
  InitialiseStore(built, 1, *store);
  layers::Tuner tuner(1);
  const std::unique_ptr<Evaluator> evaluator =
      Evaluator::Create(network, kClasses, 1, {}, *store, tuner).value();
  const auto loss = [&](const std::vector<int>& classes) {
    return evaluator->Evaluate(only(classes), {}, ViewsOf(layers::Train::Evaluation::NONE))
        .value()
        .loss;
  };
  const double first = loss({0}), second = loss({7});
  EXPECT_NEAR(loss({0, 7}), (2 * first + 0.5 * second) / 2.5, 1e-6);
  EXPECT_EQ(loss({0, 4, 7}), loss({0, 7}));
  EXPECT_EQ(loss({4}), 0) << "of images without weight";
}

// Of classes, the answers are the logits; of labels, the probabilities that belong to these.
TEST(AnswersTest, OfLabelsAreProbabilities) {
  SetThreads(1);
  std::vector<float> logits, probabilities;
  EvaluateWith("", 7, &logits);
  EvaluateWith("loss { binary_cross_entropy {} }", 7, &probabilities);
  ASSERT_EQ(logits.size(), kImages * kClasses);
  ASSERT_EQ(probabilities.size(), logits.size());
  for (size_t i = 0; i < logits.size(); ++i)
    EXPECT_NEAR(probabilities[i], 1 / (1 + std::exp(-double{logits[i]})), 1e-6);
}

}  // namespace
}  // namespace cotangent::training
