#ifndef COTANGENT_BASE_SERIAL_SECTION_H_
#define COTANGENT_BASE_SERIAL_SECTION_H_

#include "base/parallel.h"

namespace cotangent {

namespace parallel {

// Sets whether ParallelFor(), called by this thread, computes all shares on this thread alone;
// returns what was set before. For SerialSection.
bool SetSerial(bool is_serial);

}  // namespace parallel

// A scope in which ParallelFor() computes all shares on the calling thread, so that several threads
// compute different things side by side, and none waits for another.
class SerialSection {
 public:
  SerialSection() : before_(parallel::SetSerial(true)) {}
  ~SerialSection() { parallel::SetSerial(before_); }
  SerialSection(const SerialSection&) = delete;
  SerialSection& operator=(const SerialSection&) = delete;

 private:
  const bool before_;
};

}  // namespace cotangent

#endif  // COTANGENT_BASE_SERIAL_SECTION_H_
