#include "autodiff/codegen/jit_plan.h"

#include <algorithm>
#include <cstddef>

namespace cotangent::autodiff::codegen::jit {

KernelPlan::KernelPlan(const VectorProgram& program, const KernelOptions& options)
    : program(program),
      instructions(program.instructions()),
      isa(options.isa),
      columns(options.columns),
      avx512(options.isa >= InstructionSet::kAvx512),
      width(avx512 ? 16 : 8),
      vector_registers(avx512 ? 32 : 16) {
  ListSteps();
}

bool KernelPlan::IsInvariant(Value v) const {
  const Opcode opcode = instructions[v].opcode;
  return opcode >= Opcode::kLoadChannel && opcode <= Opcode::kConstant;
}

std::vector<Value> KernelPlan::StepOperands(const Step& step) const {
  if (step.kind != Step::kCompute) return {step.value};
  std::vector<Value> operands;
  const Instruction& i = instructions[step.value];
  for (const Value v : {i.a, i.b, i.c}) {
    if (v >= 0) operands.push_back(v);
  }
  return operands;
}

// Lists the steps of the loop's body: each computes a value, stores an output or adds to a sum.
// (Values that do not change from row to row have no step.) A step that adds to a sum follows right
// after the step that computes the added value. Stores come after the last load, so that an output
// array may be the same memory as an input array.
void KernelPlan::ListSteps() {
  const std::vector<Value> schedule = program.Schedule();
  int loads_left = 0;
  for (const Value v : schedule) loads_left += instructions[v].opcode == Opcode::kLoad;
  std::vector<bool> computed(instructions.size()), stored(program.outputs().size());
  const auto store_ready = [&] {
    for (size_t i = 0; loads_left == 0 && i < stored.size(); ++i) {
      const Value v = program.outputs()[i].value;
      if (stored[i] || !(computed[v] || IsInvariant(v))) continue;
      stored[i] = true;
      steps.push_back({Step::kStore, v, static_cast<int>(i)});
    }
  };
  const auto sum_of = [&](Value v) {
    for (size_t i = 0; i < program.sums().size(); ++i) {
      if (program.sums()[i] == v) steps.push_back({Step::kSum, v, static_cast<int>(i)});
    }
  };
  for (const Value v : schedule) {
    if (!IsInvariant(v)) steps.push_back({Step::kCompute, v});
    computed[v] = true;
    loads_left -= instructions[v].opcode == Opcode::kLoad;
    sum_of(v);
    store_ready();
  }
  uses.resize(instructions.size());
  for (int s = 0; s < static_cast<int>(steps.size()); ++s) {
    for (const Value v : StepOperands(steps[s])) {
      if (uses[v].empty() || uses[v].back() != s) uses[v].push_back(s);
    }
  }
  for (int s = 0; s < static_cast<int>(steps.size()); ++s) {
    const Instruction& i = instructions[steps[s].value];
    if (steps[s].kind == Step::kCompute && i.opcode == Opcode::kLoad) {
      streams.push_back({false, i.slot, static_cast<int>(Bytes(i.type))});
    }
    if (steps[s].kind == Step::kStore) {
      streams.push_back(
          {true, steps[s].slot, static_cast<int>(Bytes(program.outputs()[steps[s].slot].type))});
    }
  }
  channel_used.resize(program.num_channels());
  for (const Value v : schedule) {
    if (instructions[v].opcode == Opcode::kLoadChannel) channel_used[instructions[v].slot] = true;
  }
}

int KernelPlan::Peak() const {
  int alive = 0, peak = 1;
  for (int s = 0; s < static_cast<int>(steps.size()); ++s) {
    const Step& step = steps[s];
    int dying = 0;
    for (const Value v : StepOperands(step)) {
      if (!IsInvariant(v) && !InMaskRegister(v) && uses[v].back() == s) ++dying;
    }
    const bool defines = step.kind == Step::kCompute && !InMaskRegister(step.value);
    peak = std::max(peak, alive);
    alive += (defines ? 1 : 0) - dying;
    peak = std::max(peak, alive);
  }
  return peak;
}

int KernelPlan::MaskPeak() const {
  int alive = 0, peak = 0;
  for (int s = 0; s < static_cast<int>(steps.size()); ++s) {
    if (steps[s].kind == Step::kCompute && InMaskRegister(steps[s].value)) ++alive;
    peak = std::max(peak, alive);
    for (const Value v : StepOperands(steps[s])) {
      if (InMaskRegister(v) && uses[v].back() == s) --alive;
    }
  }
  return peak;
}

Shape KernelPlan::ChooseShape(int vectors, int tail) const {
  const int sums = static_cast<int>(program.sums().size());
  const int masks = MaskPeak();
  int copies = kMostCopies;
  while (copies > 1 && (Peak() * copies + 2 + sums * std::min(copies, vectors) > vector_registers ||
                        masks * copies > 5)) {
    --copies;
  }
  Shape shape;
  shape.tail = tail;
  shape.across = std::min(copies, vectors);
  // If the widest body leaves a remainder of the row, prefers a narrower body (fewer vectors side
  // by side) that divides the row evenly, as long as it has more than half the widest body's width.
  for (int across = shape.across; across >= 2 && 2 * across > shape.across; --across) {
    if (vectors % across == 0) {
      shape.across = across;
      break;
    }
  }
  shape.down = std::max(1, copies / shape.across);
  return shape;
}

}  // namespace cotangent::autodiff::codegen::jit
