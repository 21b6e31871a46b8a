#include "tensor/cpu.h"

#include <cstdlib>
#include <string>

#include "gtest/gtest.h"

namespace cotangent::tensor {
namespace {

TEST(Cpu, InstructionSetsInclude) {
  EXPECT_TRUE(!HasAvx512() || HasAvx2());
  EXPECT_TRUE(!HasAvx512Bf16() || HasAvx512());
  EXPECT_FALSE(ProcessorName().empty());
  EXPECT_NE(ProcessorName().back(), ' ');
}

TEST(Cpu, TheEnvironmentRulesInstructionSetsOut) {
  const char* allowed = std::getenv("COTANGENT_ISA");
  if (allowed == nullptr) GTEST_SKIP() << "nothing is ruled out";
  if (std::string(allowed) == "portable") EXPECT_FALSE(HasAvx2());
  if (std::string(allowed) == "avx2") EXPECT_FALSE(HasAvx512());
}

TEST(Cpu, ASecondCacheHasASize) {
  EXPECT_GE(SecondCacheBytes(), 64 << 10);
  EXPECT_LE(SecondCacheBytes(), 1 << 30);
}

TEST(Cpu, ThreadsAreSetAndAtLeastOne) {
  EXPECT_GE(PhysicalThreads(), 1);
  SetThreads(2);
  EXPECT_EQ(Threads(), 2);
  SetThreads(0);
  EXPECT_EQ(Threads(), 1);
}

}  // namespace
}  // namespace cotangent::tensor
