// Reads the zip archive that torch.save() writes. Its entries are PREFIX/data.pkl (the pickle),
// PREFIX/byteorder, and PREFIX/data/KEY for each storage, an array of numbers that tensors share.
#include <zip.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "training/weights/safetensors.h"
#include "training/weights/torch_pickle.h"
#include "training/weights/weight_file.h"

namespace cotangent::training {
namespace {

constexpr absl::string_view kPickle = "data.pkl";

struct StorageType {
  absl::string_view name;
  NumberType type;
  int64_t bytes;
};
constexpr StorageType kStorageTypes[] = {
    {"DoubleStorage", NumberType::kF64, 8},  {"FloatStorage", NumberType::kF32, 4},
    {"HalfStorage", NumberType::kF16, 2},    {"BFloat16Storage", NumberType::kBf16, 2},
    {"LongStorage", NumberType::kOther, 8},  {"IntStorage", NumberType::kOther, 4},
    {"ShortStorage", NumberType::kOther, 2}, {"CharStorage", NumberType::kOther, 1},
    {"ByteStorage", NumberType::kOther, 1},  {"BoolStorage", NumberType::kOther, 1},
};

// A zip archive in memory. Each entry is read as a whole.
class Archive {
 public:
  static absl::StatusOr<Archive> Open(absl::string_view bytes) {
    zip_error_t error;
    zip_error_init(&error);
    const auto release = absl::MakeCleanup([&error] { zip_error_fini(&error); });
    zip_source_t* const source =
        zip_source_buffer_create(bytes.data(), bytes.size(), /*freep=*/0, &error);
    zip_t* const zip =
        source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY, &error);
    if (zip == nullptr) {
      if (source != nullptr) zip_source_free(source);
      return absl::InvalidArgumentError(
          absl::StrCat("no whole zip archive (", zip_error_strerror(&error),
                       "): the file is damaged or cut short; fetch or save it again"));
    }
    return Archive(zip, static_cast<int64_t>(bytes.size()));
  }

  // Reads the entry "PREFIX/name". PREFIX is the name that the archive had when it was written.
  absl::StatusOr<std::string> Read(absl::string_view name) {
    if (prefix_.empty()) RETURN_IF_ERROR(FindPrefix());
    const std::string path = absl::StrCat(prefix_, name);
    zip_stat_t about;
    if (zip_stat(zip_.get(), path.c_str(), 0, &about) != 0)
      return absl::NotFoundError(
          absl::StrCat("the archive lacks ", path, ": it is damaged; fetch or save it again"));
    if ((about.valid & (ZIP_STAT_COMP_METHOD | ZIP_STAT_SIZE)) !=
            (ZIP_STAT_COMP_METHOD | ZIP_STAT_SIZE) ||
        about.comp_method != ZIP_CM_STORE) {
      return absl::InvalidArgumentError(
          absl::StrCat(path,
                       " is compressed, which PyTorch does not do; save the weights again "
                       "with torch.save()"));
    }
    // Entries that overlap can be larger in total than the file. Refusing such archives bounds the
    // memory taken.
    if (about.size > static_cast<uint64_t>(left_))
      return absl::InvalidArgumentError(
          absl::StrCat("the archive's entries are said to be larger than the file at ", path));
    left_ -= static_cast<int64_t>(about.size);
    std::string bytes(about.size, '\0');
    zip_file_t* const file = zip_fopen(zip_.get(), path.c_str(), 0);
    const int64_t read =
        file == nullptr ? -1 : zip_fread(file, bytes.data(), static_cast<uint64_t>(bytes.size()));
    // Reading up to the end and closing the entry makes libzip check its checksum.
    char beyond;
    const bool is_whole =
        read == static_cast<int64_t>(bytes.size()) && zip_fread(file, &beyond, 1) == 0;
    if (file != nullptr && zip_fclose(file) != 0) return Damaged(path);
    if (!is_whole) return Damaged(path);
    return bytes;
  }

 private:
  struct Discard {
    void operator()(zip_t* zip) const { zip_discard(zip); }
  };

  Archive(zip_t* zip, int64_t bytes) : zip_(zip), left_(bytes) {}

  static absl::Status Damaged(absl::string_view path) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, " cannot be read from the archive: it is damaged; fetch it again"));
  }
  absl::Status FindPrefix() {
    for (int64_t i = 0, count = zip_get_num_entries(zip_.get(), 0); i < count; ++i) {
      const char* const name = zip_get_name(zip_.get(), static_cast<uint64_t>(i), 0);
      if (name == nullptr || !absl::EndsWith(name, absl::StrCat("/", kPickle))) continue;
      prefix_ = std::string(absl::StripSuffix(name, kPickle));
      return absl::OkStatus();
    }
    return absl::InvalidArgumentError(
        "a zip archive, but not one that torch.save() wrote: it lacks data.pkl; expected a file of "
        "torch.save(model.state_dict(), path)");
  }

  std::unique_ptr<zip_t, Discard> zip_;
  std::string prefix_;
  int64_t left_;  // how many of the file's bytes may still be taken by entries
};

// Returns an error unless every element of the tensor lies in its storage of `size` numbers.
absl::Status CheckPlace(const PickledTensor& tensor, int64_t size) {
  const auto wrong = [&](absl::string_view what) {
    return absl::InvalidArgumentError(absl::StrCat("tensor ", tensor.name, " of shape [",
                                                   absl::StrJoin(tensor.shape, ", "), "] ", what,
                                                   "; save the weights again with torch.save()"));
  };
  if (tensor.shape.size() != tensor.strides.size()) return wrong("has not a stride an axis");
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    if (tensor.shape[i] < 0 || tensor.strides[i] < 0 || tensor.offset < 0)
      return wrong("has negative sizes");
  }
  const int64_t elements = ElementsOf(tensor.shape, size);
  if (elements < 0) return wrong(absl::StrCat("is larger than its storage of ", size, " numbers"));
  if (elements == 0) return absl::OkStatus();
  int64_t last = tensor.offset;
  for (size_t i = 0; i < tensor.shape.size(); ++i) {
    const int64_t steps = tensor.shape[i] - 1;
    if (last >= size || (steps > 0 && tensor.strides[i] > (size - 1 - last) / steps))
      return wrong(absl::StrCat("reaches beyond its storage of ", size, " numbers"));
    last += steps * tensor.strides[i];
  }
  return last < size ? absl::OkStatus()
                     : wrong(absl::StrCat("lies beyond its storage of ", size, " numbers"));
}

absl::Status CheckByteOrder(Archive& archive) {
  const absl::StatusOr<std::string> order = archive.Read("byteorder");
  // Archives written before PyTorch 2.1 have no such entry.
  if (absl::IsNotFound(order.status())) return absl::OkStatus();
  RETURN_IF_ERROR(order.status());
  if (*order == "little") return absl::OkStatus();
  return absl::InvalidArgumentError(
      "the numbers are not little-endian; save the weights again on such a machine");
}

// The tensors and storages of a WeightFile.
struct Contents {
  std::map<std::string, WeightFile::Tensor> tensors;
  std::vector<std::string> storages;
};

absl::StatusOr<Contents> ReadContents(absl::string_view bytes) {
  ASSIGN_OR_RETURN(Archive archive, Archive::Open(bytes));
  ASSIGN_OR_RETURN(const std::string pickle, archive.Read(kPickle));
  RETURN_IF_ERROR(CheckByteOrder(archive));
  ASSIGN_OR_RETURN(const std::vector<PickledTensor> tensors, ReadTorchPickle(pickle));

  Contents contents;
  absl::flat_hash_map<std::string, int> storages;
  for (const PickledTensor& tensor : tensors) {
    const StorageType* type = nullptr;
    for (const StorageType& known : kStorageTypes) {
      if (known.name == tensor.storage_type) type = &known;
    }
    if (type == nullptr || type->type == NumberType::kOther) {
      // Tensors of other types, such as counters and masks, are listed, but their numbers are not
      // read.
      contents.tensors[tensor.name] = {NumberType::kOther, tensor.shape, 0, 0, 0, {}};
      continue;
    }
    const auto [place, is_new] =
        storages.try_emplace(tensor.storage, static_cast<int>(contents.storages.size()));
    if (is_new) {
      ASSIGN_OR_RETURN(contents.storages.emplace_back(),
                       archive.Read(absl::StrCat("data/", tensor.storage)));
    }
    const int64_t size =
        static_cast<int64_t>(contents.storages[place->second].size()) / type->bytes;
    RETURN_IF_ERROR(CheckPlace(tensor, size));
    contents.tensors[tensor.name] = {type->type,
                                     tensor.shape,
                                     ElementsOf(tensor.shape, size),
                                     place->second,
                                     tensor.offset * type->bytes,
                                     tensor.strides};
  }
  return contents;
}

}  // namespace

absl::StatusOr<WeightFile> ParseTorchWeights(absl::string_view bytes, absl::string_view source) {
  absl::StatusOr<Contents> contents = ReadContents(bytes);
  if (!contents.ok())
    return absl::InvalidArgumentError(absl::StrCat(source, ": ", contents.status().message()));
  WeightFile file;
  file.tensors_ = std::move(contents->tensors), file.storages_ = std::move(contents->storages);
  return file;
}

}  // namespace cotangent::training
