#include "data/image_formats/image_format.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/registered_twice.h"

namespace cotangent::data {
namespace {

// Returns the formats by their first names.
std::map<std::string, ImageFormat>& RegisteredFormats() {
  static auto& formats = *new std::map<std::string, ImageFormat>;
  return formats;
}

}  // namespace

RegisterImageFormat::RegisterImageFormat(ImageFormat format) {
  const std::string name = format.names.front();
  if (!RegisteredFormats().emplace(name, std::move(format)).second)
    RegisteredTwice(absl::StrCat("image format ", name));
}

std::vector<const ImageFormat*> ImageFormats() {
  std::vector<const ImageFormat*> formats;
  for (const auto& [name, format] : RegisteredFormats()) formats.push_back(&format);
  return formats;
}

}  // namespace cotangent::data
