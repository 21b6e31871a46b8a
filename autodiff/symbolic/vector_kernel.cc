#include "autodiff/symbolic/vector_kernel.h"

#include <cstdlib>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "autodiff/symbolic/vector_interpreter.h"

namespace cotangent::autodiff::symbolic {
namespace {

constexpr const char* kIsaNames[] = {"portable", "avx2", "avx512", "avx512_bf16"};

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

Isa ProcessorIsa() {
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::kPortable;
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl")) {
    return Isa::kAvx2;
  }
  return __builtin_cpu_supports("avx512bf16") ? Isa::kAvx512Bf16 : Isa::kAvx512;
}

}  // namespace

const char* IsaName(Isa isa) { return kIsaNames[static_cast<int>(isa)]; }

Isa BestIsa() {
  static const Isa best = [] {
    const Isa processor = ProcessorIsa();
    const char* wanted = std::getenv("COTANGENT_ISA");
    for (int i = 0; wanted != nullptr && i < static_cast<int>(processor); ++i) {
      if (absl::string_view(wanted) == kIsaNames[i]) return static_cast<Isa>(i);
    }
    return processor;
  }();
  return best;
}

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
  if (options.isa > ProcessorIsa()) {
    return absl::InvalidArgumentError(absl::StrCat("kernel asked for ", IsaName(options.isa),
                                                   ", but this processor has only ",
                                                   IsaName(ProcessorIsa())));
  }
  return std::make_unique<InterpretedKernel>(program, options.columns);
}

}  // namespace cotangent::autodiff::symbolic
