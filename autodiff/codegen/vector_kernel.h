#ifndef COTANGENT_AUTODIFF_CODEGEN_VECTOR_KERNEL_H_
#define COTANGENT_AUTODIFF_CODEGEN_VECTOR_KERNEL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "autodiff/codegen/vector_program.h"
#include "base/cpu.h"

namespace cotangent::autodiff::codegen {

struct KernelOptions {
  // The instruction set that the kernel is compiled for; kAmx means the same as kAvx512Bf16. With
  // kPortable the program is interpreted in plain C++ instead.
  InstructionSet isa = WidestInstructionSet();

  // The number of elements in a row, 1 or more. 0 makes a flat kernel: its data is one row, whose
  // length only the call gives; it has no channel operands (VectorProgram::LoadChannel()), and its
  // sums are over all elements.
  int columns = 0;
};

// The operands of one call of a kernel. Each list is in the order in which the kernel's
// VectorProgram declared the operands (or outputs, or sums). A list may be null if it is empty. The
// caller owns all memory.
struct KernelCall {
  int64_t rows = 0;                       // for a flat kernel: the number of elements
  const void* const* loads = nullptr;     // addresses of the first rows' first elements
  const int64_t* load_strides = nullptr;  // bytes from a row to the next; unused by flat kernels
  const float* const* channels = nullptr;
  const float* scalars = nullptr;
  void* const* stores = nullptr;
  const int64_t* store_strides = nullptr;
  float* const* sums = nullptr;  // `columns` floats each (flat: one), to which the call adds

  // For each load and each store, the distance in bytes from a row to memory that the kernel
  // prefetches while it processes the row; a null list stands for distances of 0. Prefetched
  // addresses need not be readable. Kernels prefetch only if rows are so wide that they are
  // processed in groups of columns, because the processor's own prefetchers do not recognise that
  // order of accesses.
  const int64_t* load_aheads = nullptr;
  const int64_t* store_aheads = nullptr;
};

// A program compiled to machine code at run time, or interpreted if KernelOptions::isa is kPortable
// (which is the default if the processor has no AVX2).
//
//   ASSIGN_OR_RETURN(auto kernel, VectorKernel::Compile(program, {.columns = 64}));
//   (*kernel)({.rows = 1024, .loads = loads, .load_strides = strides, ...});
//
// Arrays need no alignment, and no byte outside the rows is read or written. Besides the time for
// its elements, a call of a compiled kernel costs some nanoseconds; it allocates nothing and starts
// no threads. Any number of threads may call one kernel at once.
class VectorKernel {
 public:
  // Fails with InvalidArgument if an option is out of range (a negative number of columns, an `isa`
  // that the processor does not have) or contradicts the program (a channel operand in a flat
  // kernel), and with ResourceExhausted if the system grants no memory for the code or does not let
  // a program make code at run time.
  static absl::StatusOr<std::unique_ptr<VectorKernel>> Compile(const VectorProgram& program,
                                                               const KernelOptions& options = {});

  virtual ~VectorKernel() = default;
  VectorKernel(const VectorKernel&) = delete;
  VectorKernel& operator=(const VectorKernel&) = delete;

  void operator()(const KernelCall& call) const { entry_(this, &call); }

  // Returns a description for people: "avx512, 64 columns, 4 x 1 vectors at once, 14 operations, 0
  // spills, 312 bytes of code".
  const std::string& Describe() const { return description_; }

 protected:
  using Entry = void (*)(const void* kernel, const KernelCall* call);

  VectorKernel() = default;

  Entry entry_ = nullptr;
  std::string description_;
};

}  // namespace cotangent::autodiff::codegen

#endif  // COTANGENT_AUTODIFF_CODEGEN_VECTOR_KERNEL_H_
