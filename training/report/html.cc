#include "training/report/html.h"

#include "absl/strings/str_cat.h"

namespace cotangent::training::report {
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
h1 { font-size: 2rem; line-height: 1.2; margin: 2rem 0 .4rem; overflow-wrap: anywhere; }
h2 { font-size: 1.45rem; margin: 3rem 0 .6rem; padding-top: .8rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.1rem; margin: 1.8rem 0 .4rem; }
p { margin: .6rem 0; max-width: 46rem; }
a { color: var(--c0); }
nav ol { columns: 17rem; padding-left: 1.4rem; }
math { font-size: 1.05em; }
.formula { overflow-x: auto; padding: .5rem 0; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; font-size: .92rem; }
bdi { overflow-wrap: anywhere; } td > bdi { display: block; min-width: 7rem; }
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
svg .legend { font-size: 12px; } svg .cell { font-size: 10px; paint-order: stroke; stroke: var(--paper); stroke-width: 3px; stroke-linejoin: round; }
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

}  // namespace

std::string EscapeHtml(absl::string_view text) {
  std::string escaped;
  for (const char c : text) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

std::string NameHtml(absl::string_view name) {
  return absl::StrCat("<bdi>", EscapeHtml(name), "</bdi>");
}

std::string BeginPage(absl::string_view title, int refresh_seconds) {
  const std::string refresh =
      refresh_seconds > 0
          ? absl::StrCat("<meta http-equiv=\"refresh\" content=\"", refresh_seconds, "\">\n")
          : "";
  return absl::StrCat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
      "name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n",
      refresh, "<title>", EscapeHtml(title),
      "</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>", kStyle,
      "</style>\n</head>\n<body>\n");
}

std::string EndPage() { return "</body>\n</html>\n"; }

}  // namespace cotangent::training::report
