// The attributes of the operation that local response normalisation is made of.
#ifndef COTANGENT_LAYERS_OPS_LOCAL_RESPONSE_NORM_H_
#define COTANGENT_LAYERS_OPS_LOCAL_RESPONSE_NORM_H_

#include <cstdint>

namespace cotangent::layers {

// The attributes of the operation channel_window_sum, which replaces each channel by a sum of
// neighbouring channels: the numbers of channels before and after it that the sum includes.
struct ChannelWindow {
  int64_t before, after;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOCAL_RESPONSE_NORM_H_
