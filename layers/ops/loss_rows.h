// Computes the losses of single images, divided so that the mean loss of a batch is the sum over
// its images, and their gradients. In each function, x holds an image's predictions [K], and
// `classes` is K, the number of classes. Losses given by a formula (LossKind::kFormula) are
// computed in loss.cc instead, for a whole batch at once.
#ifndef COTANGENT_LAYERS_OPS_LOSS_ROWS_H_
#define COTANGENT_LAYERS_OPS_LOSS_ROWS_H_

#include <cstdint>
#include <vector>

#include "layers/ops/loss.h"

namespace cotangent::layers {

// Returns the weight of the class `label`; 1 if the loss has no class weights.
double WeightOf(const LossAttributes& attributes, int32_t label);

// Returns the contribution of an image with a label to the mean loss over a batch whose images'
// class weights sum to total_weight. Writes the gradient [K] of that contribution by x.
double LossRow(const LossAttributes& attributes, const float* x, int64_t classes, int32_t label,
               double total_weight, float* gradient);

// Returns the contribution of an image with targets [K] to the mean loss over a batch of `images`
// images. Writes the gradient [K] of that contribution by x. `row` is scratch memory.
double TargetRow(const LossAttributes& attributes, const float* x, int64_t classes,
                 const float* targets, double images, float* gradient, std::vector<float>& row);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOSS_ROWS_H_
