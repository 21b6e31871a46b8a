// What an operation sees while a fused pass over memory is lowered to a program (pass.h).
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

  // A tensor's element: loaded, or computed by the operation that makes it. `cell` of its window
  // where the tensor lies before pooling and the pass runs over what lies after it; -1 else.
  virtual absl::StatusOr<autodiff::codegen::Value> ValueOf(TensorId t, int cell) = 0;
  // The one value an image and channel of a tensor in memory.
  virtual autodiff::codegen::Value LoadSpread(TensorId t) = 0;
  // Whether t lies before the pooling of this pass, and the cells of a window.
  virtual bool IsFine(TensorId t) const = 0;
  virtual int cells() const = 0;
  // Whether this runs over the elements that no window covers.
  virtual bool is_remainder() const = 0;

  autodiff::codegen::VectorProgram program;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PASS_CONTEXT_H_
