// The interface that every kind of operation implements: its derivatives, its reference
// implementation, and how a plan, which is a graph compiled for this machine (layers/plan/plan.h),
// runs it. Code that walks a graph calls these virtual functions.
//
// Each kind of operation is defined in a file in layers/ops/; kinds that belong together share a
// file. The file derives a class from Operation, or from one of the base classes at the end of this
// header, which implement what many operations have in common. The file creates exactly one object
// of each such class:
//
//   class Swish : public OperationWithKernel<Swish> { ... };
//   const Swish swish;                      // in ops/swish.cc
//   const Op kSwish = &swish;               // only if other files need to name it
//
// All rules that an operation needs are pure virtual, so an operation that lacks one does not
// compile. Outside of layers/ops/, code asks which kind a node is only where it deals with that
// very kind: for example, layers/plan/assign.h chooses implementations for convolutions.
#ifndef COTANGENT_LAYERS_GRAPH_OPERATION_H_
#define COTANGENT_LAYERS_GRAPH_OPERATION_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "autodiff/forward/dual.h"
#include "autodiff/forward/functions.h"
#include "autodiff/math.h"
#include "autodiff/reverse/tape.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

class KernelContext;  // declared in layers/plan/kernel.h
class PassContext;    // declared in layers/plan/pass_context.h

// ---- Derivatives: what the rules of an operation receive ----
//
// The tangent of a tensor is its derivative along the direction of forward mode; the cotangent of a
// tensor is the derivative, by it, of the number that reverse mode differentiates.

// The common base of the arguments of both derivative rules: the node, and ways to read and extend
// its graph.
class Rule {
 public:
  TensorId in(int i) const { return node.inputs[i]; }
  TensorId out(int k) const { return node.outputs[k]; }
  const Shape& shape(TensorId t) const { return graph.shape(t); }
  // Adds an operation of kind `op` with this node's name and attributes, whose result has the shape
  // of `like`.
  TensorId Like(Op op, std::vector<TensorId> inputs, TensorId like) {
    return graph.AddNode(op, node.name, std::move(inputs), node.attributes, Shape(shape(like)));
  }

  Graph& graph;
  const Node& node;
  // In reverse mode the cotangent of each output, in forward mode the tangent of each input;
  // kNoTensor means zero. At least one of them is not kNoTensor.
  const std::vector<TensorId> d;

 protected:
  Rule(Graph& graph, const Node& node, std::vector<TensorId> derivatives)
      : graph(graph), node(node), d(std::move(derivatives)) {}
};

// The argument of an operation's reverse-mode rule: a node and the cotangents of its outputs. The
// rule adds operations to the graph and contributes a cotangent to each input that needs one.
class ReverseRule : public Rule {
 public:
  ReverseRule(Graph& graph, const Node& node, std::vector<TensorId> cotangents)
      : Rule(graph, node, std::move(cotangents)) {}
  virtual ~ReverseRule() = default;

  // Returns whether the cotangent of `input` is needed. Contribute() adds a term to the cotangent
  // of `input`, if that is needed.
  virtual bool Needs(TensorId input) const = 0;
  virtual void Contribute(TensorId input, TensorId cotangent) = 0;
};

// The argument of an operation's forward-mode rule: a node and the tangents of its inputs. The rule
// adds operations to the graph and stores the tangents of the outputs in `made`.
class ForwardRule : public Rule {
 public:
  ForwardRule(Graph& graph, const Node& node, std::vector<TensorId> tangents,
              std::vector<bool> wanted)
      : Rule(graph, node, std::move(tangents)),
        wanted(std::move(wanted)),
        made(node.outputs.size(), kNoTensor) {}

  const std::vector<bool> wanted;  // by output: whether the rule must make the output's tangent
  std::vector<TensorId> made;      // by output: the tangent that the rule made; kNoTensor: zero
};

// ---- What reference implementations of operations read and write ----

// The values of a graph's tensors in a scalar type T, as the reference implementation of an
// operation reads and writes them. Tensors are row-major, images [N, C, H, W] (N images of C
// channels of H rows and W columns). References are written to be simple and obviously correct, not
// fast: they use no special layouts, no fusion, and no code of the kernels that they check.
template <class T>
struct Evaluation {
  using Values = std::vector<T>;

  const Graph& graph;
  std::vector<Values> values;                 // by tensor id
  std::vector<std::vector<int64_t>> indices;  // by tensor id: class numbers, positions of maxima

  const Values& in(const Node& node, int i) const { return values[node.inputs[i]]; }
  Values& out(const Node& node, int k) { return values[node.outputs[k]]; }
  const Shape& shape(TensorId t) const { return graph.shape(t); }
  int64_t Elements(TensorId t) const { return graph.shape(t).NumElements(); }
  int64_t Channels(TensorId t) const { return graph.shape(t)[1]; }
  int64_t Pixels(TensorId t) const {  // pixels of one channel of one image
    return Elements(t) / (graph.shape(t)[0] * graph.shape(t)[1]);
  }
  Values Zeros(TensorId t) const { return Values(Elements(t), T(0.0)); }
};

// The scalar types in which references compute, besides double: dual numbers, which give the
// derivative along one direction, and Tape::Var, the variables of a reverse-mode tape over dual
// numbers, which give Hessian-vector products (forward over reverse mode).
using Dual = autodiff::forward::Dual<double, 1>;
using Tape = autodiff::reverse::BasicTape<Dual>;

// ---- The interface Operation, and the types that its functions use ----

// Padding is the number of pixels added at each side of an image. PoolWindow is the geometry of
// pooling windows that slide over the image, in pixels.
struct Padding {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
};
struct PoolWindow {
  int64_t height = 1, width = 1, stride_height = 1, stride_width = 1;
  Padding padding;
  // For average pooling: true: at the border, too, the sum is divided by the full size of the
  // window; false: by the number of true pixels in it.
  bool count_padding = true;
};

// How an operation takes part in a fused pass: one loop over memory that computes several
// operations element by element, without storing the values between them (layers/plan/fusion.h).
struct PassRole {
  enum Kind {
    // The operation is not fused; it runs alone, by its own kernel.
    kNone,
    // An element of the result depends only on the same element of each input; of an input [C], on
    // the value of the element's channel; of a scalar input, on its value.
    kPointwise,
    // Sums its one input over each channel.
    kSum,
    // Computes the mean and the biased variance of each channel of its one input.
    kMoments,
    // Computes one value per window from the values of its cells (max pooling), or the other way
    // round each cell's value from its window's (the derivative of max pooling). The windows lie
    // side by side; at the bottom and at the right, the image may have pixels that no window
    // covers.
    kPooling,
    // Reads one value per image and channel and uses it at every pixel. The input must be stored in
    // memory; the pass that reads it cannot compute it.
    kSpread,
  } kind = kNone;
  // Only for kPooling: the windows, the tensor of full resolution (`fine`) and the pooled tensor
  // (`coarse`).
  const PoolWindow* window = nullptr;
  TensorId fine = kNoTensor, coarse = kNoTensor;
  // True for constants: passes compute the value again wherever it is used instead of storing it.
  bool is_free = false;
};

// Tensor `part` equals some consecutive channels (axis 1) of tensor `whole`, beginning with channel
// number `channel`, from 0.
struct ChannelView {
  TensorId part, whole;
  int64_t channel;
};

class Operation {
 public:
  Operation();
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Returns the name of the kind, such as "max_pool".
  virtual const char* name() const = 0;

  // Reverse mode: makes cotangents of the inputs from those of the outputs.
  virtual absl::Status Vjp(ReverseRule& rule) const = 0;
  // Forward mode: makes tangents of the outputs from those of the inputs.
  virtual absl::Status Jvp(ForwardRule& rule) const = 0;

  // The reference implementation: computes the outputs from the inputs. An operation that is_leaf()
  // returns an error, because its values must be given.
  virtual absl::Status Evaluate(const Node& node, Evaluation<double>& evaluation) const = 0;
  virtual absl::Status Evaluate(const Node& node, Evaluation<Dual>& evaluation) const = 0;
  virtual absl::Status Evaluate(const Node& node, Evaluation<Tape::Var>& evaluation) const = 0;

  // How a plan runs the operation. Role() says whether the operation takes part in fused passes. If
  // it does, Emit() adds to `pass` the code that computes one element of output number `output`
  // (from 0), and returns the number of that value in the vector program of the pass
  // (PassContext::program). If the output has the resolution before a pooling of the pass, `cell`
  // is the row-major index (from 0) of the element in its pooling window, or 0 if no window covers
  // the element; otherwise `cell` is -1. If the operation does not take part in passes, Bind()
  // returns the function that computes the whole operation; the argument of that function, `step`,
  // is the number of the training step. (Convolutions have neither: layers/plan/assign.h chooses
  // their kernels.)
  virtual PassRole Role(const Graph& graph, const Node& node) const = 0;
  virtual absl::StatusOr<int> Emit(PassContext& pass, const Node& node, int output,
                                   int cell) const = 0;
  virtual absl::StatusOr<std::function<void(int64_t step)>> Bind(KernelContext& kernel) const = 0;

  // ---- Properties with defaults that suit most operations ----

  // Returns how plans store output number `output` (from 0). The graph asks when it adds the output
  // or replaces the node, and keeps the answer (TensorInfo::storage).
  virtual Storage StorageOf(const Graph&, const Node&, int /*output*/) const {
    return Storage::kActivations;
  }
  // Returns a key: a text that identifies the attributes. Graph::AddNode() merges nodes with the
  // same operation, key, inputs and output shapes into one. nullopt: nodes of this kind are never
  // merged.
  virtual std::optional<std::string> Key(const Attributes&) const { return std::nullopt; }
  // Returns whether the outputs' values come from outside or from a random generator. If so, the
  // reference implementation must be given the values, and derivatives stop at this node.
  virtual bool is_leaf() const { return false; }
  // For a leaf: returns whether the values exist before a plan runs. False for leaves that the plan
  // itself draws, such as dropout masks.
  virtual bool is_given() const { return false; }
  // Returns whether graphs for inference may contain the operation: false for operations that only
  // training needs (losses, batch statistics, operations that occur only in derivatives).
  virtual bool occurs_in_inference() const { return true; }
  // Returns whether computing the result again during the backward computation costs little (one
  // more pass over the inputs), so that the result need not be kept in memory.
  virtual bool is_cheap() const { return false; }
  // Returns pairs of tensors of this node of which one, `part`, may be placed inside the other,
  // `whole`, in memory, which saves a copy. The node's kernel must then accept buffers that are
  // part of a wider tensor (Buffer::of_channels in layers/plan/buffer.h).
  virtual std::vector<ChannelView> Views(const Graph&, const Node&) const { return {}; }
};

// Returns all operations that are linked into the program, sorted by name.
std::vector<Op> AllOperations();

// ---- Base classes ----

// Implements the three Evaluate() functions by calling one template function of Derived:
//   template <class T> absl::Status Compute(const Node& node, Evaluation<T>& evaluation) const;
template <class Derived>
class OperationOf : public Operation {
 public:
  absl::Status Evaluate(const Node& node, Evaluation<double>& e) const override {
    return static_cast<const Derived*>(this)->template Compute<double>(node, e);
  }
  absl::Status Evaluate(const Node& node, Evaluation<Dual>& e) const override {
    return static_cast<const Derived*>(this)->template Compute<Dual>(node, e);
  }
  absl::Status Evaluate(const Node& node, Evaluation<Tape::Var>& e) const override {
    return static_cast<const Derived*>(this)->template Compute<Tape::Var>(node, e);
  }
};

// An operation that is never fused; Derived implements Bind(), which returns its kernel.
template <class Derived>
class OperationWithKernel : public OperationOf<Derived> {
 public:
  PassRole Role(const Graph&, const Node&) const final { return {}; }
  absl::StatusOr<int> Emit(PassContext&, const Node& node, int, int) const final {
    return absl::InternalError(absl::StrCat(node.name, ": ", this->name(), " is not of passes"));
  }
};

// An operation that is always fused; Derived implements Role() and Emit(), but has no kernel.
template <class Derived>
class OperationOfPasses : public OperationOf<Derived> {
 public:
  absl::StatusOr<std::function<void(int64_t)>> Bind(KernelContext&) const final {
    return absl::InternalError(absl::StrCat(this->name(), " has no kernel of its own"));
  }
};

// An operation with one input and one output that is linear in the input: its Jacobian-vector
// product is the operation itself. Base is OperationOf<Derived> or a base class derived from it.
template <class Base>
class LinearOperation : public Base {
 public:
  absl::Status Jvp(ForwardRule& rule) const final {
    rule.made[0] = rule.Like(this, {rule.d[0]}, rule.out(0));
    return absl::OkStatus();
  }
};

// A linear operation whose adjoint, its vector-Jacobian product, is an operation with the same
// attributes.
template <class Base>
class LinearWithAdjoint : public LinearOperation<Base> {
 public:
  virtual Op adjoint() const = 0;
  absl::Status Vjp(ReverseRule& rule) const final {
    rule.Contribute(rule.in(0), rule.Like(adjoint(), {rule.d[0]}, rule.in(0)));
    return absl::OkStatus();
  }
};

// A tensor that no operation computes from others: inputs, parameters, states. The derivative rules
// of a leaf do nothing.
class Leaf : public OperationOf<Leaf> {
 public:
  absl::Status Vjp(ReverseRule&) const override { return absl::OkStatus(); }
  absl::Status Jvp(ForwardRule&) const override { return absl::OkStatus(); }
  PassRole Role(const Graph&, const Node&) const override { return {}; }
  absl::StatusOr<int> Emit(PassContext&, const Node& node, int, int) const override {
    return absl::InternalError(absl::StrCat(node.name, ": a leaf lies in memory"));
  }
  absl::StatusOr<std::function<void(int64_t)>> Bind(KernelContext&) const override {
    return absl::InternalError("a leaf is not computed");
  }
  bool is_leaf() const override { return true; }
  bool is_given() const override { return true; }
  template <class T>
  absl::Status Compute(const Node& node, Evaluation<T>& e) const {
    return absl::InvalidArgumentError(absl::StrCat("'", e.graph.tensor(node.outputs[0]).name, "' (",
                                                   name(), ") was not given a value"));
  }
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_OPERATION_H_
