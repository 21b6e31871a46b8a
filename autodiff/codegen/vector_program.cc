#include "autodiff/codegen/vector_program.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cotangent::autodiff::codegen {
namespace {

constexpr const char* kNames[] = {"Load",       "LoadChannel",
                                  "LoadScalar", "Constant",
                                  "Add",        "Sub",
                                  "Mul",        "Div",
                                  "MulAdd",     "MulSub",
                                  "NegMulAdd",  "Neg",
                                  "Abs",        "Min",
                                  "Max",        "Sqrt",
                                  "Floor",      "Round",
                                  "Scale",      "BitAnd",
                                  "BitOr",      "BitXor",
                                  "BitAdd",     "BitSub",
                                  "ShiftLeft",  "ShiftRightArithmetic",
                                  "ToInteger",  "FromInteger",
                                  "Less",       "LessEqual",
                                  "Equal",      "MaskAnd",
                                  "MaskOr",     "MaskNot",
                                  "Select"};

uint32_t Bits(float x) { return std::bit_cast<uint32_t>(x); }
float FromBits(uint32_t x) { return std::bit_cast<float>(x); }
float Truth(bool x) { return FromBits(x ? ~0u : 0u); }

bool IsOperandLoad(Opcode opcode) { return opcode <= Opcode::kConstant; }

bool Commutes(Opcode opcode) {
  switch (opcode) {
    case Opcode::kAdd:
    case Opcode::kMul:
    case Opcode::kBitAnd:
    case Opcode::kBitOr:
    case Opcode::kBitXor:
    case Opcode::kBitAdd:
    case Opcode::kEqual:
    case Opcode::kMaskAnd:
    case Opcode::kMaskOr:
      return true;
    default:
      return false;
  }
}

float Scale(float a, float b) {
  if (!(std::fabs(b) <= 400)) b = std::isnan(b) ? 0 : std::copysign(400.0f, b);
  return std::ldexp(a, static_cast<int>(b));
}

float ToInteger(float a) {
  const float rounded = std::nearbyint(a);
  const bool fits = rounded >= -0x1p31f && rounded < 0x1p31f;
  return FromBits(fits ? static_cast<uint32_t>(static_cast<int32_t>(rounded)) : 0x80000000u);
}

}  // namespace

float EvaluateInstruction(const Instruction& instruction, float a, float b, float c) {
  switch (instruction.opcode) {
    case Opcode::kLoad:
    case Opcode::kLoadChannel:
    case Opcode::kLoadScalar:
      return a;
    case Opcode::kConstant:
      return FromBits(instruction.bits);
    case Opcode::kAdd:
      return a + b;
    case Opcode::kSub:
      return a - b;
    case Opcode::kMul:
      return a * b;
    case Opcode::kDiv:
      return a / b;
    case Opcode::kMulAdd:
      return std::fma(a, b, c);
    case Opcode::kMulSub:
      return std::fma(a, b, -c);
    case Opcode::kNegMulAdd:
      return std::fma(-a, b, c);
    case Opcode::kNeg:
      return -a;
    case Opcode::kAbs:
      return std::fabs(a);
    case Opcode::kMin:
      return a < b ? a : b;
    case Opcode::kMax:
      return a > b ? a : b;
    case Opcode::kSqrt:
      return std::sqrt(a);
    case Opcode::kFloor:
      return std::floor(a);
    case Opcode::kRound:
      return std::nearbyint(a);
    case Opcode::kScale:
      return Scale(a, b);
    case Opcode::kBitAnd:
      return FromBits(Bits(a) & Bits(b));
    case Opcode::kBitOr:
      return FromBits(Bits(a) | Bits(b));
    case Opcode::kBitXor:
      return FromBits(Bits(a) ^ Bits(b));
    case Opcode::kBitAdd:
      return FromBits(Bits(a) + Bits(b));
    case Opcode::kBitSub:
      return FromBits(Bits(a) - Bits(b));
    case Opcode::kShiftLeft:
      return FromBits(Bits(a) << instruction.slot);
    case Opcode::kShiftRightArithmetic:
      return FromBits(static_cast<uint32_t>(static_cast<int32_t>(Bits(a)) >> instruction.slot));
    case Opcode::kToInteger:
      return ToInteger(a);
    case Opcode::kFromInteger:
      return static_cast<float>(static_cast<int32_t>(Bits(a)));
    case Opcode::kLess:
      return Truth(a < b);
    case Opcode::kLessEqual:
      return Truth(a <= b);
    case Opcode::kEqual:
      return Truth(a == b);
    case Opcode::kMaskAnd:
      return FromBits(Bits(a) & Bits(b));
    case Opcode::kMaskOr:
      return FromBits(Bits(a) | Bits(b));
    case Opcode::kMaskNot:
      return FromBits(~Bits(a));
    case Opcode::kSelect:
      return Bits(a) != 0 ? b : c;
  }
  return 0;
}

Value VectorProgram::Emit(Instruction instruction) {
  if (Commutes(instruction.opcode) && instruction.a > instruction.b) {
    std::swap(instruction.a, instruction.b);
  }
  const auto [entry, is_new] = index_.try_emplace(instruction, instructions_.size());
  if (is_new) instructions_.push_back(instruction);
  return entry->second;
}

Value VectorProgram::ConstantBits(uint32_t bits) {
  return Emit({.opcode = Opcode::kConstant, .bits = bits});
}

bool VectorProgram::IsConstant(Value value, float* constant) const {
  if (!Is(value, Opcode::kConstant)) return false;
  if (constant != nullptr) *constant = FromBits(instructions_[value].bits);
  return true;
}

bool VectorProgram::Is(Value value, Opcode opcode) const {
  return instructions_[value].opcode == opcode;
}

bool VectorProgram::IsMask(Value value) const {
  const Opcode opcode = instructions_[value].opcode;
  return opcode >= Opcode::kLess && opcode <= Opcode::kMaskNot;
}

Value VectorProgram::Unary(Opcode opcode, Value a) {
  float x;
  const Instruction instruction{.opcode = opcode, .a = a};
  if (IsConstant(a, &x)) return Constant(EvaluateInstruction(instruction, x, 0, 0));
  return Emit(instruction);
}

Value VectorProgram::Shift(Opcode opcode, Value a, int count) {
  float x;
  const Instruction instruction{.opcode = opcode, .slot = count, .a = a};
  if (IsConstant(a, &x)) return Constant(EvaluateInstruction(instruction, x, 0, 0));
  return Emit(instruction);
}

Value VectorProgram::Binary(Opcode opcode, Value a, Value b) {
  float x, y;
  const Instruction instruction{.opcode = opcode, .a = a, .b = b};
  // Comparisons of constants are not folded, because there are no constant masks.
  if (opcode < Opcode::kLess && IsConstant(a, &x) && IsConstant(b, &y)) {
    return Constant(EvaluateInstruction(instruction, x, y, 0));
  }
  return Emit(instruction);
}

Value VectorProgram::Load(ElementType type) {
  assert(type != ElementType::kF64);
  loads_.push_back(type);
  return Emit(
      {.opcode = Opcode::kLoad, .type = type, .slot = static_cast<int32_t>(loads_.size()) - 1});
}

Value VectorProgram::LoadChannel() {
  return Emit({.opcode = Opcode::kLoadChannel, .slot = num_channels_++});
}

Value VectorProgram::LoadScalar() {
  return Emit({.opcode = Opcode::kLoadScalar, .slot = num_scalars_++});
}

Value VectorProgram::Constant(float value) { return ConstantBits(Bits(value)); }

Value VectorProgram::Add(Value a, Value b) {
  float x;
  if (IsConstant(a)) std::swap(a, b);
  if (IsConstant(b, &x) && x == 0) return a;
  if (Is(b, Opcode::kNeg)) return Sub(a, instructions_[b].a);
  if (Is(a, Opcode::kNeg)) return Sub(b, instructions_[a].a);
  if (Is(a, Opcode::kMul)) return Fma(instructions_[a].a, instructions_[a].b, b);
  if (Is(b, Opcode::kMul)) return Fma(instructions_[b].a, instructions_[b].b, a);
  return Binary(Opcode::kAdd, a, b);
}

Value VectorProgram::Sub(Value a, Value b) {
  float x;
  if (IsConstant(b, &x) && x == 0) return a;
  if (IsConstant(a, &x) && x == 0) return Neg(b);
  if (Is(b, Opcode::kNeg)) return Add(a, instructions_[b].a);
  if (!IsConstant(a) || !IsConstant(b)) {
    if (Is(b, Opcode::kMul)) {
      return Emit(
          {.opcode = Opcode::kNegMulAdd, .a = instructions_[b].a, .b = instructions_[b].b, .c = a});
    }
    if (Is(a, Opcode::kMul)) {
      return Emit(
          {.opcode = Opcode::kMulSub, .a = instructions_[a].a, .b = instructions_[a].b, .c = b});
    }
  }
  return Binary(Opcode::kSub, a, b);
}

// Returns x if a is x times a negative constant, and stores the constant in *factor. Returns -1
// otherwise.
Value VectorProgram::NegativeMultiple(Value a, float* factor) const {
  const Instruction& i = instructions_[a];
  if (i.opcode != Opcode::kMul) return -1;
  if (IsConstant(i.b, factor) && *factor < 0) return i.a;
  if (IsConstant(i.a, factor) && *factor < 0) return i.b;
  return -1;
}

Value VectorProgram::WithoutSign(Value a) {
  float factor;
  if (Is(a, Opcode::kNeg)) return instructions_[a].a;
  const Value multiple = NegativeMultiple(a, &factor);
  return multiple < 0 ? a : Mul(multiple, Constant(-factor));
}

Value VectorProgram::Mul(Value a, Value b) {
  float x;
  // The squares of c x and of -c x become the same value.
  if (a == b && !IsConstant(a)) {
    const Value positive = WithoutSign(a);
    return Binary(Opcode::kMul, positive, positive);
  }
  if (IsConstant(a)) std::swap(a, b);
  if (IsConstant(b, &x) && !IsConstant(a)) {
    if (x == 1) return a;
    if (x == -1) return Neg(a);
  }
  if (Is(a, Opcode::kNeg) && Is(b, Opcode::kNeg)) {
    return Mul(instructions_[a].a, instructions_[b].a);
  }
  // A product with a select of 0 and 1 becomes a select of 0 and the other factor.
  for (const auto& [select, factor] : {std::pair{a, b}, std::pair{b, a}}) {
    const Instruction i = instructions_[select];
    float yes, no;
    if (i.opcode == Opcode::kSelect && IsConstant(i.b, &yes) && IsConstant(i.c, &no)) {
      if (yes == 1 && no == 0) return Select(i.a, factor, i.c);
      if (yes == 0 && no == 1) return Select(i.a, i.b, factor);
    }
  }
  if (Is(a, Opcode::kNeg) && IsConstant(b, &x)) return Mul(instructions_[a].a, Constant(-x));
  return Binary(Opcode::kMul, a, b);
}

Value VectorProgram::Div(Value a, Value b) {
  float x;
  if (IsConstant(b, &x)) {
    int exponent;
    const bool power_of_two = std::fabs(std::frexp(x, &exponent)) == 0.5f;
    if (power_of_two && std::abs(exponent) < 100) return Mul(a, Constant(1 / x));
  }
  return Binary(Opcode::kDiv, a, b);
}

Value VectorProgram::Fma(Value a, Value b, Value c) {
  float x, y, z;
  if (IsConstant(a, &x) && IsConstant(b, &y)) {
    return IsConstant(c, &z) ? Constant(std::fma(x, y, z)) : Add(Mul(a, b), c);
  }
  if (IsConstant(c, &z) && z == 0) return Mul(a, b);
  if (IsConstant(a)) std::swap(a, b);
  if (IsConstant(b, &y) && y == 1) return Add(a, c);
  if (IsConstant(b, &y) && y == -1) return Sub(c, a);
  if (Is(a, Opcode::kNeg)) {
    return Emit({.opcode = Opcode::kNegMulAdd, .a = instructions_[a].a, .b = b, .c = c});
  }
  if (Is(b, Opcode::kNeg)) {
    return Emit({.opcode = Opcode::kNegMulAdd, .a = a, .b = instructions_[b].a, .c = c});
  }
  if (Is(c, Opcode::kNeg)) {
    return Emit({.opcode = Opcode::kMulSub, .a = a, .b = b, .c = instructions_[c].a});
  }
  return Emit({.opcode = Opcode::kMulAdd, .a = a, .b = b, .c = c});
}

Value VectorProgram::Neg(Value a) {
  if (Is(a, Opcode::kNeg)) return instructions_[a].a;
  if (Is(a, Opcode::kSub)) return Sub(instructions_[a].b, instructions_[a].a);
  return Unary(Opcode::kNeg, a);
}

Value VectorProgram::Abs(Value a) {
  if (Is(a, Opcode::kAbs)) return a;
  return Unary(Opcode::kAbs, WithoutSign(a));
}

Value VectorProgram::Min(Value a, Value b) { return Binary(Opcode::kMin, a, b); }
Value VectorProgram::Max(Value a, Value b) { return Binary(Opcode::kMax, a, b); }
Value VectorProgram::Sqrt(Value a) { return Unary(Opcode::kSqrt, a); }
Value VectorProgram::Reciprocal(Value a) { return Div(Constant(1), a); }
Value VectorProgram::Floor(Value a) { return Unary(Opcode::kFloor, a); }
Value VectorProgram::Round(Value a) { return Unary(Opcode::kRound, a); }

// Rounds to nearest even: adds half a unit of the last bit that stays (0x8000), less 1 if that bit
// is 0, and then clears the lower 16 bits. A NaN stays as it is.
Value VectorProgram::RoundToBf16(Value a) {
  const Value odd =
      Binary(Opcode::kBitAnd, Shift(Opcode::kShiftRightArithmetic, a, 16), ConstantBits(1));
  const Value carried =
      Binary(Opcode::kBitAdd, a, Binary(Opcode::kBitAdd, odd, ConstantBits(0x7fff)));
  return Select(Equal(a, a), Binary(Opcode::kBitAnd, carried, ConstantBits(0xffff0000)), a);
}

Value VectorProgram::Sign(Value a) {
  const Value sign = Binary(Opcode::kBitAnd, a, ConstantBits(0x80000000));
  const Value one = Binary(Opcode::kBitOr, sign, Constant(1));
  // If a is a zero or a NaN, 0 < |a| is false and the result is a itself.
  return Select(Less(Constant(0), Abs(a)), one, a);
}

Value VectorProgram::Less(Value a, Value b) { return Binary(Opcode::kLess, a, b); }
Value VectorProgram::LessEqual(Value a, Value b) { return Binary(Opcode::kLessEqual, a, b); }
Value VectorProgram::Equal(Value a, Value b) { return Binary(Opcode::kEqual, a, b); }

Value VectorProgram::And(Value a, Value b) {
  assert(IsMask(a) && IsMask(b));
  return a == b ? a : Emit({.opcode = Opcode::kMaskAnd, .a = a, .b = b});
}

Value VectorProgram::Or(Value a, Value b) {
  assert(IsMask(a) && IsMask(b));
  return a == b ? a : Emit({.opcode = Opcode::kMaskOr, .a = a, .b = b});
}

Value VectorProgram::Not(Value a) {
  assert(IsMask(a));
  if (Is(a, Opcode::kMaskNot)) return instructions_[a].a;
  return Emit({.opcode = Opcode::kMaskNot, .a = a});
}

Value VectorProgram::Select(Value mask, Value if_true, Value if_false) {
  assert(IsMask(mask) && !IsMask(if_true) && !IsMask(if_false));
  if (if_true == if_false) return if_true;
  if (Is(mask, Opcode::kMaskNot)) return Select(instructions_[mask].a, if_false, if_true);
  return Emit({.opcode = Opcode::kSelect, .a = mask, .b = if_true, .c = if_false});
}

void VectorProgram::Store(Value value, ElementType type, StoreHint hint) {
  assert(!IsMask(value) && type != ElementType::kF64);
  outputs_.push_back({value, type, hint});
}

void VectorProgram::Sum(Value value) {
  assert(!IsMask(value));
  sums_.push_back(value);
}

std::vector<Value> VectorProgram::Schedule() const {
  // For each value, the number of registers that computing it needs if the graph is taken as a tree
  // (Sethi and Ullman 1970). The operand with the greatest need is computed first.
  std::vector<int> need(instructions_.size());
  const auto operands = [this](Value v) {
    std::vector<Value> result;
    for (const Value operand : {instructions_[v].a, instructions_[v].b, instructions_[v].c}) {
      if (operand >= 0) result.push_back(operand);
    }
    return result;
  };
  for (Value v = 0; v < static_cast<Value>(instructions_.size()); ++v) {
    std::vector<int> needs;
    for (const Value operand : operands(v)) needs.push_back(need[operand]);
    std::sort(needs.rbegin(), needs.rend());
    need[v] = IsOperandLoad(instructions_[v].opcode) ? 1 : 0;
    for (size_t i = 0; i < needs.size(); ++i) {
      need[v] = std::max(need[v], needs[i] + static_cast<int>(i));
    }
    if (Is(v, Opcode::kConstant)) need[v] = 0;
  }
  std::vector<Value> order;
  std::vector<bool> done(instructions_.size());
  std::vector<std::pair<Value, bool>> stack;  // value, whether its operands have been pushed
  const auto visit = [&](Value root) {
    stack.push_back({root, false});
    while (!stack.empty()) {
      const auto [v, expanded] = stack.back();
      stack.pop_back();
      if (done[v]) continue;
      if (expanded) {
        done[v] = true;
        order.push_back(v);
        continue;
      }
      stack.push_back({v, true});
      std::vector<Value> inputs = operands(v);
      // The operand that is pushed last is visited first.
      std::stable_sort(inputs.begin(), inputs.end(),
                       [&](Value x, Value y) { return need[x] < need[y]; });
      for (const Value input : inputs) stack.push_back({input, false});
    }
  };
  for (const Value value : sums_) visit(value);
  for (const Output& output : outputs_) visit(output.value);
  return order;
}

std::string VectorProgram::DebugString() const {
  std::string text;
  for (const Value v : Schedule()) {
    const Instruction& i = instructions_[v];
    absl::StrAppend(&text, "v", v, " = ", kNames[static_cast<int>(i.opcode)]);
    for (const Value operand : {i.a, i.b, i.c}) {
      if (operand >= 0) absl::StrAppend(&text, " v", operand);
    }
    if (i.opcode == Opcode::kConstant) {
      absl::StrAppend(&text, " ", FromBits(i.bits));
    } else if (IsOperandLoad(i.opcode) || i.opcode == Opcode::kShiftLeft ||
               i.opcode == Opcode::kShiftRightArithmetic) {
      absl::StrAppend(&text, " ", i.slot);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

}  // namespace cotangent::autodiff::codegen
