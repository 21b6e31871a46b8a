// Tests the program `differentiate`: where its formulas come from, what it prints, and how it ends.

#include <cmath>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/process/process.h"

// printed_formulas.inc, included below, is C++ code that the program `differentiate` prints when
// this test is built (see the file BUILD).
#include "tests/programs/printed_formulas.inc"

namespace cotangent::tests {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Outcome Differentiate(const std::vector<std::string>& arguments) {
  return RunProgram(Runfile("tools/differentiate"), arguments,
                    {.directory = MakeTestDirectory("differentiate")}, 30);
}

double SlopeIn(const Outcome& outcome) {
  EXPECT_EQ(outcome.exit_code, 0) << outcome.errors;
  const auto json = nlohmann::json::parse(outcome.output, nullptr, false);
  if (json.is_discarded()) return NAN;
  return json["functions"][0]["gradient"]["x"]["reverse"].get<double>();
}

TEST(Differentiate, ReadsFormulasFromFiles) {
  const std::string directory = MakeTestDirectory("formulas");
  WriteFile(directory + "/plain.txt", "u = x^2;\nu * y\n");
  // A file with a byte-order mark and the line ends of Windows.
  WriteFile(directory + "/edited.txt", "\xef\xbb\xbfu = x^2;\r\nu * y\r\n");
  WriteFile(directory + "/empty.txt", " \n");
  WriteFile(directory + "/spaces.txt", "x *\xc2\xa0y");
  const auto run = [&](const std::string& file, const std::string& before = "") {
    return RunProgram("/bin/sh",
                      {"-c", before + Runfile("tools/differentiate") + " --file=" + file +
                                 " --at=x=3,y=5 --format=json"},
                      {.directory = directory}, 30);
  };
  EXPECT_EQ(SlopeIn(run("plain.txt")), 30);
  EXPECT_EQ(SlopeIn(run("edited.txt")), 30);
  EXPECT_EQ(SlopeIn(run("-", "cat edited.txt | ")), 30);
  const Outcome several =
      Differentiate({"x", "--file=" + directory + "/plain.txt", "--at=x=3,y=5"});
  EXPECT_THAT(several.output, HasSubstr("df2/dx"));
  for (const auto& [file, message] : std::vector<std::pair<std::string, std::string>>{
           {"none.txt", "--file: cannot read 'none.txt': No such file or directory"},
           {"empty.txt", "--file: 'empty.txt' holds no formula"},
           {".", "--file: cannot read '.': Is a directory"},
           {"spaces.txt", "f:1:4: found a no-break space (U+00A0); expected a plain space"}}) {
    const Outcome outcome = run(file);
    EXPECT_EQ(outcome.exit_code, 2) << file;
    EXPECT_THAT(outcome.errors, HasSubstr(message));
    EXPECT_EQ(outcome.output, "");
  }
}

TEST(Differentiate, TakesWhatPeopleType) {
  EXPECT_EQ(SlopeIn(Differentiate({"-x^2", "--at=x=3", "--format=json"})), -6);
  EXPECT_EQ(SlopeIn(Differentiate({"--format=json", "--at=x=3", "--", "--x^2"})), 6);
  EXPECT_EQ(SlopeIn(Differentiate({"--", "--x^2", "--at=x=3", "--format=json"})), 6);
  EXPECT_EQ(SlopeIn(Differentiate({"--format", "json", "x^2", "--at", "x=3"})), 6);
  EXPECT_EQ(SlopeIn(Differentiate({"--", "x^2", "--at=x=3", "--hessian", "--format=json"})), 6);
  EXPECT_NEAR(SlopeIn(Differentiate({"sin(x)", "--at=x=pi/2", "--format=json"})), 0, 1e-16);
  EXPECT_EQ(SlopeIn(Differentiate({"x*y", "--at=x=max(1, 2), y=sqrt(16)", "--format=json"})), 4);
  EXPECT_EQ(SlopeIn(Differentiate({"ceil(x)*x + round(x)*0 + clamp(x, 0, 9) + mod(x, 2)",
                                   "--at=x=2.5", "--format=json"})),
            5);
  EXPECT_NEAR(SlopeIn(Differentiate({"atan2(x, 1)", "--at=x=1", "--format=json"})), 0.5, 1e-15);
}

TEST(Differentiate, AnswersWithoutAPoint) {
  EXPECT_THAT(Differentiate({"sin(x)/x", "--limit=x=0"}).output,
              HasSubstr("limit of f as x -> 0: 1"));
  EXPECT_THAT(Differentiate({"x*x + x^2", "--simplify"}).output, HasSubstr("2*x^2"));
  EXPECT_THAT(Differentiate({"x*sin(x)", "--parity"}).output, HasSubstr("even"));
  EXPECT_EQ(Differentiate({"(x+1)^2", "x^2+2*x+1", "--equal"}).exit_code, 0);
  EXPECT_EQ(Differentiate({"(x+1)^2", "x^2+1", "--equal"}).exit_code, 1);
}

TEST(Differentiate, NothingIsLostSilently) {
  for (const std::string arguments : {"x^2 --at=x=1", "x^2 --simplify", "x^2 --at=x=1 --format=cpp",
                                      "x^2 --at=x=1 --format=json", "--help"}) {
    for (const std::string end : {" >/dev/full", " >&-"}) {
      const Outcome outcome =
          RunProgram("/bin/sh", {"-c", Runfile("tools/differentiate") + " " + arguments + end},
                     {.directory = MakeTestDirectory("lost")}, 30);
      EXPECT_EQ(outcome.exit_code, 1) << arguments << end;
      EXPECT_THAT(outcome.errors, HasSubstr("standard output could not be written"));
    }
  }
}

// Calls the C++ code that the program printed. Among the formulas' variables are names that C++
// code cannot use as they are: keywords (int, class), macros of the library (M_PI, NAN), names that
// are reserved for the compiler (x__y, _Exp), and the names std and v1, which the printed code
// uses.
TEST(Differentiate, PrintedCppComputesTheSame) {
  // The formula is int class^2 + x__y / _Exp + exp(v1 std). The expected numbers are its value and
  // the derivative by each variable.
  const auto found = PrintedKeywords(2, 3, 4, 5, 0.5, 1.5);
  const double e = std::exp(0.75);
  const double expected[] = {18 + 0.8 + e, 9, 12, 0.2, -0.16, 1.5 * e, 0.5 * e};
  ASSERT_EQ(found.size(), std::size(expected));
  for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-14) << i;
  // At 1, polygamma(1, x) is pi^2 / 6 with derivative -2 zeta(3). The second formula is hypot(M_PI,
  // NAN), with the variables M_PI = 3 and NAN = 4.
  const auto functions = PrintedFunctions(1, 3, 4);
  EXPECT_NEAR(functions[0], 1.6449340668482264, 1e-12);
  EXPECT_NEAR(functions[1], -2.4041138063191886, 1e-12);
  const double hypotenuse[] = {5, 0, 0.6, 0.8};
  for (int i = 0; i < 4; ++i) EXPECT_NEAR(functions[4 + i], hypotenuse[i], 1e-14) << i;
  // The expected numbers are the values of x floor(x / 49) and y ceil(10 x / (7 y^2)), each
  // followed by its derivatives by x and y. A product with a rounded reciprocal would miss them: 49
  // * (1 / 49) is below 1, and 490 * (1 / 7) / 1 is above 70.
  const auto quotients = PrintedQuotients(49, 1);
  const double whole[] = {49, 1, 0, 70, 0, 70};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(quotients[i], whole[i]) << i;
  EXPECT_NEAR(quotients[6], 1.0 / 49, 1e-16);  // 1 / (x sqrt(y))
  EXPECT_NEAR(quotients[7], -1.0 / (49 * 49), 1e-17);
  EXPECT_NEAR(quotients[8], -0.5 / 49, 1e-16);
}

}  // namespace
}  // namespace cotangent::tests
