#include "inference/inference_file.h"

#include <deque>
#include <vector>

#include "absl/strings/str_cat.h"
#include "layers/network/network_text.h"
#include "layers/plan/quantise.h"
#include "tensor/convolution.h"
#include "training/checkpoint.h"
#include "training/recipe.h"
#include "training/run_state.h"

namespace cotangent::inference {
namespace {

struct Integers {
  std::vector<int8_t> values;
  std::vector<float> scales;  // one per row
};

Integers ToIntegers(const float* weights, int64_t rows, int64_t columns) {
  Integers integers{{}, layers::WeightScales(weights, rows, columns)};
  for (int64_t i = 0; i < rows * columns; ++i)
    integers.values.push_back(tensor::RoundedWeight(weights[i], integers.scales[i / columns]));
  return integers;
}

}  // namespace

absl::Status WriteInferenceFile(const std::string& path, const training::TrainedNetwork& trained) {
  layers::Network network = trained.network;
  training::WriteNormalisation(trained.normalisation, network);
  training::RunState state;
  state.network = layers::NetworkText(network);
  state.seed = network.train().seed();
  state.dataset = trained.dataset;
  state.classes = trained.classes;
  state.quantisation = trained.quantisation;
  training::DescribeMachine(state);
  std::vector<training::CheckpointTensor> tensors;
  std::deque<Integers> quantised;
  const auto add = [&](const std::vector<layers::ParameterStore::Slot>& slots,
                       const float* values) {
    for (const layers::ParameterStore::Slot& slot : slots) {
      const std::vector<int64_t> shape(slot.shape.begin(), slot.shape.end());
      if (!trained.quantisation.contains(slot.name)) {
        tensors.push_back({slot.name, shape, values + slot.offset});
        continue;
      }
      const Integers& integers =
          quantised.emplace_back(ToIntegers(values + slot.offset, shape[0], slot.size / shape[0]));
      tensors.push_back({slot.name, shape, nullptr, integers.values.data()});
      tensors.push_back(
          {absl::StrCat(slot.name, training::kScaleSuffix), {shape[0]}, integers.scales.data()});
    }
  };
  add(trained.store->parameters(), trained.store->values());
  add(trained.store->states(), trained.store->state_values());
  return training::WriteCheckpoint(path, training::ToMetadata(state), tensors);
}

}  // namespace cotangent::inference
