#include "layers/network/recipe.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "layers/network/sizes.h"

namespace cotangent::layers {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

absl::Status CheckFloat(const std::string& path, double value) {
  constexpr double kLeast = std::numeric_limits<float>::min();
  constexpr double kMost = std::numeric_limits<float>::max();
  const double size = std::abs(value);
  if (!std::isfinite(value) || value == 0 || (size >= kLeast && size <= kMost))
    return absl::OkStatus();
  return Error(absl::StrCat(path, " is ", value, "; expected 0, or a size from ", kLeast, " to ",
                            kMost, ": networks compute with 32-bit floats"));
}

}  // namespace

absl::Status CheckValidationShare(const Network& network) {
  const double validation = network.train().evaluation().validation();
  if (validation >= 0 && validation < 1) return absl::OkStatus();
  return Error(absl::StrCat("train.evaluation.validation is ", validation,
                            "; expected a share from 0 to less than 1"));
}

absl::Status CheckRecipe(const Network& network) {
  const Train& train = network.train();
  const Network::Input& input = network.input();
  RETURN_IF_ERROR(CheckSize("train.batch_size", train.batch_size(), 1, kLargestBatch));
  if (!(train.epochs() >= 0 && train.epochs() <= 1e6))
    return Error(absl::StrCat("train.epochs is ", train.epochs(), "; expected 0 to 1000000"));
  RETURN_IF_ERROR(CheckSize("train.augmentation.crop", train.augmentation().crop(), 0,
                            std::min(input.height(), input.width()) - 1));
  RETURN_IF_ERROR(CheckSize("train.augmentation.cutout", train.augmentation().cutout(), 0,
                            std::min(input.height(), input.width())));
  RETURN_IF_ERROR(
      CheckSize("train.evaluation.every_epochs", train.evaluation().every_epochs(), 1, 1'000'000));
  RETURN_IF_ERROR(CheckSize("train.accumulate", train.accumulate(), 1, 1'000'000));
  RETURN_IF_ERROR(CheckSize("train.stop.patience", train.stop().patience(), 0, 1'000'000));
  RETURN_IF_ERROR(CheckValidationShare(network));
  const Train::Normalisation& normalisation = train.normalisation();
  for (const auto& [field, numbers] : {std::pair("mean", &normalisation.mean()),
                                       std::pair("deviation", &normalisation.deviation())}) {
    if (!numbers->empty() && numbers->size() != input.channels()) {
      return Error(absl::StrCat("train.normalisation.", field, " has ", numbers->size(),
                                " numbers for ", input.channels(),
                                " channels; expected one for each"));
    }
    for (double number : *numbers) {
      if (!std::isfinite(number) || (field == std::string("deviation") && number <= 0)) {
        return Error(absl::StrCat("train.normalisation.", field, " has ", number,
                                  field == std::string("mean") ? "; expected a finite number"
                                                               : "; expected more than 0"));
      }
    }
  }
  RETURN_IF_ERROR(CheckFloats(network.loss(), "loss."));
  return CheckFloats(train, "train.");
}

absl::Status CheckFloats(const Message& message, const std::string& path) {
  const google::protobuf::Reflection& fields = *message.GetReflection();
  std::vector<const FieldDescriptor*> set;
  fields.ListFields(message, &set);
  for (const FieldDescriptor* field : set) {
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    const bool is_number = field->cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE;
    if (!is_number && (!is_message || field->message_type() == Layer::descriptor())) continue;
    const bool is_list = field->is_repeated();
    const int count = is_list ? fields.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const std::string name =
          absl::StrCat(path, field->name(), is_list ? absl::StrCat("[", i, "]") : "");
      if (is_number) {
        RETURN_IF_ERROR(CheckFloat(name, is_list ? fields.GetRepeatedDouble(message, field, i)
                                                 : fields.GetDouble(message, field)));
      } else {
        RETURN_IF_ERROR(CheckFloats(is_list ? fields.GetRepeatedMessage(message, field, i)
                                            : fields.GetMessage(message, field),
                                    absl::StrCat(name, ".")));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace cotangent::layers
