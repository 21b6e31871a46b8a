#include "layers/network/network_text.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::layers {
namespace {

using ::testing::HasSubstr;

constexpr char kBlocks[] = R"(name: "net"
block {
  name: "unit"
  parameter: "channels"
  parameter: "stride=1"  # usually
  layer { name: "conv" convolution { channels: $channels kernel: 3 stride: $stride } }
  layer { name: "act" activation { formula: "$stride * x" } }
}
layer { name: "a" use { block: "unit" with: "channels=8" } }
layer { name: "b" use { block: "unit" with: "channels=16, stride=2" } }
layer { name: "fc" linear {} }
)";

TEST(ParseNetwork, ReadsASmallNetwork) {
  const auto network = ParseNetwork(
      "layer { name: \"fc\" linear { features: 10 } }  # that is all\ntrain { epochs: 2.5 }");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(network->layer(0).linear().features(), 10);
  EXPECT_EQ(network->layer(0).place(), "network:1:1");
  EXPECT_EQ(network->train().epochs(), 2.5);
}

TEST(ParseNetwork, ExpandsBlocks) {
  const auto network = ParseNetwork(kBlocks, "net.textproto");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_EQ(network->block_size(), 0);
  ASSERT_EQ(network->layer_size(), 3);
  const Layer& a = network->layer(0).sequence().layer(0);
  const Layer& b = network->layer(1).sequence().layer(0);
  EXPECT_EQ(a.convolution().channels(), 8);
  EXPECT_EQ(a.convolution().stride(0), 1);
  EXPECT_EQ(b.convolution().channels(), 16);
  EXPECT_EQ(b.convolution().stride(0), 2);
  EXPECT_EQ(b.place(), "net.textproto:6:3");
  const Layer& act = network->layer(1).sequence().layer(1);
  EXPECT_EQ(act.activation().formula(), "2 * x");
  EXPECT_EQ(act.activation().formula_place(), "net.textproto:7:46");
}

TEST(ParseNetwork, TextOfANetworkReadsAsTheSame) {
  auto network = ParseNetwork(kBlocks);
  ASSERT_TRUE(network.ok());
  const std::string text = NetworkText(*network);
  auto again = ParseNetwork(text);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(NetworkText(*again), text);
}

TEST(ParseNetwork, SurvivesAnything) {
  std::string nested(100000, '{');
  std::string deep = "layer { sequence { ";
  for (int i = 0; i < 12; ++i) deep = absl::StrCat(deep, deep.size() < 100000 ? deep : "");
  std::string doubling = "block { name: \"b0\" layer { linear {} } }\n";
  for (int i = 1; i < 16; ++i) {
    absl::StrAppend(&doubling, "block { name: \"b", i, "\" parameter: \"x=1\" ");
    for (int j = 0; j < 20; ++j)
      absl::StrAppend(&doubling, "layer { use { block: \"b", i - 1, "\" ",
                      i > 1 ? "with: \"x=$x$x$x$x\"" : "", " } } ");
    absl::StrAppend(&doubling, "}\n");
  }
  absl::StrAppend(&doubling, "layer { use { block: \"b15\" } }");
  for (const std::string& text : {nested, deep, doubling, std::string("\0\xff\x01", 3),
                                  std::string("layer { name: \"unclosed"), std::string("block {"),
                                  std::string(kLongestNetworkText + 1, ' ')}) {
    EXPECT_FALSE(ParseNetwork(text).ok()) << text.substr(0, 50);
  }
  EXPECT_TRUE(ParseNetwork("").ok());
}

// Byte-order marks and carriage returns must be ignored, and must not shift the places
// (file:line:column) in error messages.
TEST(ParseNetwork, ReadsWhatEditorsAddToTexts) {
  const std::string mark = "\xef\xbb\xbf", plain = "name: \"n\"\nlayer { linear {} }\n";
  const std::string expected = NetworkText(*ParseNetwork(plain));
  const std::string windows = absl::StrReplaceAll(plain, {{"\n", "\r\n"}});
  const std::string old = "# a comment\r" + absl::StrReplaceAll(plain, {{"\n", "\r"}});
  for (const std::string& text : {mark + plain, mark + windows, old}) {
    const auto network = ParseNetwork(text);
    ASSERT_TRUE(network.ok()) << network.status();
    EXPECT_EQ(NetworkText(*network), expected);
  }
  EXPECT_EQ(ParseNetwork(mark + "nmae: \"n\"", "net").status().message(),
            ParseNetwork("nmae: \"n\"", "net").status().message());
  // Comments and quotes may contain any character.
  EXPECT_TRUE(ParseNetwork("# “quoted” – and\u00a0spaced\nname: \"ü“\"").ok());
}

// A text with an error, and the complete message that the error must cause.
struct Bad {
  const char* text;
  const char* message;
};

class BadText : public ::testing::TestWithParam<Bad> {};

TEST_P(BadText, IsExplained) {
  const auto network = ParseNetwork(GetParam().text, "net");
  ASSERT_FALSE(network.ok());
  EXPECT_EQ(std::string(network.status().message()), GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    All, BadText,
    ::testing::Values(
        Bad{"name: “n”",
            "net:1:7: found the typographic quote “ (U+201C); expected a plain one, \" or '"},
        Bad{"name: 'n’",
            "net:1:9: found the typographic quote ’ (U+2019); expected a plain one, \" or '"},
        Bad{"name: \"n\"\nlayer {\u00a0linear {} }",
            "net:2:8: found a no-break space (U+00A0); expected a plain space"},
        Bad{"layer { linear {} }\u200b",
            "net:1:20: found an invisible character (U+200B); remove it"},
        Bad{"train { epochs: –1 }",
            "net:1:17: found the typographic dash – (U+2013); expected a plain one, -"},
        Bad{"näme: \"n\"",
            "net:1:2: found the character 'ä' (U+00E4), which may stand in comments and quotes "
            "only"},
        Bad{"n\xe4me: \"n\"",
            "net:1:2: found the byte 0xe4, which is no UTF-8; save the text as UTF-8"},
        Bad{"\xff\xfen", "net:1:1: the text is in UTF-16; save it as UTF-8"},
        Bad{"layer {\n  convolutoin { channels: 8 }\n}",
            "net:2:3: 'layer' has no field 'convolutoin'; did you mean 'convolution'?"},
        Bad{"layer { batchnorm {} }",
            "net:1:9: 'layer' has no field 'batchnorm'; did you mean 'batch_norm'?"},
        Bad{"layer { InnerProduct { num_output: 10 } }",
            "net:1:9: 'layer' has no field 'InnerProduct'; did you mean 'linear'?"},
        Bad{"layer { linear { out_features: 10 } }",
            "net:1:18: 'linear' has no field 'out_features'; did you mean 'features'?"},
        Bad{"layer { MultiheadAttention {} }",
            "net:1:9: 'layer' has no field 'MultiheadAttention'; did you mean 'attention'?"},
        Bad{"layer { attention { num_heads: 4 } }",
            "net:1:21: 'attention' has no field 'num_heads'; did you mean 'heads'?"},
        Bad{"layer { relu {} }",
            "net:1:9: 'layer' has no field 'relu'; did you mean 'activation'?"},
        Bad{"layer { linear { features: \"ten\" } }",
            "net:1:28: 'features' expects a whole number, but found \"ten\""},
        Bad{"layer { linear { features: 10.5 } }",
            "net:1:28: 'features' expects a whole number, but found 10.5"},
        Bad{"layer { linear { features: 99999999999999999999 } }",
            "net:1:28: 'features' expects a whole number, but found 99999999999999999999, which is "
            "out of its range"},
        Bad{"train { seed: -1 }",
            "net:1:15: 'seed' expects a whole number that is not negative, but found -1"},
        Bad{"layer { linear { bias: maybe } }",
            "net:1:24: 'bias' expects true or false, but found 'maybe'"},
        Bad{"layer { activation { kind: RELUU } }",
            "net:1:28: 'kind' cannot be 'RELUU'; did you mean 'RELU'?"},
        Bad{"layer { activation { kind: relu } }",
            "net:1:28: 'kind' cannot be 'relu'; did you mean 'RELU'?"},
        Bad{"layer { convolution { padding: QUITE_A_LOT } }",
            "net:1:32: 'padding' cannot be 'QUITE_A_LOT'; known are: VALID, SAME"},
        Bad{"layer { name: conv1 }", "net:1:15: 'name' expects a text in quotes, but found conv1"},
        Bad{"layer { name: \"a\" name: \"b\" }",
            "net:1:19: 'name' is given twice in 'layer'; expected once"},
        // ParseNetwork() sets these fields itself. If a text sets them, the error says that they do
        // not exist.
        Bad{"loss { formula { text: \"x\"\n place: \"here\" } }",
            "net:2:2: 'formula' has no field 'place'; known are: text"},
        Bad{"block { name: \"b\" layer { activation { formula: \"x\" formula_place: \"p\" } } }\n"
            "layer { use { block: \"b\" } }",
            "net:1:53: 'activation' has no field 'formula_place'; known are: kind, formula, slope, "
            "alpha (in block 'b', used at net:2:1)"},
        Bad{"layer { flatten {} linear {} }",
            "net:1:20: 'layer' already has 'flatten' and cannot have 'linear' too; keep one of "
            "them"},
        Bad{"train { optimizer { sgd { learning_rte: 1 } } }",
            "net:1:27: 'sgd' has no field 'learning_rte'; did you mean 'learning_rate'?"},
        Bad{"\tlayer {\n\t\tliner {} }",
            "net:2:3: 'layer' has no field 'liner'; did you mean 'linear'?"},
        Bad{"layer { name: \"a\"\n",
            "net:2:1: expected a field of 'layer', but found the end; is a '}' missing?"},
        Bad{"layer { name: \"a\n\" }",
            "net:1:17: the line ends within a text; expected the quote that closes it"},
        Bad{"layer { linear { features: $n } }",
            "net:1:28: '$' names a parameter of a block, but this is outside of any block; write "
            "its value"},
        Bad{"block { layer { linear {} } }",
            "net:1:7: this block has no name; expected name: \"...\" in it"},
        Bad{"block { name: \"b\" }\nblock { name: \"b\" }",
            "net:2:7: there is a block 'b' already; give this one another name"},
        Bad{"block { name: \"b\" ", "net:1:7: this block is not closed; expected a '}' for it"},
        Bad{"layer { use { block: \"b\" } }", "net:1:1: there is no block 'b'; none is known here"},
        Bad{"block { name: \"unit\" }\nlayer { use { block: \"unti\" } }",
            "net:2:1: there is no block 'unti'; did you mean 'unit'?"},
        Bad{"block { name: \"b\" parameter: \"n\" }\nlayer { use { block: \"b\" } }",
            "net:2:1: block 'b' needs a value for 'n'; expected with: \"n=...\""},
        Bad{"block { name: \"b\" parameter: \"n\" }\nlayer { use { block: \"b\" with: \"m=1\" } }",
            "net:2:1: block 'b' has no parameter 'm'; known are: n"},
        Bad{"block { name: \"b\" layer { use { block: \"b\" } } }\nlayer { use { block: \"b\" } }",
            "net:1:19: block 'b' uses itself: b -> b; take this use out of it"},
        Bad{"block { name: \"b\"\n  parameter: \"n\"\n  layer { linear { features: $n features: 3 "
            "} }\n}\nlayer { use { block: \"b\" with: \"n=10\" } }",
            "net:3:33: 'features' is given twice in 'linear'; expected once (in block 'b' with "
            "n=10, used at net:5:1)"},
        Bad{"block { name: \"b\"\n  parameter: \"n\"\n  layer { linear { features: $n  bais: true "
            "} }\n}\nlayer { use { block: \"b\" with: \"n=1000\" } }",
            "net:3:34: 'linear' has no field 'bais'; did you mean 'bias'? (in block 'b' with "
            "n=1000, used at net:5:1)"},
        Bad{"block { name: \"b\" parameter: \"n\" layer { linear { features: $n } } }\nlayer { use "
            "{ block: \"b\" with: \"n=x\" } }",
            "net:1:61: 'features' expects a whole number, but found x (in block 'b' with n=x, used "
            "at net:2:1)"},
        Bad{"block { name: \"b\" parameter: \"n\" layer { linear { features: $m } } }\nlayer { use "
            "{ block: \"b\" with: \"n=1\" } }",
            "net:1:61: '$m' is no parameter of this block; known are: n"}));

TEST(ApplyOverride, SetsFields) {
  auto network = ParseNetwork(kBlocks);
  ASSERT_TRUE(network.ok());
  for (const char* assignment :
       {"train.optimizer.sgd.learning_rate=0.1", "layer[fc].linear.features=100", "name=other",
        "train.precision=BF16", "layer[b].sequence.layer[conv].convolution.kernel=[3, 5]",
        "train.optimizer.group=[{pattern: '*.bias'}]", "layer[2].linear.bias=false",
        "train.optimizer.group.pattern=*.weight", "loss={focal {gamma: 1}}"}) {
    EXPECT_EQ(ApplyOverride(*network, assignment), absl::OkStatus());
  }
  EXPECT_EQ(network->train().optimizer().sgd().learning_rate(), 0.1);
  EXPECT_EQ(network->layer(2).linear().features(), 100);
  EXPECT_FALSE(network->layer(2).linear().bias());
  EXPECT_EQ(network->name(), "other");
  EXPECT_EQ(network->train().precision(), Train::BF16);
  EXPECT_EQ(network->layer(1).sequence().layer(0).convolution().kernel(1), 5);
  EXPECT_EQ(network->train().optimizer().group(0).pattern(0), "*.weight");
  EXPECT_EQ(network->loss().focal().gamma(), 1);
}

TEST(ApplyOverride, ReplacesAnAlternativeOnlyAsAWhole) {
  auto network = ParseNetwork("train { optimizer { adamw { learning_rate: 0.001 } } }");
  ASSERT_TRUE(network.ok());
  EXPECT_EQ(std::string(ApplyOverride(*network, "train.optimizer.sgd.learning_rate=0.1").message()),
            "--set train.optimizer.sgd.learning_rate=0.1: it is 'adamw', not 'sgd'; to change it, "
            "set sgd={...} as a whole");
  EXPECT_TRUE(ApplyOverride(*network, "train.optimizer.sgd={learning_rate: 0.1}").ok());
  EXPECT_TRUE(network->train().optimizer().has_sgd());
}

TEST(ApplyOverride, ExplainsErrors) {
  const auto original = ParseNetwork(kBlocks);
  ASSERT_TRUE(original.ok());
  for (const auto& [assignment, message] : std::vector<std::pair<std::string, std::string>>{
           {"train.epochs", "expected field.path=value, such as train.epochs=5"},
           {"tarin.epochs=3", "'network' has no field 'tarin'; did you mean 'train'?"},
           {"train.epochs=many", "'epochs' expects a number, but found many"},
           {"train.epochs=3 seed: 4", "expected one value, a number"},
           {"train.precision=F16", "'precision' cannot be 'F16'; did you mean 'BF16'?"},
           {"train.epochs.x=3", "'epochs' is a number and has no fields"},
           {"layer.linear.features=3",
            "there are 3 of 'layer'; expected layer[name or number]: a, b, fc"},
           {"layer[fd].linear.features=3", "there is no layer 'fd'; did you mean 'fc'?"},
           {"layer[9].linear.features=3", "there is no layer '9'; known are: a, b, fc"},
           {"layer[fc].place=x", "'layer' has no field 'place'; "},
           {"layer=[{linear {}}, {place: \"x\"}]", "'layer' has no field 'place'; "},
           {"train[0].epochs=1", "there is only one 'train'; expected no [0]"},
           {"block={}", "blocks are there while the text is read, and no longer"},
           {"layer[a].use={block: 'unit'}", "blocks are there while"},
           {"layer[fc]=3", "one element of 'layer' cannot be replaced"},
           {"layer[fc=3", "a '[' is not closed; expected a ']' for it"}}) {
    Network network = *original;
    EXPECT_THAT(std::string(ApplyOverride(network, assignment).message()),
                HasSubstr(absl::StrCat("--set ", assignment, ": ", message)));
    EXPECT_EQ(network.SerializeAsString(), original->SerializeAsString());
  }
}

}  // namespace
}  // namespace cotangent::layers
