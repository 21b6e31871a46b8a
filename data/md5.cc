#include "data/md5.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#include <memory>
#include <vector>

#include "absl/strings/escaping.h"
#include "data/file.h"

namespace cotangent::data {
namespace {

class Digest {
 public:
  Digest() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_md5(), nullptr);
  }
  void Add(const void* bytes, size_t size) { EVP_DigestUpdate(context_.get(), bytes, size); }
  std::string Hexadecimal() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &size);
    return absl::BytesToHexString(absl::string_view(reinterpret_cast<char*>(digest), size));
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace

std::string Md5(absl::string_view bytes) {
  Digest digest;
  digest.Add(bytes.data(), bytes.size());
  return digest.Hexadecimal();
}

absl::StatusOr<std::string> Md5OfFile(const std::string& path) {
  std::unique_ptr<FILE, int (*)(FILE*)> file(fopen(path.c_str(), "rbe"), fclose);
  if (file == nullptr) return FileError(errno, "read", path);
  Digest digest;
  std::vector<char> buffer(1 << 20);
  while (const size_t size = fread(buffer.data(), 1, buffer.size(), file.get()))
    digest.Add(buffer.data(), size);
  if (ferror(file.get())) return FileError(errno, "read", path);
  return digest.Hexadecimal();
}

}  // namespace cotangent::data
