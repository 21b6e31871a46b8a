// The operations that are neither convolutions (tensor/convolution.h), pools (tensor/pool.h) nor
// fused passes (pass.h).
//
// Images are in NHWC, f32 or bf16; features [N, K] likewise. All run in parallel over the batch.
#ifndef COTANGENT_LAYERS_PLAN_KERNELS_H_
#define COTANGENT_LAYERS_PLAN_KERNELS_H_

#include <cstdint>
#include <vector>

#include "layers/graph/graph.h"
#include "layers/plan/buffer.h"

namespace cotangent::layers {

// y = x with a border by `mode`; negative padding crops.
void PadForward(PadMode mode, const Padding& padding, const Buffer& x, const Buffer& y);
// dx = the sum of dy over all the places each element of x was copied to.
void PadBackward(PadMode mode, const Padding& padding, const Buffer& dy, const Buffer& dx);

// Channels [from_channel, from_channel + count) of `from` become channels [to_channel, ...) of
// `to`.
void CopyChannels(const Buffer& from, int64_t from_channel, const Buffer& to, int64_t to_channel,
                  int64_t count);
// y = the element of each window of x that `position` (u8 or s32: row * window width + column)
// names.
void MaxPoolGather(const PoolWindow& window, const Buffer& x, const Buffer& position,
                   const Buffer& y);
// Sets all of a tensor to zero.
void SetToZero(const Buffer& x);

// y = (x - mean) * inverse_deviation with, for each n, the mean and 1 / sqrt(variance + epsilon)
// over all other axes (Ba, Kiros, Hinton, "Layer normalization", 2016).
void LayerNormForward(double epsilon, const Buffer& x, const Buffer& y, float* mean,
                      float* inverse_deviation);
// dx = inverse_deviation * (dy - mean(dy) - y mean(dy y)).
void LayerNormBackward(const Buffer& dy, const Buffer& y, const float* inverse_deviation,
                       const Buffer& dx);

// y_k = exp(x_k) / sum_j exp(x_j), computed without overflow; f32 [N, K].
void SoftmaxForward(const Buffer& x, const Buffer& y);
// dx = y (dy - sum_j dy_j y_j).
void SoftmaxBackward(const Buffer& dy, const Buffer& y, const Buffer& dx);

// 0 with probability `rate`, else 1 / (1 - rate): element i of step `step` is a pure function of
// (seed, stream, step, i).
void DropoutMask(double rate, uint64_t seed, uint64_t stream, uint64_t step, const Buffer& mask);

// y [N, K] = in the column of each label the weight of its class (1 where there are no weights),
// else 0.
void OneHot(const std::vector<double>& class_weights, const int32_t* labels, const Buffer& y);

// The mean loss, weighted by class, of f32 predictions [N, K] against class numbers labels [N], and
// its gradient by the prediction. Summed in double, in a fixed order. A batch in which no image has
// weight has the loss 0 and the gradient 0. kFormula is not among them.
void Loss(const LossAttributes& attributes, const Buffer& prediction, const int32_t* labels,
          float* loss, const Buffer& gradient);

// The loss is loss / weight, summed over as many batches as there are: so that of a data set does
// not depend on how it is cut into batches. kFormula is not among them.
struct LossSums {
  double loss = 0;    // sum over n of the weighted loss of image n
  double weight = 0;  // sum over n of the weight of its class
};
LossSums SumLosses(const LossAttributes& attributes, const Buffer& prediction,
                   const int32_t* labels);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_KERNELS_H_
