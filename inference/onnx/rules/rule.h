// Rules that translate the operations of a network's graph into ONNX operators. The rule of an
// operation is in one file of this folder, with networks that exercise it; the file has the name of
// the operation's file in layers/ops/ (leaf.cc has the rules of inputs, parameters and states):
//
//   absl::Status Softmax(const layers::Node& node, OnnxNetwork& network) {
//     network.Set(node.outputs[0], network.onnx().Add("Softmax", {network.Value(node.inputs[0])}));
//     return absl::OkStatus();
//   }
//   const RegisterOnnxRule softmax("softmax", Softmax);
//   const RegisterOnnxCases cases{{"softmax", "layer { softmax {} }"}};
//
// No other code names these rules and networks. A layer that is made of operations with rules has
// networks only.
#ifndef COTANGENT_INFERENCE_ONNX_RULES_RULE_H_
#define COTANGENT_INFERENCE_ONNX_RULES_RULE_H_

#include <initializer_list>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "inference/onnx/onnx_network.h"
#include "layers/graph/graph.h"

namespace cotangent::inference {

// Adds the ONNX operators of a node and calls OnnxNetwork::Set() for the node's outputs.
using OnnxRule = absl::Status (*)(const layers::Node& node, OnnxNetwork& network);

// A constant of this type at namespace scope registers the rule of the operation of this name
// (layers::Operation::name). A second rule for the operation ends the program.
class RegisterOnnxRule {
 public:
  RegisterOnnxRule(const char* operation, OnnxRule rule);
};

// A network that is exported and run by tests. `name` is unique among the cases of all files.
struct OnnxCaseText {
  const char* name;
  const char* text;       // the layers; a linear layer follows, and the images are 3x9x11
  bool is_whole = false;  // true: `text` is a whole network text instead
};

// A constant of this type at namespace scope registers cases.
class RegisterOnnxCases {
 public:
  RegisterOnnxCases(std::initializer_list<OnnxCaseText> cases);
};

// Returns the names of the operations that have a rule.
std::set<std::string> OperationsWithOnnxRule();
// Returns all registered cases, by name.
const std::map<std::string, OnnxCaseText>& OnnxCaseTexts();

// Adds the ONNX operators of a node by the rule of its operation. Set() must have been called for
// the node's inputs; this function calls it for the outputs.
absl::Status AddOnnxOperators(const layers::Node& node, OnnxNetwork& network);

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_ONNX_RULES_RULE_H_
