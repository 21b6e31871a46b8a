#include "tests/endurance/requests.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "data/image_file.h"

namespace cotangent::tests {
namespace {

using Random = std::mt19937_64;

std::string Png(int width, int height, uint64_t seed) {
  data::Image image = {width, height, std::vector<uint8_t>(size_t{3} * width * height)};
  for (size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<uint8_t>((i * 7919 + seed * 104729) % 251);
  return *data::EncodePng(image);
}

std::string Post(absl::string_view body, absl::string_view query = "",
                 absl::string_view headers = "") {
  return absl::StrCat("POST /v1/classify", query, " HTTP/1.1\r\nHost: localhost\r\n", headers,
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}

std::string Multipart(absl::string_view body, absl::string_view boundary) {
  return Post(body, "",
              absl::StrCat("Content-Type: multipart/form-data; boundary=", boundary, "\r\n"));
}

std::string Part(absl::string_view boundary, absl::string_view content) {
  return absl::StrCat("--", boundary,
                      "\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.png\"\r\n"
                      "Content-Type: image/png\r\n\r\n",
                      content, "\r\n");
}

const std::string& Picture() {
  static const std::string* const png = new std::string(Png(32, 32, 1));
  return *png;
}

std::string Cut(Random& random) {
  return Post(Picture().substr(0, 8 + random() % (Picture().size() - 20)));
}
std::string NoPicture(Random& random) {
  return Post(std::string(1 + random() % 5000, static_cast<char>(random())));
}
std::string Empty(Random&) { return Post(""); }
std::string WrongParameter(Random& random) {
  constexpr const char* kQueries[] = {
      "?top=0", "?top=-1", "?top=9999999999999", "?top=a", "?explain=2", "?top=%00", "?top="};
  return Post(Picture(), kQueries[random() % std::size(kQueries)]);
}
std::string AnnouncedTooLarge(Random&) {
  return "POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000000\r\n\r\nabc";
}
// Returns a request with a PNG whose header announces 60000 x 60000 pixels.
std::string Bomb(Random&) {
  std::string png = Picture();
  const char extent[] = {0, 0, '\xea', '\x60', 0, 0, '\xea', '\x60'};
  png.replace(16, sizeof(extent), extent, sizeof(extent));
  const char crc[] = {'\x0f', '\xb0', '\xe2', '\x15'};  // checksum of the changed header
  png.replace(29, sizeof(crc), crc, sizeof(crc));
  return Post(png);
}
std::string EndsEarly(Random& random) {
  const std::string whole = Post(Picture());
  return whole.substr(0, whole.size() - 1 - random() % Picture().size());
}
std::string EndsInHeaders(Random& random) { return Post(Picture()).substr(0, 1 + random() % 60); }
std::string NoHttp(Random& random) {
  std::string bytes(20 + random() % 300, ' ');
  for (char& byte : bytes) byte = static_cast<char>(random());
  return absl::StrCat(bytes, "\r\n\r\n");
}
std::string LongHeader(Random&) {
  return Post(Picture(), "", absl::StrCat("X-Long: ", std::string(100'000, 'x'), "\r\n"));
}
std::string ManyHeaders(Random&) {
  std::string headers;
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&headers, "X-", i, ": y\r\n");
  return Post(Picture(), "", headers);
}
std::string LongAddress(Random&) {
  return Post(Picture(), absl::StrCat("?top=", std::string(20'000, '1')));
}
std::string UnendedParts(Random& random) {
  return Multipart(Part("b", Picture()).substr(0, 1 + random() % Picture().size()), "b");
}
std::string NoParts(Random&) { return Multipart("--b--\r\n", "b"); }
std::string TooManyParts(Random&) {
  std::string body;
  for (int i = 0; i < 1000; ++i) absl::StrAppend(&body, Part("b", "x"));
  return Multipart(absl::StrCat(body, "--b--\r\n"), "b");
}
std::string LongBoundary(Random&) { return Multipart("x", std::string(5000, 'b')); }
std::string WrongChunks(Random& random) {
  constexpr const char* kChunks[] = {"zz\r\nabc\r\n", "-1\r\nabc\r\n", "ffffffffffffffff\r\nabc",
                                     "5\r\nabcdefgh\r\n0\r\n\r\n", "3\r\nab"};
  return absl::StrCat(
      "POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
      kChunks[random() % std::size(kChunks)]);
}
std::string WrongCompression(Random&) { return Post(Picture(), "", "Content-Encoding: gzip\r\n"); }
std::string UnknownPath(Random&) {
  return "GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n";
}
// Returns a valid request in which some bytes are changed, inserted or removed.
std::string Mutated(Random& random) {
  std::string bytes = random() % 2 == 0
                          ? Post(Picture())
                          : Multipart(absl::StrCat(Part("b", Picture()), "--b--\r\n"), "b");
  for (uint64_t changes = 1 + random() % 8; changes > 0; --changes) {
    const size_t at = random() % (random() % 2 == 0 ? bytes.size() : 200);
    const char byte = random() % 2 == 0 ? static_cast<char>(random()) : "\r\n:-=\";0"[random() % 8];
    switch (random() % 3) {
      case 0:
        bytes[at] = byte;
        break;
      case 1:
        bytes.insert(at, 1 + random() % 4, byte);
        break;
      case 2:
        bytes.erase(at, 1 + random() % 4);
        break;
    }
  }
  return bytes;
}

}  // namespace

std::vector<std::string> SoundRequests() {
  std::vector<std::string> requests;
  for (int i = 0; i < 8; ++i) requests.push_back(Post(Png(24 + 5 * i, 50 - 3 * i, i)));
  return requests;
}

const std::vector<Breakage>& Breakages() {
  using Then = Breakage::Then;
  static const auto* const breakages = new std::vector<Breakage>{
      {"a picture that is cut", Cut, {400}},
      {"no picture", NoPicture, {415}},
      {"an empty body", Empty, {415}},
      {"a wrong parameter", WrongParameter, {400}},
      {"a length above the limit", AnnouncedTooLarge, {413}},
      {"a picture bomb", Bomb, {413}},
      {"a body that ends early", EndsEarly, {0, 400}, Then::kEndSending},
      {"a body that is reset", EndsEarly, {}, Then::kAbort},
      {"headers that end early", EndsInHeaders, {0, 400}, Then::kEndSending},
      {"no HTTP", NoHttp, {0, 400}, Then::kEndSending},
      {"a long header", LongHeader, {}},
      {"many headers", ManyHeaders, {}},
      {"a long address", LongAddress, {}},
      {"parts without an end", UnendedParts, {0, 400}, Then::kEndSending},
      {"no parts", NoParts, {400}},
      {"too many parts", TooManyParts, {413}},
      {"a long boundary", LongBoundary, {}},
      {"wrong chunks", WrongChunks, {0, 400, 415}, Then::kEndSending},
      {"wrong compression", WrongCompression, {}},
      {"an unknown path", UnknownPath, {400, 404}},
      {"a request that is changed at random", Mutated, {}},
  };
  return *breakages;
}

}  // namespace cotangent::tests
