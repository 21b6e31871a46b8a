#ifndef COTANGENT_AUTODIFF_CODEGEN_VECTOR_PROGRAM_H_
#define COTANGENT_AUTODIFF_CODEGEN_VECTOR_PROGRAM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/element_type.h"

namespace cotangent::autodiff::codegen {

// The types of elements in memory. All arithmetic is in f32 (32-bit floats); loads convert to f32,
// and stores convert back:
//
//   kF32   unchanged
//   kBf16  the upper half of an f32; stores round to nearest even (a denormal may become zero, a
//          NaN stays a NaN)
//   kU8    0..255; stores round to nearest even and clamp to the range; NaN becomes 0
//   kS8    -128..127; likewise, but NaN becomes -128
//   kS32   loads are exact up to 2^24; stores round to nearest even; values outside the range of
//          int32, and NaN, become INT32_MIN
//
// Vector programs do not support kF64.
using cotangent::ElementType;

// Says whether an output is read again soon (kCached), or is so large that its stores should bypass
// the caches (kStreaming). With kStreaming, a compiled kernel uses non-temporal stores for full
// vectors of elements of 2 and 4 bytes if the kernel is flat (its data is one long row) or rows are
// a multiple of a vector long, and if the addresses of all streaming outputs are aligned for such
// stores; otherwise ordinary stores.
enum class StoreHint : uint8_t { kCached, kStreaming };

// The accuracy of the elementary functions. kBf16 is for results that are stored as bf16, which
// rounds them by up to 2e-3 of their value. With kBf16, Exp, Sigmoid and Erfc, of which most
// activations and their derivatives are made, have relative errors of up to 1.2e-4 and take two
// thirds as many operations as with kF32. Functions that contain them (Sinh, Cosh, Softplus) change
// with them; the others are the same in both.
enum class Accuracy : uint8_t { kF32, kBf16 };

// The number of a value of a program; every operation of VectorProgram that computes something
// returns one. For each element, a value holds either a float or a truth value (then the value is a
// "mask", the result of a comparison). VectorProgram::IsMask tells which.
using Value = int32_t;

// The primitive operations. The elementary functions (Exp, Tanh, ...) are not among them: the
// builder, VectorProgram, writes them in these primitives, so that every back end computes the same
// values and functions share common parts.
enum class Opcode : uint8_t {
  // Operands of the kernel. The field `slot` of Instruction is the position, from 0, in the list of
  // operands of that kind; a constant is in the field `bits`.
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
  kRound,  // rounds to nearest, ties to even
  kScale,  // a * 2^b for integral b; may overflow and underflow; a denormal result may become 0

  // Operations on the bits of a float, for the elementary functions.
  kBitAnd,
  kBitOr,
  kBitXor,
  kBitAdd,     // 32-bit integer addition
  kBitSub,     // 32-bit integer subtraction
  kShiftLeft,  // by `slot` bits
  kShiftRightArithmetic,
  kToInteger,    // float -> int32 bits, to nearest even
  kFromInteger,  // int32 bits -> float
  // Operations with masks. A comparison with a NaN is false.
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
  ElementType type = ElementType::kF32;  // only for kLoad
  // For operands (kLoad, kLoadChannel, kLoadScalar) their index, for shifts the number of bits. For
  // kScale 1 if the result is known to be a normal number.
  int32_t slot = 0;
  Value a = -1, b = -1, c = -1;  // operands, -1 where there are fewer
  uint32_t bits = 0;             // only for kConstant: the float's bits

  friend bool operator==(const Instruction&, const Instruction&) = default;
  template <typename H>
  friend H AbslHashValue(H h, const Instruction& i) {
    return H::combine(std::move(h), i.opcode, i.type, i.slot, i.a, i.b, i.c, i.bits);
  }
};

// A program without branches, in f32 (32-bit floats), that a VectorKernel (vector_kernel.h) applies
// to every element of a block of rows x columns, in one pass over memory. An elementwise formula or
// a chain of elementwise layers compiles to such a program.
//
// Operands come in four kinds. Except for constants, each kind is numbered from 0 in the order of
// the calls that declare its operands:
//
//   Load         one element per (row, column), from an array with any distance between its rows
//   LoadChannel  one float per column, the same in every row (a bias; batch norm's scale)
//   LoadScalar   one float for the whole call (a step size)
//   Constant     a float that is known when the program is built
//
// Results come in two kinds: Store (one element per (row, column)) and Sum (one float per column,
// the sum over the rows).
//
// In a network of NHWC tensors, a row is a pixel and the columns are its channels. In the blocked
// layout nChw16c, a row is a pixel and the columns are 16 of its channels. Max pooling of 2 x 2
// pixels is a program of four Loads whose addresses differ by a pixel and a line. This example adds
// a bias and applies ReLU:
//
//   VectorProgram program;
//   Value x = program.Add(program.Load(ElementType::kF32), program.LoadChannel());
//   program.Store(program.Max(program.Constant(0), x), ElementType::kF32);
//
// The builder shares equal operations, folds constants, and contracts a * b + c into a fused
// multiply-add, which rounds once; in this, results differ from a plain C++ loop. An output may be
// the very same memory as an input with the same element size (in place); otherwise outputs and
// inputs must not overlap.
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
  // Min is a < b ? a : b, and Max is a > b ? a : b. If either operand is NaN, the result is b; so
  // Max(Constant(0), x) keeps a NaN in x, and Max(x, Constant(0)) hides it.
  Value Min(Value a, Value b);
  Value Max(Value a, Value b);
  Value Sqrt(Value a);
  Value Reciprocal(Value a);  // 1 / a, correctly rounded
  Value Floor(Value a);
  Value Round(Value a);        // to nearest, ties to even
  Value Sign(Value a);         // -1, 0, 1; NaN -> NaN
  Value RoundToBf16(Value a);  // the value after a store and a load as kBf16; keeps denormals

  // Elementary functions. The errors stated are, for Accuracy::kF32, bounds that
  // vector_math_test.cc checks in dense samples against double. One ulp (unit in the last place) is
  // 6e-8 to 1.2e-7 of the value. For infinities, NaN and the ends of the domain, results are those
  // of <cmath>, if it has the function.
  Value Exp(Value a);   // 1 ulp; denormal results may flush to 0
  Value Log(Value a);   // 1 ulp
  Value Sin(Value a);   // 1.2e-7 absolute for |a| <= 1e5; no meaning far beyond
  Value Cos(Value a);   // as Sin
  Value Tan(Value a);   // 4 ulp, except near its poles and zeros; |a| <= 1e5
  Value Tanh(Value a);  // 5 ulp; never outside [-1, 1]
  // 1 / (1 + exp(-a)): 5 ulp for a > -10. Below that the relative error is 1.5e-6 down to about a =
  // -87; for smaller a the result does not change any more.
  Value Sigmoid(Value a);
  Value Erf(Value a);           // 5 ulp; never outside [-1, 1]
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
  Value Erfc(Value a);          // 1 - erf(a): 7 ulp for a < 9; erfc(9) is 4e-37
  Value Softplus(Value a);      // log(1 + exp(a)): 4 ulp

  // Masks.
  Value Less(Value a, Value b);
  Value LessEqual(Value a, Value b);
  Value Equal(Value a, Value b);
  Value And(Value a, Value b);
  Value Or(Value a, Value b);
  Value Not(Value a);
  Value Select(Value mask, Value if_true, Value if_false);

  // Declares the next output: the kernel stores `value` as `type`.
  void Store(Value value, ElementType type, StoreHint hint = StoreHint::kCached);

  // Declares the next sum: the kernel adds the sum of `value` over the rows to sums[i][column],
  // where i is the number of the sum. A flat kernel (KernelOptions, vector_kernel.h) adds the sum
  // over all elements to sums[i][0].
  void Sum(Value value);

  // ---- For the back ends, which compile or interpret a program ----

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

  // Returns the instructions that outputs and sums need, operands before users, in an order that
  // keeps few values alive at a time.
  std::vector<Value> Schedule() const;

  // Returns one line for each scheduled instruction, such as "v7 = MulAdd v3 v5 v6".
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
  // If a is -b by construction, returns b; if a is c * b with a constant c < 0, returns -c * b;
  // otherwise returns a.
  Value WithoutSign(Value a);
  // Returns c[0] + x * (c[1] + x * (...)) for coefficients c.
  Value Polynomial(Value x, std::initializer_list<float> coefficients);
  Value Clamp(Value a, float low, float high);  // NaN stays NaN
  Value IntegerPower(Value a, int exponent);
  Value IsNegative(Value a);
  Value ExpOfSmall(Value r);
  // Returns e^x with the accuracy of kBf16. REQUIRES: -104 <= x <= 89; e^x is 0 or infinite in f32
  // beyond that.
  Value ShortExp(Value x);
  Value ExpOfNegative(Value a);
  Value AsinOfSmall(Value t);
  Value CopySign(Value size, Value sign);  // size >= 0
  // Returns sin(a + quadrants * pi/2).
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

// Computes one primitive operation on one element, as every back end does. A mask is a float with
// all bits set (true) or 0 (false).
float EvaluateInstruction(const Instruction& instruction, float a, float b, float c);

}  // namespace cotangent::autodiff::codegen

#endif  // COTANGENT_AUTODIFF_CODEGEN_VECTOR_PROGRAM_H_
