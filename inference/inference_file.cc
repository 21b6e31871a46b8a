#include "inference/inference_file.h"

#include <vector>

#include "layers/network/network_text.h"
#include "training/checkpoint.h"
#include "training/recipe.h"
#include "training/run_state.h"

namespace cotangent::inference {

absl::Status WriteInferenceFile(const std::string& path, const training::TrainedNetwork& trained) {
  layers::Network network = trained.network;
  training::WriteNormalization(trained.normalization, network);
  training::RunState state;
  state.network = layers::NetworkText(network);
  state.seed = network.train().seed();
  state.dataset = trained.dataset;
  state.classes = trained.classes;
  training::DescribeMachine(state);
  std::vector<training::CheckpointTensor> tensors;
  const auto add = [&](const std::vector<layers::ParameterStore::Slot>& slots,
                       const float* values) {
    for (const layers::ParameterStore::Slot& slot : slots)
      tensors.push_back({slot.name, {slot.shape.begin(), slot.shape.end()}, values + slot.offset});
  };
  add(trained.store->parameters(), trained.store->values());
  add(trained.store->states(), trained.store->state_values());
  return training::WriteCheckpoint(path, training::ToMetadata(state), tensors);
}

}  // namespace cotangent::inference
