// Opens a packed file, in which `train --cache` keeps decoded pictures, and reads all its records,
// as bytes and as whole pictures. The first byte of the input is the number of records, modulo 8;
// the rest is the file. The file's length and the checksum of its front (header and list of
// records) are corrected first, so that the code behind the checks of both is reached.
#include <isa-l.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "data/packed_file.h"
#include "data/sources/picture_reader.h"
#include "tests/fuzz/property.h"

namespace {

constexpr size_t kHeaderBytes = 56, kLengthAt = 16;

// Corrects what Open() checks before it looks at entries: the file's length and the checksum of its
// front.
void PutRight(std::string& file, int64_t records) {
  const size_t front = kHeaderBytes + records * sizeof(cotangent::data::PackedFile::Entry);
  if (file.size() < front + sizeof(uint32_t)) return;
  const auto length = static_cast<int64_t>(file.size());
  std::memcpy(&file[kLengthAt], &length, sizeof(length));
  const uint32_t crc =
      ~crc32_iscsi(reinterpret_cast<unsigned char*>(file.data()), static_cast<int>(front), ~0u);
  std::memcpy(&file[front], &crc, sizeof(crc));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  namespace images = cotangent::data;
  if (size == 0) return 0;
  const images::PackedContents contents = {"fuzz", data[0] % 8};
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  PutRight(file, contents.records);
  const int descriptor = memfd_create("packed_file_fuzz", MFD_CLOEXEC);
  COTANGENT_PROPERTY(descriptor >= 0);
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  COTANGENT_PROPERTY(write(descriptor, file.data(), file.size()) ==
                     static_cast<ssize_t>(file.size()));
  const auto packed =
      images::PackedFile::Open(absl::StrCat("/proc/self/fd/", descriptor), contents);
  if (!packed.ok()) {
    COTANGENT_PROPERTY(absl::IsNotFound(packed.status()));
    return 0;
  }
  for (int64_t i = 0; i < contents.records; ++i) {
    COTANGENT_PROPERTY((*packed)->size(i) <= static_cast<int64_t>(file.size()));
    std::vector<uint8_t> bytes((*packed)->size(i));
    const bool is_sound = (*packed)->Read(i, bytes.data()).ok();
    const auto picture = images::ReadRecord(**packed, i);
    COTANGENT_PROPERTY(is_sound || !picture.ok());
    if (!picture.ok()) continue;
    COTANGENT_PROPERTY(picture->height > 0 && picture->width > 0);
    COTANGENT_PROPERTY(picture->rgb.size() == size_t{3} * picture->height * picture->width);
  }
  return 0;
}
