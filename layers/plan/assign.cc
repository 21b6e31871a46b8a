// Chooses implementations and formats (see assign.h) for a schedule: a list of items, each a single
// operation or a fused pass (one loop over memory that computes several operations,
// layers/plan/fusion.h). Only tensors that are stored in memory have formats.

#include "layers/plan/assign.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "base/cpu.h"
#include "base/status_macros.h"
#include "layers/graph/operation.h"
#include "layers/ops/convolution.h"
#include "tensor/pool.h"

namespace cotangent::layers {
namespace {

using tensor::ConvolutionChoice;
using tensor::Direction;
using tensor::Layout;

// The approximate seconds that moving a byte takes, to weigh conversions against measured times.
constexpr double kSecondsPerByte = 1 / 12e9;
// The price of a byte of the peak memory of the plan, the compiled graph, in seconds per training
// step. At this price, a tenth of resnet18's memory is worth some 2% of the time of its training
// step.
constexpr double kSecondsPerPeakByte = 1 / 6e9;
// How many bytes of the last-level cache constant weights may occupy from one run to the next.
constexpr int64_t kCacheBytes = 12 << 20;
// How often at most ChooseBest() below goes through all convolutions, from each starting point.
constexpr int kSweeps = 4;
// Memory in use is tracked for at most this many stretches of the schedule. Each choice that the
// search tries takes time in proportion, so with a stretch for each item, the time for planning
// would grow with the square of the network's depth.
constexpr int kMostStretches = 4096;

int64_t BytesIn(const Shape& shape, const Format& format) {
  return Buffer{nullptr, shape, format}.bytes();
}

ConvolutionUse UseOf(const Graph& graph, const PlanOptions& options) {
  ConvolutionUse use = {.precision = options.precision,
                        .exact = options.exact,
                        .constant_weights = options.constant_parameters};
  if (!use.constant_weights) return use;
  int64_t bytes = 1;
  for (const Node& node : graph.nodes()) {
    if (IsConvolution(node.op))
      bytes +=
          node.as<ConvolutionAttributes>().shape.weights().NumElements() * Bytes(options.precision);
  }
  use.room = static_cast<int>(std::min<int64_t>(kCacheBytes / bytes, kMostRoom));
  return use;
}

// Returns an error unless the convolution can be created with this implementation. A convolution of
// integers must do its whole epilogue (bias, residual sum, ReLU, rounding) itself, so its epilogue
// is checked too; the epilogue of any other convolution does not matter here.
absl::Status CanBeMade(const Node& node, const ConvolutionChoice& choice) {
  const tensor::Epilogue whole = EpilogueOf(node);
  const tensor::Epilogue epilogue = whole.int8 != nullptr ? whole : tensor::Epilogue{};
  return tensor::Convolution::Create(node.as<ConvolutionAttributes>().shape,
                                     SidesOf(node).direction, choice, epilogue)
      .status();
}

// Returns the choice that options.choices names for the convolution; nullopt if it names none, or
// if the implementation does not exist on this machine.
std::optional<ConvolutionChoice> GivenChoice(const Node& node, const PlanOptions& options) {
  const auto given = options.choices.find(ChoiceKey(node));
  if (given == options.choices.end()) return std::nullopt;
  const absl::StatusOr<ConvolutionChoice> choice = ConvolutionChoice::Parse(given->second);
  if (!choice.ok() || !CanBeMade(node, *choice).ok()) return std::nullopt;
  return *choice;
}

// Returns the conditions under which this convolution is measured; `use` holds the conditions that
// all convolutions of the graph share.
ConvolutionUse UseOf(const Node& node, ConvolutionUse use) {
  if (const auto& int8 = node.as<ConvolutionAttributes>().int8; int8 != nullptr)
    use.precision = int8->in_type, use.out_type = int8->out_type;
  return use;
}

// Says which items write and read a stored tensor. Items are numbered from 0 in the order of the
// schedule. `passes` and `operations` count the passes and the operations other than convolutions
// that read it; if the tensor holds positions of maxima, convolutions that read it count as
// operations.
struct Use {
  enum Maker { kOutside, kPass, kConvolution, kOperation } maker = kOutside;
  int convolution = -1;                   // index in convolutions_ of its maker; -1: another maker
  int made = 0;                           // number of the item that makes the tensor
  std::vector<int> convolutions;          // indices of the convolutions that read the tensor
  int passes = 0, operations = 0;         // how often passes and operations read it
  int last_pass = 0, last_operation = 0;  // numbers of the last items that read it
};

struct Candidate {
  int node, item;
  ConvolutionSides sides;
  std::vector<MeasuredChoice> choices;
  size_t chosen = 0;
  bool measured_anew = false;
  // For a convolution that recomputes another one to save memory (layers/plan/recompute.h): the
  // index of the original in convolutions_. Both must have the same choice, so that their results
  // are equal to the bit. For any other convolution: -1.
  int leader = -1;
  std::vector<int> followers;  // indices of its recomputed copies, which get its choice

  const ConvolutionChoice& choice() const { return choices[chosen].choice; }
  // Returns whether a faster choice (they are in order of time) has the same formats and takes no more
  // memory. Then choice number `i` is never better.
  bool IsDominated(size_t i) const {
    const ConvolutionChoice& own = choices[i].choice;
    return std::any_of(choices.begin(), choices.begin() + i, [&](const MeasuredChoice& faster) {
      const ConvolutionChoice& other = faster.choice;
      return other.in_layout == own.in_layout && other.in_type == own.in_type &&
             other.out_layout == own.out_layout && other.out_type == own.out_type &&
             faster.temporary_bytes <= choices[i].temporary_bytes;
    });
  }
};

class Assigner {
 public:
  Assigner(const Graph& graph, const Schedule& schedule, const PlanOptions& options)
      : graph_(graph),
        schedule_(schedule),
        options_(options),
        use_(UseOf(graph, options)),
        uses_(graph.num_tensors()),
        items_per_stretch_(1 + static_cast<int>(schedule.items.size()) / kMostStretches) {}

  absl::StatusOr<Assignment> Run(Tuner& tuner) {
    for (size_t i = 0; i < schedule_.items.size(); ++i) {
      RETURN_IF_ERROR(tuner.CheckNotCancelled());
      RETURN_IF_ERROR(AddItem(static_cast<int>(i), tuner));
    }
    for (bool done = false; !done;) {
      ChooseBest();
      ASSIGN_OR_RETURN(done, DropWhatCannotBeMade(tuner));
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
  absl::Status AddItem(int index, Tuner& tuner);
  absl::Status AddConvolution(int node, int item, Tuner& tuner);
  Format FormatAt(const Candidate& c, TensorId t) const {
    return layers::FormatAt(graph_.node(c.node), c.choice(), t);
  }
  bool PassesCanRead(TensorId t, const Format& format) const;
  Format FormatFromOutside(TensorId t) const;
  std::vector<Format> FormatsOf(TensorId t) const;
  double CostOf(TensorId t) const;
  void Account(int64_t bytes, int first_item, int last_item);
  void Account(TensorId t, int64_t sign);
  void Account(const Candidate& c, int64_t sign);
  void AccountAll();
  double Peak() const;
  void Choose(Candidate& c, size_t choice) {
    Account(c, -1);
    c.chosen = choice;
    Account(c, 1);
    for (int follower : c.followers) Choose(convolutions_[follower], choice);
  }
  double CostWithFollowers(const Candidate& c) const {
    double cost = CostOf(c);
    for (int follower : c.followers) cost += CostOf(convolutions_[follower]);
    return cost;
  }
  double CostOf(const Candidate& c) const {
    const double sides = CostOf(c.sides.in) + (c.sides.out == c.sides.in ? 0 : CostOf(c.sides.out));
    return c.choices[c.chosen].seconds + sides +
           (c.sides.addend == kNoTensor ? 0 : CostOf(c.sides.addend));
  }
  double TotalCost() const;
  bool Improve();
  void ChooseBest();
  absl::StatusOr<bool> DropWhatCannotBeMade(Tuner& tuner);

  const Graph& graph_;
  const Schedule& schedule_;
  const PlanOptions& options_;
  const ConvolutionUse use_;
  std::vector<Candidate> convolutions_;
  std::vector<Use> uses_;
  // A stretch is this many consecutive items of the schedule: 1 unless the network is very deep.
  const int items_per_stretch_;
  // By stretch: bytes of tensors and scratch memory in use while its items run, on average.
  std::vector<int64_t> alive_;
};

absl::Status Assigner::AddItem(int index, Tuner& tuner) {
  const Item& item = schedule_.items[index];
  if (item.node >= 0 && IsConvolution(graph_.node(item.node).op))
    return AddConvolution(item.node, index, tuner);
  for (TensorId t : item.reads) {
    ++(item.node < 0 ? uses_[t].passes : uses_[t].operations);
    (item.node < 0 ? uses_[t].last_pass : uses_[t].last_operation) = index;
  }
  for (TensorId t : item.writes) {
    uses_[t].maker = item.node < 0 ? Use::kPass : Use::kOperation;
    uses_[t].made = index;
  }
  return absl::OkStatus();
}

absl::Status Assigner::AddConvolution(int node_index, int item, Tuner& tuner) {
  const Node& node = graph_.node(node_index);
  const int index = static_cast<int>(convolutions_.size());
  Candidate candidate{
      .node = node_index, .item = item, .sides = SidesOf(node), .choices = {}, .followers = {}};
  const ConvolutionSides& sides = candidate.sides;
  if (const std::optional<ConvolutionChoice> given = GivenChoice(node, options_))
    candidate.choices = {{*given}};
  if (candidate.choices.empty()) {
    ASSIGN_OR_RETURN(candidate.choices, tuner.Measure(node.as<ConvolutionAttributes>().shape,
                                                      sides.direction, UseOf(node, use_)));
    const auto cannot_pool = [&](const MeasuredChoice& c) {
      return !tensor::CanPool(node.as<ConvolutionAttributes>().shape, c.choice);
    };
    if (node.as<ConvolutionAttributes>().pooled)
      candidate.choices.erase(
          std::remove_if(candidate.choices.begin(), candidate.choices.end(), cannot_pool),
          candidate.choices.end());
    // If some implementations have formats that passes can read and write directly (for an `in`
    // that comes from outside any format will do), all others are dropped: the conversion that they
    // need takes longer than they save.
    const auto unreadable = [&](const MeasuredChoice& c) {
      return (sides.in >= 0 && uses_[sides.in].maker != Use::kOutside &&
              !PassesCanRead(sides.in, {c.choice.in_layout, c.choice.in_type})) ||
             !PassesCanRead(sides.out, {c.choice.out_layout, c.choice.out_type});
    };
    std::vector<MeasuredChoice> readable = candidate.choices;
    readable.erase(std::remove_if(readable.begin(), readable.end(), unreadable), readable.end());
    if (!readable.empty()) candidate.choices = std::move(readable);
  }
  const TensorId made = sides.direction == Direction::kForward         ? sides.out
                        : sides.direction == Direction::kInputGradient ? sides.in
                                                                       : kNoTensor;
  for (TensorId t : {sides.in, sides.out, sides.addend}) {
    if (t != kNoTensor && t != made) uses_[t].convolutions.push_back(index);
  }
  if (sides.positions != kNoTensor) {
    Use& use = uses_[sides.positions];
    if (sides.direction == Direction::kForward) {
      use.maker = Use::kOperation, use.made = item;
    } else {
      ++use.operations, use.last_operation = item;
    }
  }
  if (made != kNoTensor)
    uses_[made].maker = Use::kConvolution, uses_[made].convolution = index, uses_[made].made = item;
  if (node.again_of != kNoTensor && uses_[node.again_of].convolution >= 0) {
    candidate.leader = uses_[node.again_of].convolution;
    candidate.choices = convolutions_[candidate.leader].choices;
    convolutions_[candidate.leader].followers.push_back(index);
  }
  convolutions_.push_back(std::move(candidate));
  return absl::OkStatus();
}

bool Assigner::PassesCanRead(TensorId t, const Format& format) const {
  const Shape shape = AsImage(graph_.shape(t));
  // With AVX-512, a pass computes in vectors of 16 floats; a block of 8 channels would fill half of
  // such a vector.
  if (format.layout == Layout::kBlocked8 && HasAvx512()) return false;
  if (format.layout == Layout::kNchw || graph_.shape(t).rank() == 2)
    return tensor::SameStorage(shape, format.layout, Layout::kNhwc);
  return true;
}

// Returns the format of a tensor whose values come from outside (an input, parameter or state); for
// an input see PlanOptions::inputs_as_read.
Format Assigner::FormatFromOutside(TensorId t) const {
  const Use& use = uses_[t];
  if (options_.inputs_as_read && graph_.producer(t).op == kInput && !use.convolutions.empty() &&
      use.passes == 0 && use.operations == 0) {
    const Format read = FormatAt(convolutions_[use.convolutions[0]], t);
    if ((read.layout == Layout::kNchw || read.layout == Layout::kNhwc) &&
        (read.type == ElementType::kF32 || read.type == ElementType::kBf16))
      return read;
  }
  const ElementType type = DefaultFormat(graph_, t, options_.precision).type;
  return {Layout::kNchw, type == ElementType::kBf16 ? ElementType::kF32 : type};
}

std::vector<Format> Assigner::FormatsOf(TensorId t) const {
  const Use& use = uses_[t];
  const Shape& shape = graph_.shape(t);
  const Format fallback = DefaultFormat(graph_, t, options_.precision);
  switch (use.maker) {
    case Use::kOutside:
      return {FormatFromOutside(t)};
    case Use::kOperation:
      return {fallback};
    case Use::kConvolution: {
      const Format made = FormatAt(convolutions_[use.convolution], t);
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
    const Format wanted = FormatAt(convolutions_[c], t);
    if (PassesCanRead(t, wanted)) add(wanted);
  }
  if (use.operations > 0 || formats.empty()) add(fallback);
  std::stable_sort(formats.begin(), formats.end(), [&](const Format& a, const Format& b) {
    return BytesIn(shape, a) < BytesIn(shape, b);
  });
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
    if (std::none_of(formats.begin(), formats.end(), same))
      bytes += 2 * static_cast<double>(BytesIn(shape, formats[0]) + BytesIn(shape, wanted));
  };
  for (int c : use.convolutions) reorder(FormatAt(convolutions_[c], t));
  if (use.convolution >= 0) reorder(FormatAt(convolutions_[use.convolution], t));
  if (use.operations > 0) reorder(DefaultFormat(graph_, t, options_.precision));
  return bytes * kSecondsPerByte;
}

// Adds `bytes`, which may be negative, to alive_ for the items from first_item to last_item.
void Assigner::Account(int64_t bytes, int first_item, int last_item) {
  const int length = items_per_stretch_;
  for (int begin = first_item / length * length; begin <= last_item; begin += length) {
    const int items = std::min(begin + length - 1, last_item) - std::max(begin, first_item) + 1;
    alive_[begin / length] += bytes * items / length;
  }
}

// Adds the bytes of tensor t to alive_, or subtracts them if `sign` is -1. Each format occupies
// memory from the item that makes the tensor to the last item that reads the tensor in this format.
// Passes, and readers that need a format that is not stored, read the first format.
void Assigner::Account(TensorId t, int64_t sign) {
  const Use& use = uses_[t];
  const Shape& shape = graph_.shape(t);
  const std::vector<Format> formats = FormatsOf(t);
  std::vector<int> last(formats.size(), use.made);
  const auto read = [&](const Format& format, int item) {
    const auto same = [&](const Format& f) { return SameFormat(shape, f, format); };
    const size_t k = std::find_if(formats.begin(), formats.end(), same) - formats.begin();
    int& at = last[k < formats.size() ? k : 0];
    at = std::max(at, item);
  };
  if (use.passes > 0) read(formats[0], use.last_pass);
  if (use.operations > 0) read(DefaultFormat(graph_, t, options_.precision), use.last_operation);
  for (int c : use.convolutions) read(FormatAt(convolutions_[c], t), convolutions_[c].item);
  for (size_t k = 0; k < formats.size(); ++k) {
    Account(sign * BytesIn(shape, formats[k]), use.made, last[k]);
  }
}

void Assigner::Account(const Candidate& c, int64_t sign) {
  Account(sign * c.choices[c.chosen].temporary_bytes, c.item, c.item);
  Account(c.sides.in, sign);
  if (c.sides.out != c.sides.in) Account(c.sides.out, sign);
  if (c.sides.addend != kNoTensor) Account(c.sides.addend, sign);
}

void Assigner::AccountAll() {
  // If all results are inputs, there are no items.
  const size_t items = std::max<size_t>(1, schedule_.items.size());
  alive_.assign((items + items_per_stretch_ - 1) / items_per_stretch_, 0);
  for (const Candidate& c : convolutions_)
    Account(c.choices[c.chosen].temporary_bytes, c.item, c.item);
  for (TensorId t = 0; t < graph_.num_tensors(); ++t) {
    if (schedule_.in_memory[t] && graph_.shape(t).rank() >= 2) Account(t, 1);
  }
}

// Returns a smooth measure of the peak memory in bytes: the power mean of alive_ with exponent 32.
// The plain maximum would hardly guide the search: if several items need nearly as much memory, no
// single change lowers the maximum.
double Assigner::Peak() const {
  const auto largest = std::max_element(alive_.begin(), alive_.end());
  if (largest == alive_.end() || *largest <= 0) return 0;
  const double most = static_cast<double>(*largest);
  double sum = 0;
  for (const int64_t bytes : alive_) {
    double power = static_cast<double>(bytes) / most;
    for (int squared = 0; squared < 5; ++squared) power *= power;
    sum += power;
  }
  return most * std::pow(sum / static_cast<double>(alive_.size()), 1.0 / 32);
}

double Assigner::TotalCost() const {
  double seconds = Peak() * kSecondsPerPeakByte;
  for (const Candidate& c : convolutions_) seconds += c.choices[c.chosen].seconds;
  for (TensorId t = 0; t < graph_.num_tensors(); ++t) {
    if (schedule_.in_memory[t] && graph_.shape(t).rank() >= 2) seconds += CostOf(t);
  }
  return seconds;
}

// Chooses an implementation for every convolution. Improving one convolution at a time ends at
// choices that no single change improves, though several changes together might. So the search
// begins at three starting points: the fastest implementation of each convolution; the fastest that
// has both `in` and `out` in NHWC; and the fastest that has both in kBlocked16. A convolution
// without such an implementation starts with its fastest.
void Assigner::ChooseBest() {
  std::vector<size_t> best;
  double least = std::numeric_limits<double>::infinity();
  for (const std::optional<Layout> layout :
       {std::optional<Layout>(), std::optional(Layout::kNhwc), std::optional(Layout::kBlocked16)}) {
    for (Candidate& c : convolutions_) {
      if (c.leader >= 0) {
        c.chosen = convolutions_[c.leader].chosen;
        continue;
      }
      const auto fits = [&](const MeasuredChoice& m) {
        return !layout || (m.choice.in_layout == *layout && m.choice.out_layout == *layout);
      };
      const auto found = std::find_if(c.choices.begin(), c.choices.end(), fits);
      c.chosen = found == c.choices.end() ? 0 : found - c.choices.begin();
    }
    AccountAll();
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

// Times that the tuner has restored from a file may name implementations that cannot be created on
// this machine. Returns true if all chosen implementations can be created. Otherwise drops those
// that cannot and returns false; the caller then chooses again. A convolution of which nothing is
// left is measured again, once; if that does not help either, returns an error.
absl::StatusOr<bool> Assigner::DropWhatCannotBeMade(Tuner& tuner) {
  bool possible = true;
  for (Candidate& c : convolutions_) {
    if (c.leader >= 0) {
      c.choices = convolutions_[c.leader].choices;
      continue;
    }
    const Node& node = graph_.node(c.node);
    const tensor::ConvolutionShape& shape = node.as<ConvolutionAttributes>().shape;
    const ConvolutionUse use = UseOf(node, use_);
    const absl::Status made = CanBeMade(node, c.choice());
    if (made.ok()) continue;
    possible = false;
    c.choices.erase(c.choices.begin() + static_cast<int64_t>(c.chosen));
    if (!c.choices.empty()) continue;
    if (std::exchange(c.measured_anew, true)) return made;
    tuner.Forget(shape, c.sides.direction, use);
    ASSIGN_OR_RETURN(c.choices, tuner.Measure(shape, c.sides.direction, use));
  }
  return possible;
}

bool Assigner::Improve() {
  bool improved = false;
  for (Candidate& c : convolutions_) {
    if (c.leader >= 0) continue;
    const size_t before = c.chosen;
    size_t best = before;
    double least = CostWithFollowers(c) + Peak() * kSecondsPerPeakByte;
    for (size_t i = 0; i < c.choices.size(); ++i) {
      if (i == before || c.IsDominated(i)) continue;
      Choose(c, i);
      if (const double cost = CostWithFollowers(c) + Peak() * kSecondsPerPeakByte; cost < least)
        least = cost, best = i;
    }
    Choose(c, best);
    improved = improved || best != before;
  }
  return improved;
}

}  // namespace

bool PrefersToPool(const Graph& graph, const Node& node, Tuner& tuner, const PlanOptions& options) {
  const ConvolutionSides sides = SidesOf(node);
  const tensor::ConvolutionShape& shape = node.as<ConvolutionAttributes>().shape;
  if (sides.addend != kNoTensor || node.as<ConvolutionAttributes>().int8 != nullptr) return false;
  if (const std::optional<ConvolutionChoice> given = GivenChoice(node, options))
    return tensor::CanPool(shape, *given);
  const absl::StatusOr<std::vector<MeasuredChoice>> measured =
      tuner.Measure(shape, sides.direction, UseOf(graph, options));
  if (!measured.ok()) return false;
  const auto faster = [](const MeasuredChoice& a, const MeasuredChoice& b) {
    return a.seconds < b.seconds;
  };
  return tensor::CanPool(shape,
                         std::min_element(measured->begin(), measured->end(), faster)->choice);
}

absl::StatusOr<Assignment> Assign(const Graph& graph, const Schedule& schedule, Tuner& tuner,
                                  const PlanOptions& options) {
  return Assigner(graph, schedule, options).Run(tuner);
}

}  // namespace cotangent::layers
