// Schedules a graph (see fusion.h). The result is a list of items, each a single operation or a
// pass: a loop over memory that computes several fused operations element by element. First
// ChooseMemory() decides which tensors are stored. Then Demand() schedules each result, after the
// tensors that are needed to compute it. A tensor is "recomputed" if the backward computation
// computes it again to save memory (layers/plan/recompute.h).

#include "layers/plan/fusion.h"

#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "layers/graph/operation.h"
#include "layers/graph/uses.h"

namespace cotangent::layers {
namespace {

// A pass that reads, stores and sums this many tensors or more computes no further tensor or sum.
// With more, the pass would run out of registers and of hardware prefetchers.
constexpr int kMostOperands = 16;

// The largest numbers of loads and stores that a pass can have (pass_emitter.h), and the largest
// number of loads that computing one tensor or sum (the root of a cone, see below) may take. In a
// pass with a pooling, each tensor of rank 2 or more is one load or store for each cell of the
// window. If computing a tensor or sum would take more than kMostLoadsOfCone loads, some inputs of
// its operation are stored and loaded instead of computed in the same pass.
constexpr int kMostLoads = 64, kMostStores = 64, kMostLoadsOfCone = 32;

// The largest number of operations that computing one tensor or sum may take in a pass. In a chain
// of thousands of activations, a tensor is stored now and then: the time for planning and the
// length of compiled passes would otherwise grow with the square of the chain's length.
constexpr int kMostOperationsOfCone = 200;

// The cone of a tensor or sum, called the root, is the part of the graph from the root back to
// stored tensors: what a pass must read and compute to make the root.
struct Cone {
  std::vector<TensorId> leaves;  // the stored tensors that the cone reads
  // Those stored tensors that the cone broadcasts from one pixel to a whole image. They must be
  // complete in memory before the pass begins, so the same pass cannot store them.
  std::vector<TensorId> spread;
  std::optional<PassRole> pooling;  // a pooling operation inside, if any
  bool several_windows = false;     // poolings of different geometry: impossible in one pass
  int operations = 0;               // how many operations there are inside
};

class Fuser {
 public:
  Fuser(const Graph& graph, absl::Span<const TensorId> results)
      : graph_(graph),
        results_(results.begin(), results.end()),
        uses_(graph, results),
        made_by_(graph.num_tensors(), kNotScheduled),
        begun_(graph.nodes().size()) {}

  absl::StatusOr<Schedule> Run() {
    ChooseMemory();
    for (TensorId t : results_) Demand(t);
    for (Item& item : schedule_.items) {
      if (item.node < 0) FinishPass(item);
    }
    return std::move(schedule_);
  }

 private:
  void ChooseMemory();
  int LeafCount(TensorId t);
  void KeepWindowsApart(const Node& node);
  void KeepConesSmall(const Node& node);
  // Returns the number of operands that these tensors take in the pass. In a pass with a pooling, a
  // tensor of rank 2 or more takes one operand for each cell of the window.
  int OperandsOf(const std::vector<TensorId>& tensors, const Pass& pass) const;
  void Demand(TensorId t);
  std::vector<TensorId> InputsOf(TensorId t) const;
  std::vector<TensorId> DemandRecomputed(int node);
  void PlaceOperation(int node);
  void DemandBeside(const std::vector<TensorId>& again, const Node& node);
  bool IsReady(TensorId t, int depth) const;
  void Place(TensorId t);
  bool Fits(const Cone& cone, TensorId root, const Item& item, int index) const;
  void AddRoot(TensorId root, Item& item, int index);
  Cone ConeOf(TensorId root) const;
  void Walk(TensorId t, Cone& cone, absl::flat_hash_set<TensorId>& seen) const;
  void FinishPass(Item& item);
  Pass NewPass(const Cone& cone, TensorId root) const;
  PassRole RoleOf(const Node& node) const { return node.op->Role(graph_, node); }
  bool IsFusible(const Node& node) const { return RoleOf(node).kind != PassRole::kNone; }
  bool IsSum(const Node& node) const {
    const PassRole::Kind kind = RoleOf(node).kind;
    return kind == PassRole::kSum || kind == PassRole::kMoments;
  }
  // A tensor that Demand() is to schedule, after its inputs from number `next` on. First `inputs`
  // are those that InputsOf() returns; once `recomputes` is true, which happens only for an
  // operation that is not fused, they are its recomputed inputs.
  struct Wanted {
    TensorId tensor;
    std::vector<TensorId> inputs;
    size_t next = 0;
    bool recomputes = false;
    int late_before = -1;  // late_ before the recomputed inputs are scheduled
  };
  // Returns the shape over whose elements `root` is computed: for a sum the shape of the summed
  // tensor, otherwise root's own shape. A pass without a pooling loops over this shape; a pass with
  // a pooling loops over the pooled shape (see NewPass()).
  const Shape& RangeOf(TensorId root) const {
    const Node& node = graph_.producer(root);
    return graph_.shape(IsSum(node) ? node.inputs[0] : root);
  }

  const Graph& graph_;
  const std::vector<TensorId> results_;
  Schedule schedule_;
  const Uses uses_;
  std::vector<bool> has_copy_;  // by tensor: whether the backward computation recomputes it
  // While recomputed tensors are scheduled: the index of the first item whose pass they may join.
  // -1: they get new passes.
  int late_ = -1;
  std::vector<int> made_by_;  // by tensor: the item that makes it, or:
  static constexpr int kFromOutside = -1, kNotScheduled = -2;
  std::vector<bool> begun_;  // by node: whether DemandRecomputed() was called for it
};

// Returns the number of distinct stored tensors that computing t reads, without scalars and channel
// vectors. A pooling in the cone of t counts as two more.
int Fuser::LeafCount(TensorId t) {
  const Cone cone = ConeOf(t);
  int count = 0;
  for (TensorId leaf : cone.leaves) count += graph_.shape(leaf).rank() >= 2;
  return count + (cone.pooling.has_value() ? 2 : 0);
}

// Poolings of different geometry cannot share a pass. If `node` would combine such poolings, those
// of its inputs whose computation contains a pooling are stored in memory.
void Fuser::KeepWindowsApart(const Node& node) {
  if (node.outputs.empty() || !IsFusible(node) || !ConeOf(node.outputs[0]).several_windows) return;
  for (TensorId t : node.inputs) {
    absl::flat_hash_set<TensorId> seen;
    Cone cone;
    Walk(t, cone, seen);
    if (cone.pooling.has_value()) schedule_.in_memory[t] = true;
  }
}

int Fuser::OperandsOf(const std::vector<TensorId>& tensors, const Pass& pass) const {
  const int cells = static_cast<int>(pass.window_height * pass.window_width);
  int operands = 0;
  for (TensorId t : tensors) operands += graph_.shape(t).rank() >= 2 ? cells : 1;
  return operands;
}

void Fuser::KeepConesSmall(const Node& node) {
  if (node.outputs.empty() || !IsFusible(node)) return;
  if (ConeOf(node.outputs[0]).operations > kMostOperationsOfCone) {
    for (TensorId t : node.inputs) {
      if (!schedule_.in_memory[t] && ConeOf(t).operations > kMostOperationsOfCone / 2)
        schedule_.in_memory[t] = true;
    }
  }
  const auto is_large = [&] {
    const Cone cone = ConeOf(node.outputs[0]);
    return OperandsOf(cone.leaves, NewPass(cone, node.outputs[0])) > kMostLoadsOfCone;
  };
  while (is_large()) {
    TensorId largest = kNoTensor;
    size_t most = 1;
    for (TensorId t : node.inputs) {
      absl::flat_hash_set<TensorId> seen;
      Cone cone;
      if (!schedule_.in_memory[t]) Walk(t, cone, seen);
      if (cone.leaves.size() > most) largest = t, most = cone.leaves.size();
    }
    if (largest == kNoTensor) return;
    schedule_.in_memory[largest] = true;
  }
}

void Fuser::ChooseMemory() {
  schedule_.in_memory.assign(graph_.num_tensors(), false);
  has_copy_.assign(graph_.num_tensors(), false);
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    const Node& node = graph_.node(static_cast<int>(i));
    if (node.again_of != kNoTensor && uses_.IsNeeded(static_cast<int>(i)))
      has_copy_[node.again_of] = true;
  }
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    const Node& node = graph_.node(static_cast<int>(i));
    if (!uses_.IsNeeded(static_cast<int>(i))) continue;
    const PassRole role = RoleOf(node);
    KeepWindowsApart(node);
    KeepConesSmall(node);
    for (TensorId t : node.outputs) {
      bool in_memory = uses_.IsResult(t) || !IsFusible(node) || IsSum(node) || has_copy_[t];
      in_memory = in_memory || (!role.is_free && graph_.shape(t).rank() < 2);
      in_memory = in_memory || t != node.outputs[0];  // positions of maxima are always stored
      int passes = 0;
      for (int reader : uses_.readers(t)) {
        const Node& user = graph_.node(reader);
        in_memory = in_memory || !IsFusible(user) || RoleOf(user).kind == PassRole::kSpread;
        ++passes;
      }
      if (!in_memory && passes >= 2 && !role.is_free) in_memory = LeafCount(t) >= 3;
      schedule_.in_memory[t] = in_memory;
      if (node.op->is_given()) made_by_[t] = kFromOutside;
    }
  }
}

void Fuser::Walk(TensorId t, Cone& cone, absl::flat_hash_set<TensorId>& seen) const {
  if (!seen.insert(t).second) return;
  const Node& node = graph_.producer(t);
  if (schedule_.in_memory[t]) {
    cone.leaves.push_back(t);
    return;
  }
  ++cone.operations;
  const PassRole role = RoleOf(node);
  if (role.kind == PassRole::kPooling) {
    if (cone.pooling.has_value()) {
      const PassRole& other = *cone.pooling;
      const bool same = other.window->height == role.window->height &&
                        other.window->width == role.window->width &&
                        graph_.shape(other.coarse) == graph_.shape(role.coarse) &&
                        graph_.shape(other.fine) == graph_.shape(role.fine);
      cone.several_windows = cone.several_windows || !same;
    }
    cone.pooling = role;
  }
  if (role.kind == PassRole::kSpread) cone.spread.push_back(node.inputs[0]);
  for (TensorId input : node.inputs) Walk(input, cone, seen);
}

// Returns everything that a pass must read and compute for `root`. For a sum, that is what it must
// read and compute for the summed tensor.
Cone Fuser::ConeOf(TensorId root) const {
  Cone cone;
  absl::flat_hash_set<TensorId> seen;
  const Node& node = graph_.producer(root);
  if (IsSum(node)) {
    Walk(node.inputs[0], cone, seen);
    return cone;
  }
  const PassRole role = RoleOf(node);
  if (role.kind == PassRole::kPooling) cone.pooling = role;
  if (role.kind == PassRole::kSpread) cone.spread.push_back(node.inputs[0]);
  for (TensorId input : node.inputs) Walk(input, cone, seen);
  return cone;
}

// Schedules t, after what it is computed from. The tensors on the way are on a stack of their own,
// not on the program's: a network of thousands of layers would overflow that one.
void Fuser::Demand(TensorId t) {
  std::vector<Wanted> stack;
  const auto want = [&](TensorId wanted) {
    if (made_by_[wanted] == kNotScheduled) stack.push_back({wanted, InputsOf(wanted)});
  };
  want(t);
  while (!stack.empty()) {
    Wanted& top = stack.back();
    if (top.next < top.inputs.size()) {
      want(top.inputs[top.next++]);
    } else if (IsFusible(graph_.producer(top.tensor))) {
      Place(top.tensor);
      stack.pop_back();
    } else if (!top.recomputes) {
      top.recomputes = true, top.late_before = late_;
      top.inputs = DemandRecomputed(graph_.tensor(top.tensor).node), top.next = 0;
    } else {
      late_ = top.late_before;
      PlaceOperation(graph_.tensor(top.tensor).node);
      stack.pop_back();
    }
  }
}

// Returns the stored tensors from which t is computed; for an operation that is not fused, those
// that are not recomputed.
std::vector<TensorId> Fuser::InputsOf(TensorId t) const {
  const Node& node = graph_.producer(t);
  if (IsFusible(node)) return ConeOf(t).leaves;
  std::vector<TensorId> inputs = node.inputs;
  inputs.erase(std::remove_if(inputs.begin(), inputs.end(),
                              [&](TensorId input) { return graph_.producer(input).recomputed; }),
               inputs.end());
  return inputs;
}

// Returns the recomputed inputs of an operation that are still to be scheduled. They are scheduled
// last, because they occupy memory from the moment they are computed. Before that, schedules what
// can share passes with them, and sets late_.
std::vector<TensorId> Fuser::DemandRecomputed(int index) {
  const Node& node = graph_.node(index);
  std::vector<TensorId> again;
  for (TensorId input : node.inputs) {
    if (graph_.producer(input).recomputed && made_by_[input] == kNotScheduled)
      again.push_back(input);
  }
  if (again.empty()) return again;
  begun_[index] = true;
  late_ = static_cast<int>(schedule_.items.size());
  DemandBeside(again, node);
  return again;
}

void Fuser::PlaceOperation(int index) {
  const Node& node = graph_.node(index);
  Item item;
  item.node = index;
  item.reads = node.inputs;
  item.writes = node.outputs;
  for (TensorId output : node.outputs) made_by_[output] = static_cast<int>(schedule_.items.size());
  schedule_.items.push_back(std::move(item));
}

// Returns whether t is already computed, or whether passes and operations that only move channels,
// but no sums, can compute t, in few steps, from tensors that are already computed.
bool Fuser::IsReady(TensorId t, int depth) const {
  constexpr int kDeepest = 4;
  const Node& node = graph_.producer(t);
  if (made_by_[t] != kNotScheduled) return true;
  if (depth > kDeepest || IsSum(node)) return false;
  const bool only_moves = !node.op->Views(graph_, node).empty();
  if (!IsFusible(node) && !only_moves) return false;
  const std::vector<TensorId> leaves = only_moves ? node.inputs : ConeOf(t).leaves;
  return std::all_of(leaves.begin(), leaves.end(),
                     [&](TensorId leaf) { return IsReady(leaf, depth + 1); });
}

// Operation `node`, usually the gradient of a convolution by its weights, is about to be scheduled.
// It reads the recomputed tensors `again` and a cotangent. Another operation that reads this
// cotangent, usually the gradient of the convolution by its input, leads to sums and stores that
// read the same tensors from which `again` is recomputed. This function schedules that operation
// and then these sums and stores, so that they can share a pass with the recomputation.
void Fuser::DemandBeside(const std::vector<TensorId>& again, const Node& node) {
  absl::flat_hash_set<TensorId> sources, seen;
  for (TensorId t : again) {
    for (TensorId leaf : ConeOf(t).leaves) {
      if (graph_.shape(leaf).rank() >= 2) sources.insert(leaf);
    }
  }
  std::vector<TensorId> reached;
  for (TensorId input : node.inputs) {
    if (std::find(again.begin(), again.end(), input) != again.end()) continue;
    for (int reader : uses_.readers(input)) {
      const Node& other = graph_.node(reader);
      if (IsFusible(other) || other.op == node.op || other.recomputed) continue;
      // An operation that is waiting for this one cannot be scheduled before it. (The gradients of
      // a product of two recomputed tensors are beside each other.)
      if (begun_[reader] && made_by_[other.outputs[0]] == kNotScheduled) continue;
      const auto is_ready = [&](TensorId t) { return IsReady(t, 0); };
      if (!std::all_of(other.inputs.begin(), other.inputs.end(), is_ready)) continue;
      for (TensorId t : other.outputs) {
        if (graph_.shape(t) == graph_.shape(again[0])) reached.push_back(t);
      }
    }
  }
  for (TensorId t : reached) Demand(t);
  std::vector<TensorId> beside;
  for (size_t i = 0; i < reached.size(); ++i) {
    for (int reader : uses_.readers(reached[i])) {
      const Node& next = graph_.node(reader);
      const TensorId t = next.outputs[0];
      if (!IsFusible(next) || !seen.insert(t).second) continue;
      if (!IsSum(next)) reached.push_back(t);
      if (!schedule_.in_memory[t] || made_by_[t] != kNotScheduled) continue;
      const std::vector<TensorId> leaves = ConeOf(t).leaves;
      const bool shares = std::any_of(leaves.begin(), leaves.end(),
                                      [&](TensorId leaf) { return sources.contains(leaf); });
      const bool is_ready = std::all_of(leaves.begin(), leaves.end(),
                                        [&](TensorId leaf) { return IsReady(leaf, 0); });
      if (shares && is_ready) beside.push_back(t);
    }
  }
  // First schedules the tensors that `beside` reads, so that a single pass afterwards can compute
  // all of `beside`.
  for (TensorId t : beside) {
    for (TensorId leaf : ConeOf(t).leaves) {
      if (std::find(beside.begin(), beside.end(), leaf) == beside.end()) Demand(leaf);
    }
  }
  for (TensorId t : beside) Demand(t);
}

Pass Fuser::NewPass(const Cone& cone, TensorId root) const {
  Pass pass;
  pass.domain = RangeOf(root);
  if (cone.pooling.has_value()) {
    pass.domain = graph_.shape(cone.pooling->coarse);
    pass.fine = graph_.shape(cone.pooling->fine);
    pass.window_height = cone.pooling->window->height;
    pass.window_width = cone.pooling->window->width;
  }
  return pass;
}

// Returns whether this pass, item number `index` (from 0), can compute `root`, whose cone is given.
// The pass must loop over the shape over which a pass for `root` would loop, or have a pooling with
// that shape before the pooling; if the cone has a pooling, the pass must have the same one. Every
// tensor that the cone reads must be available before the pass, or be stored by the pass (unless
// the cone broadcasts it). Unless `root` is computed from channel vectors or scalars, the cone and
// the pass must have a tensor in common. The number of operands must stay within the limits.
bool Fuser::Fits(const Cone& cone, TensorId root, const Item& item, int index) const {
  const Pass wanted = NewPass(cone, root);
  const Pass& pass = item.pass;
  if (wanted.HasWindow()) {
    if (!(wanted.domain == pass.domain) || !(wanted.fine == pass.fine) ||
        wanted.window_height != pass.window_height || wanted.window_width != pass.window_width)
      return false;
  } else if (!(wanted.domain == pass.domain) && !pass.IsFine(wanted.domain)) {
    return false;
  }
  bool shares = wanted.domain.rank() < 2;
  for (TensorId leaf : cone.leaves) {
    const bool stored_here =
        std::find(pass.stores.begin(), pass.stores.end(), leaf) != pass.stores.end();
    if (!stored_here && made_by_[leaf] >= index) return false;
    if (stored_here && std::find(cone.spread.begin(), cone.spread.end(), leaf) != cone.spread.end())
      return false;
    shares = shares || stored_here ||
             (graph_.shape(leaf).rank() >= 2 &&
              std::find(item.reads.begin(), item.reads.end(), leaf) != item.reads.end());
  }
  return shares &&
         static_cast<int>(item.reads.size() + pass.stores.size() + pass.sums.size()) <
             kMostOperands &&
         OperandsOf(item.reads, pass) + OperandsOf(cone.leaves, pass) <= kMostLoads &&
         OperandsOf(pass.stores, pass) + OperandsOf({root}, pass) <= kMostStores;
}

void Fuser::AddRoot(TensorId root, Item& item, int index) {
  const Node& node = graph_.producer(root);
  if (IsSum(node)) {
    item.pass.sums.push_back(graph_.tensor(root).node);
    for (TensorId output : node.outputs) made_by_[output] = index;
  } else {
    item.pass.stores.push_back(root);
    made_by_[root] = index;
  }
  for (TensorId leaf : ConeOf(root).leaves) {
    if (std::find(item.reads.begin(), item.reads.end(), leaf) == item.reads.end())
      item.reads.push_back(leaf);
  }
}

void Fuser::Place(TensorId root) {
  const Cone cone = ConeOf(root);
  int earliest = 0;
  for (TensorId leaf : cone.leaves) earliest = std::max(earliest, made_by_[leaf]);
  if (graph_.producer(root).recomputed)
    earliest = std::max(earliest, late_ >= 0 ? late_ : static_cast<int>(schedule_.items.size()));
  for (int i = earliest; i < static_cast<int>(schedule_.items.size()); ++i) {
    Item& item = schedule_.items[i];
    if (item.node >= 0 || !Fits(cone, root, item, i)) continue;
    AddRoot(root, item, i);
    return;
  }
  Item item;
  item.pass = NewPass(cone, root);
  schedule_.items.push_back(std::move(item));
  AddRoot(root, schedule_.items.back(), static_cast<int>(schedule_.items.size()) - 1);
}

void Fuser::FinishPass(Item& item) {
  item.writes = item.pass.stores;
  for (int sum : item.pass.sums) {
    for (TensorId output : graph_.node(sum).outputs) item.writes.push_back(output);
  }
  // The pass has the values of tensors that it stores itself in registers, so it does not read
  // these tensors from memory.
  item.reads.erase(std::remove_if(item.reads.begin(), item.reads.end(),
                                  [&](TensorId t) {
                                    return std::find(item.writes.begin(), item.writes.end(), t) !=
                                           item.writes.end();
                                  }),
                   item.reads.end());
}

}  // namespace

absl::StatusOr<Schedule> Fuse(const Graph& graph, absl::Span<const TensorId> results) {
  return Fuser(graph, results).Run();
}

std::string Schedule::ToString(const Graph& graph) const {
  std::string text;
  const auto list = [&](const std::vector<TensorId>& tensors) {
    std::string out;
    for (TensorId t : tensors)
      absl::StrAppend(&out, out.empty() ? "" : ", ", "%", t, graph.shape(t).ToString());
    return out;
  };
  for (size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    const std::string what =
        item.node >= 0
            ? absl::StrCat(graph.node(item.node).op->name(), " ", graph.node(item.node).name)
            : absl::StrCat("pass over ", item.pass.domain.ToString(),
                           item.pass.HasWindow() ? " with windows" : "");
    absl::StrAppend(&text, i, ": ", what, ": ", list(item.reads), " -> ", list(item.writes), "\n");
  }
  return text;
}

}  // namespace cotangent::layers
