#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

using layers::Node;

// Adds no operator: a leaf's value is the model's input or a constant (OnnxNetwork::Constant).
absl::Status Leaf(const Node&, OnnxNetwork&) { return absl::OkStatus(); }

const RegisterOnnxRule input("input", Leaf), parameter("parameter", Leaf), state("state", Leaf);

}  // namespace
}  // namespace cotangent::inference
