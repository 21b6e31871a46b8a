// Translates the operations of a fused pass into a vector program (see pass_emitter.h).

#include "layers/plan/pass_emitter.h"

#include "base/status_macros.h"

namespace cotangent::layers {

namespace codegen = autodiff::codegen;
using codegen::Value;

bool IsMoments(const Graph& graph, const Node& node) {
  return node.op->Role(graph, node).kind == PassRole::kMoments;
}

int ShiftOf(const Graph& graph, const Pass& pass, int index) {
  int count = 0;
  for (int node : pass.sums) {
    if (node == index) break;
    count += IsMoments(graph, graph.node(node));
  }
  return count;
}

Value Emitter::LoadTensor(TensorId t, Access access, int cell) {
  const Shape& shape = graph_.shape(t);
  if (shape.rank() == 0) {
    scalars.push_back(t);
    return program.LoadScalar();
  }
  if (shape.rank() == 1 && !flat_) {
    channels.push_back({t});
    return program.LoadChannel();
  }
  loads.push_back({.tensor = t, .access = access, .cell = cell, .format = format_of_(t)});
  return program.Load(loads.back().format.type);
}

absl::StatusOr<Value> Emitter::ValueOf(TensorId t, int cell) {
  const auto key = std::make_pair(t, graph_.shape(t).rank() >= 2 ? cell : -1);
  if (auto known = values_.find(key); known != values_.end()) return known->second;
  absl::StatusOr<Value> value;
  if (schedule_.in_memory[t] && !IsStoredHere(t)) {
    value = LoadTensor(t, cell >= 0 ? Access::kFine : Access::kCoarse, cell);
  } else {
    value = Compute(t, cell);
  }
  if (value.ok()) values_[key] = *value;
  return value;
}

absl::StatusOr<Value> Emitter::Compute(TensorId t, int cell) {
  const Node& node = graph_.producer(t);
  const int output = t == node.outputs[0] ? 0 : 1;
  absl::StatusOr<Value> value = node.op->Emit(*this, node, output, cell);
  // A recomputed value must equal the stored original, so it is rounded to bf16 if the original is
  // stored in bf16.
  if (value.ok() && node.again_of != kNoTensor &&
      format_of_(node.again_of).type == ElementType::kBf16)
    return program.RoundToBf16(*value);
  return value;
}

absl::Status Emitter::EmitSum(const Node& node, int index) {
  const TensorId x = node.inputs[0];
  const bool fine = IsFine(x), moments = IsMoments(graph_, node);
  if (remainder_ && !fine) return absl::OkStatus();
  const int count = fine ? cells() : 1, shift_index = moments ? ShiftOf(graph_, pass_, index) : -1;
  Value shift = -1, sum = -1, squares = -1;
  if (moments) {
    channels.push_back({kNoTensor, shift_index});
    shift = program.LoadChannel();
  }
  for (int cell = 0; cell < count; ++cell) {
    ASSIGN_OR_RETURN(Value value, ValueOf(x, fine ? cell : -1));
    const Value summand = moments ? program.Sub(value, shift) : value;
    sum = cell == 0 ? summand : program.Add(sum, summand);
    squares = cell == 0 ? program.Mul(summand, summand) : program.Fma(summand, summand, squares);
  }
  program.Sum(sum);
  sums.push_back({index, false, shift_index, count});
  if (moments) {
    program.Sum(squares);
    sums.push_back({index, true, shift_index, count});
  }
  return absl::OkStatus();
}

absl::Status Emitter::Emit(const PassKernel::StoreFormatsOf& store_formats_of) {
  for (TensorId t : pass_.stores) {
    const bool fine = IsFine(t);
    if (remainder_ && !fine) continue;
    for (int cell = 0; cell < (fine ? cells() : 1); ++cell) {
      ASSIGN_OR_RETURN(Value value, ValueOf(t, fine ? cell : -1));
      int version = 0;
      for (const Format& format : store_formats_of(t)) {
        stores.push_back({.tensor = t,
                          .version = version++,
                          .access = fine ? Access::kFine : Access::kCoarse,
                          .cell = fine ? cell : -1,
                          .format = format});
        program.Store(value, format.type);
      }
    }
  }
  for (int index : pass_.sums) {
    RETURN_IF_ERROR(EmitSum(graph_.node(index), index));
  }
  if (loads.size() > kMaxOperands || stores.size() > kMaxOperands ||
      channels.size() > kMaxOperands || sums.size() > kMaxOperands) {
    return absl::InternalError("a pass has too many operands");
  }
  return absl::OkStatus();
}

}  // namespace cotangent::layers
