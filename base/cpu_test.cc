#include "base/cpu.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include "gtest/gtest.h"

namespace cotangent {
namespace {

TEST(Cpu, InstructionSetsInclude) {
  EXPECT_TRUE(!HasAvx512() || HasAvx2());
  EXPECT_TRUE(!HasAvx512Bf16() || HasAvx512());
  EXPECT_TRUE(!HasAmx() || HasAvx512Bf16());
  EXPECT_LE(WidestInstructionSet(), ProcessorInstructionSet());
  EXPECT_EQ(AvailableInstructionSets().front(), WidestInstructionSet());
  EXPECT_EQ(AvailableInstructionSets().back(), InstructionSet::kPortable);
}

TEST(Cpu, TheEnvironmentRulesInstructionSetsOut) {
  const char* allowed = std::getenv("COTANGENT_ISA");
  if (allowed == nullptr) GTEST_SKIP() << "nothing is ruled out";
  EXPECT_EQ(UnknownInstructionSet(), "");
  if (std::string(allowed) == "portable") {
    EXPECT_FALSE(HasAvx2());
  } else if (std::string(allowed) == "avx2") {
    EXPECT_FALSE(HasAvx512());
  }
}

TEST(Cpu, TheProcessorHasANameAndASecondCache) {
  EXPECT_FALSE(ProcessorName().empty());
  EXPECT_NE(ProcessorName().back(), ' ');
  EXPECT_GE(SecondCacheBytes(), 64 << 10);
  EXPECT_LE(SecondCacheBytes(), 1 << 30);
}

// The kernel's own reading of CPUID.
TEST(Cpu, TheFamilyIsThatOfTheKernel) {
  std::ifstream file("/proc/cpuinfo");
  std::string vendor, family;
  for (std::string line; std::getline(file, line) && (vendor.empty() || family.empty());) {
    const size_t colon = line.find(": ");
    if (line.starts_with("vendor_id")) vendor = line.substr(colon + 2);
    if (line.starts_with("cpu family")) family = line.substr(colon + 2);
  }
  if (vendor.empty()) GTEST_SKIP() << "no x86";
  EXPECT_EQ(ProcessorFamily(), vendor + " " + family);
}

}  // namespace
}  // namespace cotangent
