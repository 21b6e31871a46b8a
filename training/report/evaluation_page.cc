#include "training/report/evaluation_page.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "nlohmann/json.hpp"
#include "training/report/html.h"
#include "training/report/plot.h"

namespace cotangent::training::report {
namespace {

// With more classes than this, the picture of the confusion matrix shows neither their names nor
// the numbers; the table of the most frequent confusions still shows both.
constexpr int64_t kMostNamedClasses = 12;
constexpr int64_t kMostConfusions = 20;
// Pictures in each of the page's galleries. A picture has a few KB, so the page stays below a
// megabyte.
constexpr int64_t kPictures = 24;

std::string Percent(double share) { return absl::StrFormat("%.2f%%", 100 * share); }
std::string Four(double value) { return absl::StrFormat("%.4f", value); }

std::string Row(const std::string& name, const std::string& value, const std::string& meaning) {
  return absl::StrCat("<tr><td>", name, "</td><td>", value, "</td><td class=\"note\">", meaning,
                      "</td></tr>\n");
}

std::string BeginTable(const std::vector<std::string>& columns) {
  std::string html = "<div class=\"scroll\"><table><thead><tr>";
  for (const std::string& column : columns) absl::StrAppend(&html, "<th>", column, "</th>");
  return html + "</tr></thead><tbody>\n";
}
constexpr char kEndTable[] = "</tbody></table></div>\n";

std::string Summary(const Assessment& a) {
  std::string html = BeginTable({"measure", "value", ""});
  absl::StrAppend(
      &html, Row("accuracy", Percent(a.accuracy.value),
                 absl::StrCat("95% interval ", Percent(a.accuracy.low), " to ",
                              Percent(a.accuracy.high), " (Wilson), on ", a.images, " images")));
  for (size_t k = 2; k <= a.top.size(); ++k) {
    if ((k != 2 && k != 3 && k != 5) || static_cast<int64_t>(k) >= a.classes) continue;
    absl::StrAppend(&html, Row(absl::StrCat("top ", k), Percent(a.top[k - 1]),
                               absl::StrCat("the class is among the ", k, " most probable")));
  }
  absl::StrAppend(
      &html,
      Row("mean recall", Percent(a.mean_recall), "every class counts the same, however rare"),
      Row("log loss", Four(a.log_loss),
          "mean of the negative logarithm of the class's probability"),
      Row("calibration error", Four(a.calibration_error),
          "mean distance between confidence and accuracy over 15 bins; 0: probabilities can be "
          "taken at their word"),
      Row("temperature", Four(a.temperature),
          absl::StrCat("scores divided by it have the least log loss, ",
                       Four(a.log_loss_at_temperature), ", and a calibration error of ",
                       Four(a.calibration_error_at_temperature))));
  return html + kEndTable;
}

std::string ClassTable(const Evaluation& e) {
  std::string html = BeginTable({"class", "images", "taken for it", "precision", "recall", "F1"});
  for (int64_t k = 0; k < e.assessment.classes; ++k) {
    const ClassMeasures& c = e.assessment.of_class[k];
    absl::StrAppend(&html, "<tr><td>", NameHtml(e.ClassName(k)), "</td><td>", c.support,
                    "</td><td>", c.answered, "</td><td>", Four(c.precision), "</td><td>",
                    Four(c.recall), "</td><td>", Four(c.f1), "</td></tr>\n");
  }
  return html + kEndTable;
}

// Returns at most the first `bytes` bytes of a UTF-8 text, without cutting a character in two.
absl::string_view WholeLetters(absl::string_view text, size_t bytes) {
  while (bytes > 0 && bytes < text.size() && (text[bytes] & 0xc0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

std::string ConfusionMatrix(const Evaluation& e) {
  const Assessment& a = e.assessment;
  HeatMap map{.title = "Confusion matrix", .x_label = "answer", .y_label = "class"};
  map.rows = map.columns = a.classes;
  map.high = 1;
  const bool named = a.classes <= kMostNamedClasses;
  for (int64_t i = 0; i < a.classes * a.classes; ++i) {
    const auto support = static_cast<double>(a.of_class[i / a.classes].support);
    map.values.push_back(support > 0 ? static_cast<double>(a.confusion[i]) / support : 0);
    if (named) map.texts.push_back(a.confusion[i] == 0 ? "" : absl::StrCat(a.confusion[i]));
  }
  if (named) {
    for (int64_t k = 0; k < a.classes; ++k) {
      // Long names would push the matrix off the page, so they are shortened here; the tables show
      // them in full.
      std::string name = e.ClassName(k);
      if (name.size() > 16) name = absl::StrCat(WholeLetters(name, 15), "~");
      map.row_names.push_back(name);
      map.column_names.push_back(name);
    }
  } else {
    map.x_high = static_cast<double>(a.classes - 1);
    map.y_high = static_cast<double>(a.classes - 1);
  }
  return absl::StrCat("<figure>", ToSvg(map),
                      "<figcaption>The shade is the share of a class's images that got the answer",
                      named ? "; the number says how many" : "", ".</figcaption></figure>\n");
}

// Returns an HTML table of the pairs (class, answer) that are confused most often.
std::string MostConfused(const Evaluation& e) {
  const Assessment& a = e.assessment;
  // Pairs of minus the count and the index of the matrix cell, so that sorting puts large counts
  // first.
  std::vector<std::pair<int64_t, int64_t>> confused;
  for (int64_t i = 0; i < a.classes * a.classes; ++i) {
    if (i / a.classes != i % a.classes && a.confusion[i] > 0)
      confused.push_back({-a.confusion[i], i});
  }
  if (confused.empty()) return "<p>Nothing was taken for anything else.</p>\n";
  std::sort(confused.begin(), confused.end());
  if (static_cast<int64_t>(confused.size()) > kMostConfusions) confused.resize(kMostConfusions);
  std::string html = BeginTable({"class", "was taken for", "images", "of the class's"});
  for (const auto& [count, cell] : confused) {
    const int64_t label = cell / a.classes;
    absl::StrAppend(
        &html, "<tr><td>", NameHtml(e.ClassName(label)), "</td><td>",
        NameHtml(e.ClassName(cell % a.classes)), "</td><td>", -count, "</td><td>",
        Percent(static_cast<double>(-count) / static_cast<double>(a.of_class[label].support)),
        "</td></tr>\n");
  }
  return html + kEndTable;
}

std::string Reliability(const Assessment& a) {
  Series ideal{
      .name = "as sure as right", .x = {0, 1}, .y = {0, 1}, .mark = Mark::kDashed, .colour = 7};
  Series found{.name = "accuracy of the answers", .mark = Mark::kLinePoints, .colour = 0};
  Series share{.name = "share of the images", .mark = Mark::kLinePoints, .colour = 1};
  for (const ReliabilityBin& bin : a.reliability) {
    if (bin.count == 0) continue;
    found.x.push_back(bin.confidence);
    found.y.push_back(bin.accuracy);
    share.x.push_back((bin.low + bin.high) / 2);
    share.y.push_back(static_cast<double>(bin.count) / static_cast<double>(a.images));
  }
  const Plot plot{.title = "Reliability",
                  .x_label = "probability of the answer",
                  .y_label = "share",
                  .series = {ideal, found, share},
                  .x_low = 0,
                  .x_high = 1,
                  .y_low = 0,
                  .y_high = 1};
  return absl::StrCat("<figure>", ToSvg(plot),
                      "<figcaption>Below the dashed line answers are less often right than they "
                      "claim to be.</figcaption></figure>\n");
}

std::string Gallery(const Evaluation& e, const std::vector<Judgement>& judgements) {
  std::string html = "<div class=\"mistakes\">\n";
  for (const Judgement& j : judgements) {
    std::string name = e.name ? e.name(j.image) : "";
    if (name.empty()) name = absl::StrCat("image ", j.image);
    const std::string png = e.png ? e.png(j.image) : "";
    absl::StrAppend(&html, "<figure>", png.empty() ? "" : PngImage(png, 96, name),
                    "<figcaption title=\"", EscapeHtml(name), "\">",
                    NameHtml(e.ClassName(j.answer)), " ", Percent(j.probability),
                    j.answer == j.label ? ", which is right"
                                        : absl::StrCat("; it is ", NameHtml(e.ClassName(j.label)),
                                                       " (", Percent(j.of_label), ")"),
                    "</figcaption></figure>\n");
  }
  return html + "</div>\n";
}

}  // namespace

std::string Evaluation::ClassName(int64_t k) const {
  return k < static_cast<int64_t>(classes.size()) ? classes[k] : absl::StrCat("class ", k);
}

std::string ToHtml(const Evaluation& e) {
  const Assessment& a = e.assessment;
  const std::vector<Judgement> mistakes = a.SurestMistakes(kPictures);
  return absl::StrCat(BeginPage(absl::StrCat(e.network, ": ", Percent(a.accuracy.value))),
                      "<header>\n<h1>", EscapeHtml(e.network), " on ", EscapeHtml(e.data),
                      "</h1>\n<p class=\"note\">", EscapeHtml(e.checkpoint),
                      "</p>\n</header>\n<main>\n", Summary(a), "<h2>What it takes for what</h2>\n",
                      ConfusionMatrix(e), MostConfused(e),
                      "<h2>Whether its probabilities can be believed</h2>\n", Reliability(a),
                      "<h2>The surest mistakes</h2>\n",
                      mistakes.empty() ? "<p>There are no mistakes.</p>\n" : Gallery(e, mistakes),
                      "<h2>The least sure answers</h2>\n", Gallery(e, a.LeastSure(kPictures)),
                      "<h2>Class by class</h2>\n", ClassTable(e), "</main>\n", EndPage());
}

std::string CsvField(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\"", "\"\""}}), "\"");
}

std::string ToCsv(const Evaluation& e) {
  std::string csv = "image,label,answer,right,probability,probability_of_label\n";
  for (const Judgement& j : e.assessment.judgements) {
    std::string name = e.name ? e.name(j.image) : "";
    if (name.empty()) name = absl::StrCat(j.image);
    absl::StrAppend(&csv, CsvField(name), ",", CsvField(e.ClassName(j.label)), ",",
                    CsvField(e.ClassName(j.answer)), ",", j.label == j.answer ? 1 : 0, ",",
                    absl::StrFormat("%.6g,%.6g\n", j.probability, j.of_label));
  }
  return csv;
}

std::string ToJson(const Evaluation& e) {
  const Assessment& a = e.assessment;
  nlohmann::ordered_json json = {
      {"network", e.network},
      {"data", e.data},
      {"checkpoint", e.checkpoint},
      {"images", a.images},
      {"classes", a.classes},
      {"loss", e.loss},
      {"accuracy", a.accuracy.value},
      {"accuracy_low", a.accuracy.low},
      {"accuracy_high", a.accuracy.high},
      {"top", a.top},
      {"mean_recall", a.mean_recall},
      {"log_loss", a.log_loss},
      {"calibration_error", a.calibration_error},
      {"temperature", a.temperature},
      {"calibration_error_at_temperature", a.calibration_error_at_temperature},
      {"log_loss_at_temperature", a.log_loss_at_temperature}};
  if (e.tta_accuracy.has_value()) json["tta_accuracy"] = *e.tta_accuracy;
  json["confusion"] = nlohmann::ordered_json::array();
  json["of_class"] = nlohmann::ordered_json::array();
  for (int64_t k = 0; k < a.classes; ++k) {
    json["confusion"].push_back(std::vector<int64_t>(a.confusion.begin() + k * a.classes,
                                                     a.confusion.begin() + (k + 1) * a.classes));
    const ClassMeasures& c = a.of_class[k];
    json["of_class"].push_back({{"name", e.ClassName(k)},
                                {"support", c.support},
                                {"precision", c.precision},
                                {"recall", c.recall},
                                {"f1", c.f1}});
  }
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace cotangent::training::report
