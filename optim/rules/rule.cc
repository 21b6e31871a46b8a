#include "optim/rules/rule.h"

#include <map>

#include "absl/strings/str_cat.h"
#include "base/registered_twice.h"
#include "base/status_macros.h"

namespace cotangent::optim {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

// Returns all rules, each under the function that returns the descriptor of its settings.
std::map<const Descriptor* (*)(), RuleRegistration::Make>& RegisteredRules() {
  static auto& rules = *new std::map<const Descriptor* (*)(), RuleRegistration::Make>;
  return rules;
}

// Returns the rule's field that `message` (an OptimizerConfig or a Group) has set in its oneof
// `kind`; null if none.
const FieldDescriptor* ChosenRule(const Message& message) {
  return message.GetReflection()->GetOneofFieldDescriptor(
      message, message.GetDescriptor()->FindOneofByName("kind"));
}

// Sets the number `name` among the settings of `config`'s rule (of sgd if it has none).
void SetInRule(const char* name, double value, OptimizerConfig& config) {
  if (ChosenRule(config) == nullptr) config.mutable_sgd();
  Message* rule = config.GetReflection()->MutableMessage(&config, ChosenRule(config));
  rule->GetReflection()->SetDouble(rule, rule->GetDescriptor()->FindFieldByName(name), value);
}

}  // namespace

RuleRegistration::RuleRegistration(const Descriptor* (*settings)(), Make make) {
  if (!RegisteredRules().emplace(settings, make).second)
    RegisteredTwice(absl::StrCat("the update rule of ", settings()->full_name()));
}

absl::StatusOr<std::unique_ptr<UpdateRule>> MakeRule(const OptimizerConfig& config,
                                                     absl::string_view place,
                                                     const RuleContext& context) {
  const FieldDescriptor* chosen = ChosenRule(config);
  if (chosen == nullptr) chosen = config.GetDescriptor()->FindFieldByName("sgd");
  const Message& settings = config.GetReflection()->GetMessage(config, chosen);
  for (const auto& [settings_of, make] : RegisteredRules()) {
    if (settings_of() != settings.GetDescriptor()) continue;
    SettingsChecker check(absl::StrCat(place, ".", chosen->name()));
    std::unique_ptr<UpdateRule> rule = make(settings, context, check);
    RETURN_IF_ERROR(check.status());
    rule->name = chosen->name();
    return rule;
  }
  return absl::UnimplementedError(
      absl::StrCat(place, ".", chosen->name(), " is a rule that this program was built without"));
}

absl::StatusOr<OptimizerConfig> RuleOfGroup(const OptimizerConfig& config, const Group& group,
                                            absl::string_view place) {
  if (const FieldDescriptor* own = ChosenRule(group); own != nullptr) {
    if (group.has_learning_rate() || group.has_weight_decay()) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, " has both a rule of its own and ",
                       group.has_learning_rate() ? "learning_rate" : "weight_decay",
                       " beside it: expected that setting inside the rule"));
    }
    OptimizerConfig changed;
    const FieldDescriptor* field = changed.GetDescriptor()->FindFieldByName(own->name());
    changed.GetReflection()
        ->MutableMessage(&changed, field)
        ->CopyFrom(group.GetReflection()->GetMessage(group, own));
    return changed;
  }
  OptimizerConfig changed = config;
  if (group.has_learning_rate()) SetInRule("learning_rate", group.learning_rate(), changed);
  if (group.has_weight_decay()) SetInRule("weight_decay", group.weight_decay(), changed);
  return changed;
}

}  // namespace cotangent::optim
