// Event files: what TensorBoard shows a run by. Such a file is a sequence of records,
//
//   length (8 bytes, little-endian), its checksum, an Event (event.proto), its checksum,
//
// where a checksum is the CRC-32C of the bytes, rotated right by 15 bits, plus 0xa282ead8 (so that
// a checksum of bytes that hold checksums is none of theirs). A reader takes records as they come:
// the file grows while a run goes on.
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

// min, max, sums and 30 buckets of equal width of finite `values`; what is not finite is left out.
Histogram HistogramOf(absl::Span<const float> values);

// One node of the picture TensorBoard draws of a network.
struct PictureNode {
  std::string name, kind;           // "layer1/conv", "convolution"; a slash opens a box
  std::vector<std::string> inputs;  // names
};

class EventFile {
 public:
  // DIRECTORY/events.out.tfevents.SECONDS.cotangent, new; the directory must exist. A run that goes
  // on begins another file, which TensorBoard reads together with those before. Errors:
  // Unavailable, with what the system says.
  static absl::StatusOr<std::unique_ptr<EventFile>> Create(const std::string& directory);

  // Each writes one record, whole, and hands it to the system. Tags with slashes are grouped by
  // what stands before the first.
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
