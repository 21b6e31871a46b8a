#include "layers/plan/parameters.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "layers/plan/buffer.h"

namespace cotangent::layers {
namespace {

absl::StatusOr<int64_t> LayOut(const Graph& graph, const std::vector<TensorId>& tensors,
                               std::vector<ParameterStore::Slot>& slots,
                               absl::flat_hash_map<std::string, int>& index) {
  int64_t offset = 0;
  for (TensorId t : tensors) {
    const tensor::Shape& shape = graph.shape(t);
    RETURN_IF_ERROR(shape.Validate());
    const auto [entry, is_new] =
        index.try_emplace(graph.tensor(t).name, static_cast<int>(slots.size()));
    if (!is_new)
      return absl::InvalidArgumentError(
          absl::StrCat("two parameters are named '", graph.tensor(t).name, "'"));
    slots.push_back({graph.tensor(t).name, shape, offset, shape.NumElements()});
    offset += AlignFloats(shape.NumElements());
  }
  return offset;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ParameterStore>> ParameterStore::Create(const Graph& graph) {
  auto store = std::make_unique<ParameterStore>();
  ASSIGN_OR_RETURN(int64_t parameters,
                   LayOut(graph, graph.parameters(), store->parameters_, store->parameter_index_));
  ASSIGN_OR_RETURN(int64_t states,
                   LayOut(graph, graph.states(), store->states_, store->state_index_));
  store->parameter_floats_ = parameters, store->state_floats_ = states;
  const std::pair<AlignedBuffer*, int64_t> wanted[] = {{&store->values_, parameters},
                                                       {&store->gradients_, parameters},
                                                       {&store->state_values_, states}};
  for (const auto& [buffer, floats] : wanted) {
    ASSIGN_OR_RETURN(*buffer, AlignedBuffer::Create(floats * 4 + 64, "the network's parameters"));
  }
  return store;
}

}  // namespace cotangent::layers
