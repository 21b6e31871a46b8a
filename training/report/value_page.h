// What an evaluation of labels or numbers found, for people (a page), for spreadsheets (CSV) and for
// programs (JSON); of classes it is evaluation_page.h.
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
  std::string network = {};                            // its name
  std::string data = {};                               // "plants.csv, test images"
  std::string checkpoint = {};                         // where the parameters came from
  data::TargetKind kind = data::TargetKind::kNumbers;  // or kLabels
  std::vector<std::string> names = {};                 // of the labels or numbers
  std::vector<float> answers = {};  // [images, names]: probabilities, or numbers in their own units
  std::vector<float> targets = {};  // [images, names]: 1 or 0, or numbers
  double loss = 0;                  // the network's own, mean over the images
  std::optional<double> tta_score = {};  // averaged over views, where it was measured
  // Of an image: the name of its file, or "" (it is then called by its number); and a PNG file of
  // it, or "" where it cannot be shown.
  std::function<std::string(int64_t image)> name = nullptr;
  std::function<std::string(int64_t image)> png = nullptr;

  int64_t count() const { return static_cast<int64_t>(names.size()); }
  int64_t images() const { return static_cast<int64_t>(targets.size()) / count(); }
};

// Of one label, an image being said to have it where its probability is above 1/2.
struct LabelMeasures {
  int64_t support = 0, answered = 0, right = 0;  // images that have it, are said to, both
  double average_precision = 0;                  // training/targets.h; NaN where no image has it
  double precision = 0, recall = 0, f1 = 0;      // 0 where there is nothing to divide by
};
std::vector<LabelMeasures> MeasuresOfLabels(const ValueEvaluation& evaluation);

// Of one number.
struct NumberMeasures {
  double mean = 0, deviation = 0;  // of the targets
  double mean_error = 0;           // of answer - target: what they are off by on average
  double absolute_error = 0, root_mean_square_error = 0;
  double r2 = 0;  // training/targets.h
};
std::vector<NumberMeasures> MeasuresOfNumbers(const ValueEvaluation& evaluation);

// The measure that MeasureOf(kind) names.
double ScoreOf(const ValueEvaluation& evaluation);

// One HTML page that needs nothing but itself: the measures of each label or number, for numbers
// answers against targets, and the images that are answered worst. All text from outside is escaped.
std::string ToHtml(const ValueEvaluation& evaluation);

// A line an image, after a header: image, then for each label NAME,probability of NAME, for each
// number NAME,answer of NAME. Quoted as RFC 4180 has it.
std::string ToCsv(const ValueEvaluation& evaluation);

// {"network", "data", "checkpoint", "images", "loss", "mean_average_precision" or "r2",
// ["tta_...",] "labels": [{"name", "support", "average_precision" (null where no image has it),
// "precision", "recall", "f1"}, ...] or "numbers": [{"name", "mean", "deviation", "mean_error",
// "absolute_error", "root_mean_square_error", "r2"}, ...]}
std::string ToJson(const ValueEvaluation& evaluation);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_VALUE_PAGE_H_
