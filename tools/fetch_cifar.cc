// Brings CIFAR-10 or CIFAR-100 onto this machine:
//
//   fetch_cifar --dataset=cifar10 --data_dir=DIR

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "data/dataset.h"
#include "data/fetch.h"

namespace {

constexpr char kUsage[] =
    "Brings a data set onto this machine.\n"
    "\n"
    "  fetch_cifar --dataset=cifar10|cifar100 --data_dir=DIR\n"
    "\n"
    "  --dataset   the data set; cifar10 if not given\n"
    "  --data_dir  where it goes; $XDG_CACHE_HOME/cotangent, else ~/.cache/cotangent if not "
    "given\n";

constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;
constexpr int kExitInterrupted = 130;

volatile sig_atomic_t interrupted = 0;

void OnInterrupt(int) { interrupted = 1; }

int Usage(const std::string& message) {
  fprintf(stderr, "fetch_cifar: %s\n\n%s", message.c_str(), kUsage);
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) {
  std::string dataset = "cifar10";
  std::string data_dir = cotangent::data::DefaultDataDir();
  for (int i = 1; i < argc; ++i) {
    absl::string_view argument = argv[i];
    if (argument == "--help" || argument == "-h") {
      fputs(kUsage, stdout);
      return 0;
    }
    if (absl::ConsumePrefix(&argument, "--dataset=")) {
      dataset = std::string(argument);
    } else if (absl::ConsumePrefix(&argument, "--data_dir=")) {
      data_dir = std::string(argument);
    } else {
      return Usage("what is " + std::string(argument) + "? Expected --dataset= or --data_dir=");
    }
  }
  if (data_dir.empty())
    return Usage("--data_dir= names no directory; expected one, such as --data_dir=data");
  const absl::StatusOr<cotangent::data::DatasetName> name =
      cotangent::data::ParseDatasetName(dataset);
  if (!name.ok()) return Usage("--dataset: " + std::string(name.status().message()));

  // Paths are relative to where the user stands; `bazel run` starts programs elsewhere.
  const char* directory = getenv("BUILD_WORKING_DIRECTORY");
  if (directory != nullptr && chdir(directory) != 0) {
    perror(directory);
    return kExitFailed;
  }

  struct sigaction action = {};
  action.sa_handler = OnInterrupt;
  for (int signal_number : {SIGINT, SIGTERM, SIGHUP}) sigaction(signal_number, &action, nullptr);

  cotangent::data::FetchOptions options;
  options.progress = [](const std::string& line) { fprintf(stderr, "%s\n", line.c_str()); };
  options.cancelled = [] { return interrupted != 0; };
  const absl::Status status = cotangent::data::Fetch(*name, data_dir, options);
  if (absl::IsCancelled(status)) {
    fprintf(stderr, "fetch_cifar: interrupted; nothing was changed\n");
    return kExitInterrupted;
  }
  if (!status.ok()) {
    fprintf(stderr, "fetch_cifar: %s\n", std::string(status.message()).c_str());
    return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailed;
  }
  return 0;
}
