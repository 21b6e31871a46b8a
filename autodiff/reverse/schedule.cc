#include "autodiff/reverse/schedule.h"

#include <algorithm>
#include <numeric>
#include <span>
#include <tuple>
#include <unordered_map>

namespace cotangent::autodiff::reverse::replay {
namespace {

// A sum to which at least this many terms are added in place is scheduled as a long sum: several
// terms at once, one in each lane of a vector.
constexpr std::uint32_t kLongSum = 32;
// Fewer statements than this are not made a chunk, but replayed one by one.
constexpr std::size_t kFewest = 3;

struct Statement {
  const Kernel* kernel;
  std::uint32_t result;  // the slot of the result in the listing
  std::uint32_t level;   // schedule.h: statements of one level do not wait for one another
  bool term;             // whether the statement adds a term to a long sum
  std::size_t operand;   // index of its first operand in Listing::operand
};

class Scheduler {
 public:
  Scheduler(const Listing& listing, std::size_t inputs, int width)
      : listing_(listing), width_(width), new_slot_(listing.slots, 0) {
    std::iota(new_slot_.begin(), new_slot_.begin() + 1 + inputs, 0);
    next_constant_ = 1 + inputs;
    next_slot_ = next_constant_ + listing.constants.size();
    for (const auto& [slot, value] : listing.constants) constant_.emplace(slot, value);
  }

  Schedule Make(std::uint32_t output) {
    Expand();
    FindLevels();
    std::stable_sort(statements_.begin(), statements_.end(),
                     [](const Statement& a, const Statement& b) { return a.level < b.level; });
    for (auto begin = statements_.begin(); begin != statements_.end();) {
      const auto end = std::find_if(begin, statements_.end(), [&](const Statement& statement) {
        return statement.level != begin->level;
      });
      PlaceLevel({begin, end});
      begin = end;
    }
    for (const Branch& branch : listing_.branches) {
      schedule_.branches.push_back(
          {branch.relation, NewSlot(branch.a), NewSlot(branch.b), branch.outcome});
    }
    schedule_.output = NewSlot(output);
    schedule_.slots = next_slot_;
    return std::move(schedule_);
  }

 private:
  void Expand() {
    for (const Run& run : listing_.runs) {
      const Kernel& kernel = *run.kernel;
      for (std::uint32_t i = 0; i < run.count; ++i) {
        statements_.push_back({&kernel, run.result + (kernel.accumulates ? 0 : i), 0, false,
                               run.operand + std::size_t{i} * kernel.operands});
      }
    }
  }
  std::span<const std::uint32_t> Operands(const Statement& statement) const {
    return std::span(listing_.operand).subspan(statement.operand, statement.kernel->operands);
  }

  void FindLevels() {
    std::vector<std::uint32_t> terms(listing_.slots, 0), first(listing_.slots, 0),
        level(listing_.slots, 0);
    for (const Statement& statement : statements_) {
      if (statement.kernel->accumulates) ++terms[statement.result];
    }
    for (Statement& statement : statements_) {
      std::uint32_t ready = 0;
      for (const std::uint32_t slot : Operands(statement)) ready = std::max(ready, level[slot]);
      std::uint32_t& result = level[statement.result];
      if (!statement.kernel->accumulates) {
        result = first[statement.result] = ready + 1;
      } else if (terms[statement.result] < kLongSum) {
        result = std::max(ready, result) + 1;
      } else {
        statement.term = true;
        result = std::max({ready + 1, result, first[statement.result] + 1});
      }
      statement.level = result;
    }
    // A sum is read only after all of its terms were added, so all its terms may have the level of
    // the complete sum.
    for (Statement& statement : statements_) {
      if (statement.term) statement.level = level[statement.result];
    }
  }

  // Returns the slot (the number of a value) in the schedule for a slot of the listing. A constant
  // gets its new slot when this function is first called for it.
  std::uint32_t NewSlot(std::uint32_t slot) {
    const auto constant = new_slot_[slot] == 0 ? constant_.find(slot) : constant_.end();
    if (constant != constant_.end()) {
      new_slot_[slot] = next_constant_++;
      schedule_.constants.push_back({new_slot_[slot], constant->second});
    }
    return new_slot_[slot];
  }

  // Returns the key that orders the statements of a level: by type; then by whether they add to
  // long sums; then by the new slot of the sum, or otherwise of the first operand that is not a
  // constant.
  auto Key(const Statement& statement) {
    std::uint32_t slot = 0;
    if (statement.term) {
      slot = new_slot_[statement.result];
    } else {
      for (const std::uint32_t operand : Operands(statement)) {
        if (constant_.contains(operand)) continue;
        slot = new_slot_[operand];
        break;
      }
    }
    const std::uint32_t kernel =
        kernel_.try_emplace(statement.kernel, static_cast<std::uint32_t>(kernel_.size()))
            .first->second;
    return std::tuple(kernel, statement.term, slot);
  }

  // Appends the statements of one level to the schedule.
  void PlaceLevel(std::span<Statement> level) {
    using Entry = std::pair<decltype(Key(level[0])), const Statement*>;
    std::vector<Entry> entries;
    for (const Statement& statement : level) entries.push_back({Key(statement), &statement});
    std::stable_sort(entries.begin(), entries.end(),
                     [](const Entry& a, const Entry& b) { return a.first < b.first; });
    std::vector<const Statement*> group;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      group.push_back(entries[i].second);
      const Statement& last = *group.back();
      const bool ends = i + 1 == entries.size() || entries[i + 1].second->kernel != last.kernel ||
                        entries[i + 1].second->term != last.term ||
                        (last.term && entries[i + 1].second->result != last.result);
      if (!ends) continue;
      PlaceGroup(group);
      group.clear();
    }
    last_is_open_ = last_is_open_ && schedule_.parts.back().alone;
  }

  // Appends statements of one level and one type to the schedule, in chunks as far as possible. If
  // they add terms to long sums, all of them add to the same sum.
  void PlaceGroup(std::span<const Statement* const> group) {
    if (!group[0]->kernel->accumulates && group.size() >= kFewest) {
      next_slot_ = (next_slot_ + width_ - 1) / width_ * width_;
    }
    while (group.size() >= kFewest) {
      const std::size_t count = std::min(group.size(), width_);
      PlaceStep(group.first(count), false);
      group = group.subspan(count);
    }
    for (const Statement* const& statement : group) PlaceStep(std::span(&statement, 1), true);
  }

  void PlaceStep(std::span<const Statement* const> step, bool alone) {
    const Kernel& kernel = *step[0]->kernel;
    const std::uint32_t lanes = alone ? 1 : width_;
    Append({&kernel, 1, next_slot_, schedule_.operand.size(), schedule_.saved}, lanes, alone);
    if (kernel.accumulates) {
      PlaceOperand(step, lanes, true, [&](const Statement& s) { return new_slot_[s.result]; });
    }
    for (std::uint32_t k = 0; k < kernel.operands; ++k) {
      PlaceOperand(step, lanes, false, [&](const Statement& s) { return NewSlot(Operands(s)[k]); });
    }
    if (!kernel.accumulates) {
      for (std::size_t i = 0; i < step.size(); ++i) new_slot_[step[i]->result] = next_slot_ + i;
      next_slot_ += lanes;
    }
    schedule_.saved += lanes * kernel.saved;
    ++schedule_.steps;
  }

  void Append(const Run& run, std::uint32_t lanes, bool alone) {
    if (last_is_open_) {
      auto& [last, last_alone] = schedule_.parts.back();
      if (last.kernel == run.kernel && last_alone == alone &&
          (run.kernel->accumulates || last.result + last.count * lanes == run.result)) {
        ++last.count;
        return;
      }
    }
    schedule_.parts.push_back({run, alone});
    last_is_open_ = true;
  }

  // Stores the Place of one operand of a step. Statement i of the step is in lane i, and slot_of()
  // returns the operand's new slot for a statement. A lane without a statement reads any slot, and
  // on the backward walk adds 0 to it. But if the operand is a sum to which the step adds terms
  // (`is_sum`), the term of a lane without a statement is garbage, so it is added to slot 0, which
  // is never read.
  template <class SlotOf>
  void PlaceOperand(std::span<const Statement* const> step, std::uint32_t lanes, bool is_sum,
                    SlotOf slot_of) {
    std::vector<std::uint32_t>& list = schedule_.list;
    const std::size_t begin = list.size();
    list.resize(begin + lanes, 0);
    bool one = !is_sum || step.size() == lanes, consecutive = one;
    for (std::size_t i = 0; i < step.size(); ++i) {
      const std::uint32_t slot = list[begin + i] = slot_of(*step[i]);
      one &= slot == list[begin];
      consecutive &= slot == list[begin] + i;
    }
    Place place(Place::kListed, static_cast<std::uint32_t>(begin));
    if (one || consecutive) {
      place = {one ? Place::kOne : Place::kConsecutive, list[begin]};
      list.resize(begin);
    } else if (begin >= lanes &&
               std::equal(list.begin() + begin, list.end(), list.begin() + (begin - lanes))) {
      place = {Place::kListed, static_cast<std::uint32_t>(begin - lanes)};
      list.resize(begin);
    }
    schedule_.operand.push_back(place);
  }

  const Listing& listing_;
  const std::size_t width_;
  Schedule schedule_;
  std::vector<Statement> statements_;
  std::vector<std::uint32_t> new_slot_;
  std::unordered_map<std::uint32_t, double> constant_;
  std::unordered_map<const Kernel*, std::uint32_t> kernel_;
  std::uint32_t next_constant_, next_slot_;
  bool last_is_open_ = false;  // whether Append may extend the last part
};

}  // namespace

Schedule MakeSchedule(const Listing& listing, std::size_t inputs, std::uint32_t output, int width) {
  return Scheduler(listing, inputs, width).Make(output);
}

}  // namespace cotangent::autodiff::reverse::replay
