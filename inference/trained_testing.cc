#include "inference/trained_testing.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "layers/network/build.h"
#include "layers/network/network_text.h"
#include "layers/zoo/zoo.h"
#include "training/recipe.h"
#include "training/step.h"

namespace cotangent::inference {
namespace {

training::TrainedNetwork Make(layers::Network network, std::vector<std::string> classes) {
  training::TrainedNetwork trained;
  trained.network = std::move(network);
  trained.dataset = "sample";
  trained.classes = std::move(classes);
  trained.normalisation = training::NormalisationOf(trained.network, {}).value();
  layers::BuildOptions options;
  options.batch_size = 1;
  options.training = false;
  options.classes = static_cast<int64_t>(trained.classes.size());
  const layers::BuiltNetwork built = layers::Build(trained.network, options).value();
  trained.store = layers::ParameterStore::Create(built.graph).value();
  training::InitialiseStore(built, /*seed=*/1, *trained.store);
  for (const layers::ParameterStore::Slot& slot : trained.store->states()) {
    for (int64_t i = 0; i < slot.size; ++i) {
      const float spread = static_cast<float>(i * 37 % 101) / 100.0f;  // in [0, 1]
      trained.store->state_values()[slot.offset + i] =
          absl::EndsWith(slot.name, "running_var") ? 0.5f + spread : 0.4f * (spread - 0.5f);
    }
  }
  return trained;
}

}  // namespace

training::TrainedNetwork MakeTrained(const std::string& text,
                                     const std::vector<std::string>& classes) {
  return Make(layers::ParseNetwork(text).value(), classes);
}

training::TrainedNetwork MakeTrainedFromZoo(const std::string& name, int64_t classes) {
  std::vector<std::string> names;
  for (int64_t k = 0; k < classes; ++k) names.push_back(absl::StrCat("class ", k));
  return Make(layers::FindNetwork(name).value(), std::move(names));
}

}  // namespace cotangent::inference
