#include "training/report/event_file.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "training/checkpoint.h"

namespace cotangent::training::report {
namespace {

constexpr int kBuckets = 30;

void AppendLittleEndian(uint64_t value, int bytes, std::string& to) {
  for (int i = 0; i < bytes; ++i) to.push_back(static_cast<char>(value >> (8 * i)));
}

uint32_t MaskedChecksum(absl::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

}  // namespace

Histogram HistogramOf(absl::Span<const float> values) {
  Histogram h;
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0, squares = 0;
  int64_t count = 0;
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    low = std::min(low, v), high = std::max(high, v), sum += v, squares += v * v, ++count;
  }
  if (count == 0) low = high = 0;
  h.set_min(low), h.set_max(high), h.set_sum(sum), h.set_sum_squares(squares);
  h.set_num(static_cast<double>(count));
  const double width = high > low ? (high - low) / kBuckets : 1;
  std::vector<double> buckets(kBuckets, 0.0);
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    ++buckets[std::clamp(static_cast<int>((v - low) / width), 0, kBuckets - 1)];
  }
  for (int i = 0; i < kBuckets; ++i) {
    h.add_bucket_limit(i + 1 == kBuckets ? std::max(high, low + width * kBuckets)
                                         : low + width * (i + 1));
    h.add_bucket(buckets[i]);
  }
  return h;
}

absl::StatusOr<std::unique_ptr<EventFile>> EventFile::Create(const std::string& directory) {
  const int64_t seconds = absl::ToUnixSeconds(absl::Now());
  std::string path;
  FILE* file = nullptr;
  // If a file exists whose name has this Unix time in seconds, as after a run of less than a
  // second, the next second is tried.
  for (int64_t i = 0; i < 1000 && file == nullptr; ++i) {
    path =
        data::JoinPath(directory, absl::StrCat("events.out.tfevents.", seconds + i, ".cotangent"));
    file = std::fopen(path.c_str(), "wbx");
    if (file == nullptr && errno != EEXIST) break;
  }
  if (file == nullptr)
    return absl::UnavailableError(
        absl::StrCat(path, ": cannot be written (", std::strerror(errno), ")"));
  std::unique_ptr<EventFile> events(new EventFile(path, file));
  Event event;
  event.set_file_version("brain.Event:2");
  RETURN_IF_ERROR(events->Write(std::move(event)));
  return events;
}

absl::Status EventFile::Write(Event event) {
  event.set_wall_time(absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()));
  std::string bytes, record;
  event.SerializeToString(&bytes);
  AppendLittleEndian(bytes.size(), 8, record);
  AppendLittleEndian(MaskedChecksum(record), 4, record);
  record += bytes;
  AppendLittleEndian(MaskedChecksum(bytes), 4, record);
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size() ||
      std::fflush(file_.get()) != 0) {
    return absl::UnavailableError(
        absl::StrCat(path_, ": cannot be written (", std::strerror(errno), ")"));
  }
  return absl::OkStatus();
}

absl::Status EventFile::Scalars(int64_t step,
                                absl::Span<const std::pair<std::string, double>> values) {
  Event event;
  event.set_step(step);
  for (const auto& [tag, value] : values) {
    Summary::Value* const to = event.mutable_summary()->add_value();
    to->set_tag(tag);
    to->set_simple_value(static_cast<float>(value));
  }
  return Write(std::move(event));
}

absl::Status EventFile::Image(int64_t step, absl::string_view tag, int width, int height,
                              absl::string_view png) {
  Event event;
  event.set_step(step);
  Summary::Value* const to = event.mutable_summary()->add_value();
  to->set_tag(std::string(tag));
  to->mutable_image()->set_width(width);
  to->mutable_image()->set_height(height);
  to->mutable_image()->set_colorspace(3);
  to->mutable_image()->set_encoded_image_string(std::string(png));
  return Write(std::move(event));
}

absl::Status EventFile::Histograms(int64_t step,
                                   absl::Span<const std::pair<std::string, Histogram>> histograms) {
  Event event;
  event.set_step(step);
  for (const auto& [tag, histogram] : histograms) {
    Summary::Value* const to = event.mutable_summary()->add_value();
    to->set_tag(tag);
    *to->mutable_histo() = histogram;
  }
  return Write(std::move(event));
}

absl::Status EventFile::Graph(absl::Span<const PictureNode> nodes) {
  GraphDef graph;
  for (const PictureNode& node : nodes) {
    GraphNode* const to = graph.add_node();
    to->set_name(node.name);
    to->set_op(node.kind);
    for (const std::string& input : node.inputs) to->add_input(input);
  }
  Event event;
  event.set_step(0);
  graph.SerializeToString(event.mutable_graph_def());
  return Write(std::move(event));
}

}  // namespace cotangent::training::report
