// Runs the experiments of the laboratory on the claims of a problem set (tools/lab/README.md):
//
//   lab [experiment...] --output_dir=DIR

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "data/dataset.h"
#include "data/file.h"
#include "tools/command_line.h"
#include "tools/lab/experiments.h"
#include "tools/lab/page.h"
#include "tools/lab/section.h"
#include "tools/shared_flags.h"

ABSL_FLAG(std::string, output_dir, "lab", "where lab.html and results.json go");
ABSL_FLAG(std::string, activation, "",
          "the activation that `activation` examines: a formula in x; x/(1 + abs(x)) if not given");
ABSL_FLAG(std::string, data_dir, "",
          "where CIFAR-10 is; $XDG_CACHE_HOME/cotangent, else ~/.cache/cotangent, if not given");
ABSL_FLAG(std::string, runs_dir, "",
          "for `cifar`: holds the output directories of `train`, named as their networks; "
          "OUTPUT_DIR/runs if not given");
ABSL_FLAG(bool, train, false, "for `cifar`: trains the networks that --runs_dir has no run of");
COTANGENT_THREADS_FLAG;

namespace cotangent::tools::lab {
namespace {

constexpr char kUsage[] =
    "Runs experiments on claims about how networks learn, and writes what came out as a page, "
    "lab.html, and as results.json.\n"
    "\n"
    "  lab [experiment...] --output_dir=DIR\n"
    "\n"
    "Experiments: activation linear proximal lemma rate autodiff circular equivariance sgd cifar; "
    "all, if "
    "none is named.\n"
    "The exit code is 1 if a claim fails.\n";

struct Experiment {
  std::string name;
  std::function<absl::StatusOr<Report>()> run;
};

std::vector<Experiment> Experiments(const std::string& data_dir, int threads) {
  ActivationPremises activation;
  if (const std::string formula = absl::GetFlag(FLAGS_activation); !formula.empty())
    activation = {.formula = formula, .derivative = ""};
  RatePremises rate;
  rate.data_dir = data_dir;
  EquivariancePremises equivariance;
  equivariance.data_dir = data_dir;
  equivariance.threads = threads;
  CifarPremises cifar;
  cifar.data_dir = data_dir;
  cifar.threads = threads;
  cifar.train = absl::GetFlag(FLAGS_train);
  cifar.runs_dir = absl::GetFlag(FLAGS_runs_dir);
  if (cifar.runs_dir.empty())
    cifar.runs_dir = data::JoinPath(absl::GetFlag(FLAGS_output_dir), "runs");
  return {
      {"activation", [=] { return RunActivation(activation); }},
      {"linear", [] { return RunLinear(); }},
      {"proximal", [] { return RunProximal(); }},
      {"lemma", [] { return RunLemma(); }},
      {"rate", [=] { return RunRate(rate); }},
      {"autodiff", [] { return RunAutodiff(); }},
      {"circular", [] { return RunCircular(); }},
      {"equivariance", [=] { return RunEquivariance(equivariance); }},
      {"sgd", [] { return RunSgd(); }},
      {"cifar", [=] { return RunCifar(cifar); }},
  };
}

// Returns the experiments of `all` with these names, in the order of `all`; all of them if `names`
// is empty; an error if a name is unknown.
absl::StatusOr<std::vector<Experiment>> Chosen(const std::vector<Experiment>& all,
                                               const std::vector<std::string>& names) {
  if (names.empty()) return all;
  for (const std::string& name : names) {
    bool found = false;
    for (const Experiment& experiment : all) found = found || experiment.name == name;
    if (found) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("no experiment '", name, "'; there are ",
                     absl::StrJoin(all, ", ", [](std::string* out, const Experiment& e) {
                       absl::StrAppend(out, e.name);
                     })));
  }
  std::vector<Experiment> chosen;
  for (const Experiment& experiment : all) {
    for (const std::string& name : names) {
      if (experiment.name != name) continue;
      chosen.push_back(experiment);
      break;
    }
  }
  return chosen;
}

// Makes the directory, and returns an error if nothing can be written to it. Main() calls this
// before the experiments, which take minutes, so that nobody learns of the error after them.
absl::Status CheckWritable(const std::string& directory) {
  if (absl::Status status = data::MakeDirectories(directory); !status.ok())
    return absl::InvalidArgumentError(
        absl::StrCat("--output_dir: ", status.message(), "; name another directory"));
  if (access(directory.c_str(), W_OK | X_OK) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--output_dir: cannot write in ", directory, "; name another directory"));
  }
  return absl::OkStatus();
}

void PrintClaim(const Claim& claim) {
  std::string equations;
  for (const int k : claim.equations) absl::StrAppend(&equations, "(", k, ")");
  std::printf("%-7s %-28s %-9s %s\n", VerdictName(claim.verdict), claim.id.c_str(),
              equations.c_str(), claim.statement.c_str());
  if (claim.verdict != Verdict::kHolds) {
    std::printf("        %s", claim.how.c_str());
    for (const Number& number : claim.numbers)
      std::printf("; %s: %s", number.name.c_str(), Short(number.value).c_str());
    std::printf("\n");
  }
  std::fflush(stdout);
}

int Main(int argc, char** argv) {
  const CommandLine command_line = ParseCommandLine(argc, argv, kUsage);
  int threads = 1;
  if (absl::Status status = UseThreads(absl::GetFlag(FLAGS_threads), &threads); !status.ok())
    return Fail(status);
  std::string data_dir = absl::GetFlag(FLAGS_data_dir);
  if (data_dir.empty()) data_dir = data::DefaultDataDir();
  const std::string output_dir = absl::GetFlag(FLAGS_output_dir);
  const auto chosen = Chosen(Experiments(data_dir, threads), command_line.arguments);
  if (!chosen.ok()) return Fail(chosen.status());
  if (absl::Status status = CheckWritable(output_dir); !status.ok()) return Fail(status);

  std::vector<Report> reports;
  bool all_hold = true;
  for (const Experiment& experiment : *chosen) {
    const auto begin = std::chrono::steady_clock::now();
    auto report = experiment.run();
    if (!report.ok())
      return Fail(absl::Status(report.status().code(),
                               absl::StrCat(experiment.name, ": ", report.status().message())));
    report->seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    for (const Claim& claim : report->claims) {
      PrintClaim(claim);
      all_hold = all_hold && claim.verdict != Verdict::kFails;
    }
    reports.push_back(*std::move(report));
  }
  for (const auto& [name, contents] :
       {std::pair("lab.html", ToHtml(reports)), std::pair("results.json", ToJson(reports))}) {
    if (absl::Status status = data::WriteFileAtomically(data::JoinPath(output_dir, name), contents);
        !status.ok())
      return Fail(status);
  }
  std::fprintf(stderr, "lab: wrote %s and results.json\n",
               data::JoinPath(output_dir, "lab.html").c_str());
  return all_hold ? kExitDone : kExitFailed;
}

}  // namespace
}  // namespace cotangent::tools::lab

int main(int argc, char** argv) { return cotangent::tools::lab::Main(argc, argv); }
