// Checks that oneDNN's implementations allocate no buffers while they run. For every shape, each
// run allocates a table of its arguments, which cannot be avoided: up to 152 bytes in oneDNN 2.6,
// up to 1,944 bytes in 3.12. Buffers, which grow with the shape, must come from the caller.

#include "tensor/onednn.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "base/memory.h"
#include "gtest/gtest.h"

namespace {

constexpr size_t kLargestTable = 2048;  // bytes
std::atomic<bool> counting = false;
std::atomic<size_t> largest = 0;

}  // namespace

[[gnu::noinline]] void* operator new(size_t size) {
  if (counting && size > largest) largest = size;
  void* const memory = std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace cotangent::tensor::onednn {
namespace {

struct Shape {
  int64_t in_channels, out_channels, size, kernel;
};

Description Describe(Operation operation, Layout layout, const Shape& shape) {
  const int64_t pad = shape.kernel / 2;
  return {.operation = operation,
          .in = {{2, shape.in_channels, shape.size, shape.size}, ElementType::kF32, layout},
          .weights = {{shape.out_channels, shape.in_channels, shape.kernel, shape.kernel}},
          .out = {{2, shape.out_channels, shape.size, shape.size}, ElementType::kF32, layout},
          .pad_begin = {pad, pad},
          .pad_end = {pad, pad}};
}

int64_t Bytes(const Tensor& tensor) {
  int64_t elements = 1;
  for (const int64_t size : tensor.dims) elements *= size;
  return elements * 4;
}

// Runs the primitive three times. Returns the largest single allocation of the third run, in bytes.
size_t LargestAllocation(const Description& d, Primitive& primitive) {
  BigVector<char> in(Bytes(d.in)), out(Bytes(d.out)), weights(primitive.weight_bytes()),
      scratch(primitive.scratch_bytes());
  largest = 0;
  for (int run = 0; run < 3; ++run) {
    counting = run == 2;
    primitive.Run(in.data(), weights.data(), nullptr, nullptr, out.data(), scratch.data());
    counting = false;
  }
  return largest;
}

TEST(OnednnTest, RunsAllocateNoBuffers) {
  for (const Operation operation :
       {Operation::kConvolutionForward, Operation::kConvolutionInputGradient,
        Operation::kConvolutionWeightGradient}) {
    for (const Layout layout : {Layout::kNchw, Layout::kNhwc}) {
      for (const Shape& shape :
           {Shape{16, 16, 8, 3}, Shape{64, 64, 32, 3}, Shape{3, 32, 32, 7}, Shape{64, 64, 16, 1}}) {
        const Description d = Describe(operation, layout, shape);
        for (const std::string& name : Implementations(d)) {
          if (name.rfind("ref", 0) == 0) continue;  // slow
          const auto primitive = Primitive::Create(d, name);
          ASSERT_TRUE(primitive.ok()) << primitive.status();
          const size_t most = LargestAllocation(d, **primitive);
          EXPECT_LE(most, kLargestTable)
              << name << " in " << Name(layout) << ", kernel " << shape.kernel;
        }
      }
    }
  }
}

}  // namespace
}  // namespace cotangent::tensor::onednn
