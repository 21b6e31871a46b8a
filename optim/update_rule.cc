#include "optim/update_rule.h"

#include <cmath>

#include "absl/strings/str_cat.h"

namespace cotangent::optim {
namespace {

// Collects the first complaint about a rule's settings.
class Checker {
 public:
  explicit Checker(std::string place) : place_(std::move(place)) {}

  void NotNegative(double value, absl::string_view field) {
    if (!(value >= 0 && std::isfinite(value))) Complain(field, value, "a number from 0 upwards");
  }
  void Fraction(double value, absl::string_view field) {
    if (!(value >= 0 && value < 1)) Complain(field, value, "at least 0 and below 1");
  }
  void Require(bool holds, absl::string_view field, double value, absl::string_view expected) {
    if (!holds) Complain(field, value, expected);
  }
  const absl::Status& status() const { return status_; }

 private:
  void Complain(absl::string_view field, double value, absl::string_view expected) {
    if (!status_.ok()) return;
    status_ = absl::InvalidArgumentError(
        absl::StrCat(place_, ".", field, " is ", value, ": expected ", expected));
  }

  std::string place_;
  absl::Status status_;
};

void ReadSgd(const Sgd& sgd, UpdateRule& rule, Checker& check) {
  rule.momentum = sgd.momentum();
  rule.dampening = sgd.dampening();
  rule.nesterov = sgd.nesterov();
  rule.decoupled = sgd.decoupled_weight_decay();
  check.Fraction(rule.momentum, "momentum");
  check.Require(rule.dampening >= 0 && rule.dampening <= 1, "dampening", rule.dampening,
                "a number from 0 to 1");
  check.Require(!rule.nesterov || rule.momentum > 0, "momentum", rule.momentum,
                "a number above 0, since nesterov is true");
  check.Require(!rule.nesterov || rule.dampening == 0, "dampening", rule.dampening,
                "0, since nesterov is true");
  if (rule.momentum > 0) rule.state_names = {"momentum"};
}

template <typename AdamMessage>
void ReadAdam(const AdamMessage& adam, UpdateRule& rule, Checker& check) {
  rule.first_decay = adam.beta1();
  rule.second_decay = adam.beta2();
  rule.epsilon = adam.epsilon();
  rule.largest_second = adam.amsgrad();
  check.Fraction(rule.first_decay, "beta1");
  check.Fraction(rule.second_decay, "beta2");
  check.NotNegative(rule.epsilon, "epsilon");
  rule.state_names = {"first_moment", "second_moment"};
  if (rule.largest_second) rule.state_names.push_back("largest_second_moment");
}

void ReadRmsProp(const RmsProp& rmsprop, UpdateRule& rule, Checker& check) {
  rule.momentum = rmsprop.momentum();
  rule.first_decay = rule.second_decay = rmsprop.smoothing();
  rule.epsilon = rmsprop.epsilon();
  rule.centered = rmsprop.centered();
  check.Fraction(rule.momentum, "momentum");
  check.Fraction(rule.second_decay, "smoothing");
  check.NotNegative(rule.epsilon, "epsilon");
  rule.state_names = {"mean_square"};
  if (rule.centered) rule.state_names.push_back("mean_gradient");
  if (rule.momentum > 0) rule.state_names.push_back("momentum");
}

void ReadAdagrad(const Adagrad& adagrad, UpdateRule& rule, Checker& check) {
  rule.learning_rate_decay = adagrad.learning_rate_decay();
  rule.initial_state = adagrad.initial_accumulator();
  rule.epsilon = adagrad.epsilon();
  check.NotNegative(rule.learning_rate_decay, "learning_rate_decay");
  check.NotNegative(rule.initial_state, "initial_accumulator");
  check.NotNegative(rule.epsilon, "epsilon");
  rule.state_names = {"sum_of_squares"};
}

void ReadMuon(const Muon& muon, UpdateRule& rule, Checker& check) {
  rule.muon = muon;
  rule.momentum = muon.momentum();
  rule.nesterov = muon.nesterov();
  rule.decoupled = true;
  check.Fraction(rule.momentum, "momentum");
  check.Require(muon.newton_schulz_steps() >= 1 && muon.newton_schulz_steps() <= 20,
                "newton_schulz_steps", muon.newton_schulz_steps(), "1 to 20");
  rule.state_names = {"momentum"};
}

// Calls `read(name, message)` with the rule that `config` holds.
template <typename Config, typename Read>
void WithRule(Config& config, Read read) {
  switch (config.kind_case()) {
    case OptimizerConfig::kAdam:
      return read("adam", config.adam());
    case OptimizerConfig::kAdamw:
      return read("adamw", config.adamw());
    case OptimizerConfig::kRmsprop:
      return read("rmsprop", config.rmsprop());
    case OptimizerConfig::kAdagrad:
      return read("adagrad", config.adagrad());
    case OptimizerConfig::kMuon:
      return read("muon", config.muon());
    case OptimizerConfig::kSgd:
    case OptimizerConfig::KIND_NOT_SET:
      return read("sgd", config.sgd());
  }
}

// Sets the field `name` of whichever rule `config` holds.
void SetInRule(const char* name, double value, OptimizerConfig& config) {
  if (config.kind_case() == OptimizerConfig::KIND_NOT_SET) config.mutable_sgd();
  const auto* reflection = config.GetReflection();
  const auto* rule =
      reflection->GetOneofFieldDescriptor(config, config.GetDescriptor()->FindOneofByName("kind"));
  google::protobuf::Message* message = reflection->MutableMessage(&config, rule);
  message->GetReflection()->SetDouble(message, message->GetDescriptor()->FindFieldByName(name),
                                      value);
}

// Sets `config`'s rule to the group's own.
void TakeRule(const Group& group, OptimizerConfig& config) {
  switch (group.kind_case()) {
    case Group::kSgd:
      *config.mutable_sgd() = group.sgd();
      break;
    case Group::kAdam:
      *config.mutable_adam() = group.adam();
      break;
    case Group::kAdamw:
      *config.mutable_adamw() = group.adamw();
      break;
    case Group::kRmsprop:
      *config.mutable_rmsprop() = group.rmsprop();
      break;
    case Group::kAdagrad:
      *config.mutable_adagrad() = group.adagrad();
      break;
    case Group::kMuon:
      *config.mutable_muon() = group.muon();
      break;
    case Group::KIND_NOT_SET:
      break;
  }
}

}  // namespace

absl::StatusOr<UpdateRule> UpdateRule::Create(const OptimizerConfig& config,
                                              absl::string_view place) {
  UpdateRule rule;
  absl::Status status;
  WithRule(config, [&](absl::string_view name, const auto& message) {
    using Message = std::decay_t<decltype(message)>;
    Checker check(absl::StrCat(place, ".", name));
    rule.learning_rate = message.learning_rate();
    rule.weight_decay = message.weight_decay();
    check.NotNegative(rule.learning_rate, "learning_rate");
    check.NotNegative(rule.weight_decay, "weight_decay");
    if constexpr (std::is_same_v<Message, Sgd>) {
      rule.kind = OptimizerConfig::kSgd;
      ReadSgd(message, rule, check);
    } else if constexpr (std::is_same_v<Message, Adam>) {
      rule.kind = OptimizerConfig::kAdam;
      ReadAdam(message, rule, check);
    } else if constexpr (std::is_same_v<Message, AdamW>) {
      rule.kind = OptimizerConfig::kAdamw;
      rule.decoupled = true;
      ReadAdam(message, rule, check);
    } else if constexpr (std::is_same_v<Message, RmsProp>) {
      rule.kind = OptimizerConfig::kRmsprop;
      ReadRmsProp(message, rule, check);
    } else if constexpr (std::is_same_v<Message, Adagrad>) {
      rule.kind = OptimizerConfig::kAdagrad;
      ReadAdagrad(message, rule, check);
    } else {
      rule.kind = OptimizerConfig::kMuon;
      ReadMuon(message, rule, check);
    }
    status = check.status();
  });
  if (!status.ok()) return status;
  return rule;
}

UpdateKernels::Update UpdateRule::Loop(const UpdateKernels& kernels) const {
  switch (kind) {
    case OptimizerConfig::kAdam:
    case OptimizerConfig::kAdamw:
      return largest_second ? kernels.adam_max : kernels.adam;
    case OptimizerConfig::kRmsprop:
      return kernels.rmsprop[centered][momentum > 0];
    case OptimizerConfig::kAdagrad:
      return kernels.adagrad;
    case OptimizerConfig::kMuon:
      return kernels.momentum_direction;
    default:
      return momentum > 0 ? kernels.sgd_momentum : kernels.sgd;
  }
}

UpdateCoefficients UpdateRule::Coefficients(int64_t step, double rate) const {
  const double count = static_cast<double>(step) + 1;
  UpdateCoefficients c;
  c.decay = static_cast<float>(decoupled ? 0 : weight_decay);
  c.shrink = static_cast<float>(decoupled ? 1 - rate * weight_decay : 1);
  c.momentum = static_cast<float>(momentum);
  // The first gradient enters the momentum undamped, as in PyTorch.
  c.gradient_share = static_cast<float>(step == 0 ? 1 : 1 - dampening);
  c.direction_gradient = nesterov ? 1.0f : 0.0f;
  c.direction_momentum = nesterov ? static_cast<float>(momentum) : 1.0f;
  c.first_share = static_cast<float>(1 - first_decay);
  c.second_keep = static_cast<float>(second_decay);
  c.second_share = static_cast<float>(1 - second_decay);
  c.epsilon = static_cast<float>(epsilon);
  if (kind == OptimizerConfig::kAdam || kind == OptimizerConfig::kAdamw) {
    rate /= 1 - std::pow(first_decay, count);
    c.root_scale = static_cast<float>(1 / std::sqrt(1 - std::pow(second_decay, count)));
  }
  c.learning_rate = static_cast<float>(rate / (1 + (count - 1) * learning_rate_decay));
  return c;
}

absl::StatusOr<OptimizerConfig> RuleOfGroup(const OptimizerConfig& config, const Group& group,
                                            absl::string_view place) {
  if (group.kind_case() != Group::KIND_NOT_SET) {
    if (group.has_learning_rate() || group.has_weight_decay()) {
      return absl::InvalidArgumentError(
          absl::StrCat(place, " has both a rule of its own and ",
                       group.has_learning_rate() ? "learning_rate" : "weight_decay",
                       " beside it: expected that setting inside the rule"));
    }
    OptimizerConfig own;
    TakeRule(group, own);
    return own;
  }
  OptimizerConfig changed = config;
  if (group.has_learning_rate()) SetInRule("learning_rate", group.learning_rate(), changed);
  if (group.has_weight_decay()) SetInRule("weight_decay", group.weight_decay(), changed);
  return changed;
}

}  // namespace cotangent::optim
