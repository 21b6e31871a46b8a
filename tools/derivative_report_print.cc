#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "autodiff/symbolic/print.h"
#include "nlohmann/json.hpp"
#include "tools/derivative_report.h"
#include "tools/text_table.h"

// Prints a report (derivative_report.h) as text, JSON, LaTeX and C++.
namespace cotangent::tools {
namespace {

namespace symbolic = autodiff::symbolic;
using symbolic::Expr;

constexpr const char* kModeNames[] = {"numeric", "forward", "reverse", "symbolic"};
constexpr size_t kNumeric = static_cast<size_t>(DerivativeMode::kNumeric);
constexpr size_t kSymbolic = static_cast<size_t>(DerivativeMode::kSymbolic);

std::string Number(long double value, int digits = 12) {
  return absl::StrFormat("%.*g", digits, value == 0 ? 0 : value);
}

bool ModeShown(const Report& report, size_t mode) {
  return report.options.Asked(static_cast<DerivativeMode>(mode));
}

void AppendEntry(const Report& report, const std::string& name, const Entry& entry,
                 std::vector<std::vector<std::string>>* rows) {
  std::vector<std::string> row = {name};
  for (size_t mode = 0; mode < 4; ++mode) {
    if (!ModeShown(report, mode)) continue;
    row.push_back(Number(entry.by_mode[mode]));
    if (mode == kNumeric) row.push_back(absl::StrCat("+-", Number(entry.numeric_error, 2)));
  }
  rows->push_back(std::move(row));
}

std::string DerivativesTable(const Report& report) {
  std::vector<std::string> header = {""};
  for (size_t mode = 0; mode < 4; ++mode) {
    if (!ModeShown(report, mode)) continue;
    header.push_back(kModeNames[mode]);
    if (mode == kNumeric) header.push_back("error");
  }
  std::vector<bool> left(header.size(), false);
  left[0] = true;
  std::vector<std::vector<std::string>> rows = {header};
  const auto& variables = report.variables;
  for (const FunctionReport& f : report.functions) {
    for (size_t j = 0; j < f.gradient.size(); ++j) {
      AppendEntry(report, GradientName(f, variables[j]), f.gradient[j], &rows);
    }
  }
  for (const FunctionReport& f : report.functions) {
    for (size_t i = 0; i < f.hessian.size(); ++i) {
      for (size_t j = i; j < f.hessian.size(); ++j) {
        AppendEntry(report, HessianName(f, variables[i], variables[j]), f.hessian[i][j], &rows);
      }
    }
  }
  return TextTable(rows, left);
}

// Returns every derivative with its name: for each function, its gradient and then the entries of
// its Hessian on and above the diagonal, row by row.
std::vector<std::pair<std::string, const Entry*>> Named(const Report& report) {
  std::vector<std::pair<std::string, const Entry*>> named;
  for (const FunctionReport& f : report.functions) {
    for (size_t j = 0; j < f.gradient.size(); ++j) {
      named.emplace_back(GradientName(f, report.variables[j]), &f.gradient[j]);
    }
    for (size_t i = 0; i < f.hessian.size(); ++i) {
      for (size_t j = i; j < f.hessian.size(); ++j) {
        named.emplace_back(HessianName(f, report.variables[i], report.variables[j]),
                           &f.hessian[i][j]);
      }
    }
  }
  return named;
}

std::vector<Expr> Formulas(const Report& report) {
  std::vector<Expr> formulas;
  for (const auto& [name, entry] : Named(report)) formulas.push_back(entry->formula);
  return formulas;
}

std::string SymbolicList(const Report& report) {
  const symbolic::SharedText shared = symbolic::ToText(Formulas(report));
  std::string text;
  for (const auto& [name, formula] : shared.definitions) {
    absl::StrAppend(&text, "  ", name, " = ", formula, "\n");
  }
  const auto named = Named(report);
  for (size_t i = 0; i < named.size(); ++i) {
    absl::StrAppend(&text, "  ", named[i].first, " = ", shared.texts[i], "\n");
  }
  return text;
}

std::string TraceTable(const Report& report) {
  std::vector<std::string> header = {"", "", "value"};
  for (const std::string& variable : report.variables)
    header.push_back(absl::StrCat("d/d", variable));
  for (const FunctionReport& f : report.functions)
    header.push_back(absl::StrCat("d", f.name, "/d."));
  std::vector<bool> left(header.size(), false);
  left[0] = left[1] = true;
  std::vector<std::vector<std::string>> rows = {header};
  for (const symbolic::TraceRow& row : report.trace.rows) {
    std::vector<std::string> cells = {
        row.name, row.formula == row.name ? "" : absl::StrCat("= ", row.formula),
        Number(row.value, 8)};
    for (long double tangent : row.tangents) cells.push_back(Number(tangent, 8));
    for (long double adjoint : row.adjoints) cells.push_back(Number(adjoint, 8));
    rows.push_back(std::move(cells));
  }
  return TextTable(rows, left);
}

std::string Agreement(const Report& report) {
  size_t exact = 0;
  for (size_t mode = 1; mode < 4; ++mode) exact += ModeShown(report, mode);
  std::string text;
  if (exact > 1) {
    std::vector<std::string> names;
    for (size_t mode = 1; mode < 4; ++mode) {
      if (ModeShown(report, mode)) names.push_back(kModeNames[mode]);
    }
    absl::StrAppend(&text, absl::StrJoin(names, ", "), " differ by at most ",
                    Number(report.exact_disagreement, 2),
                    report.agrees() ? " (relative)\n" : " (relative): THEY DISAGREE\n");
  }
  if (exact > 0 && ModeShown(report, kNumeric)) {
    absl::StrAppend(&text, "numeric differs from them by at most ",
                    Number(report.numeric_disagreement, 2),
                    report.numeric_within_estimate ? ", within its own estimate\n"
                                                   : ", beyond its own estimate\n");
  }
  return text;
}

// The formulas of all entries as text and LaTeX, and the definitions of the subexpressions that
// several formulas share.
class JsonFormulas {
 public:
  explicit JsonFormulas(const Report& report) {
    if (!report.options.formulas) return;
    const std::vector<Expr> formulas = Formulas(report);
    text_ = symbolic::ToText(formulas);
    latex_ = symbolic::ToLatex(formulas);
    for (size_t i = 0; i < formulas.size(); ++i) place_[formulas[i]] = i;
  }

  void AddTo(nlohmann::json* json, const Entry& entry) const {
    const auto found = place_.find(entry.formula);
    if (found == place_.end()) return;
    (*json)["formula"] = text_.texts[found->second];
    (*json)["latex"] = latex_.texts[found->second];
  }

  void AddDefinitionsTo(nlohmann::json* json) const {
    for (size_t i = 0; i < text_.definitions.size(); ++i) {
      (*json)["definitions"].push_back({{"name", text_.definitions[i].first},
                                        {"formula", text_.definitions[i].second},
                                        {"latex", latex_.definitions[i].second}});
    }
  }

 private:
  symbolic::SharedText text_, latex_;
  absl::flat_hash_map<Expr, size_t> place_;
};

nlohmann::json EntryAsJson(const Report& report, const JsonFormulas& formulas, const Entry& entry) {
  nlohmann::json json;
  for (size_t mode = 0; mode < 4; ++mode) {
    if (ModeShown(report, mode)) json[kModeNames[mode]] = entry.by_mode[mode];
  }
  if (ModeShown(report, kNumeric)) json["numeric_error"] = entry.numeric_error;
  formulas.AddTo(&json, entry);
  return json;
}

nlohmann::json TraceAsJson(const Report& report) {
  nlohmann::json rows = nlohmann::json::array();
  for (const symbolic::TraceRow& row : report.trace.rows) {
    nlohmann::json json = {{"name", row.name}, {"formula", row.formula}, {"value", row.value}};
    for (size_t i = 0; i < report.variables.size(); ++i)
      json["tangents"][report.variables[i]] = row.tangents[i];
    for (size_t k = 0; k < report.functions.size(); ++k)
      json["adjoints"][report.functions[k].name] = row.adjoints[k];
    rows.push_back(std::move(json));
  }
  return rows;
}

}  // namespace

std::string GradientName(const FunctionReport& f, const std::string& variable) {
  return absl::StrCat("d", f.name, "/d", variable);
}

std::string HessianName(const FunctionReport& f, const std::string& a, const std::string& b) {
  return a == b ? absl::StrCat("d2", f.name, "/d", a, "^2")
                : absl::StrCat("d2", f.name, "/d", a, " d", b);
}

std::string ReportAsText(const Report& report) {
  std::string text;
  for (const FunctionReport& f : report.functions) {
    absl::StrAppend(&text, f.name, " = ", ToText(f.formula), "\n");
  }
  std::vector<std::string> at;
  for (size_t i = 0; i < report.variables.size(); ++i) {
    at.push_back(absl::StrCat(report.variables[i], " = ", Number(report.point[i])));
  }
  absl::StrAppend(&text, "\nat ", absl::StrJoin(at, ", "), ":\n");
  for (const FunctionReport& f : report.functions) {
    absl::StrAppend(&text, "  ", f.name, " = ", Number(f.value), "\n");
  }
  absl::StrAppend(&text, "\n", DerivativesTable(report), "\n", Agreement(report));
  if (ModeShown(report, kSymbolic))
    absl::StrAppend(&text, "\nsymbolically:\n", SymbolicList(report));
  if (report.options.trace) {
    absl::StrAppend(&text, "\nevaluation trace (value; tangents d/d",
                    absl::StrJoin(report.variables, ", d/d"), "; adjoints by output):\n",
                    TraceTable(report));
  }
  return text;
}

std::string ReportAsJson(const Report& report) {
  nlohmann::json json;
  const JsonFormulas formulas(report);
  formulas.AddDefinitionsTo(&json);
  for (size_t i = 0; i < report.variables.size(); ++i)
    json["at"][report.variables[i]] = report.point[i];
  for (const FunctionReport& f : report.functions) {
    nlohmann::json function = {
        {"name", f.name}, {"formula", ToText(f.formula)}, {"value", f.value}};
    for (size_t j = 0; j < f.gradient.size(); ++j) {
      function["gradient"][report.variables[j]] = EntryAsJson(report, formulas, f.gradient[j]);
    }
    for (size_t i = 0; i < f.hessian.size(); ++i) {
      for (size_t j = 0; j < f.hessian.size(); ++j) {
        function["hessian"][report.variables[i]][report.variables[j]] =
            EntryAsJson(report, formulas, f.hessian[i][j]);
      }
    }
    json["functions"].push_back(std::move(function));
  }
  json["exact_disagreement"] = report.exact_disagreement;
  json["agrees"] = report.agrees();
  json["numeric_disagreement"] = report.numeric_disagreement;
  json["numeric_within_estimate"] = report.numeric_within_estimate;
  json["notes"] = report.notes;
  if (report.options.trace) json["trace"] = TraceAsJson(report);
  return json.dump(2) + "\n";
}

std::string ReportAsLatex(const Report& report) {
  std::string text = "\\begin{aligned}\n";
  const auto name = [](const FunctionReport& f) {
    return f.name == "f" ? std::string("f") : absl::StrCat("f_{", f.name.substr(1), "}");
  };
  // All formulas and variables in one list, so that names mean the same in all of them.
  std::vector<Expr> list = Formulas(report);
  const size_t functions_at = list.size();
  for (const FunctionReport& f : report.functions) list.push_back(f.formula);
  const size_t variables_at = list.size();
  for (const std::string& x : report.variables) list.push_back(report.pool->Variable(x));
  const symbolic::SharedText shared = symbolic::ToLatex(list);
  for (const auto& [part, formula] : shared.definitions) {
    absl::StrAppend(&text, part, " &= ", formula, " \\\\\n");
  }
  for (size_t k = 0; k < report.functions.size(); ++k) {
    const FunctionReport& f = report.functions[k];
    absl::StrAppend(&text, name(f), " &= ", shared.texts[functions_at + k], " = ", Number(f.value),
                    " \\\\\n");
  }
  const auto variable = [&](size_t i) { return shared.texts[variables_at + i]; };
  size_t next = 0;  // counts the formulas in the order of Formulas()
  for (const FunctionReport& f : report.functions) {
    for (size_t j = 0; j < f.gradient.size(); ++j) {
      absl::StrAppend(&text, "\\frac{\\partial ", name(f), "}{\\partial ", variable(j),
                      "} &= ", shared.texts[next++], " = ",
                      Number(report.trace.rows[j].adjoints[&f - report.functions.data()]),
                      " \\\\\n");
    }
    for (size_t i = 0; i < f.hessian.size(); ++i) {
      for (size_t j = i; j < f.hessian.size(); ++j) {
        const std::string a = variable(i);
        const std::string b = variable(j);
        absl::StrAppend(&text, "\\frac{\\partial^2 ", name(f), "}{\\partial ", a,
                        i == j ? "^2" : " \\partial ", i == j ? "" : b,
                        "} &= ", shared.texts[next++], " \\\\\n");
      }
    }
  }
  if (report.options.trace) {
    for (const symbolic::TraceRow& row : report.trace.rows) {
      absl::StrAppend(&text, row.latex_name, " &= ", row.latex, " = ", Number(row.value, 8),
                      " \\\\\n");
    }
  }
  return text + "\\end{aligned}\n";
}

std::string ReportAsCpp(const Report& report) {
  std::vector<Expr> outputs, variables;
  std::vector<std::string> names;
  for (const FunctionReport& f : report.functions) {
    outputs.push_back(f.formula);
    names.push_back(f.name);
    for (size_t j = 0; j < f.gradient.size(); ++j) {
      outputs.push_back(f.gradient[j].derivative);
      names.push_back(GradientName(f, report.variables[j]));
    }
    for (size_t i = 0; i < f.hessian.size(); ++i) {
      for (size_t j = i; j < f.hessian.size(); ++j) {
        outputs.push_back(f.hessian[i][j].derivative);
        names.push_back(HessianName(f, report.variables[i], report.variables[j]));
      }
    }
  }
  for (const std::string& name : report.variables) variables.push_back(report.pool->Variable(name));
  return absl::StrCat("#include <array>\n#include <cmath>\n\n// ", absl::StrJoin(names, ", "), "\n",
                      symbolic::ToCpp("Derivatives", outputs, variables));
}

}  // namespace cotangent::tools
