#include "autodiff/codegen/vector_interpreter.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/element_type.h"

namespace cotangent::autodiff::codegen {
namespace {

uint32_t Bits(float x) { return std::bit_cast<uint32_t>(x); }
float FromBits(uint32_t x) { return std::bit_cast<float>(x); }
float Truth(bool x) { return FromBits(x ? ~0u : 0u); }

// Returns a * b + c for floats a, b and c. The product is exact in double; the sum is rounded to
// double and then to float, which differs from a single rounding in about one of 2^29 cases. Where
// the processor has no FMA instruction, this is faster than std::fma.
float MultiplyAdd(double a, double b, double c) { return static_cast<float>(a * b + c); }

// Rounds to the nearest integer, halves to even. Below 2^22, adding and subtracting 1.5 * 2^23 does
// that, because the sum has no bits for fractions.
float RoundHalfEven(float a) {
  const float magic = 0x1.8p23f;
  const float rounded = (a + magic) - magic;
  return std::fabs(a) < 0x1p22f ? std::copysign(rounded, a) : std::nearbyint(a);
}

template <typename F>
void ForEach(int count, float* result, F f) {
  for (int i = 0; i < count; ++i) result[i] = f(i);
}

uint8_t ToU8(float x) {
  const float low = x > 0 ? x : 0;
  return static_cast<uint8_t>(std::nearbyint(low < 255 ? low : 255));
}

int8_t ToS8(float x) {
  const float low = x > -128 ? x : -128;
  return static_cast<int8_t>(std::nearbyint(low < 127 ? low : 127));
}

int32_t ToS32(float x) {
  return static_cast<int32_t>(Bits(EvaluateInstruction({.opcode = Opcode::kToInteger}, x, 0, 0)));
}

template <typename T, typename F>
void Convert(const float* from, void* to, int count, F f) {
  char* bytes = static_cast<char*>(to);
  for (int i = 0; i < count; ++i) {
    const T element = f(from[i]);
    std::memcpy(bytes + i * sizeof(T), &element, sizeof(T));
  }
}

void StoreBlock(ElementType type, const float* from, void* to, int count) {
  switch (type) {
    case ElementType::kF32:
      std::memcpy(to, from, count * sizeof(float));
      return;
    case ElementType::kBf16:
      return Convert<uint16_t>(from, to, count, FloatToBf16);
    case ElementType::kU8:
      return Convert<uint8_t>(from, to, count, ToU8);
    case ElementType::kS8:
      return Convert<int8_t>(from, to, count, ToS8);
    case ElementType::kS32:
      return Convert<int32_t>(from, to, count, ToS32);
    case ElementType::kF64:
      break;
  }
}

template <typename T, typename F>
void Expand(const char* from, int count, float* result, F f) {
  for (int i = 0; i < count; ++i) {
    T element;
    std::memcpy(&element, from + i * sizeof(T), sizeof(T));
    result[i] = f(element);
  }
}

void Execute(const Instruction& instruction, int n, float* r, const float* a, const float* b,
             const float* c) {
  switch (instruction.opcode) {
    case Opcode::kAdd:
      return ForEach(n, r, [=](int i) { return a[i] + b[i]; });
    case Opcode::kSub:
      return ForEach(n, r, [=](int i) { return a[i] - b[i]; });
    case Opcode::kMul:
      return ForEach(n, r, [=](int i) { return a[i] * b[i]; });
    case Opcode::kDiv:
      return ForEach(n, r, [=](int i) { return a[i] / b[i]; });
    case Opcode::kMulAdd:
      return ForEach(n, r, [=](int i) { return MultiplyAdd(a[i], b[i], c[i]); });
    case Opcode::kMulSub:
      return ForEach(n, r, [=](int i) { return MultiplyAdd(a[i], b[i], -c[i]); });
    case Opcode::kNegMulAdd:
      return ForEach(n, r, [=](int i) { return MultiplyAdd(-a[i], b[i], c[i]); });
    case Opcode::kNeg:
      return ForEach(n, r, [=](int i) { return -a[i]; });
    case Opcode::kAbs:
      return ForEach(n, r, [=](int i) { return std::fabs(a[i]); });
    case Opcode::kMin:
      return ForEach(n, r, [=](int i) { return a[i] < b[i] ? a[i] : b[i]; });
    case Opcode::kMax:
      return ForEach(n, r, [=](int i) { return a[i] > b[i] ? a[i] : b[i]; });
    case Opcode::kSqrt:
      return ForEach(n, r, [=](int i) { return std::sqrt(a[i]); });
    case Opcode::kRound:
      return ForEach(n, r, [=](int i) { return RoundHalfEven(a[i]); });
    case Opcode::kBitAnd:
    case Opcode::kMaskAnd:
      return ForEach(n, r, [=](int i) { return FromBits(Bits(a[i]) & Bits(b[i])); });
    case Opcode::kBitOr:
    case Opcode::kMaskOr:
      return ForEach(n, r, [=](int i) { return FromBits(Bits(a[i]) | Bits(b[i])); });
    case Opcode::kBitXor:
      return ForEach(n, r, [=](int i) { return FromBits(Bits(a[i]) ^ Bits(b[i])); });
    case Opcode::kLess:
      return ForEach(n, r, [=](int i) { return Truth(a[i] < b[i]); });
    case Opcode::kLessEqual:
      return ForEach(n, r, [=](int i) { return Truth(a[i] <= b[i]); });
    case Opcode::kEqual:
      return ForEach(n, r, [=](int i) { return Truth(a[i] == b[i]); });
    case Opcode::kSelect:
      return ForEach(n, r, [=](int i) {
        return FromBits((Bits(a[i]) & Bits(b[i])) | (~Bits(a[i]) & Bits(c[i])));
      });
    default: {
      // Executes the rare operations one element at a time. For an operand that the operation does
      // not have (a null pointer), a is passed, and ignored.
      const float* second = b != nullptr ? b : a;
      const float* third = c != nullptr ? c : a;
      return ForEach(n, r, [&, a](int i) {
        return EvaluateInstruction(instruction, a[i], second[i], third[i]);
      });
    }
  }
}

}  // namespace

VectorInterpreter::VectorInterpreter(const VectorProgram& program, int columns)
    : columns_(columns) {
  AssignRegisters(program);
}

void VectorInterpreter::AssignRegisters(const VectorProgram& program) {
  const std::vector<Value> schedule = program.Schedule();
  std::vector<int> last_use(program.instructions().size(), -1);
  const int end = static_cast<int>(schedule.size());
  for (int i = 0; i < end; ++i) {
    const Instruction& instruction = program.instructions()[schedule[i]];
    for (const Value operand : {instruction.a, instruction.b, instruction.c}) {
      if (operand >= 0) last_use[operand] = i;
    }
  }
  for (const VectorProgram::Output& output : program.outputs()) last_use[output.value] = end;
  for (const Value sum : program.sums()) last_use[sum] = end;

  std::vector<int> place(program.instructions().size(), -1);
  std::vector<int> free_registers;
  for (int i = 0; i < end; ++i) {
    const Value value = schedule[i];
    const Instruction& instruction = program.instructions()[value];
    // An instruction's result never gets the register of one of its operands, so that the compiler
    // can vectorise the loops.
    if (free_registers.empty()) free_registers.push_back(num_registers_++);
    place[value] = free_registers.back();
    free_registers.pop_back();
    const auto where = [&](Value v) { return v < 0 ? -1 : place[v]; };
    steps_.push_back({instruction, place[value], where(instruction.a), where(instruction.b),
                      where(instruction.c)});
    std::vector<Value> operands = {instruction.a, instruction.b, instruction.c};
    std::sort(operands.begin(), operands.end());
    operands.erase(std::unique(operands.begin(), operands.end()), operands.end());
    for (const Value operand : operands) {
      if (operand >= 0 && last_use[operand] == i) free_registers.push_back(place[operand]);
    }
  }
  for (const VectorProgram::Output& output : program.outputs()) {
    outputs_.push_back({place[output.value], output.type});
  }
  for (const Value sum : program.sums()) sums_.push_back(place[sum]);
}

const char* VectorInterpreter::RowAddress(const void* base, const int64_t* strides, int operand,
                                          int64_t row) const {
  const char* first = static_cast<const char*>(base);
  return columns_ == 0 ? first : first + row * strides[operand];
}

void VectorInterpreter::LoadBlock(const Instruction& load, const KernelCall& call, int64_t row,
                                  int64_t column, int count, float* result) const {
  const char* from = RowAddress(call.loads[load.slot], call.load_strides, load.slot, row) +
                     column * Bytes(load.type);
  switch (load.type) {
    case ElementType::kF32:
      std::memcpy(result, from, count * sizeof(float));
      return;
    case ElementType::kBf16:
      return Expand<uint16_t>(from, count, result,
                              [](uint16_t x) { return FromBits(uint32_t{x} << 16); });
    case ElementType::kU8:
      return Expand<uint8_t>(from, count, result, [](uint8_t x) { return static_cast<float>(x); });
    case ElementType::kS8:
      return Expand<int8_t>(from, count, result, [](int8_t x) { return static_cast<float>(x); });
    case ElementType::kS32:
      return Expand<int32_t>(from, count, result, [](int32_t x) { return static_cast<float>(x); });
    case ElementType::kF64:
      break;
  }
}

void VectorInterpreter::RunBlock(const KernelCall& call, float* registers, int64_t row,
                                 int64_t column, int count) const {
  const auto block = [registers](int r) { return r < 0 ? nullptr : registers + r * kBlock; };
  for (const Step& step : steps_) {
    float* result = block(step.result);
    switch (step.instruction.opcode) {
      case Opcode::kLoad:
        LoadBlock(step.instruction, call, row, column, count, result);
        break;
      case Opcode::kLoadChannel:
        std::memcpy(result, call.channels[step.instruction.slot] + column, count * sizeof(float));
        break;
      case Opcode::kLoadScalar:
        std::fill_n(result, count, call.scalars[step.instruction.slot]);
        break;
      case Opcode::kConstant:
        std::fill_n(result, count, FromBits(step.instruction.bits));
        break;
      default:
        Execute(step.instruction, count, result, block(step.a), block(step.b), block(step.c));
    }
  }
  for (size_t i = 0; i < outputs_.size(); ++i) {
    char* to = const_cast<char*>(RowAddress(call.stores[i], call.store_strides, i, row)) +
               column * Bytes(outputs_[i].type);
    StoreBlock(outputs_[i].type, block(outputs_[i].source), to, count);
  }
  for (size_t i = 0; i < sums_.size(); ++i) {
    const float* source = block(sums_[i]);
    if (columns_ == 0) {
      float total = 0;
      for (int j = 0; j < count; ++j) total += source[j];
      call.sums[i][0] += total;
    } else {
      for (int j = 0; j < count; ++j) call.sums[i][column + j] += source[j];
    }
  }
}

void VectorInterpreter::Run(const KernelCall& call) const {
  // The number of registers (blocks of floats) on the stack, enough for all but the longest
  // formulas, whose registers are on the heap.
  constexpr int kOnStack = 48;
  alignas(64) float stack_registers[kOnStack * kBlock];
  std::vector<float> heap_registers;
  float* registers = stack_registers;
  if (num_registers_ > kOnStack) {
    heap_registers.resize(static_cast<size_t>(num_registers_) * kBlock);
    registers = heap_registers.data();
  }
  // A single sum in f32 over millions of rows would lose what it adds. So up to kTogether rows (of a
  // flat kernel: blocks) are added up by themselves, unless a call has so few that it does not pay.
  constexpr int64_t kTogether = 4096, kFew = 16;
  if (sums_.empty() || call.rows <= kFew) return RunPart(call, registers, 0, call.rows);
  const int64_t most = columns_ == 0 ? kTogether * kBlock : kTogether;
  const size_t width = std::max(columns_, 1), size = sums_.size() * width;
  // The sums of a part, too, are on the stack unless there are very many.
  constexpr size_t kSumsOnStack = 16, kFloatsOnStack = 4096;
  float stack_part[kFloatsOnStack];
  float* stack_sums[kSumsOnStack];
  std::vector<float> heap_part(size > kFloatsOnStack ? size : 0);
  std::vector<float*> heap_sums(sums_.size() > kSumsOnStack ? sums_.size() : 0);
  float* const part = heap_part.empty() ? stack_part : heap_part.data();
  float** const sums = heap_sums.empty() ? stack_sums : heap_sums.data();
  for (size_t i = 0; i < sums_.size(); ++i) sums[i] = part + i * width;
  KernelCall part_call = call;
  part_call.sums = sums;
  for (int64_t begin = 0; begin < call.rows; begin += most) {
    std::fill_n(part, size, 0.0f);
    RunPart(part_call, registers, begin, std::min(begin + most, call.rows));
    for (size_t i = 0; i < sums_.size(); ++i) {
      for (size_t j = 0; j < width; ++j) call.sums[i][j] += sums[i][j];
    }
  }
}

void VectorInterpreter::RunPart(const KernelCall& call, float* registers, int64_t begin,
                                int64_t end) const {
  const auto run = [&](int64_t row, int64_t first, int64_t last) {
    for (int64_t column = first; column < last; column += kBlock)
      RunBlock(call, registers, row, column,
               static_cast<int>(std::min<int64_t>(kBlock, last - column)));
  };
  if (columns_ == 0) return run(0, begin, end);
  for (int64_t row = begin; row < end; ++row) run(row, 0, columns_);
}

}  // namespace cotangent::autodiff::codegen
