#include "data/sources/copies.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "base/status_macros.h"
#include "data/file.h"

namespace cotangent::data {
namespace {

constexpr int64_t kMostCompared = 10000;
constexpr int64_t kEndBytes = 4096;

// Returns the length of a regular file in bytes; nothing if there is none or it is empty.
std::optional<int64_t> LengthOf(const std::string& path) {
  struct stat about = {};
  if (stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode) || about.st_size == 0)
    return std::nullopt;
  return int64_t{about.st_size};
}

// Returns the first and the last kEndBytes bytes of a file of this length (all bytes, twice, of a
// shorter one); an empty text if the file cannot be read.
std::string EndsOf(const std::string& path, int64_t length) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return "";
  const absl::Cleanup close_it = [descriptor] { close(descriptor); };
  const int64_t count = std::min(length, kEndBytes);
  std::string ends(2 * count, '\0');
  if (pread(descriptor, ends.data(), count, 0) != count ||
      pread(descriptor, ends.data() + count, count, length - count) != count)
    return "";
  return ends;
}

// A picture of the split that is held back from training, for evaluation.
struct Picture {
  std::string path;
  int64_t length = 0;
  std::string copy;  // the path of a training picture with the same bytes
};

// Finds pictures that may have the same bytes as a file: by the length of the file, then by a hash
// of the length and of the first and last bytes (EndsOf()).
class Index {
 public:
  explicit Index(const std::vector<Picture>& pictures) {
    for (size_t i = 0; i < pictures.size(); ++i) {
      lengths_.insert(pictures[i].length);
      const std::string ends = EndsOf(pictures[i].path, pictures[i].length);
      if (!ends.empty()) by_ends_.emplace(Key(pictures[i].length, ends), i);
    }
  }

  // Calls `is_same` with the index of each picture that may have the same bytes as the file.
  // Pictures for which it returns true are removed, so that later calls do not find them.
  template <typename IsSame>
  void Take(const std::string& path, const IsSame& is_same) {
    const std::optional<int64_t> length = LengthOf(path);
    if (!length.has_value() || lengths_.count(*length) == 0) return;
    const auto [begin, end] = by_ends_.equal_range(Key(*length, EndsOf(path, *length)));
    for (auto it = begin; it != end;) it = is_same(it->second) ? by_ends_.erase(it) : std::next(it);
  }

 private:
  static size_t Key(int64_t length, const std::string& ends) {
    return std::hash<std::string>()(ends) ^ std::hash<int64_t>()(length);
  }

  std::unordered_set<int64_t> lengths_;
  std::unordered_multimap<size_t, size_t> by_ends_;
};

bool AreTheSame(const std::string& a, const std::string& b) {
  const absl::StatusOr<std::string> bytes_a = ReadFile(a), bytes_b = ReadFile(b);
  return bytes_a.ok() && bytes_b.ok() && *bytes_a == *bytes_b;
}

}  // namespace

absl::StatusOr<Copies> FindCopies(const Source& source, Split held_back) {
  ASSIGN_OR_RETURN(const int64_t size, source.Size(held_back));
  const int64_t most = std::min(size, kMostCompared);
  Copies copies;
  std::vector<Picture> pictures;
  int64_t index = 0;
  RETURN_IF_ERROR(source.VisitImages(held_back, [&](absl::string_view name, int32_t) {
    if (index++ != copies.compared * size / most) return;
    ++copies.compared;
    std::string path = source.FileOf(name);
    if (path.empty()) return;
    if (const auto length = LengthOf(path)) pictures.push_back({std::move(path), *length, ""});
  }));
  if (pictures.empty()) return copies;
  Index index_of_pictures(pictures);
  RETURN_IF_ERROR(source.VisitImages(Split::kTrain, [&](absl::string_view name, int32_t) {
    const std::string path = source.FileOf(name);
    index_of_pictures.Take(path, [&](size_t i) {
      if (!AreTheSame(pictures[i].path, path)) return false;
      pictures[i].copy = path;
      return true;
    });
  }));
  for (const Picture& picture : pictures) {
    if (picture.copy.empty()) continue;
    if (copies.count++ == 0) copies.held_back = picture.path, copies.training = picture.copy;
  }
  return copies;
}

}  // namespace cotangent::data
