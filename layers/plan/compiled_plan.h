// The plan behind Plan::Compile(): where tensors lie (plan.cc), and the steps that compute them
// (plan_steps.cc).
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
#include "layers/plan/assign.h"
#include "layers/plan/fusion.h"
#include "layers/plan/plan.h"
#include "layers/plan/views.h"
#include "tensor/arena.h"
#include "tensor/convolution.h"

namespace cotangent::layers {

// A place in the arena or outside it.
struct Place {
  int piece = -1;           // of the arena planner
  char* outside = nullptr;  // if piece < 0
  int64_t offset = 0;       // bytes from where the piece begins
};

// A stored version of a tensor.
struct Version {
  Format format;
  Place place;
  int last_use = -1;
  int64_t of_channels = 0;  // as Buffer has it
};

// One thing the plan does.
struct Step {
  std::function<void(int64_t step)> run;
  std::function<void()> bind;  // once addresses are known
  Plan::Description description;
};

class CompiledPlan : public Plan {
 public:
  CompiledPlan(std::vector<PlanResult> results, ParameterStore& store, const PlanOptions& options)
      : results_(std::move(results)), store_(store), options_(options) {}

  absl::Status Prepare(const Graph& graph, Tuner& tuner);

  void* input(TensorId input) override {
    return versions_[input].empty() ? nullptr : Data(versions_[input][0].place);
  }
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
  // Where an operation finds each of its tensors, in its default format.
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

  absl::Status Lay(const Graph& graph, std::vector<TensorId> wanted, int64_t most_bytes,
                   Tuner& tuner);
  absl::Status PlaceOutside();
  void FindViews(const Schedule& schedule);
  absl::Status TooMuch(int64_t least) const;
  std::string NameOf(const Item& item) const;
  // Where a tensor of views_ lies.
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
  // The version of t in this format, or -1.
  int VersionIn(TensorId t, const Format& format) const;
  // Where to read t in this format at this item: a stored version, or a temporary that a step added
  // here fills.
  Place ReadAs(TensorId t, const Format& format, int item);
  // Where to write t in this format: its version, or a temporary that the step returned by the
  // function fills it from.
  Place WriteAs(TensorId t, const Format& format, int item, std::vector<Step>& after);
  Step ReorderStep(TensorId t, Place from, Format from_format, Place to, Format to_format) const;

  // Tensors that an item uses in another place and format than their own.
  using Elsewhere = std::map<TensorId, std::pair<Place, Format>>;
  bool IsPlainPass(const Item& item) const;
  Elsewhere MoveForPass(const Item& item, int index, std::vector<Step>& after);
  absl::Status AddPass(const Item& item, int index, const Schedule& schedule);
  absl::Status AddConvolution(const Item& item, int index, const tensor::ConvolutionChoice& choice);
  absl::Status AddOperation(const Item& item, int index);
  void AddStateUpdates();
  void AddResultCopies();
  void NoteUses(const Schedule& schedule, const Assignment& assignment);
  // Of the item whose operations are the last that have been added.
  void NoteLastOperation(const Item& item);
  std::string LayersOf(const Item& item) const;

  Graph graph_;  // rewritten before all else
  std::vector<PlanResult> results_;
  ParameterStore& store_;
  const PlanOptions options_;
  int last_item_ = 0;
  std::vector<std::vector<Version>> versions_;  // by tensor in memory
  std::map<TensorId, ChannelView> views_;       // by the part: what lies in another tensor
  std::map<TensorId, Place> result_place_;
  std::map<TensorId, size_t> last_operation_;  // of results with a destination
  tensor::ArenaPlanner planner_;
  std::string fullest_;  // the item at which most is alive
  tensor::Arena arena_;
  std::vector<Step> steps_;
  std::vector<double> seconds_;
  std::function<void(size_t)> after_operation_;
  absl::flat_hash_map<std::string, std::string> choices_;
  bool weights_packed_ = false;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_COMPILED_PLAN_H_
