#include "inference/classifier.h"

#include <stdlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "base/comma_locale_testing.h"
#include "data/fit.h"
#include "data/image.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/classifier_c.h"
#include "inference/inference_file.h"
#include "inference/trained_testing.h"
#include "layers/plan/tuner.h"
#include "training/checkpoint.h"
#include "training/evaluation.h"

namespace cotangent::inference {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kNetwork[] = R"(
  input { height: 8 width: 8 }
  layer { convolution { channels: 4 kernel: 3 } }
  layer { batch_norm {} }
  layer { activation { kind: RELU } }
  layer { linear {} }
  train { normalisation { mean: [0.5, 0.4, 0.3] deviation: [0.2, 0.3, 0.4] } })";

const std::vector<std::string> kClasses = {"cat", "dog", "\"it\""};

data::Image Drawn(int width, int height, int seed) {
  data::Image image = {width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  for (size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<uint8_t>((i * 7919 + seed * 104729) % 251);
  return image;
}

Picture Of(const data::Image& image) { return {image.rgb.data(), image.width, image.height}; }

std::string WriteNetwork(const std::string& name, const std::string& text = kNetwork) {
  const std::string path = ::testing::TempDir() + "/" + name;
  EXPECT_TRUE(WriteInferenceFile(path, MakeTrained(text, kClasses)).ok());
  return path;
}

std::vector<float> Answer(Classifier& classifier, const Picture& picture) {
  std::vector<float> probabilities(classifier.classes().size());
  const absl::Status status = classifier.Classify(picture, absl::MakeSpan(probabilities));
  EXPECT_TRUE(status.ok()) << status;
  return probabilities;
}

TEST(Classifier, KnowsWhatTheFileSays) {
  const auto classifier = Classifier::Load(WriteNetwork("known.safetensors"));
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  EXPECT_EQ((*classifier)->classes(), kClasses);
  EXPECT_EQ((*classifier)->channels(), 3);
  EXPECT_EQ((*classifier)->height(), 8);
  EXPECT_EQ((*classifier)->width(), 8);
}

// Compares a classifier's probabilities with the softmax, computed in double, of the logits of
// training::Evaluator.
TEST(Classifier, AnswersAsTheEvaluatorDoes) {
  const training::TrainedNetwork trained = MakeTrained(kNetwork, kClasses);
  layers::Tuner tuner(1);
  const auto evaluator =
      *training::Evaluator::Create(trained.network, 3, 1, {}, *trained.store, tuner);
  const auto classifier = *Classifier::Load(WriteNetwork("same.safetensors"), {.threads = 1});
  for (int seed = 0; seed < 5; ++seed) {
    const data::Image image = Drawn(8 + 3 * seed, 8 + seed, seed);
    const std::vector<uint8_t> fitted = data::FitPicture(image, {3, 8, 8}, data::Fit::kStretch);
    const float mean[] = {0.5f, 0.4f, 0.3f}, deviation[] = {0.2f, 0.3f, 0.4f};
    for (int i = 0; i < 3 * 64; ++i)
      evaluator->images()[i] = (fitted[i] / 255.0f - mean[i / 64]) / deviation[i / 64];
    const float* const logits = evaluator->Run();
    const double sum =
        std::exp(double{logits[0]}) + std::exp(double{logits[1]}) + std::exp(double{logits[2]});
    const std::vector<float> answer = Answer(*classifier, Of(image));
    for (int k = 0; k < 3; ++k) EXPECT_NEAR(answer[k], std::exp(double{logits[k]}) / sum, 1e-5);
    EXPECT_NEAR(std::accumulate(answer.begin(), answer.end(), 0.0), 1, 1e-6);
  }
}

TEST(Classifier, ABatchAnswersAsItsPicturesDo) {
  const auto one = *Classifier::Load(WriteNetwork("batch.safetensors"));
  const auto several = *Classifier::Load(WriteNetwork("batch.safetensors"), {.batch_size = 6});
  std::vector<data::Image> images;
  for (int i = 0; i < 15; ++i) images.push_back(Drawn(5 + i, 30 - i, i));
  for (size_t count : {1, 3, 5, 6, 7, 15}) {
    std::vector<Picture> pictures;
    for (size_t i = 0; i < count; ++i) pictures.push_back(Of(images[i]));
    std::vector<float> probabilities(3 * count);
    const absl::Status status = several->ClassifyBatch(pictures, absl::MakeSpan(probabilities));
    ASSERT_TRUE(status.ok()) << status;
    for (size_t i = 0; i < count; ++i) {
      const std::vector<float> alone = Answer(*one, pictures[i]);
      for (int k = 0; k < 3; ++k) EXPECT_NEAR(probabilities[3 * i + k], alone[k], 1e-5);
    }
  }
}

TEST(Classifier, ThreadsGetTheSameAnswers) {
  const auto classifier =
      *Classifier::Load(WriteNetwork("threads.safetensors"), {.simultaneous = 3});
  std::vector<data::Image> images;
  std::vector<std::vector<float>> expected;
  for (int i = 0; i < 8; ++i) {
    images.push_back(Drawn(4 + 5 * i, 9 + i, i));
    expected.push_back(Answer(*classifier, Of(images[i])));
  }
  std::vector<std::thread> threads;
  std::vector<int> wrong(8, 0);
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const int which = (t + i) % 8;
        wrong[t] += Answer(*classifier, Of(images[which])) != expected[which];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ElementsAre(0, 0, 0, 0, 0, 0, 0, 0));
}

// A program with a graphical interface usually takes the user's locale.
TEST(Classifier, AnswersTheSameInALocaleOfCommas) {
  const std::string path = WriteNetwork("commas.safetensors", R"(
      input { height: 8 width: 8 }
      layer { activation { formula: "1.5 * x / (1 + abs(x)) - 0.5" } }
      layer { activation { kind: LEAKY_RELU slope: 0.25 } }
      layer { linear {} }
      train { normalisation { mean: [0.5, 0.4, 0.3] deviation: [0.2, 0.3, 0.4] } })");
  const data::Image image = Drawn(8, 8, 1);
  const std::vector<float> expected = Answer(**Classifier::Load(path), Of(image));
  const CommaLocale locale;
  const auto classifier = Classifier::Load(path);
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  EXPECT_EQ(Answer(**classifier, Of(image)), expected);
}

TEST(Classifier, LeavesProbabilitiesAsTheyAre) {
  const auto classifier = *Classifier::Load(
      WriteNetwork("softmax.safetensors",
                   "input { height: 8 width: 8 } layer { linear {} } layer { softmax {} } "
                   "loss { mean_squared_error {} }"));
  const std::vector<float> answer = Answer(*classifier, Of(Drawn(8, 8, 1)));
  EXPECT_NEAR(answer[0] + answer[1] + answer[2], 1, 1e-6);
}

// Compares the classifier's labels and numbers with the logits and numbers of the evaluator.
TEST(Classifier, FindsLabelsAndNumbers) {
  const data::Image image = Drawn(8, 8, 5);
  const auto answer = [&](const std::string& text, std::vector<float>& logits) {
    const std::vector<std::string> names = {"age", "height"};
    const training::TrainedNetwork trained = MakeTrained(text, names);
    layers::Tuner tuner(1);
    const auto evaluator =
        *training::Evaluator::Create(trained.network, 2, 1, {}, *trained.store, tuner);
    const std::vector<uint8_t> fitted = data::FitPicture(image, {3, 8, 8}, data::Fit::kStretch);
    const auto& scale = trained.normalisation;
    for (int i = 0; i < 3 * 64; ++i)
      evaluator->images()[i] =
          static_cast<float>((fitted[i] / 255.0 - scale.mean[i / 64]) / scale.deviation[i / 64]);
    const float* const result = evaluator->Run();
    logits.assign(result, result + 2);
    const std::string path = ::testing::TempDir() + "/values.safetensors";
    EXPECT_TRUE(WriteInferenceFile(path, trained).ok());
    auto classifier = *Classifier::Load(path);
    EXPECT_EQ(classifier->classes(), names);
    return std::make_pair(Answer(*classifier, Of(image)), classifier->answers());
  };
  const std::string layers = "input { height: 8 width: 8 } layer { linear {} } ";
  std::vector<float> logits;
  const auto labels = answer(layers + "loss { binary_cross_entropy {} }", logits);
  EXPECT_EQ(labels.second, TargetKind::kLabels);
  for (int k = 0; k < 2; ++k)
    EXPECT_NEAR(labels.first[k], 1 / (1 + std::exp(-double{logits[k]})), 1e-6);
  const auto numbers =
      answer(layers +
                 "loss { huber {} } train { target_normalisation { mean: [40, 1.7] "
                 "deviation: [10, 0.1] } }",
             logits);
  EXPECT_EQ(numbers.second, TargetKind::kNumbers);
  EXPECT_NEAR(numbers.first[0], 40 + 10 * logits[0], 1e-4);
  EXPECT_NEAR(numbers.first[1], 1.7 + 0.1 * logits[1], 1e-5);
}

// Loads a run's directory whose newest checkpoint is damaged, with convolutions that have not been
// measured yet. Nothing may be printed.
TEST(Classifier, PrintsNothing) {
  const std::string directory = ::testing::TempDir() + "/silent";
  setenv("XDG_CACHE_HOME", (directory + "/cache").c_str(), 1);
  std::filesystem::create_directories(directory);
  std::filesystem::copy_file(WriteNetwork("silent.safetensors"),
                             directory + "/checkpoint-1.safetensors");
  std::ofstream(directory + "/checkpoint-2.safetensors") << "damaged";
  int measured = 0;
  ClassifierOptions options;
  options.before_measuring = [&](int) { ++measured; };
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  const auto classifier = Classifier::Load(directory, options);
  EXPECT_EQ(::testing::internal::GetCapturedStdout(), "");
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
  unsetenv("XDG_CACHE_HOME");
  ASSERT_TRUE(classifier.ok()) << classifier.status();
  EXPECT_GT(measured, 0);
}

TEST(Classifier, WhatIsWrongIsAnError) {
  const auto classifier = *Classifier::Load(WriteNetwork("wrong.safetensors"));
  const data::Image image = Drawn(8, 8, 0);
  std::vector<float> probabilities(3);
  const absl::Span<float> room = absl::MakeSpan(probabilities);
  EXPECT_THAT(classifier->Classify({nullptr, 8, 8}, room).message(), HasSubstr("nowhere"));
  EXPECT_THAT(classifier->Classify({image.rgb.data(), 0, 8}, room).message(), HasSubstr("0x8"));
  EXPECT_THAT(classifier->Classify({image.rgb.data(), 100'000, 100'000}, room).message(),
              HasSubstr("at most"));
  EXPECT_THAT(classifier->Classify(Of(image), room.subspan(1)).message(),
              HasSubstr("room for 2 probabilities"));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Classifier::Load(WriteNetwork("wrong.safetensors"), {.batch_size = 0}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(
      Classifier::Load(WriteNetwork("wrong.safetensors"), {.simultaneous = 0}).status()));
  EXPECT_TRUE(absl::IsNotFound(Classifier::Load(::testing::TempDir() + "/nowhere").status()));
  EXPECT_THAT(Classifier::LoadBytes("12345678", "bytes").status().message(), HasSubstr("bytes: "));
}

TEST(Classifier, WeightsThatAreNotFiniteAreAnError) {
  const auto status_of = [](const std::string& tensor, float number) {
    const training::TrainedNetwork trained = MakeTrained(kNetwork, kClasses);
    const auto* const parameter = trained.store->FindParameter(tensor);
    if (parameter != nullptr) {
      trained.store->values()[parameter->offset + parameter->size - 1] = number;
    } else {
      trained.store->state_values()[trained.store->FindState(tensor)->offset] = number;
    }
    const std::string path = ::testing::TempDir() + "/infinite.safetensors";
    EXPECT_TRUE(WriteInferenceFile(path, trained).ok());
    return Classifier::Load(path).status();
  };
  const training::TrainedNetwork trained = MakeTrained(kNetwork, kClasses);
  const std::string weight = trained.store->parameters().front().name;
  EXPECT_TRUE(absl::IsInvalidArgument(status_of(weight, NAN)));
  EXPECT_THAT(status_of(weight, NAN).message(),
              HasSubstr("infinite.safetensors: tensor " + weight + " is not a number at ["));
  EXPECT_THAT(status_of(weight, -INFINITY).message(), HasSubstr(" is infinite at ["));
  for (const layers::ParameterStore::Slot& state : trained.store->states())
    EXPECT_THAT(status_of(state.name, NAN).message(), HasSubstr("tensor " + state.name + " is "));
}

TEST(Classifier, ClassesThatCannotBeReadAreAnError) {
  const std::string path = ::testing::TempDir() + "/classes.safetensors";
  for (const std::string classes :
       {"[\"cat\", \"do", "{\"cat\": 0}", "[\"cat\", 3]", "cat, dog", "null"}) {
    ASSERT_TRUE(training::WriteCheckpoint(
                    path, {{"step", "0"}, {"dataset", "sample"}, {"classes", classes}}, {})
                    .ok());
    const absl::Status status = Classifier::Load(path).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_THAT(status.message(), HasSubstr("classes.safetensors: its metadata's classes cannot be "
                                            "read: they are " +
                                            classes + "; expected a list of names"));
  }
}

TEST(Classifier, SpeaksC) {
  const std::string path = WriteNetwork("c.safetensors");
  char error[200] = "";
  EXPECT_EQ(cotangent_load("/nowhere/at/all", 0, 1, error, sizeof(error)), nullptr);
  EXPECT_THAT(error, HasSubstr("/nowhere/at/all"));
  cotangent_classifier* const classifier = cotangent_load(path.c_str(), 0, 1, error, sizeof(error));
  ASSERT_NE(classifier, nullptr) << error;
  EXPECT_EQ(cotangent_answers(classifier), COTANGENT_CLASSES);
  EXPECT_EQ(cotangent_classes(classifier), 3);
  EXPECT_STREQ(cotangent_class_name(classifier, 1), "dog");
  EXPECT_EQ(cotangent_class_name(classifier, 3), nullptr);
  const data::Image image = Drawn(20, 10, 3);
  float probabilities[3];
  ASSERT_EQ(
      cotangent_classify(classifier, image.rgb.data(), 20, 10, probabilities, error, sizeof(error)),
      COTANGENT_OK);
  const std::vector<float> expected = Answer(**Classifier::Load(path), Of(image));
  for (int k = 0; k < 3; ++k) EXPECT_EQ(probabilities[k], expected[k]);
  char small[8];
  EXPECT_EQ(cotangent_classify(classifier, image.rgb.data(), -1, 10, probabilities, small, 8),
            COTANGENT_INVALID_ARGUMENT);
  EXPECT_STREQ(small, "a pictu");
  EXPECT_EQ(cotangent_load("/\u00e9", 0, 1, error, sizeof("cannot read /") + 1), nullptr);
  EXPECT_STREQ(error, "cannot read /");  // half of a character would be no UTF-8
  EXPECT_EQ(cotangent_classify(nullptr, nullptr, 1, 1, probabilities, error, sizeof(error)),
            COTANGENT_INVALID_ARGUMENT);
  EXPECT_THAT(error, HasSubstr("classifier is NULL"));
  EXPECT_EQ(cotangent_classify(classifier, image.rgb.data(), 20, 10, nullptr, error, sizeof(error)),
            COTANGENT_INVALID_ARGUMENT);
  EXPECT_THAT(error, HasSubstr("probabilities is NULL"));
  cotangent_free(classifier);
  cotangent_free(nullptr);
}

}  // namespace
}  // namespace cotangent::inference
