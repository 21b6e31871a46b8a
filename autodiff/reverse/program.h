#ifndef COTANGENT_AUTODIFF_REVERSE_PROGRAM_H_
#define COTANGENT_AUTODIFF_REVERSE_PROGRAM_H_

// A function recorded once, whose value and gradient are then computed at many points without
// running it again.
//
//   reverse::Program program(f, x);                               // runs f once, at x
//   program.Gradients(points, values, gradients);                 // at any number of points
//
// Each statement of f (see expression.h) has become a pair of functions that the compiler made of
// its expression's type: one computes it, one hands its adjoint to its operands. What is recorded
// is which pair, the slots of the operands, and the constants; to replay is to walk that list forth
// and back. Eight points are walked at once, in the lanes of vector registers, so that reading the
// list costs an eighth, and a loop in which each step waits for the one before has eight steps to
// work on. The price is that a single point takes as long as eight.
//
// A recording holds the branches that f took at x. Every comparison is recorded with its outcome; a
// point at which one comes out otherwise is not answered but reported, and its results are NaN.
// abs, max, relu and their like are operations, not branches, and are right on both sides. Numbers
// that f takes out of its variables by Value() are constants of the recording.

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <unordered_map>
#include <vector>

#include "autodiff/function.h"
#include "autodiff/reverse/expression.h"
#include "autodiff/reverse/lane_math.h"
#include "autodiff/reverse/tape.h"
#include "autodiff/reverse/var.h"

namespace cotangent::autodiff::reverse {

namespace replay {

class Recorder;

struct Run;

// Where a run of statements reads and writes.
struct Machine {
  Pack* value;
  Pack* adjoint;
  Pack* saved;
  const std::uint32_t* operand;
  const double* constant;
};

// What the compiler makes of a statement's type.
struct Kernel {
  void (*forward)(const Machine&, const Run&);
  void (*backward)(const Machine&, const Run&);
};

// Statements of the same type one after the other: `count` results in slots from `result` on, or
// all added to slot `result`.
struct Run {
  const Kernel* kernel;
  std::uint32_t count;
  std::uint32_t result;
  std::size_t operand, constant, saved;  // where its first statement's begin
};

// Where a statement reads, moving on as it does.
struct Cursor {
  const Pack* value;
  const std::uint32_t* operand;
  const double* constant;
  Pack* saved;
  int chunk = 0;  // of the packs, on the way back
};

// On the way back a statement is computed again, two lanes (a chunk) at a time: the values of its
// nodes, in registers, and where to add the weights that reach its leaves.
template <int kNodes>
struct Scratch {
  // Weights of one variable, as in x * x, are added before they are stored: a load from where a
  // store has just been waits for it.
  COTANGENT_INLINE void Add(Pack::Chunk* to, const Pack::Chunk& weight) {
    if (to == pending_to) {
      pending += weight;
    } else {
      Flush();
      pending_to = to;
      pending = weight;
    }
  }
  COTANGENT_INLINE void Flush() {
    if (pending_to != nullptr) *pending_to += pending;
  }

  Pack::Chunk value[kNodes];
  Pack::Chunk* adjoint[kNodes];
  Pack::Chunk* pending_to = nullptr;
  Pack::Chunk pending{};
};

// For a node type: how many nodes it has (itself the first, numbered from K in the statement), and
// how many constants and saved packs it takes; Store, which records those of a node and its
// operands; Value, which computes it on the way forth; and on the way back Load, which fills in the
// values, and Push, which hands on a weight. Functions are computed on the way forth only: their
// values and derivatives are saved for the way back.
template <class Node>
struct Form;

template <class Tape>
struct Form<Leaf<Tape>> {
  static constexpr int kNodes = 1, kConstants = 0, kSaved = 0;
  static void Store(const Leaf<Tape>& node, Recorder& recorder);
  COTANGENT_INLINE static const Pack& Value(Cursor& at) { return at.value[*at.operand++]; }
  template <int K, class S>
  COTANGENT_INLINE static void Load(Cursor& at, Pack* adjoint, S& scratch) {
    const std::uint32_t index = *at.operand++;
    scratch.value[K] = at.value[index].chunk[at.chunk];
    scratch.adjoint[K] = &adjoint[index].chunk[at.chunk];
  }
  template <int K, class S>
  COTANGENT_INLINE static void Push(const Pack::Chunk& weight, S& scratch) {
    scratch.Add(scratch.adjoint[K], weight);
  }
};

template <class Tape>
struct Form<Constant<Tape>> {
  static constexpr int kNodes = 1, kConstants = 1, kSaved = 0;
  static void Store(const Constant<Tape>& node, Recorder& recorder);
  COTANGENT_INLINE static Pack Value(Cursor& at) { return Pack(*at.constant++); }
  template <int K, class S>
  COTANGENT_INLINE static void Load(Cursor& at, Pack*, S& scratch) {
    const double value = *at.constant++;
    scratch.value[K] = Pack::Chunk{value, value};
  }
  template <int K, class S>
  COTANGENT_INLINE static void Push(const Pack::Chunk&, S&) {}
};

// l op r, where Push is given the weight w and the values of l, r and the node itself.
#define COTANGENT_FORM(Op, op, weight_l, weight_r)                                     \
  template <class L, class R>                                                          \
  struct Form<Op<L, R>> {                                                              \
    static constexpr int kNodes = 1 + Form<L>::kNodes + Form<R>::kNodes;               \
    static constexpr int kConstants = Form<L>::kConstants + Form<R>::kConstants;       \
    static constexpr int kSaved = Form<L>::kSaved + Form<R>::kSaved;                   \
    static void Store(const Op<L, R>& node, Recorder& recorder) {                      \
      Form<L>::Store(node.l, recorder);                                                \
      Form<R>::Store(node.r, recorder);                                                \
    }                                                                                  \
    COTANGENT_INLINE static Pack Value(Cursor& at) {                                   \
      const Pack l = Form<L>::Value(at);                                               \
      const Pack r = Form<R>::Value(at);                                               \
      return l op r;                                                                   \
    }                                                                                  \
    template <int K, class S>                                                          \
    COTANGENT_INLINE static void Load(Cursor& at, Pack* adjoint, S& scratch) {         \
      constexpr int kL = K + 1, kR = kL + Form<L>::kNodes;                             \
      Form<L>::template Load<kL>(at, adjoint, scratch);                                \
      Form<R>::template Load<kR>(at, adjoint, scratch);                                \
      scratch.value[K] = scratch.value[kL] op scratch.value[kR];                       \
    }                                                                                  \
    template <int K, class S>                                                          \
    COTANGENT_INLINE static void Push(const Pack::Chunk& w, S& scratch) {              \
      constexpr int kL = K + 1, kR = kL + Form<L>::kNodes;                             \
      [[maybe_unused]] const Pack::Chunk l = scratch.value[kL], r = scratch.value[kR], \
                                         y = scratch.value[K];                         \
      if constexpr (!kIsConstant<L>) Form<L>::template Push<kL>(weight_l, scratch);    \
      if constexpr (!kIsConstant<R>) Form<R>::template Push<kR>(weight_r, scratch);    \
    }                                                                                  \
  };
COTANGENT_FORM(Sum, +, w, w)
COTANGENT_FORM(Difference, -, w, -w)
COTANGENT_FORM(Product, *, w* r, w* l)
COTANGENT_FORM(Quotient, /, w / r, -w / r * y)
#undef COTANGENT_FORM

template <class A>
struct Form<Negative<A>> {
  static constexpr int kNodes = 1 + Form<A>::kNodes;
  static constexpr int kConstants = Form<A>::kConstants, kSaved = Form<A>::kSaved;
  static void Store(const Negative<A>& node, Recorder& recorder) {
    Form<A>::Store(node.a, recorder);
  }
  COTANGENT_INLINE static Pack Value(Cursor& at) { return -Form<A>::Value(at); }
  template <int K, class S>
  COTANGENT_INLINE static void Load(Cursor& at, Pack* adjoint, S& scratch) {
    Form<A>::template Load<K + 1>(at, adjoint, scratch);
    scratch.value[K] = -scratch.value[K + 1];
  }
  template <int K, class S>
  COTANGENT_INLINE static void Push(const Pack::Chunk& weight, S& scratch) {
    Form<A>::template Push<K + 1>(-weight, scratch);
  }
};

template <class Rule, class... Args>
struct Form<Apply<Rule, Args...>> {
  using Node = Apply<Rule, Args...>;
  static constexpr bool kParameter = !std::is_empty_v<Rule>;
  static constexpr int kDirections = Node::kDirections;
  // The derivatives take the place of nodes after the arguments'.
  static constexpr int kArgumentNodes = (Form<Args>::kNodes + ...);
  static constexpr int kNodes = 1 + kArgumentNodes + kDirections;
  static constexpr int kConstants = (Form<Args>::kConstants + ...) + kParameter;
  static constexpr int kSaved = (Form<Args>::kSaved + ...) + 1 + kDirections;
  static void Store(const Node& node, Recorder& recorder);

  COTANGENT_INLINE static Pack Value(Cursor& at) {
    const std::tuple<OnePack<Args>...> args{
        Form<Args>::Value(at)...};  // braces evaluate from left to right
    Rule rule{};
    if constexpr (kParameter) std::memcpy(&rule, at.constant++, sizeof(Rule));
    Pack* const result = at.saved;
    at.saved += 1 + kDirections;
    Evaluate(rule, args, result[0], result + 1);
    return result[0];
  }
  template <int K, class S>
  COTANGENT_INLINE static void Load(Cursor& at, Pack* adjoint, S& scratch) {
    [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
      (Form<Args>::template Load<K + NodesBefore<I>()>(at, adjoint, scratch), ...);
    }
    (std::index_sequence_for<Args...>());
    if constexpr (kParameter) ++at.constant;
    scratch.value[K] = (at.saved++)->chunk[at.chunk];
    for (int i = 0; i < kDirections; ++i)
      scratch.value[K + 1 + kArgumentNodes + i] = (at.saved++)->chunk[at.chunk];
  }
  template <int K, class S>
  COTANGENT_INLINE static void Push(const Pack::Chunk& weight, S& scratch) {
    [&]<std::size_t... I>(std::index_sequence<I...>) __attribute__((always_inline)) {
      (PushOne<K, I, Args>(weight, scratch), ...);
    }
    (std::index_sequence_for<Args...>());
  }

 private:
  template <class>
  using OnePack = Pack;

  template <int I>
  static constexpr int NodesBefore() {
    constexpr int kCount[] = {Form<Args>::kNodes...};
    int before = 1;
    for (int i = 0; i < I; ++i) before += kCount[i];
    return before;
  }
  template <int K, int I, class A, class S>
  COTANGENT_INLINE static void PushOne(const Pack::Chunk& weight, S& scratch) {
    if constexpr (!kIsConstant<A>) {
      constexpr int kDerivative = K + 1 + kArgumentNodes + Node::template Before<I>(false);
      Form<A>::template Push<K + NodesBefore<I>()>(weight * scratch.value[kDerivative], scratch);
    }
  }

  // By autodiff/forward's rules, a lane at a time, where lane_math.h has no vector function.
  static void Evaluate(const Rule& rule, const std::tuple<OnePack<Args>...>& args, Pack& value,
                       Pack* derivative) {
    if constexpr (requires { EvaluateLanes(rule, std::get<0>(args), value, derivative[0]); }) {
      EvaluateLanes(rule, std::get<0>(args), value, derivative[0]);
    } else {
      for (int lane = 0; lane < kLanes; ++lane) {
        [&]<std::size_t... I>(std::index_sequence<I...>) {
          const typename Node::Dual result = rule(Seed<I>(std::get<I>(args)[lane])...);
          value[lane] = result.value;
          for (int i = 0; i < kDirections; ++i) derivative[i][lane] = result.tangent[i];
        }
        (std::index_sequence_for<Args...>());
      }
    }
  }
  template <int I>
  static auto Seed(double x) {
    if constexpr (kIsConstant<std::tuple_element_t<I, std::tuple<Args...>>>) {
      return x;
    } else {
      return Node::Dual::Variable(x, Node::template Before<I>(false));
    }
  }
};

template <class Node, bool kAccumulate>
struct KernelOf {
  using F = Form<Node>;
  COTANGENT_INLINE static Cursor At(const Machine& machine, const Run& run, std::uint32_t i) {
    return {machine.value, machine.operand + run.operand + std::size_t{i} * Node::kLeaves,
            machine.constant + run.constant + std::size_t{i} * F::kConstants,
            machine.saved + run.saved + std::size_t{i} * F::kSaved};
  }
  static void Forward(const Machine& machine, const Run& run) {
    Cursor at = At(machine, run, 0);
    Pack* const result = machine.value + run.result;
    if constexpr (kAccumulate) {
      Pack sum = *result;
      for (std::uint32_t i = 0; i < run.count; ++i) sum += F::Value(at);
      *result = sum;
    } else {
      for (std::uint32_t i = 0; i < run.count; ++i) result[i] = F::Value(at);
    }
  }
  static void Backward(const Machine& machine, const Run& run) {
    for (std::uint32_t i = run.count; i-- > 0;) {
      const Cursor begin = At(machine, run, i);
      Pack& adjoint = machine.adjoint[run.result + (kAccumulate ? 0 : i)];
      for (int chunk = 0; chunk < Pack::kChunks; ++chunk) {
        Cursor at = begin;
        at.chunk = chunk;
        Scratch<F::kNodes> scratch;
        F::template Load<0>(at, machine.adjoint, scratch);
        const Pack::Chunk weight = adjoint.chunk[chunk];
        // The last use of this adjoint: 0 again for the next points.
        if constexpr (!kAccumulate) adjoint.chunk[chunk] = Pack::Chunk{};
        F::template Push<0>(weight, scratch);
        scratch.Flush();
      }
    }
  }
  static constexpr Kernel kKernel = {&Forward, &Backward};
};

// The tape that variables write a program on.
class Recorder {
 public:
  using Real = double;
  using Var = BasicVar<Recorder>;
  static constexpr bool kNotesBranches = true;

  // A comparison of two slots and how it came out.
  struct Branch {
    Relation relation;
    std::uint32_t a, b;
    bool outcome;
  };

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

  // The slot of a variable, whose value nobody may add to any more; a constant is given a slot.
  std::uint32_t SlotOf(std::uint32_t index, double value) {
    if (index == 0) {
      const auto [at, is_new] = constant_slot_.try_emplace(std::bit_cast<std::uint64_t>(value), 0);
      if (is_new) {
        at->second = NewSlot();
        fixed.push_back({at->second, value});
      }
      index = at->second;
    }
    read_[index] = true;
    return index;
  }

  template <class Node>
  static std::uint32_t Record(const Node& node) {
    if (!AnyActive(node)) return 0;
    Recorder& recorder = *current_;
    // The operands come first: a constant among them takes a slot.
    Begin begin = recorder.Here();
    Form<Node>::Store(node, recorder);
    const std::uint32_t result = recorder.NewSlot();
    const Kernel* const kernel = &KernelOf<Node, false>::kKernel;
    if (!recorder.runs.empty() && recorder.runs.back().kernel == kernel &&
        recorder.runs.back().result + recorder.runs.back().count == result) {
      ++recorder.runs.back().count;
    } else {
      recorder.runs.push_back({kernel, 1, result, begin.operand, begin.constant, begin.saved});
    }
    recorder.saved += Form<Node>::kSaved;
    return result;
  }

  // A sum that has not been read may grow in place; its intermediate values are of no use to
  // anyone.
  template <class Node>
  static std::uint32_t Accumulate(const Leaf<Recorder>& y, bool shared, const Node& term) {
    if (y.index == 0) return Record(Sum<Constant<Recorder>, Node>({y.value}, term));
    Recorder& recorder = *current_;
    if (shared || recorder.read_[y.index] || Node::kLeaves == 0 || !AnyActive(term) ||
        Mentions(term, y.index)) {
      return Record(Sum<Leaf<Recorder>, Node>(y, term));
    }
    Begin begin = recorder.Here();
    Form<Node>::Store(term, recorder);
    const Kernel* const kernel = &KernelOf<Node, true>::kKernel;
    if (recorder.runs.back().kernel == kernel && recorder.runs.back().result == y.index) {
      ++recorder.runs.back().count;
    } else {
      recorder.runs.push_back({kernel, 1, y.index, begin.operand, begin.constant, begin.saved});
    }
    recorder.saved += Form<Node>::kSaved;
    return y.index;
  }

  template <class A, class B>
  static void NoteBranch(Relation relation, const A& a, const B& b, bool outcome) {
    if (current_ == nullptr) return;
    const std::uint32_t slot_a = Materialize(a), slot_b = Materialize(b);
    current_->branches.push_back({relation, slot_a, slot_b, outcome});
  }

  static std::uint32_t CurrentSerial() { return 0; }

  std::vector<Run> runs;
  std::vector<std::uint32_t> operand;
  std::vector<double> constant;
  std::size_t saved = 0;  // packs
  std::uint32_t slots = 1;
  std::vector<std::pair<std::uint32_t, double>> fixed;  // slots of constants
  std::vector<Branch> branches;

 private:
  struct Begin {
    std::size_t operand, constant, saved;
  };
  Begin Here() const { return {operand.size(), constant.size(), saved}; }
  std::uint32_t NewSlot() {
    read_.push_back(false);
    return slots++;
  }

  // Visits a node's leaves.
  template <class Visit>
  struct LeafRow {
    template <int K>
    void Add(const Leaf<Recorder>& leaf, double) {
      visit(leaf);
    }
    Visit visit;
  };
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
  std::vector<bool> read_ = {true};
  std::unordered_map<std::uint64_t, std::uint32_t> constant_slot_;
};

template <class Tape>
void Form<Leaf<Tape>>::Store(const Leaf<Tape>& node, Recorder& recorder) {
  const std::uint32_t slot = recorder.SlotOf(node.index, node.value);
  recorder.operand.push_back(slot);
}
template <class Tape>
void Form<Constant<Tape>>::Store(const Constant<Tape>& node, Recorder& recorder) {
  recorder.constant.push_back(node.value);
}
template <class Rule, class... Args>
void Form<Apply<Rule, Args...>>::Store(const Node& node, Recorder& recorder) {
  std::apply([&](const Args&... args) { (Form<Args>::Store(args, recorder), ...); }, node.args);
  if constexpr (kParameter) {
    static_assert(sizeof(Rule) <= sizeof(double));
    double parameter = 0;
    std::memcpy(&parameter, &node.rule, sizeof(Rule));
    recorder.constant.push_back(parameter);
  }
}

}  // namespace replay

class Program {
 public:
  // Records the scalar function f at x.
  template <class F>
  Program(const F& f, std::span<const double> x) : inputs_(x.size()) {
    using Var = replay::Recorder::Var;
    replay::Recorder::Scope recording(recorder_);
    std::vector<Var> inputs;
    for (const double xi : x) inputs.push_back(recorder_.Input(xi));
    const std::vector<Var> outputs = Outputs<Var>(f, std::span<const Var>(inputs));
    output_ = recorder_.SlotOf(outputs[0].Index(), outputs[0].Value());
    value_.resize(recorder_.slots);
    adjoint_.resize(recorder_.slots, Pack(0));
    saved_.resize(recorder_.saved);
    for (const auto& [slot, constant] : recorder_.fixed) value_[slot] = Pack(constant);
  }

  // values[p] and the gradient at gradients[p * n ..] for the points x[p * n ..], n the number of
  // inputs. Returns the points, in order, at which f branches otherwise than where it was recorded;
  // their results are NaN.
  std::vector<std::size_t> Gradients(std::span<const double> x, std::span<double> values,
                                     std::span<double> gradients) {
    std::vector<std::size_t> diverged;
    for (std::size_t first = 0; first < values.size(); first += kLanes) {
      const std::size_t points = std::min<std::size_t>(kLanes, values.size() - first);
      Load(x.subspan(first * inputs_), points);
      Run();
      bool kept[kLanes];
      for (std::size_t lane = 0; lane < points; ++lane) {
        kept[lane] = Kept(lane);
        if (!kept[lane]) diverged.push_back(first + lane);
        values[first + lane] =
            kept[lane] ? value_[output_][lane] : std::numeric_limits<double>::quiet_NaN();
      }
      Unload(gradients.subspan(first * inputs_, points * inputs_), kept);
    }
    return diverged;
  }

  // How many runs of equal statements were recorded, and the bytes of the recording and of its
  // working memory.
  std::size_t runs() const { return recorder_.runs.size(); }
  std::size_t bytes() const {
    return recorder_.runs.size() * sizeof(replay::Run) +
           recorder_.operand.size() * sizeof(std::uint32_t) +
           recorder_.constant.size() * sizeof(double) +
           (value_.size() + adjoint_.size() + saved_.size()) * sizeof(Pack);
  }

 private:
  // The inputs have slots 1, 2, ..; lanes without a point repeat the first.
  void Load(std::span<const double> x, std::size_t points) {
    for (std::size_t i = 0; i < inputs_; ++i) {
      for (std::size_t lane = 0; lane < kLanes; ++lane)
        value_[1 + i][lane] = x[(lane < points ? lane : 0) * inputs_ + i];
    }
  }
  // Takes the inputs' adjoints, and leaves 0. A block of inputs at a time, so that all lanes find
  // it in the cache.
  void Unload(std::span<double> gradients, const bool (&kept)[kLanes]) {
    constexpr std::size_t kBlock = 128;
    const std::size_t points = gradients.size() / std::max<std::size_t>(inputs_, 1);
    for (std::size_t begin = 0; begin < inputs_; begin += kBlock) {
      const std::size_t end = std::min(inputs_, begin + kBlock);
      for (std::size_t lane = 0; lane < points; ++lane) {
        double* const gradient = gradients.data() + lane * inputs_;
        for (std::size_t i = begin; i < end; ++i) {
          gradient[i] =
              kept[lane] ? adjoint_[1 + i][lane] : std::numeric_limits<double>::quiet_NaN();
        }
      }
      std::fill(&adjoint_[1 + begin], &adjoint_[1 + end], Pack(0));
    }
  }
  // Adjoints are 0 before and after, but for those of constants, which nobody reads.
  void Run() {
    const replay::Machine machine{value_.data(), adjoint_.data(), saved_.data(),
                                  recorder_.operand.data(), recorder_.constant.data()};
    for (const replay::Run& run : recorder_.runs) run.kernel->forward(machine, run);
    adjoint_[output_] = Pack(1);
    for (auto run = recorder_.runs.rbegin(); run != recorder_.runs.rend(); ++run)
      run->kernel->backward(machine, *run);
  }
  bool Kept(std::size_t lane) const {
    for (const auto& branch : recorder_.branches) {
      const double a = value_[branch.a][lane], b = value_[branch.b][lane];
      bool outcome = false;
      switch (branch.relation) {
        case Relation::kEqual:
          outcome = a == b;
          break;
        case Relation::kNotEqual:
          outcome = a != b;
          break;
        case Relation::kLess:
          outcome = a < b;
          break;
        case Relation::kGreater:
          outcome = a > b;
          break;
        case Relation::kLessEqual:
          outcome = a <= b;
          break;
        case Relation::kGreaterEqual:
          outcome = a >= b;
          break;
      }
      if (outcome != branch.outcome) return false;
    }
    return true;
  }

  std::size_t inputs_;
  replay::Recorder recorder_;
  std::uint32_t output_;
  std::vector<Pack> value_, adjoint_, saved_;
};

}  // namespace cotangent::autodiff::reverse

#endif  // COTANGENT_AUTODIFF_REVERSE_PROGRAM_H_
