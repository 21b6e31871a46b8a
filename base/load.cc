#include "base/load.h"

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>
#include <sstream>

namespace cotangent {
namespace {

double OwnSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Adds up the lines "cpu0 user nice system idle iowait irq softirq steal ..." of the processors
// that are `wanted`.
template <typename Wanted>
std::optional<ProcessorTime> Sum(std::istream& proc_stat, const Wanted& wanted) {
  const double tick = 1.0 / static_cast<double>(std::max(1L, sysconf(_SC_CLK_TCK)));
  ProcessorTime sum;
  std::string line;
  while (std::getline(proc_stat, line)) {
    if (line.rfind("cpu", 0) != 0 || line.size() < 4 ||
        !std::isdigit(static_cast<unsigned char>(line[3])))
      continue;
    std::istringstream fields(line.substr(3));
    int processor = 0;
    double user, nice, system, idle, wait, irq, soft_irq, steal;
    if (!(fields >> processor >> user >> nice >> system >> idle >> wait >> irq >> soft_irq >>
          steal))
      return std::nullopt;
    if (!wanted(processor)) continue;
    const double busy = user + nice + system + irq + soft_irq + steal;
    sum.busy += tick * busy;
    sum.total += tick * (busy + idle + wait);
  }
  if (sum.total == 0) return std::nullopt;
  return sum;
}

}  // namespace

std::optional<ProcessorTime> ParseProcessorTime(const std::string& proc_stat) {
  std::istringstream stream(proc_stat);
  return Sum(stream, [](int) { return true; });
}

std::optional<ProcessorTime> ReadProcessorTime() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const bool known = sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  std::ifstream file("/proc/stat");
  return Sum(file,
             [&](int cpu) { return !known || (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed)); });
}

OtherLoad::OtherLoad() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  processors_ = sched_getaffinity(0, sizeof allowed, &allowed) == 0
                    ? CPU_COUNT(&allowed)
                    : static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  SinceLast();
}

double OtherLoad::SinceLast() {
  const std::optional<ProcessorTime> now = ReadProcessorTime();
  const double own = OwnSeconds();
  if (!now || now->total - last_.total < 0.05) return 0;
  const double total = now->total - last_.total,
               others = now->busy - last_.busy - (own - last_own_);
  const bool first = last_.total == 0;
  last_ = *now;
  last_own_ = own;
  return first ? 0 : std::clamp(others / total, 0.0, 1.0);
}

}  // namespace cotangent
