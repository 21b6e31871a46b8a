#ifndef COTANGENT_LAYERS_NETWORK_LIMITS_H_
#define COTANGENT_LAYERS_NETWORK_LIMITS_H_

#include <cstdint>

namespace cotangent::layers {

// Limits on what a text may ask for, checked before anything of that size is made.
inline constexpr int64_t kMostLayers = 10'000;
inline constexpr int64_t kMostParameters = int64_t{1} << 30;  // of the whole network
inline constexpr int64_t kMostElements = int64_t{1} << 32;    // of one tensor, the batch counted
inline constexpr int64_t kMostActivations = int64_t{1}
                                            << 36;  // of all layers' results, the batch counted
inline constexpr int64_t kLargestBatch = int64_t{1} << 20;
inline constexpr int64_t kMostChannels = int64_t{1} << 24;  // or features, or classes
inline constexpr int64_t kLargestExtent =
    int64_t{1} << 14;  // of an image, kernel, stride, dilation or padding

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_LIMITS_H_
