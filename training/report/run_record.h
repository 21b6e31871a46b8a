// Keeps a run's HTML page (training_page.h) and event file (event_file.h) up to date during the
// run. An error in writing them is reported to the user, unless the write before failed, too; the
// run goes on, and the next write is tried. An event file that cannot be created is left out.
#ifndef COTANGENT_TRAINING_REPORT_RUN_RECORD_H_
#define COTANGENT_TRAINING_REPORT_RUN_RECORD_H_

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "training/report/event_file.h"
#include "training/report/training_page.h"
#include "training/run.h"

namespace cotangent::training::report {

struct RunRecordOptions {
  std::string page;             // path of the HTML page; empty: no page
  std::string event_directory;  // directory for event files; empty: no event files
  // Path of the run's metrics.jsonl, read at the start to show what a resumed run did before.
  std::string metrics;
  std::function<void(const std::string& line)> say;
};

// A RunObserver (run.h) calls Begins() and AtMetrics() from its functions of the same names, and
// Ended() is called after the run.
class RunRecord {
 public:
  explicit RunRecord(RunRecordOptions options) : options_(std::move(options)) {}

  void Begins(const RunBeginning& beginning);
  void AtMetrics(const RunNumbers& numbers, const std::string& line, bool is_evaluation);
  // Marks the page as finished. The page then shows `how`, a text that says how the run ended.
  void Ended(const std::string& how);

 private:
  void RecordGradients(int64_t step);
  void WriteEvents(int64_t step, const std::string& line, bool is_evaluation);
  void WritePage();
  // Reports `status` to the user if it is an error and the previous status was not.
  void Note(const absl::Status& status);

  const RunRecordOptions options_;
  RunBeginning run_;
  std::string metrics_;  // the lines of metrics.jsonl so far
  TrainingPage page_;
  std::unique_ptr<EventFile> events_;
  bool has_batch_ = false;
  bool failed_ = false;
  std::chrono::steady_clock::time_point page_written_{};
};

// Returns the layers of a network, preceded by a line "input" for the images, each with the names
// of the layers that feed it.
std::vector<LayerLine> LayersOf(const layers::BuiltNetwork& network);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_RUN_RECORD_H_
