// Decides which results of the forward computation are recomputed during backpropagation (see
// recompute.h). A tensor is "stored" if it is in memory, and "inlined" if passes compute it where
// they need it. A "pass" is one loop over memory that computes several operations (fusion.h).
// "Late" means in the backward computation, and "again" marks tensors that are recomputed.

#include "layers/plan/recompute.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/graph/uses.h"
#include "layers/plan/assign.h"
#include "layers/plan/buffer.h"
#include "layers/plan/fusion.h"

namespace cotangent::layers {
namespace {

// The cost of moving a byte, expressed in bytes of peak memory: half a byte, which is the ratio of
// kSecondsPerByte to kSecondsPerPeakByte in assign.cc.
constexpr double kPeakBytesPerMoved = 0.5;
// The numbers of segments that are tried to meet a memory budget. A segment is a part of the
// forward computation; see WithinBudget().
constexpr int kSegments[] = {2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64};
// Cuts() searches the end of each segment around the point that would make all segments equal in
// bytes, up to this fraction of a segment away from it.
constexpr double kSearched = 0.4;

class Recomputer {
 public:
  Recomputer(const Graph& graph, const std::vector<TensorId>& results,
             const RecomputeOptions& options)
      : graph_(graph),
        results_(results),
        precision_(options.precision),
        may_go_on_(options.may_go_on) {}

  // Finds out where the forward computation ends, which tensors can be recomputed, and which
  // tensors the backward computation reads.
  absl::Status Prepare();
  bool has_gradients() const {
    return results_.size() > 1 && graph_.shape(results_[0]).rank() == 0;
  }

  // Which tensors are recomputed, and the peak of memory that results.
  struct Choice {
    std::vector<bool> again;  // by tensor
    int64_t peak = 0;         // bytes
  };
  absl::StatusOr<Choice> Nothing() const { return Judge(std::vector<bool>(Tensors(), false)); }
  // Returns the choice to recompute those tensors that one pass can recompute, as far as `how`
  // allows.
  absl::StatusOr<Choice> Cheap(Recompute how) const;
  // Returns a choice that recomputes enough to meet the budget. Starts from `best`, the best choice
  // so far. If no choice that was tried meets the budget, returns the one that needs the least
  // memory.
  absl::StatusOr<Choice> WithinBudget(int64_t most_bytes, Choice best) const;
  Graph Rewrite(const std::vector<bool>& again) const;

 private:
  size_t Tensors() const { return static_cast<size_t>(graph_.num_tensors()); }
  int64_t BytesOf(const Graph& graph, TensorId t) const {
    return Buffer{nullptr, graph.shape(t), DefaultFormat(graph, t, precision_)}.bytes();
  }
  bool IsForward(TensorId t) const { return graph_.tensor(t).node < end_; }
  // Returns whether t is not stored, but computed inside every pass that needs it.
  bool IsInlined(TensorId t) const {
    const Node& node = graph_.producer(t);
    return !schedule_.in_memory[t] && node.outputs.size() == 1 && !node.op->is_leaf();
  }
  bool CanBeComputedAgain(TensorId t) const {
    const Node& node = graph_.producer(t);
    return IsForward(t) && schedule_.in_memory[t] && is_read_late_[t] && !is_result_[t] &&
           node.outputs.size() == 1 && !node.op->is_leaf() && graph_.shape(t).rank() >= 2;
  }
  bool IsOfPass(const Node& node) const {
    return node.op->Role(graph_, node).kind != PassRole::kNone;
  }
  // Finds the stored tensors that recomputing t reads, if the tensors marked in `again` are
  // recomputed too.
  void FindLeaves(TensorId t, const std::vector<bool>& again, std::vector<TensorId>& leaves,
                  std::vector<bool>& seen) const;
  absl::StatusOr<Choice> Judge(std::vector<bool> again) const;
  std::vector<int> Cuts(int segments) const;

  const Graph& graph_;
  const std::vector<TensorId>& results_;
  const ElementType precision_;
  const std::function<absl::Status()>& may_go_on_;
  int end_ = 0;                    // nodes from this index on belong to the backward computation
  std::vector<int> last_forward_;  // by tensor: the last forward node that reads it; -1: none
  Schedule schedule_;
  // By tensor: whether it is a result (or the value of a state update); whether the backward
  // computation reads it.
  std::vector<bool> is_result_, is_read_late_;
  enum { kPasses, kOperations };
  std::vector<bool> is_read_late_by_[2];
};

absl::Status Recomputer::Prepare() {
  std::vector<TensorId> forward = {results_[0]};
  for (const StateUpdate& update : graph_.state_updates()) forward.push_back(update.value);
  const Uses forward_uses(graph_, forward);
  for (size_t i = 0; i < graph_.nodes().size(); ++i) {
    if (forward_uses.IsNeeded(static_cast<int>(i))) end_ = static_cast<int>(i) + 1;
  }
  last_forward_.assign(Tensors(), -1);
  for (int i = 0; i < end_; ++i) {
    for (TensorId t : graph_.node(i).inputs) last_forward_[t] = i;
  }
  ASSIGN_OR_RETURN(schedule_, Fuse(graph_, results_));
  is_result_.assign(Tensors(), false);
  for (TensorId t : results_) is_result_[t] = true;
  for (const StateUpdate& update : graph_.state_updates()) is_result_[update.value] = true;
  is_read_late_.assign(Tensors(), false);
  for (std::vector<bool>& is_read : is_read_late_by_) is_read.assign(Tensors(), false);
  const Uses uses(graph_, results_);
  for (int i = static_cast<int>(graph_.nodes().size()) - 1; i >= 0; --i) {
    if (!uses.IsNeeded(i)) continue;
    const Node& node = graph_.node(i);
    const bool is_late = i >= end_ || (!node.outputs.empty() && IsInlined(node.outputs[0]) &&
                                       is_read_late_[node.outputs[0]]);
    if (!is_late) continue;
    for (TensorId t : node.inputs) {
      is_read_late_[t] = true;
      is_read_late_by_[IsOfPass(node) ? kPasses : kOperations][t] = true;
    }
  }
  return absl::OkStatus();
}

Graph Recomputer::Rewrite(const std::vector<bool>& again) const {
  Graph graph = graph_;
  std::vector<TensorId> late(
      Tensors());  // by tensor: the one that the backward computation reads instead
  for (size_t t = 0; t < late.size(); ++t) late[t] = static_cast<TensorId>(t);
  const auto late_inputs = [&](const Node& node) {
    std::vector<TensorId> inputs = node.inputs;
    for (TensorId& t : inputs) t = late[t];
    return inputs;
  };
  std::vector<Graph::Insertion> insertions;
  for (int i = 0; i < end_; ++i) {
    const Node& node = graph_.node(i);
    if (node.outputs.size() != 1 || node.op->is_leaf()) continue;
    const TensorId t = node.outputs[0];
    if (!again[t] && !(IsInlined(t) && late_inputs(node) != node.inputs)) continue;
    Node copy{node.op,         node.name,           late_inputs(node),       {},
              node.attributes, /*recomputed=*/true, again[t] ? t : kNoTensor};
    late[t] = static_cast<TensorId>(Tensors() + insertions.size());
    insertions.push_back({std::move(copy), t});
  }
  if (insertions.empty()) return graph;
  const int count = static_cast<int>(insertions.size());
  graph.InsertNodes(end_, std::move(insertions));
  for (int i = end_; i < static_cast<int>(graph_.nodes().size()); ++i) {
    Node node = graph_.node(i);
    node.inputs = late_inputs(node);
    graph.ReplaceNode(i + count, std::move(node));
  }
  return graph;
}

absl::StatusOr<Recomputer::Choice> Recomputer::Judge(std::vector<bool> again) const {
  RETURN_IF_ERROR(may_go_on_());
  const Graph graph = Rewrite(again);
  ASSIGN_OR_RETURN(const Schedule schedule, Fuse(graph, results_));
  const int items = static_cast<int>(schedule.items.size());
  std::vector<int> made(graph.num_tensors(), -1), last(graph.num_tensors(), -1);
  for (int i = 0; i < items; ++i) {
    for (TensorId t : schedule.items[i].writes) made[t] = last[t] = i;
    for (TensorId t : schedule.items[i].reads) last[t] = i;
  }
  std::vector<int64_t> change(items + 1, 0);
  for (TensorId t = 0; t < graph.num_tensors(); ++t) {
    const bool is_kept_elsewhere = t < static_cast<TensorId>(Tensors()) && is_result_[t];
    if (made[t] < 0 || is_kept_elsewhere || graph.shape(t).rank() < 2) continue;
    const int64_t bytes = BytesOf(graph, t);
    change[made[t]] += bytes, change[last[t] + 1] -= bytes;
  }
  Choice choice{std::move(again)};
  int64_t alive = 0;
  for (const int64_t bytes : change) alive += bytes, choice.peak = std::max(choice.peak, alive);
  return choice;
}

void Recomputer::FindLeaves(TensorId t, const std::vector<bool>& again,
                            std::vector<TensorId>& leaves, std::vector<bool>& seen) const {
  for (TensorId input : graph_.producer(t).inputs) {
    if (seen[input]) continue;
    seen[input] = true;
    const bool is_stored = schedule_.in_memory[input] || graph_.producer(input).op->is_leaf();
    if (is_stored && !again[input]) {
      leaves.push_back(input);
    } else {
      FindLeaves(input, again, leaves, seen);
    }
  }
}

absl::StatusOr<Recomputer::Choice> Recomputer::Cheap(Recompute how) const {
  std::vector<bool> again(Tensors(), false), is_read_late = is_read_late_;
  for (TensorId t = 0; t < static_cast<TensorId>(Tensors()); ++t) {
    if (!CanBeComputedAgain(t) || !graph_.producer(t).op->is_cheap()) continue;
    std::vector<TensorId> leaves;
    std::vector<bool> seen(Tensors(), false);
    FindLeaves(t, again, leaves, seen);
    const double bytes = static_cast<double>(BytesOf(graph_, t));
    double saved = bytes, read = 0;
    for (TensorId leaf : leaves) {
      if (graph_.shape(leaf).rank() < 2 || graph_.producer(leaf).op->is_given()) continue;
      if (!is_read_late[leaf]) saved -= static_cast<double>(BytesOf(graph_, leaf));
      read += static_cast<double>(BytesOf(graph_, leaf));
    }
    // `moved` is the number of bytes that recomputing t moves through memory in addition. (The
    // leaves are the stored tensors from which t is recomputed.) If only passes read t, each of
    // them computes t itself and reads the leaves instead. If an operation that is not fused reads
    // t, t must be stored again. If then a pass computes t and no pass reads t (is_shared), a pass
    // that reads the same leaves at that time can store t, so the leaves need not be read once
    // more.
    const bool is_shared = IsOfPass(graph_.producer(t)) && !is_read_late_by_[kPasses][t];
    const double moved = !is_read_late_by_[kOperations][t] ? std::max(0.0, read - bytes)
                         : is_shared                       ? bytes
                                                           : bytes + read;
    if (saved <= 0 || (how == Recompute::kIfCheap && moved * kPeakBytesPerMoved >= saved)) continue;
    again[t] = true;
    for (TensorId leaf : leaves) is_read_late[leaf] = true;
  }
  return Judge(std::move(again));
}

// Returns the positions in the forward computation, as node indices, at which one segment ends and
// the next begins; the last is end_. They are chosen so that later forward nodes use few bytes of
// the tensors computed before.
std::vector<int> Recomputer::Cuts(int segments) const {
  std::vector<int64_t> crossing(end_ + 1, 0),
      // crossing[i]: the bytes of tensors computed before node i that node i or a later forward
      // node reads; made[i]: the bytes of all tensors computed before node i. Only tensors that can
      // be recomputed count.
      made(end_ + 1, 0);
  for (TensorId t = 0; t < static_cast<TensorId>(Tensors()); ++t) {
    if (!CanBeComputedAgain(t)) continue;
    const int64_t bytes = BytesOf(graph_, t);
    const int node = graph_.tensor(t).node;
    made[node + 1] += bytes;
    for (int i = node + 1; i <= last_forward_[t]; ++i) crossing[i] += bytes;
  }
  for (int i = 1; i <= end_; ++i) made[i] += made[i - 1];
  std::vector<int> cuts;
  for (int k = 1; k < segments; ++k) {
    const double middle = static_cast<double>(made[end_]) * k / segments,
                 reach = static_cast<double>(made[end_]) * kSearched / segments;
    int best = -1;
    for (int i = cuts.empty() ? 1 : cuts.back() + 1; i < end_; ++i) {
      if (std::abs(static_cast<double>(made[i]) - middle) > reach) continue;
      if (best < 0 || crossing[i] < crossing[best]) best = i;
    }
    if (best > 0) cuts.push_back(best);
  }
  cuts.push_back(end_);
  return cuts;
}

absl::StatusOr<Recomputer::Choice> Recomputer::WithinBudget(int64_t most_bytes, Choice best) const {
  const std::vector<bool> cheap = best.again;
  for (const int segments : kSegments) {
    if (segments > end_) break;
    // The first segments occupy memory longest before backpropagation reaches them, so they are
    // recomputed first.
    std::vector<bool> again = cheap;
    int begin = 0;
    for (const int cut : Cuts(segments)) {
      for (TensorId t = 0; t < static_cast<TensorId>(Tensors()); ++t) {
        if (!CanBeComputedAgain(t)) continue;
        const int node = graph_.tensor(t).node;
        if (node >= begin && node < cut) again[t] = last_forward_[t] < cut;
      }
      begin = cut;
      ASSIGN_OR_RETURN(Choice choice, Judge(again));
      if (choice.peak < best.peak) best = std::move(choice);
      if (best.peak <= most_bytes) return best;
    }
  }
  return best;
}

}  // namespace

absl::StatusOr<int64_t> ComputeAgain(const std::vector<TensorId>& results,
                                     const RecomputeOptions& options, Graph& graph) {
  Recomputer recomputer(graph, results, options);
  if (!recomputer.has_gradients()) return 0;
  RETURN_IF_ERROR(recomputer.Prepare());
  ASSIGN_OR_RETURN(Recomputer::Choice best, recomputer.Nothing());
  const int64_t most =
      options.most_bytes > 0 ? options.most_bytes : std::numeric_limits<int64_t>::max();
  const auto consider = [&](absl::StatusOr<Recomputer::Choice> possible) -> absl::Status {
    ASSIGN_OR_RETURN(Recomputer::Choice choice, std::move(possible));
    if (choice.peak < best.peak) best = std::move(choice);
    return absl::OkStatus();
  };
  for (const Recompute how : {Recompute::kIfCheap, Recompute::kIfSmaller}) {
    if (how > options.recompute && best.peak <= most) continue;
    RETURN_IF_ERROR(consider(recomputer.Cheap(how)));
  }
  if (best.peak > most) {
    RETURN_IF_ERROR(consider(recomputer.WithinBudget(most, best)));
  }
  const int64_t peak = best.peak;
  graph = recomputer.Rewrite(best.again);
  return peak;
}

}  // namespace cotangent::layers
