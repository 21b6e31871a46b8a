#include "inference/onnx/rules/rule.h"

#include "absl/strings/str_cat.h"
#include "base/registered_twice.h"
#include "layers/graph/operation.h"

namespace cotangent::inference {
namespace {

std::map<std::string, OnnxRule>& Rules() {
  static auto& rules = *new std::map<std::string, OnnxRule>;
  return rules;
}

std::map<std::string, OnnxCaseText>& Cases() {
  static auto& cases = *new std::map<std::string, OnnxCaseText>;
  return cases;
}

}  // namespace

RegisterOnnxRule::RegisterOnnxRule(const char* operation, OnnxRule rule) {
  if (!Rules().emplace(operation, rule).second)
    RegisteredTwice(absl::StrCat("the ONNX rule of operation ", operation));
}

RegisterOnnxCases::RegisterOnnxCases(std::initializer_list<OnnxCaseText> cases) {
  for (const OnnxCaseText& each : cases) {
    if (!Cases().emplace(each.name, each).second)
      RegisteredTwice(absl::StrCat("the ONNX case ", each.name));
  }
}

std::set<std::string> OperationsWithOnnxRule() {
  std::set<std::string> operations;
  for (const auto& [operation, rule] : Rules()) operations.insert(operation);
  return operations;
}

const std::map<std::string, OnnxCaseText>& OnnxCaseTexts() { return Cases(); }

absl::Status AddOnnxOperators(const layers::Node& node, OnnxNetwork& network) {
  const auto rule = Rules().find(node.op->name());
  if (rule == Rules().end())
    return absl::InvalidArgumentError(absl::StrCat("layer '", node.name, "': no rule says how ",
                                                   node.op->name(), " is written in ONNX"));
  network.onnx().SetLayer(node.name);
  return rule->second(node, network);
}

}  // namespace cotangent::inference
