// How much processor time the kernel grants this process: what `docker run --cpus=1.5` and
// Kubernetes' limits set.
#ifndef COTANGENT_BASE_CPU_QUOTA_H_
#define COTANGENT_BASE_CPU_QUOTA_H_

#include <optional>
#include <string>

namespace cotangent {

// Processors' worth of time, 1.5 for one and a half: the least quota / period of this process's
// control groups and those above them, as far as they can be seen from here. None where there is no
// limit.
//
// Version 2 (cpu.max) and version 1 (cpu.cfs_quota_us, cpu.cfs_period_us), found by
// /proc/self/cgroup and /proc/self/mountinfo (cgroups(7), proc(5)). `root` stands before every path
// that is read: a test's own tree.
std::optional<double> CpuQuota(const std::string& root = "");

}  // namespace cotangent

#endif  // COTANGENT_BASE_CPU_QUOTA_H_
