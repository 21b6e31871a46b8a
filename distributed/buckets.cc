#include "distributed/buckets.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "distributed/straggler.h"

namespace cotangent::distributed {
namespace {

// BucketBytes() chooses the size of a bucket (the gradients that are sent as one message) so that
// sending its bytes takes this many times as long as the latency of a message.
constexpr double kBytesOverLatency = 8;
constexpr int64_t kLeastBytes = int64_t{1} << 16, kMostBytes = int64_t{1} << 24;

// Sizes in floats of the two messages that MeasureLink() sends, and how often it sends each.
constexpr int64_t kFew = 256, kMany = int64_t{1} << 20;
constexpr int kFewTimes = 21, kManyTimes = 7;

// Averages the range number `stretch` of the buffer of `means` over the ranks (processes that train
// together) `times` times, and returns the median of the seconds; each time is that of the slowest
// rank. GatherNumber() makes the ranks wait for each other after each average, so that all begin
// the next one together.
double MedianSeconds(Communicator& ranks, Means& means, size_t stretch, int times) {
  std::vector<double> seconds;
  for (int i = 0; i < times; ++i) {
    means.Begin(stretch);
    means.Finish();
    const Means::Record& record = means.records()[stretch];
    const std::vector<double> of_ranks =
        GatherNumber(ranks, std::chrono::duration<double>(record.ended - record.begun).count());
    seconds.push_back(*std::max_element(of_ranks.begin(), of_ranks.end()));
  }
  std::nth_element(seconds.begin(), seconds.begin() + times / 2, seconds.end());
  return seconds[times / 2];
}

}  // namespace

Link MeasureLink(Communicator& ranks) {
  std::vector<float> buffer(kMany);
  const std::unique_ptr<Means> means =
      ranks.MakeMeans(buffer.data(), {{0, kFew}, {0, kMany}}, ElementType::kF32);
  Link link;
  link.seconds = MedianSeconds(ranks, *means, 0, kFewTimes);
  const double more = MedianSeconds(ranks, *means, 1, kManyTimes) - link.seconds;
  link.bytes_per_second =
      static_cast<double>((kMany - kFew) * sizeof(float)) / std::max(more, 1e-6);
  BroadcastValue(ranks, link);
  return link;
}

int64_t BucketBytes(const Link& link) {
  const double bytes = kBytesOverLatency * link.seconds * link.bytes_per_second;
  return static_cast<int64_t>(std::clamp<double>(bytes, kLeastBytes, kMostBytes));
}

std::vector<Bucket> MakeBuckets(std::vector<GradientPlace> gradients, int64_t bytes, int64_t gap) {
  // Backpropagation computes the gradients of the last parameters first, so buckets are made from
  // the last gradient on.
  std::sort(gradients.begin(), gradients.end(),
            [](const auto& a, const auto& b) { return a.begin > b.begin; });
  std::vector<Bucket> buckets;
  for (const GradientPlace& gradient : gradients) {
    const int64_t end = gradient.begin + gradient.size;
    if (!buckets.empty()) {
      Bucket& last = buckets.back();
      const bool is_full = last.stretch.size * static_cast<int64_t>(sizeof(float)) >= bytes;
      if (!is_full && last.stretch.begin - end <= gap) {
        last.stretch.size += last.stretch.begin - gradient.begin;
        last.stretch.begin = gradient.begin;
        last.operation = std::max(last.operation, gradient.operation);
        continue;
      }
    }
    buckets.push_back({{gradient.begin, gradient.size}, gradient.operation});
  }
  std::stable_sort(buckets.begin(), buckets.end(),
                   [](const auto& a, const auto& b) { return a.operation < b.operation; });
  return buckets;
}

}  // namespace cotangent::distributed
