#include "layers/assign.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cotangent::layers {
namespace {

using tensor::ConvolutionChoice;
using tensor::Direction;
using tensor::ElementType;
using tensor::Layout;

// What moving a byte costs, about: it only weighs conversions against measured times.
constexpr double kSecondsPerByte = 1 / 12e9;
constexpr int kSweeps = 4;

// Features [N, K] are images of one pixel.
Shape AsImage(const Shape& shape) { return shape.rank() == 2 ? Shape({shape[0], shape[1], 1, 1}) : shape; }

int64_t BytesIn(const Shape& shape, const Format& format) {
  return Buffer{nullptr, shape, format}.bytes();
}

// Who makes and who reads a tensor in memory.
struct Use {
  enum Maker { kOutside, kPass, kConvolution, kOperation } maker = kOutside;
  int convolution = -1;             // index of the maker, if it is one
  std::vector<int> convolutions;    // readers
  int passes = 0, operations = 0;   // readers
};

struct Candidate {
  int node;
  ConvolutionSides sides;
  std::vector<MeasuredChoice> choices;
  size_t chosen = 0;
  bool measured_anew = false;

  const ConvolutionChoice& choice() const { return choices[chosen].choice; }
  Format FormatAt(TensorId t) const {
    return t == sides.in ? Format{choice().in_layout, choice().in_type} : Format{choice().out_layout, choice().out_type};
  }
};

class Assigner {
 public:
  Assigner(const Graph& graph, const Schedule& schedule, const PlanOptions& options) : graph_(graph), schedule_(schedule), options_(options), uses_(graph.num_tensors()) {}

  absl::StatusOr<Assignment> Run(Tuner& tuner) {
    for (const Item& item : schedule_.items) {
      if (absl::Status status = AddItem(item, tuner); !status.ok()) return status;
    }
    for (bool done = false; !done;) {
      ChooseBest();
      const absl::StatusOr<bool> possible = DropWhatCannotBeMade(tuner);
      if (!possible.ok()) return possible.status();
      done = *possible;
    }
    Assignment result;
    result.formats.resize(graph_.num_tensors());
    for (TensorId t = 0; t < graph_.num_tensors(); ++t) {
      if (schedule_.in_memory[t]) result.formats[t] = FormatsOf(t);
    }
    for (const Candidate& c : convolutions_) result.choices[c.node] = c.choice();
    return result;
  }

 private:
  absl::Status AddItem(const Item& item, Tuner& tuner);
  absl::Status AddConvolution(int node, Tuner& tuner);
  bool PassesCanRead(TensorId t, const Format& format) const;
  std::vector<Format> FormatsOf(TensorId t) const;
  double CostOf(TensorId t) const;
  double CostOf(const Candidate& c) const {
    const double sides = CostOf(c.sides.in) + (c.sides.out == c.sides.in ? 0 : CostOf(c.sides.out));
    return c.choices[c.chosen].seconds + sides + (c.sides.addend == kNoTensor ? 0 : CostOf(c.sides.addend));
  }
  double TotalCost() const;
  bool Improve();
  void ChooseBest();
  absl::StatusOr<bool> DropWhatCannotBeMade(Tuner& tuner);

  const Graph& graph_;
  const Schedule& schedule_;
  const PlanOptions& options_;
  std::vector<Candidate> convolutions_;
  std::vector<Use> uses_;
};

absl::Status Assigner::AddItem(const Item& item, Tuner& tuner) {
  if (item.node >= 0 && IsConvolution(graph_.node(item.node).op)) return AddConvolution(item.node, tuner);
  for (TensorId t : item.reads) ++(item.node < 0 ? uses_[t].passes : uses_[t].operations);
  for (TensorId t : item.writes) uses_[t].maker = item.node < 0 ? Use::kPass : Use::kOperation;
  return absl::OkStatus();
}

absl::Status Assigner::AddConvolution(int node_index, Tuner& tuner) {
  const Node& node = graph_.node(node_index);
  const int index = static_cast<int>(convolutions_.size());
  Candidate candidate{.node = node_index, .sides = SidesOf(node), .choices = {}};
  const ConvolutionSides& sides = candidate.sides;
  if (auto given = options_.choices.find(ChoiceKey(node)); given != options_.choices.end()) {
    absl::StatusOr<ConvolutionChoice> choice = ConvolutionChoice::Parse(given->second);
    if (choice.ok() && tensor::Convolution::Create(node.attributes.convolution, sides.direction, *choice).ok()) candidate.choices = {{*choice, 0}};
  }
  if (candidate.choices.empty()) {
    absl::StatusOr<std::vector<MeasuredChoice>> measured = tuner.Measure(node.attributes.convolution, sides.direction, options_.precision, options_.exact);
    if (!measured.ok()) return measured.status();
    candidate.choices = *std::move(measured);
    // What passes cannot read in place costs a reorder that is never worth it where there is a choice.
    const auto unreadable = [&](const MeasuredChoice& c) {
      return (sides.in >= 0 && uses_[sides.in].maker != Use::kOutside && !PassesCanRead(sides.in, {c.choice.in_layout, c.choice.in_type})) ||
             !PassesCanRead(sides.out, {c.choice.out_layout, c.choice.out_type});
    };
    std::vector<MeasuredChoice> readable = candidate.choices;
    readable.erase(std::remove_if(readable.begin(), readable.end(), unreadable), readable.end());
    if (!readable.empty()) candidate.choices = std::move(readable);
  }
  const TensorId made = sides.direction == Direction::kForward ? sides.out : sides.direction == Direction::kInputGradient ? sides.in : kNoTensor;
  for (TensorId t : {sides.in, sides.out, sides.addend}) {
    if (t != kNoTensor && t != made) uses_[t].convolutions.push_back(index);
  }
  if (made != kNoTensor) uses_[made].maker = Use::kConvolution, uses_[made].convolution = index;
  convolutions_.push_back(std::move(candidate));
  return absl::OkStatus();
}

bool Assigner::PassesCanRead(TensorId t, const Format& format) const {
  const Shape shape = AsImage(graph_.shape(t));
  if (format.layout == Layout::kNchw || graph_.shape(t).rank() == 2) return tensor::SameStorage(shape, format.layout, Layout::kNhwc);
  return true;
}

std::vector<Format> Assigner::FormatsOf(TensorId t) const {
  const Use& use = uses_[t];
  const Shape& shape = graph_.shape(t);
  const Format fallback = DefaultFormat(graph_, t, options_.precision);
  switch (use.maker) {
    case Use::kOutside:
      return {{Layout::kNchw, fallback.type == ElementType::kBf16 ? ElementType::kF32 : fallback.type}};
    case Use::kOperation:
      return {fallback};
    case Use::kConvolution: {
      const Format made = convolutions_[use.convolution].FormatAt(t);
      return {PassesCanRead(t, made) ? made : fallback};
    }
    case Use::kPass:
      break;
  }
  std::vector<Format> formats;
  const auto add = [&](const Format& format) {
    const auto same = [&](const Format& f) { return SameFormat(shape, f, format); };
    if (std::none_of(formats.begin(), formats.end(), same)) formats.push_back(format);
  };
  for (int c : use.convolutions) {
    const Format wanted = convolutions_[c].FormatAt(t);
    if (PassesCanRead(t, wanted)) add(wanted);
  }
  if (use.operations > 0 || formats.empty()) add(fallback);
  std::stable_sort(formats.begin(), formats.end(), [&](const Format& a, const Format& b) { return BytesIn(shape, a) < BytesIn(shape, b); });
  return formats;
}

double Assigner::CostOf(TensorId t) const {
  const Use& use = uses_[t];
  const Shape& shape = graph_.shape(t);
  const std::vector<Format> formats = FormatsOf(t);
  double bytes = use.passes * static_cast<double>(BytesIn(shape, formats[0]));
  for (const Format& format : formats) bytes += BytesIn(shape, format);
  const auto reorder = [&](const Format& wanted) {
    const auto same = [&](const Format& f) { return SameFormat(shape, f, wanted); };
    if (std::none_of(formats.begin(), formats.end(), same)) bytes += 2 * static_cast<double>(BytesIn(shape, formats[0]) + BytesIn(shape, wanted));
  };
  for (int c : use.convolutions) reorder(convolutions_[c].FormatAt(t));
  if (use.convolution >= 0) reorder(convolutions_[use.convolution].FormatAt(t));
  if (use.operations > 0) reorder(DefaultFormat(graph_, t, options_.precision));
  return bytes * kSecondsPerByte;
}

double Assigner::TotalCost() const {
  double seconds = 0;
  for (const Candidate& c : convolutions_) seconds += c.choices[c.chosen].seconds;
  for (TensorId t = 0; t < graph_.num_tensors(); ++t) {
    if (schedule_.in_memory[t] && graph_.shape(t).rank() >= 2) seconds += CostOf(t);
  }
  return seconds;
}

// Improving one convolution at a time ends where changing any one of them does not pay, though changing several might. So
// it begins in several places: everywhere the fastest, and everywhere the fastest of one layout.
void Assigner::ChooseBest() {
  std::vector<size_t> best;
  double least = std::numeric_limits<double>::infinity();
  for (const std::optional<Layout> layout : {std::optional<Layout>(), std::optional(Layout::kNhwc), std::optional(Layout::kBlocked16)}) {
    for (Candidate& c : convolutions_) {
      const auto fits = [&](const MeasuredChoice& m) { return !layout || (m.choice.in_layout == *layout && m.choice.out_layout == *layout); };
      const auto found = std::find_if(c.choices.begin(), c.choices.end(), fits);
      c.chosen = found == c.choices.end() ? 0 : found - c.choices.begin();
    }
    for (int sweep = 0; sweep < kSweeps && Improve(); ++sweep) {
    }
    if (const double cost = TotalCost(); cost < least) {
      least = cost;
      best.clear();
      for (const Candidate& c : convolutions_) best.push_back(c.chosen);
    }
  }
  for (size_t i = 0; i < best.size(); ++i) convolutions_[i].chosen = best[i];
}

// Times that a file left behind may name what cannot be made here: true if all that is chosen can, else choose again.
absl::StatusOr<bool> Assigner::DropWhatCannotBeMade(Tuner& tuner) {
  bool possible = true;
  for (Candidate& c : convolutions_) {
    const tensor::ConvolutionShape& shape = graph_.node(c.node).attributes.convolution;
    const absl::Status made = tensor::Convolution::Create(shape, c.sides.direction, c.choice()).status();
    if (made.ok()) continue;
    possible = false;
    c.choices.erase(c.choices.begin() + static_cast<int64_t>(c.chosen));
    if (!c.choices.empty()) continue;
    if (std::exchange(c.measured_anew, true)) return made;
    tuner.Forget(shape, c.sides.direction, options_.precision, options_.exact);
    absl::StatusOr<std::vector<MeasuredChoice>> measured = tuner.Measure(shape, c.sides.direction, options_.precision, options_.exact);
    if (!measured.ok()) return measured.status();
    c.choices = *std::move(measured);
  }
  return possible;
}

bool Assigner::Improve() {
  bool improved = false;
  for (Candidate& c : convolutions_) {
    const size_t before = c.chosen;
    size_t best = before;
    double least = CostOf(c);
    for (size_t i = 0; i < c.choices.size(); ++i) {
      c.chosen = i;
      if (const double cost = CostOf(c); cost < least) least = cost, best = i;
    }
    c.chosen = best;
    improved = improved || best != before;
  }
  return improved;
}

// Weights and what is computed from them alone are 4-D but plain.
bool IsWeightLike(const Graph& graph, TensorId t) {
  const Node& node = graph.producer(t);
  if (node.op == Op::kParameter || node.op == Op::kState || node.op == Op::kConvolutionWeightGradient) return true;
  if (node.op != Op::kElementwise) return false;
  for (TensorId input : node.inputs) {
    if (graph.shape(input).rank() == 4 && IsWeightLike(graph, input)) return true;
  }
  return false;
}

}  // namespace

bool IsConvolution(Op op) {
  return op == Op::kConvolution || op == Op::kConvolutionInputGradient || op == Op::kConvolutionWeightGradient;
}

ConvolutionSides SidesOf(const Node& node) {
  switch (node.op) {
    case Op::kConvolution:
      return {.direction = Direction::kForward,
              .in = node.inputs[0],
              .out = node.outputs[0],
              .weights = node.inputs[1],
              .bias = node.inputs.size() > 2 ? node.inputs[2] : kNoTensor,
              .addend = node.inputs.size() > 3 ? node.inputs[3] : kNoTensor};
    case Op::kConvolutionInputGradient:
      return {Direction::kInputGradient, node.outputs[0], node.inputs[0], node.inputs[1]};
    default:
      return {Direction::kWeightGradient, node.inputs[0], node.inputs[1], node.outputs[0]};
  }
}

std::string ChoiceKey(const Node& node) { return absl::StrCat(node.name, " ", std::string(tensor::Name(SidesOf(node).direction))); }

Format DefaultFormat(const Graph& graph, TensorId t, ElementType precision) {
  const Node& node = graph.producer(t);
  const bool is_image = graph.shape(t).rank() == 4 && !IsWeightLike(graph, t);
  if ((node.op == Op::kMaxPool && t == node.outputs[1])) return {Layout::kNhwc, ElementType::kU8};
  if (node.op == Op::kInput && graph.shape(t).rank() == 1) return {Layout::kNchw, ElementType::kS32};
  return is_image ? Format{Layout::kNhwc, precision} : Format{Layout::kNchw, ElementType::kF32};
}

bool SameFormat(const Shape& shape, const Format& a, const Format& b) {
  if (a.type != b.type) return false;
  return a.layout == b.layout || shape.rank() < 2 || tensor::SameStorage(AsImage(shape), a.layout, b.layout);
}

absl::StatusOr<Assignment> Assign(const Graph& graph, const Schedule& schedule, Tuner& tuner, const PlanOptions& options) {
  return Assigner(graph, schedule, options).Run(tuner);
}

}  // namespace cotangent::layers
