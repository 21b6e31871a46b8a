// Downloads a data set to this machine:
//
//   fetch_data --dataset=cifar10 --data_dir=DIR

#include <stdio.h>

#include <string>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "data/dataset.h"
#include "data/fetch.h"
#include "data/sources/source.h"
#include "tools/command_line.h"

ABSL_FLAG(std::string, dataset, "cifar10", "the data set: cifar10, cifar100 or mnist");
ABSL_FLAG(std::string, data_dir, cotangent::data::DefaultDataDir(), "where it goes");

namespace cotangent::tools {
namespace {

constexpr char kUsage[] =
    "Brings a data set onto this machine.\n"
    "\n"
    "  fetch_data --dataset=cifar10|cifar100|mnist --data_dir=DIR\n";

int Main(const CommandLine& line) {
  if (absl::Status status = TakesFlagsOnly(line, "fetch_data"); !status.ok()) return Fail(status);
  const std::string data_dir = absl::GetFlag(FLAGS_data_dir);
  if (data_dir.empty()) {
    return Fail(absl::InvalidArgumentError(
        "--data_dir= names no directory; expected one, such as --data_dir=data"));
  }
  const absl::StatusOr<std::shared_ptr<const data::Source>> source =
      data::FindSource(absl::GetFlag(FLAGS_dataset));
  if (!source.ok())
    return Fail(absl::InvalidArgumentError(absl::StrCat("--dataset: ", source.status().message())));
  CatchInterrupts();
  data::FetchOptions options;
  options.progress = Say;
  options.cancelled = [] { return InterruptSignal() != 0; };
  const absl::Status status = data::Fetch(**source, data_dir, options);
  if (absl::IsCancelled(status)) {
    fprintf(stderr, "fetch_data: interrupted; nothing was changed\n");
    return InterruptExitCode();
  }
  if (absl::IsInvalidArgument(status)) return Fail(status);
  return status.ok() ? kExitDone : Fail(absl::UnavailableError(status.message()));
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) {
  return cotangent::tools::Main(
      cotangent::tools::ParseCommandLine(argc, argv, cotangent::tools::kUsage));
}
