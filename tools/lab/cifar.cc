#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/file.h"
#include "data/image_file.h"
#include "data/sources/source.h"
#include "layers/zoo/zoo.h"
#include "tools/command_line.h"
#include "tools/lab/experiments.h"
#include "tools/lab/section.h"
#include "tools/progress.h"
#include "tools/tuner_watch.h"
#include "training/checkpoint.h"
#include "training/evaluation.h"
#include "training/metrics.h"
#include "training/plan_cache.h"
#include "training/run.h"
#include "training/run_directory.h"
#include "training/trained_network.h"

namespace cotangent::tools::lab {
namespace {

constexpr int64_t kPixels = 32 * 32, kBatch = 100;
constexpr int kClasses = 10;
const std::vector<std::string>& Networks() {
  static const auto* const names =
      new std::vector<std::string>{"softmax_classifier", "two_layer_net", "convnet"};
  return *names;
}

// The curves in the log (metrics.jsonl) of a run of the program `train`.
struct Metrics {
  Series loss, accuracy;  // against epochs; loss of the logged steps, accuracy of the evaluations
};

// Reads the log of the run in `directory`. Returns an error if the file does not exist or if a line
// is not a JSON object; the error names the line.
absl::StatusOr<Metrics> ReadMetrics(const std::string& directory) {
  const std::string path = data::JoinPath(directory, training::kMetricsFile);
  ASSIGN_OR_RETURN(const auto text, data::ReadFile(path));
  Metrics metrics;
  int number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (line.empty()) continue;
    const auto numbers = training::ParseMetricsLine(line);
    if (!numbers)
      return absl::InvalidArgumentError(
          absl::StrCat(path, ":", number, ":1: expected a JSON object"));
    const auto number_of = [&](const char* key) {
      return training::Find(*numbers, key).value_or(NAN);
    };
    const double epoch = number_of("epoch");
    if (const double loss = number_of("train_loss"); std::isfinite(loss))
      metrics.loss.x.push_back(epoch), metrics.loss.y.push_back(loss);
    if (const double a = number_of("test_accuracy"); std::isfinite(a))
      metrics.accuracy.x.push_back(epoch), metrics.accuracy.y.push_back(a);
  }
  return metrics;
}

struct Mistake {
  int64_t image;
  int label, prediction;
  double confidence;
};

// How a trained network classifies the test images.
struct Answers {
  std::vector<std::vector<int64_t>> confusion = std::vector<std::vector<int64_t>>(
      kClasses, std::vector<int64_t>(kClasses));  // [label][prediction]
  std::vector<Mistake> mistakes;                  // the most confident first
  double accuracy = 0;
};

absl::StatusOr<Answers> Answer(training::TrainedNetwork& trained, const data::Dataset& test,
                               int threads, layers::Tuner& tuner) {
  ASSIGN_OR_RETURN(auto evaluator, training::Evaluator::Create(trained.network, kClasses, kBatch,
                                                               {.threads = threads, .choices = {}},
                                                               *trained.store, tuner));
  Answers answers;
  std::vector<double> probabilities(kClasses);
  for (int64_t first = 0; first < test.size(); first += kBatch) {
    const int64_t count = std::min(kBatch, test.size() - first);
    for (int64_t k = 0; k < count; ++k) {
      const uint8_t* const bytes = test.image(first + k);
      for (int64_t i = 0; i < 3 * kPixels; ++i) {
        const int64_t c = i / kPixels;
        evaluator->images()[k * 3 * kPixels + i] =
            static_cast<float>((bytes[i] / 255.0 - trained.normalisation.mean[c]) /
                               trained.normalisation.deviation[c]);
      }
    }
    const float* const scores = evaluator->Run();
    for (int64_t k = 0; k < count; ++k) {
      const float* const row = scores + k * kClasses;
      const int prediction = static_cast<int>(std::max_element(row, row + kClasses) - row);
      evaluator->AnswersOf(row, absl::MakeSpan(probabilities));
      const double confidence = probabilities[prediction];
      const int label = test.labels[first + k];
      ++answers.confusion[label][prediction];
      if (prediction == label)
        answers.accuracy += 1.0 / test.size();
      else
        answers.mistakes.push_back({first + k, label, prediction, confidence});
    }
  }
  std::stable_sort(answers.mistakes.begin(), answers.mistakes.end(),
                   [](const Mistake& a, const Mistake& b) { return a.confidence > b.confidence; });
  return answers;
}

// Draws the first layer's filters (at most 40, of three channels) as a sheet of small images, and
// returns an <img> element. Each filter's values are scaled to the full range of brightness.
// Returns an error if there are no such filters in conv1.weight, fc1.weight or fc.weight.
absl::StatusOr<std::string> FilterSheet(const training::Checkpoint& checkpoint) {
  for (const char* name : {"conv1.weight", "fc1.weight", "fc.weight"}) {
    const auto* const tensor = checkpoint.Find(name);
    if (tensor == nullptr) continue;
    std::vector<float> values(tensor->size);
    checkpoint.CopyTo(*tensor, values.data());
    const int64_t filters = std::min<int64_t>(tensor->shape[0], 40),
                  each = tensor->size / tensor->shape[0];
    const int64_t side = std::llround(std::sqrt(each / 3.0));
    if (3 * side * side != each) continue;
    const int64_t columns = std::min<int64_t>(filters, side > 16 ? 5 : 8),
                  rows = (filters + columns - 1) / columns;
    data::Image sheet{
        static_cast<int>(columns * (side + 1) + 1), static_cast<int>(rows * (side + 1) + 1), {}};
    sheet.rgb.assign(3 * sheet.width * sheet.height, 128);
    for (int64_t f = 0; f < filters; ++f) {
      const float* const filter = values.data() + f * each;
      const auto [low, high] = std::minmax_element(filter, filter + each);
      const float range = std::max(*high - *low, 1e-12f);
      for (int64_t i = 0; i < each; ++i) {
        const int64_t c = i / (side * side), y = f / columns * (side + 1) + 1 + i / side % side,
                      x = f % columns * (side + 1) + 1 + i % side;
        sheet.rgb[(y * sheet.width + x) * 3 + c] =
            static_cast<uint8_t>(std::lround(255 * (filter[i] - *low) / range));
      }
    }
    ASSIGN_OR_RETURN(const auto png, data::EncodePng(sheet));
    return PngImage(png, sheet.width * (side > 16 ? 2 : 5),
                    absl::StrCat("the weights ", name, " as images"));
  }
  return absl::NotFoundError("no first layer that sees images");
}

void ShowAnswers(const std::string& name, const Answers& answers,
                 const training::Checkpoint& checkpoint, const data::Dataset& test,
                 Section& section) {
  section.Heading(EscapeHtml(name));
  HeatMap map{.title = absl::StrCat("Confusion: ", name),
              .x_label = "predicted",
              .y_label = "",
              .rows = kClasses,
              .columns = kClasses,
              .numbers = true,
              .row_names = test.classes,
              .column_names = test.classes};
  std::vector<std::string> header = {"class"}, row = {"accuracy"};
  for (int label = 0; label < kClasses; ++label) {
    const auto& counts = answers.confusion[label];
    for (const int64_t count : counts) map.values.push_back(static_cast<double>(count));
    header.push_back(EscapeHtml(test.classes[label]));
    row.push_back(
        Short(static_cast<double>(counts[label]) /
              std::max<int64_t>(1, std::accumulate(counts.begin(), counts.end(), int64_t{0}))));
  }
  section.BeginRow();
  section.Figure(ToSvg(map), "Rows are true classes, columns predicted ones.");
  if (const auto sheet = FilterSheet(checkpoint); sheet.ok())
    section.Figure(*sheet, "First-layer filters, each stretched to its own range.");
  section.EndRow();
  section.Table(header, {row});
  section.Text("The most confident mistakes:");
  section.Raw("<div class=\"mistakes\">");
  for (size_t i = 0; i < std::min<size_t>(answers.mistakes.size(), 10); ++i) {
    const Mistake& mistake = answers.mistakes[i];
    const auto png = data::EncodePng(
        data::FromPlanar(absl::MakeConstSpan(test.image(mistake.image), 3 * kPixels), 32, 32));
    if (!png.ok()) continue;
    const std::string label = EscapeHtml(test.classes[mistake.label]),
                      prediction = EscapeHtml(test.classes[mistake.prediction]);
    section.Figure(
        PngImage(*png, 96, absl::StrCat("a ", label)),
        absl::StrCat(label, ", taken for ", prediction, " (", Short(mistake.confidence), ")"));
  }
  section.Raw("</div>\n");
}

absl::Status TrainMissing(const CifarPremises& premises, const std::string& name,
                          layers::Tuner* tuner) {
  training::RunOptions options;
  ASSIGN_OR_RETURN(auto network, layers::FindNetwork(name));
  ASSIGN_OR_RETURN(const auto source, data::FindSource("cifar10"));
  ASSIGN_OR_RETURN(options.data, training::DataOf(source, premises.data_dir));
  ASSIGN_OR_RETURN(options.network, training::Resolve(network, options.data.shape));
  options.output_dir = data::JoinPath(premises.runs_dir, name);
  options.threads = premises.threads;
  ASSIGN_OR_RETURN(auto lock, training::DirectoryLock::Acquire(options.output_dir, Say));
  Progress progress;
  return training::Train(options, tuner, progress).status();
}

struct Run {
  std::string name;
  Metrics metrics;
  std::optional<Answers> answers;
};

double FinalAccuracy(const Run& run) {
  return run.metrics.accuracy.y.empty() ? NAN : run.metrics.accuracy.y.back();
}

double MeanLoss(const Run& run, bool last) {
  const auto& y = run.metrics.loss.y;
  const size_t share = std::max<size_t>(1, y.size() / 10);
  if (y.empty()) return NAN;
  return (last ? std::accumulate(y.end() - share, y.end(), 0.0)
               : std::accumulate(y.begin(), y.begin() + share, 0.0)) /
         share;
}

void AddClaims(const std::vector<Run>& runs, bool complete, const std::string& missing,
               Report& report) {
  Claim order{"cifar.order",
              {},
              "more of the image's structure in the network, more accuracy: softmax < two layers < "
              "convolution",
              "",
              "measured on the 10000 test images, by the runs' metrics"};
  Claim falls{"cifar.loss_falls",
              {},
              "training lowers each network's loss",
              "",
              "measured: mean of the last tenth of the logged losses against the first"};
  Claim agrees{"cifar.reproduced",
               {},
               "each checkpoint, evaluated here, has the accuracy its run recorded",
               "",
               "measured on the test images"};
  bool ordered = complete, fell = complete, reproduced = complete;
  double before = 0;
  for (const Run& run : runs) {
    const double accuracy = FinalAccuracy(run);
    ordered = ordered && accuracy > before;
    before = accuracy;
    order.numbers.push_back({absl::StrCat(run.name, ": test accuracy"), accuracy});
    falls.numbers.push_back({absl::StrCat(run.name, ": first"), MeanLoss(run, false)});
    falls.numbers.push_back({absl::StrCat(run.name, ": last"), MeanLoss(run, true)});
    fell = fell && MeanLoss(run, true) < MeanLoss(run, false);
    if (!run.answers.has_value()) continue;
    agrees.numbers.push_back(
        {absl::StrCat(run.name, ": difference"), run.answers->accuracy - accuracy});
    reproduced = reproduced && std::abs(run.answers->accuracy - accuracy) < 0.003;
  }
  order.verdict = HoldsIf(ordered);
  falls.verdict = HoldsIf(fell);
  agrees.verdict = agrees.numbers.size() < runs.size() ? Verdict::kSkipped : HoldsIf(reproduced);
  if (!complete) order.verdict = falls.verdict = agrees.verdict = Verdict::kSkipped;
  for (Claim* claim : {&order, &falls, &agrees}) {
    if (claim->verdict == Verdict::kSkipped) claim->how = missing;
    report.claims.push_back(*claim);
  }
}

}  // namespace

absl::StatusOr<Report> RunCifar(const CifarPremises& premises) {
  Report report{"cifar", "Question 7: three classifiers of CIFAR-10"};
  Section section;
  training::CachedTuner tuner(premises.threads, TerminalWatch());
  const auto test = data::LoadDataset("cifar10", premises.data_dir, data::Split::kTest);
  std::string missing;
  if (!test.ok())
    missing = absl::StrCat(
        "no data: fetch it with  bazel run //tools:fetch_data -- --dataset=cifar10 --data_dir=",
        premises.data_dir);
  Plot loss{.title = "Training loss", .x_label = "epochs", .y_label = "loss"},
      accuracy{.title = "Test accuracy", .x_label = "epochs", .y_label = "accuracy"};
  std::vector<Run> runs;
  for (const std::string& name : Networks()) {
    const std::string directory = data::JoinPath(premises.runs_dir, name);
    auto metrics = ReadMetrics(directory);
    if (absl::IsNotFound(metrics.status()) && premises.train && test.ok()) {
      RETURN_IF_ERROR(TrainMissing(premises, name, tuner.get()));
      metrics = ReadMetrics(directory);
    }
    if (absl::IsNotFound(metrics.status())) {
      if (missing.empty())
        missing =
            absl::StrCat("no run of ", name, " in ", premises.runs_dir,
                         ": give --train, or --runs_dir with the output directories of train");
      continue;
    }
    RETURN_IF_ERROR(metrics.status());
    Run run{name, *std::move(metrics), std::nullopt};
    run.metrics.loss.name = run.metrics.accuracy.name = name;
    run.metrics.accuracy.mark = Mark::kLinePoints;
    loss.series.push_back(run.metrics.loss);
    accuracy.series.push_back(run.metrics.accuracy);
    runs.push_back(std::move(run));
  }
  if (!runs.empty()) {
    section.BeginRow();
    section.Figure(ToSvg(loss), "At the logged steps.");
    section.Figure(ToSvg(accuracy), "After each epoch that was evaluated.");
    section.EndRow();
  }
  for (Run& run : runs) {
    const auto found = training::FindNewestGood(data::JoinPath(premises.runs_dir, run.name), Say);
    if (!found.has_value() || !test.ok()) {
      if (missing.empty())
        missing = absl::StrCat("no checkpoint in ", data::JoinPath(premises.runs_dir, run.name));
      continue;
    }
    ASSIGN_OR_RETURN(auto trained, training::LoadTrained(found->checkpoint, found->path));
    ASSIGN_OR_RETURN(auto answers, Answer(trained, *test, premises.threads, *tuner));
    ShowAnswers(run.name, answers, found->checkpoint, *test, section);
    run.answers = std::move(answers);
  }
  AddClaims(runs, runs.size() == Networks().size(), missing, report);
  if (!missing.empty())
    section.Text(absl::StrCat("Not all could be shown: ", EscapeHtml(missing), "."));
  report.body = section.html();
  return report;
}

}  // namespace cotangent::tools::lab
