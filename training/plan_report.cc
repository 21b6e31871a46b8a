#include "training/plan_report.h"

#include <algorithm>
#include <numeric>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "data/file.h"
#include "nlohmann/json.hpp"

namespace cotangent::training {

bool IsConvolution(const layers::Plan::Description& operation) {
  return absl::StartsWith(operation.kind, "convolution");
}

std::string PlanTable(const layers::Plan& plan, const std::vector<double>& seconds,
                      double update_seconds, double alone) {
  const std::vector<layers::Plan::Description> operations = plan.Describe();
  const double total = std::accumulate(seconds.begin(), seconds.end(), update_seconds);
  size_t name_width = 9, kind_width = 4, implementation_width = 14;
  for (const auto& operation : operations) {
    name_width = std::max(name_width, std::min<size_t>(operation.name.size(), 40));
    kind_width = std::max(kind_width, operation.kind.size());
    implementation_width =
        std::max(implementation_width, std::min<size_t>(operation.implementation.size(), 40));
  }
  std::string table;
  const auto row = [&](const std::string& name, const std::string& kind,
                       const std::string& implementation, const std::string& ms,
                       const std::string& share, const std::string& gflops,
                       const std::string& megabytes, const std::string& formats) {
    absl::StrAppendFormat(&table, "%-*s  %-*s  %-*s  %9s  %6s  %8s  %8s  %s\n",
                          static_cast<int>(name_width), name.substr(0, 40),
                          static_cast<int>(kind_width), kind,
                          static_cast<int>(implementation_width), implementation.substr(0, 40), ms,
                          share, gflops, megabytes, formats);
  };
  row("operation", "kind", "implementation", "ms", "share", "GFLOP/s", "MB", "formats");
  const auto percent = [&](double part) { return absl::StrFormat("%.1f%%", 100 * part / total); };
  double flops = 0, bytes = 0;
  for (size_t i = 0; i < operations.size(); ++i) {
    const auto& operation = operations[i];
    row(operation.name, operation.kind, operation.implementation,
        absl::StrFormat("%.3f", seconds[i] * 1e3), percent(seconds[i]),
        operation.flops > 0 ? absl::StrFormat("%.0f", operation.flops / seconds[i] * 1e-9) : "",
        absl::StrFormat("%.2f", operation.bytes * 1e-6), operation.formats);
    flops += operation.flops;
    bytes += operation.bytes;
  }
  if (update_seconds > 0)
    row("optimizer", "update", "", absl::StrFormat("%.3f", update_seconds * 1e3),
        percent(update_seconds), "", "", "");
  row("total", "", "", absl::StrFormat("%.3f", total * 1e3), "100.0%",
      absl::StrFormat("%.0f", flops / total * 1e-9), absl::StrFormat("%.2f", bytes * 1e-6),
      absl::StrFormat("arena %.1f MiB", static_cast<double>(plan.arena_bytes()) / (1 << 20)));
  row("its convolutions alone", "", "", absl::StrFormat("%.3f", alone * 1e3), percent(alone),
      absl::StrFormat("%.0f", alone > 0 ? flops / alone * 1e-9 : 0), "", "");
  return table;
}

double PlanFlops(const layers::Plan& plan) {
  double flops = 0;
  for (const auto& operation : plan.Describe()) flops += operation.flops;
  return flops;
}

void Trace::AddStep(const layers::Plan& plan, int64_t step, Clock::time_point begin,
                    Clock::time_point batch_ready, Clock::time_point end) {
  if (steps_++ == 0) origin_ = begin;
  const auto since = [this](Clock::time_point t) {
    return std::chrono::duration<double>(t - origin_).count();
  };
  double at = since(batch_ready);
  events_.push_back(
      {"batch", "wait and copy", "", "", since(begin), at - since(begin), 0, 0, step});
  const std::vector<layers::Plan::Description> operations = plan.Describe();
  for (size_t i = 0; i < operations.size(); ++i) {
    const auto& o = operations[i];
    events_.push_back({o.name, o.kind, o.implementation, o.formats, at, plan.seconds()[i], o.flops,
                       o.bytes, step});
    at += plan.seconds()[i];
  }
  events_.push_back({"optimizer", "update", "", "", at, since(end) - at, 0, 0, step});
}

void Trace::AddBucket(int64_t step, int64_t bytes, Clock::time_point begun,
                      Clock::time_point ended) {
  const auto seconds = [](Clock::duration d) { return std::chrono::duration<double>(d).count(); };
  events_.push_back({"gradients", "mean over ranks", "", "", seconds(begun - origin_),
                     seconds(ended - begun), 0, static_cast<double>(bytes), step, 2});
}

absl::Status Trace::Write(const std::string& path) const {
  nlohmann::json events = nlohmann::json::array();
  for (const Event& event : events_) {
    events.push_back(
        {{"name", event.name.empty() ? event.kind : absl::StrCat(event.name, " ", event.kind)},
         {"cat", event.kind},
         {"ph", "X"},
         {"ts", event.begin * 1e6},
         {"dur", event.seconds * 1e6},
         {"pid", 1},
         {"tid", event.row},
         {"args",
          {{"step", event.step},
           {"implementation", event.implementation},
           {"formats", event.formats},
           {"gflops_per_second", event.seconds > 0 ? event.flops / event.seconds * 1e-9 : 0},
           {"megabytes", event.bytes * 1e-6}}}});
  }
  const nlohmann::json trace = {{"traceEvents", events}, {"displayTimeUnit", "ms"}};
  return data::WriteFileAtomically(
      path, trace.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace cotangent::training
