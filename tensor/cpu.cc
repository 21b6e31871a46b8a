#include "tensor/cpu.h"

#include <cpuid.h>
#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <set>
#include <string>

#include "tensor/cpu_quota.h"

namespace cotangent::tensor {

namespace {

constexpr const char* kInstructionSets[] = {"portable", "avx2", "avx512", "avx512_bf16"};

int OfProcessor() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return !avx512 ? 1 : __builtin_cpu_supports("avx512bf16") ? 3 : 2;
}

// What COTANGENT_ISA names, as an index of kInstructionSets, if it names one of them.
std::optional<int> Allowed() {
  const char* allowed = std::getenv("COTANGENT_ISA");
  for (int i = 0; allowed != nullptr && i < static_cast<int>(std::size(kInstructionSets)); ++i) {
    if (std::strcmp(allowed, kInstructionSets[i]) == 0) return i;
  }
  return std::nullopt;
}

// The widest that is there and allowed.
int Widest() {
  static const int widest = std::min(OfProcessor(), Allowed().value_or(OfProcessor()));
  return widest;
}

}  // namespace

bool HasAvx2() { return Widest() >= 1; }
bool HasAvx512() { return Widest() >= 2; }
bool HasAvx512Bf16() { return Widest() >= 3; }
std::string InstructionSet() { return kInstructionSets[Widest()]; }

std::string UnknownInstructionSet() {
  const char* allowed = std::getenv("COTANGENT_ISA");
  return allowed == nullptr || Allowed() ? "" : allowed;
}

int64_t SecondCacheBytes() {
  static const int64_t bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? bytes : 512 << 10;
}

std::string ProcessorName() {
  unsigned registers[12];
  for (unsigned leaf = 0; leaf < 3; ++leaf) {
    unsigned* out = registers + 4 * leaf;
    if (!__get_cpuid(0x80000002 + leaf, &out[0], &out[1], &out[2], &out[3]))
      return "unknown processor";
  }
  std::string name(reinterpret_cast<const char*>(registers), sizeof registers);
  name.resize(std::strlen(name.c_str()));
  const size_t begin = name.find_first_not_of(' ');
  if (begin == std::string::npos) return "unknown processor";
  return name.substr(begin, name.find_last_not_of(' ') + 1 - begin);
}

int PhysicalThreads() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return std::max(1, omp_get_num_procs());
  std::set<std::string> cores;  // each named by the list of its hyperthreads
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                       "/topology/thread_siblings_list");
    std::string siblings;
    cores.insert(std::getline(file, siblings) ? siblings : "cpu " + std::to_string(cpu));
  }
  const double count = static_cast<double>(cores.size());
  return std::max(1, static_cast<int>(std::ceil(std::min(count, CpuQuota().value_or(count)))));
}

void SetThreads(int threads) { omp_set_num_threads(std::max(1, threads)); }

int Threads() { return omp_get_max_threads(); }

}  // namespace cotangent::tensor
