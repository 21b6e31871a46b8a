// Exports a trained network to a file of the Open Neural Network Exchange, ONNX (https://onnx.ai).
// Other inference engines, for example ONNX Runtime, run such files on servers, telephones and in
// browsers.
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
  // true: the model's input is bytes [batch, height, width, channels], as picture decoders yield
  // them, and the model normalises them. false: its input is f32 [batch, channels, height, width],
  // which the caller has normalised with mean and deviation from the file's metadata: (byte / 255 -
  // mean) / deviation.
  bool raw_bytes = false;
  // The accuracy to write into the file's metadata, if given.
  std::optional<double> accuracy;
};

// Returns the bytes of an ONNX model of operator set 17. Its input is named "images", its output
// "logits", or "probabilities" if the network ends with a softmax; input and output have any batch
// size. Batch normalisation and other affine operations are folded into the preceding convolutions
// (layers/plan/fold.h). Quantised layers stay quantised: they have weights of signed 8-bit
// integers, with QuantizeLinear and DequantizeLinear around them.
//
// The file's metadata are texts: classes, mean and deviation (JSON lists), dataset, network (its
// description in protobuf text format), accuracy, and targets. The text of targets is "classes";
// "labels" (the sigmoid of a logit is the probability of its label); or "numbers": the output times
// target_deviation plus target_mean (JSON lists) gives the numbers.
//
// The model has passed the ONNX project's own checker. Errors (InvalidArgument): a formula with a
// function that ONNX lacks; a network larger than the 2 GiB that the format can hold. If the
// checker refuses the model, which would be a bug of this program, the error is Internal.
absl::StatusOr<std::string> ExportOnnx(const training::TrainedNetwork& trained,
                                       const OnnxOptions& options = {});

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_EXPORT_H_
