#ifndef COTANGENT_AUTODIFF_SYMBOLIC_NUMBER_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_NUMBER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace cotangent::autodiff::symbolic {

// A constant of a formula: an exact fraction of 64-bit integers in lowest terms, so that 1/3 stays
// 1/3 and 0.1 is 1/10; a double once a result no longer fits ("inexact"). Arithmetic never
// overflows silently.
class Number {
 public:
  Number() = default;                               // 0
  Number(int64_t integer) : numerator_(integer) {}  // NOLINT: 2 * x should read as such
  Number(int integer) : numerator_(integer) {}      // NOLINT

  // numerator / denominator in lowest terms. The denominator is not 0.
  static Number Ratio(int64_t numerator, int64_t denominator);
  // The fraction a person means by this double: its shortest decimal form, where that fits ("0.1"
  // is 1/10), and the double itself otherwise. ToDouble() gives `value` back in both cases.
  static Number FromDouble(double value);
  // The double itself, to be treated as rounded.
  static Number Inexact(double value);
  // Decimal text such as 12, 0.044715 or 1e-3, read exactly where it fits. Nothing when it is no
  // number.
  static std::optional<Number> FromText(const std::string& text);

  bool exact() const { return exact_; }
  bool integer() const { return exact_ && denominator_ == 1; }
  // Of an exact number only.
  int64_t numerator() const { return numerator_; }
  int64_t denominator() const { return denominator_; }
  double ToDouble() const;
  // -1, 0 or 1.
  int sign() const;
  bool IsZero() const { return sign() == 0; }
  bool IsOne() const { return exact_ && numerator_ == 1 && denominator_ == 1; }
  bool IsInteger(int64_t value) const { return integer() && numerator_ == value; }

  // 3, -1/3, or for fractions with a short decimal form and a long denominator 0.044715.
  // Parsing the text gives the same number (inexact numbers print 17 digits).
  std::string ToText() const;

  friend Number operator+(const Number& a, const Number& b);
  friend Number operator-(const Number& a, const Number& b);
  friend Number operator*(const Number& a, const Number& b);
  friend Number operator/(const Number& a, const Number& b);  // b is not 0.
  Number operator-() const;
  // Same kind and same value: the exact 1/2 and the inexact 0.5 are different.
  friend bool operator==(const Number& a, const Number& b);
  friend bool operator!=(const Number& a, const Number& b) { return !(a == b); }
  friend bool operator<(const Number& a, const Number& b);

  template <typename H>
  friend H AbslHashValue(H h, const Number& n) {
    return H::combine(std::move(h), n.exact_, n.numerator_, n.denominator_, n.value_);
  }

 private:
  bool exact_ = true;
  int64_t numerator_ = 0;
  int64_t denominator_ = 1;
  double value_ = 0;  // Of an inexact number.
};

Number Abs(const Number& a);
Number Min(const Number& a, const Number& b);
Number Max(const Number& a, const Number& b);
// Largest integer not above `a`.
Number Floor(const Number& a);
// a^n for an integer n; a is not 0 when n < 0.
Number Power(const Number& a, int64_t n);
// The exact a^(1/n), n >= 1, where it is a fraction again (4 -> 2, 8/27 -> 2/3 for n = 3). a >= 0.
std::optional<Number> ExactRoot(const Number& a, int64_t n);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_NUMBER_H_
