#ifndef COTANGENT_AUTODIFF_CODEGEN_VECTOR_PROGRAM_H_
#define COTANGENT_AUTODIFF_CODEGEN_VECTOR_PROGRAM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/element_type.h"

namespace cotangent::autodiff::codegen {

// How an operand's elements lie in memory. In registers everything is f32:
//
//   kBf16  upper half of an f32; stored rounded to nearest even (a denormal may become zero, a NaN
//          stays one)
//   kU8    0..255; stored rounded to nearest even and clamped, NaN as 0
//   kS8    -128..127; likewise, NaN as -128
//   kS32   exact up to 2^24; stored rounded to nearest even, INT32_MIN when outside int32
//
// Programs know no kF64.
using cotangent::ElementType;

// Whether an output is soon read again (kCached) or so large that it should go past the caches
// (kStreaming: non-temporal stores where the address is aligned for them, ordinary ones elsewhere).
enum class StoreHint : uint8_t { kCached, kStreaming };

// How good the elementary functions are. kBf16 is for numbers that are kept in bf16, where a
// rounding is 2e-3 of the value: Exp, Sigmoid and Erfc, from which most activations and their
// derivatives are made, are then within 1.2e-4 of theirs, for two thirds of the operations. The
// other functions stay as they are.
enum class Accuracy : uint8_t { kF32, kBf16 };

// A value of a program: every operation gives a new one. Numbers and masks (truth values, from the
// comparisons) are both Values; which one a Value is, VectorProgram::IsMask tells.
using Value = int32_t;

// The primitive operations. The elementary functions (Exp, Tanh, ...) are not among them: the
// builder writes them out in these, so that every back end computes them alike and common parts are
// shared.
enum class Opcode : uint8_t {
  // Operands of the kernel; `slot` is the position in its list.
  kLoad,
  kLoadChannel,
  kLoadScalar,
  kConstant,
  // Arithmetic.
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMulAdd,     // a * b + c, rounded once
  kMulSub,     // a * b - c
  kNegMulAdd,  // c - a * b
  kNeg,
  kAbs,
  kMin,  // a < b ? a : b
  kMax,  // a > b ? a : b
  kSqrt,
  kFloor,
  kRound,  // to nearest, ties to even
  kScale,  // a * 2^b for integral b, correct to overflow and underflow (denormal results may flush
           // to 0)
  // On the bits of a float, for the elementary functions.
  kBitAnd,
  kBitOr,
  kBitXor,
  kBitAdd,     // 32-bit integer addition
  kBitSub,     // 32-bit integer subtraction
  kShiftLeft,  // by `slot` bits
  kShiftRightArithmetic,
  kToInteger,    // float -> int32 bits, to nearest even
  kFromInteger,  // int32 bits -> float
  // Masks. A comparison with a NaN is false.
  kLess,
  kLessEqual,
  kEqual,
  kMaskAnd,
  kMaskOr,
  kMaskNot,
  kSelect,  // mask a ? b : c
};

struct Instruction {
  Opcode opcode;
  ElementType type = ElementType::kF32;  // of kLoad
  int32_t slot = 0;                      // of the operand loads: index; of the shifts: count
  Value a = -1, b = -1, c = -1;          // operands, -1 where there are fewer
  uint32_t bits = 0;                     // of kConstant: the float's bits

  friend bool operator==(const Instruction&, const Instruction&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Instruction& i) {
    return H::combine(std::move(h), i.opcode, i.type, i.slot, i.a, i.b, i.c, i.bits);
  }
};

// A straight-line program in f32 that a VectorKernel applies to every element of a block of rows x
// columns, in one pass over memory: what an elementwise formula, or a chain of elementwise layers,
// compiles to.
//
// Operands come in four kinds, each numbered from 0 in the order of the calls that declare them:
//
//   Load         one element per (row, column), from an array with any distance between its rows
//   LoadChannel  one float per column, the same in every row (a bias; batch norm's scale)
//   LoadScalar   one float for the whole call (a step size)
//   Constant     known now
//
// and results leave in two: Store (one element per (row, column)) and Sum (per column, over the
// rows).
//
// In a network of NHWC tensors a row is a pixel and the columns are its channels; in the blocked
// nChw16c layout, a row is a pixel and the columns are 16 channels. Max pooling is a program of
// four Loads whose addresses differ by a pixel and a line. Example, bias and ReLU:
//
//   VectorProgram program;
//   Value x = program.Add(program.Load(ElementType::kF32), program.LoadChannel());
//   program.Store(program.Max(program.Constant(0), x), ElementType::kF32);
//
// The builder shares equal operations, folds constants, and contracts a * b + c into one rounding:
// results differ from a plain C++ loop by such roundings. An output may be the very same memory as
// an input with the same element size (in place); otherwise the two must not overlap.
class VectorProgram {
 public:
  explicit VectorProgram(Accuracy accuracy = Accuracy::kF32) : accuracy_(accuracy) {}

  Value Load(ElementType type);
  Value LoadChannel();
  Value LoadScalar();
  Value Constant(float value);

  Value Add(Value a, Value b);
  Value Sub(Value a, Value b);
  Value Mul(Value a, Value b);
  Value Div(Value a, Value b);
  Value Fma(Value a, Value b, Value c);  // a * b + c
  Value Neg(Value a);
  Value Abs(Value a);
  // a < b ? a : b and a > b ? a : b: where either is NaN the result is b, so Max(Constant(0), x)
  // keeps a NaN in x, and Max(x, Constant(0)) hides it.
  Value Min(Value a, Value b);
  Value Max(Value a, Value b);
  Value Sqrt(Value a);
  Value Reciprocal(Value a);  // 1 / a, correctly rounded
  Value Floor(Value a);
  Value Round(Value a);        // ties to even
  Value Sign(Value a);         // -1, 0, 1; NaN -> NaN
  Value RoundToBf16(Value a);  // what storing as kBf16 and loading give; denormals are kept

  // Elementary functions. Errors, with Accuracy::kF32, are the largest found over dense samples
  // against double (vector_math_test.cc), one ulp being 6e-8 to 1.2e-7 of the value. Infinities,
  // NaN and the ends of the domain give what <cmath> gives.
  Value Exp(Value a);      // 1 ulp; denormal results may flush to 0
  Value Log(Value a);      // 1 ulp
  Value Sin(Value a);      // 1.2e-7 absolute for |a| <= 1e5; no meaning far beyond
  Value Cos(Value a);      // likewise
  Value Tan(Value a);      // 4 ulp away from its poles and zeros, |a| <= 1e5
  Value Tanh(Value a);     // 5 ulp; never outside [-1, 1]
  Value Sigmoid(Value a);  // 1 / (1 + exp(-a)): 5 ulp for a > -10, 1.5e-6 relative down to -87,
                           // where it stops
  Value Erf(Value a);      // 5 ulp; never outside [-1, 1]
  Value Pow(Value a, Value b);  // 2 ulp; by multiplications for small constant integers b
  Value Expm1(Value a);         // 2 ulp
  Value Log1p(Value a);         // 2 ulp
  Value Sinh(Value a);          // 4 ulp
  Value Cosh(Value a);          // 3 ulp
  Value Asin(Value a);          // 4 ulp
  Value Acos(Value a);          // 4 ulp
  Value Atan(Value a);          // 3 ulp
  Value Asinh(Value a);         // 4 ulp
  Value Acosh(Value a);         // 4 ulp
  Value Atanh(Value a);         // 4 ulp
  Value Erfc(Value a);          // 1 - erf(a): 7 ulp for a < 9, where it is 4e-37
  Value Softplus(Value a);      // log(1 + exp(a)): 4 ulp

  // Masks.
  Value Less(Value a, Value b);
  Value LessEqual(Value a, Value b);
  Value Equal(Value a, Value b);
  Value And(Value a, Value b);
  Value Or(Value a, Value b);
  Value Not(Value a);
  Value Select(Value mask, Value if_true, Value if_false);

  // Declares the next output stream.
  void Store(Value value, ElementType type, StoreHint hint = StoreHint::kCached);

  // Declares the next sum: sums[i][column] += the sum of `value` over the rows. In a flat kernel
  // sums[i][0] += the sum over all elements.
  void Sum(Value value);

  // ---- What the back ends read ----

  struct Output {
    Value value;
    ElementType type;
    StoreHint hint;
  };

  const std::vector<Instruction>& instructions() const { return instructions_; }
  const std::vector<ElementType>& loads() const { return loads_; }
  int num_channels() const { return num_channels_; }
  int num_scalars() const { return num_scalars_; }
  const std::vector<Output>& outputs() const { return outputs_; }
  const std::vector<Value>& sums() const { return sums_; }

  bool IsMask(Value value) const;

  // The instructions that outputs and sums need, operands before users, ordered to keep few values
  // alive at a time.
  std::vector<Value> Schedule() const;

  // One line per scheduled instruction, as in "v7 = MulAdd v3 v5 v6".
  std::string DebugString() const;

 private:
  Value Emit(Instruction instruction);
  Value Binary(Opcode opcode, Value a, Value b);
  Value Unary(Opcode opcode, Value a);
  Value Shift(Opcode opcode, Value a, int count);
  Value ConstantBits(uint32_t bits);
  bool IsConstant(Value value, float* constant = nullptr) const;
  bool Is(Value value, Opcode opcode) const;
  Value NegativeMultiple(Value a, float* factor) const;
  Value WithoutSign(Value a);  // b where a is -b by construction, else a
  // c[0] + x * (c[1] + x * (...)).
  Value Polynomial(Value x, std::initializer_list<float> coefficients);
  Value Clamp(Value a, float low, float high);  // NaN stays NaN
  Value IntegerPower(Value a, int exponent);
  Value IsNegative(Value a);
  Value ExpOfSmall(Value r);
  // 2^(x log2(e)), for x that is clamped.
  Value ShortExp(Value x);
  Value ExpOfNegative(Value a);
  Value AsinOfSmall(Value t);
  Value CopySign(Value size, Value sign);  // size >= 0
  // sin(a + quadrants * pi/2).
  Value SinOfQuadrant(Value a, float quadrants);

  Accuracy accuracy_;
  std::vector<Instruction> instructions_;
  absl::flat_hash_map<Instruction, Value> index_;
  std::vector<ElementType> loads_;
  int num_channels_ = 0;
  int num_scalars_ = 0;
  std::vector<Output> outputs_;
  std::vector<Value> sums_;
};

// One primitive on one element, as every back end computes it (a mask is any value with all bits
// set, or zero).
float EvaluateInstruction(const Instruction& instruction, float a, float b, float c);

}  // namespace cotangent::autodiff::codegen

#endif  // COTANGENT_AUTODIFF_CODEGEN_VECTOR_PROGRAM_H_
