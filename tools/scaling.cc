// Predicts how fast several machines would train a network. Uses measurements on this machine and
// the properties of the network that connects the machines.

#include "distributed/scaling.h"

#include <stdio.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "layers/network/network_text.h"
#include "layers/zoo/zoo.h"
#include "tools/command_line.h"
#include "tools/precision.h"
#include "tools/shared_flags.h"
#include "tools/text_table.h"
#include "tools/tuner_watch.h"
#include "training/explain.h"
#include "training/plan_cache.h"
#include "training/recipe.h"

COTANGENT_NETWORK_FLAG("resnet18");
ABSL_FLAG(int64_t, batch_size, 128, "images a rank and step");
COTANGENT_PRECISION_FLAG;
COTANGENT_THREADS_FLAG;
ABSL_FLAG(
    std::string, gigabits, "10",
    "what the network between ranks carries a second, each way; by commas for several tables");
ABSL_FLAG(double, microseconds, 100, "what a message takes, there alone");
ABSL_FLAG(double, microseconds_between, 5,
          "what passes between two messages that a rank begins to send; 5: a system call of TCP");
ABSL_FLAG(std::string, ranks, "2,4,8,16,32,64,128,256,512,1024", "how many ranks, by commas");
ABSL_FLAG(int64_t, bucket_bytes, 0,
          "the least bytes of gradients sent together; 0: as training chooses for the network");
COTANGENT_SET_FLAG;

namespace cotangent::tools {
namespace {

constexpr char kUsage[] =
    "Foretells how fast many ranks train a network: measures a step of one rank on this machine, "
    "and "
    "computes what they add who wait for each other.\n"
    "\n"
    "  scaling --network=resnet18 --batch_size=128 --gigabits=10 --microseconds=100\n";
constexpr int kMostRanks = 1 << 20;
constexpr double kMostGigabits = 1e6, kMostMicroseconds = 1e9;

absl::StatusOr<std::vector<double>> Gigabits() {
  std::vector<double> all;
  for (absl::string_view text : absl::StrSplit(absl::GetFlag(FLAGS_gigabits), ',')) {
    double gigabits = 0;
    if (!absl::SimpleAtod(text, &gigabits) || !(gigabits > 0) || gigabits > kMostGigabits)
      return FlagError("gigabits", absl::GetFlag(FLAGS_gigabits),
                       "numbers above 0, at most 1e6, as 1,10,25");
    all.push_back(gigabits);
  }
  return all;
}

absl::StatusOr<std::vector<int>> Ranks() {
  std::vector<int> all;
  for (absl::string_view text : absl::StrSplit(absl::GetFlag(FLAGS_ranks), ',')) {
    int ranks = 0;
    if (!absl::SimpleAtoi(text, &ranks) || ranks < 1 || ranks > kMostRanks)
      return FlagError("ranks", absl::GetFlag(FLAGS_ranks), "numbers from 1 on, as 2,4,8");
    all.push_back(ranks);
  }
  return all;
}

absl::StatusOr<layers::Network> ResolveNetwork(const CommandLine& line) {
  ASSIGN_OR_RETURN(layers::Network network, layers::FindNetwork(absl::GetFlag(FLAGS_network)));
  network.mutable_train()->set_batch_size(absl::GetFlag(FLAGS_batch_size));
  if (const std::string precision = absl::GetFlag(FLAGS_precision); !precision.empty()) {
    RETURN_IF_ERROR(SetPrecision(precision, network));
  }
  for (const std::string& assignment : line.Values("set")) {
    RETURN_IF_ERROR(layers::ApplyOverride(network, assignment));
  }
  return network;
}

absl::StatusOr<distributed::StepTimes> MeasureStep(const layers::Network& network,
                                                   const training::StepOptions& options) {
  constexpr int64_t kClasses = 10, kImages = 50'000;
  training::CachedTuner tuner(options.threads, TerminalWatch(), absl::GetFlag(FLAGS_network));
  const int64_t batch = network.train().batch_size();
  ASSIGN_OR_RETURN(
      const std::unique_ptr<training::TrainingStep> step,
      training::StepOnNoise(network,
                            network.input().has_classes() ? network.input().classes() : kClasses,
                            std::max(kImages, batch), options, tuner.get()));
  const training::MeasuredTimes times =
      training::MeasureTimes(step->plan(), [&](int64_t number) { step->Run(number); });
  return distributed::StepTimes{times.operations, step->GradientPlaces(), times.rest,
                                static_cast<double>(batch)};
}

std::string Percent(double share) { return absl::StrFormat("%.1f%%", 100 * share); }

void PrintStep(const distributed::StepTimes& step) {
  double computed = step.update;
  for (double seconds : step.operations) computed += seconds;
  double floats = 0;
  for (const distributed::GradientPlace& place : step.gradients)
    floats += static_cast<double>(place.size);
  printf(
      "a rank alone: %.1f images/s, %.1f ms a step, of them %.1f ms the update; %.1f MB of "
      "gradients "
      "in f32\n",
      step.images / computed, computed * 1e3, step.update * 1e3, floats * 4e-6);
}

void PrintPredictions(const distributed::StepTimes& step, double gigabits,
                      const std::vector<int>& ranks) {
  using distributed::Exchange;
  const double message = absl::GetFlag(FLAGS_microseconds),
               between = absl::GetFlag(FLAGS_microseconds_between);
  printf("\n%g Gb/s, %g us a message, %g us between two\n\n", gigabits, message, between);
  std::vector<std::vector<std::string>> rows = {{"ranks", "gradients", "exchange", "images/s",
                                                 "efficiency", "ms a step", "ms under way",
                                                 "hidden"}};
  for (int count : ranks) {
    for (const int bytes : {4, 2}) {
      for (const auto& [exchange, name] :
           {std::pair(Exchange::kDirect, "direct"), std::pair(Exchange::kRing, "ring"),
            std::pair(Exchange::kTree, "tree")}) {
        const distributed::Prediction p = distributed::Predict(
            step, {count, exchange, message * 1e-6, gigabits * 1e9 / 8, between * 1e-6, bytes},
            absl::GetFlag(FLAGS_bucket_bytes));
        const double hidden =
            p.communication > 0 ? std::max(0.0, 1 - p.waited / p.communication) : 1;
        rows.push_back({absl::StrCat(count), bytes == 4 ? "f32" : "bf16", name,
                        absl::StrFormat("%.0f", p.images_per_second), Percent(p.efficiency),
                        absl::StrFormat("%.1f", p.seconds * 1e3),
                        absl::StrFormat("%.1f", p.communication * 1e3), Percent(hidden)});
      }
    }
  }
  fputs(TextTable(rows, {false, true, true, false, false, false, false, false}).c_str(), stdout);
}

int Main(const CommandLine& line) {
  if (absl::Status status = TakesFlagsOnly(line, "scaling"); !status.ok()) return Fail(status);
  if (absl::GetFlag(FLAGS_batch_size) < 1)
    return Fail(
        FlagError("batch_size", absl::StrCat(absl::GetFlag(FLAGS_batch_size)), "1 or more images"));
  for (const auto& [flag, value] :
       {std::pair("microseconds", absl::GetFlag(FLAGS_microseconds)),
        std::pair("microseconds_between", absl::GetFlag(FLAGS_microseconds_between))}) {
    if (!(value >= 0) || value > kMostMicroseconds)
      return Fail(FlagError(flag, absl::StrCat(value), "a number from 0 to 1e9"));
  }
  const absl::StatusOr<std::vector<double>> gigabits = Gigabits();
  if (!gigabits.ok()) return Fail(gigabits.status());
  if (absl::GetFlag(FLAGS_bucket_bytes) < 0)
    return Fail(FlagError("bucket_bytes", absl::StrCat(absl::GetFlag(FLAGS_bucket_bytes)),
                          "0 or more bytes"));
  const absl::StatusOr<std::vector<int>> ranks = Ranks();
  if (!ranks.ok()) return Fail(ranks.status());
  const absl::StatusOr<layers::Network> network = ResolveNetwork(line);
  if (!network.ok()) return Fail(network.status());
  training::StepOptions options;
  if (absl::Status status = UseThreads(absl::GetFlag(FLAGS_threads), &options.threads);
      !status.ok())
    return Fail(status);
  options.precision = PrecisionToUse(*network);
  options.images_as_read = true;
  const absl::StatusOr<distributed::StepTimes> step = MeasureStep(*network, options);
  if (!step.ok()) return Fail(step.status());
  PrintStep(*step);
  for (const double speed : *gigabits) PrintPredictions(*step, speed, *ranks);
  return kExitDone;
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) {
  return cotangent::tools::Main(
      cotangent::tools::ParseCommandLine(argc, argv, cotangent::tools::kUsage));
}
