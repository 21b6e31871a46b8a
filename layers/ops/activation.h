// Activations: formulas in x with a name.
#ifndef COTANGENT_LAYERS_OPS_ACTIVATION_H_
#define COTANGENT_LAYERS_OPS_ACTIVATION_H_

#include "layers/network/network.pb.h"

namespace cotangent::layers {

// A constant of this type, in namespace scope, makes an activation of the network text known:
//
//   const RegisterActivation relu(Layer::Activation::RELU, "max(0, x)");
//
// The formula is one in x, and in the fields `slope` and `alpha` of the text. A built-in differs from
// the user's own formula only in having a name.
class RegisterActivation {
 public:
  RegisterActivation(Layer::Activation::Kind kind, const char* formula);
};

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_ACTIVATION_H_
