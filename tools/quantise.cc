// Quantises a trained network, so that it computes with 8-bit integers. Calibration finds the
// scales of the integers from sample images.

#include "inference/quantise/quantise.h"

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
#include "inference/inference_file.h"
#include "nlohmann/json.hpp"
#include "tensor/convolution.h"
#include "tools/checkpoint_flag.h"
#include "tools/command_line.h"
#include "tools/labelled_images.h"
#include "tools/precision.h"
#include "tools/shared_flags.h"
#include "tools/tuner_watch.h"
#include "training/evaluation.h"
#include "training/plan_cache.h"
#include "training/recipe.h"
#include "training/source.h"
#include "training/targets.h"
#include "training/trained_network.h"

COTANGENT_CHECKPOINT_FLAG;
ABSL_FLAG(
    std::string, calibration, "",
    "the data set whose training images are looked at, but for some by whose accuracy is judged "
    "which layers may be rounded; what the network was trained with if not given");
COTANGENT_DATA_DIR_FLAG;
ABSL_FLAG(std::string, output, "net.int8.safetensors", "the file to write");
ABSL_FLAG(int64_t, images, 512, "how many images are looked at");
ABSL_FLAG(
    double, percentile, 0,
    "the part of a tensor's numbers that its integers reach to, in percent, such as 99.99; 0: "
    "as far as makes the error least");
ABSL_FLAG(double, most_error, 0.1,
          "layers whose rounding changes their results by more than this part of them are kept");
ABSL_FLAG(
    double, most_loss, 0.3,
    "points of accuracy, on images set apart from training images, that may be lost; while it is "
    "more, layers with large errors are kept");
ABSL_FLAG(
    std::string, keep, "",
    "a layer that keeps computing with real numbers, such as head or layer4.*; may be repeated");
COTANGENT_THREADS_FLAG;
ABSL_FLAG(std::string, format, "text", "of standard output: text or json");

namespace cotangent::tools {
namespace {

constexpr char kUsage[] =
    "Makes a trained network compute with 8-bit integers.\n"
    "\n"
    "  quantise --checkpoint=runs/convnet --calibration=cifar10 "
    "--output=convnet.int8.safetensors\n";

constexpr int64_t kBatch = 100;
// The number of training images that are set apart to judge the loss of accuracy (within the limits
// of ImageRequest::set_apart), if the data set has no validation images; with 5000 images, the
// default of --most_loss, 0.3 percentage points, is 15 images.
constexpr int64_t kJudgedImages = 5000;

absl::Status CheckFlags() {
  RETURN_IF_ERROR(CheckChoice("format", absl::GetFlag(FLAGS_format), {"text", "json"}));
  if (absl::GetFlag(FLAGS_images) < 1)
    return FlagError("images", absl::StrCat(absl::GetFlag(FLAGS_images)), "1 or more");
  const double percentile = absl::GetFlag(FLAGS_percentile);
  if (!(percentile >= 0 && percentile <= 100))
    return FlagError("percentile", absl::StrCat(percentile), "0, or a part of up to 100 percent");
  if (!(absl::GetFlag(FLAGS_most_error) > 0))
    return FlagError("most_error", absl::StrCat(absl::GetFlag(FLAGS_most_error)),
                     "a positive part, such as 0.1");
  if (!(absl::GetFlag(FLAGS_most_loss) >= 0))
    return FlagError("most_loss", absl::StrCat(absl::GetFlag(FLAGS_most_loss)),
                     "points of accuracy, 0 or more");
  if (absl::GetFlag(FLAGS_output).empty()) return FlagError("output", "", "a file to write");
  return CanBeWritten("output", absl::GetFlag(FLAGS_output));
}

// Returns the score on `dataset` (the accuracy, for classes) of the network with the layers
// quantised that `trained.quantisation` names.
absl::StatusOr<double> ScoreOf(const training::TrainedNetwork& trained,
                               const data::Dataset& dataset, const training::StepOptions& options,
                               layers::Tuner& tuner) {
  ASSIGN_OR_RETURN(
      const auto evaluator,
      training::Evaluator::Create(trained.network, static_cast<int64_t>(trained.classes.size()),
                                  std::min(kBatch, dataset.size()), options, *trained.store, tuner,
                                  trained.quantisation));
  ASSIGN_OR_RETURN(const training::Evaluator::Result result,
                   evaluator->Evaluate(dataset, trained.normalisation,
                                       training::ViewsOf(layers::Train::Evaluation::NONE)));
  return result.score;
}

void PrintText(const inference::Calibration& calibration) {
  printf("%-32s %8s %8s %8s  %s\n", "layer", "input", "weights", "output", "");
  for (const inference::QuantisedLayerReport& layer : calibration.layers) {
    printf("%-32s %7.2f%% %7.2f%% %7.2f%%  %s\n", layer.layer.c_str(), 100 * layer.in_error,
           100 * layer.weight_error, 100 * layer.out_error,
           layer.kept.empty() ? "int8" : absl::StrCat("kept: ", layer.kept).c_str());
  }
}

// Scores of the network on the same images, before and after quantisation.
struct Judgement {
  std::string images;  // describes the images, for people
  double before = 0, after = 0;
};

void PrintJson(const inference::Calibration& calibration, const Judgement& judged,
               const std::optional<Judgement>& test, const std::string& output) {
  nlohmann::json layers = nlohmann::json::array();
  for (const inference::QuantisedLayerReport& layer : calibration.layers) {
    layers.push_back({{"layer", layer.layer},
                      {"input_error", layer.in_error},
                      {"weight_error", layer.weight_error},
                      {"output_error", layer.out_error},
                      {"kept", layer.kept}});
  }
  nlohmann::json object = {{"layers", layers},
                           {"judged_on", judged.images},
                           {"judged_before", judged.before},
                           {"judged_after", judged.after},
                           {"output", output}};
  if (test.has_value()) {
    object["accuracy_before"] = test->before;
    object["accuracy_after"] = test->after;
  }
  printf("%s\n", object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

// The images from which calibration finds the scales (`shown`), other images on which the loss of
// accuracy is judged (`judged`), and the test images, if there are any. The test images influence
// nothing; the accuracy on them is only reported.
struct Material {
  Images shown, judged;
  std::optional<Images> test;
};

absl::StatusOr<Material> LoadMaterial(const training::TrainedNetwork& trained, int threads) {
  ImageRequest request = {.dataset = absl::GetFlag(FLAGS_calibration),
                          .flag = "calibration",
                          .data_dir = absl::GetFlag(FLAGS_data_dir),
                          .threads = threads,
                          .wanted = data::Split::kTrain,
                          .set_apart = kJudgedImages};
  Material material;
  ASSIGN_OR_RETURN(material.shown, LoadImages(trained, request));
  request.wanted = data::Split::kValidation;
  ASSIGN_OR_RETURN(material.judged, LoadImages(trained, request));
  request.wanted = data::Split::kTest;
  ASSIGN_OR_RETURN(Images test, LoadImages(trained, request));
  if (test.split == data::Split::kTest) material.test = std::move(test);
  return material;
}

// Chooses which layers to quantise, and writes them into trained.quantisation. As long as
// quantisation costs more than --most_loss percentage points of the score on material.judged,
// leaves more layers unquantised. Sets `judged` to the scores on material.judged. The result has no
// quantised layers if each attempt costs too much or calibration finds no layer to quantise;
// trained.quantisation and judged.after are then those of the last attempt, if there was one.
absl::StatusOr<inference::Calibration> CalibrateAndJudge(const Material& material,
                                                         const std::vector<std::string>& keep,
                                                         const training::StepOptions& options,
                                                         training::TrainedNetwork& trained,
                                                         layers::Tuner& tuner, Judgement& judged) {
  const inference::CalibrationOptions calibrate = {.images = absl::GetFlag(FLAGS_images),
                                                   .threads = options.threads,
                                                   .percentile = absl::GetFlag(FLAGS_percentile),
                                                   .most_error = absl::GetFlag(FLAGS_most_error),
                                                   .keep = keep};
  absl::StatusOr<inference::Calibration> chosen =
      inference::Calibrate(trained, material.shown.dataset, calibrate, tuner);
  if (absl::IsNotFound(chosen.status()))
    return absl::InvalidArgumentError(absl::StrCat("--keep: ", chosen.status().message()));
  RETURN_IF_ERROR(chosen.status());
  inference::Calibration calibration = *std::move(chosen);
  const data::Dataset& images = material.judged.dataset;
  judged.images = absl::StrCat(images.size(), " images set apart from training images");
  ASSIGN_OR_RETURN(judged.before, ScoreOf(trained, images, options, tuner));
  judged.after = judged.before;
  while (!calibration.quantisation.empty()) {
    trained.quantisation = calibration.quantisation;
    ASSIGN_OR_RETURN(judged.after, ScoreOf(trained, images, options, tuner));
    const double loss = 100 * (judged.before - judged.after);
    if (loss <= absl::GetFlag(FLAGS_most_loss)) return calibration;
    fprintf(stderr, "%zu layers in int8 lose %.2f points on %s; trying fewer\n",
            calibration.quantisation.size(), loss, judged.images.c_str());
    inference::KeepMore(calibration);
  }
  return calibration;
}

// Computes the scores on the test images with and without quantisation.
absl::StatusOr<Judgement> Compare(const data::Dataset& test, const training::StepOptions& options,
                                  training::TrainedNetwork& trained, layers::Tuner& tuner) {
  Judgement result = {.images = absl::StrCat(test.size(), " test images")};
  ASSIGN_OR_RETURN(result.after, ScoreOf(trained, test, options, tuner));
  const layers::Quantisation quantisation = std::exchange(trained.quantisation, {});
  ASSIGN_OR_RETURN(result.before, ScoreOf(trained, test, options, tuner));
  trained.quantisation = quantisation;
  return result;
}

absl::Status Quantise(const CommandLine& line) {
  RETURN_IF_ERROR(CheckFlags());
  ASSIGN_OR_RETURN(training::OpenedNetwork opened,
                   OpenCheckpointFlag(absl::GetFlag(FLAGS_checkpoint)));
  training::TrainedNetwork& trained = opened.network;
  if (!trained.quantisation.empty())
    return absl::InvalidArgumentError(
        absl::StrCat(opened.found.path, ": is quantised already; expected a checkpoint of train"));
  RETURN_IF_ERROR(CheckKeeps(
      "output", absl::GetFlag(FLAGS_output),
      {{"the checkpoint", opened.found.path}, {"the data set", absl::GetFlag(FLAGS_calibration)}}));
  training::StepOptions options;
  RETURN_IF_ERROR(UseThreads(absl::GetFlag(FLAGS_threads), &options.threads));
  options.precision = PrecisionToUse(trained.network);
  ASSIGN_OR_RETURN(const Material material, LoadMaterial(trained, options.threads));
  if (!tensor::Int8Available()) {
    fprintf(stderr,
            "quantise: this processor has no instructions for products of integers (AVX2): the "
            "accuracy after is that of rounded weights alone\n");
  }

  training::CachedTuner tuner(options.threads, TerminalWatch(), opened.found.path);
  Judgement judged;
  ASSIGN_OR_RETURN(
      const inference::Calibration calibration,
      CalibrateAndJudge(material, line.Values("keep"), options, trained, *tuner, judged));
  const bool as_text = absl::GetFlag(FLAGS_format) == "text";
  if (as_text) PrintText(calibration);
  if (calibration.quantisation.empty())
    return absl::FailedPreconditionError(
        "no layer is left to quantise: --keep names them, or they lose more than --most_loss or "
        "--most_error allow; nothing was written");
  std::optional<Judgement> test;
  if (material.test.has_value()) {
    ASSIGN_OR_RETURN(test, Compare(material.test->dataset, options, trained, *tuner));
  }
  const std::string output = absl::GetFlag(FLAGS_output);
  RETURN_IF_ERROR(inference::WriteInferenceFile(output, trained));
  if (!as_text) {
    PrintJson(calibration, judged, test, output);
    return absl::OkStatus();
  }
  const std::string measure(training::MeasureOf(training::TargetKindOf(trained.network)).name);
  const auto print = [&](const Judgement& judgement) {
    printf("%s on %s: %.4f before, %.4f after\n", measure.c_str(), judgement.images.c_str(),
           judgement.before, judgement.after);
  };
  print(judged);
  if (test.has_value()) print(*test);
  printf("%zu of %zu layers in int8: %s\n", calibration.quantisation.size(),
         calibration.layers.size(), output.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) {
  using namespace cotangent::tools;
  return RunProgram(argc, argv, kUsage, "quantise", Quantise);
}
