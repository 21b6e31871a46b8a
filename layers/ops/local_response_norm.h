// Local response normalisation (local_response_norm.cc): the attributes of its operation
// channel_window_sum.
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
