#include "tools/answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace cotangent::tools {
namespace {

using ::testing::HasSubstr;

const std::vector<std::string> kNames = {"cat", "sea, \"calm\"", "dog"};
const std::vector<double> kAnswers = {0.25, 0.625, 0.125};

TEST(AnswersTest, LinesHoldTheMostProbable) {
  AnswerWriter writer(AnswerFormat::kText, TargetKind::kClass, kNames, 2);
  EXPECT_EQ(writer.Begin(), "");
  EXPECT_EQ(writer.Answer("a.png", kAnswers), "a.png: sea, \"calm\" 0.6250  cat 0.2500\n");
  EXPECT_EQ(writer.End(), "");
  // A terminal obeys escape sequences, which may stand in the names of files.
  EXPECT_EQ(writer.Answer("a\x1b[2J.png", kAnswers).substr(0, 11), "a\xef\xbf\xbd[2J.png");
  AnswerWriter numbers(AnswerFormat::kText, TargetKind::kNumbers, {"age", "weight"}, 1);
  EXPECT_EQ(numbers.Answer("a.png", {34.25, 61}), "a.png: age 34.25  weight 61\n");
}

TEST(AnswersTest, JsonIsOneObjectAlsoWithoutAPictureAndWithBytesThatAreNoText) {
  AnswerWriter none(AnswerFormat::kJson, TargetKind::kClass, kNames, 2);
  EXPECT_EQ(nlohmann::json::parse(none.Begin() + none.End()),
            nlohmann::json::parse(R"({"pictures": []})"));
  AnswerWriter writer(AnswerFormat::kJson, TargetKind::kClass, kNames, 2);
  std::string text = writer.Begin();
  text += writer.Answer("a.png", kAnswers);
  text += writer.Error("\xff.png", absl::InvalidArgumentError("no picture"));
  text += writer.End();
  const nlohmann::json pictures = nlohmann::json::parse(text).at("pictures");
  ASSERT_EQ(pictures.size(), 2u);
  EXPECT_EQ(pictures[0], nlohmann::json::parse(R"({"file": "a.png", "classes": [
      {"name": "sea, \"calm\"", "number": 1, "probability": 0.625},
      {"name": "cat", "number": 0, "probability": 0.25}]})"));
  EXPECT_EQ(pictures[1].at("error"), "no picture");
}

TEST(AnswersTest, CsvHoldsAllClassesAndQuotesThem) {
  AnswerWriter writer(AnswerFormat::kCsv, TargetKind::kClass, kNames, 1);
  EXPECT_EQ(writer.Begin(),
            "image,answer,probability,probability of cat,\"probability of sea, \"\"calm\"\"\","
            "probability of dog\n");
  EXPECT_EQ(writer.Answer("a,b.png", kAnswers),
            "\"a,b.png\",\"sea, \"\"calm\"\"\",0.625,0.25,0.625,0.125\n");
  EXPECT_EQ(writer.Error("b.png", absl::InvalidArgumentError("no picture")), "");
  AnswerWriter labels(AnswerFormat::kCsv, TargetKind::kLabels, {"a", "b"}, 1);
  EXPECT_EQ(labels.Begin() + labels.Answer("x", {0.5, 1}),
            "image,probability of a,probability of b\nx,0.5,1\n");
}

TEST(AnswersTest, AnotherFormatIsRefused) {
  EXPECT_THAT(std::string(ParseAnswerFormat("xml").status().message()),
              HasSubstr("--format=xml: expected text, json or csv"));
}

}  // namespace
}  // namespace cotangent::tools
