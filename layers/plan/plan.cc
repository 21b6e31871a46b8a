#include "layers/plan/plan.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/parallel.h"
#include "layers/graph/operation.h"
#include "layers/ops/convolution.h"
#include "layers/plan/assign.h"
#include "layers/plan/fusion.h"
#include "layers/plan/kernel.h"
#include "layers/plan/pass.h"
#include "layers/plan/pooling.h"
#include "tensor/arena.h"

namespace cotangent::layers {
namespace {

using tensor::Convolution;
using tensor::ConvolutionChoice;
using tensor::Direction;

// A place in the arena or outside it.
struct Place {
  int piece = -1;           // of the arena planner
  char* outside = nullptr;  // if piece < 0
};

// A stored version of a tensor.
struct Version {
  Format format;
  Place place;
  int last_use = -1;
};

// One thing the plan does.
struct Step {
  std::function<void(int64_t step)> run;
  std::function<void()> bind;  // once addresses are known
  Plan::Description description;
};

class CompiledPlan : public Plan {
 public:
  CompiledPlan(Graph graph, std::vector<PlanResult> results, ParameterStore& store,
               const PlanOptions& options)
      : graph_(std::move(graph)), results_(std::move(results)), store_(store), options_(options) {}

  absl::Status Prepare(Tuner& tuner);

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
                                 planner_.offset(place.piece)));
  }
  Buffer BufferOf(TensorId t, int version) const {
    return {Data(versions_[t][version].place), graph_.shape(t), versions_[t][version].format};
  }
  Buffer BufferOf(TensorId t, const Place& place, const Format& format) const {
    return {Data(place), graph_.shape(t), format};
  }

  absl::Status PlaceOutside();
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
  absl::Status AddConvolution(const Item& item, int index, const ConvolutionChoice& choice);
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
  std::map<TensorId, Place> result_place_;
  std::map<TensorId, size_t> last_operation_;  // of results with a destination
  tensor::ArenaPlanner planner_;
  tensor::Arena arena_;
  std::vector<Step> steps_;
  std::vector<double> seconds_;
  std::function<void(size_t)> after_operation_;
  absl::flat_hash_map<std::string, std::string> choices_;
  bool weights_packed_ = false;
};

absl::Status CompiledPlan::Prepare(Tuner& tuner) {
  // Gradients come in the order of the parameters: asked for from the last, each is computed as
  // soon as backpropagation reaches its layer, and what it needs need not be kept.
  std::vector<TensorId> wanted;
  for (const PlanResult& result : results_) wanted.push_back(result.tensor);
  if (!wanted.empty()) std::reverse(wanted.begin() + 1, wanted.end());
  for (const StateUpdate& update : graph_.state_updates()) wanted.push_back(update.value);
  PoolInConvolutions(
      wanted, [&](const Node& node) { return PrefersToPool(graph_, node, tuner, options_); },
      graph_);
  absl::StatusOr<Schedule> schedule = Fuse(graph_, wanted);
  if (!schedule.ok()) return schedule.status();
  absl::StatusOr<Assignment> assignment = Assign(graph_, *schedule, tuner, options_);
  tuner.FreeMemory();
  if (!assignment.ok()) return assignment.status();
  last_item_ = static_cast<int>(schedule->items.size());
  NoteUses(*schedule, *assignment);
  if (absl::Status status = PlaceOutside(); !status.ok()) return status;

  PlaceInArena();
  for (int i = 0; i < last_item_; ++i) {
    const Item& item = schedule->items[i];
    absl::Status status;
    if (item.node < 0) {
      status = AddPass(item, i, *schedule);
    } else if (IsConvolution(graph_.node(item.node).op)) {
      status = AddConvolution(item, i, assignment->choices.at(item.node));
    } else {
      status = AddOperation(item, i);
    }
    if (!status.ok()) return status;
    NoteLastOperation(item);
  }
  AddStateUpdates();
  AddResultCopies();
  if (absl::Status status = planner_.Plan(); !status.ok()) return status;
  absl::StatusOr<tensor::Arena> arena =
      tensor::Arena::Create(planner_, "the plan of this network at this batch size");
  if (!arena.ok()) return arena.status();
  arena_ = *std::move(arena);
  for (Step& step : steps_) {
    if (step.bind) step.bind();
  }
  return absl::OkStatus();
}

// Versions of every tensor in memory, and when each is last used. The first item that uses a tensor
// made before the plan begins is 0.
void CompiledPlan::NoteUses(const Schedule& schedule, const Assignment& assignment) {
  versions_.resize(graph_.num_tensors());
  for (TensorId t = 0; t < graph_.num_tensors(); ++t) {
    for (const Format& format : assignment.formats[t]) versions_[t].push_back({format, {}, -1});
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
        const ConvolutionChoice& choice = assignment.choices.at(item.node);
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

void CompiledPlan::NoteLastOperation(const Item& item) {
  for (const auto* tensors : {&item.reads, &item.writes}) {
    for (TensorId t : *tensors) {
      const bool is_result =
          std::any_of(results_.begin(), results_.end(), [t](const PlanResult& result) {
            return result.tensor == t && result.destination != nullptr;
          });
      if (is_result) last_operation_[t] = steps_.size() - 1;
    }
  }
}

// Parameters and states lie in the store; a result that has a destination is made there.
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

void CompiledPlan::PlaceInArena() {
  std::map<TensorId, float*> destinations;
  for (const PlanResult& result : results_) {
    if (result.destination != nullptr) destinations.try_emplace(result.tensor, result.destination);
  }
  for (TensorId t = 0; t < graph_.num_tensors(); ++t) {
    const Op op = graph_.producer(t).op;
    if (op == kParameter || op == kState) continue;
    const Format plain{tensor::Layout::kNchw, ElementType::kF32};
    for (Version& version : versions_[t]) {
      if (auto found = destinations.find(t); found != destinations.end() && op != kInput &&
                                             SameFormat(graph_.shape(t), version.format, plain)) {
        version.place = {-1, reinterpret_cast<char*>(found->second)};
        continue;
      }
      // An input is written before the plan runs and must outlast none of its items.
      const int first = op == kInput ? 0 : std::max(0, version.place.piece);
      const int last = op == kInput ? last_item_ : std::max(first, version.last_use);
      const Buffer buffer{nullptr, graph_.shape(t), version.format};
      version.place = {planner_.Add(std::max<int64_t>(buffer.bytes(), 64), first, last)};
    }
  }
}

int CompiledPlan::VersionIn(TensorId t, const Format& format) const {
  for (size_t k = 0; k < versions_[t].size(); ++k) {
    if (SameFormat(graph_.shape(t), versions_[t][k].format, format)) return static_cast<int>(k);
  }
  return -1;
}

Step CompiledPlan::ReorderStep(TensorId t, Place from, Format from_format, Place to,
                               Format to_format) const {
  const Shape& shape = graph_.shape(t);
  const Shape image = AsImage(shape);
  Step step;
  step.description = {graph_.tensor(t).name,
                      "reorder",
                      "",
                      absl::StrCat(from_format.ToString(), " -> ", to_format.ToString()),
                      0,
                      static_cast<double>(BufferOf(t, Place{}, from_format).bytes() +
                                          BufferOf(t, Place{}, to_format).bytes())};
  step.run = [this, image, from, from_format, to, to_format](int64_t) {
    tensor::Reorder(image, Data(from), from_format.layout, from_format.type, Data(to),
                    to_format.layout, to_format.type);
  };
  return step;
}

Place CompiledPlan::ReadAs(TensorId t, const Format& format, int item) {
  if (const int version = VersionIn(t, format); version >= 0) return versions_[t][version].place;
  const Place place = Temporary(BufferOf(t, Place{}, format).bytes(), item);
  steps_.push_back(ReorderStep(t, versions_[t][0].place, versions_[t][0].format, place, format));
  return place;
}

Place CompiledPlan::WriteAs(TensorId t, const Format& format, int item, std::vector<Step>& after) {
  if (const int version = VersionIn(t, format); version >= 0) return versions_[t][version].place;
  const Place place = Temporary(BufferOf(t, Place{}, format).bytes(), item);
  after.push_back(ReorderStep(t, place, format, versions_[t][0].place, versions_[t][0].format));
  return place;
}

std::string CompiledPlan::LayersOf(const Item& item) const {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (TensorId t : item.pass.stores) add(graph_.producer(t).name);
  for (int node : item.pass.sums) add(graph_.node(node).name);
  return absl::StrJoin(names, ",");
}

// Whether a pass can use all its tensors as one row of numbers: they are plain, and nothing goes by
// channels or windows.
bool CompiledPlan::IsPlainPass(const Item& item) const {
  if (item.pass.HasWindow() || !item.pass.sums.empty()) return false;
  for (const auto* tensors : {&item.reads, &item.writes}) {
    for (TensorId t : *tensors) {
      if (graph_.shape(t).rank() == 1 && item.pass.domain.rank() > 1) return false;
      if (graph_.shape(t).rank() == 4 && versions_[t][0].format.layout != tensor::Layout::kNchw)
        return false;
      if (graph_.shape(t).rank() == 4 && !(graph_.shape(t) == item.pass.domain)) return false;
    }
  }
  return true;
}

// Images that come from outside are NCHW; a pass over images wants the channels of a pixel side by
// side.
CompiledPlan::Elsewhere CompiledPlan::MoveForPass(const Item& item, int index,
                                                  std::vector<Step>& after) {
  Elsewhere moved;
  if (IsPlainPass(item)) return moved;
  const auto is_plain = [&](TensorId t) {
    const Shape& shape = graph_.shape(t);
    const Format& format = versions_[t][0].format;
    return shape.rank() == 4 && format.layout == tensor::Layout::kNchw &&
           !tensor::SameStorage(shape, tensor::Layout::kNchw, tensor::Layout::kNhwc);
  };
  for (TensorId t : item.reads) {
    const Format format{tensor::Layout::kNhwc, versions_[t][0].format.type};
    if (is_plain(t)) moved[t] = {ReadAs(t, format, index), format};
  }
  for (TensorId t : item.pass.stores) {
    const Format format{tensor::Layout::kNhwc, versions_[t][0].format.type};
    if (is_plain(t)) moved[t] = {WriteAs(t, format, index, after), format};
  }
  return moved;
}

absl::Status CompiledPlan::AddPass(const Item& item, int index, const Schedule& schedule) {
  std::vector<Step> after;
  const auto moved = std::make_shared<const Elsewhere>(MoveForPass(item, index, after));
  const auto format_of = [this, moved](TensorId t) {
    const auto found = moved->find(t);
    return found == moved->end() ? versions_[t][0].format : found->second.second;
  };
  const auto store_formats_of = [this, moved](TensorId t) {
    std::vector<Format> formats;
    if (const auto found = moved->find(t); found != moved->end())
      return std::vector<Format>{found->second.second};
    for (const Version& version : versions_[t]) formats.push_back(version.format);
    return formats;
  };
  absl::StatusOr<std::unique_ptr<PassKernel>> kernel = PassKernel::Compile(
      graph_, item.pass, schedule, format_of, store_formats_of, options_.threads);
  if (!kernel.ok()) return kernel.status();
  std::shared_ptr<PassKernel> pass = *std::move(kernel);
  Step step;
  const auto formats = [&](const std::vector<TensorId>& tensors) {
    std::string text;
    for (TensorId t : tensors) {
      if (graph_.shape(t).rank() < 2) continue;
      for (const Version& version : versions_[t])
        absl::StrAppend(&text, text.empty() ? "" : " ", version.format.ToString());
    }
    return text;
  };
  double bytes = 0;
  for (const auto* tensors : {&item.reads, &item.writes}) {
    for (TensorId t : *tensors) bytes += BufferOf(t, Place{}, versions_[t][0].format).bytes();
  }
  step.description = {LayersOf(item),
                      item.pass.domain.rank() < 2 ? "channel pass" : "pass",
                      pass->Describe(),
                      absl::StrCat(formats(item.reads), " -> ", formats(item.writes)),
                      0,
                      bytes};
  step.bind = [this, pass, moved] {
    pass->Bind([this, &moved](TensorId t, int version) {
      const auto found = moved->find(t);
      return found == moved->end() ? BufferOf(t, version)
                                   : BufferOf(t, found->second.first, found->second.second);
    });
  };
  step.run = [pass](int64_t) { pass->Run(); };
  steps_.push_back(std::move(step));
  for (Step& reorder : after) steps_.push_back(std::move(reorder));
  return absl::OkStatus();
}

absl::Status CompiledPlan::AddConvolution(const Item& item, int index,
                                          const ConvolutionChoice& choice) {
  const Node& node = graph_.node(item.node);
  const ConvolutionSides sides = SidesOf(node);
  const tensor::Epilogue epilogue = EpilogueOf(node);
  absl::StatusOr<std::unique_ptr<Convolution>> made = Convolution::Create(
      node.as<ConvolutionAttributes>().shape, sides.direction, choice, epilogue);
  if (!made.ok()) return made.status();
  std::shared_ptr<Convolution> convolution = *std::move(made);
  choices_[ChoiceKey(node)] = choice.ToString();

  const Format in_format{choice.in_layout, choice.in_type},
      out_format{choice.out_layout, choice.out_type};
  std::vector<Step> after;
  const Place in = sides.direction == Direction::kInputGradient
                       ? WriteAs(sides.in, in_format, index, after)
                       : ReadAs(sides.in, in_format, index);
  const Place out = sides.direction == Direction::kForward
                        ? WriteAs(sides.out, out_format, index, after)
                        : ReadAs(sides.out, out_format, index);
  const bool packs = !convolution->weights_are_plain();
  const bool is_gradient = sides.direction == Direction::kWeightGradient;
  const Format weight_format{tensor::Layout::kNchw, ElementType::kF32};
  const Place plain = is_gradient ? WriteAs(sides.weights, weight_format, index, after)
                                  : ReadAs(sides.weights, weight_format, index);
  const Place bias = epilogue.bias ? ReadAs(sides.bias, weight_format, index) : Place{};
  const Place addend =
      epilogue.addend ? ReadAs(sides.addend, FormatAt(node, choice, sides.addend), index) : Place{};
  const Format byte_format{tensor::Layout::kNhwc, ElementType::kU8};
  Place positions;
  if (epilogue.pooled && sides.direction != Direction::kForward) {
    positions = ReadAs(sides.positions, byte_format, index);
  } else if (epilogue.pooled && versions_[sides.positions][0].last_use >
                                    index) {  // without backpropagation nobody reads them
    positions = WriteAs(sides.positions, byte_format, index, after);
  }
  const bool packs_once = options_.constant_parameters && !is_gradient &&
                          graph_.producer(sides.weights).op == kParameter;
  Place packed = plain;
  if (packs)
    packed = packs_once ? Persistent(convolution->packed_weight_bytes())
                        : Temporary(convolution->packed_weight_bytes(), index);
  const Place scratch = Temporary(convolution->scratch_bytes(), index);

  Step step;
  const double elements =
      static_cast<double>(graph_.shape(sides.in).NumElements() * Bytes(choice.in_type) +
                          graph_.shape(sides.out).NumElements() * Bytes(choice.out_type));
  const std::string pooled = epilogue.pooled ? ", pooled" : "";
  step.description = {
      node.name,
      absl::StrCat("convolution ", std::string(tensor::Name(sides.direction)), pooled),
      convolution->implementation(),
      absl::StrCat(in_format.ToString(),
                   sides.direction == Direction::kInputGradient ? " <- " : " -> ",
                   out_format.ToString()),
      2.0 * node.as<ConvolutionAttributes>().shape.MultiplyAdds(),
      elements + convolution->packed_weight_bytes()};
  step.run = [this, convolution, in, out, plain, packed, scratch, bias, addend, positions, packs,
              is_gradient, packs_once](int64_t) {
    if (packs && !is_gradient && !(packs_once && weights_packed_))
      convolution->PackWeights(reinterpret_cast<const float*>(Data(plain)), Data(packed));
    convolution->Run({.in = Data(in),
                      .weights = Data(packed),
                      .bias = Data(bias),
                      .out = Data(out),
                      .scratch = Data(scratch),
                      .addend = Data(addend),
                      .positions = reinterpret_cast<uint8_t*>(Data(positions))});
    if (packs && is_gradient)
      convolution->UnpackWeightGradient(Data(packed), reinterpret_cast<float*>(Data(plain)));
  };
  steps_.push_back(std::move(step));
  for (Step& reorder : after) steps_.push_back(std::move(reorder));
  return absl::OkStatus();
}

class CompiledPlan::Context : public KernelContext {
 public:
  Context(CompiledPlan& plan, int node, int item, BufferFunction buffer)
      : KernelContext(plan.graph_, plan.graph_.node(node), node, plan.options_.precision,
                      plan.options_.seed, plan.options_.ranks, std::move(buffer)),
        plan_(plan),
        item_(item) {}
  std::function<char*()> Temporary(int64_t bytes) override {
    return [&plan = plan_, place = plan_.Temporary(bytes, item_)] { return plan.Data(place); };
  }

 private:
  CompiledPlan& plan_;
  const int item_;
};

absl::Status CompiledPlan::AddOperation(const Item& item, int index) {
  const Node& node = graph_.node(item.node);
  // Every tensor in its default format: inputs kept in another are reordered first.
  absl::flat_hash_map<TensorId, std::pair<Place, Format>> places;
  for (TensorId t : node.inputs) {
    const Format format = DefaultFormat(graph_, t, options_.precision);
    places[t] = {ReadAs(t, format, index), format};
  }
  for (TensorId t : node.outputs) {
    if (!versions_[t].empty()) places[t] = {versions_[t][0].place, versions_[t][0].format};
  }
  const auto buffer = [this, places](TensorId t) {
    return BufferOf(t, places.at(t).first, places.at(t).second);
  };
  Step step;
  double bytes = 0;
  for (const auto* tensors : {&node.inputs, &node.outputs}) {
    for (TensorId t : *tensors) bytes += BufferOf(t, Place{}, places.at(t).second).bytes();
  }
  step.description = {node.name, node.op->name(), "", "", 0, bytes};
  Context context(*this, item.node, index, buffer);
  absl::StatusOr<Kernel> kernel = node.op->Bind(context);
  if (!kernel.ok()) return kernel.status();
  step.run = *std::move(kernel);
  steps_.push_back(std::move(step));
  return absl::OkStatus();
}

void CompiledPlan::AddStateUpdates() {
  if (graph_.state_updates().empty()) return;
  Step step;
  step.description = {"running statistics", "copy", "", "", 0, 0};
  step.run = [this](int64_t) {
    for (const StateUpdate& update : graph_.state_updates()) {
      std::memcpy(Data(versions_[update.state][0].place), Data(versions_[update.value][0].place),
                  graph_.shape(update.state).NumElements() * sizeof(float));
    }
  };
  steps_.push_back(std::move(step));
}

// Results that could not be made where they are wanted, in the form they are wanted in.
void CompiledPlan::AddResultCopies() {
  const Format plain{tensor::Layout::kNchw, ElementType::kF32};
  for (const PlanResult& result : results_) {
    const TensorId t = result.tensor;
    const int version = VersionIn(t, plain);
    if (version >= 0 &&
        (result.destination == nullptr ||
         versions_[t][version].place.outside == reinterpret_cast<char*>(result.destination))) {
      result_place_[t] = versions_[t][version].place;
      continue;
    }
    const Place place = result.destination != nullptr
                            ? Place{-1, reinterpret_cast<char*>(result.destination)}
                            : Persistent(graph_.shape(t).NumElements() * 4);
    steps_.push_back(ReorderStep(t, versions_[t][0].place, versions_[t][0].format, place, plain));
    result_place_[t] = place;
    if (result.destination != nullptr) last_operation_[t] = steps_.size() - 1;
  }
}

void CompiledPlan::Run(int64_t step) {
  const ParallelSection section;
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

}  // namespace

absl::StatusOr<std::unique_ptr<Plan>> Plan::Compile(const Graph& graph,
                                                    const std::vector<PlanResult>& results,
                                                    ParameterStore& store, Tuner& tuner,
                                                    const PlanOptions& options) {
  auto plan = std::make_unique<CompiledPlan>(graph, results, store, options);
  if (absl::Status status = plan->Prepare(tuner); !status.ok()) return status;
  return plan;
}

}  // namespace cotangent::layers
