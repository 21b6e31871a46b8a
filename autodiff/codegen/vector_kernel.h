#ifndef COTANGENT_AUTODIFF_CODEGEN_VECTOR_KERNEL_H_
#define COTANGENT_AUTODIFF_CODEGEN_VECTOR_KERNEL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "autodiff/codegen/vector_program.h"

namespace cotangent::autodiff::codegen {

// What a kernel is compiled for, each including the ones before. kPortable interprets the program
// in plain C++.
enum class Isa : uint8_t { kPortable, kAvx2, kAvx512, kAvx512Bf16 };

const char* IsaName(Isa isa);

// The best this processor has (kAvx2 means with FMA; kAvx512 means F, BW, DQ and VL). The
// environment variable COTANGENT_ISA = portable, avx2, avx512 or avx512_bf16 lowers it.
Isa BestIsa();

struct KernelOptions {
  Isa isa = BestIsa();

  // Elements in a row, any number from 1. 0 makes a flat kernel: one row, whose length is known at
  // the call only; it has no channel operands, and its sums are over all elements.
  int columns = 0;
};

// The operands of one call, each list in the order the program declared them. Nothing is owned.
struct KernelCall {
  int64_t rows = 0;                       // of a flat kernel: its elements
  const void* const* loads = nullptr;     // address of the first row's first element
  const int64_t* load_strides = nullptr;  // bytes from a row to the next; unused by flat kernels
  const float* const* channels = nullptr;
  const float* scalars = nullptr;
  void* const* stores = nullptr;
  const int64_t* store_strides = nullptr;
  float* const* sums = nullptr;  // `columns` floats each (flat: one), added to

  // Bytes from a row to the one the caches are asked for meanwhile, by load and by store; null:
  // none is. What lies there is not read. Only for rows so wide that they are taken in groups of
  // columns, a walk through memory that no prefetcher recognises.
  const int64_t* load_aheads = nullptr;
  const int64_t* store_aheads = nullptr;
};

// A program compiled to machine code at run time, or interpreted where the processor has no AVX2.
//
//   ASSIGN_OR_RETURN(auto kernel, VectorKernel::Compile(program, {.columns = 64}));
//   (*kernel)({.rows = 1024, .loads = loads, .load_strides = strides, ...});
//
// No address needs any alignment; no byte outside the rows is read or written. A call costs some
// nanoseconds besides its elements, allocates nothing, starts no threads, and any number of threads
// may call one kernel at once.
class VectorKernel {
 public:
  // Fails with InvalidArgument where the program and the options contradict each other (a channel
  // operand in a flat kernel, an isa above what the processor has), and with ResourceExhausted
  // where memory for code cannot be had.
  static absl::StatusOr<std::unique_ptr<VectorKernel>> Compile(const VectorProgram& program,
                                                               const KernelOptions& options = {});

  virtual ~VectorKernel() = default;
  VectorKernel(const VectorKernel&) = delete;
  VectorKernel& operator=(const VectorKernel&) = delete;

  void operator()(const KernelCall& call) const { entry_(this, &call); }

  // "avx512, 64 columns, 4 vectors at once, 14 operations, 312 bytes of code".
  const std::string& Describe() const { return description_; }

 protected:
  using Entry = void (*)(const void* kernel, const KernelCall* call);

  VectorKernel() = default;

  Entry entry_ = nullptr;
  std::string description_;
};

}  // namespace cotangent::autodiff::codegen

#endif  // COTANGENT_AUTODIFF_CODEGEN_VECTOR_KERNEL_H_
