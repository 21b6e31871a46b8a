#include "tools/lab/page.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/lab/mathml.h"
#include "tools/lab/section.h"
#include "training/report/html.h"

namespace cotangent::tools::lab {
namespace {

std::string Numbered(const std::vector<int>& equations) {
  if (equations.empty()) return "";
  return absl::StrJoin(equations, " ",
                       [](std::string* out, int k) { absl::StrAppend(out, "(", k, ")"); });
}

std::string ClaimItem(const Claim& claim) {
  const char* const verdict = VerdictName(claim.verdict);
  std::string html = absl::StrCat("<li class=\"", verdict, "\" id=\"", EscapeHtml(claim.id),
                                  "\"><span class=\"verdict ", verdict, "\">", verdict, "</span> ",
                                  Numbered(claim.equations), " ", EscapeHtml(claim.statement));
  if (!claim.formula.empty()) absl::StrAppend(&html, DisplayMath(claim.formula));
  absl::StrAppend(&html, "<div class=\"how\">", EscapeHtml(claim.how));
  for (const Number& number : claim.numbers) {
    absl::StrAppend(&html, "; <span class=\"number\">", EscapeHtml(number.name), ": ",
                    Short(number.value), "</span>");
  }
  return html + "</div></li>\n";
}

struct Count {
  int holds = 0, fails = 0, skipped = 0;
};

Count CountClaims(const std::vector<Report>& reports) {
  Count count;
  for (const Report& report : reports) {
    for (const Claim& claim : report.claims) {
      count.holds += claim.verdict == Verdict::kHolds;
      count.fails += claim.verdict == Verdict::kFails;
      count.skipped += claim.verdict == Verdict::kSkipped;
    }
  }
  return count;
}

std::string EquationTable(const std::vector<Report>& reports) {
  std::string html =
      "<div "
      "class=\"scroll\"><table><thead><tr><th></th><th>verdict</th><th>equation</th><th></th></"
      "tr></thead><tbody>\n";
  for (int k = 1; k <= static_cast<int>(Equations().size()); ++k) {
    const Equation& equation = Equations()[k - 1];
    const char* const verdict = VerdictName(EquationVerdict(reports, k));
    absl::StrAppend(&html, "<tr><td>(", k, ")</td><td><span class=\"verdict ", verdict, "\">",
                    verdict, "</span></td><td>", EscapeHtml(equation.title), "</td><td>",
                    InlineMath(equation.notation), "</td></tr>\n");
  }
  return html + "</tbody></table></div>\n";
}

nlohmann::json NumberOrNull(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

}  // namespace

const std::vector<Equation>& Equations() {
  static const auto* const equations = new std::vector<Equation>{
      {"gradient descent", "w_{t+1} = w_t - \\eta \\nabla f(w_t), \\quad \\eta > 0"},
      {"the linear model", "f(w) \\approx f(w_t) + \\langle w - w_t, \\nabla f(w_t) \\rangle"},
      {"a lower bound of convex functions",
       "f(w) \\ge f(w_t) + \\langle w - w_t, \\nabla f(w_t) \\rangle"},
      {"the proximal step",
       "\\argmin_w \\{ f(w_t) + \\langle w - w_t, \\nabla f(w_t) \\rangle + \\frac{\\lambda}{2} "
       "\\Vert w - w_t \\Vert^2 \\}"},
      {"the lemma",
       "\\sum_{t=1}^T \\langle w_t - w^*, v_t \\rangle \\le \\frac{\\Vert w^* \\Vert^2}{2 \\eta} + "
       "\\frac{\\eta}{2} \\sum_{t=1}^T \\Vert v_t \\Vert^2"},
      {"what convexity gives",
       "f(\\bar{w}) - f(w^*) \\le \\frac{1}{T} \\sum_{t=1}^T \\langle w_t - w^*, \\nabla f(w_t) "
       "\\rangle"},
      {"a function of two variables", "f(x, y) = (x + y)(y + 1)"},
      {"its first intermediate", "a = x + y"},
      {"its second intermediate", "b = y + 1"},
      {"its value", "f = a b"},
      {"the first function of two weights",
       "f_1(w_1, w_2) = \\cos (w_1) \\cos (w_2) + \\sigma (w_2)"},
      {"the second function of two weights", "f_2(w_1, w_2) = \\ln (w_1 + w_2) + w_1^2 w_2"},
      {"circular convolution", "(x * w)_i = \\sum_{k=0}^{n-1} x_k w_{(i - k) \\mod n}"},
      {"the sum that a stochastic step can increase",
       "f(w) = \\frac{1}{2} (w - 2)^2 + \\frac{1}{2} (w + 1)^2"},
  };
  return *equations;
}

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kHolds:
      return "holds";
    case Verdict::kFails:
      return "fails";
    case Verdict::kSkipped:
      return "skipped";
  }
  return "";
}

Verdict EquationVerdict(const std::vector<Report>& reports, int equation) {
  bool examined = false;
  for (const Report& report : reports) {
    for (const Claim& claim : report.claims) {
      if (std::count(claim.equations.begin(), claim.equations.end(), equation) == 0) continue;
      if (claim.verdict == Verdict::kFails) return Verdict::kFails;
      examined = examined || claim.verdict == Verdict::kHolds;
    }
  }
  return examined ? Verdict::kHolds : Verdict::kSkipped;
}

std::string ToHtml(const std::vector<Report>& reports) {
  const Count count = CountClaims(reports);
  std::string html = absl::StrCat(
      training::report::BeginPage("The laboratory"),
      "<header>\n<h1>The laboratory</h1>\n"
      "<p>Claims about how networks learn, each proved by symbolic mathematics or measured on this "
      "machine: ",
      count.holds, " hold, ", count.fails, " fail",
      count.skipped > 0 ? absl::StrCat(", ", count.skipped, " were skipped") : "",
      ".</p>\n<nav><ol>\n");
  for (const Report& report : reports) {
    absl::StrAppend(&html, "<li><a href=\"#", report.name, "\">", EscapeHtml(report.title),
                    "</a></li>\n");
  }
  absl::StrAppend(&html, "</ol></nav>\n</header>\n<main>\n", EquationTable(reports));
  for (const Report& report : reports) {
    absl::StrAppend(&html, "<section>\n<h2 id=\"", report.name, "\">", EscapeHtml(report.title),
                    "</h2>\n<ul class=\"claims\">\n");
    for (const Claim& claim : report.claims) absl::StrAppend(&html, ClaimItem(claim));
    absl::StrAppend(&html, "</ul>\n", report.body, "</section>\n");
  }
  return html +
         "</main>\n<footer>The same numbers, for programs, are in "
         "results.json.</footer>\n" +
         training::report::EndPage();
}

std::string ToJson(const std::vector<Report>& reports) {
  nlohmann::ordered_json root;
  root["claims"] = nlohmann::ordered_json::array();
  root["equations"] = nlohmann::ordered_json::object();
  root["experiments"] = nlohmann::ordered_json::array();
  for (int k = 1; k <= static_cast<int>(Equations().size()); ++k) {
    nlohmann::ordered_json& entry = root["equations"][absl::StrCat(k)];
    entry["title"] = Equations()[k - 1].title;
    entry["verdict"] = VerdictName(EquationVerdict(reports, k));
    entry["claims"] = nlohmann::ordered_json::array();
  }
  for (const Report& report : reports) {
    root["experiments"].push_back(
        {{"name", report.name}, {"title", report.title}, {"seconds", report.seconds}});
    for (const Claim& claim : report.claims) {
      nlohmann::ordered_json numbers = nlohmann::ordered_json::object();
      for (const Number& number : claim.numbers) numbers[number.name] = NumberOrNull(number.value);
      root["claims"].push_back({{"id", claim.id},
                                {"experiment", report.name},
                                {"equations", claim.equations},
                                {"statement", claim.statement},
                                {"verdict", VerdictName(claim.verdict)},
                                {"how", claim.how},
                                {"numbers", numbers}});
      for (const int k : claim.equations)
        root["equations"][absl::StrCat(k)]["claims"].push_back(claim.id);
    }
  }
  return root.dump(2) + "\n";
}

}  // namespace cotangent::tools::lab
