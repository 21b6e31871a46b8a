#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

const RegisterOnnxCases cases{
    {"batch_norm", "layer { batch_norm {} } layer { batch_norm { scale: false epsilon: 0.1 } }"},
    {"batch_norm_folded",
     "layer { convolution { channels: 5 kernel: 3 bias: false } } layer { batch_norm {} } "
     "layer { activation { kind: RELU } }"},
};

}  // namespace
}  // namespace cotangent::inference
