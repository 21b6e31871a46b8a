#include "autodiff/symbolic/number.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <numeric>

#include "base/read_double.h"

namespace cotangent::autodiff::symbolic {
namespace {

using Wide = __int128;

Wide WideGcd(Wide a, Wide b) {
  if (a < 0) a = -a;
  if (b < 0) b = -b;
  while (b != 0) {
    Wide rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

bool Fits(Wide a) {
  // The most negative value is left out so that negation always fits.
  return a <= std::numeric_limits<int64_t>::max() && a >= -std::numeric_limits<int64_t>::max();
}

Number FromWide(Wide numerator, Wide denominator) {
  if (denominator < 0) {
    numerator = -numerator;
    denominator = -denominator;
  }
  const Wide gcd = WideGcd(numerator, denominator);
  if (gcd > 1) {
    numerator /= gcd;
    denominator /= gcd;
  }
  if (Fits(numerator) && Fits(denominator)) {
    return Number::Ratio(static_cast<int64_t>(numerator), static_cast<int64_t>(denominator));
  }
  return Number::Inexact(static_cast<double>(static_cast<long double>(numerator) /
                                             static_cast<long double>(denominator)));
}

}  // namespace

Number Number::Ratio(int64_t numerator, int64_t denominator) {
  if (numerator == std::numeric_limits<int64_t>::min() ||
      denominator == std::numeric_limits<int64_t>::min()) {
    return Inexact(static_cast<double>(numerator) / static_cast<double>(denominator));
  }
  const int64_t gcd = std::gcd(numerator, denominator);
  Number result;
  const int64_t sign = denominator < 0 ? -1 : 1;
  result.numerator_ = sign * numerator / gcd;
  result.denominator_ = sign * denominator / gcd;
  return result;
}

Number Number::Inexact(double value) {
  Number result;
  if (value == 0) return result;
  result.exact_ = false;
  result.numerator_ = 0;
  result.value_ = value;
  return result;
}

Number Number::FromDouble(double value) {
  if (!std::isfinite(value)) return Inexact(value);
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
  std::optional<Number> number = FromText(std::string(buffer, end));
  if (number.has_value() && number->exact() && number->ToDouble() == value) return *number;
  return Inexact(value);
}

std::optional<Number> Number::FromText(const std::string& text) {
  char* end = nullptr;
  const double rounded = ReadDouble(text.c_str(), &end);
  if (text.empty() || end != text.c_str() + text.size()) return std::nullopt;
  Wide digits = 0;
  int exponent = 0;
  bool fraction = false;
  size_t i = text[0] == '-' ? 1 : 0;
  for (; i < text.size() && text[i] != 'e' && text[i] != 'E'; ++i) {
    if (text[i] == '.') {
      fraction = true;
      continue;
    }
    if (text[i] < '0' || text[i] > '9') return std::nullopt;  // inf, nan, hexadecimal.
    digits = digits * 10 + (text[i] - '0');
    if (!Fits(digits)) return Inexact(rounded);
    if (fraction) --exponent;
  }
  if (i < text.size()) {
    const long written = std::strtol(text.c_str() + i + 1, nullptr, 10);
    if (std::labs(written) > 400) return Inexact(rounded);
    exponent += static_cast<int>(written);
  }
  if (digits == 0) return Number();
  if (text[0] == '-') digits = -digits;
  Wide denominator = 1;
  for (; exponent > 0 && Fits(digits); --exponent) digits *= 10;
  for (; exponent < 0 && Fits(denominator); ++exponent) {
    if (digits % 10 == 0) {
      digits /= 10;
    } else {
      denominator *= 10;
    }
  }
  if (exponent != 0 || !Fits(digits) || !Fits(denominator)) return Inexact(rounded);
  return FromWide(digits, denominator);
}

double Number::ToDouble() const {
  if (!exact_) return value_;
  return static_cast<double>(static_cast<long double>(numerator_) /
                             static_cast<long double>(denominator_));
}

int Number::sign() const {
  if (exact_) return (numerator_ > 0) - (numerator_ < 0);
  return (value_ > 0) - (value_ < 0);
}

std::string Number::ToText() const {
  char buffer[40];
  if (!exact_) {
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value_).ptr;
    return std::string(buffer, end);
  }
  if (denominator_ == 1) return std::to_string(numerator_);
  if (denominator_ > 99) {
    const double value = ToDouble();
    const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value).ptr;
    std::string decimal(buffer, end);
    const std::optional<Number> back = FromText(decimal);
    if (back.has_value() && *back == *this) return decimal;
  }
  return std::to_string(numerator_) + "/" + std::to_string(denominator_);
}

Number operator+(const Number& a, const Number& b) {
  if (a.exact_ && b.exact_) {
    const Wide left = static_cast<Wide>(a.numerator_) * b.denominator_;
    const Wide right = static_cast<Wide>(b.numerator_) * a.denominator_;
    return FromWide(left + right, static_cast<Wide>(a.denominator_) * b.denominator_);
  }
  return Number::Inexact(a.ToDouble() + b.ToDouble());
}

Number operator-(const Number& a, const Number& b) { return a + (-b); }

Number operator*(const Number& a, const Number& b) {
  if (a.exact_ && b.exact_) {
    return FromWide(static_cast<Wide>(a.numerator_) * b.numerator_,
                    static_cast<Wide>(a.denominator_) * b.denominator_);
  }
  return Number::Inexact(a.ToDouble() * b.ToDouble());
}

Number operator/(const Number& a, const Number& b) {
  if (a.exact_ && b.exact_ && !b.IsZero()) {
    return FromWide(static_cast<Wide>(a.numerator_) * b.denominator_,
                    static_cast<Wide>(a.denominator_) * b.numerator_);
  }
  return Number::Inexact(a.ToDouble() / b.ToDouble());
}

Number Number::operator-() const {
  Number result = *this;
  result.numerator_ = -result.numerator_;
  result.value_ = -result.value_;
  return result;
}

bool operator==(const Number& a, const Number& b) {
  return a.exact_ == b.exact_ && a.numerator_ == b.numerator_ && a.denominator_ == b.denominator_ &&
         a.value_ == b.value_;
}

bool operator<(const Number& a, const Number& b) {
  if (a.exact_ && b.exact_) {
    return static_cast<Wide>(a.numerator_) * b.denominator_ <
           static_cast<Wide>(b.numerator_) * a.denominator_;
  }
  return a.ToDouble() < b.ToDouble();
}

Number Abs(const Number& a) { return a.sign() < 0 ? -a : a; }
Number Min(const Number& a, const Number& b) { return b < a ? b : a; }
Number Max(const Number& a, const Number& b) { return a < b ? b : a; }

Number Floor(const Number& a) {
  if (!a.exact()) return Number::Inexact(std::floor(a.ToDouble()));
  int64_t quotient = a.numerator() / a.denominator();
  if (a.numerator() % a.denominator() < 0) --quotient;
  return Number(quotient);
}

Number Power(const Number& a, int64_t n) {
  if (n < 0) return Number(1) / Power(a, -n);
  if (!a.exact() || n > 128) {
    if (a.exact() && (a.IsZero() || a.IsOne())) return a;
    if (a.IsInteger(-1)) return n % 2 == 0 ? Number(1) : a;
    return Number::Inexact(std::pow(a.ToDouble(), static_cast<double>(n)));
  }
  Number result = 1;
  Number square = a;
  for (; n > 0; n /= 2) {
    if (n % 2 == 1) result = result * square;
    if (n > 1) square = square * square;
  }
  return result;
}

Number Factorial(int64_t n) {
  Number product = 1;
  for (int64_t k = 2; k <= n; ++k) product = product * Number(k);
  return product;
}

std::optional<Number> ExactRoot(const Number& a, int64_t n) {
  if (!a.exact() || a.sign() < 0 || n < 1) return std::nullopt;
  const auto root = [n](int64_t value) -> std::optional<int64_t> {
    const auto near =
        static_cast<int64_t>(std::llround(std::pow(static_cast<double>(value), 1.0 / n)));
    for (int64_t candidate = near > 0 ? near - 1 : 0; candidate <= near + 1; ++candidate) {
      if (Power(Number(candidate), n) == Number(value)) return candidate;
    }
    return std::nullopt;
  };
  const std::optional<int64_t> top = root(a.numerator());
  const std::optional<int64_t> bottom = root(a.denominator());
  if (!top.has_value() || !bottom.has_value()) return std::nullopt;
  return Number::Ratio(*top, *bottom);
}

}  // namespace cotangent::autodiff::symbolic
