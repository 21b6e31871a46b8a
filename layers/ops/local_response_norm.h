// The attributes of the operation that local response normalisation is made of.
#ifndef COTANGENT_LAYERS_OPS_LOCAL_RESPONSE_NORM_H_
#define COTANGENT_LAYERS_OPS_LOCAL_RESPONSE_NORM_H_

#include <cstdint>

namespace cotangent::layers {

// The attributes of the operation channel_window_sum, which replaces each channel by a sum of
// neighbouring channels: how many channels before and how many after it are added to the channel
// itself.
struct ChannelWindow {
  int64_t before, after;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOCAL_RESPONSE_NORM_H_
