#ifndef COTANGENT_AUTODIFF_SYMBOLIC_NUMBER_H_
#define COTANGENT_AUTODIFF_SYMBOLIC_NUMBER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace cotangent::autodiff::symbolic {

// A constant of a formula. A Number is an exact fraction of 64-bit integers in lowest terms as long
// as that is possible, so that 1/3 stays 1/3 and 0.1 is 1/10. If a result does not fit, the Number
// is "inexact": it holds a double. Arithmetic never overflows silently.
class Number {
 public:
  Number() = default;                               // 0
  Number(int64_t integer) : numerator_(integer) {}  // NOLINT: 2 * x should read as such
  Number(int integer) : numerator_(integer) {}      // NOLINT

  // Returns the fraction numerator / denominator. REQUIRES: denominator is not 0.
  static Number Ratio(int64_t numerator, int64_t denominator);
  // Returns the fraction that a person means by this double: its shortest decimal form ("0.1" is
  // 1/10) if that is exact as a Number, otherwise an inexact Number. ToDouble() returns `value` in
  // both cases.
  static Number FromDouble(double value);
  // Returns an inexact Number that holds `value`, but the exact 0 if `value` is 0.
  static Number Inexact(double value);
  // Reads decimal text such as 12, 0.044715 or 1e-3, exactly if it fits. Returns nothing if the
  // text is not a number.
  static std::optional<Number> FromText(const std::string& text);

  bool exact() const { return exact_; }
  bool integer() const { return exact_ && denominator_ == 1; }
  // Return the parts of an exact fraction; they are meaningless for an inexact Number.
  int64_t numerator() const { return numerator_; }
  int64_t denominator() const { return denominator_; }
  double ToDouble() const;
  // Returns the sign of the number: -1, 0 or 1.
  int sign() const;
  bool IsZero() const { return sign() == 0; }
  bool IsOne() const { return exact_ && numerator_ == 1 && denominator_ == 1; }
  bool IsInteger(int64_t value) const { return integer() && numerator_ == value; }

  // Returns the text of the number, such as 3 or -1/3. A fraction with a denominator above 99 and a
  // short decimal form is written as a decimal, such as 0.044715. Parse() (parse.h) reads the text
  // back to the same value; an inexact Number prints as many digits as that needs.
  std::string ToText() const;

  friend Number operator+(const Number& a, const Number& b);
  friend Number operator-(const Number& a, const Number& b);
  friend Number operator*(const Number& a, const Number& b);
  friend Number operator/(const Number& a, const Number& b);  // REQUIRES: b is not 0
  Number operator-() const;
  // Returns whether a and b are both exact or both inexact and have the same value: the exact 1/2
  // and the inexact 0.5 are different.
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
  double value_ = 0;  // only for an inexact Number
};

Number Abs(const Number& a);
Number Min(const Number& a, const Number& b);
Number Max(const Number& a, const Number& b);
// Returns the largest integer that is not above `a`.
Number Floor(const Number& a);
// Returns a^n. REQUIRES: a is not 0 if n < 0.
Number Power(const Number& a, int64_t n);
// Returns n!, which is exact up to n = 20. REQUIRES: n >= 0.
Number Factorial(int64_t n);
// Returns a^(1/n) if a >= 0 and the root is a fraction: the cube root of 8/27 is 2/3. Otherwise
// returns nothing. REQUIRES: n >= 1.
std::optional<Number> ExactRoot(const Number& a, int64_t n);

}  // namespace cotangent::autodiff::symbolic

#endif  // COTANGENT_AUTODIFF_SYMBOLIC_NUMBER_H_
