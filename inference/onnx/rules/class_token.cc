#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

const RegisterOnnxCases cases{
    {"class_token",
     "layer { convolution { channels: 6 kernel: 3 stride: 2 } } layer { class_token {} } "
     "layer { attention { heads: 3 } } layer { token {} }"},
};

}  // namespace
}  // namespace cotangent::inference
