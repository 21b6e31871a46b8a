#ifndef COTANGENT_LAYERS_NETWORK_ACTIVATION_H_
#define COTANGENT_LAYERS_NETWORK_ACTIVATION_H_

#include <string>

#include "layers/network/network.pb.h"

namespace cotangent::layers {

// The formula in x that an activation of a known kind stands for, or its own. Every activation is
// one: a built-in differs from the user's only in having a name.
std::string ActivationFormula(const Layer::Activation& activation);

}  // namespace cotangent::layers

#endif  // COTANGENT_LAYERS_NETWORK_ACTIVATION_H_
