#include "data/image_cache.h"

#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "data/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::HasSubstr;

// Image number i consists of the bytes i, i + 1, i + 2.
class Counting : public ImageReader {
 public:
  absl::Status Read(int64_t index, uint8_t* image) const override {
    if (index == bad_) return absl::InvalidArgumentError("bad picture");
    for (int k = 0; k < 3; ++k) image[k] = static_cast<uint8_t>(index + k);
    return absl::OkStatus();
  }
  int64_t bad_ = -1;
};

constexpr int64_t kImages = 600;  // more than WriteImageCache() decodes before it writes

std::string Path(const std::string& name) {
  const std::string path = ::testing::TempDir() + "/" + name;
  remove(path.c_str());
  return path;
}

TEST(ImageCache, GivesBackWhatItWasMadeFrom) {
  const std::string path = Path("whole.cache");
  const CacheContents contents = {"abc", kImages, 3};
  EXPECT_EQ(OpenImageCache(path, contents).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(WriteImageCache(path, contents, Counting(), 3).ok());
  const auto cache = OpenImageCache(path, contents);
  ASSERT_TRUE(cache.ok()) << cache.status();
  for (int64_t i = 0; i < kImages; ++i) {
    uint8_t image[3];
    ASSERT_TRUE((*cache)->Read(i, image).ok());
    ASSERT_EQ(image[2], static_cast<uint8_t>(i + 2));
  }
}

TEST(ImageCache, IsOfItsContentsOnly) {
  const std::string path = Path("other.cache");
  ASSERT_TRUE(WriteImageCache(path, {"abc", kImages, 3}, Counting(), 1).ok());
  for (const CacheContents& other :
       {CacheContents{"abd", kImages, 3}, {"abc", kImages - 1, 3}, {"abc", kImages / 3, 9}})
    EXPECT_EQ(OpenImageCache(path, other).status().code(), absl::StatusCode::kNotFound);
}

TEST(ImageCache, NoticesWhatWasChanged) {
  const std::string path = Path("damaged.cache");
  const CacheContents contents = {"abc", kImages, 3};
  ASSERT_TRUE(WriteImageCache(path, contents, Counting(), 1).ok());
  const std::string whole = ReadFile(path).value();
  std::string changed = whole;
  changed[whole.size() - 1] ^= 1;  // in the last image
  ASSERT_TRUE(WriteFileAtomically(path, changed).ok());
  const auto cache = OpenImageCache(path, contents);
  ASSERT_TRUE(cache.ok());
  uint8_t image[3];
  EXPECT_TRUE((*cache)->Read(0, image).ok());
  EXPECT_THAT(std::string((*cache)->Read(kImages - 1, image).message()),
              HasSubstr("remove the file"));
  // Changes a byte in the header, in a checksum and in another one; then the file is cut short.
  for (const size_t at : {size_t{3}, size_t{60}, size_t{200}}) {
    changed = whole;
    changed[at] ^= 1;
    ASSERT_TRUE(WriteFileAtomically(path, changed).ok());
    EXPECT_FALSE(OpenImageCache(path, contents).ok()) << at;
  }
  ASSERT_TRUE(WriteFileAtomically(path, whole.substr(0, whole.size() - 1)).ok());
  EXPECT_FALSE(OpenImageCache(path, contents).ok());
}

TEST(ImageCache, LeavesNothingWhereAPictureIsBad) {
  const std::string path = Path("bad.cache");
  Counting reader;
  reader.bad_ = 599;
  EXPECT_THAT(std::string(WriteImageCache(path, {"abc", kImages, 3}, reader, 2).message()),
              HasSubstr("bad picture"));
  EXPECT_FALSE(std::ifstream(path).good());
}

}  // namespace
}  // namespace cotangent::data
