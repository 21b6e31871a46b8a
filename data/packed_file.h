#ifndef COTANGENT_DATA_PACKED_FILE_H_
#define COTANGENT_DATA_PACKED_FILE_H_

// Records of bytes (images brought to a network's size, or decoded pictures) packed into one file,
// so that later epochs and runs need not make them again.
//
// Records are read from the file when they are asked for. The system keeps of it in memory what
// there is room for, as it does of a mapped file; but what is in its memory is not counted as the
// program's, and a file that is cut short meanwhile is an error, where a mapped one would end the
// program.
//
// A file is: a header (Header in packed_file.cc: magic number, number of records, length of the
// file, fingerprint of what it was made from), an Entry for each record (where it is, its bytes,
// their CRC-32C), the CRC-32C of all before; then the records, each from a multiple of 64 bytes on,
// in the order in which they were made. It appears whole or not at all.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cotangent::data {

struct PackedContents {
  std::string fingerprint;  // of what records are made from; at most 32 bytes
  int64_t records = 0;
};

class PackedFile {
 public:
  // kNotFound unless the file is there, its header is sound and names these contents.
  static absl::StatusOr<std::shared_ptr<const PackedFile>> Open(const std::string& path,
                                                                const PackedContents& contents);

  // Makes record number `index`: fills `bytes`, which hold another one before, with less than 4 GiB.
  using MakeRecord = std::function<absl::Status(int64_t index, std::vector<uint8_t>& bytes)>;
  // Writes a file of all records, made on `threads` threads, in the memory of a record for each.
  // Errors: the first of `make`; kUnavailable where the file cannot be written (a full disk, say).
  // After an error no file is left.
  static absl::Status Write(const std::string& path, const PackedContents& contents,
                            const MakeRecord& make, int threads);

  ~PackedFile();
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;

  // Bytes of a record, and of all.
  int64_t size(int64_t index) const { return entries_[index].bytes; }
  int64_t size_of_all() const;
  // Writes the bytes of a record and compares their checksum. Any number of threads may call it.
  // kDataLoss says how to mend a damaged file.
  absl::Status Read(int64_t index, uint8_t* bytes) const;

  struct Entry {
    int64_t offset;
    uint32_t bytes, checksum;
  };

 private:
  PackedFile(std::string path, int descriptor, std::vector<Entry> entries);

  const std::string path_;
  const int descriptor_;
  const std::vector<Entry> entries_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_PACKED_FILE_H_
