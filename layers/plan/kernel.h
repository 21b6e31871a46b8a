// What an operation that runs alone is given when a plan is made: where its tensors will lie.
//
// Images are in NHWC, f32 or bf16; features [N, K] likewise; all else is plain f32 (see
// Operation::StorageOf).
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
  // Memory while the operation runs, not kept between two runs; known once the plan is made.
  virtual std::function<char*()> Temporary(int64_t bytes) = 0;

  const Graph& graph;
  const Node& node;
  const int index;              // of the node in its graph
  const ElementType precision;  // of activations
  const uint64_t seed;          // of the plan
  const PlanRanks& ranks;       // of the plan
  const std::function<Buffer(TensorId)>
      buffer;  // of an input or output; known once the plan is made

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

// What runs: `step` counts the steps of training.
using Kernel = std::function<void(int64_t step)>;

// ---- For loops over buffers

// Calls body(T*) with a null pointer of the buffer's element type, which only carries the type.
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
