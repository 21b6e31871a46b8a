// Compiles a fused pass to machine code and runs it in parallel. A fused pass (fusion.h) is a loop
// over memory that computes several operations element by element. Its operations become one
// VectorProgram (autodiff/codegen), which is compiled for the layouts and types of the tensors that
// it reads and writes.
#ifndef COTANGENT_LAYERS_PLAN_PASS_H_
#define COTANGENT_LAYERS_PLAN_PASS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "layers/graph/graph.h"
#include "layers/plan/buffer.h"
#include "layers/plan/fusion.h"

namespace cotangent::layers {

class PassKernel {
 public:
  // Returns the format in which the pass reads a stored tensor. Formats are known before addresses,
  // so a pass is compiled first and gets the addresses later by Bind().
  using FormatOf = std::function<Format(TensorId)>;
  // Returns all formats in which the pass must write a stored tensor; there may be several, because
  // different readers need different formats.
  using StoreFormatsOf = std::function<std::vector<Format>(TensorId)>;

  static absl::StatusOr<std::unique_ptr<PassKernel>> Compile(const Graph& graph, const Pass& pass,
                                                             const Schedule& schedule,
                                                             const FormatOf& format_of,
                                                             const StoreFormatsOf& store_formats_of,
                                                             int threads);
  virtual ~PassKernel() = default;

  // Sets the addresses of all tensors. Call Bind() before the first Run(), and again when a tensor
  // moves. buffer_of(t, k) returns the stored version number k (from 0) of t, where a version is a
  // copy in one format.
  virtual void Bind(const std::function<Buffer(TensorId, int)>& buffer_of) = 0;
  virtual void Run() = 0;

  // Returns a description of the compiled kernel.
  virtual std::string Describe() const = 0;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PASS_H_
