#include "optim/optimizer.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/round_up.h"
#include "base/status_macros.h"
#include "optim/buffer_loops.h"
#include "optim/checked_groups.h"
#include "optim/rules/rule.h"
#include "optim/schedule.h"

namespace cotangent::optim {
namespace {

// In the buffer of the state, each kind of state of a Run (below) starts at a cache line, which
// holds kLine floats.
constexpr int64_t kLine = kAlignment / sizeof(float);

// Neighbouring parameters of one group, which one loop can update. For each kind of state (such as
// the momentum), the state of these parameters is contiguous, too. A parameter under a matrix rule
// (a rule that updates whole matrices, such as Muon) is a run of its own.
struct Run {
  int group;
  int64_t begin, size;  // in the flat parameter buffer, in floats
  // In State(), in floats: where the run's state begins, and the distance between its kinds of
  // state.
  int64_t state, state_pitch;
  int64_t rows, columns;  // used only under a matrix rule
};

// A part of run number `run` (an index into runs_, from 0) with at most kUpdateChunk parameters: a
// range of the flat parameter buffer, in floats.
struct Chunk {
  int run;
  int64_t begin, size;
};

class FlatOptimizer final : public Optimizer {
 public:
  FlatOptimizer(const OptimizerConfig& config, absl::Span<const ParameterSlice> slices,
                const RunLength& run, std::vector<ParameterGroup> groups, std::vector<int> group_of)
      : config_(config),
        run_(run),
        slices_(slices.begin(), slices.end()),
        groups_(std::move(groups)),
        group_of_(std::move(group_of)),
        loops_(BufferLoopsFor()) {}

  // Plans how updates are divided and how the state is laid out. Returns an error if there is no
  // memory for the state.
  absl::Status Plan();

  void Initialise(const float* parameters) override;
  bool Step(float* parameters, const float* gradients, int64_t step) override;
  MatrixWork WorkOnMatrices() const override;
  void ShareOut(const OptimizerRanks& ranks) override;
  void GatherState() override;
  std::optional<std::string> FindNonFinite(const float* gradients) const override;
  std::optional<double> GradientNorm() const override { return gradient_norm_; }
  const float* EvaluationParameters(const float* parameters) override;
  absl::Span<float> State() override { return {state_, static_cast<size_t>(state_size_)}; }
  absl::Span<const StateSlice> StateSlices() const override { return state_slices_; }
  int GroupCount() const override { return static_cast<int>(groups_.size()); }
  const std::string& GroupName(int group) const override { return groups_[group].name; }
  int GroupOf(int64_t parameter) const override { return group_of_[parameter]; }
  double LearningRate(int64_t step, int group) const override;
  int64_t FreezeStep(int64_t parameter) const override;

 private:
  bool Frozen(const Run& run, int64_t step) const { return step >= groups_[run.group].freeze_step; }
  void PlanRuns();
  void PlanState();
  double MultiplyAdds(int run) const {
    return groups_[runs_[run].group].rule->AsMatrixRule()->Multiplications(runs_[run].rows,
                                                                           runs_[run].columns);
  }
  void PlanMatrices();
  // Checks the gradients of all parameters that are updated at `step`, and computes their norm if
  // it is needed; returns false if a gradient is infinite or NaN.
  bool Inspect(const float* gradients, int64_t step);
  void BeginStep(int64_t step);
  // Updates the matrix of run matrices_[m] with the scratch memory of thread number `worker`, from
  // 0.
  void UpdateMatrix(int64_t m, float* parameters, const float* gradients, int worker);
  // Lookahead and moving averages for the parameters of a chunk, after their update. If the slow
  // weights (of Lookahead: a second copy of the parameters, which follows them every few steps) are
  // due and the chunk is not frozen, moves them towards the parameters by slow_keep_ (1: not at
  // all) and then sets the parameters to them. If the moving averages are due, moves them towards
  // the parameters.
  void Follow(const Chunk& chunk, float* parameters, int64_t step);
  UpdateRange Range(const Run& run, int64_t begin, int64_t size, float* parameters,
                    const float* gradients) const;

  const OptimizerConfig config_;
  const RunLength run_;
  const std::vector<ParameterSlice> slices_;
  const std::vector<ParameterGroup> groups_;
  const std::vector<int> group_of_;  // for each slice (parameter): an index into groups_

  std::vector<Run> runs_;
  std::vector<Chunk> chunks_;         // of runs whose rule updates entry by entry
  std::vector<Chunk> matrix_chunks_;  // of runs under matrix rules
  std::vector<int> matrices_;         // of this rank: runs under matrix rules, most work first
  // After ShareOut(): pairs of a run under a matrix rule (an index into runs_) and the rank that
  // updates it.
  std::vector<std::pair<int, int>> owners_;
  OptimizerRanks ranks_;
  // Updating any of the first shared_matrices_ entries of matrices_ is more work than one thread's
  // equal part of the updates of all matrices_; all threads work together on one of these matrices
  // at a time. Each of the other matrices is updated by one thread.
  int64_t shared_matrices_ = 0;
  int64_t parameter_size_ = 0;  // of the flat parameter buffer, in floats

  AlignedBuffer state_memory_;
  float* state_ = nullptr;
  int64_t state_size_ = 0;  // in floats
  // Offsets in the state of the slow weights (of Lookahead) and of the moving averages, both laid
  // out like the parameters; -1 if there are none.
  int64_t slow_ = -1, average_ = -1;
  std::vector<StateSlice> state_slices_;

  // Working memory of Step(), allocated in Plan().
  std::vector<double> partial_sums_;
  // Working memory of matrix rules, indexed [worker][group], where a worker is a thread; null for a
  // group of which the worker updates no matrix. If all threads work on one matrix, they use the
  // memory of worker 0.
  std::vector<std::vector<std::unique_ptr<MatrixScratch>>> matrix_scratch_;
  const BufferLoops loops_;
  float slow_keep_ = 1, average_keep_ = 1;
  bool slow_due_ = false, average_due_ = false;
  std::optional<double> gradient_norm_;
};

absl::Status FlatOptimizer::Plan() {
  for (const ParameterSlice& slice : slices_) {
    parameter_size_ = std::max(parameter_size_, slice.offset + slice.size);
  }
  PlanRuns();
  PlanState();
  ASSIGN_OR_RETURN(state_memory_,
                   AlignedBuffer::Create(state_size_ * static_cast<int64_t>(sizeof(float)),
                                         "the optimizer's state"));
  state_ = state_memory_.as<float>();
  PlanMatrices();
  return absl::OkStatus();
}

void FlatOptimizer::PlanRuns() {
  std::vector<int> order(slices_.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
  std::sort(order.begin(), order.end(),
            [&](int a, int b) { return slices_[a].offset < slices_[b].offset; });
  for (int i : order) {
    const ParameterSlice& slice = slices_[i];
    if (FreezeStep(i) == 0) continue;
    const bool matrix = groups_[group_of_[i]].rule->AsMatrixRule() != nullptr;
    if (!runs_.empty() && !matrix && runs_.back().group == group_of_[i] &&
        runs_.back().begin + runs_.back().size == slice.offset) {
      runs_.back().size += slice.size;
      continue;
    }
    const int64_t rows = slice.shape.empty() ? 1 : slice.shape[0];
    if (matrix) matrices_.push_back(static_cast<int>(runs_.size()));
    runs_.push_back({group_of_[i], slice.offset, slice.size, 0, 0, rows, slice.size / rows});
  }
  for (size_t r = 0; r < runs_.size(); ++r) {
    const Run& run = runs_[r];
    auto& chunks = groups_[run.group].rule->AsMatrixRule() != nullptr ? matrix_chunks_ : chunks_;
    for (int64_t begin = 0; begin < run.size; begin += kUpdateChunk) {
      chunks.push_back(
          {static_cast<int>(r), run.begin + begin, std::min(kUpdateChunk, run.size - begin)});
    }
  }
  partial_sums_.resize(chunks_.size() + matrix_chunks_.size());
}

void FlatOptimizer::PlanState() {
  for (Run& run : runs_) {
    const auto& names = groups_[run.group].rule->state_names;
    run.state = state_size_;
    run.state_pitch = RoundUp(run.size, kLine);
    for (const std::string& name : names) {
      for (size_t i = 0; i < slices_.size(); ++i) {
        const ParameterSlice& slice = slices_[i];
        if (slice.offset < run.begin || slice.offset >= run.begin + run.size) continue;
        state_slices_.push_back({absl::StrCat(slice.name, "/", name), static_cast<int64_t>(i),
                                 state_size_ + slice.offset - run.begin, slice.size});
      }
      state_size_ += run.state_pitch;
    }
  }
  auto add_copy = [&](absl::string_view name) {
    const int64_t start = state_size_;
    for (size_t i = 0; i < slices_.size(); ++i) {
      if (FreezeStep(static_cast<int64_t>(i)) == 0) continue;
      state_slices_.push_back({absl::StrCat(slices_[i].name, "/", name), static_cast<int64_t>(i),
                               start + slices_[i].offset, slices_[i].size});
    }
    state_size_ += RoundUp(parameter_size_, kLine);
    return start;
  };
  if (config_.has_lookahead()) slow_ = add_copy("slow");
  if (config_.has_ema()) average_ = add_copy("ema");
  std::sort(state_slices_.begin(), state_slices_.end(),
            [](const StateSlice& a, const StateSlice& b) { return a.offset < b.offset; });
}

// A matrix is updated by one thread, unless that would take longer than the thread's equal part of
// all updates. If several threads work on one matrix, they wait for each other after each of many
// small products, which takes longer than computing.
void FlatOptimizer::PlanMatrices() {
  if (matrices_.empty()) return;
  std::sort(matrices_.begin(), matrices_.end(), [this](int a, int b) {
    return std::pair(-MultiplyAdds(a), a) < std::pair(-MultiplyAdds(b), b);
  });
  double total = 0;
  for (int r : matrices_) total += MultiplyAdds(r);
  const int threads = Threads();
  const int64_t count = static_cast<int64_t>(matrices_.size());
  shared_matrices_ = 0;
  while (shared_matrices_ < count && MultiplyAdds(matrices_[shared_matrices_]) * threads > total) {
    ++shared_matrices_;
  }

  matrix_scratch_.clear();
  matrix_scratch_.resize(shared_matrices_ == count ? 1 : threads);
  for (size_t worker = 0; worker < matrix_scratch_.size(); ++worker) {
    std::vector<int64_t> side(groups_.size(), 0), size(groups_.size(), 0);
    for (int64_t m = worker == 0 ? 0 : shared_matrices_; m < count; ++m) {
      const Run& run = runs_[matrices_[m]];
      side[run.group] = std::max(side[run.group], std::min(run.rows, run.columns));
      size[run.group] = std::max(size[run.group], run.size);
    }
    for (size_t g = 0; g < groups_.size(); ++g) {
      const MatrixRule* rule = size[g] > 0 ? groups_[g].rule->AsMatrixRule() : nullptr;
      matrix_scratch_[worker].push_back(rule == nullptr ? nullptr
                                                        : rule->MakeScratch(side[g], size[g]));
    }
  }
}

Optimizer::MatrixWork FlatOptimizer::WorkOnMatrices() const {
  MatrixWork work;
  for (size_t r = 0; r < runs_.size(); ++r) {
    if (groups_[runs_[r].group].rule->AsMatrixRule() == nullptr) continue;
    work.multiply_adds += MultiplyAdds(static_cast<int>(r));
    work.bytes += runs_[r].size * static_cast<int64_t>(sizeof(float));
  }
  return work;
}

// Gives each matrix to the rank that has the least work so far. The matrices with most work come
// first.
void FlatOptimizer::ShareOut(const OptimizerRanks& ranks) {
  if (matrices_.empty()) return;
  ranks_ = ranks;
  std::vector<double> work(ranks_.ranks, 0);
  const std::vector<int> all = std::exchange(matrices_, {});
  for (int run : all) {
    const int owner = static_cast<int>(std::min_element(work.begin(), work.end()) - work.begin());
    work[owner] += MultiplyAdds(run);
    owners_.emplace_back(run, owner);
    if (owner == ranks_.rank) matrices_.push_back(run);
  }
  PlanMatrices();
}

void FlatOptimizer::GatherState() {
  for (const auto& [r, owner] : owners_) {
    const Run& run = runs_[r];
    const size_t pieces = groups_[run.group].rule->state_names.size();
    for (size_t i = 0; i < pieces; ++i) {
      float* const piece = state_ + run.state + static_cast<int64_t>(i) * run.state_pitch;
      ranks_.begin_broadcast({piece, static_cast<size_t>(run.size)}, owner);
    }
  }
  if (!owners_.empty()) ranks_.finish_broadcasts();
}

void FlatOptimizer::Initialise(const float* parameters) {
  std::fill_n(state_, state_size_, 0.0f);
  for (const Run& run : runs_) {
    const UpdateRule& rule = *groups_[run.group].rule;
    std::fill_n(state_ + run.state, run.state_pitch * static_cast<int64_t>(rule.state_names.size()),
                static_cast<float>(rule.initial_state));
  }
  if (slow_ >= 0) std::copy_n(parameters, parameter_size_, state_ + slow_);
  if (average_ >= 0) std::copy_n(parameters, parameter_size_, state_ + average_);
}

double FlatOptimizer::LearningRate(int64_t step, int group) const {
  const ParameterGroup& g = groups_[group];
  if (step >= g.freeze_step) return 0;
  return g.rule->learning_rate * g.multiplier * g.schedule.Multiplier(step);
}

int64_t FlatOptimizer::FreezeStep(int64_t parameter) const {
  return slices_[parameter].trainable ? groups_[group_of_[parameter]].freeze_step : 0;
}

bool FlatOptimizer::Inspect(const float* gradients, int64_t step) {
  const int64_t elementwise = static_cast<int64_t>(chunks_.size());
  const int64_t count = static_cast<int64_t>(partial_sums_.size());
  const bool want_norm = config_.has_clip_norm();
  std::atomic<bool> finite = true;
  ParallelFor(count, [&](int64_t i) {
    const Chunk& chunk = i < elementwise ? chunks_[i] : matrix_chunks_[i - elementwise];
    partial_sums_[i] = 0;
    if (Frozen(runs_[chunk.run], step)) return;
    bool chunk_finite;
    if (want_norm) {
      const GradientSummary summary = loops_.summarise(gradients + chunk.begin, chunk.size);
      partial_sums_[i] = summary.sum_of_squares;
      chunk_finite = summary.finite;
    } else {
      chunk_finite = loops_.all_finite(gradients + chunk.begin, chunk.size);
    }
    if (!chunk_finite) finite.store(false, std::memory_order_relaxed);
  });
  if (want_norm) {
    double sum = 0;  // adds in the order of the chunks: the same bits in every run
    for (double partial : partial_sums_) sum += partial;
    gradient_norm_ = std::sqrt(sum);
  }
  return finite;
}

void FlatOptimizer::BeginStep(int64_t step) {
  Clipping clipping;
  if (config_.has_clip_norm()) {
    clipping.scale =
        static_cast<float>(std::min(1.0, config_.clip_norm() / (*gradient_norm_ + 1e-6)));
  }
  if (config_.has_clip_value()) clipping.bound = static_cast<float>(config_.clip_value());
  for (size_t g = 0; g < groups_.size(); ++g) {
    groups_[g].rule->BeginStep(
        {step + run_.updates_ahead, LearningRate(step, static_cast<int>(g)), clipping});
  }

  const int64_t done = step + 1;
  const bool last = done >= run_.total_steps;
  if (slow_ >= 0) {
    const Lookahead& lookahead = config_.lookahead();
    const bool regular = done % lookahead.every() == 0;
    const double gone =
        std::min(1.0, static_cast<double>(done) / static_cast<double>(run_.total_steps));
    slow_due_ = regular || (last && lookahead.adopt_at_end());
    slow_keep_ =
        regular ? static_cast<float>(lookahead.decay() * std::pow(gone, lookahead.decay_power()))
                : 1.0f;
  }
  if (average_ >= 0) {
    const MovingAverage& ema = config_.ema();
    average_due_ = done % ema.every() == 0;
    const double count = static_cast<double>(done / ema.every());
    average_keep_ = static_cast<float>(
        ema.warm_up() ? std::min(ema.decay(), (1 + count) / (10 + count)) : ema.decay());
  }
}

UpdateRange FlatOptimizer::Range(const Run& run, int64_t begin, int64_t size, float* parameters,
                                 const float* gradients) const {
  float* const state = state_ + run.state + (begin - run.begin);
  return {parameters + begin,
          gradients + begin,
          {state, state + run.state_pitch, state + 2 * run.state_pitch},
          size};
}

bool FlatOptimizer::Step(float* parameters, const float* gradients, int64_t step) {
  if (!Inspect(gradients, step)) return false;
  BeginStep(step);
  const int64_t count = static_cast<int64_t>(chunks_.size());
  ParallelFor(count, [&](int64_t i) {
    const Chunk& chunk = chunks_[i];
    const Run& run = runs_[chunk.run];
    if (!Frozen(run, step)) {
      groups_[run.group].rule->Update(Range(run, chunk.begin, chunk.size, parameters, gradients));
    }
    Follow(chunk, parameters, step);
  });
  for (int64_t m = 0; m < shared_matrices_; ++m) {
    if (!Frozen(runs_[matrices_[m]], step)) UpdateMatrix(m, parameters, gradients, 0);
  }
  ParallelFor(static_cast<int64_t>(matrices_.size()) - shared_matrices_,
              [&](int64_t share, int thread) {
                const int64_t m = shared_matrices_ + share;
                if (!Frozen(runs_[matrices_[m]], step))
                  UpdateMatrix(m, parameters, gradients, thread);
              });
  for (const auto& [r, owner] : owners_) {
    const Run& run = runs_[r];
    if (Frozen(run, step)) continue;
    ranks_.begin_broadcast({parameters + run.begin, static_cast<size_t>(run.size)}, owner);
  }
  if (!owners_.empty()) ranks_.finish_broadcasts();
  const int64_t matrix_count = static_cast<int64_t>(matrix_chunks_.size());
  if (slow_due_ || average_due_) {
    ParallelFor(matrix_count, [&](int64_t i) { Follow(matrix_chunks_[i], parameters, step); });
  }
  return true;
}

void FlatOptimizer::Follow(const Chunk& chunk, float* parameters, int64_t step) {
  float* const w = parameters + chunk.begin;
  if (slow_due_ && !Frozen(runs_[chunk.run], step)) {
    float* const slow = state_ + slow_ + chunk.begin;
    loops_.blend(slow, w, chunk.size, slow_keep_);
    std::copy_n(slow, chunk.size, w);
  }
  if (average_due_) {
    loops_.blend(state_ + average_ + chunk.begin, w, chunk.size, average_keep_);
  }
}

void FlatOptimizer::UpdateMatrix(int64_t m, float* parameters, const float* gradients, int worker) {
  const Run& run = runs_[matrices_[m]];
  groups_[run.group].rule->AsMatrixRule()->UpdateMatrix(
      Range(run, run.begin, run.size, parameters, gradients), run.rows, run.columns,
      *matrix_scratch_[worker][run.group]);
}

std::optional<std::string> FlatOptimizer::FindNonFinite(const float* gradients) const {
  for (size_t i = 0; i < slices_.size(); ++i) {
    if (FreezeStep(static_cast<int64_t>(i)) == 0) continue;
    if (!loops_.all_finite(gradients + slices_[i].offset, slices_[i].size)) {
      return slices_[i].name;
    }
  }
  return std::nullopt;
}

const float* FlatOptimizer::EvaluationParameters(const float* parameters) {
  if (average_ < 0) return parameters;
  float* const average = state_ + average_;
  for (size_t i = 0; i < slices_.size(); ++i) {
    if (FreezeStep(static_cast<int64_t>(i)) > 0) continue;
    std::copy_n(parameters + slices_[i].offset, slices_[i].size, average + slices_[i].offset);
  }
  return average;
}

}  // namespace

absl::Status Optimizer::Check(const OptimizerConfig& config,
                              absl::Span<const ParameterSlice> slices, const RunLength& run) {
  return MakeGroups(config, slices, run, /*bf16=*/false).status();
}

absl::StatusOr<std::unique_ptr<Optimizer>> Optimizer::Create(
    const OptimizerConfig& config, absl::Span<const ParameterSlice> slices, const RunLength& run,
    bool bf16) {
  ASSIGN_OR_RETURN(CheckedGroups made, MakeGroups(config, slices, run, bf16));
  auto optimizer = std::make_unique<FlatOptimizer>(config, slices, run, std::move(made.groups),
                                                   std::move(made.group_of));
  RETURN_IF_ERROR(optimizer->Plan());
  return std::unique_ptr<Optimizer>(std::move(optimizer));
}

}  // namespace cotangent::optim
