#include "training/weights/safetensors.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"

namespace cotangent::training {
namespace {

using nlohmann::json;

constexpr char kMetadataKey[] = "__metadata__";
constexpr size_t kMostDimensions = 6;

// Receives the parts of the header while it is parsed, so that no tree of JSON values is built,
// whose size a malicious file could blow up.
class HeaderReader : public nlohmann::json_sax<json> {
 public:
  SafetensorsHeader header;
  std::string error;

  bool null() override { return Unexpected("null"); }
  bool boolean(bool) override { return Unexpected("a truth value"); }
  bool number_integer(number_integer_t) override { return Unexpected("a negative number"); }
  bool number_float(number_float_t, const string_t&) override { return Unexpected("a fraction"); }
  bool binary(binary_t&) override { return Unexpected("binary data"); }

  bool number_unsigned(number_unsigned_t value) override {
    if (numbers_ == nullptr) return Unexpected("a number");
    if (value > static_cast<uint64_t>(INT64_MAX)) return Fail("a number is too large");
    if (numbers_->size() >= kMostDimensions)
      return Fail(absl::StrCat("more than ", kMostDimensions, " numbers in a list"));
    numbers_->push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(string_t& value) override {
    if (depth_ != 2 || numbers_ != nullptr) return Unexpected("a string");
    if (in_metadata_) {
      if (!header.metadata.try_emplace(inner_, std::move(value)).second)
        return Fail(absl::StrCat("two entries \"", inner_, "\""));
      return true;
    }
    if (inner_ != "dtype" || !entry_->dtype.empty()) return Unexpected("a string");
    entry_->dtype = std::move(value);
    return true;
  }

  bool start_object(size_t) override {
    if (depth_ >= 2 || numbers_ != nullptr)
      return Fail("nested deeper than a safetensors header is");
    ++depth_;
    if (depth_ == 1) return true;
    in_metadata_ = outer_ == kMetadataKey;
    if (in_metadata_) return true;
    if (static_cast<int64_t>(header.tensors.size()) >= kMostSafetensorsTensors)
      return Fail(absl::StrCat("more than ", kMostSafetensorsTensors, " tensors"));
    const auto [place, is_new] = header.tensors.try_emplace(outer_);
    if (!is_new) return Fail(absl::StrCat("two tensors \"", outer_, "\""));
    entry_ = &place->second;
    return true;
  }
  bool key(string_t& value) override {
    (depth_ == 1 ? outer_ : inner_) = std::move(value);
    return true;
  }
  bool end_object() override {
    --depth_;
    return true;
  }

  bool start_array(size_t) override {
    if (depth_ != 2 || in_metadata_ || numbers_ != nullptr) return Unexpected("a list");
    if (inner_ == "shape" && !entry_->has_shape) {
      entry_->has_shape = true;
      numbers_ = &entry_->shape;
    } else if (inner_ == "data_offsets" && entry_->offsets.empty()) {
      numbers_ = &entry_->offsets;
    } else {
      return Unexpected("a list");
    }
    return true;
  }
  bool end_array() override {
    numbers_ = nullptr;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::detail::exception&) override {
    return Fail(absl::StrCat("no JSON at byte ", position));
  }

 private:
  bool Fail(std::string message) {
    error = std::move(message);
    return false;
  }
  bool Unexpected(absl::string_view what) {
    return Fail(absl::StrCat("unexpected ", what, " in \"", depth_ >= 1 ? outer_ : "",
                             depth_ >= 2 ? "/" : "", depth_ >= 2 ? inner_ : "", "\""));
  }

  int depth_ = 0;
  bool in_metadata_ = false;
  std::string outer_, inner_;
  SafetensorsHeader::Tensor* entry_ = nullptr;
  std::vector<int64_t>* numbers_ = nullptr;
};

}  // namespace

int64_t SafetensorsHeaderLength(const char* bytes) {
  uint64_t length = 0;
  for (int i = kSafetensorsLengthBytes - 1; i >= 0; --i)
    length = length << 8 | static_cast<unsigned char>(bytes[i]);
  return static_cast<int64_t>(std::min<uint64_t>(length, INT64_MAX));
}

int64_t ElementsOf(const std::vector<int64_t>& shape, int64_t most) {
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) return 0;
  int64_t count = 1;
  for (int64_t extent : shape) {
    if (count > most / extent) return -1;
    count *= extent;
  }
  return count;
}

int64_t SafetensorsBytes(absl::string_view dtype) {
  static constexpr std::pair<absl::string_view, int64_t> kTypes[] = {
      {"F64", 8}, {"F32", 4}, {"F16", 2},  {"BF16", 2},    {"I64", 8},
      {"U64", 8}, {"I32", 4}, {"U32", 4},  {"I16", 2},     {"U16", 2},
      {"I8", 1},  {"U8", 1},  {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  for (const auto& [name, bytes] : kTypes) {
    if (name == dtype) return bytes;
  }
  return 0;
}

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(absl::string_view text) {
  HeaderReader reader;
  if (!json::sax_parse(text.begin(), text.end(), &reader)) {
    return absl::InvalidArgumentError(
        absl::StrCat("in the header: ", reader.error.empty() ? "no JSON object" : reader.error));
  }
  return std::move(reader.header);
}

absl::Status CheckSafetensorsPlaces(const SafetensorsHeader& header, int64_t data_bytes) {
  std::vector<std::pair<int64_t, int64_t>> places;
  for (const auto& [name, tensor] : header.tensors) {
    const int64_t bytes = SafetensorsBytes(tensor.dtype);
    if (bytes == 0)
      return absl::InvalidArgumentError(absl::StrCat("tensor ", name, " has the unknown type \"",
                                                     tensor.dtype.substr(0, 40), "\""));
    if (tensor.offsets.size() != 2 || !tensor.has_shape)
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " lacks a shape or two data offsets"));
    const int64_t begin = tensor.offsets[0], end = tensor.offsets[1];
    const int64_t count = ElementsOf(tensor.shape, data_bytes / bytes);
    if (begin > end || end > data_bytes || count < 0 || end - begin != count * bytes) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", name, " of shape [", absl::StrJoin(tensor.shape, ", "),
                       "] is said to lie at bytes ", begin, " to ", end, " of ", data_bytes));
    }
    places.emplace_back(begin, end);
  }
  std::sort(places.begin(), places.end());
  int64_t covered = 0;
  for (const auto& [begin, end] : places) {
    if (begin != covered)
      return absl::InvalidArgumentError(
          absl::StrCat("tensors leave a gap or overlap at byte ", covered, " of the data"));
    covered = end;
  }
  if (covered != data_bytes)
    return absl::InvalidArgumentError(
        absl::StrCat("tensors take ", covered, " bytes of ", data_bytes));
  return absl::OkStatus();
}

}  // namespace cotangent::training
