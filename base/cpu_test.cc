#include "base/cpu.h"

#include <cstdlib>
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

}  // namespace
}  // namespace cotangent
