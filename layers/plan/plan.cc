// The first part of compiling a graph into a plan for this machine: makes the schedule (the order
// of computation, fusion.h), chooses formats, and places every stored tensor in memory. An item is
// an entry of the schedule: an operation or a fused pass (a loop over memory that computes several
// operations). A version is a stored copy of a tensor in one format (compiled_plan.h).

#include "layers/plan/plan.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/memory_text.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/convolution.h"
#include "layers/plan/assign.h"
#include "layers/plan/compiled_plan.h"
#include "layers/plan/fusion.h"
#include "layers/plan/pooling.h"
#include "layers/plan/recompute.h"

namespace cotangent::layers {

// Makes the plan. How much memory a plan takes is known only when the plan is made. If a plan takes
// more than the budget (options_.most_arena_bytes), the next attempt gives recomputation
// (recompute.h) a budget that is smaller in proportion.
absl::Status CompiledPlan::Prepare(const Graph& graph, Tuner& tuner) {
  constexpr int kAttempts = 6;
  is_of_one_image_ = std::all_of(graph.nodes().begin(), graph.nodes().end(), [&](const Node& node) {
    const Shape& shape = graph.shape(node.outputs[0]);
    return node.op != kInput || shape.rank() == 0 || shape[0] == 1;
  });
  Graph pooled = graph;
  // If there are gradients, they follow the loss in results_, in the order of the parameters. They
  // are requested in reverse order, so that each is computed as soon as backpropagation reaches its
  // layer and the tensors that it needs can be freed.
  std::vector<TensorId> wanted;
  for (const PlanResult& result : results_) wanted.push_back(result.tensor);
  if (!wanted.empty()) std::reverse(wanted.begin() + 1, wanted.end());
  for (const StateUpdate& update : pooled.state_updates()) wanted.push_back(update.value);
  PoolInConvolutions(
      wanted, [&](const Node& node) { return PrefersToPool(pooled, node, tuner, options_); },
      pooled);
  const int64_t most = options_.most_arena_bytes;
  int64_t asked = most, least = 0;  // bytes
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    RETURN_IF_ERROR(Lay(pooled, wanted, asked, tuner));
    if (most == 0 || planner_.total() <= most) break;
    if (least == 0 || planner_.total() < least) least = planner_.total();
    if (attempt + 1 == kAttempts) return TooMuch(least);
    asked = std::max<int64_t>(1, asked * most / planner_.total() / 100 * 99);
  }
  ASSIGN_OR_RETURN(arena_,
                   tensor::Arena::Create(planner_, "the plan of this network at this batch size"));
  for (Step& step : steps_) {
    if (step.bind) step.bind();
  }
  return absl::OkStatus();
}

absl::Status CompiledPlan::Lay(const Graph& graph, const std::vector<TensorId>& wanted,
                               int64_t most_bytes, Tuner& tuner) {
  graph_ = graph;
  versions_.clear(), views_.clear(), result_place_.clear(), last_operation_.clear();
  planner_ = {}, steps_.clear(), choices_.clear();
  if (options_.recompute != Recompute::kNever || most_bytes > 0) {
    const RecomputeOptions recompute = {options_.recompute, most_bytes, options_.precision,
                                        [&tuner] { return tuner.CheckNotCancelled(); }};
    RETURN_IF_ERROR(ComputeAgain(wanted, recompute, graph_).status());
  }
  RETURN_IF_ERROR(tuner.CheckNotCancelled());
  ASSIGN_OR_RETURN(Schedule schedule, Fuse(graph_, wanted));
  absl::StatusOr<Assignment> assignment = Assign(graph_, schedule, tuner, options_);
  tuner.FreeMemory();
  RETURN_IF_ERROR(assignment.status());
  last_item_ = static_cast<int>(schedule.items.size());
  NoteUses(schedule, *assignment);
  RETURN_IF_ERROR(PlaceOutside());

  FindViews(schedule);
  PlaceInArena();
  std::vector<bool> has_destination(graph_.num_tensors(), false);  // by tensor: of results
  for (const PlanResult& result : results_)
    has_destination[result.tensor] =
        has_destination[result.tensor] || result.destination != nullptr;
  for (int i = 0; i < last_item_; ++i) {
    RETURN_IF_ERROR(tuner.CheckNotCancelled());
    const Item& item = schedule.items[i];
    absl::Status status;
    if (item.node < 0) {
      status = AddPass(item, i, schedule);
    } else if (IsConvolution(graph_.node(item.node).op)) {
      status = AddConvolution(item, i, assignment->choices.at(item.node));
    } else {
      status = AddOperation(item, i);
    }
    if (!status.ok()) return status;
    NoteLastOperation(item, has_destination);
  }
  AddStateUpdates();
  AddResultCopies();
  if (last_item_ > 0)
    fullest_ = NameOf(schedule.items[std::min<int64_t>(planner_.Fullest(), last_item_ - 1)]);
  return planner_.Plan();
}

absl::Status CompiledPlan::TooMuch(int64_t least) const {
  return absl::OutOfRangeError(absl::StrCat(
      "for intermediate results ", MemoryText(options_.most_arena_bytes), " are left, and ",
      MemoryText(least),
      " are the least that was found, however much is computed again; most is needed at '",
      fullest_, "'"));
}

std::string CompiledPlan::NameOf(const Item& item) const {
  return item.node >= 0 ? absl::StrCat(graph_.node(item.node).name, " (",
                                       graph_.node(item.node).op->name(), ")")
                        : absl::StrCat(LayersOf(item), " (pass)");
}

// Lists the versions of every stored tensor, with the items that write them and that use them last.
// Until PlaceInArena() runs, Version::place.piece holds the number of the item that writes the
// version, or -1 if the tensor exists before the plan runs.
void CompiledPlan::NoteUses(const Schedule& schedule, const Assignment& assignment) {
  versions_.resize(graph_.num_tensors());
  for (TensorId t = 0; t < graph_.num_tensors(); ++t) {
    for (const Format& format : assignment.formats[t]) versions_[t].push_back({format, {}, -1});
  }
  for (TensorId t : graph_.inputs()) {
    if (versions_[t].empty()) versions_[t].emplace_back();  // not read, but the caller may write it
  }
  for (int i = 0; i < last_item_; ++i) {
    const Item& item = schedule.items[i];
    for (TensorId t : item.writes) {
      for (Version& version : versions_[t])
        version.last_use = std::max(version.last_use, i),
        version.place.piece = std::max(version.place.piece, i);
    }
    for (TensorId t : item.reads) {
      int version = 0;
      if (item.node >= 0 && IsConvolution(graph_.node(item.node).op)) {
        const ConvolutionSides sides = SidesOf(graph_.node(item.node));
        const tensor::ConvolutionChoice& choice = assignment.choices.at(item.node);
        if (t == sides.in || t == sides.out || t == sides.addend)
          version = std::max(0, VersionIn(t, FormatAt(graph_.node(item.node), choice, t)));
      } else if (item.node >= 0) {
        version = std::max(0, VersionIn(t, DefaultFormat(graph_, t, options_.precision)));
      }
      if (!versions_[t].empty()) versions_[t][version].last_use = i;
    }
  }
  for (const PlanResult& result : results_) {
    for (Version& version : versions_[result.tensor]) version.last_use = last_item_;
  }
  for (const StateUpdate& update : graph_.state_updates())
    versions_[update.value][0].last_use = last_item_;
}

void CompiledPlan::NoteLastOperation(const Item& item, const std::vector<bool>& has_destination) {
  for (const auto* tensors : {&item.reads, &item.writes}) {
    for (TensorId t : *tensors) {
      if (has_destination[t]) last_operation_[t] = steps_.size() - 1;
    }
  }
}

// Sets the places of parameters and states, which are stored in the ParameterStore.
absl::Status CompiledPlan::PlaceOutside() {
  const auto place = [&](TensorId t, float* data) {
    if (versions_[t].empty()) versions_[t].push_back({});
    versions_[t][0].place = {-1, reinterpret_cast<char*>(data)};
  };
  for (TensorId t : graph_.parameters()) {
    const ParameterStore::Slot* slot = store_.FindParameter(graph_.tensor(t).name);
    if (slot == nullptr || !(slot->shape == graph_.shape(t)))
      return absl::InternalError(absl::StrCat("no parameter ", graph_.tensor(t).name, " ",
                                              graph_.shape(t).ToString(), " in the store"));
    place(t, store_.values() + slot->offset);
  }
  for (TensorId t : graph_.states()) {
    const ParameterStore::Slot* slot = store_.FindState(graph_.tensor(t).name);
    if (slot == nullptr || !(slot->shape == graph_.shape(t)))
      return absl::InternalError(absl::StrCat("no state ", graph_.tensor(t).name, " ",
                                              graph_.shape(t).ToString(), " in the store"));
    place(t, store_.state_values() + slot->offset);
  }
  return absl::OkStatus();
}

void CompiledPlan::FindViews(const Schedule& schedule) {
  Residence residence;
  residence.formats.resize(graph_.num_tensors());
  residence.last_use.assign(graph_.num_tensors(), -1);
  residence.is_fixed.assign(graph_.num_tensors(), false);
  for (TensorId t = 0; t < graph_.num_tensors(); ++t) {
    for (const Version& version : versions_[t]) {
      residence.formats[t].push_back(version.format);
      residence.last_use[t] = std::max(residence.last_use[t], version.last_use);
    }
    residence.is_fixed[t] = graph_.producer(t).op->is_given();
  }
  for (const PlanResult& result : results_) residence.is_fixed[result.tensor] = true;
  for (const StateUpdate& update : graph_.state_updates()) residence.is_fixed[update.value] = true;
  views_ = layers::FindViews(graph_, schedule, residence, options_.precision);
  // The wider tensor must be in memory whenever one of its parts is.
  for (const auto& [part, view] : views_) {
    Version& whole = RootVersion(part);
    whole.place.piece = std::min(whole.place.piece, versions_[part][0].place.piece);
    whole.last_use = std::max(whole.last_use, versions_[part][0].last_use);
  }
}

// A result with a destination is computed there directly if its format is row-major f32 and it is
// not an input. All other stored tensors, except parameters and states, get memory in the arena,
// the single block of memory for intermediate tensors; a tensor that is a part of a wider one
// (views_) gets a place inside that tensor.
void CompiledPlan::PlaceInArena() {
  std::map<TensorId, float*> destinations;
  for (const PlanResult& result : results_) {
    if (result.destination != nullptr) destinations.try_emplace(result.tensor, result.destination);
  }
  for (TensorId t = 0; t < graph_.num_tensors(); ++t) {
    const Op op = graph_.producer(t).op;
    if (op == kParameter || op == kState) continue;
    if (views_.contains(t)) continue;
    const Format plain{tensor::Layout::kNchw, ElementType::kF32};
    for (Version& version : versions_[t]) {
      if (auto found = destinations.find(t); found != destinations.end() && op != kInput &&
                                             SameFormat(graph_.shape(t), version.format, plain)) {
        version.place = {-1, reinterpret_cast<char*>(found->second)};
        continue;
      }
      // An input is written before the plan runs, so it occupies memory from the first item to the
      // last.
      const int first = op == kInput ? 0 : std::max(0, version.place.piece);
      const int last = op == kInput ? last_item_ : std::max(first, version.last_use);
      const Buffer buffer{nullptr, graph_.shape(t), version.format};
      version.place = {planner_.Add(std::max<int64_t>(buffer.bytes(), 64), first, last)};
    }
  }
  for (const auto& [part, view] : views_) {
    const ViewRoot root = RootOf(views_, part);
    Version& own = versions_[part][0];
    own.place = RootVersion(part).place;
    own.place.offset = root.channel * Bytes(own.format.type);
    own.of_channels = graph_.shape(root.tensor)[1];
  }
}

int CompiledPlan::VersionIn(TensorId t, const Format& format) const {
  for (size_t k = 0; k < versions_[t].size(); ++k) {
    if (SameFormat(graph_.shape(t), versions_[t][k].format, format)) return static_cast<int>(k);
  }
  return -1;
}

void CompiledPlan::Run(int64_t step) {
  const ParallelSection section(is_of_one_image_ ? &least_time_ : nullptr);
  if (seconds_.empty()) {
    for (size_t i = 0; i < steps_.size(); ++i) {
      steps_[i].run(step);
      if (after_operation_) after_operation_(i);
    }
  } else {
    for (size_t i = 0; i < steps_.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      steps_[i].run(step);
      seconds_[i] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      if (after_operation_) after_operation_(i);
    }
  }
  weights_packed_ = true;
}

std::vector<Plan::Description> CompiledPlan::Describe() const {
  std::vector<Description> all;
  for (const Step& step : steps_) all.push_back(step.description);
  return all;
}

absl::StatusOr<std::unique_ptr<Plan>> Plan::Compile(const Graph& graph,
                                                    const std::vector<PlanResult>& results,
                                                    ParameterStore& store, Tuner& tuner,
                                                    const PlanOptions& options) {
  auto plan = std::make_unique<CompiledPlan>(results, store, options);
  RETURN_IF_ERROR(plan->Prepare(graph, tuner));
  return plan;
}

}  // namespace cotangent::layers
