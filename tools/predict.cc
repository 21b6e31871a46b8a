// Predicts what pictures show, with a trained network.

#include <stdio.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/types/span.h"
#include "base/status_macros.h"
#include "data/files_below.h"
#include "data/fit.h"
#include "data/image_file.h"
#include "tools/answers.h"
#include "tools/checkpoint_flag.h"
#include "tools/command_line.h"
#include "tools/shared_flags.h"
#include "tools/tuner_watch.h"
#include "training/attribution.h"
#include "training/evaluation.h"
#include "training/plan_cache.h"
#include "training/recipe.h"
#include "training/report/attribution_picture.h"
#include "training/source.h"
#include "training/trained_network.h"

COTANGENT_CHECKPOINT_FLAG;
ABSL_FLAG(int, top, 5, "how many classes to print for each picture, the most probable first");
ABSL_FLAG(std::string, format, "text", "of standard output: text, json (one object) or csv");
ABSL_FLAG(std::string, explain, "",
          "write a picture of what in the one picture given the answer rests on");
COTANGENT_THREADS_FLAG;

namespace cotangent::tools {
namespace {

std::string Usage() {
  return absl::StrCat(
      "Says what pictures show: files of any size, scaled to the network's, in the formats ",
      absl::StrJoin(data::NamesOfImageFormats(), ", "),
      ".\n"
      "\n"
      "  predict --checkpoint=runs/convnet IMAGE|DIR... [--format=text|json|csv] "
      "[--explain=out.png]\n");
}

// If `path` is a folder, appends the files below it in natural order; otherwise appends `path`
// itself.
absl::Status AppendPictures(const std::string& path, std::vector<std::string>& pictures) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    pictures.push_back(path);
    return absl::OkStatus();
  }
  std::vector<std::string> files;
  RETURN_IF_ERROR(
      data::VisitFilesBelow(path, [&](const std::string& file) { files.push_back(file); }));
  if (files.empty())
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": there are no pictures in the folder or below it"));
  std::sort(files.begin(), files.end(), [](const std::string& a, const std::string& b) {
    const int order = data::NaturalOrder(a, b);
    return order != 0 ? order < 0 : a < b;
  });
  pictures.insert(pictures.end(), files.begin(), files.end());
  return absl::OkStatus();
}

// Explains on which parts of an image the answer with the highest probability (or, for numbers, the
// largest number) depends, compared with a black picture. `bytes` is the image as [channels,
// height, width]. Draws these parts into the file that --explain names, and prints a line about
// them.
absl::Status ExplainAnswer(const training::TrainedNetwork& trained, const data::ImageWriter& writer,
                           const data::ImageShape& shape, const std::vector<uint8_t>& bytes,
                           const std::vector<double>& probabilities,
                           const training::StepOptions& options, layers::Tuner& tuner) {
  const auto classes = static_cast<int64_t>(trained.classes.size());
  ASSIGN_OR_RETURN(
      const std::unique_ptr<training::Attributor> attributor,
      training::Attributor::Create(trained.network, classes, options, *trained.store, tuner));
  std::vector<float> image(bytes.size()), black(bytes.size());
  writer.Write(bytes.data(), {}, image.data());
  writer.Write(std::vector<uint8_t>(bytes.size(), 0).data(), {}, black.data());
  const int64_t answer =
      std::max_element(probabilities.begin(), probabilities.end()) - probabilities.begin();
  const training::Attribution found = attributor->Attribute(image, black, answer);
  const std::string path = absl::GetFlag(FLAGS_explain);
  RETURN_IF_ERROR(
      data::WritePng(path, training::report::DrawAttribution(bytes, shape.channels, shape.height,
                                                             shape.width, found.values)));
  printf(
      "%s: red speaks for %s, blue against it; its score is %.4g, %+.4g beside a black picture's, "
      "the attributions sum to %+.4g (%.2g%% off, %d steps)\n",
      path.c_str(), trained.classes[answer].c_str(), found.score,
      found.score - found.baseline_score, found.Sum(), 100 * found.Error(), found.steps);
  return absl::OkStatus();
}

// Writes the answers for all pictures. Returns the error of the first picture that could not be
// read, but only after the others are done; prints the errors of further such pictures at once.
// Any other error ends the work.
absl::Status Predict(const std::vector<std::string>& arguments) {
  if (arguments.empty())
    return absl::InvalidArgumentError("which pictures? predict --checkpoint=FILE IMAGE|DIR...");
  ASSIGN_OR_RETURN(const AnswerFormat format, ParseAnswerFormat(absl::GetFlag(FLAGS_format)));
  std::vector<std::string> paths;
  for (const std::string& argument : arguments) {
    RETURN_IF_ERROR(AppendPictures(argument, paths));
  }
  const bool explains = !absl::GetFlag(FLAGS_explain).empty();
  if (explains && (paths.size() != 1 || format != AnswerFormat::kText))
    return FlagError("explain", absl::GetFlag(FLAGS_explain),
                     "one picture, to be explained, and --format=text");
  RETURN_IF_ERROR(CanBeWritten("explain", absl::GetFlag(FLAGS_explain)));
  const int top = absl::GetFlag(FLAGS_top);
  if (top < 1) return FlagError("top", absl::StrCat(top), "1 or more classes");
  ASSIGN_OR_RETURN(const training::OpenedNetwork opened,
                   OpenCheckpointFlag(absl::GetFlag(FLAGS_checkpoint)));
  if (explains) {
    RETURN_IF_ERROR(
        CheckKeeps("explain", absl::GetFlag(FLAGS_explain),
                   {{"the picture", paths.front()}, {"the checkpoint", opened.found.path}}));
  }
  const training::TrainedNetwork& trained = opened.network;
  training::StepOptions options;
  RETURN_IF_ERROR(UseThreads(absl::GetFlag(FLAGS_threads), &options.threads));
  training::CachedTuner tuner(options.threads, TerminalWatch(), opened.found.path);
  ASSIGN_OR_RETURN(
      const std::unique_ptr<training::Evaluator> evaluator,
      training::Evaluator::Create(trained.network, static_cast<int64_t>(trained.classes.size()), 1,
                                  options, *trained.store, *tuner, trained.quantisation));

  const auto& input = trained.network.input();
  const data::FitOptions fit = training::FitOptionsOf(trained.network);
  if (fit.shape.channels != 1 && fit.shape.channels != 3) {
    return absl::InvalidArgumentError(absl::StrCat("the network takes images of ", input.channels(),
                                                   " channels; pictures have 1 or 3"));
  }
  const data::ImageWriter writer(fit.shape.channels, fit.shape.height, fit.shape.width,
                                 trained.normalisation, data::BatchFormat::kF32Nchw);
  AnswerWriter answer_writer(format, evaluator->target_kind(), trained.classes, top);
  fputs(answer_writer.Begin().c_str(), stdout);
  std::vector<double> answers(trained.classes.size());
  absl::Status first_error;
  for (const std::string& path : paths) {
    absl::StatusOr<data::Image> image = data::ReadImage(path);
    if (!image.ok()) {
      const absl::Status error = absl::InvalidArgumentError(image.status().message());
      fputs(answer_writer.Error(path, error).c_str(), stdout);
      if (first_error.ok()) {
        first_error = error;
      } else {
        Fail(error);
      }
      continue;
    }
    const std::vector<uint8_t> bytes = data::FitPicture(*image, fit.shape, fit.fit);
    writer.Write(bytes.data(), {}, evaluator->images());
    evaluator->AnswersOf(evaluator->Run(), absl::MakeSpan(answers));
    fputs(answer_writer.Answer(path, answers).c_str(), stdout);
    if (!explains) continue;
    RETURN_IF_ERROR(ExplainAnswer(trained, writer, fit.shape, bytes, answers, options, *tuner));
  }
  fputs(answer_writer.End().c_str(), stdout);
  return first_error;
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) {
  using namespace cotangent::tools;
  const CommandLine line = ParseCommandLine(argc, argv, Usage());
  const absl::Status status = Predict(line.arguments);
  return status.ok() ? kExitDone : Fail(status);
}
