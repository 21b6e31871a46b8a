#include "tools/lab/page.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "tools/lab/mathml.h"
#include "tools/lab/plot.h"

namespace cotangent::tools::lab {
namespace {

constexpr char kStyle[] = R"css(
:root { color-scheme: light dark; --paper: #fdfdfb; --ink: #1d2226; --soft: #59636b; --faint: #d9dcda; --card: #f3f4f1; --good: #14713d; --bad: #b3261e; --wait: #7a5b00;
  --c0: #2463a8; --c1: #c4541a; --c2: #1f8a5b; --c3: #8b4fb3; --c4: #b8891b; --c5: #c03a6b; --c6: #4c8f9e; --c7: #6b7075; }
@media (prefers-color-scheme: dark) { :root { --paper: #15181b; --ink: #e4e6e3; --soft: #9aa4ab; --faint: #353b40; --card: #1e2327; --good: #6fd19a; --bad: #ff8a80; --wait: #e2bd5a;
  --c0: #6fb1f2; --c1: #f59c66; --c2: #66cf9c; --c3: #c79bea; --c4: #e3bd5c; --c5: #f387ab; --c6: #8accda; --c7: #a3a9ae; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 "Source Serif 4", Georgia, "Times New Roman", serif; }
main, header, footer { max-width: 62rem; margin: 0 auto; padding: 0 1.1rem; }
h1 { font-size: 2rem; line-height: 1.2; margin: 2rem 0 .4rem; }
h2 { font-size: 1.45rem; margin: 3rem 0 .6rem; padding-top: .8rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
p { margin: .6rem 0; max-width: 46rem; }
a { color: var(--c0); }
nav ol { columns: 17rem; padding-left: 1.4rem; }
math { font-size: 1.05em; }
.formula { overflow-x: auto; padding: .5rem 0; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .92rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--faint); }
th { font-weight: 600; border-bottom: 1.5px solid var(--ink); }
td { font-variant-numeric: tabular-nums; }
figure { margin: 1rem 0; }
figcaption { font-size: .88rem; color: var(--soft); max-width: 40rem; }
figure > svg { width: 100%; max-width: 42rem; height: auto; display: block; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: .4rem 1.4rem; }
.row figure { margin: .5rem 0; min-width: 0; }
.graph { overflow-x: auto; } .graph svg { max-width: 100%; height: auto; min-width: min(100%, 18rem); }
.graph polygon[fill="white"] { fill: none; } .graph text { fill: var(--ink); } .graph .node text { fill: #1d2226; }
.graph [stroke="black"] { stroke: var(--soft); } .graph polygon[fill="black"] { fill: var(--soft); }
.mistakes { display: flex; flex-wrap: wrap; gap: .6rem 1rem; } .mistakes figure { width: 7rem; margin: .3rem 0; }
img.pixels { image-rendering: pixelated; max-width: 100%; height: auto; }
svg text { font-family: system-ui, "Helvetica Neue", Arial, sans-serif; fill: var(--ink); }
svg .title { font-size: 13px; font-weight: 600; } svg .label { font-size: 12px; } svg .tick { font-size: 11px; fill: var(--soft); }
svg .legend { font-size: 12px; } svg .cell { font-size: 10px; }
svg .grid { stroke: var(--faint); stroke-width: 1; } svg .frame { fill: none; stroke: var(--soft); stroke-width: 1; }
svg .line { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.claims { list-style: none; padding: 0; margin: 1rem 0; }
.claims li { background: var(--card); border-left: 4px solid var(--soft); padding: .55rem .9rem; margin: .5rem 0; break-inside: avoid; }
.claims li.holds { border-color: var(--good); } .claims li.fails { border-color: var(--bad); } .claims li.skipped { border-color: var(--wait); }
.verdict { font: 600 .78rem system-ui, sans-serif; text-transform: uppercase; letter-spacing: .05em; }
.verdict.holds { color: var(--good); } .verdict.fails { color: var(--bad); } .verdict.skipped { color: var(--wait); }
.how { color: var(--soft); font-size: .88rem; } .number { white-space: normal; overflow-wrap: anywhere; }
.note { color: var(--soft); }
footer { margin: 3rem auto 2rem; color: var(--soft); font-size: .88rem; }
@media print { :root { --paper: #fff; --ink: #000; --soft: #444; --faint: #ccc; --card: #fff; } body { font-size: 10.5pt; } h2 { break-before: page; } figure, table, .claims li { break-inside: avoid; }
  nav { display: none; } .scroll, .formula, .graph { overflow: visible; } }
@media (max-width: 30rem) { body { font-size: 15px; } h1 { font-size: 1.6rem; } th, td { padding-right: .55rem; font-size: .86rem; } }
)css";

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
      {"the activation is odd", "g(-x) = -g(x)"},
      {"its derivative", "g'(x) = \\frac{1}{(1 + \\vert x \\vert)^2}"},
      {"it saturates",
       "\\lim_{x \\to \\pm \\infty} g(x) = \\pm 1, \\quad \\lim_{x \\to \\pm \\infty} g'(x) = 0"},
      {"the proximal step",
       "\\argmin_w \\{ \\langle w - w_t, \\nabla f(w_t) \\rangle + \\frac{\\lambda}{2} \\Vert w - "
       "w_t \\Vert^2 \\}"},
      {"is gradient descent", "w_{t+1} = w_t - \\eta \\nabla f(w_t), \\quad \\eta = 1 / \\lambda"},
      {"the lemma",
       "\\sum_{t=1}^T \\langle w_t - w^*, v_t \\rangle \\le \\frac{\\Vert w^* \\Vert^2}{2 \\eta} + "
       "\\frac{\\eta}{2} \\sum_{t=1}^T \\Vert v_t \\Vert^2"},
      {"its slack", "\\frac{1}{2 \\eta} \\Vert w_{T+1} - w^* \\Vert^2"},
      {"the rate", "f(\\bar{w}) - f(w^*) \\le \\frac{B \\rho}{\\sqrt{T}}"},
      {"a function and its gradient", "f(x, y) = (x + y)(y + 1)"},
      {"the ways to differentiate agree",
       "J_{\\text{numeric}} \\approx J_{\\text{forward}} = J_{\\text{reverse}} = "
       "J_{\\text{symbolic}}"},
      {"a vector function and its Jacobian",
       "f_1 = \\cos (w_1) \\cos (w_2) + \\sigma (w_2), \\quad f_2 = \\ln (w_1 + w_2) + w_1^2 w_2"},
      {"circulants commute with the shift", "C_a S = S C_a"},
      {"and nothing else does", "L S = S L \\iff L = C_a"},
      {"a stochastic step can go up", "f(w - \\eta f_i'(w)) > f(w)"},
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
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
      "name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>The laboratory</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>",
      kStyle,
      "</style>\n</head>\n<body>\n<header>\n<h1>The laboratory</h1>\n"
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
         "results.json.</footer>\n</body>\n</html>\n";
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
