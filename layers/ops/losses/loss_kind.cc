#include "layers/ops/losses/loss_kind.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/registered_twice.h"
#include "base/status_macros.h"
#include "google/protobuf/reflection.h"
#include "layers/network/sizes.h"

namespace cotangent::layers {
namespace {

using google::protobuf::FieldDescriptor;

// Exactly one of the two functions is not null.
struct LossKind {
  TargetKind targets;
  MakeFormula formula;
  MakeImageLoss image_loss;
};

std::map<int, LossKind>& Kinds() {
  static std::map<int, LossKind>& kinds = *new std::map<int, LossKind>();
  return kinds;
}

const FieldDescriptor& FieldOf(int kind) { return *Loss::descriptor()->FindFieldByNumber(kind); }

void Register(Loss::KindCase kind, const LossKind& loss) {
  if (!Kinds().emplace(kind, loss).second)
    RegisteredTwice(absl::StrCat("loss ", FieldOf(kind).name()));
}

Loss::KindCase KindOf(const Loss& text) {
  return text.kind_case() == Loss::KIND_NOT_SET ? Loss::kSoftmaxCrossEntropy : text.kind_case();
}

// Returns the field with the weights of classes of the loss's message, or null if it has none.
const FieldDescriptor* ClassWeightsOf(int kind) {
  return FieldOf(kind).message_type()->FindFieldByName("class_weight");
}

// Reads the class weights of the loss and checks them.
absl::StatusOr<std::vector<double>> ParseClassWeights(const Loss& text, int64_t classes) {
  if (!HasClassWeights(text)) return std::vector<double>();
  const Loss::KindCase kind = KindOf(text);
  const google::protobuf::Message& settings =
      text.GetReflection()->GetMessage(text, &FieldOf(kind));
  const auto given =
      settings.GetReflection()->GetRepeatedFieldRef<double>(settings, ClassWeightsOf(kind));
  std::vector<double> weights(given.begin(), given.end());
  if (weights.empty()) return weights;
  const std::string place = absl::StrCat("loss.", FieldOf(kind).name(), ".class_weight");
  if (static_cast<int64_t>(weights.size()) != classes) {
    return Error(absl::StrCat(place, " has ", weights.size(), " numbers for ", classes,
                              " classes; expected one for each"));
  }
  for (double weight : weights) {
    if (!(weight >= 0) || !std::isfinite(weight))
      return Error(absl::StrCat(place, " holds ", weight, "; expected 0 or more"));
  }
  if (*std::max_element(weights.begin(), weights.end()) == 0)
    return Error(absl::StrCat(place, " is 0 for all classes; expected one above 0"));
  return weights;
}

}  // namespace

RegisterLoss::RegisterLoss(Loss::KindCase kind, TargetKind targets, MakeFormula formula) {
  Register(kind, {targets, formula, nullptr});
}

RegisterLoss::RegisterLoss(Loss::KindCase kind, TargetKind targets, MakeImageLoss image_loss) {
  Register(kind, {targets, nullptr, image_loss});
}

double ImageLoss::OfTargets(const LossImage& image, const float* targets,
                            std::vector<float>& scratch) const {
  double loss = 0;
  std::fill_n(image.gradient, image.classes, 0.0f);
  scratch.resize(image.classes);
  LossImage of_class = image;
  of_class.gradient = scratch.data();
  for (int64_t k = 0; k < image.classes; ++k) {
    if (targets[k] == 0) continue;
    loss += targets[k] * OfLabel(of_class, static_cast<int32_t>(k));
    for (int64_t j = 0; j < image.classes; ++j) image.gradient[j] += targets[k] * scratch[j];
  }
  return loss;
}

bool HasLoss(Loss::KindCase kind) { return Kinds().count(kind) > 0; }

TargetKind TargetKindOf(const Loss& text) { return Kinds().at(KindOf(text)).targets; }

absl::StatusOr<LossAttributes> ParseLoss(const Loss& text, int64_t classes,
                                         autodiff::symbolic::Pool& pool) {
  const LossKind& kind = Kinds().at(KindOf(text));
  LossAttributes attributes;
  if (kind.formula != nullptr) {
    const Expr x = pool.Variable("a0"), t = pool.Variable("a1");
    ASSIGN_OR_RETURN(attributes.formula, kind.formula(text, x, t));
  } else {
    ASSIGN_OR_RETURN(attributes.image_loss, kind.image_loss(text));
  }
  ASSIGN_OR_RETURN(attributes.class_weights, ParseClassWeights(text, classes));
  return attributes;
}

bool HasClassWeights(const Loss& text) { return ClassWeightsOf(KindOf(text)) != nullptr; }

std::vector<std::string> LossesWithClassWeights() {
  std::vector<std::string> names;
  for (const auto& [kind, loss] : Kinds()) {
    if (ClassWeightsOf(kind) != nullptr) names.push_back(FieldOf(kind).name());
  }
  return names;
}

void SetClassWeights(absl::Span<const double> weights, Loss& text) {
  const Loss::KindCase kind = KindOf(text);
  google::protobuf::Message& settings =
      *text.GetReflection()->MutableMessage(&text, &FieldOf(kind));
  const auto field =
      settings.GetReflection()->GetMutableRepeatedFieldRef<double>(&settings, ClassWeightsOf(kind));
  field.Clear();
  for (const double weight : weights) field.Add(weight);
}

}  // namespace cotangent::layers
