// Computes values and derivatives of formulas at a point by four independent methods; or, without a
// point, simplifies formulas, decides whether they are equal, even or odd, or finds limits; or
// checks that the derivatives of a network agree:
//
//   differentiate "cos(w1)*cos(w2) + sigmoid(w2)" "ln(w1 + w2) + w1^2*w2" --at=w1=1,w2=2 --trace
//   differentiate --network=convnet --check

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/editor_text.h"
#include "base/status_macros.h"
#include "tools/command_line.h"
#include "tools/derivative_report.h"
#include "tools/formula_report.h"
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
    "  differentiate FORMULA... --simplify | --equal | --parity[=x] | --limit=x=0\n"
    "  differentiate --network=NAME|FILE --check\n"
    "\n"
    "  --at=NAME=VALUE,...  the point; the formulas may use these variables; values such as 2, "
    "pi/2\n"
    "  --file=PATH          a formula from a file (-: standard input); may be repeated\n"
    "  --mode=MODE          all (default), numeric, forward, reverse, symbolic, or several with "
    "commas\n"
    "  --step=H             step of the central differences; chosen, with extrapolation, if not "
    "given\n"
    "  --hessian            second derivatives too\n"
    "  --trace              each intermediate value with its tangents and adjoints\n"
    "  --graph=FILE         draws the computation graph: FILE.svg, FILE.png or FILE.dot\n"
    "  --format=FORMAT      text (default), json, latex, cpp (a function of values and "
    "derivatives)\n"
    "  --                   what follows and is none of these flags is a formula, such as --x\n"
    "\n"
    "  --simplify           the formulas' short forms\n"
    "  --equal              whether the others equal the first; exit code 1 unless that is proved\n"
    "  --parity[=NAME]      whether they are even or odd in a variable\n"
    "  --limit=NAME=POINT   their limits: x=0, x=0+, x=0-, x=inf, x=-inf\n"
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

// What to compute; all but kDerivatives work on formulas without a point.
enum class Command { kDerivatives, kSimplify, kEqual, kParity, kLimit };

struct Arguments {
  std::vector<std::string> formulas;
  std::vector<std::string> files;  // each holds a formula; they come after `formulas`
  std::vector<std::pair<std::string, double>> point;
  tools::ReportOptions report;
  std::string graph;
  std::string format = "text";
  Command command = Command::kDerivatives;
  std::string operand;  // the value of --parity or --limit
  tools::NetworkReportOptions network;
  bool check = false;
  bool help = false;
  bool behind_dashes = false;  // a -- was found: what is no flag is a formula
};

// Splits at commas outside parentheses: "x=max(1,2),y=3" has two parts.
std::vector<std::string> SplitAtCommas(absl::string_view text) {
  std::vector<std::string> parts(1);
  int depth = 0;
  for (const char c : text) {
    depth += (c == '(') - (c == ')');
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

absl::Status ParsePoint(absl::string_view text, Arguments* arguments) {
  for (const std::string& part : SplitAtCommas(text)) {
    if (absl::StripAsciiWhitespace(part).empty()) continue;
    const std::vector<std::string> sides = absl::StrSplit(part, absl::MaxSplits('=', 1));
    const std::string name(absl::StripAsciiWhitespace(sides[0]));
    const bool is_name =
        !name.empty() && !absl::ascii_isdigit(name[0]) &&
        absl::c_all_of(name, [](char c) { return absl::ascii_isalnum(c) || c == '_'; });
    if (sides.size() != 2 || !is_name) {
      return absl::InvalidArgumentError(
          absl::StrCat("--at: found '", part, "', expected NAME=NUMBER, such as --at=x=1,y=pi/2"));
    }
    for (const auto& [other, other_value] : arguments->point) {
      if (other == name)
        return absl::InvalidArgumentError(
            absl::StrCat("--at: ", name, " is given twice; keep one"));
    }
    double value;
    if (absl::SimpleAtod(sides[1], &value)) {
      if (!std::isfinite(value)) {
        return absl::InvalidArgumentError(
            absl::StrCat("--at: ", name, " is not a finite number; give it one"));
      }
    } else {
      ASSIGN_OR_RETURN(value, tools::ConstantFromText(sides[1], absl::StrCat("--at: ", name)));
    }
    arguments->point.emplace_back(name, value);
  }
  return absl::OkStatus();
}

absl::Status ReadFormula(absl::string_view path, Arguments* arguments) {
  std::ifstream file;
  std::ostringstream contents;
  errno = 0;
  if (path != "-") file.open(std::string(path));
  if (errno == 0) contents << (path == "-" ? std::cin.rdbuf() : file.rdbuf());
  if (errno != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--file: cannot read '", path, "': ", strerror(errno)));
  }
  std::string text = contents.str();
  if (absl::StripAsciiWhitespace(cotangent::WithoutEditorMarks(text)).empty()) {
    return absl::InvalidArgumentError(absl::StrCat("--file: '", path, "' holds no formula"));
  }
  arguments->formulas.push_back(std::move(text));
  return absl::OkStatus();
}

absl::Status SetCommand(Command command, absl::string_view operand, Arguments* arguments) {
  if (arguments->command != Command::kDerivatives) {
    return absl::InvalidArgumentError(
        "found two of --simplify, --equal, --parity and --limit; one at a time");
  }
  arguments->command = command;
  arguments->operand = std::string(operand);
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
  } else if (arguments->behind_dashes) {
    arguments->formulas.emplace_back(argument);
  } else {
    return absl::InvalidArgumentError(absl::StrCat(
        "there is no flag ", argument, " (a formula that begins with -- goes behind a --)"));
  }
  return absl::OkStatus();
}

// Returns an error unless the argument is ASCII. Not called for flags whose values are paths or
// names, which may hold other characters.
absl::Status CheckCharacters(absl::string_view argument) {
  const size_t at = cotangent::FirstForeignCharacter(argument);
  if (at == absl::string_view::npos) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(argument.substr(0, argument.find('=')), ": ",
                   cotangent::FoundForeignCharacter(argument.substr(at)), ", in '", argument, "'"));
}

absl::Status ParseFlag(absl::string_view argument, Arguments* arguments) {
  for (absl::string_view flag :
       {"--at=", "--mode=", "--step=", "--format=", "--parity=", "--limit="}) {
    if (!absl::StartsWith(argument, flag)) continue;
    RETURN_IF_ERROR(CheckCharacters(argument));
  }
  if (argument == "--help" || argument == "-h") {
    arguments->help = true;
  } else if (argument == "--version") {
    tools::PrintVersion();
  } else if (absl::ConsumePrefix(&argument, "--at=")) {
    return ParsePoint(argument, arguments);
  } else if (absl::ConsumePrefix(&argument, "--file=")) {
    arguments->files.emplace_back(argument);
  } else if (argument == "--simplify") {
    return SetCommand(Command::kSimplify, "", arguments);
  } else if (argument == "--equal") {
    return SetCommand(Command::kEqual, "", arguments);
  } else if (argument == "--parity") {
    return SetCommand(Command::kParity, "", arguments);
  } else if (absl::ConsumePrefix(&argument, "--parity=")) {
    return SetCommand(Command::kParity, argument, arguments);
  } else if (absl::ConsumePrefix(&argument, "--limit=")) {
    return SetCommand(Command::kLimit, argument, arguments);
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
    if (argument != "text" && argument != "json" && argument != "latex" && argument != "cpp") {
      return absl::InvalidArgumentError(
          absl::StrCat("--format: found '", argument, "', expected text, json, latex or cpp"));
    }
  } else {
    return ParseNetworkFlag(argument, arguments);
  }
  return absl::OkStatus();
}

// Checks that the arguments can be combined.
absl::Status CheckArguments(const Arguments& arguments) {
  if (arguments.help) return absl::OkStatus();
  if (!arguments.network.network.empty()) {
    if (!arguments.formulas.empty() || !arguments.files.empty() || !arguments.point.empty() ||
        arguments.command != Command::kDerivatives) {
      return absl::InvalidArgumentError("found both --network and formulas; one at a time");
    }
    if (!arguments.check)
      return absl::InvalidArgumentError(
          "what of the network? --check holds its derivatives against each other");
    if (arguments.format == "latex" || arguments.format == "cpp")
      return absl::InvalidArgumentError(absl::StrCat("--format: found '", arguments.format,
                                                     "', expected text or json for a network"));
    return absl::OkStatus();
  }
  if (arguments.check)
    return absl::InvalidArgumentError("--check needs a network: --network=NAME|FILE");
  if (arguments.formulas.empty() && arguments.files.empty()) {
    return absl::InvalidArgumentError("no formula given");
  }
  if (arguments.command != Command::kDerivatives) {
    if (arguments.point.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError("--simplify, --equal, --parity and --limit take no --at");
  }
  if (arguments.point.empty()) return absl::InvalidArgumentError("no point given: --at=x=1,...");
  return absl::OkStatus();
}

// The flags that have a value, which may follow them as the next argument, too: "--set A=1" means
// "--set=A=1". The flag --parity is not among them, since it may stand alone.
constexpr absl::string_view kFlagsWithValues[] = {
    "--at",     "--file",    "--limit", "--mode",       "--step", "--graph",
    "--format", "--network", "--set",   "--batch_size", "--seed", "--threads"};

absl::StatusOr<Arguments> ParseArguments(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    if (!arguments.behind_dashes && absl::c_linear_search(kFlagsWithValues, argument)) {
      if (i + 1 == argc)
        return absl::InvalidArgumentError(
            absl::StrCat(argument, " is the last argument; expected a value behind it"));
      absl::StrAppend(&argument, "=", argv[++i]);
    }
    if (argument == "--") {
      arguments.behind_dashes = true;
    } else if (absl::StartsWith(argument, "--") || (argument == "-h" && !arguments.behind_dashes)) {
      RETURN_IF_ERROR(ParseFlag(argument, &arguments));
    } else {
      arguments.formulas.emplace_back(argument);
    }
  }
  RETURN_IF_ERROR(CheckArguments(arguments));
  return arguments;
}

int Usage(absl::string_view message) {
  tools::Say(absl::StrCat("differentiate: ", message, "\n"));
  fputs(kUsage, stderr);
  return tools::kExitUsage;
}

int Fail(const absl::Status& status) {
  tools::Say(absl::StrCat("differentiate: ", status.message(),
                          absl::IsOutOfRange(status) ? "; choose another point with --at" : ""));
  // Errors that concern the input, including a directory that does not exist, have one of these
  // codes. Errors with other codes are failures of the program.
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

int Answer(const Arguments& arguments) {
  bool all_equal = true;
  const absl::StatusOr<std::string> text =
      arguments.command == Command::kSimplify ? tools::SimplifiedAsText(arguments.formulas)
      : arguments.command == Command::kEqual ? tools::EqualityAsText(arguments.formulas, &all_equal)
      : arguments.command == Command::kParity
          ? tools::ParityAsText(arguments.formulas, arguments.operand)
          : tools::LimitAsText(arguments.formulas, arguments.operand);
  if (!text.ok()) return Fail(text.status());
  const int printed = Print(*text);
  return all_equal ? printed : tools::kExitFailed;
}

int Differentiate(Arguments arguments) {
  for (const std::string& file : arguments.files) {
    if (absl::Status status = ReadFormula(file, &arguments); !status.ok()) return Fail(status);
  }
  if (arguments.command != Command::kDerivatives) return Answer(arguments);
  arguments.report.formulas = arguments.format == "latex" || arguments.format == "cpp";
  const absl::StatusOr<tools::Report> report =
      tools::MakeReport(arguments.formulas, arguments.point, arguments.report);
  if (!report.ok()) return Fail(report.status());
  for (const std::string& note : report->notes) tools::Say(absl::StrCat("note: ", note));
  if (!arguments.graph.empty()) {
    std::vector<std::string> names;
    for (const tools::FunctionReport& function : report->functions) names.push_back(function.name);
    const std::string dot = cotangent::autodiff::symbolic::ToDot(report->trace, names);
    if (absl::Status status = tools::WriteGraph(dot, arguments.graph); !status.ok())
      return Fail(status);
  }
  const int printed = Print(arguments.format == "json"    ? tools::ReportAsJson(*report)
                            : arguments.format == "latex" ? tools::ReportAsLatex(*report)
                            : arguments.format == "cpp"   ? tools::ReportAsCpp(*report)
                                                          : tools::ReportAsText(*report));
  return report->agrees() ? printed : tools::kExitFailed;
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
  // Paths are relative to the user's directory, but `bazel run` starts programs in another.
  const char* directory = getenv("BUILD_WORKING_DIRECTORY");
  if (directory != nullptr && chdir(directory) != 0) {
    perror(directory);
    return tools::kExitFailed;
  }
  return arguments->network.network.empty() ? Differentiate(*arguments) : CheckNetwork(*arguments);
}
