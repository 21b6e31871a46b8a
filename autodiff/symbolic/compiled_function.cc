#include "autodiff/symbolic/compiled_function.h"

#include <algorithm>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "autodiff/codegen/vector_program.h"
#include "autodiff/symbolic/lower.h"
#include "base/status_macros.h"

namespace cotangent::autodiff::symbolic {
using codegen::ElementType;
using codegen::StoreHint;
using codegen::Value;
using codegen::VectorKernel;
using codegen::VectorProgram;

namespace {

// If all outputs together have at least this many elements, operator() writes them with
// non-temporal stores, which bypass the caches, where addresses allow it.
constexpr int64_t kStreamingElements = int64_t{4} << 20;
constexpr uintptr_t kCacheLine = 64;

absl::StatusOr<std::unique_ptr<VectorKernel>> CompileKernel(absl::Span<const Expr> outputs,
                                                            absl::Span<const Expr> variables,
                                                            InstructionSet isa, StoreHint hint) {
  VectorProgram program;
  VariableValues values;
  for (const Expr variable : variables) {
    values[variable.name()] = program.Load(ElementType::kF32);
  }
  ASSIGN_OR_RETURN(const std::vector<Value> results, Lower(outputs, values, program));
  for (const Value result : results) program.Store(result, ElementType::kF32, hint);
  return VectorKernel::Compile(program, {.isa = isa});
}

}  // namespace

absl::StatusOr<CompiledFunction> CompiledFunction::Compile(absl::Span<const Expr> outputs,
                                                           absl::Span<const Expr> variables,
                                                           InstructionSet isa) {
  CompiledFunction function;
  for (const auto& [hint, kernel] : {std::pair{StoreHint::kCached, &function.cached_},
                                     std::pair{StoreHint::kStreaming, &function.streaming_}}) {
    ASSIGN_OR_RETURN(*kernel, CompileKernel(outputs, variables, isa, hint));
  }
  return function;
}

void CompiledFunction::operator()(absl::Span<const float* const> inputs,
                                  absl::Span<float* const> outputs, int64_t size) const {
  absl::InlinedVector<const void*, 8> loads(inputs.begin(), inputs.end());
  absl::InlinedVector<void*, 8> stores(outputs.begin(), outputs.end());
  const auto run = [&](const VectorKernel& kernel, int64_t count) {
    kernel({.rows = count, .loads = loads.data(), .stores = stores.data()});
  };
  if (size * static_cast<int64_t>(outputs.size()) < kStreamingElements) return run(*cached_, size);

  // Non-temporal stores need addresses aligned to a vector, which is at most a cache line, so
  // ordinary stores write the elements before the first line boundary of outputs[0]. If another
  // output is aligned differently, the kernel itself falls back to ordinary stores.
  const uintptr_t into_line = reinterpret_cast<uintptr_t>(outputs[0]) % kCacheLine;
  const int64_t head = into_line == 0 ? 0 : (kCacheLine - into_line) / sizeof(float);
  run(*cached_, head);
  for (const void*& load : loads) load = static_cast<const float*>(load) + head;
  for (void*& store : stores) store = static_cast<float*>(store) + head;
  run(*streaming_, size - head);
}

}  // namespace cotangent::autodiff::symbolic
