// A trained network as a file of the Open Neural Network Exchange (https://onnx.ai), which other
// engines run: ONNX Runtime, on servers, telephones and in browsers, among them.
#ifndef COTANGENT_INFERENCE_ONNX_ONNX_EXPORT_H_
#define COTANGENT_INFERENCE_ONNX_ONNX_EXPORT_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "training/trained_network.h"

namespace cotangent::inference {

struct OnnxOptions {
  // The input is pictures as decoders give them, bytes [batch, height, width, channels], which the
  // graph normalises; else f32 [batch, channels, height, width], normalised by the caller with the
  // mean and deviation of the file's metadata: (byte / 255 - mean) / deviation.
  bool raw_bytes = false;
  // Written into the metadata if given.
  std::optional<double> accuracy;
};

// The bytes of an ONNX model of operator set 17: input "images", output "logits", or "probabilities"
// where the network ends with a softmax, both with a free batch. Batch normalisation and what else
// is affine is folded into the convolutions before it (layers/plan/fold.h). What is quantised is so
// there, too: QuantizeLinear and DequantizeLinear with s8 weights, around each such layer. Its
// metadata are texts: classes, mean and deviation (JSON lists), dataset, network (the text),
// accuracy; targets: "classes", "labels" (a sigmoid of a logit is the probability of its label) or
// "numbers", which are the results times target_deviation plus target_mean (JSON lists).
//
// The ONNX project's own checker has passed it. InvalidArgument: a formula with a function that ONNX
// does not have; a network of more than the 2 GiB that the format can hold.
absl::StatusOr<std::string> ExportOnnx(const training::TrainedNetwork& trained,
                                       const OnnxOptions& options = {});

// Whether an operation of a graph can be exported, or is known to be of training alone; what is
// neither was forgotten (onnx_rules.cc).
bool IsKnownToOnnx(absl::string_view operation);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_EXPORT_H_
