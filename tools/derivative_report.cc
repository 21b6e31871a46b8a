#include "tools/derivative_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "autodiff/forward/gradient.h"
#include "autodiff/numeric/differences.h"
#include "autodiff/reverse/gradient.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "nlohmann/json.hpp"
#include "tools/text_table.h"

namespace cotangent::tools {
namespace {

namespace symbolic = autodiff::symbolic;
using symbolic::Expr;

constexpr const char* kModeNames[] = {"numeric", "forward", "reverse", "symbolic"};
constexpr size_t kNumeric = 0;
constexpr size_t kSymbolic = 3;

// The formulas as a function of any scalar (autodiff/function.h).
struct FormulaFunction {
  const symbolic::Program* program;
  template <class S>
  std::vector<S> operator()(std::span<const S> x) const {
    return program->Evaluate<S>(absl::MakeConstSpan(x.data(), x.size()));
  }
};

// The same of one formula, one result.
struct ScalarFormula {
  const symbolic::Program* program;
  template <class S>
  S operator()(std::span<const S> x) const {
    return program->Evaluate<S>(absl::MakeConstSpan(x.data(), x.size()))[0];
  }
};

bool Asked(const ReportOptions& options, DerivativeMode mode) {
  return std::find(options.modes.begin(), options.modes.end(), mode) != options.modes.end();
}

Entry EmptyEntry() {
  Entry entry;
  std::fill(std::begin(entry.by_mode), std::end(entry.by_mode),
            std::numeric_limits<double>::quiet_NaN());
  entry.numeric_error = 0;
  entry.magnitude = 0;
  return entry;
}

autodiff::numeric::Options NumericOptions(const ReportOptions& options) {
  autodiff::numeric::Options result;
  if (options.step > 0) {
    result.scheme = autodiff::numeric::Scheme::kCentral;
    result.step = options.step;
  }
  return result;
}

// Fills one mode's column of `entries`, row after row.
void Fill(DerivativeMode mode, const std::vector<double>& values,
          absl::Span<Entry* const> entries) {
  for (size_t i = 0; i < entries.size(); ++i)
    entries[i]->by_mode[static_cast<int>(mode)] = values[i];
}

void FillNumeric(const std::vector<autodiff::numeric::Estimate>& values,
                 absl::Span<Entry* const> entries) {
  for (size_t i = 0; i < entries.size(); ++i) {
    entries[i]->by_mode[kNumeric] = values[i].value;
    entries[i]->numeric_error = values[i].error;
  }
}

// By the formulas as they were derived: simplified ones may cancel or overflow.
absl::Status FillSymbolic(const symbolic::Bindings& at, absl::Span<Entry* const> entries) {
  std::vector<Expr> derivatives;
  for (Entry* entry : entries) derivatives.push_back(entry->derivative);
  const absl::StatusOr<std::vector<double>> values = symbolic::Evaluate(derivatives, at);
  if (!values.ok()) {
    return absl::OutOfRangeError(
        absl::StrCat("a derivative is not finite: ", values.status().message()));
  }
  Fill(DerivativeMode::kSymbolic, *values, entries);
  return absl::OkStatus();
}

// Over all paths from each input to each output, the product of the derivatives' magnitudes: a row
// for each output.
std::vector<std::vector<double>> PathMagnitudes(const symbolic::Trace& trace) {
  std::vector<std::vector<double>> of_row;
  for (const symbolic::TraceRow& row : trace.rows) {
    std::vector<double> sum(trace.input_count, 0);
    if (of_row.size() < trace.input_count) sum[of_row.size()] = 1;
    for (const symbolic::TraceArgument& argument : row.arguments) {
      if (!std::isfinite(argument.partial)) continue;
      const std::vector<double>& inner = of_row[argument.row];
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += std::abs(argument.partial) * inner[i];
    }
    of_row.push_back(std::move(sum));
  }
  std::vector<std::vector<double>> result;
  for (size_t output : trace.outputs) result.push_back(of_row[output]);
  return result;
}

class ReportMaker {
 public:
  ReportMaker(absl::Span<const std::pair<std::string, double>> point,
              const ReportOptions& options) {
    report_.pool = std::make_shared<symbolic::Pool>();
    report_.options = options;
    report_.options.formulas |= Asked(options, DerivativeMode::kSymbolic);
    for (const auto& [name, value] : point) {
      report_.variables.push_back(name);
      report_.point.push_back(value);
      variables_.push_back(report_.pool->Variable(name));
      bindings_[name] = value;
    }
  }

  absl::StatusOr<Report> Run(absl::Span<const std::string> formulas) {
    if (absl::Status status = ParseAll(formulas); !status.ok()) return status;
    absl::StatusOr<symbolic::Trace> trace =
        symbolic::MakeTrace(outputs_, variables_, report_.point);
    if (!trace.ok()) return trace.status();
    report_.trace = *std::move(trace);
    report_.notes = symbolic::KinksAt(outputs_, variables_, report_.point);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      report_.functions[k].value = report_.trace.rows[report_.trace.outputs[k]].value;
    }
    if (absl::Status status = Jacobian(); !status.ok()) return status;
    if (report_.options.hessian) {
      for (size_t k = 0; k < outputs_.size(); ++k) {
        if (absl::Status status = Hessian(k); !status.ok()) return status;
      }
    }
    if (report_.options.formulas) SimplifyAll();
    CompareModes(report_);
    return std::move(report_);
  }

 private:
  absl::Status ParseAll(absl::Span<const std::string> formulas) {
    for (size_t k = 0; k < formulas.size(); ++k) {
      FunctionReport function;
      function.name = formulas.size() == 1 ? "f" : absl::StrCat("f", k + 1);
      symbolic::ParseOptions parse;
      parse.variables = report_.variables;
      parse.source = function.name;
      absl::StatusOr<Expr> formula = symbolic::Parse(formulas[k], *report_.pool, parse);
      if (!formula.ok()) return formula.status();
      function.formula = *formula;
      outputs_.push_back(*formula);
      report_.functions.push_back(std::move(function));
    }
    return absl::OkStatus();
  }

  absl::Status Jacobian() {
    std::vector<Entry*> entries;
    const std::vector<std::vector<double>> magnitudes = PathMagnitudes(report_.trace);
    for (size_t k = 0; k < outputs_.size(); ++k) {
      FunctionReport& function = report_.functions[k];
      function.gradient.assign(variables_.size(), EmptyEntry());
      for (size_t j = 0; j < variables_.size(); ++j) {
        function.gradient[j].magnitude = magnitudes[k][j];
      }
      if (!report_.options.formulas) continue;
      const std::vector<Expr> gradient = symbolic::Gradient(function.formula, variables_);
      for (size_t j = 0; j < variables_.size(); ++j) {
        function.gradient[j].derivative = gradient[j];
      }
    }
    for (FunctionReport& function : report_.functions) {
      for (Entry& entry : function.gradient) entries.push_back(&entry);
    }
    const absl::StatusOr<symbolic::Program> program =
        symbolic::Program::Create(outputs_, variables_);
    if (!program.ok()) return program.status();
    const FormulaFunction f{&*program};
    const std::span<const double> x(report_.point);
    if (Asked(report_.options, DerivativeMode::kNumeric)) {
      FillNumeric(autodiff::numeric::Jacobian([&](std::span<const double> at) { return f(at); }, x,
                                              NumericOptions(report_.options)),
                  entries);
    }
    if (Asked(report_.options, DerivativeMode::kForward)) {
      Fill(DerivativeMode::kForward, autodiff::forward::Jacobian(f, x), entries);
    }
    if (Asked(report_.options, DerivativeMode::kReverse)) {
      Fill(DerivativeMode::kReverse, autodiff::reverse::Jacobian(f, x), entries);
    }
    if (Asked(report_.options, DerivativeMode::kSymbolic)) return FillSymbolic(bindings_, entries);
    return absl::OkStatus();
  }

  absl::Status Hessian(size_t k) {
    FunctionReport& function = report_.functions[k];
    std::vector<Entry*> entries;
    const std::vector<Expr> gradient = symbolic::Gradient(function.formula, variables_);
    const absl::StatusOr<symbolic::Trace> trace =
        symbolic::MakeTrace(gradient, variables_, report_.point);
    if (!trace.ok()) {
      return absl::OutOfRangeError(
          absl::StrCat("a second derivative is not finite: ", trace.status().message()));
    }
    const std::vector<std::vector<double>> magnitudes = PathMagnitudes(*trace);
    const std::vector<std::vector<Expr>> rows =
        report_.options.formulas ? symbolic::Hessian(function.formula, variables_)
                                 : std::vector<std::vector<Expr>>();
    for (size_t i = 0; i < variables_.size(); ++i) {
      std::vector<Entry>& row = function.hessian.emplace_back(variables_.size(), EmptyEntry());
      for (size_t j = 0; j < variables_.size(); ++j) {
        row[j].magnitude = std::max(magnitudes[i][j], magnitudes[j][i]);
        if (report_.options.formulas) row[j].derivative = rows[i][j];
      }
    }
    for (std::vector<Entry>& row : function.hessian) {
      for (Entry& entry : row) entries.push_back(&entry);
    }
    const absl::StatusOr<symbolic::Program> program =
        symbolic::Program::Create({function.formula}, variables_);
    if (!program.ok()) return program.status();
    const ScalarFormula f{&*program};
    const std::span<const double> x(report_.point);
    if (Asked(report_.options, DerivativeMode::kNumeric)) {
      FillNumeric(autodiff::numeric::Hessian([&](std::span<const double> at) { return f(at); }, x,
                                             NumericOptions(report_.options)),
                  entries);
    }
    if (Asked(report_.options, DerivativeMode::kForward)) {
      Fill(DerivativeMode::kForward, autodiff::forward::Hessian(f, x), entries);
    }
    if (Asked(report_.options, DerivativeMode::kReverse)) {
      Fill(DerivativeMode::kReverse, autodiff::reverse::Hessian(f, x), entries);
    }
    if (Asked(report_.options, DerivativeMode::kSymbolic)) return FillSymbolic(bindings_, entries);
    return absl::OkStatus();
  }

  // The formulas for reading, as far as that goes.
  void SimplifyAll() {
    constexpr int64_t kWork = 1'000'000;  // Half a second.
    std::vector<Entry*> entries;
    for (FunctionReport& function : report_.functions) {
      for (Entry& entry : function.gradient) entries.push_back(&entry);
      for (std::vector<Entry>& row : function.hessian) {
        for (Entry& entry : row) entries.push_back(&entry);
      }
    }
    std::vector<Expr> derivatives;
    for (Entry* entry : entries) derivatives.push_back(entry->derivative);
    symbolic::Budget budget(kWork);
    const std::vector<Expr> simplified = symbolic::Simplify(derivatives, &budget);
    for (size_t i = 0; i < entries.size(); ++i) entries[i]->formula = simplified[i];
    if (budget.exhausted()) {
      report_.notes.push_back(
          "the derivatives' formulas are not simplified all the way, which would take long");
    }
  }

  Report report_;
  std::vector<Expr> variables_;
  std::vector<Expr> outputs_;
  symbolic::Bindings bindings_;
};

// Differences of function values see nothing much smaller than `numeric_scale`.
void CompareEntry(const Entry& entry, double numeric_scale, Report& report) {
  for (size_t a = 0; a < 4; ++a) {
    for (size_t b = a + 1; b < 4; ++b) {
      if (!Asked(report.options, static_cast<DerivativeMode>(a)) ||
          !Asked(report.options, static_cast<DerivativeMode>(b))) {
        continue;
      }
      const double x = entry.by_mode[a], y = entry.by_mode[b];
      const double difference = std::abs(x - y);
      double scale =
          std::max({entry.magnitude, std::abs(x), std::abs(y), std::numeric_limits<double>::min()});
      if (a == kNumeric) scale = std::max(scale, numeric_scale);
      const double relative =
          std::isfinite(difference) ? difference / scale : std::numeric_limits<double>::infinity();
      double& worst = a == kNumeric ? report.numeric_disagreement : report.exact_disagreement;
      worst = std::max(worst, relative);
      const double rounding = 1e-12 * std::max(std::abs(y), entry.magnitude);
      if (a == kNumeric && !(difference <= entry.numeric_error + rounding)) {
        report.numeric_within_estimate = false;
      }
    }
  }
}

std::string Number(double value, int digits = 12) {
  return absl::StrFormat("%.*g", digits, value == 0 ? 0.0 : value);
}

bool ModeShown(const Report& report, size_t mode) {
  return Asked(report.options, static_cast<DerivativeMode>(mode));
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

std::string GradientName(const FunctionReport& f, const std::string& variable) {
  return absl::StrCat("d", f.name, "/d", variable);
}

std::string HessianName(const FunctionReport& f, const std::string& a, const std::string& b) {
  return a == b ? absl::StrCat("d2", f.name, "/d", a, "^2")
                : absl::StrCat("d2", f.name, "/d", a, " d", b);
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

// Every derivative with its name, in the order in which they are printed.
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
    for (double tangent : row.tangents) cells.push_back(Number(tangent, 8));
    for (double adjoint : row.adjoints) cells.push_back(Number(adjoint, 8));
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

// Texts by entry, and a list of what they share.
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

void CompareModes(Report& report) {
  report.exact_disagreement = report.numeric_disagreement = 0;
  report.numeric_within_estimate = true;
  for (const FunctionReport& function : report.functions) {
    for (size_t j = 0; j < function.gradient.size(); ++j) {
      const double slope = std::abs(function.value) / std::max(1.0, std::abs(report.point[j]));
      CompareEntry(function.gradient[j], slope, report);
    }
    for (const std::vector<Entry>& row : function.hessian) {
      for (const Entry& entry : row) CompareEntry(entry, std::abs(function.value), report);
    }
  }
}

absl::StatusOr<Report> MakeReport(absl::Span<const std::string> formulas,
                                  absl::Span<const std::pair<std::string, double>> point,
                                  const ReportOptions& options) {
  return ReportMaker(point, options).Run(formulas);
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
  for (const FunctionReport& f : report.functions) {
    absl::StrAppend(&text, name(f), " &= ", ToLatex(f.formula), " = ", Number(f.value), " \\\\\n");
  }
  const symbolic::SharedText shared = symbolic::ToLatex(Formulas(report));
  for (const auto& [part, formula] : shared.definitions) {
    absl::StrAppend(&text, part, " &= ", formula, " \\\\\n");
  }
  size_t next = 0;  // In the order of Formulas().
  for (const FunctionReport& f : report.functions) {
    for (size_t j = 0; j < f.gradient.size(); ++j) {
      absl::StrAppend(
          &text, "\\frac{\\partial ", name(f), "}{\\partial ",
          ToLatex(report.pool->Variable(report.variables[j])), "} &= ", shared.texts[next++], " = ",
          Number(report.trace.rows[j].adjoints[&f - report.functions.data()]), " \\\\\n");
    }
    for (size_t i = 0; i < f.hessian.size(); ++i) {
      for (size_t j = i; j < f.hessian.size(); ++j) {
        const std::string a = ToLatex(report.pool->Variable(report.variables[i]));
        const std::string b = ToLatex(report.pool->Variable(report.variables[j]));
        absl::StrAppend(&text, "\\frac{\\partial^2 ", name(f), "}{\\partial ", a,
                        i == j ? "^2" : " \\partial ", i == j ? "" : b,
                        "} &= ", shared.texts[next++], " \\\\\n");
      }
    }
  }
  if (report.options.trace) {
    for (const symbolic::TraceRow& row : report.trace.rows) {
      absl::StrAppend(&text, ToLatex(report.pool->Variable(row.name)), " &= ", row.latex, " = ",
                      Number(row.value, 8), " \\\\\n");
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
