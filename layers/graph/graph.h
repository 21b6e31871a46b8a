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
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "autodiff/symbolic/expression.h"
#include "tensor/convolution.h"
#include "tensor/shape.h"

namespace cotangent::layers {

using autodiff::symbolic::Expr;
using tensor::Shape;

// Names a tensor of one graph. Valid ids are >= 0.
using TensorId = int;
inline constexpr TensorId kNoTensor = -1;

enum class Op {
  kInput,      // the batch: images, labels, a dropout mask's seed; given from outside at every step
  kParameter,  // learnt
  kState,      // kept between steps but not learnt (running statistics)
  kConstant,   // every element is attributes.value
  kElementwise,  // inputs a0, a1, ...; attributes.formula
  kChannelSum,   // [N, C, ...] -> [C]
  kMoments,      // [N, C, ...] -> mean [C], biased variance [C]
  kConvolution,  // x, w -> y; in a folded graph (fold.h) x, w, bias[, addend] -> w * x + bias + addend
  kConvolutionInputGradient,  // dy, w -> dx; also the transposed convolution
  kConvolutionWeightGradient,  // x, dy -> dw; pooled, these three yield, or take as their last, positions too
  kMaxPool,                    // x -> y, position of the maximum in its window
  kMaxPoolGather,  // x, position -> y: the elements of x at the positions (the derivative of kMaxPool along x)
  kMaxUnpool,      // dy, position -> dx: the adjoint of kMaxPoolGather
  kAveragePool,    // x -> y
  kAverageUnpool,  // dy -> dx: the adjoint of kAveragePool
  kPad,            // x -> y: zeros, circular or reflect; negative padding crops
  kUnpad,          // dy -> dx: the adjoint of kPad
  kConcat,         // x0, x1, ... -> y along axis 1
  kSlice,          // x -> y: channels [begin, begin + size) of axis 1
  kUnslice,        // dy -> dx: the adjoint of kSlice
  kReshape,        // [N, C, H, W] <-> [N, CHW]
  kLayerNorm,  // x -> y, mean [N], inverse deviation [N]: over all axes but the first, without scale and shift
  kLayerNormGradient,  // dy, y, inverse deviation -> dx
  kSoftmax,            // [N, K] -> [N, K]
  kSoftmaxGradient,    // dy, y -> dx
  kDropoutMask,        // shape of x -> 0 or 1 / (1 - rate), drawn anew every step
  kOneHot,  // labels [N] -> [N, K]: in the column of the label its class weight (1 without loss.class_weights), else 0
  kLoss,    // prediction [N, K], labels [N] -> loss [], d loss / d prediction [N, K]
};

enum class PadMode { kZeros, kCircular, kReflect };

enum class LossKind { kSoftmaxCrossEntropy, kHinge, kMeanSquaredError, kFocal, kFormula };

struct LossAttributes {
  LossKind kind = LossKind::kSoftmaxCrossEntropy;
  double label_smoothing = 0;         // softmax cross-entropy
  std::vector<double> class_weights;  // empty: all 1; weighted mean as in PyTorch
  double margin = 1;  // hinge: mean over the batch of sum_{j != y} max(0, margin + x_j - x_y)
  double gamma = 2;   // focal: (1 - p_y)^gamma * cross-entropy
  Expr formula;  // kFormula: elementwise in a0 = prediction, a1 = target (one-hot); mean over all
};

struct Padding {
  int64_t top = 0, bottom = 0, left = 0, right = 0;
};

struct PoolWindow {
  int64_t height = 1, width = 1, stride_height = 1, stride_width = 1;
  Padding padding;
  bool count_padding =
      true;  // average: divide by the whole window also at the border, as PyTorch's default
};

// What an operation needs to know beyond its inputs; each kind reads only the fields named by it.
struct Attributes {
  double value = 0;  // kConstant; kDropoutMask: the rate
  Expr formula;      // kElementwise
  bool recomputed =
      false;  // kElementwise: computed again just before it is read, not kept since it was first computed
  tensor::ConvolutionShape convolution;  // the three convolutions: the whole geometry
  bool relu = false;                     // kConvolution of a folded graph: max(0, y) instead of y
  bool pooled = false;  // the three convolutions: max-pooled in windows of 2x2 (pooling.h)
  PoolWindow window;    // pools
  PadMode pad_mode = PadMode::kZeros;  // kPad, kUnpad
  Padding padding;                     // kPad, kUnpad
  int64_t begin = 0;                   // kSlice, kUnslice
  double epsilon = 1e-5;               // kLayerNorm
  LossAttributes loss;                 // kLoss; kOneHot
};

struct Node {
  Op op;
  std::string name;  // the layer it came from, for messages, plans and traces
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;
  Attributes attributes;
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
  TensorId Constant(double value, Shape shape);

  // ---- Primitive operations. Each checks its inputs' shapes and infers its result's; the messages name the layer, the
  // shapes found and the mend.
  // ----------------------------------------------------------------------------------- `formula`
  // in a0, a1, ... with operands of the shape of the first full operand, [C] or [].
  absl::StatusOr<TensorId> Elementwise(absl::string_view name, const Expr& formula,
                                       std::vector<TensorId> operands);
  // The same from text in the named variables: Formula("act", "x / (1 + abs(x))", {{"x", x}}).
  absl::StatusOr<TensorId> Formula(absl::string_view name, absl::string_view text,
                                   const std::vector<std::pair<std::string, TensorId>>& operands);
  absl::StatusOr<TensorId> ChannelSum(absl::string_view name, TensorId x);
  struct MomentsResult {
    TensorId mean, variance;
  };
  absl::StatusOr<MomentsResult> Moments(absl::string_view name, TensorId x);

  struct ConvolutionOptions {
    int64_t stride_height = 1, stride_width = 1, dilation_height = 1, dilation_width = 1,
            groups = 1;
    Padding padding;  // of zeros; other modes are a Pad before
  };
  // x [N, C, H, W], w [O, C / groups, KH, KW] -> [N, O, H', W'].
  absl::StatusOr<TensorId> Convolution(absl::string_view name, TensorId x, TensorId w,
                                       const ConvolutionOptions& options);
  // Transposed convolution: x [N, C, H, W], w [C, O / groups, KH, KW] (as PyTorch's) -> [N, O, H',
  // W'] with H' = (H - 1) stride - padding + dilation (KH - 1) + output_padding + 1.
  absl::StatusOr<TensorId> TransposedConvolution(absl::string_view name, TensorId x, TensorId w,
                                                 const ConvolutionOptions& options,
                                                 int64_t output_padding_height,
                                                 int64_t output_padding_width);
  // x [N, C, H, W] or [N, K], w [O, C H W] -> [N, O]. A flattening before it is not needed.
  absl::StatusOr<TensorId> Linear(absl::string_view name, TensorId x, TensorId w);
  // A pooling that changes nothing (each pixel a window of its own) is x itself, without positions
  // (kNoTensor).
  struct MaxPoolResult {
    TensorId value, position;
  };
  absl::StatusOr<MaxPoolResult> MaxPool(absl::string_view name, TensorId x,
                                        const PoolWindow& window);
  absl::StatusOr<TensorId> AveragePool(absl::string_view name, TensorId x,
                                       const PoolWindow& window);
  absl::StatusOr<TensorId> Pad(absl::string_view name, TensorId x, PadMode mode,
                               const Padding& padding);
  absl::StatusOr<TensorId> Concat(absl::string_view name, std::vector<TensorId> xs);
  absl::StatusOr<TensorId> Slice(absl::string_view name, TensorId x, int64_t begin, int64_t size);
  absl::StatusOr<TensorId> Reshape(absl::string_view name, TensorId x, Shape shape);
  // Normalised over all axes but the first; scale and shift, where wanted, follow as Formula.
  absl::StatusOr<TensorId> LayerNorm(absl::string_view name, TensorId x, double epsilon);
  absl::StatusOr<TensorId> Softmax(absl::string_view name, TensorId x);
  absl::StatusOr<TensorId> DropoutMask(absl::string_view name, TensorId like, double rate);
  // prediction [N, K], labels [N] (class numbers) -> the mean loss, [].
  absl::StatusOr<TensorId> Loss(absl::string_view name, TensorId prediction, TensorId labels,
                                const LossAttributes& loss);

  // ---- Composites -----------------------------------------------------------------------------------------------
  absl::StatusOr<TensorId> Add(absl::string_view name, std::vector<TensorId> terms);
  // y = x + bias[channel].
  absl::StatusOr<TensorId> AddBias(absl::string_view name, TensorId x, TensorId bias);
  struct BatchNormOptions {
    TensorId scale = kNoTensor, shift = kNoTensor;  // [C] parameters, each optional
    TensorId running_mean = kNoTensor, running_variance = kNoTensor;  // [C] state
    double epsilon = 1e-5;
    double momentum =
        0.1;  // running = (1 - momentum) running + momentum batch (PyTorch's convention; unbiased variance)
    bool training = true;  // else the running statistics are used
  };
  absl::StatusOr<TensorId> BatchNorm(absl::string_view name, TensorId x,
                                     const BatchNormOptions& options);

  // ---- Marks ------------------------------------------------------------------------------------------------------
  void UpdateState(TensorId state, TensorId value) { state_updates_.push_back({state, value}); }

  // Any node with one output, unchecked, its shape given; for the derivative rules. An equal
  // elementwise node or channel sum that is already there is returned instead.
  TensorId AddNode(Op op, absl::string_view name, std::vector<TensorId> inputs,
                   Attributes attributes, Shape shape);
  // Makes one node another operation with the same results, for rewrites. Its inputs come before
  // it, or are leaves.
  void ReplaceNode(int index, Node node) { nodes_[index] = std::move(node); }
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
  // The formula in the operands it really uses, each once, in ascending order: equal computations
  // become equal nodes.
  Expr Canonical(Expr formula, std::vector<TensorId>& operands) const;
  int NewNode(Op op, absl::string_view name, std::vector<TensorId> inputs, Attributes attributes);

  std::shared_ptr<autodiff::symbolic::Pool> pool_;
  std::vector<Node> nodes_;
  std::vector<TensorInfo> tensors_;
  std::vector<TensorId> parameters_, states_, inputs_;
  std::vector<StateUpdate> state_updates_;
  absl::flat_hash_map<std::string, TensorId> interned_;  // equal nodes are made once
};

const char* OpName(Op op);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_GRAPH_H_
