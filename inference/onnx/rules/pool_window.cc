#include "inference/onnx/rules/pool_window.h"

namespace cotangent::inference {

std::vector<OnnxGraph::Attribute> WindowAttributes(const layers::PoolWindow& window) {
  const layers::Padding& pad = window.padding;
  return {{"kernel_shape", {window.height, window.width}},
          {"strides", {window.stride_height, window.stride_width}},
          {"pads", {pad.top, pad.left, pad.bottom, pad.right}}};
}

bool IsGlobal(const layers::PoolWindow& window, const layers::Shape& x, const layers::Shape& y) {
  const layers::Padding& pad = window.padding;
  return window.height == x[2] && window.width == x[3] && y[2] == 1 && y[3] == 1 &&
         pad.top + pad.bottom + pad.left + pad.right == 0;
}

}  // namespace cotangent::inference
