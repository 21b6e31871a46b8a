// What planning asks of a convolution in a graph: its tensors, their formats, and its epilogue.
#ifndef COTANGENT_LAYERS_PLAN_CONVOLUTION_NODE_H_
#define COTANGENT_LAYERS_PLAN_CONVOLUTION_NODE_H_

#include <string>

#include "layers/graph/graph.h"
#include "layers/plan/buffer.h"
#include "tensor/convolution.h"

namespace cotangent::layers {

// The tensors of a convolution node. In every direction, `in` is the tensor on the input side of
// the layer and `out` the one on its output side: the activations, or their gradients.
struct ConvolutionSides {
  tensor::Direction direction;
  TensorId in, out, weights;
  TensorId bias = kNoTensor, addend = kNoTensor;  // in a folded graph (fold.h); kNoTensor: none
  TensorId positions = kNoTensor;                 // of maxima, if `out` is max-pooled
};
bool IsConvolution(Op op);
ConvolutionSides SidesOf(const Node& node);
// Returns the format in which the convolution reads or writes t, which is `in`, `out` or `addend`
// of its sides.
Format FormatAt(const Node& node, const tensor::ConvolutionChoice& choice, TensorId t);
// Returns what the convolution does to its results before it stores them: adding a bias, adding
// another tensor (the addend, as in a residual sum), ReLU, pooling, rounding.
tensor::Epilogue EpilogueOf(const Node& node);
// Returns the key of this convolution in PlanOptions::choices, such as "conv1 forward".
std::string ChoiceKey(const Node& node);

// Returns the format in which operations other than convolutions and passes read and write tensor
// t.
Format DefaultFormat(const Graph& graph, TensorId t, ElementType precision);
// Returns whether two formats store tensors of this shape identically. Different layouts can do so,
// for example if an image is a single pixel.
bool SameFormat(const tensor::Shape& shape, const Format& a, const Format& b);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_CONVOLUTION_NODE_H_
