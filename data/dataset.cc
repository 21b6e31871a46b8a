#include "data/dataset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "data/file.h"

// Laid into the program by the rule `sample` in BUILD.
extern "C" const uint8_t cotangent_sample_train_begin[], cotangent_sample_train_end[];
extern "C" const uint8_t cotangent_sample_test_begin[], cotangent_sample_test_end[];

namespace cotangent::data {
namespace {

constexpr int64_t kPixelBytes = 3 * 32 * 32;
constexpr int64_t kRecordsPerRead = 1000;

std::string Mend(absl::string_view dataset, const std::string& data_dir) {
  return absl::StrCat("To fetch the data again: ./bazelw run //tools:fetch_cifar -- --dataset=",
                      dataset, " --data_dir=", data_dir);
}

struct Source {
  DatasetName name;
  RecordFormat format;
  LabelKind label_kind;
  std::string data_dir;
};

// Reads one file of records into `dataset`, whose vectors have room for it, some records at a time.
absl::Status AppendFile(const Source& source, const DataFile& file, Dataset& dataset) {
  const std::string path = JoinPath(source.data_dir, file.path);
  const std::string mend = Mend(dataset.name, source.data_dir);
  FILE* stream = fopen(path.c_str(), "rbe");
  struct stat about;
  if (stream == nullptr || fstat(fileno(stream), &about) != 0) {
    const absl::Status error = FileError(errno, "read", path);
    if (stream != nullptr) fclose(stream);
    return absl::Status(error.code(), absl::StrCat(error.message(), ". ", mend));
  }
  auto closer = absl::MakeCleanup([stream] { fclose(stream); });
  if (!S_ISREG(about.st_mode) || about.st_size != file.bytes) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, S_ISREG(about.st_mode) ? "" : " is no regular file and", " has ", about.st_size,
        " bytes, where ", file.bytes, " were expected (", file.bytes / RecordBytes(source.format),
        " records of ", RecordBytes(source.format), "). ", mend));
  }
  std::vector<uint8_t> buffer(kRecordsPerRead * RecordBytes(source.format));
  int64_t record = 0;
  for (int64_t left = file.bytes; left > 0;) {
    const size_t wanted = std::min<int64_t>(left, buffer.size());
    if (fread(buffer.data(), 1, wanted, stream) != wanted) {
      return absl::InvalidArgumentError(absl::StrCat(
          "cannot read ", path, " to its end: ",
          ferror(stream) ? strerror(errno) : "it was cut short meanwhile", ". ", mend));
    }
    const absl::Status status =
        AppendCifarRecords(absl::MakeConstSpan(buffer.data(), wanted), source.format,
                           source.label_kind, path, record, dataset);
    if (!status.ok())
      return absl::Status(status.code(), absl::StrCat(status.message(), ". ", mend));
    left -= wanted;
    record += wanted / RecordBytes(source.format);
  }
  return absl::OkStatus();
}

absl::StatusOr<Dataset> LoadFiles(const Source& source, Split split,
                                  std::vector<std::string> classes) {
  Dataset dataset;
  dataset.name = std::string(ToString(source.name));
  dataset.classes = std::move(classes);
  const std::vector<DataFile> files = FilesOf(source.name, split);
  int64_t records = 0;
  for (const DataFile& file : files) records += file.bytes / RecordBytes(source.format);
  dataset.images.reserve(records * kPixelBytes);
  dataset.labels.reserve(records);
  for (const DataFile& file : files) {
    if (absl::Status status = AppendFile(source, file, dataset); !status.ok()) return status;
  }
  return dataset;
}

}  // namespace

absl::StatusOr<DatasetName> ParseDatasetName(absl::string_view text) {
  for (DatasetName name : {DatasetName::kCifar10, DatasetName::kCifar100, DatasetName::kSample}) {
    if (text == ToString(name)) return name;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("there is no data set \"", text, "\"; there are cifar10, cifar100 and sample"));
}

absl::string_view ToString(DatasetName name) {
  switch (name) {
    case DatasetName::kCifar10:
      return "cifar10";
    case DatasetName::kCifar100:
      return "cifar100";
    case DatasetName::kSample:
      return "sample";
  }
  return "";
}

std::string DefaultDataDir() {
  // The XDG base directory specification: a relative path in the variable is to be ignored.
  const char* cache = getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return JoinPath(cache, "cotangent");
  const char* home = getenv("HOME");
  return JoinPath(home != nullptr && home[0] != '\0' ? home : ".", ".cache/cotangent");
}

int64_t RecordBytes(RecordFormat format) {
  return kPixelBytes + (format == RecordFormat::kCifar10 ? 1 : 2);
}

std::vector<DataFile> FilesOf(DatasetName name, Split split) {
  const int64_t bytes10 = 10000 * RecordBytes(RecordFormat::kCifar10);
  const int64_t bytes100 = RecordBytes(RecordFormat::kCifar100);
  switch (name) {
    case DatasetName::kCifar10: {
      if (split == Split::kTest) return {{"cifar-10-batches-bin/test_batch.bin", bytes10}};
      std::vector<DataFile> files;
      for (int i = 1; i <= 5; ++i) {
        files.push_back({absl::StrCat("cifar-10-batches-bin/data_batch_", i, ".bin"), bytes10});
      }
      return files;
    }
    case DatasetName::kCifar100:
      if (split == Split::kTest) return {{"cifar-100-binary/test.bin", 10000 * bytes100}};
      return {{"cifar-100-binary/train.bin", 50000 * bytes100}};
    case DatasetName::kSample:
      return {};
  }
  return {};
}

std::vector<DataFile> FilesOf(DatasetName name) {
  std::vector<DataFile> files = FilesOf(name, Split::kTrain);
  for (DataFile& file : FilesOf(name, Split::kTest)) files.push_back(std::move(file));
  return files;
}

absl::Status AppendCifarRecords(absl::Span<const uint8_t> bytes, RecordFormat format,
                                LabelKind label_kind, absl::string_view source,
                                int64_t first_record, Dataset& dataset) {
  const int64_t record_bytes = RecordBytes(format);
  if (bytes.size() % record_bytes != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(source, " has ", bytes.size(),
                     " bytes, which is no whole number of records of ", record_bytes, " bytes"));
  }
  // In CIFAR-100's records the coarse label comes first.
  const int64_t label_bytes = record_bytes - kPixelBytes;
  const int64_t label_at = label_bytes == 2 && label_kind == LabelKind::kFine ? 1 : 0;
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

absl::StatusOr<Dataset> ParseCifarRecords(absl::Span<const uint8_t> bytes, RecordFormat format,
                                          LabelKind label_kind, absl::string_view source) {
  Dataset dataset;
  const bool ten = format == RecordFormat::kCifar10;
  dataset.name = ten ? "cifar10" : "cifar100";
  dataset.classes = ten ? Cifar10Classes() : Cifar100Classes(label_kind);
  absl::Status status = AppendCifarRecords(bytes, format, label_kind, source, 0, dataset);
  if (!status.ok()) return status;
  return dataset;
}

absl::StatusOr<Dataset> LoadCifar10(const std::string& data_dir, Split split) {
  return LoadFiles({DatasetName::kCifar10, RecordFormat::kCifar10, LabelKind::kFine, data_dir},
                   split, Cifar10Classes());
}

absl::StatusOr<Dataset> LoadCifar100(const std::string& data_dir, Split split,
                                     LabelKind label_kind) {
  return LoadFiles({DatasetName::kCifar100, RecordFormat::kCifar100, label_kind, data_dir}, split,
                   Cifar100Classes(label_kind));
}

absl::StatusOr<Dataset> LoadSample(Split split) {
  const bool train = split == Split::kTrain;
  const uint8_t* begin = train ? cotangent_sample_train_begin : cotangent_sample_test_begin;
  const uint8_t* end = train ? cotangent_sample_train_end : cotangent_sample_test_end;
  absl::StatusOr<Dataset> dataset =
      ParseCifarRecords(absl::MakeConstSpan(begin, end - begin), RecordFormat::kCifar10,
                        LabelKind::kFine, "the built-in sample");
  if (dataset.ok()) dataset->name = "sample";
  return dataset;
}

absl::StatusOr<Dataset> Load(DatasetName name, const std::string& data_dir, Split split,
                             LabelKind label_kind) {
  switch (name) {
    case DatasetName::kCifar10:
      return LoadCifar10(data_dir, split);
    case DatasetName::kCifar100:
      return LoadCifar100(data_dir, split, label_kind);
    case DatasetName::kSample:
      return LoadSample(split);
  }
  return absl::InternalError("a data set without a name");
}

}  // namespace cotangent::data
