// The losses of single images and their gradients, which a batch's loss is made of. x holds an
// image's predictions [K]; K, the number of classes, is called `classes`. Formulas are no losses of
// single images: see loss.cc.
#ifndef COTANGENT_LAYERS_OPS_LOSS_ROWS_H_
#define COTANGENT_LAYERS_OPS_LOSS_ROWS_H_

#include <cstdint>
#include <vector>

#include "layers/ops/loss.h"

namespace cotangent::layers {

// The weight of a class; 1 if the loss has no class weights.
double WeightOf(const LossAttributes& attributes, int32_t label);

// The contribution of an image with a label to the mean loss over a batch whose weights sum to
// total_weight. Writes the gradient [K] of that contribution by x.
double LossRow(const LossAttributes& attributes, const float* x, int64_t classes, int32_t label,
               double total_weight, float* gradient);

// The contribution of an image with targets [K] to the mean loss over `images` images. Writes the
// gradient [K] of that contribution by x. `row` is scratch memory.
double TargetRow(const LossAttributes& attributes, const float* x, int64_t classes,
                 const float* targets, double images, float* gradient, std::vector<float>& row);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOSS_ROWS_H_
