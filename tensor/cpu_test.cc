#include "tensor/cpu.h"

#include "gtest/gtest.h"

namespace cotangent::tensor {
namespace {

TEST(Cpu, InstructionSetsInclude) {
  EXPECT_TRUE(!HasAvx512() || HasAvx2());
  EXPECT_TRUE(!HasAvx512Bf16() || HasAvx512());
  EXPECT_FALSE(ProcessorName().empty());
  EXPECT_NE(ProcessorName().back(), ' ');
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
