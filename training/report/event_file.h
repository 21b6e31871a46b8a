// Writes the event files of a run, which TensorBoard displays. An event file is a sequence of
// records:
//
//   length (8 bytes, little-endian), its checksum, an Event (event.proto), its checksum
//
// Each checksum (4 bytes, little-endian) is the CRC-32C of the part before it, the length or the
// Event, rotated right by 15 bits, plus 0xa282ead8. The rotation and sum are there because the CRC
// of data that contain their own CRC is a poor checksum. Records can be read while the file grows.
#ifndef COTANGENT_TRAINING_REPORT_EVENT_FILE_H_
#define COTANGENT_TRAINING_REPORT_EVENT_FILE_H_

#include <cstdint>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "training/report/event.pb.h"

namespace cotangent::training::report {

// Returns the minimum, maximum, sum and sum of squares of `values`, and how many of them lie in
// each of 30 buckets of equal width from the minimum to the maximum. Values that are not finite are
// left out.
Histogram HistogramOf(absl::Span<const float> values);

// One node of the graph of a network that TensorBoard draws.
struct PictureNode {
  std::string name, kind;           // "layer1/conv", "convolution"; slashes group nodes in boxes
  std::vector<std::string> inputs;  // names of the nodes that feed this one
};

class EventFile {
 public:
  // Creates DIRECTORY/events.out.tfevents.SECONDS.cotangent, where SECONDS is the Unix time or, if
  // a file has that name, the next second for which none has. The directory must exist. A resumed
  // run creates another file; TensorBoard displays both together. Returns Unavailable with the
  // operating system's message if the file cannot be created.
  static absl::StatusOr<std::unique_ptr<EventFile>> Create(const std::string& directory);

  // Each of these functions writes one complete record and flushes it. TensorBoard shows each value
  // under its tag, and groups tags that contain a slash by the part before the first slash.
  absl::Status Scalars(int64_t step, absl::Span<const std::pair<std::string, double>> values);
  absl::Status Image(int64_t step, absl::string_view tag, int width, int height,
                     absl::string_view png);
  absl::Status Histograms(int64_t step,
                          absl::Span<const std::pair<std::string, Histogram>> histograms);
  absl::Status Graph(absl::Span<const PictureNode> nodes);

  const std::string& path() const { return path_; }

 private:
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };
  EventFile(std::string path, FILE* file) : path_(std::move(path)), file_(file) {}
  absl::Status Write(Event event);

  const std::string path_;
  std::unique_ptr<FILE, Close> file_;
};

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_EVENT_FILE_H_
