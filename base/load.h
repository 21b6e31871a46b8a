// Measures how much processor time other programs use, according to the kernel's statistics.
#ifndef COTANGENT_BASE_LOAD_H_
#define COTANGENT_BASE_LOAD_H_

#include <optional>
#include <string>

#include "base/scheduler.h"

namespace cotangent {

// Processor time since the machine started, in seconds, summed over processors (proc_stat(5)).
struct ProcessorTime {
  double busy = 0;   // spent on programs and interrupts, or by the host's other guests ("steal")
  double total = 0;  // busy or idle; waiting for a disk counts as idle
};
// Returns the times of the given processors, or of all if the set is empty; nullopt if /proc/stat
// cannot be read or parsed.
std::optional<ProcessorTime> ReadProcessorTime(const cpu_set_t& processors);
// Returns the times of all processors from the text of a /proc/stat; nullopt if it cannot be
// parsed.
std::optional<ProcessorTime> ParseProcessorTime(const std::string& proc_stat);

// Measures the share of processor time, from 0 to 1, that other processes (and, in a virtual
// machine, other guests) take between two calls of SinceLast(). Only those processors count on
// which the constructing thread may run. Any thread may call SinceLast(), one at a time.
//
//   OtherLoad load;                       // measuring begins
//   ... load.SinceLast() ...              // 0.35: other processes took 35% of the processors' time
class OtherLoad {
 public:
  OtherLoad();
  // Returns the share of processor time that other processes took since the last call, or since
  // construction. Returns 0 if /proc/stat cannot be read, or if less than 0.05 s of processor time
  // (busy and idle, summed over the processors) has passed; this time then counts towards the next
  // call.
  double SinceLast();
  // Returns the number of processors whose time is measured.
  int processors() const;

 private:
  const cpu_set_t processors_ = Processors();  // those measured; empty: unknown, so all are
  ProcessorTime last_;
  double last_own_ = 0;  // processor time of this process at the last call, in seconds
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_LOAD_H_
