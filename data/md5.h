#ifndef COTANGENT_DATA_MD5_H_
#define COTANGENT_DATA_MD5_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::data {

// Return the MD5 sum of bytes or of a file as 32 hexadecimal digits. An MD5 sum detects accidental
// damage; it does not protect against someone who forges a file.
std::string Md5(absl::string_view bytes);
absl::StatusOr<std::string> Md5OfFile(const std::string& path);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_MD5_H_
