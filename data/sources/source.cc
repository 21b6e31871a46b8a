#include "data/sources/source.h"

#include <algorithm>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"

namespace cotangent::data {
namespace {

struct Kind {
  SourceRegistration::Open open;
  const char* description;
};

std::vector<Kind>& Kinds() {
  static auto& kinds = *new std::vector<Kind>;
  return kinds;
}

}  // namespace

SourceRegistration::SourceRegistration(Open open, const char* description) {
  Kinds().push_back({open, description});
}

Dataset EmptyDataset(const Source& source) {
  Dataset dataset;
  dataset.name = source.name;
  dataset.target_kind = source.target_kind;
  dataset.classes = source.classes;
  dataset.channels = source.channels;
  dataset.height = source.height;
  dataset.width = source.width;
  return dataset;
}

absl::StatusOr<std::shared_ptr<const Source>> FindSource(const std::string& text,
                                                         TargetKind targets) {
  std::vector<std::string> descriptions;
  for (const Kind& kind : Kinds()) {
    ASSIGN_OR_RETURN(std::shared_ptr<const Source> source, kind.open(text, targets));
    if (source != nullptr && targets == TargetKind::kNumbers &&
        source->target_kind != TargetKind::kNumbers) {
      return absl::InvalidArgumentError(absl::StrCat(
          text,
          ": its images have classes, and the loss is of numbers; take a CSV file of path and "
          "number, or a loss of classes: softmax_cross_entropy {}"));
    }
    if (source != nullptr) return source;
    descriptions.push_back(kind.description);
  }
  std::error_code error;
  if (std::filesystem::is_directory(text, error)) {
    return absl::InvalidArgumentError(absl::StrCat(
        text,
        ": there is no folder in it; expected one for each class, its pictures inside, "
        "or train, val and test with such folders"));
  }
  std::sort(descriptions.begin(), descriptions.end());
  const std::string last = descriptions.back();
  descriptions.pop_back();
  return absl::InvalidArgumentError(absl::StrCat("there is no data set \"", text, "\"; there are ",
                                                 absl::StrJoin(descriptions, ", "), " and ", last));
}

absl::StatusOr<Dataset> LoadDataset(const std::string& text, const std::string& data_dir,
                                    Split split) {
  ASSIGN_OR_RETURN(const auto source, FindSource(text));
  return source->Load(data_dir, split);
}

absl::Status Source::VisitImages(Split split, const Visit& visit) const {
  ASSIGN_OR_RETURN(const int64_t size, Size(split));
  for (int64_t i = 0; i < size; ++i) visit(absl::StrCat(i), kUnknownLabel);
  return absl::OkStatus();
}

std::string FetchAgain(absl::string_view source, const std::string& data_dir) {
  return absl::StrCat("To fetch the data again: ./bazelw run //tools:fetch_data -- --dataset=",
                      source, " --data_dir=", data_dir);
}

}  // namespace cotangent::data
