// Functions that the rules for max pooling and for average pooling share. A rule (rule.h) writes an
// operation of a network's graph as operators of ONNX.
#ifndef COTANGENT_INFERENCE_ONNX_RULES_POOL_WINDOW_H_
#define COTANGENT_INFERENCE_ONNX_RULES_POOL_WINDOW_H_

#include <vector>

#include "inference/onnx/onnx_graph.h"
#include "layers/graph/operation.h"

namespace cotangent::inference {

// Returns the attributes by which ONNX's pooling operators describe a window: its size, strides and
// padding.
std::vector<OnnxGraph::Attribute> WindowAttributes(const layers::PoolWindow& window);

// Returns whether a pooling has one window only, which is the whole image without padding. `x` and
// `y` are the shapes of the pooling's input and output.
bool IsGlobal(const layers::PoolWindow& window, const layers::Shape& x, const layers::Shape& y);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_RULES_POOL_WINDOW_H_
