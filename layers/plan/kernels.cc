#include "layers/plan/kernels.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#include "base/element_type.h"
#include "base/parallel.h"

namespace cotangent::layers {
namespace {

// Calls body(T*) with a null pointer of the buffer's element type, which only carries the type.
template <typename Body>
void WithElementType(const Buffer& buffer, Body body) {
  if (buffer.format.type == ElementType::kBf16) {
    body(static_cast<Bf16*>(nullptr));
  } else {
    body(static_cast<float*>(nullptr));
  }
}

int64_t Height(const Buffer& b) { return b.shape.rank() == 4 ? b.shape[2] : 1; }
int64_t Width(const Buffer& b) { return b.shape.rank() == 4 ? b.shape[3] : 1; }
int64_t ElementsPerImage(const Buffer& b) { return b.shape.NumElements() / b.shape[0]; }

// Where a padded line or column comes from: its index in [0, size), or -1 for a zero.
int64_t SourceIndex(PadMode mode, int64_t index, int64_t size) {
  if (index >= 0 && index < size) return index;
  switch (mode) {
    case PadMode::kZeros:
      return -1;
    case PadMode::kCircular:
      return (index % size + size) % size;
    case PadMode::kReflect:
      return index < 0 ? -index : 2 * (size - 1) - index;
  }
  return -1;
}

// Where a line or column went in the padded image: at most to three places, as padding is no longer
// than the image.
struct Copies {
  std::array<int64_t, 3> at;
  int count = 0;
};
Copies CopiesOf(PadMode mode, int64_t index, int64_t size, int64_t before, int64_t after) {
  Copies copies;
  const auto add = [&](int64_t place) {
    if (place >= -before && place < size + after) copies.at[copies.count++] = place + before;
  };
  add(index);
  if (mode == PadMode::kCircular) add(index - size), add(index + size);
  if (mode == PadMode::kReflect && index > 0) add(-index);
  if (mode == PadMode::kReflect && index < size - 1) add(2 * (size - 1) - index);
  return copies;
}

// The sum of values in double, of every row of f32 [N, K], scaled: mean over the batch of weights.
double WeightOf(const LossAttributes& attributes, int32_t label) {
  return attributes.class_weights.empty() ? 1.0 : attributes.class_weights[label];
}

// log(sum_k exp(x_k)) without overflow.
double LogSumExp(const float* x, int64_t count) {
  double largest = x[0];
  for (int64_t k = 1; k < count; ++k) largest = std::max<double>(largest, x[k]);
  double sum = 0;
  for (int64_t k = 0; k < count; ++k) sum += std::exp(x[k] - largest);
  return largest + std::log(sum);
}

// PyTorch's cross_entropy with label smoothing s: (1 - s) w_y (-log p_y) + s / K sum_k w_k (-log
// p_k), over sum of w_y.
double CrossEntropyRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                       double total_weight, float* gradient) {
  const double log_sum = LogSumExp(x, classes), s = a.label_smoothing;
  double loss = 0, target_sum = 0;
  for (int64_t k = 0; k < classes; ++k) {
    const double t = (s / classes) * WeightOf(a, static_cast<int32_t>(k)) +
                     (k == label ? (1 - s) * WeightOf(a, label) : 0);
    loss += t * (log_sum - x[k]);
    target_sum += t;
  }
  for (int64_t k = 0; k < classes; ++k) {
    const double t = (s / classes) * WeightOf(a, static_cast<int32_t>(k)) +
                     (k == label ? (1 - s) * WeightOf(a, label) : 0);
    gradient[k] = static_cast<float>((std::exp(x[k] - log_sum) * target_sum - t) / total_weight);
  }
  return loss / total_weight;
}

double HingeRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                double total_weight, float* gradient) {
  double loss = 0, active = 0;
  const double weight = WeightOf(a, label) / total_weight;
  for (int64_t k = 0; k < classes; ++k) {
    const double slack = a.margin + x[k] - x[label];
    const bool counts = k != label && !(slack <= 0);
    if (counts) loss += slack, active += 1;
    gradient[k] = static_cast<float>(counts ? weight : 0);
  }
  gradient[label] = static_cast<float>(-active * weight);
  return loss * weight;
}

// Against the one-hot target, mean over classes too, as PyTorch's mse_loss.
double MeanSquaredErrorRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                           double total_weight, float* gradient) {
  const double weight = WeightOf(a, label) / total_weight / classes;
  double loss = 0;
  for (int64_t k = 0; k < classes; ++k) {
    const double difference = x[k] - (k == label ? 1.0 : 0.0);
    loss += difference * difference;
    gradient[k] = static_cast<float>(2 * difference * weight);
  }
  return loss * weight;
}

// (1 - p)^gamma (-log p) for p the probability of the label (Lin et al., "Focal loss for dense
// object detection", 2017).
double FocalRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
                double total_weight, float* gradient) {
  const double log_sum = LogSumExp(x, classes), weight = WeightOf(a, label) / total_weight;
  const double log_p = x[label] - log_sum, p = std::exp(log_p), rest = -std::expm1(log_p);
  const double power = std::pow(rest, a.gamma);
  // d loss / d log p = gamma (1 - p)^(gamma - 1) p log p - (1 - p)^gamma.
  const double inner = rest > 0 ? a.gamma * std::pow(rest, a.gamma - 1) * p * log_p : 0;
  const double slope = (inner - power) * weight;
  for (int64_t k = 0; k < classes; ++k)
    gradient[k] = static_cast<float>(slope * ((k == label ? 1.0 : 0.0) - std::exp(x[k] - log_sum)));
  return -power * log_p * weight;
}

double LossRow(const LossAttributes& a, const float* x, int64_t classes, int32_t label,
               double total_weight, float* gradient) {
  switch (a.kind) {
    case LossKind::kSoftmaxCrossEntropy:
      return CrossEntropyRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kHinge:
      return HingeRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kMeanSquaredError:
      return MeanSquaredErrorRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kFocal:
      return FocalRow(a, x, classes, label, total_weight, gradient);
    case LossKind::kFormula:
      break;
  }
  return 0;
}

// SplitMix64's finaliser (Steele, Lea, Flood, "Fast splittable pseudorandom number generators",
// 2014).
uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

}  // namespace

void PadForward(PadMode mode, const Padding& padding, const Buffer& x, const Buffer& y) {
  const int64_t channels = x.shape[1], height = Height(y), width = Width(y);
  WithElementType(x, [&]<typename T>(T*) {
    ParallelRanges(
        x.shape[0], LeastItems(x.shape.NumElements() / x.shape[0]),
        [&](int64_t begin, int64_t end) {
          for (int64_t n = begin; n < end; ++n) {
            for (int64_t h = 0; h < height; ++h) {
              const int64_t from_h = SourceIndex(mode, h - padding.top, Height(x));
              for (int64_t w = 0; w < width; ++w) {
                const int64_t from_w = SourceIndex(mode, w - padding.left, Width(x));
                T* to = y.as<T>() + ((n * height + h) * width + w) * channels;
                if (from_h < 0 || from_w < 0) {
                  std::memset(to, 0, channels * sizeof(T));
                } else {
                  std::memcpy(to,
                              x.as<T>() + ((n * Height(x) + from_h) * Width(x) + from_w) * channels,
                              channels * sizeof(T));
                }
              }
            }
          }
        });
  });
}

void PadBackward(PadMode mode, const Padding& padding, const Buffer& dy, const Buffer& dx) {
  const int64_t channels = dx.shape[1], height = Height(dx), width = Width(dx);
  WithElementType(dx, [&]<typename T>(T*) {
    ParallelRanges(
        dx.shape[0] * height, LeastItems(width * channels), [&](int64_t begin, int64_t end) {
          for (int64_t line = begin; line < end; ++line) {
            const int64_t n = line / height;
            const Copies lines = CopiesOf(mode, line % height, height, padding.top, padding.bottom);
            for (int64_t w = 0; w < width; ++w) {
              const Copies columns = CopiesOf(mode, w, width, padding.left, padding.right);
              T* to = dx.as<T>() + (line * width + w) * channels;
              for (int64_t c = 0; c < channels; ++c) {
                float sum = 0;
                for (int i = 0; i < lines.count; ++i) {
                  for (int j = 0; j < columns.count; ++j)
                    sum += static_cast<float>(
                        dy.as<T>()[((n * Height(dy) + lines.at[i]) * Width(dy) + columns.at[j]) *
                                       channels +
                                   c]);
                }
                to[c] = static_cast<T>(sum);
              }
            }
          }
        });
  });
}

void CopyChannels(const Buffer& from, int64_t from_channel, const Buffer& to, int64_t to_channel,
                  int64_t count) {
  const int64_t pixels = from.shape[0] * Height(from) * Width(from), size = Bytes(from.format.type);
  const int64_t from_stride = from.shape[1] * size, to_stride = to.shape[1] * size;
  ParallelRanges(pixels, LeastItems(count), [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p) {
      std::memcpy(to.data + p * to_stride + to_channel * size,
                  from.data + p * from_stride + from_channel * size, count * size);
    }
  });
}

void MaxPoolGather(const PoolWindow& window, const Buffer& x, const Buffer& position,
                   const Buffer& y) {
  const int64_t channels = y.shape[1], height = Height(y), width = Width(y);
  WithElementType(x, [&]<typename T>(T*) {
    ParallelRanges(
        y.shape[0] * height * width, LeastItems(channels), [&](int64_t begin, int64_t end) {
          for (int64_t pixel = begin; pixel < end; ++pixel) {
            const int64_t n = pixel / (height * width), h = pixel / width % height,
                          w = pixel % width;
            for (int64_t c = 0; c < channels; ++c) {
              const int64_t at = pixel * channels + c;
              const int64_t cell = position.format.type == ElementType::kU8
                                       ? position.as<uint8_t>()[at]
                                       : position.as<int32_t>()[at];
              const int64_t from_h =
                  h * window.stride_height + cell / window.width - window.padding.top;
              const int64_t from_w =
                  w * window.stride_width + cell % window.width - window.padding.left;
              y.as<T>()[at] =
                  x.as<T>()[((n * Height(x) + from_h) * Width(x) + from_w) * channels + c];
            }
          }
        });
  });
}

void SetToZero(const Buffer& x) { std::memset(x.data, 0, x.bytes()); }

void LayerNormForward(double epsilon, const Buffer& x, const Buffer& y, float* mean,
                      float* inverse_deviation) {
  const int64_t count = ElementsPerImage(x);
  WithElementType(x, [&]<typename T>(T*) {
    ParallelRanges(
        x.shape[0], LeastItems(x.shape.NumElements() / x.shape[0]),
        [&](int64_t begin, int64_t end) {
          for (int64_t n = begin; n < end; ++n) {
            const T* in = x.as<T>() + n * count;
            T* out = y.as<T>() + n * count;
            double sum = 0, squares = 0;
            for (int64_t i = 0; i < count; ++i) sum += static_cast<float>(in[i]);
            const double m = sum / count;
            for (int64_t i = 0; i < count; ++i)
              squares += (static_cast<float>(in[i]) - m) * (static_cast<float>(in[i]) - m);
            const double inverse = 1 / std::sqrt(squares / count + epsilon);
            mean[n] = static_cast<float>(m);
            inverse_deviation[n] = static_cast<float>(inverse);
            for (int64_t i = 0; i < count; ++i)
              out[i] =
                  static_cast<T>(static_cast<float>((static_cast<float>(in[i]) - m) * inverse));
          }
        });
  });
}

void LayerNormBackward(const Buffer& dy, const Buffer& y, const float* inverse_deviation,
                       const Buffer& dx) {
  const int64_t count = ElementsPerImage(y);
  WithElementType(y, [&]<typename T>(T*) {
    ParallelRanges(
        y.shape[0], LeastItems(y.shape.NumElements() / y.shape[0]),
        [&](int64_t begin, int64_t end) {
          for (int64_t n = begin; n < end; ++n) {
            const T* g = dy.as<T>() + n * count;
            const T* out = y.as<T>() + n * count;
            double sum = 0, product = 0;
            for (int64_t i = 0; i < count; ++i) {
              sum += static_cast<float>(g[i]);
              product += static_cast<double>(static_cast<float>(g[i])) * static_cast<float>(out[i]);
            }
            const float mean = static_cast<float>(sum / count),
                        slope = static_cast<float>(product / count), inverse = inverse_deviation[n];
            T* to = dx.as<T>() + n * count;
            for (int64_t i = 0; i < count; ++i)
              to[i] = static_cast<T>(
                  inverse * (static_cast<float>(g[i]) - mean - static_cast<float>(out[i]) * slope));
          }
        });
  });
}

void SoftmaxForward(const Buffer& x, const Buffer& y) {
  const int64_t classes = x.shape[1];
  ParallelRanges(
      x.shape[0], LeastItems(x.shape.NumElements() / x.shape[0]), [&](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
          const float* in = x.as<float>() + n * classes;
          const double log_sum = LogSumExp(in, classes);
          for (int64_t k = 0; k < classes; ++k)
            y.as<float>()[n * classes + k] = static_cast<float>(std::exp(in[k] - log_sum));
        }
      });
}

void SoftmaxBackward(const Buffer& dy, const Buffer& y, const Buffer& dx) {
  const int64_t classes = y.shape[1];
  ParallelRanges(y.shape[0], LeastItems(y.shape.NumElements() / y.shape[0]),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t n = begin; n < end; ++n) {
                     const float* g = dy.as<float>() + n * classes;
                     const float* p = y.as<float>() + n * classes;
                     double dot = 0;
                     for (int64_t k = 0; k < classes; ++k) dot += static_cast<double>(g[k]) * p[k];
                     for (int64_t k = 0; k < classes; ++k)
                       dx.as<float>()[n * classes + k] = static_cast<float>(p[k] * (g[k] - dot));
                   }
                 });
}

void DropoutMask(double rate, uint64_t seed, uint64_t stream, uint64_t step, const Buffer& mask) {
  const int64_t count = mask.shape.NumElements();
  const uint64_t key = Mix(Mix(Mix(seed) + stream) + step),
                 limit = static_cast<uint64_t>(rate * 18446744073709551616.0);
  const float keep = static_cast<float>(1 / (1 - rate));
  WithElementType(mask, [&]<typename T>(T*) {
    ParallelRanges(count, LeastItems(1), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        mask.as<T>()[i] =
            static_cast<T>(Mix(key + i * 0x9e3779b97f4a7c15ull) < limit ? 0.0f : keep);
    });
  });
}

void OneHot(const std::vector<double>& class_weights, const int32_t* labels, const Buffer& y) {
  SetToZero(y);
  for (int64_t n = 0; n < y.shape[0]; ++n) {
    y.as<float>()[n * y.shape[1] + labels[n]] =
        class_weights.empty() ? 1.0f : static_cast<float>(class_weights[labels[n]]);
  }
}

LossSums SumLosses(const LossAttributes& attributes, const Buffer& prediction,
                   const int32_t* labels) {
  const int64_t batch = prediction.shape[0], classes = prediction.shape[1];
  std::vector<float> gradient(classes);
  LossSums sums;
  for (int64_t n = 0; n < batch; ++n) {
    sums.loss += LossRow(attributes, prediction.as<float>() + n * classes, classes, labels[n], 1,
                         gradient.data());
    sums.weight += WeightOf(attributes, labels[n]);
  }
  return sums;
}

void Loss(const LossAttributes& attributes, const Buffer& prediction, const int32_t* labels,
          float* loss, const Buffer& gradient) {
  const int64_t batch = prediction.shape[0], classes = prediction.shape[1];
  double total_weight = 0, total = 0;
  for (int64_t n = 0; n < batch; ++n) total_weight += WeightOf(attributes, labels[n]);
  if (total_weight > 0) {
    for (int64_t n = 0; n < batch; ++n)
      total += LossRow(attributes, prediction.as<float>() + n * classes, classes, labels[n],
                       total_weight, gradient.as<float>() + n * classes);
  } else {
    SetToZero(gradient);
  }
  *loss = static_cast<float>(total);
}

}  // namespace cotangent::layers
