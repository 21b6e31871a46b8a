// Prints the logits that a network computes for an image. The network is the name of one of
// layers/zoo or the path of a network text (.textproto); its weights come from a file:
//
//   logits NETWORK CLASSES WEIGHTS IMAGE      IMAGE: f32 [C, H, W], little-endian, normalised
#include <stdio.h>

#include <cstring>

#include "absl/strings/numbers.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "layers/network/build.h"
#include "layers/zoo/zoo.h"
#include "training/evaluation.h"
#include "training/step.h"
#include "training/weights/initial_weights.h"

namespace cotangent::training {
namespace {

absl::Status Print(const std::string& name, int64_t classes, const std::string& weights,
                   const std::string& image) {
  ASSIGN_OR_RETURN(const layers::Network network, layers::FindNetwork(name));
  layers::BuildOptions options;
  options.batch_size = 1;
  options.training = false;
  options.classes = classes;
  ASSIGN_OR_RETURN(const layers::BuiltNetwork built, layers::Build(network, options));
  ASSIGN_OR_RETURN(const auto store, layers::ParameterStore::Create(built.graph));
  ASSIGN_OR_RETURN(const InitialWeights initial, ReadInitialWeights(weights, {}));
  ASSIGN_OR_RETURN(const std::string report, TakeInitialWeights(initial, *store));
  fputs(report.c_str(), stderr);
  layers::Tuner tuner(1);
  ASSIGN_OR_RETURN(const auto evaluator,
                   Evaluator::Create(network, classes, 1, StepOptions(), *store, tuner));
  ASSIGN_OR_RETURN(const std::string pixels, data::ReadFile(image));
  if (pixels.size() != built.graph.shape(built.images).NumElements() * sizeof(float))
    return absl::InvalidArgumentError("the image has another size than the network's input");
  std::memcpy(evaluator->images(), pixels.data(), pixels.size());
  const float* const logits = evaluator->Run();
  for (int64_t k = 0; k < classes; ++k) printf("%.9g\n", static_cast<double>(logits[k]));
  return absl::OkStatus();
}

}  // namespace
}  // namespace cotangent::training

int main(int argc, char** argv) {
  int64_t classes;
  if (argc != 5 || !absl::SimpleAtoi(argv[2], &classes)) {
    fprintf(stderr, "logits NETWORK CLASSES WEIGHTS IMAGE\n");
    return 2;
  }
  const absl::Status status = cotangent::training::Print(argv[1], classes, argv[3], argv[4]);
  if (!status.ok()) fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return status.ok() ? 0 : 1;
}
