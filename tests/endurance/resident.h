#ifndef COTANGENT_TESTS_ENDURANCE_RESIDENT_H_
#define COTANGENT_TESTS_ENDURANCE_RESIDENT_H_

#include <cstdio>
#include <fstream>
#include <string>

namespace cotangent::tests {

// Returns the resident memory in MiB of a process, given by its id or "self"; 0 if there is no such
// process.
inline double ResidentMib(const std::string& process) {
  std::ifstream status("/proc/" + process + "/status");
  for (std::string line; std::getline(status, line);) {
    double kib = 0;
    if (sscanf(line.c_str(), "VmRSS: %lf kB", &kib) == 1) return kib / 1024;
  }
  return 0;
}

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_ENDURANCE_RESIDENT_H_
