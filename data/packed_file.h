#ifndef COTANGENT_DATA_PACKED_FILE_H_
#define COTANGENT_DATA_PACKED_FILE_H_

// Records of bytes (images brought to a network's size, or decoded pictures) packed into one file,
// so that later epochs and runs need not make them again.
//
// Read() reads a record from the file with pread(). The file is not mapped into memory, for two
// reasons: the operating system's page cache, which keeps parts of the file in free memory, is not
// counted as memory of the program; and if the file is cut short while it is open, Read() returns
// an error, whereas access to mapped memory would end the program.
//
// A packed file consists of a header (Header in packed_file.cc: magic number, number of records,
// length of the file, fingerprint), an Entry for each record, the CRC-32C checksum of header and
// entries, and then the records. Each record begins at a multiple of 64 bytes; records lie in the
// order in which the threads finished them. Write() creates either the whole file or none.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cotangent::data {

struct PackedContents {
  std::string fingerprint;  // identifies the records' sources; at most 32 bytes
  int64_t records = 0;
};

class PackedFile {
 public:
  // Opens the file for Read(). Returns kNotFound if the file cannot be opened, if its header,
  // entries or length are damaged, if an entry points outside the file (so that no record is larger
  // than the file), or if its fingerprint or number of records is not that of `contents`.
  static absl::StatusOr<std::shared_ptr<const PackedFile>> Open(const std::string& path,
                                                                const PackedContents& contents);

  // A function that makes record number `index` and replaces `bytes`, which may still hold an
  // earlier record, by its contents: less than 4 GiB.
  using MakeRecord = std::function<absl::Status(int64_t index, std::vector<uint8_t>& bytes)>;
  // Makes all records on `threads` threads, each of which holds one record in memory at a time, and
  // writes them to a file. Returns the error of `make` for the lowest record number that failed, or
  // kUnavailable if the file cannot be written (for example, on a full disk). After an error, no
  // unfinished file is left.
  static absl::Status Write(const std::string& path, const PackedContents& contents,
                            const MakeRecord& make, int threads);

  ~PackedFile();
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;

  // Return the size in bytes of record `index`, and the sum of the sizes of all records.
  int64_t size(int64_t index) const { return entries_[index].bytes; }
  int64_t size_of_all() const;
  // Copies record `index` to `bytes`, which has room for size(index) bytes, and verifies its
  // checksum. Several threads may call it at the same time. If the record is damaged or cannot be
  // read, returns kDataLoss with a message that tells the user to remove the file.
  absl::Status Read(int64_t index, uint8_t* bytes) const;

  // Position and size of a record in the file, in bytes, and the CRC-32C checksum of its bytes.
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
