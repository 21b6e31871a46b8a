#include "base/cpu_quota.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace cotangent {
namespace {

// A control group of this process, and the directory where the tree of control groups is mounted.
struct Hierarchy {
  bool is_version_2 = false;
  std::string group;        // this process's group, such as "/docker/0a1b"
  std::string mount_root;   // the path of the group that appears at mount_point
  std::string mount_point;  // directory, such as "/sys/fs/cgroup"
};

std::vector<std::string> Split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::stringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

bool HasWord(const std::string& list, const std::string& word) {
  const std::vector<std::string> words = Split(list, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

// Returns the control groups of this process that may limit processor time: its group of version 2,
// and its group of version 1 with the controller "cpu". A group's mount_point is empty if its tree
// is not mounted. `root` is put before every path that is read.
std::vector<Hierarchy> HierarchiesOfProcess(const std::string& root) {
  std::vector<Hierarchy> found;
  // In /proc/self/cgroup a line of version 1 is "4:cpu,cpuacct:/docker/0a1b", the line of version 2
  // "0::/docker/0a1b".
  std::ifstream groups(root + "/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controllers.empty() || HasWord(controllers, "cpu"))
      found.push_back({controllers.empty(), line.substr(second + 1), "", ""});
  }
  // A line of mountinfo is "30 23 0:26 ROOT POINT rw,nosuid - cgroup2 cgroup2 rw": the group ROOT
  // appears at the directory POINT. Optional fields may precede the dash.
  std::ifstream mounts(root + "/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    const size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    const std::vector<std::string> before = Split(line.substr(0, dash), ' '),
                                   after = Split(line.substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3) continue;
    for (Hierarchy& hierarchy : found) {
      const bool fits = hierarchy.is_version_2 ? after[0] == "cgroup2"
                                               : after[0] == "cgroup" && HasWord(after[2], "cpu");
      if (fits && hierarchy.mount_point.empty())
        hierarchy.mount_root = before[3], hierarchy.mount_point = before[4];
    }
  }
  return found;
}

// Returns quota / period of the control group whose files are in `directory`, or nullopt if the
// group has no limit or its files cannot be read.
std::optional<double> QuotaOf(const std::string& directory, bool is_version_2) {
  double quota = 0, period = 0;
  if (is_version_2) {
    std::ifstream(directory + "/cpu.max") >> quota >> period;  // "max 100000": quota stays 0
  } else {
    std::ifstream(directory + "/cpu.cfs_quota_us") >> quota;  // -1: no limit
    std::ifstream(directory + "/cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0) || !(period > 0)) return std::nullopt;
  return quota / period;
}

}  // namespace

std::optional<double> CpuQuota(const std::string& root) {
  std::optional<double> least;
  for (const Hierarchy& hierarchy : HierarchiesOfProcess(root)) {
    if (hierarchy.mount_point.empty()) continue;
    // `below` is the path of the group below the mount point. Inside a container, /proc/self/cgroup
    // may name a group that is not below mount_root; then the group at the mount point is taken for
    // this process's group. The loop reads the quotas of the group and of those above it.
    std::string below = hierarchy.group;
    const std::string top = hierarchy.mount_root == "/" ? "" : hierarchy.mount_root;
    below = below.compare(0, top.size(), top) == 0 ? below.substr(top.size()) : "";
    const bool is_below = below.empty() || below[0] == '/';
    if (!is_below || below.find("..") != std::string::npos) below.clear();
    while (true) {
      std::string directory = root;
      directory.append(hierarchy.mount_point).append(below);
      if (const std::optional<double> quota = QuotaOf(directory, hierarchy.is_version_2))
        least = std::min(least.value_or(*quota), *quota);
      const size_t slash = below.rfind('/');
      if (slash == std::string::npos) break;
      below.resize(slash);
    }
  }
  return least;
}

int ThreadsWithinQuota(int cores, const std::string& root) {
  const double granted = CpuQuota(root).value_or(cores);
  return std::max(1, static_cast<int>(std::ceil(std::min<double>(cores, granted))));
}

}  // namespace cotangent
