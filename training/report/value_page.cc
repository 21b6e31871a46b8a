#include "training/report/value_page.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "training/report/evaluation_page.h"
#include "training/report/html.h"
#include "training/report/plot.h"
#include "training/targets.h"

namespace cotangent::training::report {
namespace {

constexpr int64_t kPictures = 24;      // images in the gallery of the worst answers
constexpr int64_t kMostPlots = 12;     // the most plots of answers against targets
constexpr int64_t kMostPoints = 2000;  // the most points in each plot; they are chosen evenly

using nlohmann::ordered_json;

std::string Four(double value) { return std::isnan(value) ? "" : absl::StrFormat("%.4f", value); }
double Ratio(double above, double below) { return below > 0 ? above / below : 0; }

bool IsOfLabels(const ValueEvaluation& e) { return e.kind == TargetKind::kLabels; }

std::string NameOfImage(const ValueEvaluation& e, int64_t image, const char* prefix) {
  const std::string name = e.name ? e.name(image) : "";
  return name.empty() ? absl::StrCat(prefix, image) : name;
}

std::string Table(const std::vector<std::string>& columns,
                  const std::vector<std::vector<std::string>>& rows) {
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& column : columns) absl::StrAppend(&html, "<th>", column, "</th>");
  absl::StrAppend(&html, "</tr></thead><tbody>\n");
  for (const std::vector<std::string>& row : rows) {
    absl::StrAppend(&html, "<tr>");
    for (const std::string& cell : row) absl::StrAppend(&html, "<td>", cell, "</td>");
    absl::StrAppend(&html, "</tr>\n");
  }
  return html + "</tbody></table></div>\n";
}

std::string LabelTable(const ValueEvaluation& e) {
  std::vector<std::vector<std::string>> rows;
  const std::vector<LabelMeasures> measures = MeasuresOfLabels(e);
  for (int64_t k = 0; k < e.count(); ++k) {
    const LabelMeasures& m = measures[k];
    rows.push_back({NameHtml(e.names[k]), absl::StrCat(m.support), absl::StrCat(m.answered),
                    Four(m.average_precision), Four(m.precision), Four(m.recall), Four(m.f1)});
  }
  return Table(
      {"label", "images", "said to have it", "average precision", "precision", "recall", "F1"},
      rows);
}

std::string NumberTable(const ValueEvaluation& e) {
  std::vector<std::vector<std::string>> rows;
  const std::vector<NumberMeasures> measures = MeasuresOfNumbers(e);
  for (int64_t k = 0; k < e.count(); ++k) {
    const NumberMeasures& m = measures[k];
    rows.push_back({NameHtml(e.names[k]), Short(m.mean), Short(m.deviation),
                    Short(m.absolute_error), Short(m.root_mean_square_error), Short(m.mean_error),
                    Four(m.r2)});
  }
  return Table({"number", "mean", "deviation", "mean absolute error", "root mean square error",
                "mean error", "R2"},
               rows);
}

std::string Scatter(const ValueEvaluation& e, int64_t k) {
  Series points{.name = "", .mark = Mark::kPoints, .colour = 0};
  const int64_t images = e.images(), shown = std::min(images, kMostPoints);
  double low = INFINITY, high = -INFINITY;
  for (int64_t i = 0; i < shown; ++i) {
    const int64_t at = (i * images / shown) * e.count() + k;
    points.x.push_back(e.targets[at]);
    points.y.push_back(e.answers[at]);
    low = std::min(low, points.x.back());
    high = std::max(high, points.x.back());
  }
  Series ideal{
      .name = "right", .x = {low, high}, .y = {low, high}, .mark = Mark::kDashed, .colour = 7};
  return absl::StrCat(
      "<figure>",
      ToSvg(Plot{
          .title = e.names[k], .x_label = "is", .y_label = "answer", .series = {points, ideal}}),
      "</figure>\n");
}

// The error in one label or number of one image: |answer - target|, where for labels the answer is
// a probability and the target 1 or 0. For numbers `size` is that error divided by the standard
// deviation of the targets (unless the deviation is 0).
struct Mistake {
  double size = 0;
  int64_t image = 0, name = 0;  // indices from 0
};

std::vector<Mistake> WorstAnswers(const ValueEvaluation& e) {
  std::vector<double> scale(e.count(), 1);
  if (!IsOfLabels(e)) {
    const std::vector<NumberMeasures> measures = MeasuresOfNumbers(e);
    for (int64_t k = 0; k < e.count(); ++k)
      scale[k] = measures[k].deviation > 0 ? measures[k].deviation : 1;
  }
  // Keeps for each image the label or number with the largest error.
  std::vector<Mistake> worst;
  for (int64_t i = 0; i < e.images(); ++i) {
    Mistake here{-1, i, 0};
    for (int64_t k = 0; k < e.count(); ++k) {
      const int64_t at = i * e.count() + k;
      const double size = std::abs(double{e.answers[at]} - e.targets[at]) / scale[k];
      if (size > here.size) here.size = size, here.name = k;
    }
    worst.push_back(here);
  }
  std::stable_sort(worst.begin(), worst.end(),
                   [](const Mistake& a, const Mistake& b) { return a.size > b.size; });
  if (static_cast<int64_t>(worst.size()) > kPictures) worst.resize(kPictures);
  return worst;
}

std::string Gallery(const ValueEvaluation& e) {
  std::string html = "<div class=\"mistakes\">\n";
  for (const Mistake& m : WorstAnswers(e)) {
    const std::string image = NameOfImage(e, m.image, "image ");
    const std::string png = e.png ? e.png(m.image) : "";
    const int64_t at = m.image * e.count() + m.name;
    const std::string name = NameHtml(e.names[m.name]);
    absl::StrAppend(
        &html, "<figure>", png.empty() ? "" : PngImage(png, 96, image), "<figcaption title=\"",
        EscapeHtml(image), "\">",
        IsOfLabels(e)
            ? absl::StrFormat("%s: %.1f%%, in truth %s", name, 100.0 * e.answers[at],
                              e.targets[at] > 0.5f ? "yes" : "no")
            : absl::StrCat(name, ": ", Short(e.answers[at]), ", in truth ", Short(e.targets[at])),
        "</figcaption></figure>\n");
  }
  return html + "</div>\n";
}

}  // namespace

std::vector<LabelMeasures> MeasuresOfLabels(const ValueEvaluation& e) {
  const std::vector<double> precisions = AveragePrecisions(e.answers, e.targets, e.count());
  std::vector<LabelMeasures> measures(e.count());
  for (size_t i = 0; i < e.targets.size(); ++i) {
    LabelMeasures& m = measures[i % measures.size()];
    const bool is = e.targets[i] > 0.5f, said = e.answers[i] > 0.5f;
    m.support += is, m.answered += said, m.right += is && said;
  }
  for (size_t k = 0; k < measures.size(); ++k) {
    LabelMeasures& m = measures[k];
    const auto right = static_cast<double>(m.right);
    m.average_precision = precisions[k];
    m.precision = Ratio(right, static_cast<double>(m.answered));
    m.recall = Ratio(right, static_cast<double>(m.support));
    m.f1 = Ratio(2 * m.precision * m.recall, m.precision + m.recall);
  }
  return measures;
}

std::vector<NumberMeasures> MeasuresOfNumbers(const ValueEvaluation& e) {
  const std::vector<double> r2 = DeterminationCoefficients(e.answers, e.targets, e.count());
  std::vector<NumberMeasures> measures(e.count());
  const auto images = static_cast<double>(std::max<int64_t>(e.images(), 1));
  for (size_t i = 0; i < e.targets.size(); ++i) {
    NumberMeasures& m = measures[i % measures.size()];
    const double error = double{e.answers[i]} - e.targets[i];
    m.mean += e.targets[i] / images;
    m.mean_error += error / images;
    m.absolute_error += std::abs(error) / images;
    m.root_mean_square_error += error * error / images;
  }
  for (size_t i = 0; i < e.targets.size(); ++i) {
    NumberMeasures& m = measures[i % measures.size()];
    m.deviation += (e.targets[i] - m.mean) * (e.targets[i] - m.mean) / images;
  }
  for (size_t k = 0; k < measures.size(); ++k) {
    measures[k].deviation = std::sqrt(measures[k].deviation);
    measures[k].root_mean_square_error = std::sqrt(measures[k].root_mean_square_error);
    measures[k].r2 = r2[k];
  }
  return measures;
}

double ScoreOf(const ValueEvaluation& e) { return Score(e.kind, e.answers, e.targets, e.count()); }

std::string ToHtml(const ValueEvaluation& e) {
  const std::string score = absl::StrCat(MeasureOf(e.kind).name, " ", Four(ScoreOf(e)));
  std::string html = absl::StrCat(
      BeginPage(absl::StrCat(e.network, ": ", score)), "<header>\n<h1>", EscapeHtml(e.network),
      " on ", EscapeHtml(e.data), "</h1>\n<p>", score, ", loss ", Four(e.loss), ", on ", e.images(),
      " images</p>\n<p class=\"note\">", EscapeHtml(e.checkpoint), "</p>\n</header>\n<main>\n",
      IsOfLabels(e) ? LabelTable(e) : NumberTable(e));
  if (!IsOfLabels(e)) {
    absl::StrAppend(&html, "<h2>Answers and what is</h2>\n<div class=\"row\">\n");
    for (int64_t k = 0; k < std::min(e.count(), kMostPlots); ++k)
      absl::StrAppend(&html, Scatter(e, k));
    absl::StrAppend(&html, "</div>\n");
  }
  absl::StrAppend(&html, "<h2>The worst answers</h2>\n", Gallery(e), "</main>\n", EndPage());
  return html;
}

std::string ToCsv(const ValueEvaluation& e) {
  std::string csv = "image";
  const char* const answer = IsOfLabels(e) ? "probability of " : "answer of ";
  for (const std::string& name : e.names)
    absl::StrAppend(&csv, ",", CsvField(name), ",", CsvField(answer + name));
  csv += "\n";
  for (int64_t i = 0; i < e.images(); ++i) {
    absl::StrAppend(&csv, CsvField(NameOfImage(e, i, "")));
    for (int64_t at = i * e.count(); at < (i + 1) * e.count(); ++at)
      absl::StrAppendFormat(&csv, ",%.6g,%.6g", e.targets[at], e.answers[at]);
    csv += "\n";
  }
  return csv;
}

std::string ToJson(const ValueEvaluation& e) {
  const std::string& key = MeasureOf(e.kind).key;
  ordered_json json = {{"network", e.network}, {"data", e.data}, {"checkpoint", e.checkpoint},
                       {"images", e.images()}, {"loss", e.loss}, {key, ScoreOf(e)}};
  if (e.tta_score.has_value()) json["tta_" + key] = *e.tta_score;
  if (IsOfLabels(e)) {
    json["labels"] = ordered_json::array();
    const std::vector<LabelMeasures> measures = MeasuresOfLabels(e);
    for (int64_t k = 0; k < e.count(); ++k) {
      const LabelMeasures& m = measures[k];
      json["labels"].push_back({{"name", e.names[k]},
                                {"support", m.support},
                                {"average_precision", m.average_precision},
                                {"precision", m.precision},
                                {"recall", m.recall},
                                {"f1", m.f1}});
    }
  } else {
    json["numbers"] = ordered_json::array();
    const std::vector<NumberMeasures> measures = MeasuresOfNumbers(e);
    for (int64_t k = 0; k < e.count(); ++k) {
      const NumberMeasures& m = measures[k];
      json["numbers"].push_back({{"name", e.names[k]},
                                 {"mean", m.mean},
                                 {"deviation", m.deviation},
                                 {"mean_error", m.mean_error},
                                 {"absolute_error", m.absolute_error},
                                 {"root_mean_square_error", m.root_mean_square_error},
                                 {"r2", m.r2}});
    }
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace cotangent::training::report
