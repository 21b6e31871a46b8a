// Evaluates arithmetic by a recursive-descent parser; its grammar is in arithmetic.h.

#include "layers/network/arithmetic.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "layers/network/nearest_name.h"

namespace cotangent::layers {
namespace {

constexpr int kDeepest = 64;
__extension__ typedef __int128 Wide;  // NOLINT: GCC and Clang have it

// The fraction numerator / denominator in lowest terms, with denominator > 0. If denominator is 0,
// the value is `decimal` instead.
struct Number {
  int64_t numerator = 0, denominator = 1;
  double decimal = 0;

  bool is_exact() const { return denominator != 0; }
  double value() const {
    return is_exact() ? static_cast<double>(numerator) / static_cast<double>(denominator) : decimal;
  }
};

Number Decimal(double value) { return {0, 0, value}; }

absl::Status TooLarge() {
  return absl::InvalidArgumentError("this becomes too large; expected numbers of at most 64 bits");
}

// Returns the fraction n / d in lowest terms, or an error if its numerator or denominator exceeds
// 64 bits. REQUIRES: d is not 0.
absl::StatusOr<Number> Fraction(Wide n, Wide d) {
  if (d < 0) n = -n, d = -d;
  Wide a = n < 0 ? -n : n, b = d;
  while (b != 0) {
    const Wide rest = a % b;
    a = b, b = rest;
  }
  if (a != 0) n /= a, d /= a;
  constexpr Wide kMost = std::numeric_limits<int64_t>::max();
  if (n > kMost || n < -kMost || d > kMost) return TooLarge();
  return Number{static_cast<int64_t>(n), static_cast<int64_t>(d), 0};
}

Number Floor(const Number& x) {
  if (!x.is_exact()) return Decimal(std::floor(x.decimal));
  const int64_t quotient = x.numerator / x.denominator;
  return {quotient - (x.numerator % x.denominator < 0 ? 1 : 0), 1, 0};
}

absl::StatusOr<Number> Finite(double value) {
  if (!std::isfinite(value)) return TooLarge();
  return Decimal(value);
}

absl::StatusOr<Number> Sum(const Number& a, const Number& b) {
  if (!a.is_exact() || !b.is_exact()) return Finite(a.value() + b.value());
  return Fraction(static_cast<Wide>(a.numerator) * b.denominator +
                      static_cast<Wide>(b.numerator) * a.denominator,
                  static_cast<Wide>(a.denominator) * b.denominator);
}

absl::StatusOr<Number> Product(const Number& a, const Number& b) {
  if (!a.is_exact() || !b.is_exact()) return Finite(a.value() * b.value());
  return Fraction(static_cast<Wide>(a.numerator) * b.numerator,
                  static_cast<Wide>(a.denominator) * b.denominator);
}

absl::StatusOr<Number> Quotient(const Number& a, const Number& b) {
  if (b.value() == 0)
    return absl::InvalidArgumentError("this divides by zero; expected another divisor");
  if (!a.is_exact() || !b.is_exact()) return Finite(a.value() / b.value());
  return Fraction(static_cast<Wide>(a.numerator) * b.denominator,
                  static_cast<Wide>(a.denominator) * b.numerator);
}

Number Negative(Number x) {
  x.numerator = -x.numerator, x.decimal = -x.decimal;
  return x;
}

// Returns the number that `text` writes: exactly if it is a whole number of at most 64 bits,
// otherwise as a double.
absl::StatusOr<Number> Read(absl::string_view text) {
  Number number;
  if (absl::SimpleAtoi(text, &number.numerator) &&
      number.numerator > std::numeric_limits<int64_t>::min())
    return number;
  number = Decimal(0);
  if (!absl::SimpleAtod(text, &number.decimal) || !std::isfinite(number.decimal))
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' is no number; expected one"));
  return number;
}

// Returns `value` as a decimal text that gives the same double when read again, with 15 significant
// digits at most if these suffice, otherwise 16 or 17.
std::string ShortestDecimal(double value) {
  for (int digits = 15; digits < 17; ++digits) {
    std::string text = absl::StrFormat("%.*g", digits, value);
    double again = 0;
    if (absl::SimpleAtod(text, &again) && again == value) return text;
  }
  return absl::StrFormat("%.17g", value);
}

class Parser {
 public:
  Parser(absl::string_view text, const std::map<std::string, std::string>& values)
      : text_(text), values_(values) {}

  absl::StatusOr<Number> Parse() {
    ASSIGN_OR_RETURN(const Number result, ParseSum());
    if (!AtEnd()) return Unexpected("an operator or the closing ')'");
    return result;
  }
  size_t error_at() const { return at_; }

 private:
  absl::StatusOr<Number> ParseSum() {
    if (++depth_ > kDeepest) return absl::InvalidArgumentError("this nests too deeply");
    ASSIGN_OR_RETURN(Number sum, ParseProduct());
    while (true) {
      const size_t begin = SkipSpace();
      const bool minus = Take("-");
      if (!minus && !Take("+")) break;
      ASSIGN_OR_RETURN(const Number term, ParseProduct());
      ASSIGN_OR_RETURN(sum, Placed(begin, Sum(sum, minus ? Negative(term) : term)));
    }
    --depth_;
    return sum;
  }

  absl::StatusOr<Number> ParseProduct() {
    ASSIGN_OR_RETURN(Number product, ParseFactor());
    while (true) {
      const size_t begin = SkipSpace();
      const bool whole = Take("//"), rest = !whole && Take("%");
      const bool divide = !whole && !rest && Take("/");
      if (!whole && !rest && !divide && !Take("*")) return product;
      ASSIGN_OR_RETURN(const Number factor, ParseFactor());
      if (divide) {
        ASSIGN_OR_RETURN(product, Placed(begin, Quotient(product, factor)));
      } else if (whole || rest) {
        ASSIGN_OR_RETURN(const Number quotient, Placed(begin, Quotient(product, factor)));
        const Number floor = Floor(quotient);
        if (whole) {
          product = floor;
          continue;
        }
        ASSIGN_OR_RETURN(const Number multiple, Placed(begin, Product(floor, factor)));
        ASSIGN_OR_RETURN(product, Placed(begin, Sum(product, Negative(multiple))));
      } else {
        ASSIGN_OR_RETURN(product, Placed(begin, Product(product, factor)));
      }
    }
  }

  absl::StatusOr<Number> ParseFactor() {
    bool negative = false;
    while (Take("-")) negative = !negative;
    ASSIGN_OR_RETURN(const Number factor, ParsePrimary());
    return negative ? Negative(factor) : factor;
  }

  absl::StatusOr<Number> ParsePrimary() {
    if (Take("(")) {
      ASSIGN_OR_RETURN(const Number inner, ParseSum());
      if (!Take(")")) return Unexpected("')'");
      return inner;
    }
    (void)Take("$");
    const size_t begin = SkipSpace();
    if (begin < text_.size() && (absl::ascii_isdigit(text_[begin]) || text_[begin] == '.')) {
      while (at_ < text_.size() && (absl::ascii_isalnum(text_[at_]) || text_[at_] == '.')) ++at_;
      return Placed(begin, Read(text_.substr(begin, at_ - begin)));
    }
    while (at_ < text_.size() && (absl::ascii_isalnum(text_[at_]) || text_[at_] == '_')) ++at_;
    const std::string name(text_.substr(begin, at_ - begin));
    if (name.empty()) return Unexpected("a number, a parameter or '('");
    if (Take("(")) return Call(begin, name);
    const auto value = values_.find(name);
    if (value == values_.end()) {
      std::vector<std::string> names;
      for (const auto& [known, unused] : values_) names.push_back(known);
      return Placed(begin,
                    absl::InvalidArgumentError(absl::StrCat(
                        "'", name, "' is no parameter of this block; ", Suggestion(name, names))));
    }
    absl::StatusOr<Number> number = Read(value->second);
    if (number.ok()) return number;
    return Placed(begin, absl::InvalidArgumentError(
                             absl::StrCat("parameter '", name, "' is ", value->second,
                                          ", with which one cannot calculate; expected a number")));
  }

  absl::StatusOr<Number> Call(size_t begin, const std::string& name) {
    std::vector<Number> arguments;
    do {
      ASSIGN_OR_RETURN(arguments.emplace_back(), ParseSum());
    } while (Take(","));
    if (!Take(")")) return Unexpected("',' or ')'");
    const bool rounds = name == "floor" || name == "ceil" || name == "round";
    if (!rounds && name != "min" && name != "max")
      return Placed(begin, absl::InvalidArgumentError(absl::StrCat(
                               "there is no function '", name, "' here; ",
                               Suggestion(name, {"floor", "ceil", "round", "min", "max"}))));
    if (rounds && arguments.size() != 1)
      return Placed(begin, absl::InvalidArgumentError(absl::StrCat(name, " has ", arguments.size(),
                                                                   " arguments; expected one")));
    Number result = arguments[0];
    if (name == "floor") return Whole(Floor(result));
    if (name == "ceil") return Whole(Negative(Floor(Negative(result))));
    if (name == "round") {
      const bool negative = result.value() < 0;
      ASSIGN_OR_RETURN(result, Sum(negative ? Negative(result) : result, Number{1, 2, 0}));
      return Whole(negative ? Negative(Floor(result)) : Floor(result));
    }
    for (const Number& argument : arguments) {
      const bool smaller = argument.value() < result.value();
      if (argument.value() != result.value() && smaller == (name == "min")) result = argument;
    }
    return result;
  }

  // Turns a double without a fractional part into an exact whole number, unless its magnitude
  // exceeds 2^53.
  static Number Whole(const Number& x) {
    if (x.is_exact() || std::abs(x.decimal) > 0x1p53) return x;
    return {static_cast<int64_t>(x.decimal), 1, 0};
  }

  absl::StatusOr<Number> Placed(size_t at, absl::StatusOr<Number> result) {
    if (!result.ok()) at_ = at;
    return result;
  }
  absl::Status Unexpected(absl::string_view expected) {
    SkipSpace();
    return absl::InvalidArgumentError(absl::StrCat(
        "found ",
        at_ < text_.size() ? absl::StrCat("'", text_.substr(at_, 1), "'") : std::string("the end"),
        " in this arithmetic; expected ", expected));
  }

  size_t SkipSpace() {
    while (at_ < text_.size() && absl::ascii_isspace(text_[at_])) ++at_;
    return at_;
  }
  bool AtEnd() { return SkipSpace() == text_.size(); }
  bool Take(absl::string_view symbol) {
    SkipSpace();
    if (text_.substr(at_, symbol.size()) != symbol) return false;
    at_ += symbol.size();
    return true;
  }

  const absl::string_view text_;
  const std::map<std::string, std::string>& values_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

absl::StatusOr<std::string> EvaluateArithmetic(absl::string_view text,
                                               const std::map<std::string, std::string>& values,
                                               size_t& error_at) {
  Parser parser(text, values);
  const absl::StatusOr<Number> result = parser.Parse();
  error_at = parser.error_at();
  RETURN_IF_ERROR(result.status());
  if (result->denominator == 1) return absl::StrCat(result->numerator);
  return ShortestDecimal(result->value());
}

}  // namespace cotangent::layers
