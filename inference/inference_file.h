// Writes a trained network to a file, without the data that only training needs.
#ifndef COTANGENT_INFERENCE_INFERENCE_FILE_H_
#define COTANGENT_INFERENCE_INFERENCE_FILE_H_

#include <string>

#include "absl/status/status.h"
#include "training/trained_network.h"

namespace cotangent::inference {

// Writes a safetensors file: the parameters (their moving averages, if the training computed any),
// the running means and variances of batch normalisation, and as metadata the network's text (its
// description in protobuf text format), the mean and deviation that its inputs are normalised with,
// and the names of its classes. The file is a checkpoint without the optimizer's state, and can be
// read wherever checkpoints can. Weights of quantised layers are written as signed 8-bit integers
// with a scale for each output channel (number = scale * integer). If writing fails, no partial
// file remains.
absl::Status WriteInferenceFile(const std::string& path, const training::TrainedNetwork& trained);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_INFERENCE_FILE_H_
