// Reads the limit on this process's use of processor time that the kernel enforces, such as one set
// by `docker run --cpus=1.5` or by a Kubernetes pod.
#ifndef COTANGENT_BASE_CPU_QUOTA_H_
#define COTANGENT_BASE_CPU_QUOTA_H_

#include <optional>
#include <string>

namespace cotangent {

// Returns the limit in processors (1.5 means one and a half processors' time), or nullopt if there
// is no limit. A control group with a limit may use `quota` microseconds of processor time in each
// `period` microseconds; the limit is the smallest quota / period of this process's control groups
// and the groups above them, as far as the process can see these groups.
//
// Reads control groups of version 2 (cpu.max) and version 1 (cpu.cfs_quota_us, cpu.cfs_period_us);
// /proc/self/cgroup and /proc/self/mountinfo say where these files are (cgroups(7), proc(5)).
// `root` is put before every path that is read, so that a test can supply its own files.
std::optional<double> CpuQuota(const std::string& root = "");

// Returns how many threads are worth having on `cores` cores: `cores`, but no more than
// CpuQuota(root), rounded up. At least 1.
int ThreadsWithinQuota(int cores, const std::string& root = "");

}  // namespace cotangent

#endif  // COTANGENT_BASE_CPU_QUOTA_H_
