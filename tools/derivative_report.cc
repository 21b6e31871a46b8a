#include "tools/derivative_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "autodiff/symbolic/uncancelled.h"
#include "base/status_macros.h"
#include "tools/derivative_computation.h"

namespace cotangent::tools {
namespace {

namespace symbolic = autodiff::symbolic;
using symbolic::Expr;

constexpr size_t kNumeric = static_cast<size_t>(DerivativeMode::kNumeric);

Entry EmptyEntry() {
  Entry entry;
  std::fill(std::begin(entry.by_mode), std::end(entry.by_mode),
            std::numeric_limits<double>::quiet_NaN());
  entry.numeric_error = 0;
  entry.magnitude = 0;
  return entry;
}

class ReportMaker {
 public:
  ReportMaker(absl::Span<const std::pair<std::string, double>> point,
              const ReportOptions& options) {
    plan_.pool = std::make_shared<symbolic::Pool>();
    plan_.options = options;
    plan_.options.formulas |= options.Asked(DerivativeMode::kSymbolic);
    for (const auto& [name, value] : point) {
      plan_.variables.push_back(name);
      plan_.point.push_back(value);
      variables_.push_back(plan_.pool->Variable(name));
    }
  }

  absl::StatusOr<Report> Run(absl::Span<const std::string> formulas) {
    RETURN_IF_ERROR(ParseAll(formulas));
    plan_.notes = symbolic::KinksAt(outputs_, variables_, plan_.point);
    absl::StatusOr<Report> report = Computed(plan_, outputs_, Precision::kWhatItTakes);
    KeepDigits(&report);
    RETURN_IF_ERROR(report.status());
    if (plan_.options.formulas) SimplifyAll(&*report);
    return report;
  }

 private:
  absl::Status ParseAll(absl::Span<const std::string> formulas) {
    for (size_t k = 0; k < formulas.size(); ++k) {
      FunctionReport function;
      function.name = formulas.size() == 1 ? "f" : absl::StrCat("f", k + 1);
      symbolic::ParseOptions parse;
      parse.variables = plan_.variables;
      parse.source = function.name;
      ASSIGN_OR_RETURN(Expr formula, symbolic::Parse(formulas[k], *plan_.pool, parse));
      function.formula = formula;
      function.gradient.assign(variables_.size(), EmptyEntry());
      if (plan_.options.hessian) function.hessian.assign(variables_.size(), function.gradient);
      outputs_.push_back(formula);
      plan_.functions.push_back(std::move(function));
    }
    return absl::OkStatus();
  }

  // Returns the sum of the errors, of which each counts for 1 at most: for no digit that is right.
  static double Total(const std::vector<Doubt>& doubts) {
    double total = 0;
    for (const Doubt& doubt : doubts) total += std::min(1.0, doubt.error);
    return total;
  }

  // If a subtraction of nearly equal numbers has spoilt digits that the report shows, replaces the
  // report by one that is computed from other forms of the formulas, or in long double. Notes say
  // which form, and which digits are still missing. A report that failed is replaced only if the
  // values of another form differ, or if the formulas as written have none because of rounding: at
  // other points, they have no derivative.
  void KeepDigits(absl::StatusOr<Report>* report) const {
    const std::vector<Expr> form = symbolic::Uncancelled(outputs_);
    if (!report->ok() && !ValuesDiffer(form)) return;
    std::vector<Doubt> doubts;
    double error = 1;
    if (report->ok()) {
      doubts = Doubts(**report, outputs_);
      error = Total(doubts);
      if (form != outputs_) error = std::max(error, Total(Doubts(**report, form)));
    }
    std::vector<Expr> best = outputs_;
    // Makes a report from another form of the formulas, and keeps it if it loses fewer digits or if
    // there is no report yet.
    const auto try_form = [&](const std::vector<Expr>& other) {
      if (other == outputs_ || other == best) return;
      absl::StatusOr<Report> better = Computed(plan_, other, Precision::kWhatItTakes);
      if (!better.ok() || !better->agrees()) return;
      std::vector<Doubt> its_doubts = Doubts(*better, other);
      if (report->ok() && Total(its_doubts) >= error) return;
      *report = std::move(better);
      doubts = std::move(its_doubts);
      error = Total(doubts);
      best = other;
    };
    if (error > 0) try_form(form);
    if (error > 0 && report->ok()) try_form(Shorter());
    if (best != outputs_) (*report)->notes.push_back(OtherForm(best));
    if (report->ok() && error > 0) Widen(best, std::move(doubts), &**report);
  }

  // Replaces a report, computed from `forms` with these doubts, by one in long double, if the exact
  // modes agree in long double. Notes which digits are still missing.
  void Widen(const std::vector<Expr>& forms, std::vector<Doubt> doubts, Report* report) const {
    constexpr double kGain = 1024;  // long double's roundings are 2048 times smaller
    if (absl::StatusOr<Report> wide = Computed(plan_, forms, Precision::kLongDouble);
        wide.ok() && wide->agrees()) {
      std::swap(wide->notes, report->notes);
      *report = *std::move(wide);
      report->notes.push_back(
          "nearly equal numbers are subtracted; all is computed in long double");
      for (Doubt& doubt : doubts) doubt.error = std::max(doubt.error / kGain, doubt.wide_error);
    }
    NoteDoubts(doubts, report);
  }

  // Returns the formulas, simplified and then rewritten by Uncancelled(): after simplification,
  // they may contain fewer subtractions of nearly equal numbers.
  std::vector<Expr> Shorter() const {
    symbolic::Budget budget(100'000);
    std::vector<Expr> shorter;
    for (Expr e : symbolic::Simplify(outputs_, &budget)) {
      shorter.push_back(symbolic::Uncancelled(e));
    }
    return shorter;
  }

  // Returns whether `forms` have values at the point, and either the value of a form differs from
  // that of its formula as written by more than kVisible of its size, or the formulas have no
  // values because of rounding, such as ln(1 - tanh(x)) at 30: they are defined there, as each of
  // their parts has a value if it is computed from its other form.
  bool ValuesDiffer(const std::vector<Expr>& forms) const {
    symbolic::Bindings at;
    for (size_t i = 0; i < plan_.point.size(); ++i) at[plan_.variables[i]] = plan_.point[i];
    const absl::StatusOr<std::vector<double>> values = symbolic::Evaluate(outputs_, at);
    const absl::StatusOr<std::vector<double>> others = symbolic::Evaluate(forms, at);
    if (!others.ok()) return false;
    if (!values.ok()) {
      const std::vector<Expr> parts = symbolic::TopologicalOrder(outputs_);
      return symbolic::Evaluate(symbolic::Uncancelled(parts), at).ok();
    }
    for (size_t k = 0; k < forms.size(); ++k) {
      const double difference = std::abs((*values)[k] - (*others)[k]);
      if (difference > kVisible * std::abs((*others)[k])) return true;
    }
    return false;
  }

  std::string OtherForm(const std::vector<Expr>& forms) const {
    std::string text = "as written, the formula subtracts nearly equal numbers; computed from ";
    absl::string_view separator;
    for (size_t k = 0; k < forms.size(); ++k) {
      if (forms[k] == outputs_[k]) continue;
      absl::StrAppend(&text, separator, plan_.functions[k].name, " = ", ToText(forms[k]));
      separator = ", ";
    }
    return text;
  }

  // Notes the numbers of which fewer digits are right than a report shows; at most kMostNamed.
  static void NoteDoubts(const std::vector<Doubt>& doubts, Report* report) {
    constexpr size_t kMostNamed = 4;
    for (size_t i = 0; i < std::min(doubts.size(), kMostNamed) && doubts[i].error > kVisible; ++i) {
      const int digits = static_cast<int>(-std::log10(std::min(1.0, doubts[i].error)));
      report->notes.push_back(absl::StrCat(
          "nearly equal numbers are subtracted: ",
          digits == 0 ? "perhaps none" : absl::StrCat("about ", digits), " of the digits of ",
          doubts[i].name, digits == 1 ? " is right" : " are right"));
    }
  }

  // Simplifies the derivatives of the formulas as they are written, for reading; stops after a
  // limited amount of work.
  void SimplifyAll(Report* report) const {
    constexpr int64_t kWork = 1'000'000;  // about half a second
    std::vector<Entry*> entries;
    std::vector<Expr> derivatives;
    for (FunctionReport& function : report->functions) {
      const std::vector<Expr> gradient = symbolic::Gradient(function.formula, variables_);
      derivatives.insert(derivatives.end(), gradient.begin(), gradient.end());
      for (Entry& entry : function.gradient) entries.push_back(&entry);
      if (!plan_.options.hessian) continue;
      for (const std::vector<Expr>& row : symbolic::Hessian(function.formula, variables_)) {
        derivatives.insert(derivatives.end(), row.begin(), row.end());
      }
      for (std::vector<Entry>& row : function.hessian) {
        for (Entry& entry : row) entries.push_back(&entry);
      }
    }
    symbolic::Budget budget(kWork);
    const std::vector<Expr> simplified = symbolic::Simplify(derivatives, &budget);
    for (size_t i = 0; i < entries.size(); ++i) entries[i]->formula = simplified[i];
    if (budget.exhausted()) {
      report->notes.push_back(
          "the derivatives' formulas are not simplified all the way, which would take long");
    }
  }

  Report plan_;  // what to compute; its entries are empty
  std::vector<Expr> variables_;
  std::vector<Expr> outputs_;  // the formulas as they are written
};

// Updates the report's disagreements with one entry. Rounding of function values limits the
// precision of numeric derivatives, so their differences from other modes are taken relative to
// `numeric_scale` at least.
void CompareEntry(const Entry& entry, double numeric_scale, Report& report) {
  for (size_t a = 0; a < 4; ++a) {
    for (size_t b = a + 1; b < 4; ++b) {
      if (!report.options.Asked(static_cast<DerivativeMode>(a)) ||
          !report.options.Asked(static_cast<DerivativeMode>(b))) {
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

}  // namespace cotangent::tools
