#include "inference/onnx/rules/rule.h"

namespace cotangent::inference {
namespace {

const RegisterOnnxCases cases{
    {"dropout", "layer { dropout { rate: 0.3 } }"},
};

}  // namespace
}  // namespace cotangent::inference
