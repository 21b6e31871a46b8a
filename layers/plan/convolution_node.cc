#include "layers/plan/convolution_node.h"

#include "absl/strings/str_cat.h"
#include "layers/ops/convolution.h"

namespace cotangent::layers {

using tensor::ConvolutionChoice;
using tensor::Direction;
using tensor::Layout;

bool IsConvolution(Op op) {
  return op == kConvolution || op == kConvolutionInputGradient || op == kConvolutionWeightGradient;
}

ConvolutionSides SidesOf(const Node& node) {
  const bool pooled = node.as<ConvolutionAttributes>().pooled;
  const TensorId positions = pooled ? node.inputs.back() : kNoTensor;  // for a gradient node
  if (node.op == kConvolution)
    return {.direction = Direction::kForward,
            .in = node.inputs[0],
            .out = node.outputs[0],
            .weights = node.inputs[1],
            .bias = node.inputs.size() > 2 ? node.inputs[2] : kNoTensor,
            .addend = node.inputs.size() > 3 ? node.inputs[3] : kNoTensor,
            .positions = pooled ? node.outputs[1] : kNoTensor};
  if (node.op == kConvolutionInputGradient)
    return {.direction = Direction::kInputGradient,
            .in = node.outputs[0],
            .out = node.inputs[0],
            .weights = node.inputs[1],
            .positions = positions};
  return {.direction = Direction::kWeightGradient,
          .in = node.inputs[0],
          .out = node.inputs[1],
          .weights = node.outputs[0],
          .positions = positions};
}

Format FormatAt(const Node& node, const ConvolutionChoice& choice, TensorId t) {
  const ConvolutionSides sides = SidesOf(node);
  if (t == sides.in) return {choice.in_layout, choice.in_type};
  const auto& int8 = node.as<ConvolutionAttributes>().int8;
  if (t == sides.addend && int8 != nullptr && int8->out_type != ElementType::kF32)
    return {choice.out_layout, int8->addend_type};
  return {choice.out_layout, choice.out_type};
}

tensor::Epilogue EpilogueOf(const Node& node) {
  const ConvolutionSides sides = SidesOf(node);
  const auto& attributes = node.as<ConvolutionAttributes>();
  return {.bias = sides.bias != kNoTensor,
          .addend = sides.addend != kNoTensor,
          .relu = attributes.relu,
          .pooled = attributes.pooled,
          .int8 = attributes.int8.get()};
}

std::string ChoiceKey(const Node& node) {
  return absl::StrCat(node.name, " ", std::string(tensor::Name(SidesOf(node).direction)));
}

Format DefaultFormat(const Graph& graph, TensorId t, ElementType precision) {
  switch (graph.tensor(t).storage) {
    case Storage::kSmallPositions:
      return {Layout::kNhwc, ElementType::kU8};
    case Storage::kLargePositions:
      return {Layout::kNhwc, ElementType::kS32};
    case Storage::kLabels:
      return {Layout::kNchw, ElementType::kS32};
    case Storage::kUnsignedBytes:
      return {graph.shape(t).rank() == 4 ? Layout::kNhwc : Layout::kNchw, ElementType::kU8};
    case Storage::kSignedBytes:
      return {graph.shape(t).rank() == 4 ? Layout::kNhwc : Layout::kNchw, ElementType::kS8};
    case Storage::kActivations:
      if (graph.shape(t).rank() == 4) return {Layout::kNhwc, precision};
      break;
    case Storage::kPlain:
      break;
  }
  return {Layout::kNchw, ElementType::kF32};
}

bool SameFormat(const Shape& shape, const Format& a, const Format& b) {
  if (a.type != b.type) return false;
  return a.layout == b.layout || shape.rank() < 2 ||
         tensor::SameStorage(AsImage(shape), a.layout, b.layout);
}

}  // namespace cotangent::layers
