#include "autodiff/reverse/program.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace cotangent::autodiff::reverse {

using replay::Kernel;
using replay::kPoints;
using replay::Pack;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

bool Holds(Relation relation, double a, double b) {
  switch (relation) {
    case Relation::kEqual:
      return a == b;
    case Relation::kNotEqual:
      return a != b;
    case Relation::kLess:
      return a < b;
    case Relation::kGreater:
      return a > b;
    case Relation::kLessEqual:
      return a <= b;
    case Relation::kGreaterEqual:
      return a >= b;
    case Relation::kIsFinite:
      return std::isfinite(a) == (b != 0);
    case Relation::kIsInf:
      return std::isinf(a) == (b != 0);
    case Relation::kIsNan:
      return std::isnan(a) == (b != 0);
    case Relation::kIsNormal:
      return std::isnormal(a) == (b != 0);
    case Relation::kSignbit:
      return std::signbit(a) == (b != 0);
    case Relation::kFpclassify:
      return std::fpclassify(a) == static_cast<int>(b);
    case Relation::kIlogb:
      return std::ilogb(a) == static_cast<int>(b);
  }
  return false;
}

// Returns whether every comparison and question comes out as recorded. value(slot) returns the
// value in a slot (a value of the recorded program is known by its number, its slot).
template <class Value>
bool BranchesAsRecorded(const std::vector<replay::Branch>& branches, Value value) {
  return std::all_of(branches.begin(), branches.end(), [&](const replay::Branch& branch) {
    return Holds(branch.relation, value(branch.a), value(branch.b)) == branch.outcome;
  });
}

// Returns the number of Packs (arrays of kPoints doubles) that hold this many doubles.
std::size_t PacksOf(std::size_t doubles) { return (doubles + kPoints - 1) / kPoints; }

template <class T>
std::size_t BytesOf(const std::vector<T>& vector) {
  return vector.size() * sizeof(T);
}

}  // namespace

std::vector<std::size_t> Program::Gradients(std::span<const double> x, std::span<double> values,
                                            std::span<double> gradients) {
  std::vector<std::size_t> diverged;
  const auto point = [&](auto span, std::size_t first, std::size_t count) {
    return span.subspan(first * inputs_, count * inputs_);
  };
  for (std::size_t first = 0; first < values.size();) {
    const std::size_t count = std::min<std::size_t>(kPoints, values.size() - first);
    bool kept[kPoints];
    if (count == kPoints || !SchedulePays(count)) {
      ReplayPoints(point(x, first, count), values.subspan(first, count),
                   point(gradients, first, count), kept);
    } else {
      for (std::size_t p = 0; p < count; ++p) {
        kept[p] =
            ReplayPoint(point(x, first + p, 1), values[first + p], point(gradients, first + p, 1));
      }
    }
    for (std::size_t p = 0; p < count; ++p) {
      if (kept[p]) continue;
      diverged.push_back(first + p);
      values[first + p] = kNan;
      std::ranges::fill(point(gradients, first + p, 1), kNan);
    }
    first += count;
  }
  return diverged;
}

// Returns whether replaying `count` points one by one takes no more steps than replaying them
// together, and is possible (there are not too many statements for the slots of a Place). A single
// point is replayed by a schedule (schedule.h), which computes several statements in one step;
// several points together are replayed statement by statement.
bool Program::SchedulePays(std::size_t count) {
  if (statements_ >= replay::Place::kLimit / kPoints) return false;
  if (!schedule_) {
    schedule_ = MakeSchedule(listing_, inputs_, output_, width_);
    const std::size_t packs = PacksOf(schedule_->slots + kPoints);
    point_ = {std::vector<Pack>(packs), std::vector<Pack>(packs),
              std::vector<Pack>(PacksOf(schedule_->saved))};
    for (const auto& [slot, constant] : schedule_->constants)
      point_.value.data()->lane[slot] = constant;
  }
  return count * schedule_->steps <= statements_;
}

bool Program::ReplayPoint(std::span<const double> x, double& value, std::span<double> gradient) {
  const replay::Schedule& schedule = *schedule_;
  double* const values = point_.value.data()->lane;
  double* const adjoints = point_.adjoint.data()->lane;
  std::ranges::copy(x, values + 1);
  std::ranges::fill(point_.adjoint, Pack{});
  // Only functions (sin, exp, ...) save values for the backward walk. Without any, `saved` is
  // empty.
  double* const saved = point_.saved.empty() ? nullptr : point_.saved.data()->lane;
  const replay::StatementMachine machine{values, adjoints, saved, schedule.operand.data(),
                                         schedule.list.data()};
  const int variant = Kernel::Variant(width_);
  const auto way = [&](const replay::Schedule::Part& part) {
    return part.alone ? part.run.kernel->alone : part.run.kernel->chunks[variant];
  };
  for (const auto& part : schedule.parts) way(part).forward(machine, part.run);
  adjoints[schedule.output] = 1;
  for (auto part = schedule.parts.rbegin(); part != schedule.parts.rend(); ++part)
    way(*part).backward(machine, part->run);
  value = values[schedule.output];
  std::copy_n(adjoints + 1, inputs_, gradient.begin());
  return BranchesAsRecorded(schedule.branches, [&](std::uint32_t slot) { return values[slot]; });
}

// All adjoints in points_ are 0 before and after this function, except those of constants, which
// are never read.
void Program::ReplayPoints(std::span<const double> x, std::span<double> values,
                           std::span<double> gradients, std::span<bool> kept) {
  auto& [value, adjoint, saved] = points_;
  if (value.empty()) {
    value.resize(listing_.slots), adjoint.resize(listing_.slots), saved.resize(listing_.saved);
    for (const auto& [slot, constant] : listing_.constants)
      std::ranges::fill(value[slot].lane, constant);
  }
  LoadInputs(x, values.size());
  const replay::PointMachine machine{value.data(), adjoint.data(), saved.data(),
                                     listing_.operand.data()};
  const int variant = Kernel::Variant(width_);
  for (const replay::Run& run : listing_.runs) run.kernel->points[variant].forward(machine, run);
  std::ranges::fill(adjoint[output_].lane, 1.0);
  for (auto run = listing_.runs.rbegin(); run != listing_.runs.rend(); ++run)
    run->kernel->points[variant].backward(machine, *run);
  for (std::size_t p = 0; p < values.size(); ++p) {
    values[p] = value[output_].lane[p];
    kept[p] = BranchesAsRecorded(
        listing_.branches, [&, &value = value](std::uint32_t slot) { return value[slot].lane[p]; });
  }
  UnloadGradients(gradients, values.size());
}

// Copies the inputs of `points` points to the memory of eight points. The inputs have slots 1, 2,
// ...; lanes without a point repeat the first point.
void Program::LoadInputs(std::span<const double> x, std::size_t points) {
  for (std::size_t i = 0; i < inputs_; ++i) {
    for (std::size_t lane = 0; lane < kPoints; ++lane)
      points_.value[1 + i].lane[lane] = x[(lane < points ? lane : 0) * inputs_ + i];
  }
}

// Copies the inputs' adjoints to `gradients` and resets them to 0. Works on a block of inputs at a
// time, so that the block stays in the cache for all lanes.
void Program::UnloadGradients(std::span<double> gradients, std::size_t points) {
  constexpr std::size_t kBlock = 128;
  Pack* const adjoint = points_.adjoint.data() + 1;
  for (std::size_t begin = 0; begin < inputs_; begin += kBlock) {
    const std::size_t end = std::min(inputs_, begin + kBlock);
    for (std::size_t lane = 0; lane < points; ++lane) {
      double* const gradient = gradients.data() + lane * inputs_;
      for (std::size_t i = begin; i < end; ++i) gradient[i] = adjoint[i].lane[lane];
    }
    std::fill(adjoint + begin, adjoint + end, Pack{});
  }
}

std::size_t Program::bytes() const {
  std::size_t bytes = BytesOf(listing_.runs) + BytesOf(listing_.operand);
  for (const Memory* memory : {&points_, &point_})
    bytes += BytesOf(memory->value) + BytesOf(memory->adjoint) + BytesOf(memory->saved);
  if (schedule_) {
    bytes += BytesOf(schedule_->parts) + BytesOf(schedule_->operand) + BytesOf(schedule_->list);
  }
  return bytes;
}

}  // namespace cotangent::autodiff::reverse
