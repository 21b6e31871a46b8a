#include "inference/server/metrics.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace cotangent::inference {

void Metrics::Count(int status, double seconds) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ++requests_[status];
  ++cells_[std::lower_bound(kBounds.begin(), kBounds.end(), seconds) - kBounds.begin()];
  seconds_ += seconds;
}

std::string Metrics::ToText(const Batcher::Numbers& batcher) const {
  std::string text;
  const auto describe = [&](absl::string_view name, absl::string_view type,
                            absl::string_view help) {
    absl::StrAppend(&text, "# HELP ", name, " ", help, "\n# TYPE ", name, " ", type, "\n");
  };
  const std::lock_guard<std::mutex> lock(mutex_);
  describe("cotangent_requests_total", "counter", "Requests to classify, by HTTP status.");
  for (const auto& [status, count] : requests_)
    absl::StrAppend(&text, "cotangent_requests_total{status=\"", status, "\"} ", count, "\n");
  describe("cotangent_request_seconds", "histogram", "From a request's headers to its answer.");
  int64_t below = 0;
  for (size_t i = 0; i < cells_.size(); ++i) {
    below += cells_[i];
    const std::string bound = i < kBounds.size() ? absl::StrCat(kBounds[i]) : "+Inf";
    absl::StrAppend(&text, "cotangent_request_seconds_bucket{le=\"", bound, "\"} ", below, "\n");
  }
  absl::StrAppend(&text, "cotangent_request_seconds_sum ", seconds_,
                  "\ncotangent_request_seconds_count ", below, "\n");
  describe("cotangent_batches_total", "counter", "Batches that the network has computed.");
  absl::StrAppend(&text, "cotangent_batches_total ", batcher.batches, "\n");
  describe("cotangent_pictures_total", "counter", "Pictures in them.");
  absl::StrAppend(&text, "cotangent_pictures_total ", batcher.pictures, "\n");
  describe("cotangent_waiting_pictures", "gauge", "Pictures that wait for a batch.");
  absl::StrAppend(&text, "cotangent_waiting_pictures ", batcher.waiting, "\n");
  return text;
}

}  // namespace cotangent::inference
