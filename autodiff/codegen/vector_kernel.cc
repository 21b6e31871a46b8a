#include "autodiff/codegen/vector_kernel.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "autodiff/codegen/vector_interpreter.h"
#include "autodiff/codegen/vector_jit.h"
#include "base/cpu.h"
#include "base/status_macros.h"

namespace cotangent::autodiff::codegen {
namespace {

class InterpretedKernel : public VectorKernel {
 public:
  InterpretedKernel(const VectorProgram& program, int columns) : interpreter_(program, columns) {
    entry_ = [](const void* kernel, const KernelCall* call) {
      static_cast<const InterpretedKernel*>(static_cast<const VectorKernel*>(kernel))
          ->interpreter_.Run(*call);
    };
    description_ = absl::StrCat("portable, ", columns, " columns, ", interpreter_.num_steps(),
                                " operations, interpreted");
  }

 private:
  VectorInterpreter interpreter_;
};

// A kernel of machine code in memory pages of its own. The pages are first writable and later
// executable, never both at once.
class CompiledKernel : public VectorKernel {
 public:
  static absl::StatusOr<std::unique_ptr<VectorKernel>> Load(const MachineCode& code) {
    const size_t size = code.bytes.size();
    void* pages = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) {
      return absl::ResourceExhaustedError(
          absl::StrCat("no memory for a vector kernel of ", size, " bytes"));
    }
    std::unique_ptr<CompiledKernel> kernel(new CompiledKernel(pages, size));
    std::memcpy(pages, code.bytes.data(), size);
    if (mprotect(pages, size, PROT_READ | PROT_EXEC) != 0) {
      return absl::ResourceExhaustedError(
          "this system does not let a program make code at run time (mprotect refused PROT_EXEC); "
          "set "
          "COTANGENT_ISA=portable to do without");
    }
    kernel->entry_ = reinterpret_cast<Entry>(pages);
    kernel->description_ = code.description;
    return kernel;
  }

  ~CompiledKernel() override { munmap(pages_, size_); }

 private:
  CompiledKernel(void* pages, size_t size) : pages_(pages), size_(size) {}

  void* pages_;
  size_t size_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<VectorKernel>> VectorKernel::Compile(const VectorProgram& program,
                                                                    const KernelOptions& options) {
  if (options.columns < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("a kernel of ", options.columns, " columns; expected 0 (flat) or more"));
  }
  if (options.columns == 0 && program.num_channels() > 0) {
    return absl::InvalidArgumentError(
        "a flat kernel has no columns, but its program loads a channel operand: give the number of "
        "columns");
  }
  if (options.isa > ProcessorInstructionSet()) {
    return absl::InvalidArgumentError(absl::StrCat("kernel asked for ", Name(options.isa),
                                                   ", but this processor has only ",
                                                   Name(ProcessorInstructionSet())));
  }
  if (options.isa == InstructionSet::kPortable) {
    return std::make_unique<InterpretedKernel>(program, options.columns);
  }
  ASSIGN_OR_RETURN(const MachineCode code, AssembleKernel(program, options));
  return CompiledKernel::Load(code);
}

}  // namespace cotangent::autodiff::codegen
