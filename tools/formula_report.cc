#include "tools/formula_report.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "autodiff/symbolic/equality.h"
#include "autodiff/symbolic/evaluate.h"
#include "autodiff/symbolic/limits.h"
#include "autodiff/symbolic/parse.h"
#include "autodiff/symbolic/print.h"
#include "autodiff/symbolic/simplify.h"
#include "base/status_macros.h"

namespace cotangent::tools {
namespace {

namespace symbolic = autodiff::symbolic;
using symbolic::Expr;

std::string NameOf(absl::Span<const std::string> formulas, size_t k) {
  return formulas.size() == 1 ? "f" : absl::StrCat("f", k + 1);
}

absl::StatusOr<std::vector<Expr>> ParseAll(absl::Span<const std::string> formulas,
                                           symbolic::Pool& pool) {
  std::vector<Expr> parsed;
  for (size_t k = 0; k < formulas.size(); ++k) {
    symbolic::ParseOptions options;
    options.source = NameOf(formulas, k);
    ASSIGN_OR_RETURN(const Expr formula, symbolic::Parse(formulas[k], pool, options));
    parsed.push_back(formula);
  }
  return parsed;
}

// The work of a simplification or proof, in units of Budget: a few seconds.
constexpr int64_t kWork = 5'000'000;

// If the computation of an answer was stopped because its budget of work was used up, returns a
// note that says so; otherwise "". Without this limit, the answer might be better.
std::string Stopped(const symbolic::Budget& budget) {
  return budget.exhausted() ? " (stopped: it would take long)" : "";
}

}  // namespace

absl::StatusOr<double> ConstantFromText(const std::string& text, const std::string& source) {
  symbolic::Pool pool;
  symbolic::ParseOptions options;
  options.variables.emplace();
  options.source = source;
  ASSIGN_OR_RETURN(const Expr formula, symbolic::Parse(text, pool, options));
  absl::StatusOr<double> value = symbolic::Evaluate(formula, symbolic::Bindings());
  if (value.ok()) return value;
  return absl::InvalidArgumentError(absl::StrCat(source, ": ", value.status().message()));
}

absl::StatusOr<std::string> SimplifiedAsText(absl::Span<const std::string> formulas) {
  symbolic::Pool pool;
  ASSIGN_OR_RETURN(const std::vector<Expr> parsed, ParseAll(formulas, pool));
  std::string text;
  for (size_t k = 0; k < parsed.size(); ++k) {
    symbolic::Budget budget(kWork);
    const Expr simplified = symbolic::Shortest(parsed[k], &budget);
    absl::StrAppend(&text, NameOf(formulas, k), " = ", ToText(simplified), Stopped(budget), "\n");
  }
  return text;
}

absl::StatusOr<std::string> EqualityAsText(absl::Span<const std::string> formulas, bool* all) {
  if (formulas.size() < 2) {
    return absl::InvalidArgumentError("--equal: found one formula, expected two or more");
  }
  symbolic::Pool pool;
  ASSIGN_OR_RETURN(const std::vector<Expr> parsed, ParseAll(formulas, pool));
  std::string text;
  *all = true;
  for (size_t k = 1; k < parsed.size(); ++k) {
    symbolic::Budget budget(kWork);
    const symbolic::Verdict verdict = symbolic::Equal(parsed[0], parsed[k], {}, &budget);
    *all &= verdict == symbolic::Verdict::kEqual;
    absl::StrAppend(
        &text, "f1 and f", k + 1,
        verdict == symbolic::Verdict::kEqual       ? " are equal wherever both are defined (proved)"
        : verdict == symbolic::Verdict::kDifferent ? " differ (there is a point where they do)"
                                                   : ": cannot tell",
        Stopped(budget), "\n");
  }
  return text;
}

absl::StatusOr<std::string> ParityAsText(absl::Span<const std::string> formulas,
                                         const std::string& variable) {
  symbolic::Pool pool;
  ASSIGN_OR_RETURN(const std::vector<Expr> parsed, ParseAll(formulas, pool));
  std::string text;
  for (size_t k = 0; k < parsed.size(); ++k) {
    const Expr formula = parsed[k];
    Expr by = pool.Variable(variable);
    if (variable.empty()) {
      const std::vector<Expr> variables = symbolic::Variables(formula);
      if (variables.size() != 1) {
        return absl::InvalidArgumentError(
            absl::StrCat("--parity: ", NameOf(formulas, k), " has ", variables.size(),
                         " variables; say which one is meant: --parity=NAME"));
      }
      by = variables[0];
    }
    symbolic::Budget budget(kWork);
    const symbolic::ParityProof proof = symbolic::ProveParity(formula, by, &budget);
    absl::StrAppend(&text, NameOf(formulas, k));
    switch (proof.parity) {
      case symbolic::Parity::kEven:
        absl::StrAppend(&text, " is even in ", by.name(), " (proved)\n");
        break;
      case symbolic::Parity::kOdd:
        absl::StrAppend(&text, " is odd in ", by.name(), " (proved)\n");
        break;
      case symbolic::Parity::kNeither:
        absl::StrAppend(&text, " is neither even nor odd in ", by.name(),
                        proof.one_sided ? ": it is defined at " : ": see ", by.name(), " = ",
                        absl::StrFormat("%.6g", proof.counterexample),
                        proof.one_sided ? " only on that side\n" : "\n");
        break;
      case symbolic::Parity::kUnknown:
        absl::StrAppend(&text, ": cannot tell", Stopped(budget), "\n");
        break;
    }
    if (proof.parity != symbolic::Parity::kEven && proof.parity != symbolic::Parity::kOdd) continue;
    constexpr size_t kMostSteps = 40;
    for (const symbolic::RewriteStep& step :
         absl::MakeConstSpan(proof.steps).first(std::min(kMostSteps, proof.steps.size()))) {
      absl::StrAppend(&text, "  ", step.rule, ": ", ToText(step.whole), "\n");
    }
    if (proof.steps.size() > kMostSteps) {
      absl::StrAppend(&text, "  and ", proof.steps.size() - kMostSteps, " more steps\n");
    }
  }
  return text;
}

absl::StatusOr<std::string> LimitAsText(absl::Span<const std::string> formulas,
                                        const std::string& place) {
  const size_t equals = place.find('=');
  std::string name(absl::StripAsciiWhitespace(place.substr(0, equals)));
  if (equals == std::string::npos || name.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--limit: found '", place,
                     "', expected NAME=POINT, such as --limit=x=0, x=0+, ", "x=0- or x=inf"));
  }
  absl::string_view at = absl::StripAsciiWhitespace(absl::string_view(place).substr(equals + 1));
  const bool infinite = at == "inf" || at == "+inf" || at == "-inf";
  symbolic::Side side = symbolic::Side::kBoth;
  if (!infinite && absl::ConsumeSuffix(&at, "+")) side = symbolic::Side::kRight;
  if (!infinite && absl::ConsumeSuffix(&at, "-")) side = symbolic::Side::kLeft;
  symbolic::Pool pool;
  ASSIGN_OR_RETURN(const std::vector<Expr> parsed, ParseAll(formulas, pool));
  Expr point = pool.Constant(0);
  if (!infinite) {
    symbolic::ParseOptions options;
    options.source = "--limit";
    ASSIGN_OR_RETURN(point, symbolic::Parse(at, pool, options));
  }
  std::string text;
  const Expr variable = pool.Variable(name);
  for (size_t k = 0; k < parsed.size(); ++k) {
    const Expr formula = parsed[k];
    const auto answer = [&](absl::string_view where, const symbolic::LimitValue& limit,
                            const symbolic::Budget& budget) {
      absl::StrAppend(&text, where, ": ", ToText(limit), limit.known() ? "" : Stopped(budget),
                      "\n");
    };
    const std::string to = place.substr(equals + 1);
    const std::string head =
        absl::StrCat("limit of ", NameOf(formulas, k), " as ", name, " -> ", to);
    symbolic::Budget left_work(symbolic::kLimitWork), right_work(symbolic::kLimitWork);
    if (infinite) {
      answer(head, symbolic::LimitAtInfinity(formula, variable, at != "-inf", &left_work),
             left_work);
    } else if (side != symbolic::Side::kBoth) {
      answer(head, symbolic::Limit(formula, variable, point, side, &left_work), left_work);
    } else {
      const symbolic::LimitValue left =
          symbolic::Limit(formula, variable, point, symbolic::Side::kLeft, &left_work);
      const symbolic::LimitValue right =
          symbolic::Limit(formula, variable, point, symbolic::Side::kRight, &right_work);
      const bool same = symbolic::Same(left, right);
      answer(head, same ? left : symbolic::LimitValue(), right_work);
      if (!same) {
        answer(absl::StrCat("  from ", to, "-"), left, left_work);
        answer(absl::StrCat("  from ", to, "+"), right, right_work);
      }
    }
  }
  return text;
}

}  // namespace cotangent::tools
