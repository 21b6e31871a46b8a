// Avoids copies in concatenation and slicing: decides which tensors are stored as part of a wider
// tensor.
#ifndef COTANGENT_LAYERS_PLAN_VIEWS_H_
#define COTANGENT_LAYERS_PLAN_VIEWS_H_

#include <map>
#include <vector>

#include "layers/graph/graph.h"
#include "layers/graph/operation.h"
#include "layers/plan/buffer.h"
#include "layers/plan/fusion.h"

namespace cotangent::layers {

// Says what is known about stored tensors before they are placed in memory. All vectors are indexed
// by tensor id.
struct Residence {
  std::vector<std::vector<Format>> formats;
  std::vector<int> last_use;  // number, from 0, of the last item of the schedule that uses it
  // True for tensors that cannot be part of another: results, values of state updates, and leaves
  // that are given values from outside.
  std::vector<bool> is_fixed;
};

// Finds the tensors ("parts") that can be stored inside a wider tensor; returns for each part the
// wider tensor and the first channel there. Parts are images of several pixels in NHWC. Only fused
// passes (loops over memory that compute several operations, fusion.h) and operations that move
// whole channels may write and read a part, because only these accept buffers whose pixels are
// farther apart than the part has channels. The wider tensor may itself be part of another.
std::map<TensorId, ChannelView> FindViews(const Graph& graph, const Schedule& schedule,
                                          const Residence& residence, ElementType precision);

// The outermost tensor that contains a tensor t, and the number (from 0) of its channel with which
// t begins. It is t itself, from channel 0, if t is not part of another tensor.
struct ViewRoot {
  TensorId tensor;
  int64_t channel;
};
ViewRoot RootOf(const std::map<TensorId, ChannelView>& views, TensorId t);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_VIEWS_H_
