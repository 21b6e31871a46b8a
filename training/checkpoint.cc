#include "training/checkpoint.h"

#include <fcntl.h>
#include <isa-l.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/memory.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "nlohmann/json.hpp"

namespace cotangent::training {
namespace {

using nlohmann::json;

constexpr char kFormatKey[] = "format";
constexpr char kFormat[] = "cotangent checkpoint 1",
               kFormatOfAnyVersion[] = "cotangent checkpoint ";
constexpr char kChecksumsKey[] = "crc32c";
constexpr char kHeaderChecksumKey[] = "header_crc32c";
// The text that stands in the header in place of the header's checksum while that checksum is
// computed.
constexpr char kNoChecksum[] = "00000000";
constexpr char kMetadataKey[] = "__metadata__";
constexpr char kBroken[] = "the file is damaged; use an earlier checkpoint";
constexpr int64_t kLengthBytes = kSafetensorsLengthBytes;
// The tensors' data begin at a multiple of this many bytes in the file.
constexpr int64_t kDataAlignment = 64;

absl::Status Damaged(absl::string_view source, absl::string_view finding) {
  return absl::InvalidArgumentError(absl::StrCat(source, ": ", finding, "; ", kBroken));
}

std::string Hex(uint32_t checksum) { return absl::StrFormat("%08x", checksum); }

// Returns whether the header's checksum is `checksum`. The checksum is computed over the header
// with kNoChecksum written in the checksum's place.
bool HeaderIsIntact(std::string header, const std::string& checksum) {
  const std::string field = absl::StrCat("\"", kHeaderChecksumKey, "\":\"", checksum, "\"");
  const size_t place = header.find(field);
  if (place == std::string::npos || checksum.size() != sizeof(kNoChecksum) - 1) return false;
  header.replace(place + field.size() - 1 - checksum.size(), checksum.size(), kNoChecksum);
  return Hex(Crc32c(header)) == checksum;
}

}  // namespace

uint32_t Crc32c(absl::string_view bytes) {
  uint32_t checksum = 0xffffffff;
  constexpr size_t kPiece = size_t{1} << 30;  // bytes per call: the library takes an int as length
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    auto* piece = reinterpret_cast<unsigned char*>(const_cast<char*>(bytes.data() + at));
    checksum = crc32_iscsi(piece, static_cast<int>(std::min(kPiece, bytes.size() - at)), checksum);
  }
  return ~checksum;
}

std::string Checkpoint::Get(const std::string& key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? "" : found->second;
}

const Checkpoint::Tensor* Checkpoint::Find(const std::string& name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second;
}

void Checkpoint::CopyTo(const Tensor& tensor, float* destination) const {
  if (tensor.rows == 0) {
    std::memcpy(destination, bytes_.data() + tensor.begin, tensor.size * sizeof(float));
    return;
  }
  const auto* const integers = reinterpret_cast<const int8_t*>(bytes_.data() + tensor.begin);
  const int64_t columns = tensor.size / tensor.rows;
  for (int64_t row = 0; row < tensor.rows; ++row) {
    float scale;
    std::memcpy(&scale, bytes_.data() + tensor.scales + row * sizeof(float), sizeof(float));
    for (int64_t i = row * columns; i < (row + 1) * columns; ++i)
      destination[i] = scale * static_cast<float>(integers[i]);
  }
}

absl::StatusOr<Checkpoint> ParseCheckpoint(std::string bytes, absl::string_view source) {
  const int64_t size = static_cast<int64_t>(bytes.size());
  if (size < kLengthBytes)
    return Damaged(
        source,
        absl::StrCat("only ", size,
                     " bytes, where a checkpoint begins with the 8 bytes of its header's length"));
  const int64_t header_bytes = SafetensorsHeaderLength(bytes.data());
  if (header_bytes > kLargestSafetensorsHeader || header_bytes > size - kLengthBytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        source, ": not a checkpoint, or cut short: its first 8 bytes announce a header of ",
        header_bytes, " bytes, ", size - kLengthBytes,
        " follow; expected is a file that train wrote (checkpoint-STEP.safetensors)"));
  }
  const std::string header = bytes.substr(kLengthBytes, header_bytes);
  absl::StatusOr<SafetensorsHeader> parsed = ParseSafetensorsHeader(header);
  if (!parsed.ok()) return Damaged(source, parsed.status().message());
  Checkpoint checkpoint;
  checkpoint.metadata_ = std::move(parsed->metadata);
  if (const std::string format = checkpoint.Get(kFormatKey); format != kFormat) {
    const bool is_ours = absl::StartsWith(format, kFormatOfAnyVersion);
    return absl::InvalidArgumentError(
        absl::StrCat(source,
                     is_ours ? ": a checkpoint of another version of this program"
                             : ": a safetensors file, but not a checkpoint of train",
                     ": its metadata says format \"", format.substr(0, 40), "\", expected \"",
                     kFormat, "\"", is_ours ? "; read it with the version that wrote it" : ""));
  }
  if (!HeaderIsIntact(header, checkpoint.Get(kHeaderChecksumKey)))
    return Damaged(source, "the header's checksum is wrong");

  // The offsets of all tensors are checked before any data are read: each tensor must lie within
  // the data, and all tensors together must cover the data without gaps.
  const int64_t data_begin = kLengthBytes + header_bytes, data_bytes = size - data_begin;
  for (const auto& [name, tensor] : parsed->tensors) {
    if (tensor.dtype != "F32" && tensor.dtype != "I8")
      return Damaged(source, absl::StrCat("tensor ", name, " has the type \"", tensor.dtype,
                                          "\", expected F32 or I8"));
  }
  if (absl::Status status = CheckSafetensorsPlaces(*parsed, data_bytes); !status.ok())
    return Damaged(source, status.message());
  for (const auto& [name, tensor] : parsed->tensors) {
    checkpoint.tensors_[name] = {tensor.shape, data_begin + tensor.offsets[0],
                                 ElementsOf(tensor.shape, data_bytes)};
  }
  for (const auto& [name, tensor] : parsed->tensors) {
    if (tensor.dtype != "I8") continue;
    const auto scales = checkpoint.tensors_.find(absl::StrCat(name, kScaleSuffix));
    if (scales == checkpoint.tensors_.end() || tensor.shape.empty() || tensor.shape[0] < 1 ||
        scales->second.shape != std::vector<int64_t>{tensor.shape[0]} ||
        parsed->tensors.at(scales->first).dtype != "F32") {
      return Damaged(source, absl::StrCat("tensor ", name, " is of integers, but there is no ",
                                          name, kScaleSuffix, ", an F32 for each of its rows"));
    }
    checkpoint.tensors_[name].rows = tensor.shape[0];
    checkpoint.tensors_[name].scales = scales->second.begin;
  }

  const json checksums =
      json::parse(checkpoint.Get(kChecksumsKey), nullptr, /*allow_exceptions=*/false);
  if (!checksums.is_object()) return Damaged(source, "no checksums of the tensors");
  for (const auto& [name, tensor] : checkpoint.tensors_) {
    const auto expected = checksums.find(name);
    const int64_t tensor_bytes = tensor.size * (tensor.rows == 0 ? sizeof(float) : 1);
    const uint32_t found = Crc32c(absl::string_view(bytes).substr(tensor.begin, tensor_bytes));
    if (expected == checksums.end() || !expected->is_string() ||
        expected->get_ref<const std::string&>() != Hex(found)) {
      return Damaged(source, absl::StrCat("the checksum of tensor ", name, " is wrong"));
    }
  }
  checkpoint.bytes_ = std::move(bytes);
  return checkpoint;
}

absl::StatusOr<Checkpoint> ReadCheckpoint(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return data::FileError(errno, "read", path);
  auto closer = absl::MakeCleanup([descriptor] { close(descriptor); });
  struct stat about;
  if (fstat(descriptor, &about) != 0) return data::FileError(errno, "read", path);
  char length[kLengthBytes];
  if (S_ISREG(about.st_mode) && about.st_size > kLengthBytes &&
      pread(descriptor, length, kLengthBytes, 0) == kLengthBytes) {
    const int64_t header_bytes = SafetensorsHeaderLength(length);
    if (header_bytes > kLargestSafetensorsHeader || header_bytes > about.st_size - kLengthBytes) {
      return ParseCheckpoint(std::string(length, kLengthBytes), path);  // returns the error
    }
    RETURN_IF_ERROR(CheckMemoryAvailable(about.st_size, path));
  }
  ASSIGN_OR_RETURN(std::string bytes, data::ReadFile(path));
  return ParseCheckpoint(std::move(bytes), path);
}

absl::Status WriteCheckpoint(const std::string& path, const Metadata& metadata,
                             absl::Span<const CheckpointTensor> tensors) {
  std::vector<absl::string_view> pieces = {"", ""};
  json header = json::object(), checksums = json::object();
  int64_t offset = 0;
  // Tensors of 8-bit integers come after those of floats, so that the floats stay aligned to 4
  // bytes.
  std::vector<CheckpointTensor> sorted(tensors.begin(), tensors.end());
  std::stable_partition(sorted.begin(), sorted.end(),
                        [](const CheckpointTensor& tensor) { return tensor.integers == nullptr; });
  for (const CheckpointTensor& tensor : sorted) {
    int64_t count = 1;
    for (int64_t extent : tensor.shape) count *= extent;
    const bool is_int8 = tensor.integers != nullptr;
    const absl::string_view bytes =
        is_int8
            ? absl::string_view(reinterpret_cast<const char*>(tensor.integers), count)
            : absl::string_view(reinterpret_cast<const char*>(tensor.data), count * sizeof(float));
    header[tensor.name] = {{"dtype", is_int8 ? "I8" : "F32"},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + static_cast<int64_t>(bytes.size())}}};
    checksums[tensor.name] = Hex(Crc32c(bytes));
    offset += static_cast<int64_t>(bytes.size());
    pieces.push_back(bytes);
  }
  json& about = header[kMetadataKey] = metadata;
  about[kFormatKey] = kFormat;
  about[kChecksumsKey] = checksums.dump();
  about[kHeaderChecksumKey] = kNoChecksum;
  std::string text = header.dump(-1, ' ', false, json::error_handler_t::replace);
  text.append((kDataAlignment - (kLengthBytes + text.size()) % kDataAlignment) % kDataAlignment,
              ' ');
  const std::string field = absl::StrCat("\"", kHeaderChecksumKey, "\":\"");
  text.replace(text.find(field) + field.size(), sizeof(kNoChecksum) - 1, Hex(Crc32c(text)));

  std::string length(kLengthBytes, '\0');
  for (int i = 0; i < kLengthBytes; ++i) length[i] = static_cast<char>(text.size() >> (8 * i));
  pieces[0] = length;
  pieces[1] = text;
  RETURN_IF_ERROR(data::WriteFileAtomically(path, pieces));
  absl::StatusOr<Checkpoint> written = ReadCheckpoint(path);
  if (!written.ok())
    return absl::DataLossError(
        absl::StrCat("what was written does not read back: ", written.status().message()));
  return absl::OkStatus();
}

std::string CheckpointPath(const std::string& directory, int64_t step) {
  return data::JoinPath(directory, absl::StrFormat("checkpoint-%08d.safetensors", step));
}

std::vector<CheckpointFile> ListCheckpoints(const std::string& directory) {
  std::vector<CheckpointFile> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    absl::string_view digits = name;
    int64_t step;
    if (absl::ConsumePrefix(&digits, "checkpoint-") &&
        absl::ConsumeSuffix(&digits, ".safetensors") && absl::SimpleAtoi(digits, &step) &&
        step >= 0) {
      files.push_back({entry->path().string(), step});
    }
  }
  std::sort(files.begin(), files.end(),
            [](const CheckpointFile& a, const CheckpointFile& b) { return a.step > b.step; });
  return files;
}

std::optional<FoundCheckpoint> FindNewestGood(
    const std::string& directory, const std::function<void(const std::string&)>& report) {
  for (const CheckpointFile& file : ListCheckpoints(directory)) {
    absl::StatusOr<Checkpoint> checkpoint = ReadCheckpoint(file.path);
    if (checkpoint.ok()) return FoundCheckpoint{file.path, *std::move(checkpoint)};
    report(std::string(checkpoint.status().message()));
  }
  return std::nullopt;
}

bool RemoveOldCheckpoints(const std::string& directory, int keep) {
  const std::vector<CheckpointFile> files = ListCheckpoints(directory);
  bool has_removed = false;
  for (size_t i = std::max(keep, 1); i < files.size(); ++i)
    has_removed |= unlink(files[i].path.c_str()) == 0;
  return has_removed;
}

}  // namespace cotangent::training
