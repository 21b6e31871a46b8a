// Measures, on synthetic images, how fast a network trains, or predicts (--inference), on this
// machine.

#include <stdio.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/load.h"
#include "base/status_macros.h"
#include "layers/network/network_text.h"
#include "layers/zoo/zoo.h"
#include "nlohmann/json.hpp"
#include "tools/checkpoint_flag.h"
#include "tools/command_line.h"
#include "tools/precision.h"
#include "tools/shared_flags.h"
#include "tools/tuner_watch.h"
#include "training/evaluation.h"
#include "training/explain.h"
#include "training/plan_cache.h"
#include "training/plan_report.h"
#include "training/recipe.h"
#include "training/trained_network.h"

COTANGENT_NETWORK_FLAG("convnet");
ABSL_FLAG(std::string, checkpoint, "",
          "with --inference, instead of --network: a trained network, quantised ones too");
COTANGENT_BATCH_SIZE_FLAG;
COTANGENT_PRECISION_FLAG;
ABSL_FLAG(std::string, memory, "", "what a step of training may take, as 4GiB");
COTANGENT_THREADS_FLAG;
ABSL_FLAG(int64_t, classes, 10, "classes of a network whose text does not say");
ABSL_FLAG(double, seconds, 3, "for how long to measure, at least");
ABSL_FLAG(int64_t, steps, 10, "how many steps to measure, at least");
ABSL_FLAG(bool, inference, false, "measure answers instead of training");
COTANGENT_EXACT_FLAG;
ABSL_FLAG(bool, json, false, "print one JSON object");
ABSL_FLAG(bool, explain, false,
          "print the plan before: its operations with their times; with --json only what its "
          "convolutions "
          "take alone");
ABSL_FLAG(std::string, save_times, "",
          "a file NAME.times that gets the times of the convolutions, measured here: beside "
          "NAME.textproto it spares machines with processors of the same family measuring");
COTANGENT_SET_FLAG;

namespace cotangent::tools {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kUsage[] =
    "Measures how fast a network is trained, or answers, on this machine: the median step, on "
    "made-up images.\n"
    "\n"
    "  benchmark --network=cifar94 --batch_size=128 --precision=bf16 [--inference] [--json]\n";

// The number of first steps that warm up the caches and are not counted.
constexpr int kWarmUpSteps = 2;
// A measurement counts as disturbed if other programs take more than this share of the processors.
constexpr double kMostOtherLoad = 0.03;

struct Times {
  double first_step_seconds = 0;   // from the program's start to the step's end
  double step_seconds = 0;         // median
  double p99_seconds = 0;          // 99th percentile
  double other_load = 0;           // share of the processors that other programs took
  double undisturbed_seconds = 0;  // 10th percentile: estimates the time without them
  double flops = 0;                // floating-point operations of a step
  training::TimedPlan plan;        // filled in with --explain
};

// Returns the network of --checkpoint with its weights, or that of --network without weights.
absl::StatusOr<training::TrainedNetwork> FindTrained(const CommandLine& line) {
  const std::string checkpoint = absl::GetFlag(FLAGS_checkpoint);
  if (checkpoint.empty()) {
    ASSIGN_OR_RETURN(layers::Network network, layers::FindNetwork(absl::GetFlag(FLAGS_network)));
    training::TrainedNetwork trained;
    trained.network = std::move(network);
    return trained;
  }
  if (!absl::GetFlag(FLAGS_inference) || line.WasGiven("network"))
    return absl::InvalidArgumentError(
        "--checkpoint is measured with --inference, and stands for --network");
  ASSIGN_OR_RETURN(training::OpenedNetwork opened, OpenCheckpointFlag(checkpoint));
  return std::move(opened.network);
}

absl::StatusOr<training::TrainedNetwork> ResolveNetwork(const CommandLine& line) {
  ASSIGN_OR_RETURN(training::TrainedNetwork trained, FindTrained(line));
  layers::Network* const network = &trained.network;
  layers::Train& train = *network->mutable_train();
  if (line.WasGiven("batch_size")) train.set_batch_size(absl::GetFlag(FLAGS_batch_size));
  if (line.WasGiven("precision")) {
    RETURN_IF_ERROR(SetPrecision(absl::GetFlag(FLAGS_precision), *network));
  }
  if (line.WasGiven("memory")) {
    train.set_memory(absl::GetFlag(FLAGS_memory));
    layers::NotePlace(*network, "train.memory", "--memory");
  }
  for (const std::string& assignment : line.Values("set")) {
    RETURN_IF_ERROR(layers::ApplyOverride(*network, assignment));
  }
  return trained;
}

int64_t ClassesOf(const layers::Network& network) {
  return network.input().has_classes() ? network.input().classes() : absl::GetFlag(FLAGS_classes);
}

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

absl::StatusOr<Times> Measure(Clock::time_point program_start,
                              const std::function<absl::Status()>& step) {
  Times times;
  std::vector<double> seconds;
  double total = 0;
  OtherLoad load;
  for (int64_t i = 0;
       i < kWarmUpSteps + absl::GetFlag(FLAGS_steps) || total < absl::GetFlag(FLAGS_seconds); ++i) {
    const Clock::time_point start = Clock::now();
    RETURN_IF_ERROR(step());
    if (i == 0) times.first_step_seconds = Seconds(Clock::now() - program_start);
    if (i == kWarmUpSteps - 1) load.SinceLast();
    if (i < kWarmUpSteps) continue;
    seconds.push_back(Seconds(Clock::now() - start));
    total += seconds.back();
  }
  times.other_load = load.SinceLast();
  std::sort(seconds.begin(), seconds.end());
  times.step_seconds = seconds[seconds.size() / 2];
  times.p99_seconds = seconds[(99 * seconds.size() - 1) / 100];
  times.undisturbed_seconds = seconds[seconds.size() / 10];
  return times;
}

absl::StatusOr<Times> MeasureTraining(const layers::Network& network,
                                      const training::StepOptions& options,
                                      Clock::time_point program_start,
                                      training::CachedTuner& tuner) {
  // The number of images only determines the length of the learning rate's schedule; 50,000 is
  // usual.
  const int64_t images = std::max<int64_t>(50'000, network.train().batch_size());
  ASSIGN_OR_RETURN(
      const std::unique_ptr<training::TrainingStep> made,
      training::StepOnNoise(network, ClassesOf(network), images, options, tuner.get()));
  training::TrainingStep& step = *made;
  int64_t number = 0;
  absl::StatusOr<Times> times = Measure(program_start, [&]() -> absl::Status {
    if (!step.Run(number++).finite)
      return absl::AbortedError(absl::StrCat("on noise the loss became infinite at step ", number,
                                             "; use a smaller learning rate: --set ..."));
    return absl::OkStatus();
  });
  if (times.ok()) times->flops = training::PlanFlops(step.plan());
  if (times.ok() && absl::GetFlag(FLAGS_explain)) {
    times->plan = training::TimePlan(step.plan(), [&](int64_t) { step.Run(number++); });
  }
  return times;
}

// Fills in the weights with which training would begin, and empty names of the classes.
absl::Status InitialiseTrained(training::TrainedNetwork& trained) {
  const layers::Network& network = trained.network;
  layers::BuildOptions build;
  build.batch_size = network.train().batch_size();
  build.training = false;
  build.classes = ClassesOf(network);
  trained.classes.resize(build.classes);
  ASSIGN_OR_RETURN(layers::BuiltNetwork built, layers::Build(network, build));
  ASSIGN_OR_RETURN(trained.store, layers::ParameterStore::Create(built.graph));
  training::InitialiseStore(built, network.train().seed(), *trained.store);
  return absl::OkStatus();
}

absl::StatusOr<Times> MeasureInference(training::TrainedNetwork& trained,
                                       const training::StepOptions& options,
                                       Clock::time_point program_start,
                                       training::CachedTuner& tuner) {
  if (trained.store == nullptr) {
    RETURN_IF_ERROR(InitialiseTrained(trained));
  }
  ASSIGN_OR_RETURN(
      const std::unique_ptr<training::Evaluator> made,
      training::Evaluator::Create(trained.network, static_cast<int64_t>(trained.classes.size()),
                                  trained.network.train().batch_size(), options, *trained.store,
                                  *tuner, trained.quantisation));
  training::Evaluator& evaluator = *made;
  training::FillWithNoise(
      evaluator.images(),
      evaluator.network().graph.shape(evaluator.network().images).NumElements());
  absl::StatusOr<Times> times = Measure(program_start, [&] {
    evaluator.Run();
    return absl::OkStatus();
  });
  if (times.ok()) times->flops = training::PlanFlops(evaluator.plan());
  if (times.ok() && absl::GetFlag(FLAGS_explain)) {
    times->plan = training::TimePlan(evaluator.plan(), [&](int64_t) { evaluator.Run(); });
  }
  return times;
}

// Prints the times of a step: in words or, with --json, as an object.
void Print(const Times& times, const training::TrainedNetwork& trained,
           const training::StepOptions& options) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const int64_t batch = trained.network.train().batch_size();
  const double images_per_second = static_cast<double>(batch) / times.step_seconds,
               gflops = times.flops / times.step_seconds * 1e-9;
  const double peak_rss_mib = static_cast<double>(usage.ru_maxrss) / 1024;
  if (!absl::GetFlag(FLAGS_json)) printf("%s", times.plan.table.c_str());
  const char* precision = !trained.quantisation.empty()             ? "int8"
                          : options.precision == ElementType::kBf16 ? "bf16"
                                                                    : "f32";
  if (times.other_load > kMostOtherLoad) {
    fprintf(stderr,
            "benchmark: other work took %.0f%% of the processor meanwhile; undisturbed a step may "
            "take %.3f ms (the fastest tenth of them did)\n",
            100 * times.other_load, times.undisturbed_seconds * 1e3);
  }
  if (absl::GetFlag(FLAGS_json)) {
    nlohmann::json object = {
        {"images_per_second", images_per_second},
        {"milliseconds_per_step", times.step_seconds * 1e3},
        {"milliseconds_p99", times.p99_seconds * 1e3},
        {"gflops", gflops},
        {"peak_rss_mib", peak_rss_mib},
        {"first_step_seconds", times.first_step_seconds},
        {"batch_size", batch},
        {"precision", precision},
        {"threads", options.threads},
        {"other_load", times.other_load},
        {"milliseconds_per_undisturbed_step", times.undisturbed_seconds * 1e3}};
    if (absl::GetFlag(FLAGS_explain))
      object["milliseconds_of_convolutions_alone"] = times.plan.convolution_seconds_alone * 1e3;
    printf("%s\n", object.dump().c_str());
  } else {
    printf(
        "%s, batch %lld, %s, %d threads: %.1f images/s, %.3f ms a step (99%% of them within %.3f), "
        "%.0f GFLOP/s, %.0f MiB at "
        "most, first step done after %.2f s\n",
        absl::GetFlag(FLAGS_inference) ? "inference" : "training", static_cast<long long>(batch),
        precision, options.threads, images_per_second, times.step_seconds * 1e3,
        times.p99_seconds * 1e3, gflops, peak_rss_mib, times.first_step_seconds);
  }
}

int Main(const CommandLine& line, Clock::time_point program_start) {
  if (absl::Status status = TakesFlagsOnly(line, "benchmark"); !status.ok()) return Fail(status);
  if (const int64_t classes = absl::GetFlag(FLAGS_classes); classes < 1)
    return Fail(FlagError("classes", absl::StrCat(classes), "1 or more"));
  if (const double seconds = absl::GetFlag(FLAGS_seconds); !(seconds >= 0) || seconds > 1e6)
    return Fail(FlagError("seconds", absl::StrCat(seconds), "a number from 0 to 1e6"));
  if (const int64_t steps = absl::GetFlag(FLAGS_steps); steps < 1)
    return Fail(FlagError("steps", absl::StrCat(steps), "1 or more"));
  const std::string save_times = absl::GetFlag(FLAGS_save_times);
  if (absl::Status status = CanBeWritten("save_times", save_times); !status.ok())
    return Fail(status);
  absl::StatusOr<training::TrainedNetwork> trained = ResolveNetwork(line);
  if (!trained.ok()) return Fail(trained.status());
  const layers::Network* const network = &trained->network;
  training::StepOptions options;
  if (absl::Status status = UseThreads(absl::GetFlag(FLAGS_threads), &options.threads);
      !status.ok())
    return Fail(status);
  options.precision = PrecisionToUse(*network);
  options.exact = absl::GetFlag(FLAGS_exact);
  options.images_as_read = true;
  const std::string checkpoint = absl::GetFlag(FLAGS_checkpoint);
  training::CachedTuner tuner(options.threads, TerminalWatch(),
                              checkpoint.empty() ? absl::GetFlag(FLAGS_network) : checkpoint);
  if (!save_times.empty()) (*tuner).ForgetShared();
  const absl::StatusOr<Times> times =
      absl::GetFlag(FLAGS_inference) ? MeasureInference(*trained, options, program_start, tuner)
                                     : MeasureTraining(*network, options, program_start, tuner);
  if (!times.ok()) return Fail(times.status());
  if (!save_times.empty()) {
    if (absl::Status status = training::SaveSharedTimes(save_times, *tuner); !status.ok())
      return Fail(status);
  }
  Print(*times, *trained, options);
  return kExitDone;
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) {
  const auto start = std::chrono::steady_clock::now();
  return cotangent::tools::Main(
      cotangent::tools::ParseCommandLine(argc, argv, cotangent::tools::kUsage), start);
}
