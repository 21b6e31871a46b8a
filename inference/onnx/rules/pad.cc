#include "layers/ops/pad.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;
using layers::Shape;
using layers::TensorId;

// Pads an axis circularly by concatenating slices, since operator set 17 has no circular padding.
std::string WrapAxis(OnnxGraph& onnx, const std::string& x, int64_t axis, int64_t extent,
                     int64_t before, int64_t after) {
  std::vector<std::string> parts;
  if (before > 0) parts.push_back(onnx.AddSlice(x, axis, extent - before, extent));
  parts.push_back(x);
  if (after > 0) parts.push_back(onnx.AddSlice(x, axis, 0, after));
  return parts.size() == 1 ? x : onnx.Add("Concat", parts, {OnnxGraph::Int("axis", axis)});
}

absl::Status Pad(const Node& node, OnnxNetwork& network) {
  const auto& attributes = node.as<layers::PadAttributes>();
  OnnxGraph& onnx = network.onnx();
  const TensorId x = node.inputs[0];
  const Shape& shape = network.shape(x);
  layers::Padding pad = attributes.padding;
  std::string value;
  if (const std::vector<float> constant = network.Constant(x); constant.size() == 1) {
    // OnnxNetwork::Value() writes a constant as a single number, but the operator pads (or crops)
    // rows and columns. So the constant is written as one plane [1, 1, height, width] here. That
    // suffices, since only elementwise operations read a padded constant
    // (layers/ops/class_token.cc), and they broadcast the plane over batch and channels.
    const std::vector<float> plane(shape[2] * shape[3], constant[0]);
    value = onnx.Tensor(onnx.Unique(absl::StrCat(node.name, ".constant")),
                        {1, 1, shape[2], shape[3]}, plane);
  } else {
    value = network.Value(x);
  }
  // Negative padding crops the image. This is done before positive padding is added.
  int64_t height = shape[2], width = shape[3];
  const auto crop = [&](int64_t axis, int64_t& extent, int64_t& before, int64_t& after) {
    const int64_t begin = std::max<int64_t>(0, -before);
    const int64_t end = extent - std::max<int64_t>(0, -after);
    if (begin > 0 || end < extent) value = onnx.AddSlice(value, axis, begin, end);
    extent = end - begin;
    before = std::max<int64_t>(0, before), after = std::max<int64_t>(0, after);
  };
  crop(2, height, pad.top, pad.bottom);
  crop(3, width, pad.left, pad.right);
  if (pad.top + pad.bottom + pad.left + pad.right > 0) {
    if (attributes.mode == layers::PadMode::kCircular) {
      value = WrapAxis(onnx, value, 2, height, pad.top, pad.bottom);
      value = WrapAxis(onnx, value, 3, width, pad.left, pad.right);
    } else {
      value = onnx.AddPad(value, {0, 0, pad.top, pad.left, 0, 0, pad.bottom, pad.right},
                          attributes.mode == layers::PadMode::kReflect);
    }
  }
  network.Set(node.outputs[0], value);
  return absl::OkStatus();
}

const RegisterOnnxRule pad("pad", Pad);

const RegisterOnnxCases cases{
    {"pad_zeros", "layer { pad { pad: [1, 2, 0, 3] } }"},
    {"pad_crop", "layer { pad { pad: [-1, 2, 3, -2] } }"},
    {"pad_circular", "layer { pad { pad: [1, 2, 3, 0] mode: CIRCULAR } }"},
    {"pad_reflect", "layer { pad { pad: [2, 1, 0, 3] mode: REFLECT } }"},
};

}  // namespace
}  // namespace cotangent::inference
