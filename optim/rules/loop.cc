#include "optim/rules/loop.h"

namespace cotangent::optim {

std::vector<InstructionSet> AvailableInstructionSets() {
  std::vector<InstructionSet> available;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) {
    available.push_back(InstructionSet::kAvx512);
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    available.push_back(InstructionSet::kAvx2);
  }
#endif
  available.push_back(InstructionSet::kBaseline);
  return available;
}

}  // namespace cotangent::optim
