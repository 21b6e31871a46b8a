// A graph computed by plain loops over any scalar type: the truth that compiled plans are held
// against.
//
// Nothing here is shared with what it checks: neither kernels nor fusion nor layouts. Run with
// double it checks the forward values of a plan; run with reverse-mode variables or dual numbers,
// its derivatives check the gradient that vjp.h builds as a graph, itself computed here in double
// or by a plan.
//
//   ReferenceEvaluator<double> reference(graph);
//   reference.Give(images, pixels);
//   reference.GiveLabels(labels, {3, 1});
//   reference.Give(weight, values);
//   absl::Status status = reference.Compute({loss});
//   double value = reference.values(loss)[0];
//
// A scalar needs what autodiff/symbolic/evaluate.h asks of it.
#ifndef COTANGENT_LAYERS_GRAPH_REFERENCE_H_
#define COTANGENT_LAYERS_GRAPH_REFERENCE_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "autodiff/math.h"
#include "autodiff/symbolic/differentiate.h"
#include "autodiff/symbolic/evaluate.h"
#include "layers/graph/graph.h"
#include "tensor/reference.h"

namespace cotangent::layers {

// All tensors are row-major: images [N, C, H, W].
template <class T>
class ReferenceEvaluator {
 public:
  using Values = std::vector<T>;

  explicit ReferenceEvaluator(const Graph& graph)
      : graph_(graph), values_(graph.num_tensors()), indices_(graph.num_tensors()) {}

  // The value of a tensor from outside: of inputs, parameters, states and dropout masks it must be
  // given; any other that is given is not computed.
  void Give(TensorId t, Values values) { values_[t] = std::move(values); }
  // Class numbers.
  void GiveLabels(TensorId t, std::vector<int64_t> labels) { indices_[t] = std::move(labels); }

  // Computes the results and all they need. Errors: a leaf without a value, or with one of the
  // wrong size.
  absl::Status Compute(absl::Span<const TensorId> results);

  // Of a tensor that was given or computed.
  const Values& values(TensorId t) const { return values_[t]; }
  // The cell of its window at which each maximum of a kMaxPool lies.
  const std::vector<int64_t>& positions(TensorId t) const { return indices_[t]; }

 private:
  bool IsKnown(TensorId t) const { return !values_[t].empty() || !indices_[t].empty(); }
  int64_t Elements(TensorId t) const { return graph_.shape(t).NumElements(); }
  // Numbers of channels, and of pixels in each.
  int64_t Channels(TensorId t) const { return graph_.shape(t)[1]; }
  int64_t Pixels(TensorId t) const {
    return Elements(t) / (graph_.shape(t)[0] * graph_.shape(t)[1]);
  }

  absl::Status Evaluate(const Node& node);
  absl::Status Elementwise(const Node& node);
  void ChannelSum(const Node& node);
  void Moments(const Node& node);
  tensor::PoolShape PoolOf(const Node& node, TensorId fine) const;
  void MaxPool(const Node& node);
  // Calls visit(fine index, coarse index) for every maximum.
  template <class Visit>
  void ForEachMaximum(const Node& node, TensorId fine, TensorId position, Visit visit);
  // Calls visit(fine index, coarse index, share) for every true pixel of an average pool's windows.
  template <class Visit>
  void ForEachAveraged(const Node& node, TensorId fine, Visit visit);
  // Calls visit(inner index, outer index) for every pixel of the padded image that is a copy of one
  // of the inner image.
  template <class Visit>
  void ForEachPadded(const Node& node, TensorId inner, TensorId outer, Visit visit);
  // Calls visit(whole index, part index) for the channels [begin, begin + channels of part).
  template <class Visit>
  void ForEachOfSlice(TensorId whole, TensorId part, int64_t begin, Visit visit);
  void LayerNorm(const Node& node);
  void LayerNormGradient(const Node& node);
  void Softmax(const Node& node);
  void SoftmaxGradient(const Node& node);
  absl::Status Loss(const Node& node);
  // Loss of one row of predictions, unweighted by the batch, and its gradient.
  std::pair<T, Values> LossOfRow(const LossAttributes& loss, const Values& x, int64_t label) const;

  Values Zeros(TensorId t) const { return Values(Elements(t), T(0.0)); }
  static Values Probabilities(const Values& x);
  static Values LogProbabilities(const Values& x);

  const Graph& graph_;
  std::vector<Values> values_;
  std::vector<std::vector<int64_t>> indices_;  // labels and positions
};

template <class T>
absl::Status ReferenceEvaluator<T>::Compute(absl::Span<const TensorId> results) {
  std::vector<bool> needed(graph_.nodes().size(), false);
  for (TensorId t : results) needed[graph_.tensor(t).node] = true;
  for (int i = static_cast<int>(graph_.nodes().size()) - 1; i >= 0; --i) {
    const Node& node = graph_.node(i);
    needed[i] = needed[i] && !IsKnown(node.outputs[0]);
    if (!needed[i]) continue;
    for (TensorId t : node.inputs) needed[graph_.tensor(t).node] = true;
  }
  for (size_t i = 0; i < needed.size(); ++i) {
    if (!needed[i]) continue;
    for (TensorId t : graph_.node(static_cast<int>(i)).inputs) {
      if (static_cast<int64_t>(values_[t].size() + indices_[t].size()) == Elements(t)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("'", graph_.tensor(t).name, "' has ", values_[t].size() + indices_[t].size(),
                       " values; its shape is ", graph_.shape(t).ToString()));
    }
    if (absl::Status status = Evaluate(graph_.node(static_cast<int>(i))); !status.ok())
      return status;
  }
  return absl::OkStatus();
}

template <class T>
absl::Status ReferenceEvaluator<T>::Evaluate(const Node& node) {
  namespace plain = tensor::reference;
  const tensor::ConvolutionShape& convolution = node.attributes.convolution;
  const TensorId out = node.outputs[0];
  const auto in = [&](int i) -> const Values& { return values_[node.inputs[i]]; };
  Values y = Zeros(out);
  switch (node.op) {
    case Op::kInput:
    case Op::kParameter:
    case Op::kState:
    case Op::kDropoutMask:
      return absl::InvalidArgumentError(absl::StrCat("'", graph_.tensor(out).name, "' (",
                                                     OpName(node.op), ") was not given a value"));
    case Op::kConstant:
      y.assign(Elements(out), T(node.attributes.value));
      break;
    case Op::kElementwise:
      return Elementwise(node);
    case Op::kChannelSum:
      ChannelSum(node);
      return absl::OkStatus();
    case Op::kMoments:
      Moments(node);
      return absl::OkStatus();
    case Op::kConvolution:
      y = plain::ConvolutionForward<T>(convolution, in(0), in(1));
      break;
    case Op::kConvolutionInputGradient:
      y = plain::ConvolutionInputGradient<T>(convolution, in(0), in(1));
      break;
    case Op::kConvolutionWeightGradient:
      y = plain::ConvolutionWeightGradient<T>(convolution, in(0), in(1));
      break;
    case Op::kMaxPool:
      MaxPool(node);
      return absl::OkStatus();
    case Op::kMaxPoolGather:
      ForEachMaximum(node, node.inputs[0], node.inputs[1],
                     [&](int64_t fine, int64_t coarse) { y[coarse] = in(0)[fine]; });
      break;
    case Op::kMaxUnpool:
      ForEachMaximum(node, out, node.inputs[1],
                     [&](int64_t fine, int64_t coarse) { y[fine] = y[fine] + in(0)[coarse]; });
      break;
    case Op::kAveragePool:
      ForEachAveraged(node, node.inputs[0], [&](int64_t fine, int64_t coarse, double share) {
        y[coarse] = y[coarse] + T(share) * in(0)[fine];
      });
      break;
    case Op::kAverageUnpool:
      ForEachAveraged(node, out, [&](int64_t fine, int64_t coarse, double share) {
        y[fine] = y[fine] + T(share) * in(0)[coarse];
      });
      break;
    case Op::kPad:
      ForEachPadded(node, node.inputs[0], out,
                    [&](int64_t inner, int64_t outer) { y[outer] = in(0)[inner]; });
      break;
    case Op::kUnpad:
      ForEachPadded(node, out, node.inputs[0],
                    [&](int64_t inner, int64_t outer) { y[inner] = y[inner] + in(0)[outer]; });
      break;
    case Op::kConcat: {
      int64_t begin = 0;
      for (TensorId x : node.inputs) {
        ForEachOfSlice(out, x, begin,
                       [&](int64_t whole, int64_t part) { y[whole] = values_[x][part]; });
        begin += Channels(x);
      }
      break;
    }
    case Op::kSlice:
      ForEachOfSlice(node.inputs[0], out, node.attributes.begin,
                     [&](int64_t whole, int64_t part) { y[part] = in(0)[whole]; });
      break;
    case Op::kUnslice:
      ForEachOfSlice(out, node.inputs[0], node.attributes.begin,
                     [&](int64_t whole, int64_t part) { y[whole] = in(0)[part]; });
      break;
    case Op::kReshape:
      y = in(0);
      break;
    case Op::kLayerNorm:
      LayerNorm(node);
      return absl::OkStatus();
    case Op::kLayerNormGradient:
      LayerNormGradient(node);
      return absl::OkStatus();
    case Op::kSoftmax:
      Softmax(node);
      return absl::OkStatus();
    case Op::kSoftmaxGradient:
      SoftmaxGradient(node);
      return absl::OkStatus();
    case Op::kOneHot: {
      const std::vector<double>& weights = node.attributes.loss.class_weights;
      const std::vector<int64_t>& labels = indices_[node.inputs[0]];
      for (size_t n = 0; n < labels.size(); ++n)
        y[n * Channels(out) + labels[n]] = T(weights.empty() ? 1.0 : weights[labels[n]]);
      break;
    }
    case Op::kLoss:
      return Loss(node);
  }
  values_[out] = std::move(y);
  return absl::OkStatus();
}

template <class T>
absl::Status ReferenceEvaluator<T>::Elementwise(const Node& node) {
  std::vector<Expr> variables;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    variables.push_back(graph_.Operand(static_cast<int>(i)));
  const absl::StatusOr<autodiff::symbolic::Program> program =
      autodiff::symbolic::Program::Create({node.attributes.formula}, variables);
  if (!program.ok()) return program.status();
  const TensorId out = node.outputs[0];
  const Shape& shape = graph_.shape(out);
  const int64_t pixels = shape.rank() >= 2 ? Pixels(out) : 1,
                channels = shape.rank() >= 2 ? Channels(out) : 1;
  Values y, point;
  for (int64_t i = 0; i < Elements(out); ++i) {
    point.clear();
    for (TensorId x : node.inputs) {
      const bool per_channel = graph_.shape(x).rank() == 1 && shape.rank() >= 2;
      const int64_t index = graph_.shape(x).rank() == 0 ? 0
                            : per_channel               ? i / pixels % channels
                                                        : i;
      point.push_back(values_[x][index]);
    }
    y.push_back(program->template Evaluate<T>(point)[0]);
  }
  values_[out] = std::move(y);
  return absl::OkStatus();
}

template <class T>
void ReferenceEvaluator<T>::ChannelSum(const Node& node) {
  const TensorId x = node.inputs[0];
  Values sum = Zeros(node.outputs[0]);
  for (int64_t i = 0; i < Elements(x); ++i) {
    T& total = sum[i / Pixels(x) % Channels(x)];
    total = total + values_[x][i];
  }
  values_[node.outputs[0]] = std::move(sum);
}

template <class T>
void ReferenceEvaluator<T>::Moments(const Node& node) {
  const TensorId x = node.inputs[0];
  const T share(1.0 / (Elements(x) / Channels(x)));
  Values mean(Channels(x), T(0.0)), variance(Channels(x), T(0.0));
  const auto channel = [&](int64_t i) { return i / Pixels(x) % Channels(x); };
  for (int64_t i = 0; i < Elements(x); ++i)
    mean[channel(i)] = mean[channel(i)] + share * values_[x][i];
  for (int64_t i = 0; i < Elements(x); ++i) {
    const T deviation = values_[x][i] - mean[channel(i)];
    variance[channel(i)] = variance[channel(i)] + share * deviation * deviation;
  }
  values_[node.outputs[0]] = std::move(mean);
  values_[node.outputs[1]] = std::move(variance);
}

template <class T>
tensor::PoolShape ReferenceEvaluator<T>::PoolOf(const Node& node, TensorId fine) const {
  const PoolWindow& w = node.attributes.window;
  const Shape& s = graph_.shape(fine);
  return {s[0],
          s[1],
          s[2],
          s[3],
          w.height,
          w.width,
          w.stride_height,
          w.stride_width,
          w.padding.top,
          w.padding.bottom,
          w.padding.left,
          w.padding.right};
}

template <class T>
void ReferenceEvaluator<T>::MaxPool(const Node& node) {
  const tensor::PoolShape pool = PoolOf(node, node.inputs[0]);
  const Values& x = values_[node.inputs[0]];
  Values y = Zeros(node.outputs[0]);
  std::vector<int64_t> position(y.size());
  tensor::reference::ForEachWindowPixel(pool, [&](int64_t i, int64_t o, bool first) {
    if (!first && !(y[o] < x[i])) return;
    const int64_t in_y = i / pool.in_width % pool.in_height, in_x = i % pool.in_width;
    const int64_t out_y = o / pool.out_width() % pool.out_height(), out_x = o % pool.out_width();
    y[o] = x[i];
    position[o] = (in_y + pool.pad_top - out_y * pool.stride_height) * pool.window_width + in_x +
                  pool.pad_left - out_x * pool.stride_width;
  });
  values_[node.outputs[0]] = std::move(y);
  indices_[node.outputs[1]] = std::move(position);
}

template <class T>
template <class Visit>
void ReferenceEvaluator<T>::ForEachMaximum(const Node& node, TensorId fine, TensorId position,
                                           Visit visit) {
  const tensor::PoolShape pool = PoolOf(node, fine);
  for (size_t o = 0; o < indices_[position].size(); ++o) {
    const int64_t cell = indices_[position][o], out_width = pool.out_width(),
                  out_height = pool.out_height(), coarse = static_cast<int64_t>(o);
    const int64_t image = coarse / (out_width * out_height);
    const int64_t in_y = coarse / out_width % out_height * pool.stride_height +
                         cell / pool.window_width - pool.pad_top;
    const int64_t in_x =
        coarse % out_width * pool.stride_width + cell % pool.window_width - pool.pad_left;
    visit((image * pool.in_height + in_y) * pool.in_width + in_x, coarse);
  }
}

template <class T>
template <class Visit>
void ReferenceEvaluator<T>::ForEachAveraged(const Node& node, TensorId fine, Visit visit) {
  const tensor::PoolShape pool = PoolOf(node, fine);
  std::vector<int64_t> true_pixels(pool.out().NumElements(), 0);
  tensor::reference::ForEachWindowPixel(pool, [&](int64_t, int64_t o, bool) { ++true_pixels[o]; });
  const int64_t cells = pool.window_height * pool.window_width;
  tensor::reference::ForEachWindowPixel(pool, [&](int64_t i, int64_t o, bool) {
    visit(i, o,
          1.0 / static_cast<double>(node.attributes.window.count_padding ? cells : true_pixels[o]));
  });
}

template <class T>
template <class Visit>
void ReferenceEvaluator<T>::ForEachPadded(const Node& node, TensorId inner, TensorId outer,
                                          Visit visit) {
  // The inner line or column that `index` of the outer image copies; -1: none.
  const auto source = [&](int64_t index, int64_t size) -> int64_t {
    if (node.attributes.pad_mode == PadMode::kCircular) return (index + size) % size;
    if (node.attributes.pad_mode == PadMode::kReflect)
      return index < 0 ? -index : index >= size ? 2 * size - 2 - index : index;
    return index < 0 || index >= size ? -1 : index;
  };
  const Shape& small = graph_.shape(inner);
  const Shape& large = graph_.shape(outer);
  for (int64_t o = 0; o < Elements(outer); ++o) {
    const int64_t y = source(o / large[3] % large[2] - node.attributes.padding.top, small[2]);
    const int64_t x = source(o % large[3] - node.attributes.padding.left, small[3]);
    if (y >= 0 && x >= 0) visit((o / (large[2] * large[3]) * small[2] + y) * small[3] + x, o);
  }
}

template <class T>
template <class Visit>
void ReferenceEvaluator<T>::ForEachOfSlice(TensorId whole, TensorId part, int64_t begin,
                                           Visit visit) {
  const int64_t pixels = Pixels(part);
  for (int64_t i = 0; i < Elements(part); ++i) {
    const int64_t n = i / (Channels(part) * pixels), channel = i / pixels % Channels(part);
    visit((n * Channels(whole) + begin + channel) * pixels + i % pixels, i);
  }
}

template <class T>
void ReferenceEvaluator<T>::LayerNorm(const Node& node) {
  using namespace autodiff::functions;  // NOLINT: the functions T does not bring itself
  const Values& x = values_[node.inputs[0]];
  const int64_t batch = graph_.shape(node.inputs[0])[0],
                count = static_cast<int64_t>(x.size()) / batch;
  Values y, means, inverses;
  for (int64_t n = 0; n < batch; ++n) {
    T mean(0.0), variance(0.0);
    for (int64_t i = n * count; i < (n + 1) * count; ++i) mean = mean + x[i] * T(1.0 / count);
    for (int64_t i = n * count; i < (n + 1) * count; ++i)
      variance = variance + (x[i] - mean) * (x[i] - mean) * T(1.0 / count);
    const T inverse = T(1.0) / sqrt(variance + T(node.attributes.epsilon));
    for (int64_t i = n * count; i < (n + 1) * count; ++i) y.push_back((x[i] - mean) * inverse);
    means.push_back(mean);
    inverses.push_back(inverse);
  }
  values_[node.outputs[0]] = std::move(y);
  values_[node.outputs[1]] = std::move(means);
  values_[node.outputs[2]] = std::move(inverses);
}

template <class T>
void ReferenceEvaluator<T>::LayerNormGradient(const Node& node) {
  const Values &dy = values_[node.inputs[0]], &y = values_[node.inputs[1]],
               &inverse = values_[node.inputs[2]];
  const int64_t count = static_cast<int64_t>(y.size() / inverse.size());
  Values dx;
  for (size_t n = 0; n < inverse.size(); ++n) {
    T mean(0.0), slope(0.0);
    for (int64_t i = n * count; i < static_cast<int64_t>(n + 1) * count; ++i) {
      mean = mean + dy[i] * T(1.0 / count);
      slope = slope + dy[i] * y[i] * T(1.0 / count);
    }
    for (int64_t i = n * count; i < static_cast<int64_t>(n + 1) * count; ++i)
      dx.push_back(inverse[n] * (dy[i] - mean - y[i] * slope));
  }
  values_[node.outputs[0]] = std::move(dx);
}

// ln p_k = x_k - ln sum_j exp(x_j), which is finite with all its derivatives where p_k itself is
// too small for a number. The largest x is subtracted first: it changes neither the value nor,
// since the terms cancel, any derivative.
template <class T>
std::vector<T> ReferenceEvaluator<T>::LogProbabilities(const Values& x) {
  using namespace autodiff::functions;  // NOLINT: the functions T does not bring itself
  T largest = x[0], sum(0.0);
  for (const T& value : x) {
    if (largest < value) largest = value;
  }
  for (const T& value : x) sum = sum + exp(value - largest);
  Values logs;
  for (const T& value : x) logs.push_back(value - largest - log(sum));
  return logs;
}

template <class T>
std::vector<T> ReferenceEvaluator<T>::Probabilities(const Values& x) {
  using namespace autodiff::functions;  // NOLINT: the functions T does not bring itself
  Values p = LogProbabilities(x);
  for (T& value : p) value = exp(value);
  return p;
}

template <class T>
void ReferenceEvaluator<T>::Softmax(const Node& node) {
  const Values& x = values_[node.inputs[0]];
  const int64_t classes = Channels(node.inputs[0]);
  Values y;
  for (size_t row = 0; row < x.size(); row += classes) {
    for (const T& p : Probabilities(Values(x.begin() + row, x.begin() + row + classes)))
      y.push_back(p);
  }
  values_[node.outputs[0]] = std::move(y);
}

template <class T>
void ReferenceEvaluator<T>::SoftmaxGradient(const Node& node) {
  const Values &dy = values_[node.inputs[0]], &y = values_[node.inputs[1]];
  const int64_t classes = Channels(node.inputs[0]);
  Values dx;
  for (size_t row = 0; row < y.size(); row += classes) {
    T dot(0.0);
    for (int64_t k = 0; k < classes; ++k) dot = dot + dy[row + k] * y[row + k];
    for (int64_t k = 0; k < classes; ++k) dx.push_back(y[row + k] * (dy[row + k] - dot));
  }
  values_[node.outputs[0]] = std::move(dx);
}

template <class T>
std::pair<T, std::vector<T>> ReferenceEvaluator<T>::LossOfRow(const LossAttributes& a,
                                                              const Values& x,
                                                              int64_t label) const {
  using namespace autodiff::functions;  // NOLINT: the functions T does not bring itself
  const int64_t classes = static_cast<int64_t>(x.size());
  const auto weight = [&](int64_t k) { return a.class_weights.empty() ? 1.0 : a.class_weights[k]; };
  const auto target = [&](int64_t k) { return k == label ? 1.0 : 0.0; };
  T loss(0.0);
  Values gradient(classes, T(0.0));
  switch (a.kind) {
    case LossKind::kSoftmaxCrossEntropy: {
      // -sum_k t_k w_k ln p_k for the smoothed target t.
      const Values p = Probabilities(x), log_p = LogProbabilities(x);
      for (int64_t k = 0; k < classes; ++k) {
        const double t =
            weight(k) * ((1 - a.label_smoothing) * target(k) + a.label_smoothing / classes);
        loss = loss - T(t) * log_p[k];
        for (int64_t j = 0; j < classes; ++j)
          gradient[j] = gradient[j] + T(t) * (p[j] - T(k == j ? 1.0 : 0.0));
      }
      break;
    }
    case LossKind::kHinge:
      for (int64_t k = 0; k < classes; ++k) {
        const T slack = T(a.margin) + x[k] - x[label];
        if (k == label || !(T(0.0) < slack)) continue;
        loss = loss + T(weight(label)) * slack;
        gradient[k] = gradient[k] + T(weight(label));
        gradient[label] = gradient[label] - T(weight(label));
      }
      break;
    case LossKind::kMeanSquaredError:
      for (int64_t k = 0; k < classes; ++k) {
        const T difference = x[k] - T(target(k));
        loss = loss + T(weight(label) / classes) * difference * difference;
        gradient[k] = T(2 * weight(label) / classes) * difference;
      }
      break;
    case LossKind::kFocal: {
      const Values p = Probabilities(x);
      const T rest = T(1.0) - p[label], log_p = LogProbabilities(x)[label];
      loss = -(T(weight(label)) * pow(rest, T(a.gamma)) * log_p);
      // By ln p of the label: d ln p / d x_k = [k = label] - p_k.
      const T slope =
          T(weight(label)) *
          (T(a.gamma) * pow(rest, T(a.gamma - 1)) * log_p * p[label] - pow(rest, T(a.gamma)));
      for (int64_t k = 0; k < classes; ++k) gradient[k] = slope * (T(target(k)) - p[k]);
      break;
    }
    case LossKind::kFormula:
      break;  // of all predictions at once: Loss()
  }
  return {loss, gradient};
}

template <class T>
absl::Status ReferenceEvaluator<T>::Loss(const Node& node) {
  const LossAttributes& a = node.attributes.loss;
  const Values& x = values_[node.inputs[0]];
  const std::vector<int64_t>& labels = indices_[node.inputs[1]];
  const int64_t batch = static_cast<int64_t>(labels.size()), classes = Channels(node.inputs[0]);
  T loss(0.0);
  Values gradient;
  if (a.kind == LossKind::kFormula) {
    const Expr prediction = graph_.Operand(0), target = graph_.Operand(1);
    const absl::StatusOr<autodiff::symbolic::Program> program = autodiff::symbolic::Program::Create(
        {a.formula, autodiff::symbolic::Differentiate(a.formula, prediction)},
        {prediction, target});
    if (!program.ok()) return program.status();
    const T share(1.0 / x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const Values both = program->template Evaluate<T>(
          Values{x[i], T(labels[i / classes] == static_cast<int64_t>(i) % classes ? 1.0 : 0.0)});
      loss = loss + share * both[0];
      gradient.push_back(share * both[1]);
    }
  } else {
    double total_weight = 0;
    for (int64_t label : labels)
      total_weight += a.class_weights.empty() ? 1.0 : a.class_weights[label];
    const T share(total_weight > 0 ? 1.0 / total_weight : 0.0);  // without any weight the loss is 0
    for (int64_t n = 0; n < batch; ++n) {
      const auto [row_loss, row_gradient] =
          LossOfRow(a, Values(x.begin() + n * classes, x.begin() + (n + 1) * classes), labels[n]);
      loss = loss + share * row_loss;
      for (const T& g : row_gradient) gradient.push_back(share * g);
    }
  }
  values_[node.outputs[0]] = {loss};
  values_[node.outputs[1]] = std::move(gradient);
  return absl::OkStatus();
}

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_GRAPH_REFERENCE_H_
