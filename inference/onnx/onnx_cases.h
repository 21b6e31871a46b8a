// Networks that together contain every layer, to test the export to ONNX.
#ifndef COTANGENT_INFERENCE_ONNX_ONNX_CASES_H_
#define COTANGENT_INFERENCE_ONNX_ONNX_CASES_H_

#include <string>
#include <vector>

#include "training/trained_network.h"

namespace cotangent::inference {

struct OnnxCase {
  std::string name;
  training::TrainedNetwork trained;
};

// Returns the cases that the files of rules/ register, a network for each kind of activation, and
// every network of the zoo (the networks that are part of the program).
std::vector<OnnxCase> OnnxCases();

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_ONNX_CASES_H_
