// Measures how good a trained network's answers (predictions) are: accuracy for classes, mean
// average precision for labels, R2 for numbers. Measures on the test images or, if the data set has
// none, on those on which training evaluates.

#include <stdio.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "data/image_file.h"
#include "tools/checkpoint_flag.h"
#include "tools/command_line.h"
#include "tools/labelled_images.h"
#include "tools/precision.h"
#include "tools/shared_flags.h"
#include "tools/tuner_watch.h"
#include "training/evaluation.h"
#include "training/plan_cache.h"
#include "training/recipe.h"
#include "training/report/evaluation_page.h"
#include "training/report/value_page.h"
#include "training/source.h"
#include "training/targets.h"
#include "training/trained_network.h"

COTANGENT_CHECKPOINT_FLAG;
ABSL_FLAG(std::string, dataset, "",
          "cifar10, cifar100, mnist, sample, or a path; what the network was trained with if not "
          "given");
COTANGENT_DATA_DIR_FLAG;
ABSL_FLAG(bool, tta, false, "average over views of each image, as the network's recipe says");
ABSL_FLAG(int64_t, batch_size, 0, "images at a time; that of the training if not given");
COTANGENT_THREADS_FLAG;
COTANGENT_EXACT_FLAG;
COTANGENT_ON_BAD_IMAGE_FLAG("stop", "");
ABSL_FLAG(std::string, report, "",
          "write a page: what is taken for what, whether probabilities can be believed, the surest "
          "mistakes");
ABSL_FLAG(std::string, predictions, "", "write a CSV file with a line an image");
ABSL_FLAG(std::string, format, "text", "of standard output: text or json");

namespace cotangent::tools {
namespace {

constexpr char kUsage[] =
    "Measures a trained network on the test images of its data set.\n"
    "\n"
    "  evaluate --checkpoint=runs/convnet [--data_dir=DIR] [--tta] [--report=page.html]\n";

using training::Evaluator;

absl::Status CheckFlags() {
  RETURN_IF_ERROR(CheckChoice("format", absl::GetFlag(FLAGS_format), {"text", "json"}));
  RETURN_IF_ERROR(CheckChoice("on_bad_image", absl::GetFlag(FLAGS_on_bad_image), {"stop", "skip"}));
  if (absl::GetFlag(FLAGS_batch_size) < 0)
    return FlagError("batch_size", absl::StrCat(absl::GetFlag(FLAGS_batch_size)),
                     "1 or more images");
  RETURN_IF_ERROR(CanBeWritten("report", absl::GetFlag(FLAGS_report)));
  return CanBeWritten("predictions", absl::GetFlag(FLAGS_predictions));
}

// Returns an error if a file that the flags ask for would replace the checkpoint, the data set (if
// it is a CSV file) or the other of the two.
absl::Status CheckKeepsFiles(const std::string& checkpoint, const std::string& dataset) {
  const std::string report = absl::GetFlag(FLAGS_report);
  const NamedFile read[] = {{"the checkpoint", checkpoint}, {"the data set", dataset}};
  RETURN_IF_ERROR(CheckKeeps("report", report, read));
  RETURN_IF_ERROR(CheckKeeps("predictions", absl::GetFlag(FLAGS_predictions), read));
  return CheckKeeps("predictions", absl::GetFlag(FLAGS_predictions), {{"the report", report}});
}

// Returns one image as the bytes of a PNG file; empty if it cannot be made.
std::string PngOf(const data::Dataset& dataset, int64_t index) {
  const int64_t plane = dataset.image_bytes() / dataset.channels;
  std::vector<uint8_t> planar, read;
  const absl::StatusOr<const uint8_t*> pixels = dataset.Pixels(index, read);
  if (!pixels.ok()) return "";
  for (int c = 0; c < 3; ++c) {
    const uint8_t* const from = *pixels + (dataset.channels == 3 ? c * plane : 0);
    planar.insert(planar.end(), from, from + plane);
  }
  return data::EncodePng(data::FromPlanar(planar, dataset.width, dataset.height)).value_or("");
}

absl::Status WriteFile(const std::string& path, const std::string& contents) {
  return path.empty() ? absl::OkStatus() : data::WriteFileAtomically(path, contents);
}

// Writes the HTML page and the CSV file that the flags ask for. Prints JSON on standard output if
// --format=json, otherwise `line`. `Found` is a type with functions ToHtml(), ToCsv() and ToJson().
template <typename Found>
absl::Status Tell(const Found& found, const std::string& line) {
  const std::string report = absl::GetFlag(FLAGS_report), csv = absl::GetFlag(FLAGS_predictions);
  RETURN_IF_ERROR(WriteFile(report, report.empty() ? "" : ToHtml(found)));
  RETURN_IF_ERROR(WriteFile(csv, csv.empty() ? "" : ToCsv(found)));
  if (absl::GetFlag(FLAGS_format) == "json") {
    fputs(ToJson(found).c_str(), stdout);
    return absl::OkStatus();
  }
  printf("%s\n", line.c_str());
  return absl::OkStatus();
}

// An evaluation without the answers: the network and images that were evaluated, the result without
// test-time averaging (`plain`) and, with --tta, the score with it.
struct Measured {
  const std::string& checkpoint;
  const training::TrainedNetwork& trained;
  const Images& images;
  Evaluator::Result plain;
  std::optional<double> tta_score;

  int64_t size() const { return images.dataset.size(); }
  int64_t classes() const { return static_cast<int64_t>(trained.classes.size()); }
  std::string Data() const {
    return absl::StrCat(images.dataset.name, ", ", training::NameOf(images.split), " images");
  }
  std::string Line(TargetKind kind) const {
    return absl::StrFormat("%s %s: %.4f%s, loss %.4f, on %d images", training::NameOf(images.split),
                           training::MeasureOf(kind).name, plain.score,
                           tta_score.has_value() ? absl::StrFormat(" (tta %.4f)", *tta_score) : "",
                           plain.loss, size());
  }
  std::string NameOfImage(int64_t i) const {
    return images.dataset.name_of_image != nullptr ? images.dataset.name_of_image(i) : "";
  }
};

absl::Status TellClasses(const Measured& m, bool gives_probabilities,
                         const std::vector<float>& answers) {
  const training::report::Evaluation found = {
      .network = m.trained.network.name(),
      .data = m.Data(),
      .checkpoint = m.checkpoint,
      .classes = m.trained.classes,
      .assessment = training::report::Assess(answers, m.images.dataset.labels, m.classes(),
                                             gives_probabilities),
      .loss = m.plain.loss,
      .tta_accuracy = m.tta_score,
      .name = [&m](int64_t i) { return m.NameOfImage(i); },
      .png = [&m](int64_t i) { return PngOf(m.images.dataset, i); }};
  return Tell(found, m.Line(TargetKind::kClass));
}

// Does the same as TellClasses() for a network that answers with labels or numbers (`kind`).
absl::Status TellValues(const Measured& m, TargetKind kind, std::vector<float> answers) {
  std::vector<float> targets(m.size() * m.classes());
  for (int64_t i = 0; i < m.size(); ++i)
    m.images.dataset.WriteTargets(i, targets.data() + i * m.classes());
  const training::report::ValueEvaluation found = {
      .network = m.trained.network.name(),
      .data = m.Data(),
      .checkpoint = m.checkpoint,
      .kind = kind,
      .names = m.trained.classes,
      .answers = std::move(answers),
      .targets = std::move(targets),
      .loss = m.plain.loss,
      .tta_score = m.tta_score,
      .name = [&m](int64_t i) { return m.NameOfImage(i); },
      .png = [&m](int64_t i) { return PngOf(m.images.dataset, i); }};
  return Tell(found, m.Line(kind));
}

absl::Status Evaluate(const CommandLine&) {
  RETURN_IF_ERROR(CheckFlags());
  ASSIGN_OR_RETURN(const training::OpenedNetwork opened,
                   OpenCheckpointFlag(absl::GetFlag(FLAGS_checkpoint)));
  const training::TrainedNetwork& trained = opened.network;
  training::StepOptions options;
  RETURN_IF_ERROR(UseThreads(absl::GetFlag(FLAGS_threads), &options.threads));
  options.precision = PrecisionToUse(trained.network);
  options.exact = absl::GetFlag(FLAGS_exact);
  const ImageRequest request = {.dataset = absl::GetFlag(FLAGS_dataset),
                                .data_dir = absl::GetFlag(FLAGS_data_dir),
                                .threads = options.threads,
                                .skip_bad = absl::GetFlag(FLAGS_on_bad_image) == "skip"};
  ASSIGN_OR_RETURN(Images images, LoadImages(trained, request));
  const data::Dataset& dataset = images.dataset;
  RETURN_IF_ERROR(CheckKeepsFiles(opened.found.path, dataset.name));

  const int64_t given = absl::GetFlag(FLAGS_batch_size);
  const int64_t batch = given != 0 ? given : trained.network.train().batch_size();
  const auto classes = static_cast<int64_t>(trained.classes.size());
  training::CachedTuner tuner(options.threads, TerminalWatch(), opened.found.path);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<Evaluator> evaluator,
      Evaluator::Create(trained.network, classes, std::clamp<int64_t>(batch, 1, dataset.size()),
                        options, *trained.store, *tuner, trained.quantisation));
  const auto measure = [&](layers::Train::Evaluation::TestTimeAveraging averaging,
                           std::vector<float>* answers) {
    return evaluator->Evaluate(
        dataset, trained.normalisation, training::ViewsOf(averaging), [] { return false; },
        answers);
  };
  std::vector<float> answers;
  ASSIGN_OR_RETURN(Evaluator::Result plain, measure(layers::Train::Evaluation::NONE, &answers));
  std::optional<double> tta_score;
  if (absl::GetFlag(FLAGS_tta)) {
    ASSIGN_OR_RETURN(Evaluator::Result averaged,
                     measure(training::TestTimeAveragingOf(trained.network), nullptr));
    tta_score = averaged.score;
  }
  const Measured measured = {opened.found.path, trained, images, plain, tta_score};
  return evaluator->target_kind() == TargetKind::kClass
             ? TellClasses(measured, evaluator->gives_probabilities(), answers)
             : TellValues(measured, evaluator->target_kind(), std::move(answers));
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) {
  using namespace cotangent::tools;
  return RunProgram(argc, argv, kUsage, "evaluate", Evaluate);
}
