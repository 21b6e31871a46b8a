#include "base/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#endif
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace cotangent {
namespace {

constexpr InstructionSet kAll[] = {InstructionSet::kPortable, InstructionSet::kAvx2,
                                   InstructionSet::kAvx512, InstructionSet::kAvx512Bf16,
                                   InstructionSet::kAmx};

// Returns the instruction set that COTANGENT_ISA names; nullopt if the variable is not set or is
// not the name of a set.
std::optional<InstructionSet> Allowed() {
  const char* allowed = std::getenv("COTANGENT_ISA");
  if (allowed == nullptr) return std::nullopt;
  for (InstructionSet set : kAll) {
    if (std::strcmp(allowed, Name(set)) == 0) return set;
  }
  return std::nullopt;
}

#if defined(__x86_64__)
// Returns whether the processor has AMX for bfloat16 and Linux lets this process use the tile
// registers of AMX; asks Linux for that permission. (Intel's manual, volume 2, CPUID leaf 7; Linux,
// Documentation/arch/x86/xstate.rst.)
bool MayUseTiles() {
  constexpr unsigned kAmxBf16 = 1u << 22, kAmxTile = 1u << 24;  // bits of EDX of leaf 7
  constexpr int64_t kRequestPermission = 0x1023, kTileData = 18;
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return false;
  if ((edx & kAmxBf16) == 0 || (edx & kAmxTile) == 0) return false;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
#endif

}  // namespace

const char* Name(InstructionSet set) {
  constexpr const char* kNames[] = {"portable", "avx2", "avx512", "avx512_bf16", "amx"};
  return kNames[static_cast<int>(set)];
}

InstructionSet ProcessorInstructionSet() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma"))
    return InstructionSet::kPortable;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
    return InstructionSet::kAvx2;
  if (!__builtin_cpu_supports("avx512bf16")) return InstructionSet::kAvx512;
  static const bool may_use_tiles = MayUseTiles();
  return may_use_tiles ? InstructionSet::kAmx : InstructionSet::kAvx512Bf16;
#else
  return InstructionSet::kPortable;
#endif
}

InstructionSet WidestInstructionSet() {
  static const InstructionSet widest =
      std::min(ProcessorInstructionSet(), Allowed().value_or(ProcessorInstructionSet()));
  return widest;
}

std::vector<InstructionSet> AvailableInstructionSets() {
  std::vector<InstructionSet> available;
  for (InstructionSet set : kAll) {
    if (set <= WidestInstructionSet()) available.insert(available.begin(), set);
  }
  return available;
}

std::string InstructionSetNames() {
  std::string names;
  for (InstructionSet set : kAll) {
    names += names.empty() ? "" : set == std::end(kAll)[-1] ? " or " : ", ";
    names += Name(set);
  }
  return names;
}

std::string UnknownInstructionSet() {
  const char* allowed = std::getenv("COTANGENT_ISA");
  return allowed == nullptr || Allowed() ? "" : allowed;
}

int64_t SecondCacheBytes() {
  static const int64_t bytes = sysconf(_SC_LEVEL2_CACHE_SIZE);
  return bytes > 0 ? bytes : 512 << 10;
}

std::string ProcessorName() {
#if defined(__x86_64__)
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
#else
  return "unknown processor";
#endif
}

std::string ProcessorFamily() {
#if defined(__x86_64__)
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(0, &eax, &ebx, &ecx, &edx)) return "unknown processor";
  std::string family(12, ' ');
  std::memcpy(&family[0], &ebx, 4);
  std::memcpy(&family[4], &edx, 4);
  std::memcpy(&family[8], &ecx, 4);
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return "unknown processor";
  const unsigned base = eax >> 8 & 15, extended = eax >> 20 & 255;
  return family + " " + std::to_string(base == 15 ? base + extended : base);
#else
  return "unknown processor";
#endif
}

}  // namespace cotangent
