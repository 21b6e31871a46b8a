#include "inference/onnx/onnx_cases.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "inference/onnx/rules/rule.h"
#include "inference/trained_testing.h"
#include "layers/zoo/zoo.h"

namespace cotangent::inference {
namespace {

OnnxCase MakeCase(const std::string& name, const std::string& text, bool is_whole = false) {
  const std::vector<std::string> classes = {"one", "two", "three", "four"};
  if (is_whole) return {name, MakeTrained(text, classes)};
  return {name,
          MakeTrained(absl::StrCat("input { height: 9 width: 11 } ", text, " layer { linear {} }"),
                      classes)};
}

}  // namespace

std::vector<OnnxCase> OnnxCases() {
  std::vector<OnnxCase> cases;
  for (const auto& [name, each] : OnnxCaseTexts())
    cases.push_back(MakeCase(name, each.text, each.is_whole));
  const auto& kinds = *layers::Layer::Activation::Kind_descriptor();
  for (int i = 0; i < kinds.value_count(); ++i) {
    const std::string kind = kinds.value(i)->name();
    cases.push_back(MakeCase(absl::AsciiStrToLower(kind),
                             absl::StrCat("layer { activation { kind: ", kind, " } }")));
  }
  for (const std::string& name : layers::ZooNames())
    cases.push_back({name, MakeTrainedFromZoo(name, 10)});
  return cases;
}

}  // namespace cotangent::inference
