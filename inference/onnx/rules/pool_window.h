// What the rules of both kinds of pooling have in common.
#ifndef COTANGENT_INFERENCE_ONNX_RULES_POOL_WINDOW_H_
#define COTANGENT_INFERENCE_ONNX_RULES_POOL_WINDOW_H_

#include <vector>

#include "inference/onnx/onnx_graph.h"
#include "layers/graph/operation.h"

namespace cotangent::inference {

// Returns the attributes of ONNX's pooling operators.
std::vector<OnnxGraph::Attribute> WindowAttributes(const layers::PoolWindow& window);

// Whether the one window is the whole image, without padding, where x and y are the shapes of the
// pooling's input and output.
bool IsGlobal(const layers::PoolWindow& window, const layers::Shape& x, const layers::Shape& y);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_RULES_POOL_WINDOW_H_
