// A fused pass (fusion.h) as machine code: its operations lowered to one VectorProgram, compiled
// for the layouts and types of the tensors it reads and writes, and run over them in parallel.
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
  // How a tensor in memory is stored, known before where.
  using FormatOf = std::function<Format(TensorId)>;
  // All the formats in which a tensor that the pass stores is wanted (a tensor may be kept in two).
  using StoreFormatsOf = std::function<std::vector<Format>(TensorId)>;

  static absl::StatusOr<std::unique_ptr<PassKernel>> Compile(const Graph& graph, const Pass& pass,
                                                             const Schedule& schedule,
                                                             const FormatOf& format_of,
                                                             const StoreFormatsOf& store_formats_of,
                                                             int threads);
  virtual ~PassKernel() = default;

  // Tells where tensors lie; to be called before the first Run and again whenever one moves.
  // buffer_of(t, k) is the k-th stored version of t.
  virtual void Bind(const std::function<Buffer(TensorId, int)>& buffer_of) = 0;
  virtual void Run() = 0;

  // Bytes read and written by a run, and what the kernel is.
  virtual int64_t bytes_moved() const = 0;
  virtual std::string Describe() const = 0;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PASS_H_
