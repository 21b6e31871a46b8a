// Tests WithValidation() on lists of names; pictures_test.cc tests it on pictures.

#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/sources/source.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

// A source of images that have names and classes only.
class Names final : public Source {
 public:
  // Class k has sizes[k] images.
  explicit Names(std::vector<int> sizes) : sizes_(std::move(sizes)) {}

  absl::StatusOr<int64_t> Size(Split) const override { return 0; }
  absl::StatusOr<Dataset> Load(const std::string&, Split) const override {
    return absl::UnimplementedError("there are no images");
  }
  absl::Status VisitImages(Split, const Visit& visit) const override {
    for (size_t k = 0; k < sizes_.size(); ++k) {
      for (int i = 0; i < sizes_[k]; ++i)
        visit(absl::StrCat("class", k, "/", i, ".png"), static_cast<int32_t>(k));
    }
    return absl::OkStatus();
  }

 private:
  const std::vector<int> sizes_;
};

// The names of images by class.
using ByClass = std::map<int32_t, std::set<std::string>>;

// Returns the images of a split if class k has sizes[k] images.
ByClass Divide(const std::vector<int>& sizes, double share, Split split) {
  ByClass names;
  EXPECT_TRUE(WithValidation(std::make_shared<Names>(sizes), share)
                  ->VisitImages(split,
                                [&](absl::string_view name, int32_t label) {
                                  EXPECT_TRUE(names[label].emplace(name).second) << name;
                                })
                  .ok());
  return names;
}

TEST(ValidationTest, SharesOfClassesAreBinomial) {
  constexpr int kClasses = 200, kImages = 500;
  constexpr double kShare = 0.1, kMean = kShare * kImages, kVariance = kMean * (1 - kShare);
  ByClass chosen = Divide(std::vector<int>(kClasses, kImages), kShare, Split::kValidation);
  double sum = 0, squares = 0;
  for (int k = 0; k < kClasses; ++k) {
    const double off = static_cast<double>(chosen[k].size()) - kMean;
    sum += off, squares += off * off;
  }
  // Five standard deviations of the mean and of the sum of squares (chi-squared distribution).
  EXPECT_NEAR(sum / kClasses, 0, 5 * std::sqrt(kVariance / kClasses));
  EXPECT_NEAR(squares / kVariance, kClasses, 5 * std::sqrt(2.0 * kClasses));
}

TEST(ValidationTest, EveryClassOfTwoOrMoreIsInBothSplits) {
  std::vector<int> sizes;
  for (int k = 0; k < 100; ++k) sizes.push_back(2 + k % 12);
  for (const double share : {1e-9, 0.01, 0.1, 0.5, 0.9, 1 - 1e-9}) {
    ByClass train = Divide(sizes, share, Split::kTrain),
            validation = Divide(sizes, share, Split::kValidation);
    for (int k = 0; k < 100; ++k) {
      EXPECT_FALSE(train[k].empty()) << "share " << share << " class " << k;
      EXPECT_FALSE(validation[k].empty()) << "share " << share << " class " << k;
      EXPECT_EQ(train[k].size() + validation[k].size(), static_cast<size_t>(sizes[k]));
    }
  }
  EXPECT_EQ(Divide({1, 2}, 1 - 1e-9, Split::kTrain)[0].size(), 1);  // it can be learnt
}

TEST(ValidationTest, ImagesKeepTheirSideWhenOthersAreAdded) {
  const std::vector<int> before(100, 60), after(100, 75);
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    const ByClass old = Divide(before, 0.2, split);
    ByClass grown = Divide(after, 0.2, split);
    for (const auto& [label, names] : old) {
      for (const std::string& name : names) EXPECT_TRUE(grown[label].contains(name)) << name;
    }
  }
}

// The only validation image that a class has may give way to a new image, but no image that was
// trained on becomes a validation image.
TEST(ValidationTest, NoTrainingImageOfASmallClassBecomesAValidationImage) {
  int changed = 0;
  for (int size = 2; size < 9; ++size) {
    const ByClass old = Divide(std::vector<int>(100, size), 0.02, Split::kValidation),
                  grown = Divide(std::vector<int>(100, size + 1), 0.02, Split::kValidation);
    for (const auto& [label, names] : grown) {
      const std::string added = absl::StrCat("class", label, "/", size, ".png");
      for (const std::string& name : names)
        EXPECT_TRUE(name == added || old.at(label).contains(name)) << name;
      if (old.at(label) == names) continue;
      ++changed;
      EXPECT_TRUE(names.contains(added));
    }
  }
  EXPECT_GT(changed, 50);
}

}  // namespace
}  // namespace cotangent::data
