// The elementary functions of VectorProgram, written in its primitives. coefficients/minimax.py
// computes the coefficients below and prints the errors of the approximations; vector_math_test.cc
// measures the errors of the whole functions. Coefficients are listed from the constant term up.

#include <cmath>
#include <initializer_list>
#include <limits>

#include "autodiff/codegen/vector_program.h"

namespace cotangent::autodiff::codegen {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

constexpr float kLog2E = 1.44269504088896341f;
// ln 2 in two parts, whose sum is accurate to 48 bits. A fused multiply-add (FMA) subtracts n *
// kLn2, where n is an exponent, without rounding the product.
constexpr float kLn2 = 0.693147180559945309f;
constexpr float kLn2Low = -1.90465429995776e-09f;
// ln 2 in two parts of which the first has only 15 bits, so that n * kLn2Short is exact for an
// exponent n.
constexpr float kLn2Short = 0x1.62e4p-1f;
constexpr float kLn2Rest = 1.42860682030941723e-06f;

// pi/2 in three parts, whose sum is accurate to 76 bits: multiples of pi/2 are subtracted part by
// part, with fused multiply-adds.
constexpr float kHalfPi = 1.57079632679489662f;
constexpr float kHalfPiLow = -4.37113882867379e-08f;
constexpr float kHalfPiLowest = -1.71512446e-15f;

// The lists below hold coefficients of polynomials, the constant term first.

// Coefficients of a polynomial in r that approximates (e^r - 1 - r) / r^2 for |r| <= ln(2)/2.
constexpr std::initializer_list<float> kExpTail = {
    4.999999404e-01f, 1.666652113e-01f, 4.166838899e-02f, 8.368716575e-03f, 1.381459995e-03f};

// Coefficients of a polynomial in f that approximates 2^f for |f| <= 1/2.
constexpr std::initializer_list<float> kExp2 = {
    1.0f, 6.931470037e-01f, 2.402224243e-01f, 5.550733954e-02f, 9.671533480e-03f, 1.326470287e-03f};

// Coefficients that do the same, but only within 7.5e-5, for Accuracy::kBf16.
constexpr std::initializer_list<float> kShortExp2 = {9.999279976e-01f, 6.932610869e-01f,
                                                     2.426120788e-01f, 5.517153442e-02f};

// Coefficients of a polynomial in r that approximates (log(1 + r) - r + r^2/2) / r^3 for |r| <=
// 1/3.
constexpr std::initializer_list<float> kLog = {
    3.333322406e-01f, -2.499968857e-01f, 2.001004517e-01f, -1.668546945e-01f,
    1.401090324e-01f, -1.211507320e-01f, 1.396254897e-01f, -1.319189370e-01f};

// Coefficients of polynomials in r^2 that approximate (sin(r) - r) / r^3 and
// (cos(r) - 1 + r^2/2) / r^4 for |r| <= pi/4.
constexpr std::initializer_list<float> kSin = {-1.666665524e-01f, 8.332177997e-03f,
                                               -1.951723389e-04f};
constexpr std::initializer_list<float> kCos = {4.166664556e-02f, -1.388736651e-03f,
                                               2.443837911e-05f};

// Coefficients of polynomials P and Q such that x P(x^2) / Q(x^2) approximates tanh(x) for |x| <=
// 9.02.
constexpr std::initializer_list<float> kTanhP = {1.0f, 1.337971389e-01f, 3.494029865e-03f,
                                                 2.058340942e-05f, 1.331898236e-08f};
constexpr std::initializer_list<float> kTanhQ = {1.0f, 4.671303034e-01f, 2.587105520e-02f,
                                                 3.283085534e-04f, 7.761980783e-07f};

// Coefficients such that x P(x^2) / Q(x^2) approximates erf(x) for |x| <= 3.95.
constexpr std::initializer_list<float> kErfP = {1.128379107e+00f, 1.915513724e-01f,
                                                5.287558213e-02f, 3.808205482e-03f,
                                                2.846884890e-04f, 2.025897402e-06f};
constexpr std::initializer_list<float> kErfQ = {
    1.0f, 5.030906796e-01f, 1.145600602e-01f, 1.505517866e-02f, 1.170735923e-03f, 3.783173088e-05f};

// Coefficients such that P(x) / Q(x) approximates e^(x^2) erfc(x) for 0 <= x <= 10.1.
constexpr std::initializer_list<float> kErfcP = {1.0f, 1.238428831e+00f, 7.316234708e-01f,
                                                 2.292280197e-01f, 3.279845417e-02f};
constexpr std::initializer_list<float> kErfcQ = {
    1.0f, 2.366808653e+00f, 2.402271748e+00f, 1.325404763e+00f, 4.063225091e-01f, 5.813305080e-02f};

// Coefficients that do the same, but only within 2.5e-5, for Accuracy::kBf16.
constexpr std::initializer_list<float> kShortErfcP = {1.000024557e+00f, 7.882082462e-01f,
                                                      2.507826090e-01f};
constexpr std::initializer_list<float> kShortErfcQ = {1.0f, 1.917665362e+00f, 1.407085776e+00f,
                                                      4.440134466e-01f};

// Coefficients of polynomials in t^2 that approximate (atan(t) - t) / t^3 for |t| <= 1, and
// (asin(t) - t) / t^3 for |t| <= 1/2.
constexpr std::initializer_list<float> kAtan = {
    -3.333315253e-01f, 1.999377310e-01f, -1.421105713e-01f, 1.066600904e-01f,
    -7.552222908e-02f, 4.321195930e-02f, -1.636798494e-02f, 2.920706058e-03f};
constexpr std::initializer_list<float> kAsin = {
    1.666675359e-01f, 7.495241612e-02f, 4.547709227e-02f, 2.414762601e-02f, 4.221852869e-02f};

}  // namespace

Value VectorProgram::Polynomial(Value x, std::initializer_list<float> coefficients) {
  const float* c = coefficients.end();
  Value sum = Constant(*--c);
  while (c != coefficients.begin()) sum = Fma(sum, x, Constant(*--c));
  return sum;
}

Value VectorProgram::Clamp(Value a, float low, float high) {
  return Min(Constant(high), Max(Constant(low), a));
}

Value VectorProgram::ExpOfSmall(Value r) {
  return Fma(Fma(Polynomial(r, kExpTail), r, Constant(1)), r, Constant(1));
}

Value VectorProgram::ShortExp(Value x) {
  const Value n = Round(Mul(x, Constant(kLog2E)));
  const Value f = Fma(x, Constant(kLog2E), Neg(n));
  return Binary(Opcode::kScale, Polynomial(f, kShortExp2), n);
}

// Computes e^a as 2^n e^r with n = round(a / ln 2) and r = a - n ln 2; for Accuracy::kBf16 by
// ShortExp(). The clamp keeps n in range; beyond the clamp the result is 0 or infinite in any case.
// If a is -|x| or -x^2 by construction, the clamp has no upper limit.
Value VectorProgram::Exp(Value a) {
  const Instruction inner = Is(a, Opcode::kNeg) ? instructions_[instructions_[a].a] : Instruction{};
  const bool never_positive =
      inner.opcode == Opcode::kAbs || (inner.opcode == Opcode::kMul && inner.a == inner.b);
  const Value x = never_positive ? Max(Constant(-104), a) : Clamp(a, -104, 89);
  if (accuracy_ == Accuracy::kBf16) return ShortExp(x);
  const Value n = Round(Mul(x, Constant(kLog2E)));
  Value r = Fma(n, Constant(-kLn2), x);
  r = Fma(n, Constant(-kLn2Low), r);
  return Binary(Opcode::kScale, ExpOfSmall(r), n);
}

// Computes log(a) as e ln 2 + log(1 + r), where a = 2^e (1 + r) and 1 + r is in [2/3, 4/3).
// Subtracting the bits of 2/3 from the bits of a, as integers, leaves e in the exponent's bits,
// whatever the mantissa.
Value VectorProgram::Log(Value a) {
  const Value tiny = Less(a, Constant(std::numeric_limits<float>::min()));
  const Value x = Select(tiny, Mul(a, Constant(0x1p23f)), a);
  const Value exponent = Shift(Opcode::kShiftRightArithmetic,
                               Binary(Opcode::kBitSub, x, ConstantBits(0x3f2aaaab)), 23);
  const Value mantissa = Binary(Opcode::kBitSub, x, Shift(Opcode::kShiftLeft, exponent, 23));
  const Value e =
      Add(Unary(Opcode::kFromInteger, exponent), Select(tiny, Constant(-23), Constant(0)));
  const Value r = Sub(mantissa, Constant(1));
  const Value square = Mul(r, r);
  Value tail = Mul(Mul(square, r), Polynomial(r, kLog));
  tail = Fma(e, Constant(kLn2Rest), tail);
  tail = Fma(square, Constant(-0.5f), tail);
  Value y = Fma(e, Constant(kLn2Short), Add(r, tail));
  y = Select(Less(a, Constant(kInfinity)), y, a);  // infinity and NaN are their own logarithms
  y = Select(Equal(a, Constant(0)), Constant(-kInfinity), y);
  return Select(Less(a, Constant(0)), Constant(kNaN), y);
}

Value VectorProgram::SinOfQuadrant(Value a, float quadrants) {
  const Value n = Round(Mul(a, Constant(0.636619772367581343f)));
  Value r = Fma(n, Constant(-kHalfPi), a);
  r = Fma(n, Constant(-kHalfPiLow), r);
  r = Fma(n, Constant(-kHalfPiLowest), r);
  const Value square = Mul(r, r);
  const Value sine = Fma(Mul(square, r), Polynomial(square, kSin), r);
  const Value cosine =
      Fma(Mul(square, square), Polynomial(square, kCos), Fma(square, Constant(-0.5f), Constant(1)));
  const Value quadrant = Add(n, Constant(quadrants));
  const Value half_turns = Floor(Mul(quadrant, Constant(0.5f)));
  const Value is_odd = Less(Constant(0), Fma(half_turns, Constant(-2), quadrant));
  const Value sign = Shift(Opcode::kShiftLeft, Unary(Opcode::kToInteger, half_turns), 31);
  return Binary(Opcode::kBitXor, Select(is_odd, cosine, sine), sign);
}

Value VectorProgram::Sin(Value a) { return SinOfQuadrant(a, 0); }
Value VectorProgram::Cos(Value a) { return SinOfQuadrant(a, 1); }
Value VectorProgram::Tan(Value a) { return Div(Sin(a), Cos(a)); }

// For |a| > 9 the polynomials are evaluated at 9 but multiplied by a; the quotient is then above 1
// in magnitude, and the clamp makes it 1 or -1. The clamp also removes rounding errors by which the
// quotient exceeds 1 within the range of the approximation.
Value VectorProgram::Tanh(Value a) {
  const Value square = Min(Constant(81), Mul(a, a));
  const Value y = Div(Mul(a, Polynomial(square, kTanhP)), Polynomial(square, kTanhQ));
  return Clamp(y, -1, 1);
}

// Computes e^-a for Sigmoid. The clamp of a to [-88, 87] keeps the result a normal, finite number;
// beyond it, sigmoid(a) is 1 to the last bit or below 1e-38.
Value VectorProgram::ExpOfNegative(Value a) {
  const Value x = Clamp(a, -88, 87);
  const Value n = Round(Mul(x, Constant(-kLog2E)));
  // The fused multiply-add computes f = -x log2(e) - n without rounding the product, so that f is
  // as accurate as the constant log2(e).
  const Value f = Fma(x, Constant(-kLog2E), Neg(n));
  const auto& coefficients = accuracy_ == Accuracy::kBf16 ? kShortExp2 : kExp2;
  return Emit({.opcode = Opcode::kScale, .slot = 1, .a = Polynomial(f, coefficients), .b = n});
}

// If a is -b by construction (WithoutSign()), computes sigmoid(a) as e^-b sigmoid(b). The
// derivative sigmoid(b) sigmoid(-b) then needs only products in addition to sigmoid(b).
Value VectorProgram::Sigmoid(Value a) {
  const Value opposite = WithoutSign(a);
  if (opposite != a) return Mul(ExpOfNegative(opposite), Sigmoid(opposite));
  return Reciprocal(Add(ExpOfNegative(a), Constant(1)));
}

Value VectorProgram::Erf(Value a) {
  const Value square = Min(Constant(3.95f * 3.95f), Mul(a, a));
  const Value y = Div(Mul(a, Polynomial(square, kErfP)), Polynomial(square, kErfQ));
  return Clamp(y, -1, 1);
}

// Computes erfc(|a|) as e^(-a^2) times a quotient of polynomials; erfc(-a) is 2 - erfc(a). `lost`
// is the rounding error of a^2, which a first-order correction removes (not for Accuracy::kBf16).
// The derivative of erfc contains e^(-a^2) too and shares it.
Value VectorProgram::Erfc(Value a) {
  const Value size = Min(Constant(10.1f), Abs(a));
  const Value square = Mul(a, a);
  const Value power = Exp(Neg(square));
  if (accuracy_ == Accuracy::kBf16) {
    const Value y = Mul(power, Div(Polynomial(size, kShortErfcP), Polynomial(size, kShortErfcQ)));
    return Select(IsNegative(a), Sub(Constant(2), y), y);
  }
  const Value lost = Emit(
      {.opcode = Opcode::kMulSub, .a = size, .b = size, .c = Min(Constant(10.1f * 10.1f), square)});
  const Value quotient = Div(Polynomial(size, kErfcP), Polynomial(size, kErfcQ));
  const Value y = Mul(Sub(power, Mul(power, lost)), quotient);
  return Select(IsNegative(a), Sub(Constant(2), y), y);
}

// Returns the mask a < 0. If a is x times a negative constant, the mask is 0 < x, which does not
// need the product.
Value VectorProgram::IsNegative(Value a) {
  float factor;
  const Value multiple = NegativeMultiple(a, &factor);
  return multiple < 0 ? Less(a, Constant(0)) : Less(Constant(0), multiple);
}

// Computes e^a - 1 as 2^n (e^r - 1) + (2^n - 1). The code computes half of that and doubles it,
// because 2^n may be 2^128, which f32 cannot represent.
Value VectorProgram::Expm1(Value a) {
  const Value x = Clamp(a, -104, 89);
  const Value n = Round(Mul(x, Constant(kLog2E)));
  Value r = Fma(n, Constant(-kLn2), x);
  r = Fma(n, Constant(-kLn2Low), r);
  const Value tail = Polynomial(r, kExpTail);
  const Value small = Fma(Mul(r, r), tail, r);
  const Value half = Binary(Opcode::kScale, Constant(0.5f), n);
  const Value y = Fma(half, small, Sub(half, Constant(0.5f)));
  return Add(y, y);
}

// Computes log(1 + a) as log(w) + lost / w, where w is 1 + a rounded to f32 and `lost` is the
// rounding error, 1 + a - w. The term lost / w corrects log(w) to first order, since 1 / w is the
// derivative of log at w. If a is at most -1, infinite or NaN, the result is log(w).
Value VectorProgram::Log1p(Value a) {
  const Value w = Binary(Opcode::kAdd, a, Constant(1));
  const Value lost = Sub(a, Binary(Opcode::kSub, w, Constant(1)));
  const Value logarithm = Log(w);
  const Value y = Add(logarithm, Div(lost, w));
  const Value regular = And(Less(Constant(-1), a), Less(a, Constant(kInfinity)));
  return Select(regular, y, logarithm);
}

Value VectorProgram::CopySign(Value size, Value sign) {
  return Binary(Opcode::kBitOr, size, Binary(Opcode::kBitAnd, sign, ConstantBits(0x80000000)));
}

// For |a| > 20 the magnitude of the result is e^(|a|/2) squared and halved, in an order that
// overflows only if sinh does.
Value VectorProgram::Sinh(Value a) {
  const Value size = Abs(a);
  const Value e = Expm1(size);
  const Value small = Mul(Constant(0.5f), Add(e, Div(e, Add(e, Constant(1)))));
  const Value root = Exp(Mul(size, Constant(0.5f)));
  const Value large = Mul(Mul(root, Constant(0.5f)), root);
  return CopySign(Select(Less(Constant(20), size), large, small), a);
}

Value VectorProgram::Cosh(Value a) {
  const Value root = Exp(Mul(Abs(a), Constant(0.5f)));
  const Value half = Mul(root, Constant(0.5f));
  return Fma(half, root, Div(Constant(0.25f), Mul(half, root)));
}

// Computes asin(t) for |t| <= 1/2. For larger arguments, Asin and Acos use asin(x) = pi/2 - 2
// asin(sqrt((1 - x)/2)).
Value VectorProgram::AsinOfSmall(Value t) {
  const Value square = Mul(t, t);
  return Fma(Mul(square, t), Polynomial(square, kAsin), t);
}

Value VectorProgram::Asin(Value a) {
  const Value size = Abs(a);
  const Value is_large = Less(Constant(0.5f), size);
  const Value folded = Sqrt(Fma(size, Constant(-0.5f), Constant(0.5f)));
  const Value inner = AsinOfSmall(Select(is_large, folded, size));
  const Value outer = Add(Fma(inner, Constant(-2), Constant(kHalfPi)), Constant(kHalfPiLow));
  return CopySign(Select(is_large, outer, inner), a);
}

Value VectorProgram::Acos(Value a) {
  const Value size = Abs(a);
  const Value is_large = Less(Constant(0.5f), size);
  const Value folded = Sqrt(Fma(size, Constant(-0.5f), Constant(0.5f)));
  const Value inner = AsinOfSmall(Select(is_large, folded, size));
  const Value negative = Less(a, Constant(0));
  const Value twice = Add(inner, inner);
  const Value near_end =
      Select(negative, Sub(Constant(2 * kHalfPi), Add(twice, Constant(-2 * kHalfPiLow))), twice);
  const Value middle = Add(Sub(Constant(kHalfPi), CopySign(inner, a)), Constant(kHalfPiLow));
  return Select(is_large, near_end, middle);
}

Value VectorProgram::Atan(Value a) {
  const Value size = Abs(a);
  const Value is_large = Less(Constant(1), size);
  const Value t = Select(is_large, Reciprocal(size), size);
  const Value square = Mul(t, t);
  const Value inner = Fma(Mul(square, t), Polynomial(square, kAtan), t);
  const Value outer = Add(Sub(Constant(kHalfPi), inner), Constant(kHalfPiLow));
  return CopySign(Select(is_large, outer, inner), a);
}

// Computes asinh(x) for x = |a| as log1p(x + x^2 / (1 + sqrt(1 + x^2))), and for x > 1e9 as
// log(2x), since x^2 could overflow.
Value VectorProgram::Asinh(Value a) {
  const Value size = Abs(a);
  const Value square = Mul(size, size);
  const Value root = Sqrt(Add(square, Constant(1)));
  const Value small = Log1p(Add(size, Div(square, Add(root, Constant(1)))));
  const Value large = Add(Log(size), Constant(kLn2));
  return CopySign(Select(Less(Constant(1e9f), size), large, small), a);
}

Value VectorProgram::Acosh(Value a) {
  const Value t = Sub(a, Constant(1));
  const Value small = Log1p(Add(t, Sqrt(Mul(t, Add(t, Constant(2))))));
  const Value large = Add(Log(a), Constant(kLn2));
  return Select(Less(Constant(1e9f), a), large, small);
}

Value VectorProgram::Atanh(Value a) {
  const Value size = Abs(a);
  const Value y = Log1p(Div(Add(size, size), Sub(Constant(1), size)));
  return CopySign(Mul(y, Constant(0.5f)), a);
}

Value VectorProgram::Softplus(Value a) { return Add(Max(Constant(0), a), Log1p(Exp(Neg(Abs(a))))); }

Value VectorProgram::IntegerPower(Value a, int exponent) {
  Value result = -1;
  for (Value power = a; exponent > 0; exponent >>= 1) {
    if (exponent & 1) result = result < 0 ? power : Mul(result, power);
    if (exponent > 1) power = Mul(power, power);
  }
  return result;
}

// Constant exponents 0, 1/2, -1/2 and whole numbers up to 32 in magnitude have short ways.
// Otherwise computes |a|^b as e^(b log|a|); the sign and the special cases follow. The logarithm
// and the product are sums of two floats each (a head and a tail), because the exponential turns
// their absolute error into a relative error of the result.
Value VectorProgram::Pow(Value a, Value b) {
  float exponent;
  if (IsConstant(b, &exponent)) {
    if (exponent == 0) return Constant(1);
    if (std::fabs(exponent) == 0.5f) {
      // Unlike the square root, the power of -0 is 0 and that of -infinity is infinity.
      Value base = Select(Equal(a, Constant(0)), Constant(0), a);
      base = Select(Equal(a, Constant(-kInfinity)), Constant(kInfinity), base);
      return exponent > 0 ? Sqrt(base) : Reciprocal(Sqrt(base));
    }
    if (std::fabs(exponent) <= 32 && exponent == std::floor(exponent)) {
      const Value power = IntegerPower(a, static_cast<int>(std::fabs(exponent)));
      return exponent > 0 ? power : Reciprocal(power);
    }
  }
  const Value size = Abs(a);
  const Value tiny = Less(size, Constant(std::numeric_limits<float>::min()));
  const Value x = Select(tiny, Mul(size, Constant(0x1p23f)), size);
  const Value bits = Shift(Opcode::kShiftRightArithmetic,
                           Binary(Opcode::kBitSub, x, ConstantBits(0x3f2aaaab)), 23);
  const Value mantissa = Binary(Opcode::kBitSub, x, Shift(Opcode::kShiftLeft, bits, 23));
  const Value e = Add(Unary(Opcode::kFromInteger, bits), Select(tiny, Constant(-23), Constant(0)));
  const Value r = Sub(mantissa, Constant(1));

  // log(1 + r) = r - r^2/2 + ...: the head is r - half, where `half` is r^2/2. The tail is what
  // this subtraction rounded away, plus the rest of the series.
  const Value half_r = Mul(r, Constant(0.5f));
  const Value half = Mul(half_r, r);
  const Value half_tail = Emit({.opcode = Opcode::kMulSub, .a = half_r, .b = r, .c = half});
  const Value series_head = Binary(Opcode::kSub, r, half);
  Value series_tail = Sub(Sub(Sub(r, series_head), half), half_tail);
  series_tail = Fma(Mul(Mul(r, r), r), Polynomial(r, kLog), series_tail);
  // `head` is `scale` + series_head, rounded. What this rounding loses is computed exactly as the
  // first value of `tail` (Dekker 1971). That needs |scale| >= |series_head|, which holds unless
  // `scale` is 0; then nothing is lost, and `tail` is 0. What is added to `tail` afterwards is
  // rounded.
  const Value scale = Mul(e, Constant(kLn2Short));
  const Value head = Binary(Opcode::kAdd, scale, series_head);
  Value tail = Sub(series_head, Binary(Opcode::kSub, head, scale));
  tail = Add(Fma(e, Constant(kLn2Rest), tail), series_tail);
  const Value log_head = Binary(Opcode::kAdd, head, tail);
  const Value log_tail = Sub(tail, Binary(Opcode::kSub, log_head, head));

  const Value product = Clamp(Binary(Opcode::kMul, b, log_head), -104, 89);
  const Value product_tail =
      Fma(b, log_tail, Emit({.opcode = Opcode::kMulSub, .a = b, .b = log_head, .c = product}));
  const Value n = Round(Mul(product, Constant(kLog2E)));
  Value f = Fma(n, Constant(-kLn2), product);
  f = Add(Fma(n, Constant(-kLn2Low), f), Clamp(product_tail, -1e-3f, 1e-3f));
  Value y = Binary(Opcode::kScale, ExpOfSmall(f), n);

  // Special cases: powers of 0 and infinity, infinite exponents, powers of negative numbers with
  // integer and other exponents, NaN, x^0 and 1^y.
  const Value zero = Constant(0);
  const Value infinity = Constant(kInfinity);
  const Value to_positive = Less(zero, b);
  y = Select(Equal(size, zero), Select(to_positive, zero, infinity), y);
  y = Select(Equal(size, infinity), Select(to_positive, infinity, zero), y);
  const Value grows = Less(Constant(1), size);
  const Value infinite_power = Equal(Abs(b), infinity);
  y = Select(
      infinite_power,
      Select(grows, Select(to_positive, infinity, zero), Select(to_positive, zero, infinity)), y);
  const Value is_integer = Equal(Floor(b), b);
  const Value half_b = Mul(b, Constant(0.5f));
  const Value is_odd = And(is_integer, Not(Equal(Floor(half_b), half_b)));
  const Value sign = Binary(Opcode::kBitAnd, a, ConstantBits(0x80000000));
  y = Select(is_odd, Binary(Opcode::kBitOr, y, sign), y);
  const Value no_real = And(And(Less(a, zero), Less(size, infinity)), Not(is_integer));
  y = Select(no_real, Constant(kNaN), y);
  y = Select(And(Equal(a, a), Equal(b, b)), y, Binary(Opcode::kAdd, a, b));
  const Value is_one = Or(Equal(a, Constant(1)), And(Equal(size, Constant(1)), infinite_power));
  return Select(Or(Equal(b, zero), is_one), Constant(1), y);
}

}  // namespace cotangent::autodiff::codegen
