#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "tensor/convolution.h"

namespace cotangent::tensor {
namespace {

int64_t OutExtent(int64_t in, int64_t kernel, int64_t stride, int64_t dilation, int64_t pad) {
  return (in + pad - ((kernel - 1) * dilation + 1)) / stride + 1;
}

}  // namespace

int64_t ConvolutionShape::out_height() const {
  return OutExtent(in_height, kernel_height, stride_height, dilation_height, pad_top + pad_bottom);
}

int64_t ConvolutionShape::out_width() const {
  return OutExtent(in_width, kernel_width, stride_width, dilation_width, pad_left + pad_right);
}

int64_t ConvolutionShape::MultiplyAdds() const {
  return batch * out_channels * out_height() * out_width() * (in_channels / groups) *
         kernel_height * kernel_width;
}

bool ConvolutionShape::IsLinear() const {
  return groups == 1 && kernel_height == in_height && kernel_width == in_width &&
         pad_top + pad_bottom + pad_left + pad_right == 0 &&
         (dilation_height == 1 || kernel_height == 1) && (dilation_width == 1 || kernel_width == 1);
}

absl::Status ConvolutionShape::Validate() const {
  const std::pair<const char*, int64_t> sizes[] = {{"batch", batch},
                                                   {"in_channels", in_channels},
                                                   {"out_channels", out_channels},
                                                   {"groups", groups},
                                                   {"in_height", in_height},
                                                   {"in_width", in_width},
                                                   {"kernel_height", kernel_height},
                                                   {"kernel_width", kernel_width},
                                                   {"stride_height", stride_height},
                                                   {"stride_width", stride_width},
                                                   {"dilation_height", dilation_height},
                                                   {"dilation_width", dilation_width}};
  constexpr int64_t kLargest = std::numeric_limits<int32_t>::max();
  for (auto [name, size] : sizes) {
    if (size < 1 || size > kLargest) {
      return absl::InvalidArgumentError(absl::StrCat("a convolution's ", name, " is ", size,
                                                     "; it must be from 1 to ", kLargest));
    }
  }
  for (int64_t pad : {pad_top, pad_bottom, pad_left, pad_right}) {
    if (pad < 0 || pad > kLargest) {
      return absl::InvalidArgumentError(
          absl::StrCat("a convolution's padding is ", pad, "; it must be from 0 to ", kLargest));
    }
  }
  if (in_channels % groups != 0 || out_channels % groups != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "a convolution from ", in_channels, " to ", out_channels, " channels cannot have ", groups,
        " groups: the number of groups must divide both"));
  }
  const int64_t span_height = (kernel_height - 1) * dilation_height + 1,
                span_width = (kernel_width - 1) * dilation_width + 1;
  if (span_height > in_height + pad_top + pad_bottom ||
      span_width > in_width + pad_left + pad_right) {
    return absl::InvalidArgumentError(
        absl::StrCat("a convolution's kernel spans ", span_height, "x", span_width,
                     " pixels, more than its padded input of ", in_height + pad_top + pad_bottom,
                     "x", in_width + pad_left + pad_right));
  }
  for (const Shape& shape : {in(), out(), weights()}) {
    RETURN_IF_ERROR(shape.Validate());
  }
  return absl::OkStatus();
}

std::string ConvolutionShape::ToString() const {
  std::string text =
      absl::StrCat(batch, "x", in_channels, "x", in_height, "x", in_width, " -> ", out_channels,
                   "x", out_height(), "x", out_width(), " k", kernel_height, "x", kernel_width,
                   " s", stride_height, "x", stride_width);
  absl::StrAppend(&text, " p", pad_top, ",", pad_bottom, ",", pad_left, ",", pad_right);
  if (dilation_height != 1 || dilation_width != 1)
    absl::StrAppend(&text, " d", dilation_height, "x", dilation_width);
  if (groups != 1) absl::StrAppend(&text, " g", groups);
  return text;
}

absl::StatusOr<ConvolutionShape> ConvolutionShape::Parse(std::string_view text) {
  ConvolutionShape shape;
  int64_t out_height = 0, out_width = 0;
  int read = 0;
  const std::string copy(text);  // ends with a zero
  if (std::sscanf(copy.c_str(),
                  "%" SCNd64 "x%" SCNd64 "x%" SCNd64 "x%" SCNd64 " -> %" SCNd64 "x%" SCNd64
                  "x%" SCNd64 " k%" SCNd64 "x%" SCNd64 " s%" SCNd64 "x%" SCNd64 " p%" SCNd64
                  ",%" SCNd64 ",%" SCNd64 ",%" SCNd64 "%n",
                  &shape.batch, &shape.in_channels, &shape.in_height, &shape.in_width,
                  &shape.out_channels, &out_height, &out_width, &shape.kernel_height,
                  &shape.kernel_width, &shape.stride_height, &shape.stride_width, &shape.pad_top,
                  &shape.pad_bottom, &shape.pad_left, &shape.pad_right, &read) == 15) {
    const char* rest = copy.c_str() + read;
    if (std::sscanf(rest, " d%" SCNd64 "x%" SCNd64 "%n", &shape.dilation_height,
                    &shape.dilation_width, &read) == 2)
      rest += read;
    std::sscanf(rest, " g%" SCNd64, &shape.groups);
    if (shape.Validate().ok() && shape.ToString() == text) return shape;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", copy, "' is not the shape of a convolution, such as ", ConvolutionShape{}.ToString()));
}

std::string_view Name(Direction direction) {
  constexpr std::string_view kNames[] = {"forward", "input_gradient", "weight_gradient"};
  return kNames[static_cast<int>(direction)];
}

std::string_view Name(Algorithm algorithm) {
  constexpr std::string_view kNames[] = {"direct", "winograd", "matmul"};
  return kNames[static_cast<int>(algorithm)];
}

std::string ConvolutionChoice::ToString() const {
  std::string text;
  for (std::string_view part :
       {Name(algorithm), std::string_view(" "), Name(in_layout), std::string_view("/"),
        Name(in_type), std::string_view(" "), Name(out_layout), std::string_view("/"),
        Name(out_type), std::string_view(" "), std::string_view(implementation)}) {
    text.append(part);
  }
  return text;
}

absl::StatusOr<ConvolutionChoice> ConvolutionChoice::Parse(std::string_view text) {
  const absl::Status error = absl::InvalidArgumentError(
      absl::StrCat("'", std::string(text), "' does not name a choice of convolution"));
  const std::vector<std::string> parts = absl::StrSplit(std::string(text), absl::MaxSplits(' ', 3));
  if (parts.size() != 4) return error;
  ConvolutionChoice choice;
  auto match = [](auto& field, auto values, std::string_view name) {
    for (auto value : values) {
      if (Name(value) == name) {
        field = value;
        return true;
      }
    }
    return false;
  };
  auto side = [&](Layout& layout, ElementType& type, const std::string& part) {
    const size_t slash = part.find('/');
    if (slash == std::string::npos) return false;
    using enum Layout;
    return match(layout, std::initializer_list<Layout>{kNchw, kNhwc, kBlocked8, kBlocked16},
                 part.substr(0, slash)) &&
           match(type,
                 std::initializer_list<ElementType>{ElementType::kF32, ElementType::kBf16,
                                                    ElementType::kU8, ElementType::kS8},
                 part.substr(slash + 1));
  };
  const std::initializer_list<Algorithm> algorithms = {Algorithm::kDirect, Algorithm::kWinograd,
                                                       Algorithm::kMatmul};
  if (!match(choice.algorithm, algorithms, parts[0]) ||
      !side(choice.in_layout, choice.in_type, parts[1]) ||
      !side(choice.out_layout, choice.out_type, parts[2])) {
    return error;
  }
  choice.implementation = parts[3];
  return choice;
}

}  // namespace cotangent::tensor
