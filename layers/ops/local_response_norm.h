#ifndef COTANGENT_LAYERS_OPS_LOCAL_RESPONSE_NORM_H_
#define COTANGENT_LAYERS_OPS_LOCAL_RESPONSE_NORM_H_

#include <cstdint>

namespace cotangent::layers {

// The attributes of channel_window_sum: a channel's window has so many channels before it and after
// it.
struct ChannelWindow {
  int64_t before, after;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_LOCAL_RESPONSE_NORM_H_
