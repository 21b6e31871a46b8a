// The second part of compiling a graph into a plan for this machine: makes the steps that compute
// the items of the schedule (convolutions, other operations, and fused passes, which are loops over
// memory that compute several operations), with conversions between formats where needed.

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/convolution.h"
#include "layers/plan/compiled_plan.h"
#include "layers/plan/kernel.h"
#include "layers/plan/pass.h"

namespace cotangent::layers {

using tensor::ConvolutionChoice;
using tensor::Direction;

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

// Returns whether the pass can treat all its tensors as one row of numbers: all tensors of rank 4
// are row-major and have the shape of the domain, and nothing depends on channels or windows.
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

// Lets a pass that is not plain (IsPlainPass()) use copies in NHWC of its rank-4 tensors that are
// stored in NCHW, such as the images that the caller gives: the pass needs the channels of a pixel
// side by side. Adds a step that converts what the pass reads to the plan, unless the copy exists
// already, and a step that converts what the pass stores to `after`, the steps that follow the
// pass. Returns the place and format of each tensor's copy.
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
  ASSIGN_OR_RETURN(std::unique_ptr<PassKernel> kernel,
                   PassKernel::Compile(graph_, item.pass, schedule, format_of, store_formats_of,
                                       options_.threads));
  std::shared_ptr<PassKernel> pass = std::move(kernel);
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

namespace {

// Returns the description of a convolution's step. `side_bytes` are the bytes of
// images that it reads and writes.
Plan::Description DescriptionOf(const Node& node, const ConvolutionChoice& choice,
                                const tensor::Convolution& convolution, double side_bytes) {
  const Direction direction = SidesOf(node).direction;
  const std::string pooled = EpilogueOf(node).pooled ? ", pooled" : "";
  const Format in{choice.in_layout, choice.in_type}, out{choice.out_layout, choice.out_type};
  return {node.name,
          absl::StrCat("convolution ", std::string(tensor::Name(direction)), pooled),
          convolution.implementation(),
          absl::StrCat(in.ToString(), direction == Direction::kInputGradient ? " <- " : " -> ",
                       out.ToString()),
          2.0 * node.as<ConvolutionAttributes>().shape.MultiplyAdds(),
          side_bytes + convolution.packed_weight_bytes()};
}

}  // namespace

absl::Status CompiledPlan::AddConvolution(const Item& item, int index,
                                          const ConvolutionChoice& choice) {
  const Node& node = graph_.node(item.node);
  const ConvolutionSides sides = SidesOf(node);
  const tensor::Epilogue epilogue = EpilogueOf(node);
  ASSIGN_OR_RETURN(std::unique_ptr<tensor::Convolution> made,
                   tensor::Convolution::Create(node.as<ConvolutionAttributes>().shape,
                                               sides.direction, choice, epilogue));
  std::shared_ptr<tensor::Convolution> convolution = std::move(made);
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
  } else if (epilogue.pooled && versions_[sides.positions][0].last_use > index) {
    // (Without backpropagation nothing reads the positions; then they are not written.)
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
  const double side_bytes =
      static_cast<double>(graph_.shape(sides.in).NumElements() * Bytes(choice.in_type) +
                          graph_.shape(sides.out).NumElements() * Bytes(choice.out_type));
  step.description = DescriptionOf(node, choice, *convolution, side_bytes);
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
  // The operation gets every tensor in the default format (DefaultFormat() in assign.h); inputs
  // that are stored in other formats are converted first.
  struct Kept {
    Place place;
    Format format;
    int64_t of_channels = 0;
  };
  absl::flat_hash_map<TensorId, Kept> places;
  for (TensorId t : node.inputs) {
    const Format format = DefaultFormat(graph_, t, options_.precision);
    const int version = VersionIn(t, format);
    places[t] = {ReadAs(t, format, index), format,
                 version < 0 ? 0 : versions_[t][version].of_channels};
  }
  for (TensorId t : node.outputs) {
    if (versions_[t].empty()) continue;
    const Version& version = versions_[t][0];
    places[t] = {version.place, version.format, version.of_channels};
  }
  const auto buffer = [this, places](TensorId t) {
    const Kept& kept = places.at(t);
    return Buffer{Data(kept.place), graph_.shape(t), kept.format, kept.of_channels};
  };
  Step step;
  double bytes = 0;
  for (const auto* tensors : {&node.inputs, &node.outputs}) {
    for (TensorId t : *tensors) bytes += BufferOf(t, Place{}, places.at(t).format).bytes();
  }
  step.description = {node.name, node.op->name(), "", "", 0, bytes};
  Context context(*this, item.node, index, buffer);
  ASSIGN_OR_RETURN(step.run, node.op->Bind(context));
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
  for (const StateUpdate& update : graph_.state_updates()) {
    if (const auto found = last_operation_.find(update.value); found != last_operation_.end())
      found->second = steps_.size() - 1;
  }
}

// Adds steps that copy those results that could not be computed at their destination, or that are
// not stored as row-major f32.
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

}  // namespace cotangent::layers
