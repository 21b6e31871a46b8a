#include "optim/rules/rule.h"

#include "gtest/gtest.h"
#include "optim/rules/testing.h"

namespace cotangent::optim {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::OneofDescriptor;

// Goes through the rules that OptimizerConfig in optimizer.proto offers: MakeRule() must know each
// by its field's name, its results must be the same bits on every instruction set, and it must
// refuse a negative learning rate and a weight decay of NaN. (Groups are tested below.)
TEST(RuleTest, EveryRuleOfTheProtoIsKnownAndWorks) {
  const OneofDescriptor* kinds = OptimizerConfig::descriptor()->FindOneofByName("kind");
  ASSERT_GT(kinds->field_count(), 0);
  for (int i = 0; i < kinds->field_count(); ++i) {
    const FieldDescriptor* field = kinds->field(i);
    SCOPED_TRACE(field->name());
    OptimizerConfig config;
    config.GetReflection()->MutableMessage(&config, field);
    const auto rule = MakeRule(config, "optimizer");
    ASSERT_TRUE(rule.ok()) << rule.status();
    EXPECT_EQ((*rule)->name, field->name());
    EXPECT_LE((*rule)->state_names.size(), 3);
    ExpectSameBitsEverywhere(field->name() + " {}");
    ExpectRefused(field->name() + " { learning_rate: -1 }", ".learning_rate is -1");
    ExpectRefused(field->name() + " { weight_decay: nan }", ".weight_decay is nan");
  }
}

TEST(RuleDeathTest, ASecondRuleForTheSameSettingsEndsTheProgram) {
  EXPECT_DEATH(RuleRegistration(Sgd::descriptor, nullptr),
               "update rule of .*Sgd is registered twice");
}

TEST(RuleTest, GroupsTakeEveryRuleAndReplaceSettings) {
  const OneofDescriptor* kinds = OptimizerConfig::descriptor()->FindOneofByName("kind");
  const OneofDescriptor* of_groups = Group::descriptor()->FindOneofByName("kind");
  ASSERT_EQ(of_groups->field_count(), kinds->field_count());
  for (int i = 0; i < kinds->field_count(); ++i) {
    const FieldDescriptor* field = Group::descriptor()->FindFieldByName(kinds->field(i)->name());
    ASSERT_NE(field, nullptr) << kinds->field(i)->name();
    EXPECT_EQ(field->message_type(), kinds->field(i)->message_type());
    Group group;
    group.GetReflection()->MutableMessage(&group, field);
    const auto own = RuleOfGroup(ParseOptimizer("sgd { momentum: 0.5 }"), group, "group");
    ASSERT_TRUE(own.ok()) << own.status();
    EXPECT_EQ((*MakeRule(*own, "group"))->name, field->name());

    const auto changed = RuleOfGroup(
        ParseOptimizer(field->name() + " { weight_decay: 0.5 }"),
        [] {
          Group replacing;
          replacing.set_learning_rate(0.25);
          return replacing;
        }(),
        "group");
    ASSERT_TRUE(changed.ok()) << changed.status();
    const auto rule = MakeRule(*changed, "group");
    EXPECT_EQ((*rule)->name, field->name());
    EXPECT_EQ((*rule)->learning_rate, 0.25);
    EXPECT_EQ((*rule)->weight_decay, 0.5);
  }
}

TEST(RuleTest, WithoutOneItIsSgd) {
  const auto rule = MakeRule(OptimizerConfig(), "optimizer");
  ASSERT_TRUE(rule.ok());
  EXPECT_EQ((*rule)->name, "sgd");
}

}  // namespace
}  // namespace cotangent::optim
