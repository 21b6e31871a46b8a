// Statistics of a server, in the text format that Prometheus reads
// (https://prometheus.io/docs/instrumenting/exposition_formats/).
#ifndef COTANGENT_INFERENCE_SERVER_METRICS_H_
#define COTANGENT_INFERENCE_SERVER_METRICS_H_

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "inference/server/batcher.h"

namespace cotangent::inference {

// Counts requests and their durations. Several threads may use an object at the same time.
class Metrics {
 public:
  // Counts a request that was answered with this HTTP status after `seconds` seconds.
  void Count(int status, double seconds);
  std::string ToText(const Batcher::Numbers& batcher) const;

 private:
  // Upper bounds (inclusive) of the histogram's cells, in seconds. One more cell counts longer
  // requests.
  static constexpr std::array<double, 12> kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                     0.1,   0.25,   0.5,   1,    2.5,   10};
  mutable std::mutex mutex_;
  std::map<int, int64_t> requests_;  // by HTTP status
  std::array<int64_t, kBounds.size() + 1> cells_ = {};
  double seconds_ = 0;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_METRICS_H_
