// Writes the results of evaluating a classifier: as an HTML page, as CSV for spreadsheets, and as
// JSON.
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
  std::string network = {};     // the network's name
  std::string data = {};        // the evaluated images: "cifar10, test images"
  std::string checkpoint = {};  // path of the checkpoint file
  // Names of the classes; class number K (from 0) beyond the list is called "class K".
  std::vector<std::string> classes = {};
  Assessment assessment = {};
  double loss = 0;                          // the network's own loss, mean over the images
  std::optional<double> tta_accuracy = {};  // accuracy with test-time averaging, if it was measured
  // Functions of an image's number, counted from 0. `name` returns the name of the image's file, or
  // "" if the image has none; pages then show the number. `png` returns the image as PNG, or "" if
  // it cannot be shown.
  std::function<std::string(int64_t image)> name = nullptr;
  std::function<std::string(int64_t image)> png = nullptr;

  std::string ClassName(int64_t k) const;
};

// Returns a self-contained HTML page: accuracy with its confidence interval, the confusion matrix,
// the reliability diagram, pictures of the most confident mistakes and of the least confident
// answers, and the measures of each class. Names and paths are escaped.
std::string ToHtml(const Evaluation& evaluation);

// Returns a header line and a line for each image:
// image,label,answer,right,probability,probability_of_label. `image` is the name of the image's
// file or its number; `label` and `answer` are the names of the true class and of the answer;
// `right` is 1 or 0; the probabilities are those of the answer and of the true class. Fields are
// quoted by RFC 4180.
std::string ToCsv(const Evaluation& evaluation);

// Returns a JSON object: {"network", "data", "checkpoint", "images", "classes", "loss", "accuracy",
// "accuracy_low", "accuracy_high", "top": [...], "mean_recall", "log_loss", "calibration_error",
// "temperature", "calibration_error_at_temperature", "log_loss_at_temperature", ["tta_accuracy",]
// "confusion": [[...]], "of_class": [{"name", "support", "precision", "recall", "f1"}, ...]}.
// "tta_accuracy" is there only if it was measured.
std::string ToJson(const Evaluation& evaluation);

// Returns a field of a CSV file. A text with a comma, a quote or a line break is put in quotes, and
// quotes within it are doubled.
std::string CsvField(const std::string& text);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_EVALUATION_PAGE_H_
