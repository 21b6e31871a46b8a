#include "layers/network/arithmetic.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "layers/network/network_text.h"

namespace cotangent::layers {
namespace {

using ::testing::HasSubstr;

std::string Value(absl::string_view text) {
  size_t at = 0;
  const auto value =
      EvaluateArithmetic(text, {{"dim", "24"}, {"rate", "0.1"}, {"pad", "SAME"}}, at);
  return value.ok() ? *value : std::string(value.status().message());
}

TEST(Arithmetic, IsExact) {
  EXPECT_EQ(Value("4 * dim"), "96");
  EXPECT_EQ(Value("2 + 3 * 4 - 1"), "13");
  EXPECT_EQ(Value("-(2 - 5) * -2"), "-6");
  EXPECT_EQ(Value("dim / 9 * 3"), "8");
  EXPECT_EQ(Value("1 / 3 + 2 / 3"), "1");
  EXPECT_EQ(Value("dim / 5"), "4.8");
  EXPECT_EQ(Value("-7 // 2"), "-4");
  EXPECT_EQ(Value("-7 % 2"), "1");
  EXPECT_EQ(Value("$dim + 1"), "25");
  EXPECT_EQ(Value("9007199254740993 + 0"), "9007199254740993");
  EXPECT_EQ(Value("0.5 * 3 / 3"), "0.5");  // decimals are doubles
  EXPECT_EQ(Value("rate * 2"), "0.2");
  EXPECT_EQ(Value("floor(dim / 5) + ceil(dim / 5)"), "9");
  EXPECT_EQ(Value("round(5 / 2) + round(-5 / 2)"), "0");
  EXPECT_EQ(Value("8 * max(1, round(dim * 0.35 / 8))"), "8");
  EXPECT_EQ(Value("min(dim, 3, 7)"), "3");
}

TEST(Arithmetic, SaysWhatIsWrong) {
  EXPECT_THAT(Value("1 / (dim - 24)"), HasSubstr("divides by zero"));
  EXPECT_THAT(Value("1 % 0"), HasSubstr("divides by zero"));
  EXPECT_THAT(Value("9223372036854775807 + 1"), HasSubstr("too large"));
  EXPECT_THAT(Value("1e308 * 10.0 * dim"), HasSubstr("too large"));
  EXPECT_THAT(Value("2 * dmi"), HasSubstr("did you mean 'dim'?"));
  EXPECT_THAT(Value("pad + 1"), HasSubstr("parameter 'pad' is SAME"));
  EXPECT_THAT(Value("2 *"), HasSubstr("found the end"));
  EXPECT_THAT(Value("2 dim"), HasSubstr("found 'd'"));
  EXPECT_THAT(Value("(2"), HasSubstr("expected ')'"));
  EXPECT_THAT(Value("sqrt(4)"), HasSubstr("no function 'sqrt'"));
  EXPECT_THAT(Value("floor(1, 2)"), HasSubstr("floor has 2 arguments"));
  EXPECT_THAT(Value(std::string(1000, '(')), HasSubstr("nests too deeply"));
  EXPECT_THAT(Value("3x"), HasSubstr("'3x' is no number"));
}

Network Parsed(const std::string& text) {
  const absl::StatusOr<Network> network = ParseNetwork(text, "net");
  EXPECT_TRUE(network.ok()) << network.status();
  return network.ok() ? *network : Network();
}

TEST(Arithmetic, StandsInBlocks) {
  const Network network = Parsed(
      "block { name: \"b\" parameter: \"dim\"\n"
      "  layer { name: \"wide\" convolution { channels: $(4 * dim) kernel: 1 } }\n"
      "  layer { name: \"drop\" dropout { rate: $(0.1 * index / max(1, count - 1)) } } }\n"
      "layer { name: \"stage\" use { block: \"b\" with: \"dim=6\" } repeat: 3 }\n");
  ASSERT_EQ(network.layer_size(), 1);
  const auto& copies = network.layer(0).sequence().layer();
  ASSERT_EQ(copies.size(), 3);
  EXPECT_FALSE(network.layer(0).has_repeat());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(copies[i].name(), std::to_string(i));
    EXPECT_EQ(copies[i].sequence().layer(0).convolution().channels(), 24);
    EXPECT_DOUBLE_EQ(copies[i].sequence().layer(1).dropout().rate(), 0.05 * i);
  }
}

TEST(Arithmetic, ErrorsHaveTheirPlaceInTheFile) {
  const auto error = [](const std::string& channels) {
    return std::string(ParseNetwork("block { name: \"b\" parameter: \"dim\"\n"
                                    "  layer { convolution { channels: " +
                                        channels +
                                        " } } }\n"
                                        "layer { use { block: \"b\" with: \"dim=6\" } }\n",
                                    "net")
                           .status()
                           .message());
  };
  EXPECT_THAT(error("$(dim / 0)"), HasSubstr("net:2:41: "));
  EXPECT_THAT(error("$(dim / 4)"), HasSubstr("net:2:35: "));
  EXPECT_THAT(error("$(dim / 4)"), HasSubstr("a whole number"));
  EXPECT_THAT(error("$(dim"), HasSubstr("net:2:35: this '$(' is not closed"));
}

}  // namespace
}  // namespace cotangent::layers
