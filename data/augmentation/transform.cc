#include "data/augmentation/transform.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/registered_twice.h"
#include "base/status_macros.h"

namespace cotangent::data {
namespace {

struct RegisteredTransform {
  TransformRegistration::Make make;
  double probability;
};

std::map<TransformConfig::KindCase, RegisteredTransform>& RegisteredTransforms() {
  static auto& transforms = *new std::map<TransformConfig::KindCase, RegisteredTransform>;
  return transforms;
}

const std::string& NameOf(TransformConfig::KindCase kind) {
  return TransformConfig::descriptor()->FindFieldByNumber(kind)->name();
}

}  // namespace

TransformRegistration::TransformRegistration(TransformConfig::KindCase kind, Make make,
                                             double probability) {
  if (!RegisteredTransforms().insert({kind, {make, probability}}).second)
    RegisteredTwice(absl::StrCat("transform ", NameOf(kind)));
}

absl::StatusOr<ChainLink> MakeLink(const TransformConfig& config, absl::string_view place) {
  if (config.kind_case() == TransformConfig::KIND_NOT_SET) {
    return absl::InvalidArgumentError(
        absl::StrCat(place, " names no transform; expected one such as affine { degrees: 10 }"));
  }
  const std::string& name = NameOf(config.kind_case());
  const auto known = RegisteredTransforms().find(config.kind_case());
  if (known == RegisteredTransforms().end()) {
    return absl::UnimplementedError(
        absl::StrCat(place, ".", name, " is a transform that this program was built without"));
  }
  const RegisteredTransform& transform = known->second;
  SettingsChecker of_link{std::string(place)}, of_settings(absl::StrCat(place, ".", name));
  ChainLink link;
  link.probability = of_link.Between(
      config.has_probability() ? config.probability() : transform.probability, 0, 1, "probability");
  link.transform = transform.make(config, of_settings);
  RETURN_IF_ERROR(of_link.status());
  RETURN_IF_ERROR(of_settings.status());
  return link;
}

}  // namespace cotangent::data
