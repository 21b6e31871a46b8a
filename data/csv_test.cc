#include "data/csv.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(CsvTest, RowsFieldsAndLines) {
  const auto rows = ParseCsv(
                        "\xef\xbb\xbf"
                        "a,b\r\n\n\"x,\"\"y\"\"\nz\",\nlast,\xc3\xa4",
                        "t")
                        .value();
  ASSERT_EQ(rows.size(), 3);
  EXPECT_THAT(rows[0].fields, ElementsAre("a", "b"));
  EXPECT_EQ(rows[1].line, 3);
  EXPECT_THAT(rows[1].fields, ElementsAre("x,\"y\"\nz", ""));
  EXPECT_EQ(rows[2].line, 5);
  EXPECT_THAT(rows[2].fields, ElementsAre("last", "\xc3\xa4"));
  EXPECT_EQ(ParseCsv("", "t")->size(), 0);
  // Old systems end lines with \r.
  const auto returns = ParseCsv("a,b\rc,d\r", "t").value();
  ASSERT_EQ(returns.size(), 2);
  EXPECT_EQ(returns[1].line, 2);
  EXPECT_THAT(returns[1].fields, ElementsAre("c", "d"));
}

TEST(CsvTest, Mistakes) {
  EXPECT_THAT(std::string(ParseCsv("a,b\n\"c,d\ne,f\n", "t.csv").status().message()),
              HasSubstr("t.csv:2: a quote that opens here is not closed"));
  EXPECT_THAT(std::string(ParseCsv("\"a\"b,c", "t.csv").status().message()),
              HasSubstr("t.csv:1: text after a closing quote"));
}

}  // namespace
}  // namespace cotangent::data
