#include "layers/ops/activation.h"

namespace cotangent::layers {
namespace {

// The activation Mish: Misra, "Mish: a self regularized non-monotonic activation function" (2019).
const RegisterActivation mish(Layer::Activation::MISH, "x * tanh(softplus(x))");

}  // namespace
}  // namespace cotangent::layers
