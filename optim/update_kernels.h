#ifndef COTANGENT_OPTIM_UPDATE_KERNELS_H_
#define COTANGENT_OPTIM_UPDATE_KERNELS_H_

#include <cstdint>
#include <limits>

namespace cotangent::optim {

// What the update rules multiply with at one step. Each rule reads what its formula names.
struct UpdateCoefficients {
  float learning_rate = 0;
  float gradient_scale = 1;  // g is first multiplied by this (clipping by norm),
  float gradient_bound =
      std::numeric_limits<float>::infinity();  // then clamped to [-gradient_bound, gradient_bound]
  float decay = 0;                             // then decay w is added
  float shrink = 1;                            // w is multiplied by this before its update
  float momentum = 0;                          // v = momentum v + gradient_share g
  float gradient_share = 1;
  float direction_gradient = 0;  // w -= learning_rate (direction_gradient g + direction_momentum v)
  float direction_momentum = 1;
  float first_share = 0;  // m += first_share (g - m)
  float second_keep = 0;  // s = second_keep s + second_share g^2
  float second_share = 0;
  float root_scale = 1;  // the denominator is sqrt(s) root_scale + epsilon
  float epsilon = 0;
};

// `size` parameters, their gradients, and the pieces of state that belong to them.
struct UpdateRange {
  float* parameters;
  const float* gradients;
  float* state[3];
  int64_t size;
};

// What one look at a stretch of gradients tells.
struct GradientSummary {
  double sum_of_squares;
  bool finite;
};

// The inner loops, each a single pass over its operands, compiled for one instruction set. Every
// one works entry by entry and rounds after every operation, so that neither the instruction set
// nor how a buffer is cut into ranges changes a bit of the result; only sum_of_squares depends on
// them.
struct UpdateKernels {
  using Update = void (*)(const UpdateRange&, const UpdateCoefficients&);

  Update sgd;           // no state
  Update sgd_momentum;  // state: v
  Update adam;          // state: m, s
  Update adam_max;      // state: m, s, largest s
  // [centered][with momentum]; state: s, then the mean gradient if centered, then v if with
  // momentum
  Update rmsprop[2][2];
  Update adagrad;  // state: s
  // v as sgd_momentum; the direction is written to state[1] instead of being applied
  Update momentum_direction;

  // average = keep average + (1 - keep) values
  void (*blend)(float* average, const float* values, int64_t size, float keep);
  GradientSummary (*summarise)(const float* gradients, int64_t size);
  bool (*all_finite)(const float* values, int64_t size);
};

// The kernels for the widest instruction set this processor has: AVX-512, AVX2 with FMA, or the
// baseline.
const UpdateKernels& KernelsForThisProcessor();

// Those of each instruction set that runs here, widest first: what tests and benchmarks go through.
struct NamedKernels {
  const char* name;
  const UpdateKernels* kernels;
};
int AvailableKernels(NamedKernels (&available)[3]);

}  // namespace cotangent::optim

#endif  // COTANGENT_OPTIM_UPDATE_KERNELS_H_
