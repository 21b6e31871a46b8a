#include "layers/network/recipe.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "layers/network/sizes.h"

namespace cotangent::layers {

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
  const double validation = train.evaluation().validation();
  if (!(validation >= 0 && validation < 1)) {
    return Error(absl::StrCat("train.evaluation.validation is ", validation,
                              "; expected a share from 0 to less than 1"));
  }
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
  return absl::OkStatus();
}

}  // namespace cotangent::layers
