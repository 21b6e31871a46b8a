// A trained network as a file without what only training needs.
#ifndef COTANGENT_INFERENCE_INFERENCE_FILE_H_
#define COTANGENT_INFERENCE_INFERENCE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "training/trained_network.h"

namespace cotangent::inference {

// Writes a safetensors file of parameters (their moving averages where there are any) and
// statistics, with network text, normalisation and classes in its metadata: a checkpoint without
// the optimizer's state, which everything reads that reads checkpoints. The weights of quantised
// layers become s8, with a scale for each output channel. It appears whole or not at all.
absl::Status WriteInferenceFile(const std::string& path, const training::TrainedNetwork& trained);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_INFERENCE_FILE_H_
