// Writes a trained network to a file, without the data that only training needs.
#ifndef COTANGENT_INFERENCE_INFERENCE_FILE_H_
#define COTANGENT_INFERENCE_INFERENCE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "training/trained_network.h"

namespace cotangent::inference {

// Writes a safetensors file: parameters (their moving averages, if the training computed any) and
// statistics, and in its metadata the network's text, normalisation and classes. The file is a
// checkpoint without the optimizer's state, and can be read wherever checkpoints can. Weights of
// quantised layers are written as s8 with a scale for each output channel. If writing fails, no
// partial file remains.
absl::Status WriteInferenceFile(const std::string& path, const training::TrainedNetwork& trained);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_INFERENCE_FILE_H_
