#include "autodiff/codegen/jit_registers.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace cotangent::autodiff::codegen::jit {

void RegisterEmitter::PinRegisters(const Shape& shape) {
  at_.shape = shape;
  owner_[0].assign(plan_.vector_registers, kFree);
  owner_[1].assign(8, kFree);
  owner_[1][0] = owner_[1][kTailMask] = owner_[1][kScratchMask] = kReserved;
  places_.clear();
  pinned_.clear();
  sum_registers_.clear();
  const int room = plan_.vector_registers - plan_.Peak() * shape.copies() - 3;
  const int next = PinSums(shape, room);
  PinInvariants(shape, room - static_cast<int>(sum_registers_.size()), next);
}

// Reserves registers for running sums (jit_sums.h), from the highest number down. They take at most
// `room` + 1 registers (one if `room` is negative); if they need more, all stay in memory. Returns
// the lowest register reserved, or the number of registers if none was.
int RegisterEmitter::PinSums(const Shape& shape, int room) {
  int next = plan_.vector_registers;
  const int sums = static_cast<int>(plan_.program.sums().size());
  sum_copies_ = sums * shape.copies() <= room ? shape.copies() : shape.across;
  sums_in_memory_ = sums * sum_copies_ > std::max(room, 0) + 1;
  if (!sums_in_memory_) {
    for (int i = 0; i < sums * sum_copies_; ++i) {
      sum_registers_.push_back(--next);
      owner_[0][next] = kReserved;
    }
  }
  return next;
}

// Returns the values that the loop's body reads and that do not change from one row of elements to
// the next, in the order of what keeping the value in registers saves per register, most first. A
// use that would have to load the value counts 3, one that could read it from memory 2.
std::vector<Value> RegisterEmitter::InvariantsByBenefit(const Shape& shape) const {
  std::vector<std::pair<int, Value>> invariants;  // benefit per register, value
  for (Value v = 0; v < static_cast<Value>(plan_.instructions.size()); ++v) {
    if (!plan_.IsInvariant(v) || plan_.uses[v].empty()) continue;
    int benefit = 0;
    for (const int s : plan_.uses[v]) {
      // A use as the first operand, or by a step that computes nothing, needs the value in a
      // register (unless the operands are exchanged); other uses can read it from memory.
      const bool must_load =
          plan_.steps[s].kind != Step::kCompute || plan_.instructions[plan_.steps[s].value].a == v;
      benefit += (must_load ? 3 : 2) * shape.copies();
    }
    if (plan_.instructions[v].opcode == Opcode::kLoadChannel) benefit /= shape.across;
    invariants.push_back({benefit, v});
  }
  std::stable_sort(invariants.begin(), invariants.end(),
                   [](const auto& x, const auto& y) { return x.first > y.first; });
  std::vector<Value> values;
  for (const auto& [benefit, v] : invariants) values.push_back(v);
  return values;
}

void RegisterEmitter::PinInvariants(const Shape& shape, int room, int next) {
  for (const Value v : InvariantsByBenefit(shape)) {
    const bool is_channel = plan_.instructions[v].opcode == Opcode::kLoadChannel;
    const int registers = is_channel ? shape.across : 1;
    if (registers > room) continue;
    room -= registers;
    pinned_.push_back(v);
    for (int copy = 0; copy < registers; ++copy) {
      at_.copy = copy;
      const int key = Key(v);
      places_[key] = {.reg = --next, .pinned = true};
      owner_[0][next] = key;
    }
  }
  at_.copy = 0;
}

void RegisterEmitter::LoadPinned(const Shape& shape) {
  at_.shape = shape;
  for (const Value v : pinned_) {
    const bool is_channel = plan_.instructions[v].opcode == Opcode::kLoadChannel;
    for (at_.copy = 0; at_.copy < (is_channel ? shape.across : 1); ++at_.copy) {
      LoadInvariant(v, places_[Key(v)].reg);
    }
  }
  at_.copy = 0;
}

// All copies (the vectors that the loop's body works on at once) share constants and scalars.
// Copies in the same column of the body share channel operands. All other values are separate for
// each copy.
int RegisterEmitter::Key(Value v) const {
  switch (plan_.instructions[v].opcode) {
    case Opcode::kConstant:
    case Opcode::kLoadScalar:
      return v * kMostCopies;
    case Opcode::kLoadChannel:
      return v * kMostCopies + at_.column();
    default:
      return v * kMostCopies + at_.copy;
  }
}

int RegisterEmitter::NextUse(int key) const {
  const Value v = key / kMostCopies;
  const int copy = key % kMostCopies;
  const std::vector<int>& uses = plan_.uses[v];
  const int copies = at_.shape.copies();
  const bool here_still = plan_.IsInvariant(v) ? at_.copy + 1 < copies : copy > at_.copy;
  const auto next =
      std::lower_bound(uses.begin(), uses.end(), here_still ? at_.step : at_.step + 1);
  return next == uses.end() ? kNever : *next * copies + copy;
}

void RegisterEmitter::Evict(bool mask, int reg) {
  Place& place = places_[owner_[mask][reg]];
  const int key = owner_[mask][reg];
  if (!plan_.IsInvariant(key / kMostCopies) && place.spill < 0) {
    place.spill = next_spill_++;
    spill_slots_used_ = std::max(spill_slots_used_, next_spill_);
    if (mask) {
      kmovw(SpillAddress(place.spill), Opmask(reg));
    } else {
      vmovups(SpillAddress(place.spill), Vector(reg));
    }
  }
  place.reg = -1;
  owner_[mask][reg] = kFree;
}

int RegisterEmitter::Allocate(bool mask) {
  int best = -1, farthest = -1;
  for (int reg = 0; reg < static_cast<int>(owner_[mask].size()); ++reg) {
    const int key = owner_[mask][reg];
    if (key == kReserved || std::count(locked_.begin(), locked_.end(), std::pair{mask, reg}))
      continue;
    if (key == kFree) {
      best = reg;
      farthest = kNever;
      break;
    }
    if (places_[key].pinned) continue;
    const int use = NextUse(key);
    if (use > farthest) {
      best = reg;
      farthest = use;
    }
  }
  if (owner_[mask][best] >= 0) Evict(mask, best);
  locked_.push_back({mask, best});
  return best;
}

bool RegisterEmitter::FromMemory(Value v) const {
  const auto place = places_.find(Key(v));
  return place == places_.end() || place->second.reg < 0;
}

int RegisterEmitter::Read(Value v) {
  const bool mask = plan_.InMaskRegister(v);
  const int key = Key(v);
  if (places_[key].reg < 0) {
    const int reg = Allocate(mask);
    places_[key].reg = reg;
    owner_[mask][reg] = key;
    if (plan_.IsInvariant(v)) {
      LoadInvariant(v, reg);
    } else if (mask) {
      kmovw(Opmask(reg), SpillAddress(places_[key].spill));
    } else {
      vmovups(Vector(reg), SpillAddress(places_[key].spill));
    }
  }
  locked_.push_back({mask, places_[key].reg});
  return places_[key].reg;
}

RegisterEmitter::Source RegisterEmitter::ReadAny(Value v) {
  const bool readable = plan_.IsInvariant(v) ? HasInvariantAddress(v) : !plan_.InMaskRegister(v);
  if (FromMemory(v) && readable) {
    return {plan_.IsInvariant(v) ? InvariantAddress(v) : SpillAddress(places_[Key(v)].spill),
            Xmm()};
  }
  return {std::nullopt, Vector(Read(v))};
}

void RegisterEmitter::Release(Value v) {
  const auto place = places_.find(Key(v));
  if (place == places_.end() || place->second.pinned) return;
  const int reg = place->second.reg;
  if (reg >= 0) {
    owner_[plan_.InMaskRegister(v)][reg] = kFree;
    std::erase(locked_, std::pair{plan_.InMaskRegister(v), reg});
  }
  places_.erase(place);
}

int RegisterEmitter::Define(Value v) {
  const int reg = Allocate(plan_.InMaskRegister(v));
  places_[Key(v)].reg = reg;
  owner_[plan_.InMaskRegister(v)][reg] = Key(v);
  return reg;
}

int RegisterEmitter::DefineAfter(Value v, const Instruction& i) {
  for (const Value operand : {i.a, i.b, i.c}) {
    if (operand >= 0 && DiesHere(operand)) Release(operand);
  }
  return Define(v);
}

void RegisterEmitter::Replace(Value dying, Value v) {
  const int reg = places_[Key(dying)].reg;
  Release(dying);
  places_[Key(v)].reg = reg;
  owner_[0][reg] = Key(v);
}

// Frees all registers except those of pinned values (loaded before the loop) and of running sums.
void RegisterEmitter::EndBody() {
  for (auto entry = places_.begin(); entry != places_.end();) {
    if (entry->second.pinned) {
      ++entry;
      continue;
    }
    const bool mask = plan_.InMaskRegister(entry->first / kMostCopies);
    if (entry->second.reg >= 0) owner_[mask][entry->second.reg] = kFree;
    entry = places_.erase(entry);
  }
}

}  // namespace cotangent::autodiff::codegen::jit
