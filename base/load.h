// How much of the machine other programs take, by the system's own accounts.
#ifndef COTANGENT_BASE_LOAD_H_
#define COTANGENT_BASE_LOAD_H_

#include <optional>
#include <string>

#include "base/scheduler.h"

namespace cotangent {

// Processor seconds since the machine started (proc_stat(5)) of the processors given (none: of all),
// or of all in the text of a /proc/stat given.
struct ProcessorTime {
  double busy = 0;   // of any program, the host's other guests ("steal") included
  double total = 0;  // busy and idle
};
// None where the system does not tell.
std::optional<ProcessorTime> ReadProcessorTime(const cpu_set_t& processors);
std::optional<ProcessorTime> ParseProcessorTime(const std::string& proc_stat);

// What others than this process took of the processors' time, 0 to 1, between two moments, whichever
// thread asks: the processors are those that the thread which makes it may run on.
//
//   OtherLoad load;                       // the first moment
//   ... load.SinceLast() ...              // 0.35: other work took 35% of the processors
class OtherLoad {
 public:
  OtherLoad();
  // Since the last call, or the beginning. 0 where the system does not tell, or where less than
  // 0.05 s of processor time have passed, which are left to the next call.
  double SinceLast();
  int processors() const;

 private:
  const cpu_set_t processors_ = Processors();  // none where the system does not tell
  ProcessorTime last_;
  double last_own_ = 0;
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_LOAD_H_
