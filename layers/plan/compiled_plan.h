// The class behind Plan::Compile() (plan.h), which compiles a graph into a plan for this machine:
// plan.cc decides where tensors are stored, and plan_steps.cc makes the steps that compute them. An
// item is an entry of the schedule (fusion.h): an operation or a fused pass (one loop over memory
// that computes several operations). A step is an item, a conversion between formats, or a copy of
// results or of new values of states; a plan runs its steps one after the other.
#ifndef COTANGENT_LAYERS_PLAN_COMPILED_PLAN_H_
#define COTANGENT_LAYERS_PLAN_COMPILED_PLAN_H_

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/parallel.h"
#include "layers/plan/assign.h"
#include "layers/plan/fusion.h"
#include "layers/plan/plan.h"
#include "layers/plan/views.h"
#include "tensor/arena.h"
#include "tensor/convolution.h"

namespace cotangent::layers {

// A place in memory. It lies in the arena, the single block of memory that holds all intermediate
// tensors, or outside of it (in the ParameterStore or the caller's memory).
struct Place {
  // The number of the piece of memory in planner_, which divides the arena into pieces; -1: outside
  // the arena. Until PlaceInArena() plans the memory, `piece` holds instead the number, from 0, of
  // the item that writes the tensor; -1: the tensor exists before the plan runs (set by
  // NoteUses()).
  int piece = -1;
  char* outside = nullptr;  // the address, if piece < 0
  int64_t offset = 0;       // bytes from the beginning of the piece
};

// A stored copy of a tensor in one format. A tensor may have several versions.
struct Version {
  Format format;
  Place place;
  // The number, from 0, of the last item of the schedule that uses this version; the number of
  // items if it is still needed after all of them; -1 if nothing uses it.
  int last_use = -1;
  int64_t of_channels = 0;  // see Buffer::of_channels
};

// A single action of the plan: an operation, a pass, a conversion or a copy.
struct Step {
  std::function<void(int64_t step)> run;  // `step`: the number of the training step
  std::function<void()> bind;             // called once all addresses are known; may be empty
  Plan::Description description;
};

class CompiledPlan : public Plan {
 public:
  CompiledPlan(std::vector<PlanResult> results, ParameterStore& store, const PlanOptions& options)
      : results_(std::move(results)), store_(store), options_(options) {}

  absl::Status Prepare(const Graph& graph, Tuner& tuner);

  void* input(TensorId input) override { return Data(versions_[input][0].place); }
  Format input_format(TensorId input) const override { return versions_[input][0].format; }
  const float* result(TensorId t) const override {
    return reinterpret_cast<const float*>(Data(result_place_.at(t)));
  }
  void CallAfterOperations(std::function<void(size_t)> call) override {
    after_operation_ = std::move(call);
  }
  size_t LastOperationOf(TensorId result) const override {
    const auto found = last_operation_.find(result);
    return found == last_operation_.end() ? steps_.size() - 1 : found->second;
  }
  void ParametersChanged() override { weights_packed_ = false; }
  int64_t arena_bytes() const override { return arena_.size(); }
  void Run(int64_t step) override;
  std::vector<Description> Describe() const override;
  void EnableTiming() override { seconds_.assign(steps_.size(), 0); }
  const std::vector<double>& seconds() const override { return seconds_; }
  void RunAlone(size_t operation) override { steps_[operation].run(0); }
  absl::flat_hash_map<std::string, std::string> choices() const override { return choices_; }

 private:
  class Context;
  // A function that returns the buffer of a tensor of an operation, in the format that the
  // operation needs.
  using BufferFunction = std::function<Buffer(TensorId)>;

  char* Data(const Place& place) const {
    return place.piece < 0 ? place.outside
                           : static_cast<char*>(const_cast<tensor::Arena&>(arena_).at(
                                 planner_.offset(place.piece) + place.offset));
  }
  Buffer BufferOf(TensorId t, int version) const {
    const Version& v = versions_[t][version];
    return {Data(v.place), graph_.shape(t), v.format, v.of_channels};
  }
  Buffer BufferOf(TensorId t, const Place& place, const Format& format) const {
    return {Data(place), graph_.shape(t), format};
  }

  absl::Status Lay(const Graph& graph, const std::vector<TensorId>& wanted, int64_t most_bytes,
                   Tuner& tuner);
  absl::Status PlaceOutside();
  void FindViews(const Schedule& schedule);
  absl::Status TooMuch(int64_t least) const;
  std::string NameOf(const Item& item) const;
  // Returns the version of the outermost wider tensor inside which `part`, a tensor of views_, is
  // stored.
  Version& RootVersion(TensorId part) {
    const TensorId root = RootOf(views_, part).tensor;
    return versions_[root][VersionIn(root, versions_[part][0].format)];
  }
  void PlaceInArena();
  Place Temporary(int64_t bytes, int item) {
    return {planner_.Add(std::max<int64_t>(bytes, 64), item, item)};
  }
  Place Persistent(int64_t bytes) {
    return {planner_.Add(std::max<int64_t>(bytes, 64), 0, last_item_)};
  }
  // Returns the index of t's version in this format, or -1 if there is none.
  int VersionIn(TensorId t, const Format& format) const;
  // Returns the place at which item number `item` can read t in this format: the stored version, or
  // a temporary copy. For a temporary copy, ReadAs() adds a step that fills it by conversion.
  Place ReadAs(TensorId t, const Format& format, int item);
  // Returns the place at which item number `item` should write t in this format: the stored
  // version, or a temporary copy. For a temporary copy, a step that converts it to the stored
  // version is appended to `after`; the caller adds these steps after its own.
  Place WriteAs(TensorId t, const Format& format, int item, std::vector<Step>& after);
  Step ReorderStep(TensorId t, Place from, Format from_format, Place to, Format to_format) const;

  // For each tensor that an item uses in a converted copy instead of its stored version: the place
  // and format of the copy.
  using Elsewhere = std::map<TensorId, std::pair<Place, Format>>;
  bool IsPlainPass(const Item& item) const;
  Elsewhere MoveForPass(const Item& item, int index, std::vector<Step>& after);
  absl::Status AddPass(const Item& item, int index, const Schedule& schedule);
  absl::Status AddConvolution(const Item& item, int index, const tensor::ConvolutionChoice& choice);
  absl::Status AddOperation(const Item& item, int index);
  void AddStateUpdates();
  void AddResultCopies();
  void NoteUses(const Schedule& schedule, const Assignment& assignment);
  // Records the last step as the last operation (Plan::LastOperationOf) of those results with a
  // destination that `item` uses. REQUIRES: the steps of `item` were added last.
  void NoteLastOperation(const Item& item, const std::vector<bool>& has_destination);
  std::string LayersOf(const Item& item) const;

  // A copy of the graph given to Prepare(). Before it is scheduled, it is rewritten: convolutions
  // take over the max pooling that follows them (pooling.h), and cheap results are computed again
  // for the gradients instead of being kept in memory until then (recompute.h).
  Graph graph_;
  std::vector<PlanResult> results_;
  ParameterStore& store_;
  const PlanOptions options_;
  int last_item_ = 0;
  std::vector<std::vector<Version>> versions_;  // by tensor; empty if it is not stored
  std::map<TensorId, ChannelView> views_;       // by part: the wider tensor that contains it
  std::map<TensorId, Place> result_place_;
  std::map<TensorId, size_t> last_operation_;  // by tensor: only results that have a destination
  tensor::ArenaPlanner planner_;
  std::string fullest_;  // name of the item during which most memory is in use
  tensor::Arena arena_;
  std::vector<Step> steps_;
  std::vector<double> seconds_;
  bool is_of_one_image_ = false;  // whether all inputs have a batch of 1
  ParallelSection::Duration least_time_ = ParallelSection::Duration::max();  // of Run()
  std::function<void(size_t)> after_operation_;
  absl::flat_hash_map<std::string, std::string> choices_;
  bool weights_packed_ = false;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_COMPILED_PLAN_H_
