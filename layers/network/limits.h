// Limits on network texts, the .textproto files that describe networks.
#ifndef COTANGENT_LAYERS_NETWORK_LIMITS_H_
#define COTANGENT_LAYERS_NETWORK_LIMITS_H_

#include <cstdint>

namespace cotangent::layers {

// Limits on the sizes that a network text may ask for. Sizes are checked against them before memory
// is allocated.
inline constexpr int64_t kMostLayers = 10'000;
inline constexpr int64_t kMostParameters = int64_t{1} << 30;  // numbers in the whole network
inline constexpr int64_t kMostElements = int64_t{1} << 32;    // of one tensor, for the whole batch
// The largest number of elements of the results of all layers together, for the whole batch.
inline constexpr int64_t kMostActivations = int64_t{1} << 36;
inline constexpr int64_t kLargestBatch = int64_t{1} << 20;
inline constexpr int64_t kMostChannels = int64_t{1} << 24;  // or features, or classes
// The largest height or width of an image, kernel, stride, dilation or padding.
inline constexpr int64_t kLargestExtent = int64_t{1} << 14;

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_LIMITS_H_
