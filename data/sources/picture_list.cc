#include "data/sources/picture_list.h"

#include <filesystem>

#include "absl/strings/str_cat.h"

namespace cotangent::data {

void PictureList::Add(const Picture& picture) {
  names_.append(picture.name.data(), picture.name.size());
  ends_.push_back(static_cast<int64_t>(names_.size()));
  labels_.push_back(picture.label);
  targets_.insert(targets_.end(), picture.targets.begin(), picture.targets.end());
  if (!listed_in_.empty()) lines_.push_back(static_cast<int32_t>(picture.line));
}

void PictureList::ShrinkToFit() {
  names_.shrink_to_fit();
  ends_.shrink_to_fit();
  lines_.shrink_to_fit();
  labels_.shrink_to_fit();
  targets_.shrink_to_fit();
}

absl::string_view PictureList::name(int64_t index) const {
  const int64_t begin = index == 0 ? 0 : ends_[index - 1];
  return absl::string_view(names_).substr(begin, ends_[index] - begin);
}

absl::Span<const float> PictureList::targets(int64_t index) const {
  return absl::MakeConstSpan(targets_).subspan(index * targets_each_, targets_each_);
}

std::string PictureList::PathOf(absl::string_view name) const {
  namespace fs = std::filesystem;
  return (fs::path(folder_) / fs::path(std::string(name)).lexically_normal()).string();
}

std::string PictureList::place(int64_t index) const {
  return listed_in_.empty() ? "" : absl::StrCat(listed_in_, ":", lines_[index], ": ");
}

PictureList::Picture PictureList::operator[](int64_t index) const {
  return {name(index), label(index), listed_in_.empty() ? 0 : lines_[index], targets(index)};
}

PictureList PictureList::Some(absl::Span<const int32_t> indices) const {
  PictureList some(folder_, listed_in_, targets_each_);
  for (const int32_t index : indices) some.Add((*this)[index]);
  some.ShrinkToFit();
  return some;
}

}  // namespace cotangent::data
