// What an evaluation found, for people (a page), for spreadsheets (CSV) and for programs (JSON).
#ifndef COTANGENT_TRAINING_REPORT_EVALUATION_PAGE_H_
#define COTANGENT_TRAINING_REPORT_EVALUATION_PAGE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "training/report/assessment.h"

namespace cotangent::training::report {

struct Evaluation {
  std::string network = {};               // its name
  std::string data = {};                  // "cifar10, test images"
  std::string checkpoint = {};            // where the parameters came from
  std::vector<std::string> classes = {};  // names; fewer than classes: the rest are numbered
  Assessment assessment = {};
  double loss = 0;                          // the network's own, mean over the images
  std::optional<double> tta_accuracy = {};  // averaged over views, where it was measured
  // Of an image: the name of its file, or "" (it is then called by its number); and a PNG file of
  // it, or "" where it cannot be shown.
  std::function<std::string(int64_t image)> name = nullptr;
  std::function<std::string(int64_t image)> png = nullptr;

  std::string ClassName(int64_t k) const;
};

// One HTML page that needs nothing but itself: accuracy with its interval, measures of each class,
// the confusion matrix, the reliability diagram, the surest mistakes and the least sure answers as
// pictures. All text from outside is escaped.
std::string ToHtml(const Evaluation& evaluation);

// A line an image, after a header: image,label,answer,right,probability,probability_of_label.
// Quoted as RFC 4180 has it.
std::string ToCsv(const Evaluation& evaluation);

// {"network", "data", "checkpoint", "images", "classes", "loss", "accuracy", "accuracy_low", "accuracy_high", ["tta_accuracy",] "top": [...], "mean_recall", "log_loss",
// "calibration_error", "temperature", "calibration_error_at_temperature",
// "log_loss_at_temperature", "confusion": [[...]], "of_class": [{"name", "support", "precision",
// "recall", "f1"}, ...]}
std::string ToJson(const Evaluation& evaluation);

// A field of a CSV file: in quotes, doubled inside, where it holds a comma, a quote or a line's
// end.
std::string CsvField(const std::string& text);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_EVALUATION_PAGE_H_
