#ifndef COTANGENT_DATA_MD5_H_
#define COTANGENT_DATA_MD5_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace cotangent::data {

// The MD5 of some bytes, and of a file, as 32 hexadecimal digits. It tells the file that was meant
// from any that chance makes of it; who wants to deceive can.
std::string Md5(absl::string_view bytes);
absl::StatusOr<std::string> Md5OfFile(const std::string& path);

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_MD5_H_
