// A network as a graph of tensor operations, and its derivative as another such graph.
//
// A Graph is a list of operations in the order they can be computed. An operation reads tensors and
// makes tensors; a tensor has one producer and a fixed shape. There are few kinds of operation,
// chosen so that they are closed under differentiation: the vector-Jacobian product and the
// Jacobian-vector product of each are built from the same kinds (see vjp.h and jvp.h), so
// derivatives of any order are graphs.
//
//   * kElementwise applies a formula of autodiff/symbolic, in the variables a0, a1, ..., at every
//     element. Its operands have the shape of the result, or [C] (one value a channel, axis 1), or
//     [] (one value). Its derivatives come from symbolic differentiation, so an activation, the
//     arithmetic of batch normalisation, a residual sum and the user's own formula are all one kind
//     of node, and one piece of code fuses them all.
//   * kChannelSum is the adjoint of that broadcast: the sum over all axes but axis 1.
//   * kConvolution, kConvolutionInputGradient and kConvolutionWeightGradient are each the
//     derivative of the others. A linear layer is the convolution whose kernel is the whole image.
//
// Shapes are logical: [N, C, H, W] for images, [N, K] for features, [C] for channel vectors, [] for
// scalars. How a tensor lies in memory, and whether it ever does, is decided later (plan.h).
#ifndef COTANGENT_LAYERS_GRAPH_GRAPH_H_
#define COTANGENT_LAYERS_GRAPH_GRAPH_H_

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "tensor/shape.h"

namespace cotangent::layers {

using autodiff::symbolic::Expr;
using tensor::Shape;

// Names a tensor of one graph. Valid ids are >= 0.
using TensorId = int;
inline constexpr TensorId kNoTensor = -1;

class Operation;  // operation.h
// Which operation a node is: one object for each, to be compared by address.
using Op = const Operation*;

// What an operation needs to know beyond its inputs: a value of a type of its own, shared and never
// changed.
class Attributes {
 public:
  Attributes() = default;
  template <class T, class = std::enable_if_t<!std::is_same_v<std::decay_t<T>, Attributes>>>
  Attributes(T value)  // NOLINT: braces around every attribute would say nothing
      : value_(std::make_shared<const T>(std::move(value))), type_(&typeid(T)) {}
  // REQUIRES: made of a T.
  template <class T>
  const T& as() const {
    if (value_ == nullptr || *type_ != typeid(T)) std::abort();
    return *static_cast<const T*>(value_.get());
  }

 private:
  std::shared_ptr<const void> value_;
  const std::type_info* type_ = nullptr;
};

struct Node {
  Op op;
  std::string name;  // the layer it came from, for messages, plans and traces
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  Attributes attributes;
  // Computed as late as can be, from what is computed again (plan/recompute.h).
  bool recomputed = false;
  // The tensor that its result is once more, to the bit, as it would be read from memory.
  TensorId again_of = kNoTensor;

  template <class T>
  const T& as() const {
    return attributes.as<T>();
  }
};

struct TensorInfo {
  std::string name;  // "conv1.weight" for a parameter, else the layer's name
  Shape shape;
  int node = -1;  // its producer
};

// State written at the end of a training step: new value of `state` is that of `value`.
struct StateUpdate {
  TensorId state;
  TensorId value;
};

class Graph {
 public:
  Graph() : pool_(std::make_shared<autodiff::symbolic::Pool>()) {}

  // ---- Leaves --------------------------------------------------------------------------------------------------
  TensorId Input(absl::string_view name, Shape shape);
  TensorId Parameter(absl::string_view name, Shape shape);
  TensorId State(absl::string_view name, Shape shape);

  // ---- Marks ------------------------------------------------------------------------------------------------------
  void UpdateState(TensorId state, TensorId value) { state_updates_.push_back({state, value}); }

  // A node, unchecked, the shapes of its outputs given; the functions of layers/ops/ check and infer.
  // Where the operation says that nodes with equal keys are one (Operation::Key), one that is already
  // there is returned instead.
  TensorId AddNode(Op op, absl::string_view name, std::vector<TensorId> inputs,
                   Attributes attributes, Shape shape);
  // With several outputs: named by the node's name and a suffix each, such as ".position". Equal
  // nodes are one here too.
  struct Output {
    absl::string_view suffix;
    Shape shape;
  };
  std::vector<TensorId> AddNode(Op op, absl::string_view name, std::vector<TensorId> inputs,
                                Attributes attributes, const std::vector<Output>& outputs);
  // Makes one node another operation with the same results, for rewrites. Its inputs come before
  // it, or are leaves.
  void ReplaceNode(int index, Node node) { nodes_[index] = std::move(node); }
  // A node before node `index`, which its inputs come before; for rewrites. The nodes from there on
  // move by one; tensors keep their numbers.
  TensorId InsertNode(int index, Op op, absl::string_view name, std::vector<TensorId> inputs,
                      Attributes attributes, Shape shape);
  // The same for many nodes at once, each of one output with the name and shape of a tensor.
  struct Insertion {
    Node node;  // without outputs
    TensorId like;
  };
  // The k-th result's number is num_tensors() + k.
  void InsertNodes(int index, std::vector<Insertion> insertions);
  // The variable a<i> of elementwise formulas, and the pool that owns this graph's formulas.
  Expr Operand(int i) const { return pool_->Variable(absl::StrCat("a", i)); }
  autodiff::symbolic::Pool& pool() const { return *pool_; }

  // ---- Reading ----------------------------------------------------------------------------------------------------
  const std::vector<Node>& nodes() const { return nodes_; }
  const Node& node(int index) const { return nodes_[index]; }
  const TensorInfo& tensor(TensorId id) const { return tensors_[id]; }
  const Node& producer(TensorId id) const { return nodes_[tensors_[id].node]; }
  const Shape& shape(TensorId id) const { return tensors_[id].shape; }
  int num_tensors() const { return static_cast<int>(tensors_.size()); }
  const std::vector<TensorId>& parameters() const { return parameters_; }
  const std::vector<TensorId>& states() const { return states_; }
  const std::vector<TensorId>& inputs() const { return inputs_; }
  const std::vector<StateUpdate>& state_updates() const { return state_updates_; }
  // All operations, one a line: for debugging and tests.
  std::string ToString() const;

 private:
  TensorId NewTensor(absl::string_view name, Shape shape, int node);

  std::shared_ptr<autodiff::symbolic::Pool> pool_;
  std::vector<Node> nodes_;
  std::vector<TensorInfo> tensors_;
  std::vector<TensorId> parameters_, states_, inputs_;
  std::vector<StateUpdate> state_updates_;
  absl::flat_hash_map<std::string, TensorId> interned_;  // equal nodes are made once
};

// The leaves: the batch (images, labels), what is learnt, and what is kept between steps but not
// learnt (running statistics).
extern const Op kInput, kParameter, kState;

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_GRAPH_H_
