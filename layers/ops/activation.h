// Registers activations: formulas in x that a network text (the .textproto file that describes a
// network, layers/network/network.proto) can select by name.
#ifndef COTANGENT_LAYERS_OPS_ACTIVATION_H_
#define COTANGENT_LAYERS_OPS_ACTIVATION_H_

#include <string>
#include <vector>

#include "layers/network/network.pb.h"

namespace cotangent::layers {

// A constant of this type at namespace scope registers the formula of a Layer::Activation::Kind:
//
//   const RegisterActivation relu(Layer::Activation::RELU, "max(0, x)");
//
// The formula may use x and, as constants, the fields `slope` and `alpha` of the activation layer.
// It is treated exactly like a formula that the user writes in the network text. `aliases` are
// names that other programs give the activation, for suggestions in error messages. A second
// formula for the same kind ends the program.
class RegisterActivation {
 public:
  RegisterActivation(Layer::Activation::Kind kind, const char* formula,
                     std::vector<std::string> aliases = {});
};

// Returns the formula that is registered for a kind, null if there is none.
const char* FindActivation(Layer::Activation::Kind kind);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_OPS_ACTIVATION_H_
