#include "distributed/scaling.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace cotangent::distributed {
namespace {

// Gradients with at most this many floats between them count as neighbours. Each gradient begins at
// a cache line (16 floats), so up to 15 floats may lie between two of them.
constexpr int64_t kGap = 15;

}  // namespace

double SecondsOfExchange(const Cluster& cluster, double bytes) {
  const double ranks = cluster.ranks, message = cluster.seconds_per_message,
               volume = bytes / cluster.bytes_per_second;
  if (cluster.ranks == 1) return 0;
  switch (cluster.exchange) {
    case Exchange::kDirect:
      return 2 * message + 2 * (ranks - 2) * cluster.seconds_between_messages +
             2 * volume * (ranks - 1) / ranks;
    case Exchange::kRing:
      return 2 * (ranks - 1) * message + 2 * volume * (ranks - 1) / ranks;
    case Exchange::kTree:
      return 2 * std::ceil(std::log2(ranks)) * (message + volume);
  }
  return 0;
}

Prediction Predict(const StepTimes& step, const Cluster& cluster, int64_t bucket_bytes) {
  if (bucket_bytes == 0)
    bucket_bytes = BucketBytes({2 * cluster.seconds_per_message, cluster.bytes_per_second});
  std::vector<double> ends(step.operations.size());
  std::partial_sum(step.operations.begin(), step.operations.end(), ends.begin());
  const double computed = ends.empty() ? 0 : ends.back();

  Prediction prediction;
  double free_at = 0;
  for (const Bucket& bucket : MakeBuckets(step.gradients, bucket_bytes, kGap)) {
    const double seconds = SecondsOfExchange(
        cluster, static_cast<double>(bucket.stretch.size * cluster.bytes_per_number));
    free_at = std::max(free_at, ends[bucket.operation]) + seconds;
    prediction.communication += seconds;
  }
  // After all gradients are computed, the loss and the running statistics (means and variances) of
  // normalisation layers are also summed over the ranks (processes), at the same time as the last
  // buckets (messages of gradients). These are so few bytes that only the latency counts.
  Cluster small = cluster;
  small.exchange = Exchange::kTree;
  const double done = std::max(free_at, computed + SecondsOfExchange(small, 0));
  prediction.waited = done - computed;
  prediction.seconds = done + step.update;
  prediction.images_per_second = cluster.ranks * step.images / prediction.seconds;
  prediction.efficiency = (computed + step.update) / prediction.seconds;
  return prediction;
}

}  // namespace cotangent::distributed
