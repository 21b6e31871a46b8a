// Values and derivatives of formulas at a point, by four independent methods; and whether those of
// a network agree:
//
//   differentiate "cos(w1)*cos(w2) + sigmoid(w2)" "ln(w1 + w2) + w1^2*w2" --at=w1=1,w2=2 --step=0.01 --trace
//   differentiate --network=convnet --check

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tools/command_line.h"
#include "tools/derivative_report.h"
#include "tools/graph_picture.h"
#include "tools/network_report.h"
#include "tools/standard_streams.h"

namespace {

namespace tools = cotangent::tools;
using tools::DerivativeMode;

constexpr char kUsage[] =
    "Values and derivatives of formulas at a point, by four independent methods.\n"
    "\n"
    "  differentiate FORMULA... --at=x=1,y=2\n"
    "  differentiate --network=NAME|FILE --check\n"
    "\n"
    "  --at=NAME=VALUE,...  the point; the formulas may use these variables\n"
    "  --mode=MODE          all (default), numeric, forward, reverse, symbolic, or several with "
    "commas\n"
    "  --step=H             step of the central differences; chosen, with extrapolation, if not "
    "given\n"
    "  --hessian            second derivatives too\n"
    "  --trace              each intermediate value with its tangents and adjoints\n"
    "  --graph=FILE         draws the computation graph: FILE.svg, FILE.png or FILE.dot\n"
    "  --format=FORMAT      text (default), json, latex\n"
    "\n"
    "  --network=NAME|FILE  a network of the zoo, or the path of a network text\n"
    "  --check              holds its gradient, Jacobian-vector and Hessian-vector products and "
    "differences in f64\n"
    "                       against each other at a random point; exit code 1 if they disagree\n"
    "  --batch_size=N       images [4]\n"
    "  --seed=N             of the point and the directions [1]\n"
    "  --threads=N          0: one a core [0]\n"
    "  --set=PATH=VALUE     overrides a field of the network text; may be repeated\n"
    "\n"
    "Formulas: x^2*sin(y) + ln(z); names for parts: u = x + y; u*(u + 1); if(x < 0, -x, x).\n";

struct Arguments {
  std::vector<std::string> formulas;
  std::vector<std::pair<std::string, double>> point;
  tools::ReportOptions report;
  std::string graph;
  std::string format = "text";
  tools::NetworkReportOptions network;
  bool check = false;
  bool help = false;
};

absl::Status ParsePoint(absl::string_view text, Arguments* arguments) {
  for (absl::string_view part : absl::StrSplit(text, ',', absl::SkipWhitespace())) {
    const std::vector<std::string> sides = absl::StrSplit(part, '=');
    double value;
    if (sides.size() != 2 || sides[0].empty() || !absl::SimpleAtod(sides[1], &value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--at: found '", part, "', expected NAME=NUMBER, such as --at=x=1,y=0.5"));
    }
    const std::string name(absl::StripAsciiWhitespace(sides[0]));
    if (!std::isfinite(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--at: ", name, " is not a finite number; give it one"));
    }
    for (const auto& [other, other_value] : arguments->point) {
      if (other == name)
        return absl::InvalidArgumentError(
            absl::StrCat("--at: ", name, " is given twice; keep one"));
    }
    arguments->point.emplace_back(name, value);
  }
  return absl::OkStatus();
}

absl::Status ParseModes(absl::string_view text, Arguments* arguments) {
  if (text == "all") return absl::OkStatus();
  const std::pair<absl::string_view, DerivativeMode> modes[] = {
      {"numeric", DerivativeMode::kNumeric},
      {"forward", DerivativeMode::kForward},
      {"reverse", DerivativeMode::kReverse},
      {"symbolic", DerivativeMode::kSymbolic}};
  arguments->report.modes.clear();
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    bool known = false;
    for (const auto& [name, mode] : modes) {
      if (part != name) continue;
      arguments->report.modes.push_back(mode);
      known = true;
    }
    if (!known) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--mode: found '", part, "', expected all, numeric, forward, reverse or symbolic"));
    }
  }
  return absl::OkStatus();
}

template <class Number>
absl::Status ParseNumber(absl::string_view flag, absl::string_view text, Number least,
                         Number* number) {
  if (absl::SimpleAtoi(text, number) && *number >= least) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": found '", text, "', expected a whole number from ", least, " on"));
}

absl::Status ParseNetworkFlag(absl::string_view argument, Arguments* arguments) {
  tools::NetworkReportOptions& network = arguments->network;
  if (argument == "--check") {
    arguments->check = true;
  } else if (absl::ConsumePrefix(&argument, "--network=")) {
    network.network = std::string(argument);
  } else if (absl::ConsumePrefix(&argument, "--set=")) {
    network.overrides.emplace_back(argument);
  } else if (absl::ConsumePrefix(&argument, "--batch_size=")) {
    return ParseNumber<int64_t>("--batch_size", argument, 1, &network.batch_size);
  } else if (absl::ConsumePrefix(&argument, "--seed=")) {
    return ParseNumber<uint64_t>("--seed", argument, 0, &network.seed);
  } else if (absl::ConsumePrefix(&argument, "--threads=")) {
    return ParseNumber<int>("--threads", argument, 0, &network.threads);
  } else {
    return absl::InvalidArgumentError(absl::StrCat("there is no flag ", argument));
  }
  return absl::OkStatus();
}

absl::Status ParseFlag(absl::string_view argument, Arguments* arguments) {
  if (argument == "--help" || argument == "-h") {
    arguments->help = true;
  } else if (absl::ConsumePrefix(&argument, "--at=")) {
    return ParsePoint(argument, arguments);
  } else if (absl::ConsumePrefix(&argument, "--mode=")) {
    return ParseModes(argument, arguments);
  } else if (absl::ConsumePrefix(&argument, "--step=")) {
    double& step = arguments->report.step;
    if (!absl::SimpleAtod(argument, &step) || !(step > 0) || !std::isfinite(step)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--step: found '", argument, "', expected a positive number such as 0.01"));
    }
  } else if (argument == "--hessian") {
    arguments->report.hessian = true;
  } else if (argument == "--trace") {
    arguments->report.trace = true;
  } else if (absl::ConsumePrefix(&argument, "--graph=")) {
    arguments->graph = std::string(argument);
  } else if (absl::ConsumePrefix(&argument, "--format=")) {
    arguments->format = std::string(argument);
    if (argument != "text" && argument != "json" && argument != "latex") {
      return absl::InvalidArgumentError(
          absl::StrCat("--format: found '", argument, "', expected text, json or latex"));
    }
  } else {
    return ParseNetworkFlag(argument, arguments);
  }
  return absl::OkStatus();
}

// Whether what was asked for can be done together.
absl::Status CheckArguments(const Arguments& arguments) {
  if (arguments.help) return absl::OkStatus();
  if (!arguments.network.network.empty()) {
    if (!arguments.formulas.empty() || !arguments.point.empty()) {
      return absl::InvalidArgumentError("found both --network and formulas; one at a time");
    }
    if (!arguments.check)
      return absl::InvalidArgumentError(
          "what of the network? --check holds its derivatives against each other");
    if (arguments.format == "latex")
      return absl::InvalidArgumentError(
          "--format: found 'latex', expected text or json for a network");
    return absl::OkStatus();
  }
  if (arguments.check)
    return absl::InvalidArgumentError("--check needs a network: --network=NAME|FILE");
  if (arguments.formulas.empty()) return absl::InvalidArgumentError("no formula given");
  if (arguments.point.empty()) return absl::InvalidArgumentError("no point given: --at=x=1,...");
  return absl::OkStatus();
}

absl::StatusOr<Arguments> ParseArguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const absl::string_view argument = argv[i];
    if (absl::StartsWith(argument, "--") || argument == "-h") {
      if (absl::Status status = ParseFlag(argument, &arguments); !status.ok()) return status;
    } else {
      arguments.formulas.emplace_back(argument);
    }
  }
  if (absl::Status status = CheckArguments(arguments); !status.ok()) return status;
  return arguments;
}

int Usage(absl::string_view message) {
  fprintf(stderr, "differentiate: %s\n\n%s", std::string(message).c_str(), kUsage);
  return tools::kExitUsage;
}

int Fail(const absl::Status& status) {
  fprintf(stderr, "differentiate: %s%s\n", std::string(status.message()).c_str(),
          absl::IsOutOfRange(status) ? "; choose another point with --at" : "");
  // What is wrong with the input, a directory that is not there included, comes as one of these;
  // all else is a failure at work.
  const bool input =
      absl::IsInvalidArgument(status) || absl::IsNotFound(status) || absl::IsOutOfRange(status);
  return input ? tools::kExitUsage : tools::kExitFailed;
}

int Print(const std::string& text) {
  fputs(text.c_str(), stdout);
  return tools::kExitDone;
}

int CheckNetwork(const Arguments& arguments) {
  const absl::StatusOr<tools::NetworkReport> report = tools::MakeNetworkReport(arguments.network);
  if (!report.ok()) return Fail(report.status());
  const int printed = Print(arguments.format == "json" ? tools::NetworkReportAsJson(*report)
                                                       : tools::NetworkReportAsText(*report));
  return report->check.agrees ? printed : tools::kExitFailed;
}

int Differentiate(const Arguments& arguments) {
  const absl::StatusOr<tools::Report> report =
      tools::MakeReport(arguments.formulas, arguments.point, arguments.report);
  if (!report.ok()) return Fail(report.status());
  for (const std::string& note : report->notes) fprintf(stderr, "note: %s\n", note.c_str());
  if (!arguments.graph.empty()) {
    std::vector<std::string> names;
    for (const tools::FunctionReport& function : report->functions) names.push_back(function.name);
    const std::string dot = cotangent::autodiff::symbolic::ToDot(report->trace, names);
    if (absl::Status status = tools::WriteGraph(dot, arguments.graph); !status.ok())
      return Fail(status);
  }
  return Print(arguments.format == "json"    ? tools::ReportAsJson(*report)
               : arguments.format == "latex" ? tools::ReportAsLatex(*report)
                                             : tools::ReportAsText(*report));
}

}  // namespace

int main(int argc, char** argv) {
  tools::GuardStandardStreams();
  const absl::StatusOr<Arguments> arguments = ParseArguments(argc, argv);
  if (!arguments.ok()) return Usage(arguments.status().message());
  if (arguments->help) {
    fputs(kUsage, stdout);
    return 0;
  }
  // Paths are relative to where the user stands; `bazel run` starts programs elsewhere.
  const char* directory = getenv("BUILD_WORKING_DIRECTORY");
  if (directory != nullptr && chdir(directory) != 0) {
    perror(directory);
    return tools::kExitFailed;
  }
  return arguments->network.network.empty() ? Differentiate(*arguments) : CheckNetwork(*arguments);
}
