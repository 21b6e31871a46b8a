#include "layers/plan/fusion.h"

#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace cotangent::layers {
namespace {

// Beyond this many operands a pass spills registers and outruns the prefetchers.
constexpr int kMostOperands = 16;

// What a pass can load, and store (pass.cc), and what one tensor or sum is computed from: beyond
// that, its inputs come from memory.
constexpr int kMostLoads = 64, kMostStores = 64, kMostLoadsOfCone = 32;

// Cells of the largest pooling window that a pass takes: each is a piece of its program.
constexpr int kMostCells = 9;

// Windows of one cell are none to a pass (Pass::HasWindow), which would not know coarse from fine.
bool Tiles(const PoolWindow& window) {
  const int64_t cells = window.height * window.width;
  return window.stride_height == window.height && window.stride_width == window.width &&
         window.padding.top == 0 && window.padding.left == 0 && window.padding.bottom == 0 &&
         window.padding.right == 0 && cells > 1 && cells <= kMostCells;
}

bool IsLeaf(Op op) { return op == Op::kInput || op == Op::kParameter || op == Op::kState; }

// Whether a pass can compute it.
bool IsFusible(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::kElementwise:
    case Op::kConstant:
    case Op::kChannelSum:
    case Op::kMoments:
      return true;
    case Op::kMaxPool:
    case Op::kMaxPoolGather:
    case Op::kMaxUnpool:
      return Tiles(node.attributes.window);
    case Op::kAverageUnpool:
      return IsGlobalAverageUnpool(graph, node);
    default:
      return false;
  }
}

bool IsSum(const Node& node) { return node.op == Op::kChannelSum || node.op == Op::kMoments; }
bool IsWindowed(const Node& node) {
  return node.op == Op::kMaxPool || node.op == Op::kMaxPoolGather || node.op == Op::kMaxUnpool;
}

// What computing a tensor (or a sum) in a pass takes.
struct Cone {
  std::vector<TensorId> leaves;  // tensors in memory it reads
  std::vector<TensorId>
      spread;  // those of which it reads one pixel for the whole image: from memory, where a pass has not stored yet
  const Node* windowed = nullptr;  // a pooling operation inside
  bool several_windows = false;    // poolings of different geometry inside: cannot be one pass
};

class Fuser {
 public:
  explicit Fuser(const Graph& graph) : graph_(graph) {}

  absl::StatusOr<Schedule> Run(absl::Span<const TensorId> results) {
    FindNeeded(results);
    ChooseMemory(results);
    for (TensorId t : results) Demand(t);
    for (Item& item : schedule_.items) {
      if (item.node < 0) FinishPass(item);
    }
    return std::move(schedule_);
  }

 private:
  void FindNeeded(absl::Span<const TensorId> results);
  void ChooseMemory(absl::Span<const TensorId> results);
  int LeafCount(TensorId t);
  void KeepWindowsApart(const Node& node);
  void KeepConesSmall(const Node& node);
  // Operands that these tensors are in a pass: images are read once for each cell of its window.
  int OperandsOf(const std::vector<TensorId>& tensors, const Pass& pass) const;
  void Demand(TensorId t);
  void DemandOperation(int node);
  void Place(TensorId t);
  bool Fits(const Cone& cone, TensorId root, const Item& item, int index) const;
  void AddRoot(TensorId root, Item& item, int index);
  Cone ConeOf(TensorId root) const;
  void Walk(TensorId t, Cone& cone, absl::flat_hash_set<TensorId>& seen) const;
  void FinishPass(Item& item);
  Pass NewPass(const Cone& cone, TensorId root) const;
  // The shapes on both sides of a pooling, either way.
  const Shape& Coarse(const Node& pool) const {
    return graph_.shape(pool.op == Op::kMaxUnpool ? pool.inputs[0] : pool.outputs[0]);
  }
  const Shape& Fine(const Node& pool) const {
    return graph_.shape(pool.op == Op::kMaxUnpool ? pool.outputs[0] : pool.inputs[0]);
  }
  // What a root ranges over: for a sum, the shape of what is summed.
  const Shape& RangeOf(TensorId root) const {
    const Node& node = graph_.producer(root);
    return graph_.shape(IsSum(node) ? node.inputs[0] : root);
  }

  const Graph& graph_;
  Schedule schedule_;
  std::vector<bool> needed_;  // by node
  std::vector<int> made_by_;  // by tensor: item index; -1: there from the start; -2: not yet
  std::vector<std::vector<int>> readers_;  // by tensor: needed nodes
};

void Fuser::FindNeeded(absl::Span<const TensorId> results) {
  const int count = static_cast<int>(graph_.nodes().size());
  needed_.assign(count, false);
  readers_.resize(graph_.num_tensors());
  made_by_.assign(graph_.num_tensors(), -2);
  for (TensorId t : results) needed_[graph_.tensor(t).node] = true;
  for (int i = count - 1; i >= 0; --i) {
    if (!needed_[i]) continue;
    for (TensorId t : graph_.node(i).inputs) {
      needed_[graph_.tensor(t).node] = true;
      readers_[t].push_back(i);
    }
  }
}

// Distinct tensors in memory that computing t reads.
int Fuser::LeafCount(TensorId t) {
  const Cone cone = ConeOf(t);
  int count = 0;
  for (TensorId leaf : cone.leaves) count += graph_.shape(leaf).rank() >= 2;
  return count + (cone.windowed != nullptr ? 2 : 0);
}

// Poolings of different geometry do not go into one pass: where an operation would bring them
// together, its inputs that have pooling inside are put in memory.
void Fuser::KeepWindowsApart(const Node& node) {
  if (node.outputs.empty() || !IsFusible(graph_, node) || !ConeOf(node.outputs[0]).several_windows)
    return;
  for (TensorId t : node.inputs) {
    absl::flat_hash_set<TensorId> seen;
    Cone cone;
    Walk(t, cone, seen);
    if (cone.windowed != nullptr) schedule_.in_memory[t] = true;
  }
}

int Fuser::OperandsOf(const std::vector<TensorId>& tensors, const Pass& pass) const {
  const int cells = static_cast<int>(pass.window_height * pass.window_width);
  int operands = 0;
  for (TensorId t : tensors) operands += graph_.shape(t).rank() >= 2 ? cells : 1;
  return operands;
}

void Fuser::KeepConesSmall(const Node& node) {
  if (node.outputs.empty() || !IsFusible(graph_, node)) return;
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

void Fuser::ChooseMemory(absl::Span<const TensorId> results) {
  schedule_.in_memory.assign(graph_.num_tensors(), false);
  const absl::flat_hash_set<TensorId> is_result(results.begin(), results.end());
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    const Node& node = graph_.node(static_cast<int>(i));
    if (!needed_[i]) continue;
    KeepWindowsApart(node);
    KeepConesSmall(node);
    for (TensorId t : node.outputs) {
      bool in_memory = is_result.contains(t) || !IsFusible(graph_, node) || IsSum(node);
      in_memory = in_memory || (node.op == Op::kElementwise && graph_.shape(t).rank() < 2);
      in_memory = in_memory || (node.op == Op::kMaxPool && t == node.outputs[1]);
      int passes = 0;
      for (int reader : readers_[t]) {
        const Node& user = graph_.node(reader);
        in_memory = in_memory || !IsFusible(graph_, user) || user.op == Op::kAverageUnpool;
        ++passes;
      }
      if (!in_memory && passes >= 2 && node.op != Op::kConstant) in_memory = LeafCount(t) >= 3;
      schedule_.in_memory[t] = in_memory;
      if (IsLeaf(node.op)) made_by_[t] = -1;
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
  if (IsWindowed(node)) {
    const PoolWindow* other = cone.windowed ? &cone.windowed->attributes.window : nullptr;
    if (other != nullptr) {
      const bool same = other->height == node.attributes.window.height &&
                        other->width == node.attributes.window.width &&
                        Coarse(*cone.windowed) == Coarse(node) &&
                        Fine(*cone.windowed) == Fine(node);
      cone.several_windows = cone.several_windows || !same;
    }
    cone.windowed = &node;
  }
  if (node.op == Op::kAverageUnpool) cone.spread.push_back(node.inputs[0]);
  for (TensorId input : node.inputs) Walk(input, cone, seen);
}

// The cone of a root: of t itself, or of what a sum sums.
Cone Fuser::ConeOf(TensorId root) const {
  Cone cone;
  absl::flat_hash_set<TensorId> seen;
  const Node& node = graph_.producer(root);
  if (IsSum(node)) {
    Walk(node.inputs[0], cone, seen);
    return cone;
  }
  if (IsWindowed(node)) cone.windowed = &node;
  if (node.op == Op::kAverageUnpool) cone.spread.push_back(node.inputs[0]);
  for (TensorId input : node.inputs) Walk(input, cone, seen);
  return cone;
}

void Fuser::Demand(TensorId t) {
  if (made_by_[t] != -2) return;
  const Node& node = graph_.producer(t);
  if (!IsFusible(graph_, node)) {
    DemandOperation(graph_.tensor(t).node);
    return;
  }
  for (TensorId leaf : ConeOf(t).leaves) Demand(leaf);
  Place(t);
}

void Fuser::DemandOperation(int index) {
  const Node& node = graph_.node(index);
  const auto is_recomputed = [&](TensorId t) { return graph_.producer(t).attributes.recomputed; };
  for (TensorId input : node.inputs) {
    if (!is_recomputed(input)) Demand(input);
  }
  for (TensorId input : node.inputs)
    Demand(input);  // what is computed again, last: it takes memory from then on
  Item item;
  item.node = index;
  item.reads = node.inputs;
  item.writes = node.outputs;
  for (TensorId output : node.outputs) made_by_[output] = static_cast<int>(schedule_.items.size());
  schedule_.items.push_back(std::move(item));
}

Pass Fuser::NewPass(const Cone& cone, TensorId root) const {
  Pass pass;
  pass.domain = RangeOf(root);
  if (cone.windowed != nullptr) {
    const Node& node = *cone.windowed;
    pass.domain = Coarse(node);
    pass.fine = Fine(node);
    pass.window_height = node.attributes.window.height;
    pass.window_width = node.attributes.window.width;
  }
  return pass;
}

// Whether the root can be computed in this pass: its range belongs to the pass, all it reads is
// there before the pass or stored by it, and it shares something with the pass.
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
  if (graph_.producer(root).attributes.recomputed)
    earliest = static_cast<int>(schedule_.items.size());
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
  // What the pass stores itself, it has in registers.
  item.reads.erase(std::remove_if(item.reads.begin(), item.reads.end(),
                                  [&](TensorId t) {
                                    return std::find(item.writes.begin(), item.writes.end(), t) !=
                                           item.writes.end();
                                  }),
                   item.reads.end());
}

}  // namespace

bool IsGlobalAverageUnpool(const Graph& graph, const Node& node) {
  if (node.op != Op::kAverageUnpool) return false;
  const Shape& fine = graph.shape(node.outputs[0]);
  const PoolWindow& window = node.attributes.window;
  return window.height == fine[2] && window.width == fine[3] && window.padding.top == 0 &&
         window.padding.left == 0 && window.padding.bottom == 0 && window.padding.right == 0;
}

absl::StatusOr<Schedule> Fuse(const Graph& graph, absl::Span<const TensorId> results) {
  return Fuser(graph).Run(results);
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
            ? absl::StrCat(OpName(graph.node(item.node).op), " ", graph.node(item.node).name)
            : absl::StrCat("pass over ", item.pass.domain.ToString(),
                           item.pass.HasWindow() ? " with windows" : "");
    absl::StrAppend(&text, i, ": ", what, ": ", list(item.reads), " -> ", list(item.writes), "\n");
  }
  return text;
}

}  // namespace cotangent::layers
