// The update rule Muon: each matrix of parameters moves against its momentum v (with Nesterov's
// correction, or without), made orthogonal (optim/orthogonalise.h). g is the gradient.
// optimizer.proto documents the settings.

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "optim/buffer_loops.h"
#include "optim/orthogonalise.h"
#include "optim/rules/rule.h"

namespace cotangent::optim {
namespace {

struct Coefficients {
  Clipping clipping;
  float momentum;            // v = momentum v + g
  float direction_gradient;  // direction = direction_gradient g + direction_momentum v
  float direction_momentum;
};

// Updates the momentum and writes the direction (the matrix to be orthogonalised) to state[1], here
// scratch memory.
struct DirectionLoop {
  static COTANGENT_INLINE void Run(const UpdateRange& r, const Coefficients& coefficients) {
    const Coefficients c = coefficients;
    const float* const g = r.gradients;
    float* const v = r.state[0];
    float* const direction = r.state[1];
#pragma omp simd
    for (int64_t i = 0; i < r.size; ++i) {
      const float gradient = Gradient(g[i], 0, c.clipping, 0);
      v[i] = c.momentum * v[i] + gradient;
      direction[i] = c.direction_gradient * gradient + c.direction_momentum * v[i];
    }
  }
};

struct MuonScratch final : public MatrixScratch {
  MuonScratch(int64_t side, int64_t size, bool bf16)
      : direction(size),
        partial_sums((size + kUpdateChunk - 1) / kUpdateChunk),
        orthogonaliser(side, size, bf16) {}

  std::vector<float> direction;
  std::vector<double> partial_sums;
  Orthogonaliser orthogonaliser;
};

class MuonRule final : public MatrixRule {
 public:
  using Settings = Muon;

  MuonRule(const Muon& muon, const RuleContext& context, SettingsChecker& check)
      : muon_(muon),
        bf16_(context.bf16),
        direction_loop_(LoopFor<DirectionLoop>(context.instructions)),
        summarise_(BufferLoopsFor(context.instructions).summarise) {
    check.Fraction(muon.momentum(), "momentum");
    check.Require(muon.newton_schulz_steps() >= 1 && muon.newton_schulz_steps() <= 20,
                  "newton_schulz_steps", muon.newton_schulz_steps(), "1 to 20");
    state_names = {"momentum"};
  }

  void BeginStep(const StepInput& input) override {
    const float momentum = static_cast<float>(muon_.momentum());
    coefficients_ = {
        .clipping = input.clipping,
        .momentum = momentum,
        .direction_gradient = muon_.nesterov() ? 1.0f : 0.0f,
        .direction_momentum = muon_.nesterov() ? momentum : 1.0f,
    };
    learning_rate_ = static_cast<float>(input.learning_rate);
    shrink_ = static_cast<float>(1 - input.learning_rate * weight_decay);
  }

  double Multiplications(int64_t rows, int64_t columns) const override {
    const double size = static_cast<double>(rows) * static_cast<double>(columns);
    const double side = static_cast<double>(std::min(rows, columns));
    return side * (2 * size + muon_.newton_schulz_steps() * 2 * side * side);
  }

  std::unique_ptr<MatrixScratch> MakeScratch(int64_t side, int64_t size) const override {
    return std::make_unique<MuonScratch>(side, size, bf16_);
  }

  void UpdateMatrix(const UpdateRange& matrix, int64_t rows, int64_t columns,
                    MatrixScratch& any_scratch) const override {
    auto& scratch = static_cast<MuonScratch&>(any_scratch);
    const int64_t count = (matrix.size + kUpdateChunk - 1) / kUpdateChunk;
    ParallelFor(count, [&](int64_t i) {
      const int64_t at = i * kUpdateChunk;
      direction_loop_({matrix.parameters + at,
                       matrix.gradients + at,
                       {matrix.state[0] + at, scratch.direction.data() + at, nullptr},
                       std::min(kUpdateChunk, matrix.size - at)},
                      coefficients_);
    });
    double keep = shrink_;
    if (muon_.renormalise_weights()) {
      const double norm = Norm(matrix.parameters, matrix.size, scratch.partial_sums);
      if (norm > 0) keep *= std::sqrt(static_cast<double>(rows)) / norm;
    }
    scratch.orthogonaliser.Update(scratch.direction.data(), rows, columns,
                                  muon_.newton_schulz_steps(),
                                  static_cast<float>(-learning_rate_ * Scale(rows, columns)),
                                  static_cast<float>(keep), matrix.parameters);
  }

 private:
  double Scale(int64_t row_count, int64_t column_count) const {
    const double rows = static_cast<double>(row_count), columns = static_cast<double>(column_count);
    switch (muon_.scale()) {
      case Muon::UNIT:
        return 1;
      case Muon::SHAPE:
        return std::sqrt(std::max(1.0, rows / columns));
      case Muon::RMS:
        return 0.2 * std::sqrt(std::max(rows, columns));
    }
    return 1;
  }

  // Returns the Frobenius norm of `size` values. The order in which their squares are added does
  // not depend on the number of threads.
  double Norm(const float* values, int64_t size, std::vector<double>& partial_sums) const {
    const int64_t count = (size + kUpdateChunk - 1) / kUpdateChunk;
    ParallelFor(count, [&](int64_t i) {
      const int64_t at = i * kUpdateChunk;
      partial_sums[i] = summarise_(values + at, std::min(kUpdateChunk, size - at)).sum_of_squares;
    });
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += partial_sums[i];
    return std::sqrt(sum);
  }

  const Muon muon_;
  const bool bf16_;
  const CompiledLoop<DirectionLoop>::Function direction_loop_;
  GradientSummary (*const summarise_)(const float*, int64_t);
  Coefficients coefficients_;
  float learning_rate_ = 0;
  float shrink_ = 1;
};

COTANGENT_UPDATE_RULE(MuonRule);

}  // namespace
}  // namespace cotangent::optim
