#include "tools/train.h"

#include <stdio.h>
#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "data/dataset.h"
#include "data/fetch.h"
#include "data/file.h"
#include "data/image_file.h"
#include "data/sources/source.h"
#include "distributed/communicator.h"
#include "layers/network/build.h"
#include "layers/network/describe.h"
#include "layers/network/network_text.h"
#include "layers/zoo/zoo.h"
#include "tools/command_line.h"
#include "tools/precision.h"
#include "tools/progress.h"
#include "tools/shared_flags.h"
#include "tools/tuner_watch.h"
#include "training/explain.h"
#include "training/learning_rate.h"
#include "training/metrics.h"
#include "training/plan_cache.h"
#include "training/recipe.h"
#include "training/report/batch_picture.h"
#include "training/report/learning_rate_page.h"
#include "training/report/run_record.h"
#include "training/run.h"
#include "training/run_directory.h"
#include "training/run_state.h"
#include "training/source.h"

COTANGENT_NETWORK_FLAG("convnet");
ABSL_FLAG(std::string, dataset, "cifar10",
          "cifar10, cifar100, mnist, sample, a folder of pictures or a CSV file that lists them");
COTANGENT_DATA_DIR_FLAG;
ABSL_FLAG(std::string, output_dir, "",
          "where checkpoints and metrics go; runs/NETWORK if not given");
ABSL_FLAG(double, epochs, 0,
          "passes over the training images; as the network text says if not given");
COTANGENT_BATCH_SIZE_FLAG;
COTANGENT_PRECISION_FLAG;
ABSL_FLAG(
    std::string, memory, "",
    "what a step may take, as 4GiB: results are computed again rather than kept as far as that "
    "asks for");
COTANGENT_THREADS_FLAG;
ABSL_FLAG(uint64_t, seed, 0,
          "of initial values, order, augmentation, dropout; as the network text says if not given");
ABSL_FLAG(int64_t, max_steps, 0, "stop after so many steps of the run; 0: do not");
ABSL_FLAG(bool, resume, false, "go on from the newest good checkpoint of the output directory");
ABSL_FLAG(int64_t, checkpoint_every, 0, "steps between checkpoints; 0: one after each epoch");
ABSL_FLAG(int, keep, 2, "how many checkpoints are kept");
ABSL_FLAG(int64_t, log_every, 50, "steps between lines of metrics.jsonl");
ABSL_FLAG(
    double, validation, 0,
    "set this share of the training images apart and evaluate on it; as the network text says "
    "if not given");
COTANGENT_ON_BAD_IMAGE_FLAG("stop_at_start",
                            "; stop_at_start: stop before the first step, skip later");
ABSL_FLAG(int, workers, 0,
          "threads that make batches ahead of the step; 0: one a core where there is much to do");
ABSL_FLAG(std::string, cache, "",
          "a folder that keeps decoded pictures, brought to size or, for random resized crops, "
          "whole, for "
          "later epochs and runs");
ABSL_FLAG(std::string, on_nonfinite, "stop",
          "what a loss or gradient that is infinite or not a number does: stop or skip (the step)");
COTANGENT_EXACT_FLAG;
ABSL_FLAG(bool, describe, false, "print the network as a table and do not train");
ABSL_FLAG(bool, explain, false,
          "print what the planned step does, with measured times, and do not train");
ABSL_FLAG(std::string, show_batch, "",
          "write a picture of the first batch, as the network would see it, and do not train");
ABSL_FLAG(bool, find_learning_rate, false,
          "let the learning rate grow over a short run, propose one, and do not train");
ABSL_FLAG(bool, report, false,
          "keep a page of the run up to date, OUTPUT_DIR/report.html: curves, network, filters");
ABSL_FLAG(bool, tensorboard, false, "write event files for TensorBoard into the output directory");
ABSL_FLAG(std::string, profile, "",
          "write a trace of a few steps to this file, for chrome://tracing or Perfetto");
ABSL_FLAG(
    std::string, init_from, "",
    "begin with the weights of a safetensors file, or a .pt or .pth file of PyTorch, wherever "
    "name and shape fit");
ABSL_FLAG(std::string, map, "",
          "NAME_IN_FILE=NAME_IN_NETWORK, with one * on both sides or none: for --init_from; may be "
          "repeated");
COTANGENT_SET_FLAG;

namespace cotangent::tools {
namespace {

constexpr int kMostWorkers = 256;

// Applies the flags that replace fields of the network text, the .textproto file that describes the
// network.
absl::Status ApplyFlags(const CommandLine& line, layers::Network& network) {
  layers::Train& train = *network.mutable_train();
  if (line.WasGiven("epochs")) train.set_epochs(absl::GetFlag(FLAGS_epochs));
  if (line.WasGiven("batch_size")) train.set_batch_size(absl::GetFlag(FLAGS_batch_size));
  if (line.WasGiven("seed")) train.set_seed(absl::GetFlag(FLAGS_seed));
  if (line.WasGiven("validation"))
    train.mutable_evaluation()->set_validation(absl::GetFlag(FLAGS_validation));
  if (line.WasGiven("precision")) {
    RETURN_IF_ERROR(SetPrecision(absl::GetFlag(FLAGS_precision), network));
  }
  if (line.WasGiven("memory")) train.set_memory(absl::GetFlag(FLAGS_memory));
  for (const char* flag : {"epochs", "batch_size", "seed", "precision", "memory"}) {
    if (line.WasGiven(flag))
      layers::NotePlace(network, absl::StrCat("train.", flag), absl::StrCat("--", flag));
  }
  for (const std::string& assignment : line.Values("set")) {
    RETURN_IF_ERROR(layers::ApplyOverride(network, assignment));
  }
  return absl::OkStatus();
}

// Returns an error if flags of which each does something else than to train are given together, or
// one of them with --resume, which would have no effect.
absl::Status CheckWhatIsDone() {
  std::vector<std::string> given;
  if (absl::GetFlag(FLAGS_describe)) given.push_back("--describe");
  if (absl::GetFlag(FLAGS_explain)) given.push_back("--explain");
  if (!absl::GetFlag(FLAGS_show_batch).empty()) given.push_back("--show_batch");
  if (absl::GetFlag(FLAGS_find_learning_rate)) given.push_back("--find_learning_rate");
  if (given.size() > 1) {
    return absl::InvalidArgumentError(
        absl::StrCat(absl::StrJoin(given, " and "), " are given: expected one of them"));
  }
  if (given.empty() || !absl::GetFlag(FLAGS_resume)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--resume and ", given.front(), " are given, which does not go on with a run: expected one ",
      "of them; the network of a run is --network=DIRECTORY/network.textproto"));
}

absl::Status CheckFlags(const CommandLine& line) {
  RETURN_IF_ERROR(TakesFlagsOnly(line, "train"));
  RETURN_IF_ERROR(CheckWhatIsDone());
  if (absl::GetFlag(FLAGS_max_steps) < 0)
    return FlagError("max_steps", absl::StrCat(absl::GetFlag(FLAGS_max_steps)), "0 or more steps");
  if (absl::GetFlag(FLAGS_checkpoint_every) < 0)
    return FlagError("checkpoint_every", absl::StrCat(absl::GetFlag(FLAGS_checkpoint_every)),
                     "0 or more steps");
  if (absl::GetFlag(FLAGS_log_every) < 1)
    return FlagError("log_every", absl::StrCat(absl::GetFlag(FLAGS_log_every)), "1 or more steps");
  if (absl::GetFlag(FLAGS_workers) < 0 || absl::GetFlag(FLAGS_workers) > kMostWorkers)
    return FlagError("workers", absl::StrCat(absl::GetFlag(FLAGS_workers)),
                     absl::StrCat("1 to ", kMostWorkers, " threads, or 0 for one a core"));
  if (absl::GetFlag(FLAGS_keep) < 1)
    return FlagError("keep", absl::StrCat(absl::GetFlag(FLAGS_keep)), "1 or more checkpoints");
  RETURN_IF_ERROR(CheckChoice("on_nonfinite", absl::GetFlag(FLAGS_on_nonfinite), {"stop", "skip"}));
  RETURN_IF_ERROR(CheckChoice("on_bad_image", absl::GetFlag(FLAGS_on_bad_image),
                              {"stop_at_start", "stop", "skip"}));
  // Files that could not be written (the trace of --profile, the picture of --show_batch) are
  // reported here, before the work, rather than when their contents are ready.
  const NamedFile read[] = {{"the network text", absl::GetFlag(FLAGS_network)},
                            {"the data set", absl::GetFlag(FLAGS_dataset)},
                            {"the initial weights", absl::GetFlag(FLAGS_init_from)}};
  for (const auto& [flag, path] : {std::pair("profile", absl::GetFlag(FLAGS_profile)),
                                   std::pair("show_batch", absl::GetFlag(FLAGS_show_batch))}) {
    RETURN_IF_ERROR(CanBeWritten(flag, path));
    RETURN_IF_ERROR(CheckKeeps(flag, path, read));
  }
  return absl::OkStatus();
}

std::string DataDirectory() {
  const std::string given = absl::GetFlag(FLAGS_data_dir);
  return given.empty() ? data::DefaultDataDir() : given;
}

absl::Status FetchData(const data::Source& source, const std::string& data_dir) {
  data::FetchOptions options;
  options.progress = Say;
  options.cancelled = [] { return InterruptSignal() != 0; };
  return data::FetchIfMissing(source, data_dir, options);
}

absl::StatusOr<layers::Network> ResolveNetwork(
    const CommandLine& line, const std::optional<training::FoundCheckpoint>& found) {
  absl::StatusOr<layers::Network> network;
  if (found.has_value() && !line.WasGiven("network")) {
    ASSIGN_OR_RETURN(training::RunState state,
                     training::ReadRunState(found->checkpoint, found->path));
    network = layers::ParseNetwork(state.network, absl::StrCat(found->path, " (its network)"));
  } else {
    network = layers::FindNetwork(absl::GetFlag(FLAGS_network));
  }
  RETURN_IF_ERROR(network.status());
  // Sets these four fields explicitly, even if they have their defaults, so that the network text
  // that is saved beside the checkpoints names their values.
  layers::Train& train = *network->mutable_train();
  train.set_epochs(train.epochs());
  train.set_batch_size(train.batch_size());
  train.set_seed(train.seed());
  train.set_precision(train.precision());
  RETURN_IF_ERROR(ApplyFlags(line, *network));
  return network;
}

// Returns the newest good checkpoint in the output directory, if there is one.
std::optional<training::FoundCheckpoint> FindCheckpoint(const std::string& output_dir) {
  std::optional<training::FoundCheckpoint> found = training::FindNewestGood(output_dir, Say);
  if (found.has_value()) {
    Say(absl::StrCat("going on from ", found->path));
  } else {
    const std::string aside = training::LastSetAside(output_dir);
    Say(absl::StrCat("no checkpoint in ", output_dir, "; starting anew",
                     aside.empty() ? "" : absl::StrCat(" (an earlier run is in ", aside, ")")));
  }
  return found;
}

// Reads the file of --init_from and the maps of --map, which a resumed run ignores. Finds errors in
// them by applying them to a parameter store that is then thrown away.
absl::Status ReadInitialWeights(const CommandLine& line, training::RunOptions& options) {
  const std::string path = absl::GetFlag(FLAGS_init_from);
  const std::vector<std::string> maps = line.Values("map");
  if (path.empty()) {
    return maps.empty() ? absl::OkStatus()
                        : FlagError("map", maps.front(), "--init_from=FILE as well");
  }
  ASSIGN_OR_RETURN(options.init_from, training::ReadInitialWeights(path, maps));
  ASSIGN_OR_RETURN(const std::unique_ptr<layers::ParameterStore> store,
                   layers::ParameterStore::Create(options.network.built.graph));
  return training::TakeInitialWeights(*options.init_from, *store).status();
}

// Determines from the flags the network, the data set and, unless a run is resumed, the weights of
// --init_from. If a run is resumed, the network and the data set are taken from its checkpoint
// where the flags do not name them. Fetches no data, so that errors in the flags are reported
// before that.
absl::Status Resolve(const CommandLine& line, training::RunOptions& options,
                     std::shared_ptr<const data::Source>& source) {
  ASSIGN_OR_RETURN(layers::Network network, ResolveNetwork(line, options.resume_from));
  std::string name = absl::GetFlag(FLAGS_dataset);
  if (options.resume_from.has_value() && !line.WasGiven("dataset")) {
    ASSIGN_OR_RETURN(
        training::RunState state,
        training::ReadRunState(options.resume_from->checkpoint, options.resume_from->path));
    name = state.dataset;
  }
  data::FitOptions fit = training::FitOptionsOf(network);
  fit.skip_bad = absl::GetFlag(FLAGS_on_bad_image) == "skip";
  fit.replace_later = absl::GetFlag(FLAGS_on_bad_image) == "stop_at_start";
  if (options.ranks->rank() == 0) fit.say = Say;
  fit.threads = options.threads;
  fit.cache = absl::GetFlag(FLAGS_cache);
  ASSIGN_OR_RETURN(source, training::OpenSource(network, name, fit));
  ASSIGN_OR_RETURN(training::RunData data, training::DataOf(source, DataDirectory()));
  options.data = std::move(data);
  ASSIGN_OR_RETURN(options.network, training::Resolve(network, options.data.shape));
  return options.resume_from.has_value() ? absl::OkStatus() : ReadInitialWeights(line, options);
}

// Shows progress on the terminal, saves the tuner's measurements, keeps the run's HTML page
// (--report) and event files (--tensorboard) up to date, and ends the run at a signal.
class TerminalObserver : public Progress {
 public:
  TerminalObserver(training::CachedTuner& tuner, const std::string& output_dir)
      : tuner_(tuner),
        record_({.page = absl::GetFlag(FLAGS_report) ? data::JoinPath(output_dir, kReport) : "",
                 .event_directory = absl::GetFlag(FLAGS_tensorboard) ? output_dir : "",
                 .metrics = data::JoinPath(output_dir, training::kMetricsFile),
                 .say = [this](const std::string& line) { Say(line); }}),
        records_(absl::GetFlag(FLAGS_report) || absl::GetFlag(FLAGS_tensorboard)) {}

  void PlanIsReady() override { tuner_.Save(); }
  void Begins(const training::RunBeginning& beginning) override {
    if (records_) record_.Begins(beginning);
  }
  void AtMetrics(const training::RunNumbers& numbers, const std::string& line,
                 bool is_evaluation) override {
    if (records_) record_.AtMetrics(numbers, line, is_evaluation);
  }
  bool Interrupted() override { return InterruptSignal() != 0; }
  training::report::RunRecord& record() { return record_; }

  static constexpr char kReport[] = "report.html";

 private:
  training::CachedTuner& tuner_;
  training::report::RunRecord record_;
  const bool records_;
};

// The observer of all ranks (processes that train together) but rank 0. It shows nothing, but ends
// the run at a signal.
class SilentObserver : public training::RunObserver {
 public:
  bool Interrupted() override { return InterruptSignal() != 0; }
};

// Sets options.resume_from on all ranks to the newest good checkpoint in the output directory, if
// there is one: rank 0 looks for it, and sends it to the others, which may not see the directory.
absl::Status ShareCheckpoint(training::RunOptions& options) {
  distributed::Communicator& ranks = *options.ranks;
  if (ranks.rank() == 0) options.resume_from = FindCheckpoint(options.output_dir);
  bool is_found = options.resume_from.has_value();
  distributed::BroadcastValue(ranks, is_found);
  if (!is_found || ranks.ranks() == 1) return absl::OkStatus();
  std::string path = ranks.rank() == 0 ? options.resume_from->path : "", bytes;
  ranks.Broadcast(path);
  RETURN_IF_ERROR(distributed::AtRankZero(ranks, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(bytes, data::ReadFile(path));
    return absl::OkStatus();
  }));
  ranks.Broadcast(bytes);
  if (ranks.rank() == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(training::Checkpoint checkpoint,
                   training::ParseCheckpoint(std::move(bytes), path));
  options.resume_from = training::FoundCheckpoint{path, std::move(checkpoint)};
  return absl::OkStatus();
}

// Returns the exit code for an error that all ranks have; rank 0 prints it.
int FailOnce(distributed::Communicator& ranks, const absl::Status& status) {
  return ranks.rank() == 0 ? Fail(status) : ExitCodeOf(status);
}

// Handles an error that other ranks may not have, and returns the exit code. For wrong input, and
// if there is only one rank, does the same as FailOnce(). Otherwise prints the error and ends all
// ranks, since the others would wait for this rank. Ranks other than 0 first wait kFirstTellsWithin
// seconds: if all ranks have the error (a loss that is not finite, say), rank 0 reports it and ends
// them within that time.
int FailAll(distributed::Communicator& ranks, const absl::Status& status) {
  constexpr unsigned kFirstTellsWithin = 3;  // seconds
  if (ranks.ranks() == 1 || ExitCodeOf(status) == kExitUsage) return FailOnce(ranks, status);
  if (ranks.rank() != 0) {
    for (unsigned left = kFirstTellsWithin; left > 0;)
      left = sleep(left);  // sleep again if a signal interrupts it
    Say(absl::StrCat("rank ", ranks.rank(), " on ", ranks.host(), " has failed:"));
  }
  const int exit_code = Fail(status);
  ranks.Abort(exit_code);
  return exit_code;
}

// Returns the last line of a run, such as "test accuracy: 0.7275 (tta 0.7388) after 10 epochs, 44.2
// s of training", where tta (test-time augmentation) is the same measure if the predictions for
// several views (shifted or mirrored versions) of each image are averaged.
std::string LastLine(const training::RunResult& result) {
  return absl::StrFormat("%s %s: %.4f (tta %.4f) after %s epochs, %.1f s of training",
                         result.evaluated_on, result.measure.name, result.score, result.tta_score,
                         absl::StrCat(result.epochs), result.train_seconds);
}

int TrainSilently(const training::RunOptions& options) {
  layers::Tuner tuner(options.threads, {.cancelled = [] { return InterruptSignal() != 0; }});
  SilentObserver observer;
  const absl::StatusOr<training::RunResult> result = training::Train(options, &tuner, observer);
  if (absl::IsCancelled(result.status())) return InterruptExitCode();
  if (!result.ok()) return FailAll(*options.ranks, result.status());
  return result->interrupted ? InterruptExitCode() : kExitDone;
}

int Train(const training::RunOptions& options) {
  training::CachedTuner tuner(options.threads, TerminalWatch([] { return InterruptSignal() != 0; }),
                              absl::GetFlag(FLAGS_network));
  TerminalObserver observer(tuner, options.output_dir);
  const absl::StatusOr<training::RunResult> result =
      training::Train(options, tuner.get(), observer);
  if (absl::IsCancelled(result.status())) {
    Say("interrupted before the first step; nothing was changed");
    return InterruptExitCode();
  }
  if (!result.ok()) {
    observer.record().Ended(absl::StrCat("failed: ", result.status().message()));
    return FailAll(*options.ranks, result.status());
  }
  if (result->interrupted) {
    observer.record().Ended("interrupted");
    Say(absl::StrCat("interrupted; go on with: train --resume --output_dir=", options.output_dir));
    return InterruptExitCode();
  }
  if (result->best_step >= 0) {
    Say(absl::StrFormat("best on the validation images after step %d, at %.4f: %s",
                        result->best_step, result->best,
                        data::JoinPath(options.output_dir, "best.safetensors")));
  }
  observer.record().Ended(LastLine(*result));
  printf("%s\n", LastLine(*result).c_str());
  return kExitDone;
}

// Prints a description of the network, without any data. If the network text does not say how many
// classes there are, the network is built for ten.
int Describe(const CommandLine& line) {
  constexpr int64_t kClasses = 10;
  const absl::StatusOr<layers::Network> network = ResolveNetwork(line, std::nullopt);
  if (!network.ok()) return Fail(network.status());
  layers::BuildOptions build;
  build.batch_size = network->train().batch_size();
  build.training = true;
  build.classes = network->input().has_classes() ? network->input().classes() : kClasses;
  const absl::StatusOr<layers::BuiltNetwork> built = layers::Build(*network, build);
  if (!built.ok()) return Fail(layers::AtPlace(*network, built.status()));
  if (absl::Status status = training::CheckWithoutData(*network, *built); !status.ok())
    return Fail(status);
  fputs(layers::Describe(*built).c_str(), stdout);
  return kExitDone;
}

int Explain(const training::RunOptions& options) {
  training::CachedTuner tuner(options.threads, TerminalWatch(), absl::GetFlag(FLAGS_network));
  const absl::StatusOr<std::string> table = training::Explain(
      options.network, {PrecisionToUse(options.network.text), options.exact, options.threads, {}},
      tuner.get());
  if (!table.ok()) return Fail(table.status());
  fputs(table->c_str(), stdout);
  return kExitDone;
}

// Writes the picture of the first batch, and prints the classes (or labels, or numbers) of its
// images on standard output, one line for each row of the picture.
int ShowBatch(const training::RunOptions& options) {
  const absl::StatusOr<training::report::BatchPicture> batch =
      training::report::DrawFirstBatch(options.network.text, options.data);
  if (!batch.ok()) return Fail(batch.status());
  const absl::Status status = data::WritePng(absl::GetFlag(FLAGS_show_batch), batch->image);
  if (!status.ok()) return Fail(status);
  fputs(batch->targets.c_str(), stdout);
  return kExitDone;
}

int FindLearningRate(const training::RunOptions& options) {
  training::CachedTuner tuner(options.threads, TerminalWatch([] { return InterruptSignal() != 0; }),
                              absl::GetFlag(FLAGS_network));
  TerminalObserver observer(tuner, options.output_dir);
  const absl::StatusOr<training::LearningRateSweep> sweep =
      training::FindLearningRate(options, tuner.get(), observer);
  if (absl::IsCancelled(sweep.status())) return InterruptExitCode();
  if (!sweep.ok()) return Fail(sweep.status());
  fputs(training::report::ToText(*sweep).c_str(), stdout);
  if (!absl::GetFlag(FLAGS_report)) return kExitDone;
  absl::Status status = data::MakeDirectories(options.output_dir);
  if (status.ok())
    status =
        data::WriteFileAtomically(data::JoinPath(options.output_dir, "learning_rate.html"),
                                  training::report::ToHtml(*sweep, options.network.text.name()));
  return status.ok() ? kExitDone : Fail(status);
}

// Locks the output directory; if `resumes` (--resume), reads the checkpoint to go on from and calls
// Resolve(); and fetches the data. If `resumes`, `source` is null before the call; afterwards
// `source` is the source of the data in any case. `lock` is null on all ranks but rank 0.
absl::Status PrepareRun(const CommandLine& line, bool resumes, training::RunOptions& options,
                        std::shared_ptr<const data::Source>& source,
                        std::unique_ptr<training::DirectoryLock>& lock) {
  distributed::Communicator& ranks = *options.ranks;
  const auto agreed = [&](const absl::Status& here) { return distributed::Agree(ranks, here); };
  RETURN_IF_ERROR(distributed::AtRankZero(ranks, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(lock, training::DirectoryLock::Acquire(options.output_dir, Say));
    training::RemoveTemporaryFiles(options.output_dir);
    return absl::OkStatus();
  }));
  if (resumes) {
    RETURN_IF_ERROR(agreed(ShareCheckpoint(options)));
    RETURN_IF_ERROR(agreed(Resolve(line, options, source)));
  }
  // Rank 0 fetches first, so that the other ranks of its machine find the data there.
  const auto fetch = [&] { return FetchData(*source, DataDirectory()); };
  RETURN_IF_ERROR(distributed::AtRankZero(ranks, fetch));
  return agreed(ranks.rank() == 0 ? absl::OkStatus() : fetch());
}

}  // namespace

int TrainProgram(const CommandLine& line, distributed::Communicator& ranks,
                 ElementType sent_gradients) {
  const auto agreed = [&](const absl::Status& here) { return distributed::Agree(ranks, here); };
  absl::Status flags = agreed(CheckFlags(line));
  // What all ranks do next depends on these two flags, so they must be the same on all ranks.
  if (flags.ok())
    flags = distributed::CheckSame(
        ranks, {{"--resume", absl::GetFlag(FLAGS_resume) ? "given" : "not given"},
                {"--find_learning_rate",
                 absl::GetFlag(FLAGS_find_learning_rate) ? "given" : "not given"}});
  if (!flags.ok()) return FailOnce(ranks, flags);
  training::RunOptions options;
  options.ranks = &ranks;
  options.sent_gradients = sent_gradients;
  std::shared_ptr<const data::Source> source;
  if (absl::Status status = agreed(UseThreads(absl::GetFlag(FLAGS_threads), &options.threads));
      !status.ok())
    return FailOnce(ranks, status);
  options.workers = absl::GetFlag(FLAGS_workers);
  options.output_dir = absl::GetFlag(FLAGS_output_dir);
  if (options.output_dir.empty())
    options.output_dir = training::DefaultRunDirectory(absl::GetFlag(FLAGS_network));
  options.exact = absl::GetFlag(FLAGS_exact);
  const bool finds_rate = absl::GetFlag(FLAGS_find_learning_rate);
  const bool shows_batch = !absl::GetFlag(FLAGS_show_batch).empty();
  const bool trains = !absl::GetFlag(FLAGS_describe) && !absl::GetFlag(FLAGS_explain) &&
                      !finds_rate && !shows_batch;
  if (ranks.ranks() > 1 && !trains) {
    return FailOnce(ranks,
                    absl::InvalidArgumentError(
                        "several ranks only train: use tools:train for --describe, --explain, "
                        "--show_batch and --find_learning_rate"));
  }
  const bool resumes = absl::GetFlag(FLAGS_resume);
  if (absl::GetFlag(FLAGS_describe) && !line.WasGiven("dataset")) return Describe(line);
  if (!resumes) {
    if (absl::Status status = agreed(Resolve(line, options, source)); !status.ok())
      return FailOnce(ranks, status);
  }
  if (absl::GetFlag(FLAGS_describe)) {
    fputs(layers::Describe(options.network.built).c_str(), stdout);
    return kExitDone;
  }
  if (absl::GetFlag(FLAGS_explain)) return Explain(options);

  CatchInterrupts();
  if (finds_rate || shows_batch) {
    if (absl::Status status = FetchData(*source, DataDirectory()); !status.ok())
      return absl::IsCancelled(status) ? InterruptExitCode() : Fail(status);
    return finds_rate ? FindLearningRate(options) : ShowBatch(options);
  }
  std::unique_ptr<training::DirectoryLock> lock;
  if (absl::Status status = PrepareRun(line, resumes, options, source, lock); !status.ok())
    return absl::IsCancelled(status) ? InterruptExitCode() : FailOnce(ranks, status);
  options.max_steps = absl::GetFlag(FLAGS_max_steps);
  options.checkpoint_every = absl::GetFlag(FLAGS_checkpoint_every);
  options.keep = absl::GetFlag(FLAGS_keep);
  options.log_every = absl::GetFlag(FLAGS_log_every);
  options.on_nonfinite = absl::GetFlag(FLAGS_on_nonfinite) == "skip" ? training::OnNonFinite::kSkip
                                                                     : training::OnNonFinite::kStop;
  if (ranks.rank() != 0) return TrainSilently(options);
  options.profile_path = absl::GetFlag(FLAGS_profile);
  return Train(options);
}

}  // namespace cotangent::tools
