#include "base/load.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <mutex>
#include <string_view>

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

// Returns the sum of the times of the processors for which wanted(number) holds, from the lines
// "cpu0 user nice system idle iowait irq softirq steal ..." of /proc/stat; nullopt if such a line
// cannot be parsed or there is no time to add. Allocates nothing, since threads call it during a
// training step.
template <typename Wanted>
std::optional<ProcessorTime> Sum(std::string_view proc_stat, const Wanted& wanted) {
  const double tick = 1.0 / static_cast<double>(std::max(1L, sysconf(_SC_CLK_TCK)));
  ProcessorTime sum;
  while (!proc_stat.empty()) {
    const std::string_view line = proc_stat.substr(0, proc_stat.find('\n'));
    proc_stat.remove_prefix(std::min(proc_stat.size(), line.size() + 1));
    if (line.substr(0, 3) != "cpu" || line.size() < 4 ||
        !std::isdigit(static_cast<unsigned char>(line[3])))
      continue;
    const char* at = line.data() + 3;
    const char* const end = line.data() + line.size();
    uint64_t fields[9] = {};  // the processor's number, then 8 times in clock ticks
    for (uint64_t& field : fields) {
      while (at < end && *at == ' ') ++at;
      const auto [after, error] = std::from_chars(at, end, field);
      if (error != std::errc()) return std::nullopt;
      at = after;
    }
    const auto [processor, user, nice, system, idle, wait, irq, soft_irq, steal] = fields;
    if (!wanted(static_cast<int>(processor))) continue;
    const double busy = static_cast<double>(user + nice + system + irq + soft_irq + steal);
    sum.busy += tick * busy;
    sum.total += tick * (busy + static_cast<double>(idle + wait));
  }
  if (sum.total == 0) return std::nullopt;
  return sum;
}

}  // namespace

std::optional<ProcessorTime> ParseProcessorTime(const std::string& proc_stat) {
  return Sum(proc_stat, [](int) { return true; });
}

std::optional<ProcessorTime> ReadProcessorTime(const cpu_set_t& processors) {
  // 256 KiB hold the lines of about 2600 processors (some 100 bytes each). These lines come first
  // in /proc/stat, so the rest of the file can be cut off.
  static char text[1 << 18];
  static std::mutex mutex;
  const std::lock_guard lock(mutex);
  const int file = open("/proc/stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return std::nullopt;
  size_t size = 0;
  for (ssize_t got; size < sizeof text && (got = read(file, text + size, sizeof text - size)) > 0;)
    size += static_cast<size_t>(got);
  close(file);
  return Sum(std::string_view(text, size), [&, all = CPU_COUNT(&processors) == 0](int cpu) {
    return all || (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &processors));
  });
}

OtherLoad::OtherLoad() { SinceLast(); }

int OtherLoad::processors() const {
  const int count = CPU_COUNT(&processors_);
  return count > 0 ? count : static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
}

double OtherLoad::SinceLast() {
  const std::optional<ProcessorTime> now = ReadProcessorTime(processors_);
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
