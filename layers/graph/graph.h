// A network as a graph of tensor operations. The derivative of such a graph is another such graph.
//
// A Graph is a list of operations (nodes) in an order in which they can be computed. An operation
// reads tensors and makes tensors; each tensor has one producer and a fixed shape. The kinds of
// operation are few, and their derivatives are built from the same kinds (vector-Jacobian products
// in vjp.h, Jacobian-vector products in jvp.h). So derivatives of any order are graphs too. The
// kinds that most networks consist of (declared in layers/ops/):
//
//   * kElementwise applies a formula of autodiff/symbolic, in the variables a0, a1, ..., at every
//     element. Each operand has the shape of the result, or [C] (one value per channel, axis 1), or
//     [] (one value). Symbolic differentiation gives its derivatives, so an activation, the
//     arithmetic of batch normalisation, a residual sum and a user's own formula are all this one
//     kind, and one piece of code fuses them all.
//   * kChannelSum sums over all axes but axis 1. It is the adjoint of broadcasting a [C] operand.
//   * kConvolution, kConvolutionInputGradient and kConvolutionWeightGradient: the derivatives of
//     each of the three are built from the other two. A linear layer is a convolution whose kernel
//     is as large as the image.
//
// Shapes are logical: [N, C, H, W] for a batch of N images, [N, K] for features, [C] for channel
// vectors, [] for scalars. A plan, which is a graph compiled for this machine (layers/plan/plan.h),
// decides later how a tensor is laid out in memory, and whether it is stored at all.
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

// The number of a tensor within its graph: tensors are numbered from 0 in the order in which they
// are added.
using TensorId = int;
inline constexpr TensorId kNoTensor = -1;

class Operation;  // declared in layers/graph/operation.h
// The kind of operation that a node performs. Each kind is one object, so two kinds are compared by
// address.
using Op = const Operation*;

// Holds the parameters of an operation that are not tensors, such as the stride of a convolution,
// as an immutable value of a type T that the operation chooses. Copies share the value.
class Attributes {
 public:
  Attributes() = default;
  template <class T, class = std::enable_if_t<!std::is_same_v<std::decay_t<T>, Attributes>>>
  Attributes(T value)  // NOLINT: implicit, so callers pass a plain T
      : value_(std::make_shared<const T>(std::move(value))), type_(&typeid(T)) {}
  // Returns the value. REQUIRES: these attributes were constructed from a value of type T.
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
  // The name of the node's layer; for a leaf (a node without inputs, such as a parameter) the name
  // of its tensor. Shown in messages, plans and traces.
  std::string name;
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  Attributes attributes;
  // True: the node is a copy of a forward node that computes the same result again during the
  // backward computation, to save memory (layers/plan/recompute.h).
  bool recomputed = false;
  // For a recomputed copy: the tensor of the forward computation that it copies, if the forward
  // computation stores that tensor in memory until its last forward reader has run. The copy must
  // equal that tensor bit for bit, so it is rounded to the element type in which that tensor is
  // stored. kNoTensor: the forward computation does not store the tensor, or this node is no copy.
  TensorId again_of = kNoTensor;

  template <class T>
  const T& as() const {
    return attributes.as<T>();
  }
};

// Says in which format a plan stores a tensor, unless a fused pass (PassRole in operation.h)
// or a convolution chooses another one.
enum class Storage {
  // 4-D images: NHWC, in the plan's precision (f32 or bf16). All other tensors: f32, row-major.
  kActivations,
  // f32, row-major, also if 4-D: parameters and tensors computed from parameters alone.
  kPlain,
  // Positions of maxima in pooling windows of at most 256 cells: unsigned 8-bit integers.
  kSmallPositions,
  // Positions of maxima in larger windows: signed 32-bit integers.
  kLargePositions,
  // Class numbers: signed 32-bit integers.
  kLabels,
  // Quantised activations (layers/ops/quantise.h) that are never negative: unsigned 8-bit integers.
  kUnsignedBytes,
  // All other quantised activations: signed 8-bit integers.
  kSignedBytes,
};

struct TensorInfo {
  // The name of a leaf, such as "conv1.weight" for a parameter; otherwise the name of the node's
  // layer, followed by Output::suffix if it has one.
  std::string name;
  Shape shape;
  int node = -1;  // index of the node that produces the tensor
  // What the node's operation says (Operation::StorageOf). It can depend on the storage of the
  // node's inputs, which is why it is kept: finding it out anew from the leaves would take
  // exponential time where results are read twice.
  Storage storage = Storage::kActivations;
};

// At the end of each run (Plan::Run() in layers/plan/plan.h) a plan copies the value of tensor
// `value` into the state tensor `state`, for example to update running statistics.
struct StateUpdate {
  TensorId state;
  TensorId value;
};

class Graph {
 public:
  Graph() : pool_(std::make_shared<autodiff::symbolic::Pool>()) {}

  // ---- Adding leaves: tensors that are given from outside rather than computed ----
  TensorId Input(absl::string_view name, Shape shape);
  TensorId Parameter(absl::string_view name, Shape shape);
  TensorId State(absl::string_view name, Shape shape);

  // ---- Adding state updates and operations ----
  void UpdateState(TensorId state, TensorId value) { state_updates_.push_back({state, value}); }

  // Adds a node with one output of the given shape and returns the output. Checks nothing: the
  // functions of layers/ops/ that call AddNode() check their inputs and infer the shape. If the
  // operation defines a key (Operation::Key: a text that identifies the attributes) and a node with
  // equal operation, key, inputs and shape exists, returns that node's output and adds nothing.
  TensorId AddNode(Op op, absl::string_view name, std::vector<TensorId> inputs,
                   Attributes attributes, Shape shape);
  // Adds a node with several outputs and returns them. Output k (from 0) is named by the node's
  // name followed by outputs[k].suffix, such as ".position". Here, too, an existing node is used
  // instead of a new one if its operation, key, inputs and output shapes are equal.
  struct Output {
    absl::string_view suffix;
    Shape shape;
  };
  std::vector<TensorId> AddNode(Op op, absl::string_view name, std::vector<TensorId> inputs,
                                Attributes attributes, const std::vector<Output>& outputs);
  // Replaces node `index` by `node`, whose field `outputs` must list the same tensors. For code
  // that rewrites graphs for a plan (layers/plan/). REQUIRES: each input of the new node is
  // produced before position `index`, or is a leaf.
  void ReplaceNode(int index, Node node);
  // Inserts a new node with one output before node `index` and returns the output. For code that
  // rewrites graphs for a plan (layers/plan/). REQUIRES: the inputs of the new node are produced
  // before position `index`. The indices of the node that was at `index` and of all later nodes
  // grow by 1; tensor ids do not change.
  TensorId InsertNode(int index, Op op, absl::string_view name, std::vector<TensorId> inputs,
                      Attributes attributes, Shape shape);
  // A node for InsertNodes(), which inserts many at once. The node has one output, which gets the
  // name and shape of the existing tensor `like`. The output of insertions[k] (k from 0) gets the
  // id count + k, where `count` is num_tensors() before the call.
  struct Insertion {
    Node node;  // `outputs` is empty here; InsertNodes() fills it
    TensorId like;
  };
  // Inserts the nodes before node `index`. The indices of that node and of all later nodes grow by
  // insertions.size(); tensor ids do not change.
  void InsertNodes(int index, std::vector<Insertion> insertions);
  // Operand(i) returns the variable a<i> of elementwise formulas. pool() returns the pool of
  // expressions that owns the formulas of this graph.
  Expr Operand(int i) const { return pool_->Variable(absl::StrCat("a", i)); }
  autodiff::symbolic::Pool& pool() const { return *pool_; }

  // ---- Reading the graph ----
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
  // Returns a list of all nodes for debugging and tests, one per line: outputs with shapes,
  // operation, inputs and name.
  std::string ToString() const;

 private:
  TensorId NewTensor(absl::string_view name, Shape shape, int node);
  Storage StorageOf(TensorId id) const;

  std::shared_ptr<autodiff::symbolic::Pool> pool_;
  std::vector<Node> nodes_;
  std::vector<TensorInfo> tensors_;
  std::vector<TensorId> parameters_, states_, inputs_;
  std::vector<StateUpdate> state_updates_;
  // Maps a text made from a node's operation, its key (Operation::Key), the inputs and the output
  // shapes to the node's first output, so that AddNode() finds an equal node. Has only nodes whose
  // operation defines a key.
  absl::flat_hash_map<std::string, TensorId> interned_;
};

// The kinds of the leaves that Input(), Parameter() and State() add, whose values come from
// outside. An input changes from step to step (the images and labels of a batch); a parameter is
// learnt; a state is kept between training steps but not learnt (running statistics).
extern const Op kInput, kParameter, kState;

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_GRAPH_H_
