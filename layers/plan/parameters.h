// Stores a network's parameters, their gradients and its states (values kept between steps but not
// learnt), each kind in one flat buffer of f32. Tensors have the names that PyTorch gives them.
#ifndef COTANGENT_LAYERS_PLAN_PARAMETERS_H_
#define COTANGENT_LAYERS_PLAN_PARAMETERS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "base/memory.h"
#include "layers/graph/graph.h"

namespace cotangent::layers {

// In each buffer, a tensor begins on a cache line (64 bytes). The gaps between tensors are zero and
// never written.
class ParameterStore {
 public:
  // Says where one tensor lies in its buffer.
  struct Slot {
    std::string name;
    tensor::Shape shape;
    int64_t offset = 0;  // in floats from the beginning of the buffer
    int64_t size = 0;    // number of elements
  };

  // Makes a store for all parameters and states of a graph, filled with zeros.
  static absl::StatusOr<std::unique_ptr<ParameterStore>> Create(const Graph& graph);

  const std::vector<Slot>& parameters() const { return parameters_; }
  const std::vector<Slot>& states() const { return states_; }
  // Return null if there is no tensor of that name.
  const Slot* FindParameter(absl::string_view name) const {
    return Find(parameter_index_, parameters_, name);
  }
  const Slot* FindState(absl::string_view name) const { return Find(state_index_, states_, name); }

  // These functions return the flat buffers. values() and gradients() have parameter_floats()
  // floats each, state_values() has state_floats().
  float* values() { return values_.as<float>(); }
  float* gradients() { return gradients_.as<float>(); }
  float* state_values() { return state_values_.as<float>(); }
  const float* values() const { return values_.as<float>(); }
  const float* state_values() const { return state_values_.as<float>(); }
  int64_t parameter_floats() const { return parameter_floats_; }
  int64_t state_floats() const { return state_floats_; }

 private:
  using Index = absl::flat_hash_map<std::string, int>;
  static const Slot* Find(const Index& index, const std::vector<Slot>& slots,
                          absl::string_view name) {
    const auto found = index.find(name);
    return found == index.end() ? nullptr : &slots[found->second];
  }

  std::vector<Slot> parameters_, states_;
  Index parameter_index_, state_index_;
  int64_t parameter_floats_ = 0, state_floats_ = 0;
  AlignedBuffer values_, gradients_, state_values_;
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_PLAN_PARAMETERS_H_
