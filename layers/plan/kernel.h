// Declares what an operation is told when its graph is compiled into a plan (plan.h), if the
// operation runs alone, by its own kernel, rather than in a fused pass (fusion.h); and helpers for
// such kernels.
//
// Images are in NHWC, in f32 or bf16; all other tensors, features [N, K] and weights included, are
// row-major f32, except labels, positions and quantised tensors (Storage in layers/graph/graph.h).
#ifndef COTANGENT_LAYERS_PLAN_KERNEL_H_
#define COTANGENT_LAYERS_PLAN_KERNEL_H_

#include <cstdint>
#include <cstring>
#include <functional>

#include "base/element_type.h"
#include "layers/graph/graph.h"
#include "layers/plan/buffer.h"
#include "layers/plan/ranks.h"

namespace cotangent::layers {

class KernelContext {
 public:
  virtual ~KernelContext() = default;
  // Reserves `bytes` bytes of memory that the kernel may use while it runs; their contents are lost
  // between runs. The returned function gives the address, and may be called only while the plan
  // runs.
  virtual std::function<char*()> Temporary(int64_t bytes) = 0;

  const Graph& graph;
  const Node& node;
  const int index;              // of the node in its graph
  const ElementType precision;  // of activations
  const uint64_t seed;          // of the plan's dropout masks
  const PlanRanks& ranks;       // the processes that share each batch (ranks.h)
  const std::function<Buffer(TensorId)>
      buffer;  // of an input or output; call it only while the plan runs

 protected:
  KernelContext(const Graph& graph, const Node& node, int index, ElementType precision,
                uint64_t seed, const PlanRanks& ranks, std::function<Buffer(TensorId)> buffer)
      : graph(graph),
        node(node),
        index(index),
        precision(precision),
        seed(seed),
        ranks(ranks),
        buffer(std::move(buffer)) {}
};

// The function that runs an operation. `step` is the number of the training step.
using Kernel = std::function<void(int64_t step)>;

// ---- Helpers for kernels that loop over buffers ----

// Calls body(pointer) with a null pointer to the buffer's element type (Bf16 or float). The pointer
// only serves to pass the type.
template <typename Body>
void WithElementType(const Buffer& buffer, Body body) {
  if (buffer.format.type == ElementType::kBf16) {
    body(static_cast<Bf16*>(nullptr));
  } else {
    body(static_cast<float*>(nullptr));
  }
}

inline int64_t Height(const Buffer& b) { return b.shape.rank() == 4 ? b.shape[2] : 1; }
inline int64_t Width(const Buffer& b) { return b.shape.rank() == 4 ? b.shape[3] : 1; }
inline int64_t ElementsPerImage(const Buffer& b) { return b.shape.NumElements() / b.shape[0]; }
inline void SetToZero(const Buffer& x) { std::memset(x.data, 0, x.bytes()); }

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_KERNEL_H_
