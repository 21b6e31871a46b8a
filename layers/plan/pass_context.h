// Declares what an operation's Emit() sees while a fused pass is translated into a vector program
// (VectorProgram of autodiff/codegen). A fused pass is a loop over memory that computes several
// operations element by element (fusion.h). A pass that contains a pooling loops over the pooled
// elements.
#ifndef COTANGENT_LAYERS_PLAN_PASS_CONTEXT_H_
#define COTANGENT_LAYERS_PLAN_PASS_CONTEXT_H_

#include "absl/status/statusor.h"
#include "autodiff/codegen/vector_program.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

class PassContext {
 public:
  explicit PassContext(autodiff::codegen::Accuracy accuracy) : program(accuracy) {}
  virtual ~PassContext() = default;

  // Returns the value of an element of t: loaded from memory, or computed by the operation that
  // produces t. If t has the resolution before the pass's pooling, `cell` is the row-major index,
  // from 0, of the element in its pooling window (0 if is_remainder()); otherwise `cell` is -1.
  virtual absl::StatusOr<autodiff::codegen::Value> ValueOf(TensorId t, int cell) = 0;
  // Loads the value of a stored tensor [N, C, 1, 1] at the current image and channel.
  virtual autodiff::codegen::Value LoadSpread(TensorId t) = 0;
  // IsFine() returns whether t has the resolution before the pass's pooling; cells() returns the
  // number of cells of a window (1 if is_remainder()).
  virtual bool IsFine(TensorId t) const = 0;
  virtual int cells() const = 0;
  // Returns whether this program is for the elements at the bottom and right that no pooling window
  // covers.
  virtual bool is_remainder() const = 0;

  autodiff::codegen::VectorProgram program;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PASS_CONTEXT_H_
