// Concatenation without copies: tensors that are made and read where they lie in a wider one.
#ifndef COTANGENT_LAYERS_PLAN_VIEWS_H_
#define COTANGENT_LAYERS_PLAN_VIEWS_H_

#include <map>
#include <vector>

#include "layers/graph/graph.h"
#include "layers/graph/operation.h"
#include "layers/plan/buffer.h"
#include "layers/plan/fusion.h"

namespace cotangent::layers {

// What is known of tensors in memory before they are placed, by tensor.
struct Residence {
  std::vector<std::vector<Format>> formats;
  std::vector<int> last_use;   // the last item that reads it in the format of operations
  std::vector<bool> is_fixed;  // results, and what lies outside the arena
};

// By the part. The part is made and read by passes and by operations that move whole channels alone,
// which take it with a distance between its pixels; the whole may itself lie in another.
std::map<TensorId, ChannelView> FindViews(const Graph& graph, const Schedule& schedule,
                                          const Residence& residence, ElementType precision);

// The tensor that t lies in, in the end, and from which of its channels on.
struct ViewRoot {
  TensorId tensor;
  int64_t channel;
};
ViewRoot RootOf(const std::map<TensorId, ChannelView>& views, TensorId t);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_VIEWS_H_
