// Measures a trained network on the test images.

#include <stdio.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "data/sources/source.h"
#include "tools/command_line.h"
#include "training/evaluation.h"
#include "training/plan_cache.h"
#include "training/recipe.h"
#include "training/source.h"
#include "training/trained_network.h"

ABSL_FLAG(std::string, checkpoint, "", "a checkpoint that train wrote, or the directory of a run");
ABSL_FLAG(std::string, dataset, "",
          "cifar10, cifar100, mnist, sample, or a path; what the network was trained with if not "
          "given");
ABSL_FLAG(std::string, data_dir, "",
          "where the data are; $XDG_CACHE_HOME/cotangent, else ~/.cache/cotangent");
ABSL_FLAG(bool, tta, false, "average over views of each image, as the network's recipe says");
ABSL_FLAG(int64_t, batch_size, 0, "images at a time; that of the training if not given");
ABSL_FLAG(int, threads, 0, "threads that compute; 0: one a core");
ABSL_FLAG(bool, exact, false, "no Winograd convolutions");

namespace cotangent::tools {
namespace {

constexpr char kUsage[] =
    "Measures a trained network on the test images of its data set.\n"
    "\n"
    "  evaluate --checkpoint=runs/convnet [--data_dir=DIR] [--tta]\n";

absl::Status Evaluate() {
  absl::StatusOr<training::FoundCheckpoint> found =
      training::OpenCheckpoint(absl::GetFlag(FLAGS_checkpoint));
  if (!found.ok()) return found.status();
  absl::StatusOr<training::TrainedNetwork> trained =
      training::LoadTrained(found->checkpoint, found->path);
  if (!trained.ok()) return trained.status();
  const std::string data_dir = absl::GetFlag(FLAGS_data_dir).empty()
                                   ? data::DefaultDataDir()
                                   : absl::GetFlag(FLAGS_data_dir);
  training::StepOptions options;
  if (absl::Status status = UseThreads(absl::GetFlag(FLAGS_threads), &options.threads);
      !status.ok())
    return status;
  data::FitOptions fit = training::FitOptionsOf(trained->network);
  fit.threads = options.threads;
  const std::string dataset =
      absl::GetFlag(FLAGS_dataset).empty() ? trained->dataset : absl::GetFlag(FLAGS_dataset);
  absl::StatusOr<std::shared_ptr<const data::Source>> source =
      training::OpenSource(trained->network, dataset, fit);
  if (!source.ok()) return source.status();
  if (absl::Status status = training::CheckImages(
          trained->network, {0, 0, (*source)->channels, (*source)->height, (*source)->width});
      !status.ok())
    return status;
  if ((*source)->classes != trained->classes) {
    return absl::InvalidArgumentError(absl::StrCat("the classes of ", dataset, " (",
                                                   absl::StrJoin((*source)->classes, ", "),
                                                   ") are not those the network was trained with (",
                                                   absl::StrJoin(trained->classes, ", "), ")"));
  }
  const data::Split split =
      (*source)->Has(data::Split::kTest) ? data::Split::kTest : training::WatchedSplit(**source);
  absl::StatusOr<data::Dataset> test_set = (*source)->Load(data_dir, split);
  if (!test_set.ok()) return test_set.status();
  options.precision = training::PrecisionOf(trained->network);
  options.exact = absl::GetFlag(FLAGS_exact);
  int64_t batch = absl::GetFlag(FLAGS_batch_size) != 0 ? absl::GetFlag(FLAGS_batch_size)
                                                       : trained->network.train().batch_size();
  if (batch < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("--batch_size=", batch, ": expected 1 or more images"));
  batch = std::min(batch, test_set->size());
  training::CachedTuner tuner(options.threads);
  absl::StatusOr<std::unique_ptr<training::Evaluator>> evaluator =
      training::Evaluator::Create(trained->network, static_cast<int64_t>(trained->classes.size()),
                                  batch, options, *trained->store, *tuner);
  tuner.Save();
  if (!evaluator.ok()) return evaluator.status();
  absl::StatusOr<training::Evaluator::Result> plain =
      (*evaluator)
          ->Evaluate(*test_set, trained->normalization,
                     training::ViewsOf(layers::Train::Evaluation::NONE));
  if (!plain.ok()) return plain.status();
  std::string averaged;
  if (absl::GetFlag(FLAGS_tta)) {
    absl::StatusOr<training::Evaluator::Result> result =
        (*evaluator)
            ->Evaluate(*test_set, trained->normalization,
                       training::ViewsOf(training::TestTimeAveragingOf(trained->network)));
    if (!result.ok()) return result.status();
    averaged = absl::StrFormat(" (tta %.4f)", result->accuracy);
  }
  printf("%s accuracy: %.4f%s, loss %.4f, on %lld images\n",
         std::string(training::NameOf(split)).c_str(), plain->accuracy, averaged.c_str(),
         plain->loss, static_cast<long long>(test_set->size()));
  return absl::OkStatus();
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) {
  using namespace cotangent::tools;
  const CommandLine line = ParseCommandLine(argc, argv, kUsage);
  if (absl::Status status = TakesFlagsOnly(line, "evaluate"); !status.ok()) return Fail(status);
  const absl::Status status = Evaluate();
  return status.ok() ? kExitDone : Fail(status);
}
