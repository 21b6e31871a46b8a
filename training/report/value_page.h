// Writes the results of evaluating a network that predicts labels or numbers: as an HTML page, as
// CSV for spreadsheets, and as JSON. For classes see evaluation_page.h.
#ifndef COTANGENT_TRAINING_REPORT_VALUE_PAGE_H_
#define COTANGENT_TRAINING_REPORT_VALUE_PAGE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace cotangent::training::report {

struct ValueEvaluation {
  std::string network = {};                // the network's name
  std::string data = {};                   // "plants.csv, test images"
  std::string checkpoint = {};             // path of the checkpoint file
  TargetKind kind = TargetKind::kNumbers;  // kNumbers or kLabels
  std::vector<std::string> names = {};     // the names of the labels or numbers
  std::vector<float> answers = {};  // [images, names]: probabilities, or numbers in their own units
  std::vector<float> targets = {};  // [images, names]: 1 or 0, or numbers
  double loss = 0;                  // the network's own loss, mean over the images
  std::optional<double> tta_score = {};  // score with test-time averaging, if it was measured
  // Functions of an image's number, counted from 0. `name` returns the name of the image's file, or
  // "" if the image has none; pages then show the number. `png` returns the image as PNG, or "" if
  // it cannot be shown.
  std::function<std::string(int64_t image)> name = nullptr;
  std::function<std::string(int64_t image)> png = nullptr;

  int64_t count() const { return static_cast<int64_t>(names.size()); }
  int64_t images() const { return static_cast<int64_t>(targets.size()) / count(); }
};

// Measures of one label. The network answers a label for an image if the label's probability is
// above 1/2.
struct LabelMeasures {
  // `support`: images that have the label. `answered`: images for which the network answers the
  // label. `right`: images counted in both.
  int64_t support = 0, answered = 0, right = 0;
  double average_precision = 0;              // NaN if no image has the label
  double precision = 0, recall = 0, f1 = 0;  // 0 if the denominator is 0
};
std::vector<LabelMeasures> MeasuresOfLabels(const ValueEvaluation& evaluation);

// How well one number is predicted, in the number's own units (except r2).
struct NumberMeasures {
  double mean = 0, deviation = 0;  // mean and standard deviation of the targets
  // Mean of (answer - target): positive if the answers are too large on average.
  double mean_error = 0;
  double absolute_error = 0, root_mean_square_error = 0;
  double r2 = 0;  // see DeterminationCoefficients() in training/targets.h
};
std::vector<NumberMeasures> MeasuresOfNumbers(const ValueEvaluation& evaluation);

// Returns the measure that MeasureOf(kind) in training/targets.h names.
double ScoreOf(const ValueEvaluation& evaluation);

// Returns a self-contained HTML page: the measures of each label or number, for each of the first
// 12 numbers a plot of answers against targets, and the images with the worst answers. Names and
// paths are escaped.
std::string ToHtml(const ValueEvaluation& evaluation);

// Returns a header line and a line for each image, with the columns "image" and, for each label,
// NAME (1 or 0) and "probability of NAME", or, for each number, NAME and "answer of NAME". Fields
// are quoted by RFC 4180.
std::string ToCsv(const ValueEvaluation& evaluation);

// Returns a JSON object: {"network", "data", "checkpoint", "images", "loss",
// "mean_average_precision" or "r2", ["tta_...",] "labels": [{"name", "support", "average_precision"
// (null if no image has the label), "precision", "recall", "f1"}, ...] or "numbers": [{"name",
// "mean", "deviation", "mean_error", "absolute_error", "root_mean_square_error", "r2"}, ...]}.
// "tta_mean_average_precision" or "tta_r2" is there only if it was measured.
std::string ToJson(const ValueEvaluation& evaluation);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_VALUE_PAGE_H_
