// What an operation is: the table of its rules, which everything that walks a graph asks.
//
// An operation is one file in layers/ops/. It derives from Operation (or from one of the bases at
// the end of this file, which say once what many share), and has exactly one object:
//
//   class Swish : public OperationWithKernel<Swish> { ... };
//   const Swish swish;                      // in ops/swish.cc
//   const Op kSwish = &swish;               // if others need to name it
//
// All rules are pure virtual: an operation that lacks one does not compile. Nothing outside of
// layers/ops/ asks which operation a node is, but where that one is its subject (convolutions in
// plan/assign.h, say).
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

class KernelContext;  // plan/kernel.h
class PassContext;    // plan/pass_context.h

// ---- Derivatives --------------------------------------------------------------------------------

// What a rule of reverse mode sees: a node, and the cotangents of its outputs. The rule adds
// operations to the graph and contributes cotangents to the inputs.
class ReverseRule {
 public:
  ReverseRule(Graph& graph, const Node& node, std::vector<TensorId> cotangents)
      : graph(graph), node(node), d(std::move(cotangents)) {}
  virtual ~ReverseRule() = default;

  // Whether anybody wants the cotangent of an input; what is contributed to others is dropped.
  virtual bool Needs(TensorId input) const = 0;
  virtual void Contribute(TensorId input, TensorId cotangent) = 0;
  TensorId in(int i) const { return node.inputs[i]; }
  TensorId out(int k) const { return node.outputs[k]; }
  const Shape& shape(TensorId t) const { return graph.shape(t); }
  // An operation with the node's name and attributes whose result has the shape of `like`.
  TensorId Like(Op op, std::vector<TensorId> inputs, TensorId like) {
    return graph.AddNode(op, node.name, std::move(inputs), node.attributes, Shape(shape(like)));
  }

  Graph& graph;
  const Node& node;
  const std::vector<TensorId> d;  // by output; kNoTensor: zero, but not of all
};

// The same for forward mode: tangents of the inputs, from which those of the outputs are made.
class ForwardRule {
 public:
  ForwardRule(Graph& graph, const Node& node, std::vector<TensorId> tangents,
              std::vector<bool> wanted)
      : graph(graph),
        node(node),
        d(std::move(tangents)),
        wanted(std::move(wanted)),
        made(node.outputs.size(), kNoTensor) {}

  TensorId in(int i) const { return node.inputs[i]; }
  TensorId out(int k) const { return node.outputs[k]; }
  const Shape& shape(TensorId t) const { return graph.shape(t); }
  TensorId Like(Op op, std::vector<TensorId> inputs, TensorId like) {
    return graph.AddNode(op, node.name, std::move(inputs), node.attributes, Shape(shape(like)));
  }

  Graph& graph;
  const Node& node;
  const std::vector<TensorId> d;   // by input; kNoTensor: zero, but not of all
  const std::vector<bool> wanted;  // by output
  std::vector<TensorId> made;      // by output: what the rule makes; kNoTensor: zero
};

// ---- The plain reference ------------------------------------------------------------------------

// The tensors of a graph in some scalar type T, row-major, images [N, C, H, W], as the reference of
// an operation sees them. Written for the truth and for reading, not for speed: no layouts, no
// fusion, nothing shared with what it checks.
template <class T>
struct Evaluation {
  using Values = std::vector<T>;

  const Graph& graph;
  std::vector<Values> values;                 // by tensor
  std::vector<std::vector<int64_t>> indices;  // by tensor: labels, and positions of maxima

  const Values& in(const Node& node, int i) const { return values[node.inputs[i]]; }
  Values& out(const Node& node, int k) { return values[node.outputs[k]]; }
  const Shape& shape(TensorId t) const { return graph.shape(t); }
  int64_t Elements(TensorId t) const { return graph.shape(t).NumElements(); }
  int64_t Channels(TensorId t) const { return graph.shape(t)[1]; }
  int64_t Pixels(TensorId t) const {  // of one channel of one image
    return Elements(t) / (graph.shape(t)[0] * graph.shape(t)[1]);
  }
  Values Zeros(TensorId t) const { return Values(Elements(t), T(0.0)); }
};

// The scalars that references compute in: values; derivatives along one direction; the tape's
// variables over those, for forward over reverse mode.
using Dual = autodiff::forward::Dual<double, 1>;
using Tape = autodiff::reverse::BasicTape<Dual>;

// ---- The rules ----------------------------------------------------------------------------------

// How a plan keeps a tensor that neither a pass nor a convolution asks for otherwise.
enum class Storage {
  kActivations,     // images in NHWC in the plan's precision; all else plain f32
  kPlain,           // f32, row-major, whatever its rank: parameters and what is computed from them
  kSmallPositions,  // of maxima in windows of at most 256 cells, u8
  kLargePositions,  // in larger ones, s32
  kLabels,          // class numbers, s32
  kUnsignedBytes,   // quantised activations (ops/quantise.h) that are not negative, u8
  kSignedBytes,     // all other quantised activations, s8
};

// A window that slides over an image.
struct Padding {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
};
struct PoolWindow {
  int64_t height = 1, width = 1, stride_height = 1, stride_width = 1;
  Padding padding;
  bool count_padding = true;  // average: divide by the whole window also at the border
};

// How an operation takes part in fused passes over memory (plan/fusion.h).
struct PassRole {
  enum Kind {
    kNone,       // it runs alone, by a kernel of its own
    kPointwise,  // an element of the result needs the same element of the inputs, or [C], or []
    kSum,        // the total over each channel of its one input
    kMoments,    // mean and biased variance of each channel of its one input
    kPooling,    // in step with windows that tile the image (`window`)
    kSpread,     // one value an image and channel at every pixel: the input lies in memory
  } kind = kNone;
  // kPooling: the windows, and which tensors lie before pooling and after it.
  const PoolWindow* window = nullptr;
  TensorId fine = kNoTensor, coarse = kNoTensor;
  bool is_free = false;  // computing it anew costs nothing
};

// Tensor `part` is the channels of `whole` from `channel` on.
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

  // "max_pool"
  virtual const char* name() const = 0;

  // Turns the cotangents of the outputs into those of the inputs.
  virtual absl::Status Vjp(ReverseRule& rule) const = 0;
  // Turns the tangents of the inputs into those of the outputs.
  virtual absl::Status Jvp(ForwardRule& rule) const = 0;

  // Computes the outputs. Of what cannot be computed but must be given: an error.
  virtual absl::Status Evaluate(const Node& node, Evaluation<double>& evaluation) const = 0;
  virtual absl::Status Evaluate(const Node& node, Evaluation<Dual>& evaluation) const = 0;
  virtual absl::Status Evaluate(const Node& node, Evaluation<Tape::Var>& evaluation) const = 0;

  // How it is fused, what it emits in a pass (for one cell of the window where that is `fine`; -1
  // else), and what runs where it is not fused.
  virtual PassRole Role(const Graph& graph, const Node& node) const = 0;
  virtual absl::StatusOr<int> Emit(PassContext& pass, const Node& node, int output,
                                   int cell) const = 0;
  virtual absl::StatusOr<std::function<void(int64_t step)>> Bind(KernelContext& kernel) const = 0;

  // ---- What most operations need not say.

  virtual Storage StorageOf(const Graph&, const Node&, int /*output*/) const {
    return Storage::kActivations;
  }
  // Nodes of equal operation, inputs, shape and this key are one; nullopt: each is its own.
  virtual std::optional<std::string> Key(const Attributes&) const { return std::nullopt; }
  // Values from outside or from random numbers, which references and derivatives are given.
  virtual bool is_leaf() const { return false; }
  // Of a leaf: there before a plan runs, rather than drawn by it.
  virtual bool is_given() const { return false; }
  // Its result can be had again from its inputs for one more pass over memory.
  virtual bool is_cheap() const { return false; }
  // Tensors that may lie in others, as some of their channels: what then need not be copied. Its
  // kernel takes such buffers (Buffer::of_channels).
  virtual std::vector<ChannelView> Views(const Graph&, const Node&) const { return {}; }
};

// All operations that are linked into the program, by name.
std::vector<Op> AllOperations();

// ---- Bases --------------------------------------------------------------------------------------

// Writes the three Evaluate() in terms of Derived's own
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

// Runs alone, by the kernel that Bind() returns.
template <class Derived>
class OperationWithKernel : public OperationOf<Derived> {
 public:
  PassRole Role(const Graph&, const Node&) const final { return {}; }
  absl::StatusOr<int> Emit(PassContext&, const Node& node, int, int) const final {
    return absl::InternalError(absl::StrCat(node.name, ": ", this->name(), " is not of passes"));
  }
};

// Is always part of a pass.
template <class Derived>
class OperationOfPasses : public OperationOf<Derived> {
 public:
  absl::StatusOr<std::function<void(int64_t)>> Bind(KernelContext&) const final {
    return absl::InternalError(absl::StrCat(this->name(), " has no kernel of its own"));
  }
};

// A leaf: there before anything is computed, without derivatives of its own.
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
