// Keeps a run's page (training_page.h) and its event files (event_file.h) up to date while it goes
// on. What cannot be written is said once, and tried again; the run goes on.
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
  std::string page;             // its path; empty: none
  std::string event_directory;  // where event files go; empty: none
  std::string metrics;          // the run's metrics.jsonl: what an interrupted run has done before
  std::function<void(const std::string& line)> say;
};

// Is told what a RunObserver is told; whoever watches the run passes it on.
class RunRecord {
 public:
  explicit RunRecord(RunRecordOptions options) : options_(std::move(options)) {}

  void Begins(const RunBeginning& beginning);
  void AtMetrics(const RunNumbers& numbers, const std::string& line, bool is_evaluation);
  // How the run ended, in words: the page's last state.
  void Ended(const std::string& how);

 private:
  void RecordGradients(int64_t step);
  void WriteEvents(int64_t step, const std::string& line, bool is_evaluation);
  void WritePage();
  // Says `status` if it is an error and the one before was not.
  void Note(const absl::Status& status);

  const RunRecordOptions options_;
  RunBeginning run_;
  std::string metrics_;  // lines
  TrainingPage page_;
  std::unique_ptr<EventFile> events_;
  bool has_batch_ = false;
  bool failed_ = false;
  std::chrono::steady_clock::time_point page_written_{};
};

// The layers of a network with what feeds each.
std::vector<LayerLine> LayersOf(const layers::BuiltNetwork& network);

}  // namespace cotangent::training::report

#endif  // COTANGENT_TRAINING_REPORT_RUN_RECORD_H_
