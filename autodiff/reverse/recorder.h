#ifndef COTANGENT_AUTODIFF_REVERSE_RECORDER_H_
#define COTANGENT_AUTODIFF_REVERSE_RECORDER_H_

// Recorder: the kind of tape on which variables record a program that can be replayed. Each value
// of the program has a number, its slot. Include autodiff/reverse/program.h, not this file.

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "autodiff/reverse/functions.h"
#include "autodiff/reverse/kernel.h"
#include "autodiff/reverse/var.h"

namespace cotangent::autodiff::reverse::replay {

// A comparison of the values in slots a and b, and its outcome; or, for relations such as
// kIsFinite, a question about the value in slot a, with the answer, a constant, in slot b.
struct Branch {
  Relation relation;
  std::uint32_t a, b;
  bool outcome;
};

// A recorded program: its statements in the order of recording, grouped into runs of statements of
// one type. The inputs have slots 1, 2, ...
struct Listing {
  std::vector<Run> runs;
  std::vector<std::uint32_t> operand;  // slots of the operands of all statements, in order
  std::size_t saved = 0;               // number of values saved for the backward walk (kernel.h)
  std::uint32_t slots = 1;             // number of slots, with slot 0, which is not used
  std::vector<std::pair<std::uint32_t, double>> constants;  // slots and values
  std::vector<Branch> branches;
};

class Recorder {
 public:
  using Real = double;
  using Var = BasicVar<Recorder>;
  static constexpr bool kNotesBranches = true;
  static constexpr bool kOperatorsRecord = false;  // a statement becomes one kernel (kernel.h)

  class Scope {
   public:
    explicit Scope(Recorder& recorder) : before_(std::exchange(current_, &recorder)) {}
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { current_ = before_; }

   private:
    Recorder* const before_;
  };

  Var Input(double value) {
    Var x(value);
    x.Set(NewSlot());
    return x;
  }

  // Returns the slot of a variable, which is `index`, or of the constant `value` if `index` is 0
  // (equal constants share a slot). Marks the slot as read: from then on, += must not overwrite its
  // value (see Accumulate).
  std::uint32_t SlotOf(std::uint32_t index, double value) {
    if (index == 0) {
      const auto [at, is_new] = constant_slot_.try_emplace(std::bit_cast<std::uint64_t>(value), 0);
      if (is_new) {
        at->second = NewSlot();
        listing_.constants.push_back({at->second, value});
      }
      index = at->second;
    }
    read_[index] = true;
    return index;
  }

  void RecordOperand(std::uint32_t index, double value) {
    const std::uint32_t slot = SlotOf(index, value);
    listing_.operand.push_back(slot);
  }

  template <class Node>
  static std::uint32_t Record(const Node& node) {
    if (!AnyActive(node)) return 0;
    Recorder& recorder = *current_;
    const std::size_t operand = recorder.listing_.operand.size();
    // Records the operands before the result gets its slot, because a constant among the operands
    // may take a slot too.
    Form<Node>::Record(node, recorder);
    const std::uint32_t result = recorder.NewSlot();
    recorder.Append(KernelOf<Node, false>::kKernel, result, operand);
    return result;
  }

  // Records y += term, and returns the slot of the new y. As long as nothing, the term included,
  // reads the old y, and no other variable may hold its slot (`shared`), the new y takes the slot
  // of the old one, because nothing needs the old value; otherwise, or if y or the term is
  // constant, it gets a new slot.
  template <class Node>
  static std::uint32_t Accumulate(const Leaf<Recorder>& y, bool shared, const Node& term) {
    Recorder& recorder = *current_;
    if constexpr (Node::kLeaves > 0) {
      if (y.index != 0 && !shared && !recorder.read_[y.index] && AnyActive(term) &&
          !Mentions(term, y.index)) {
        const std::size_t operand = recorder.listing_.operand.size();
        Form<Node>::Record(term, recorder);
        recorder.Append(KernelOf<Node, true>::kKernel, y.index, operand);
        return y.index;
      }
    }
    if (y.index == 0) return Record(Sum<Constant<Recorder>, Node>({y.value}, term));
    return Record(Sum<Leaf<Recorder>, Node>(y, term));
  }

  template <class A, class B>
  static void NoteBranch(Relation relation, const A& a, const B& b, bool outcome) {
    if (current_ == nullptr) return;
    const std::uint32_t slot_a = Materialize(a), slot_b = Materialize(b);
    current_->listing_.branches.push_back({relation, slot_a, slot_b, outcome});
  }

  static std::uint32_t CurrentSerial() { return 0; }

  Listing Take() { return std::move(listing_); }

 private:
  std::uint32_t NewSlot() {
    read_.push_back(false);
    return listing_.slots++;
  }
  // Adds a statement with the slot `result`, whose operands were recorded from index `operand` on.
  void Append(const Kernel& kernel, std::uint32_t result, std::size_t operand) {
    std::vector<Run>& runs = listing_.runs;
    const bool continues =
        !runs.empty() && runs.back().kernel == &kernel &&
        runs.back().result + (kernel.accumulates ? 0 : runs.back().count) == result;
    if (continues) {
      ++runs.back().count;
    } else {
      runs.push_back({&kernel, 1, result, operand, listing_.saved});
    }
    listing_.saved += kernel.saved;
  }

  // A stand-in for the row of a tape, to which a node's Push adds the node's leaves (variables;
  // node.h). LeafRow only calls `visit` for each leaf.
  template <class Visit>
  struct LeafRow {
    template <int K>
    void Add(const Leaf<Recorder>& leaf, double) {
      visit(leaf);
    }
    Visit visit;
  };
  template <class Visit>
  LeafRow(Visit) -> LeafRow<Visit>;

  template <class Node>
  static bool AnyActive(const Node& node) {
    bool any = false;
    LeafRow row{[&](const Leaf<Recorder>& leaf) { any |= leaf.index != 0; }};
    node.template Push<0>(1.0, row);
    return any;
  }
  template <class Node>
  static bool Mentions(const Node& node, std::uint32_t index) {
    bool any = false;
    LeafRow row{[&](const Leaf<Recorder>& leaf) { any |= leaf.index == index; }};
    node.template Push<0>(1.0, row);
    return any;
  }
  template <class A>
  static std::uint32_t Materialize(const A& a) {
    if constexpr (!Active<A>) {
      return current_->SlotOf(0, static_cast<double>(a));
    } else if constexpr (requires { a.AsLeaf(); }) {
      return current_->SlotOf(a.Index(), a.Value());
    } else if constexpr (std::same_as<A, Leaf<Recorder>>) {
      return current_->SlotOf(a.index, a.value);
    } else {
      return current_->SlotOf(Record(a), a.Value());
    }
  }

  static inline thread_local constinit Recorder* current_ = nullptr;
  Listing listing_;
  std::vector<bool> read_ = {true};
  std::unordered_map<std::uint64_t, std::uint32_t> constant_slot_;
};

template <class Tape>
void Form<Leaf<Tape>>::Record(const Leaf<Tape>& node, Recorder& recorder) {
  recorder.RecordOperand(node.index, node.value);
}
template <class Tape>
void Form<Constant<Tape>>::Record(const Constant<Tape>& node, Recorder& recorder) {
  recorder.RecordOperand(0, node.value);
}
template <class Rule, class... Args>
void Form<Apply<Rule, Args...>>::Record(const Node& node, Recorder& recorder) {
  std::apply([&](const Args&... args) { (Form<Args>::Record(args, recorder), ...); }, node.args);
  if constexpr (kParameter) {
    static_assert(sizeof(Rule) <= sizeof(double));
    double parameter = 0;
    std::memcpy(&parameter, &node.rule, sizeof(Rule));
    recorder.RecordOperand(0, parameter);
  }
}

}  // namespace cotangent::autodiff::reverse::replay

#endif  // COTANGENT_AUTODIFF_REVERSE_RECORDER_H_
