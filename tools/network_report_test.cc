#include "tools/network_report.h"

#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"

namespace cotangent::tools {
namespace {

using testing::HasSubstr;

absl::StatusOr<NetworkReport> ReportOf(const std::string& text, const std::string& change = "") {
  NetworkReportOptions options;
  options.network = testing::TempDir() + "/net.textproto";
  std::ofstream(options.network) << text;
  options.threads = 1;
  if (!change.empty()) options.overrides = {change};
  return MakeNetworkReport(options);
}

TEST(NetworkReportTest, SaysThatAllAgrees) {
  const auto report = ReportOf(
      "name: \"small\" input { height: 4 width: 4 classes: 3 } layer { name: \"fc\" linear {} }");
  ASSERT_TRUE(report.ok()) << report.status();
  const std::string text = NetworkReportAsText(*report);
  EXPECT_THAT(text, HasSubstr("small at a random point, batch 4, 147 parameters"));
  EXPECT_THAT(text, HasSubstr("fc.weight"));
  EXPECT_THAT(text, HasSubstr("reverse, forward and numeric agree"));
  const auto json = nlohmann::json::parse(NetworkReportAsJson(*report));
  EXPECT_TRUE(json["agrees"].get<bool>());
  EXPECT_EQ(json["rows"].size(), 3u);
  EXPECT_EQ(json["rows"][0]["shape"], nlohmann::json({3, 48}));
  EXPECT_NEAR(json["rows"][0]["reverse"].get<double>(), json["rows"][0]["numeric"].get<double>(),
              1e-6);
}

TEST(NetworkReportTest, SaysWhatDisagrees) {
  const auto report = ReportOf(
      "input { height: 4 width: 4 classes: 3 } layer { name: \"fc\" linear {} } "
      "layer { activation { formula: \"sin(x + 10000000)\" } }");
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_FALSE(report->check.agrees);
  EXPECT_THAT(NetworkReportAsText(*report), HasSubstr("reverse, forward and numeric DISAGREE"));
}

// Errors that f32 arithmetic cannot avoid must not count as disagreement: those of a batch norm
// over two or four values, whose gradient cancels almost completely, and of many normalised layers,
// which amplify rounding.
TEST(NetworkReportTest, ConditioningIsNoFalseAlarm) {
  NetworkReportOptions options;
  options.network = testing::TempDir() + "/norms.textproto";
  options.threads = 1;
  for (const char* text :
       {"input { channels: 2 height: 4 width: 4 classes: 3 } layer { linear { features: 6 } } "
        "layer { batch_norm {} } layer { activation { kind: TANH } } layer { linear {} }",
        "input { channels: 2 height: 2 width: 2 classes: 3 } layer { repeat: 50 sequence { "
        "layer { convolution { channels: 4 kernel: 3 padding: SAME bias: false } } "
        "layer { batch_norm {} } layer { activation { kind: TANH } } } } layer { linear {} }"}) {
    std::ofstream(options.network) << text;
    for (int64_t batch : {2, 4}) {
      for (uint64_t seed : {1, 2, 3}) {
        options.batch_size = batch;
        options.seed = seed;
        const auto report = MakeNetworkReport(options);
        ASSERT_TRUE(report.ok()) << report.status();
        EXPECT_TRUE(report->check.agrees) << batch << " " << NetworkReportAsText(*report);
      }
    }
  }
}

TEST(NetworkReportTest, WhatIsWrongIsAnError) {
  EXPECT_THAT(std::string(ReportOf("layer { linear { features: -1 } }").status().message()),
              HasSubstr("net.textproto:1:"));
  EXPECT_TRUE(absl::IsInvalidArgument(ReportOf("layer { linear {} }", "nothing=1").status()));
}

}  // namespace
}  // namespace cotangent::tools
