// Tests of how the pictures of folders and CSV files are read: when they are needed, from a packed
// cache, and what is done about bad ones.

#include <malloc.h>

#include <filesystem>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "data/file.h"
#include "data/image_file.h"
#include "data/sources/picture_reader.h"
#include "data/sources/pictures.h"
#include "data/sources/pictures_testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Tests of pictures that are read when they are needed instead of being kept in memory.
class ReadLaterTest : public PicturesTest {
 protected:
  void SetUp() override {
    PicturesTest::SetUp();
    for (int i = 0; i < 8; ++i) Paint(absl::StrCat(i < 4 ? "d/a/" : "d/b/", i, ".png"), 10 * i);
    options_.shape = {1, 4, 4};
    options_.most_bytes_in_memory = 0;
    options_.threads = 2;
    options_.say = [this](const std::string& line) { said_ += line + "\n"; };
  }
  absl::StatusOr<Dataset> Load(Split split = Split::kTrain, double validation = 0) {
    std::shared_ptr<const Source> source =
        FindSource(JoinPath(root_, "d")).value()->Fitted(options_);
    if (validation > 0) source = WithValidation(source, validation);
    return source->Load("", split);
  }
  // Returns the first byte of an image, or -1 if the image cannot be read.
  static int First(const Dataset& dataset, int64_t index) {
    std::vector<uint8_t> scratch;
    const absl::StatusOr<const uint8_t*> pixels = dataset.Pixels(index, scratch);
    return pixels.ok() ? (*pixels)[0] : -1;
  }

  FitOptions options_;
};

TEST_F(ReadLaterTest, AreTheSamePictures) {
  const auto dataset = Load();
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_FALSE(dataset->is_in_memory());
  EXPECT_THAT(dataset->labels, ElementsAre(0, 0, 0, 0, 1, 1, 1, 1));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(First(*dataset, i), 10 * i);
}

// Picture 2 has twice the height and width of the images. A part that has an image's size shows the
// picture's pixels unchanged, whether pictures are kept in memory or not.
TEST_F(ReadLaterTest, PartsAreOfThePictureInTheFile) {
  Image large = {8, 8, {}};
  for (int i = 0; i < 3 * 64; ++i) large.rgb.push_back(i);
  ASSERT_TRUE(WritePng(JoinPath(root_, "d/a/2.png"), large).ok());
  options_.shape = {3, 4, 4};
  options_.draws_parts = true;
  for (const int64_t most : {0, 1 << 20}) {
    options_.most_bytes_in_memory = most;
    const auto dataset = Load();
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_FALSE(dataset->is_in_memory());
    ASSERT_TRUE(dataset->reader->has_pictures());
    uint8_t image[48];
    const auto part = [](int height, int width) {
      EXPECT_EQ(height, 8);
      EXPECT_EQ(width, 8);
      return std::optional<Rectangle>({3, 2, 4, 4});
    };
    ASSERT_TRUE(dataset->reader->ReadPart(2, part, image).ok());
    for (int c = 0; c < 3; ++c) {
      for (int y = 0; y < 4; ++y) {
        for (int x = 0; x < 4; ++x)
          EXPECT_EQ(image[16 * c + 4 * y + x], large.rgb[3 * (8 * (y + 2) + x + 3) + c]);
      }
    }
    uint8_t whole[48], fitted[48];
    ASSERT_TRUE(dataset->reader->Read(2, whole).ok());
    PictureFitter(options_.shape, Fit::kStretch).Write(ViewOf(large), fitted);
    EXPECT_EQ(std::vector<uint8_t>(whole, whole + 48), std::vector<uint8_t>(fitted, fitted + 48));
    // If images are set apart for validation, the reader of the training images has whole pictures,
    // too.
    const auto side = Load(Split::kTrain, 0.3);
    EXPECT_TRUE(side->reader->has_pictures());
  }
}

TEST_F(ReadLaterTest, AreDividedAsThoseInMemory) {
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    options_.most_bytes_in_memory = 0;
    const auto later = Load(split, 0.4);
    options_.most_bytes_in_memory = 1 << 20;
    const auto now = Load(split, 0.4);
    ASSERT_TRUE(later.ok() && now.ok());
    EXPECT_EQ(NamesOf(*later), NamesOf(*now));
    EXPECT_EQ(later->labels, now->labels);
    for (int64_t i = 0; i < now->size(); ++i) EXPECT_EQ(First(*later, i), now->image(i)[0]);
  }
}

TEST_F(ReadLaterTest, AFileThatVanishesIsNamedOrSkipped) {
  const auto dataset = Load();
  options_.skip_bad = true;
  const auto skipping = Load();
  ASSERT_TRUE(dataset.ok() && skipping.ok());
  std::filesystem::remove(JoinPath(root_, "d/b/5.png"));
  uint8_t image[16];
  const std::string message(dataset->reader->Read(5, image).message());
  EXPECT_THAT(message, HasSubstr("b/5.png: No such file"));
  EXPECT_THAT(message, HasSubstr("--on_bad_image=skip"));
  EXPECT_EQ(First(*skipping, 5), 60);  // the value of the next picture of its class
  EXPECT_THAT(said_, HasSubstr("skipped: "));
}

// With replace_later, a picture that vanishes after loading is replaced and reported, but a bad
// test picture is found at loading.
TEST_F(ReadLaterTest, AFileThatVanishesDuringARunIsReplaced) {
  options_.replace_later = true;
  const auto dataset = Load();
  ASSERT_TRUE(dataset.ok());
  std::filesystem::remove(JoinPath(root_, "d/b/5.png"));
  EXPECT_EQ(First(*dataset, 5), 60);  // the value of the next picture of its class
  EXPECT_THAT(said_, AllOf(HasSubstr("skipped: "), HasSubstr("b/5.png: No such file")));

  for (const char* name :
       {"s/train/a/0.png", "s/train/b/1.png", "s/test/a/2.png", "s/test/b/3.png"})
    Paint(name, 7);
  const auto load_test = [&] {
    return FindSource(JoinPath(root_, "s")).value()->Fitted(options_)->Load("", Split::kTest);
  };
  EXPECT_TRUE(load_test().ok());
  ASSERT_TRUE(WriteFileAtomically(JoinPath(root_, "s/test/b/4.png"), "no picture").ok());
  EXPECT_THAT(std::string(load_test().status().message()),
              AllOf(HasSubstr("b/4.png"), HasSubstr("--on_bad_image=skip")));
}

// Loading a data set does not search for bad pictures. A bad picture is reported once, and replaced
// by the same other picture every time; if images are set apart for validation, the other picture
// is of the same split.
TEST_F(ReadLaterTest, ABadPictureIsReplacedByTheNextOfItsClass) {
  options_.skip_bad = true;
  Write("d/a/3.png", "no picture");
  const auto dataset = Load();
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->size(), 8);
  EXPECT_THAT(said_, IsEmpty());
  for (int epoch = 0; epoch < 2; ++epoch) EXPECT_EQ(First(*dataset, 3), 0);
  EXPECT_EQ(said_.find("skipped: "), said_.rfind("skipped: "));
  EXPECT_THAT(said_, HasSubstr("a/3.png: neither"));

  for (const Split split : {Split::kTrain, Split::kValidation}) {
    const Dataset side = Load(split, 0.4).value();
    const std::vector<std::string> names = NamesOf(side);
    for (int64_t i = 0; i < side.size(); ++i) {
      const int value = First(side, i);
      if (value < 0) continue;  // no other picture of its class is in this split
      EXPECT_THAT(names, Contains(absl::StrCat(value < 40 ? "a/" : "b/", value / 10, ".png")));
    }
  }
  for (int i = 0; i < 3; ++i) Write(absl::StrCat("d/a/", i, ".png"), "no picture");
  EXPECT_EQ(First(*dataset, 3), -1);
  EXPECT_EQ(First(*dataset, 4), 40);
}

// Accuracy is measured on validation and test images, so such an image must not be replaced by
// another.
TEST_F(ReadLaterTest, BadPicturesThatAreEvaluatedAreLeftOut) {
  options_.skip_bad = true;
  for (const char* const name : {"train/a/1.png", "train/b/1.png", "test/a/1.png", "test/b/1.png"})
    Paint(absl::StrCat("s/", name), 1);
  Write("s/test/b/2.png", "no picture");
  const auto source = FindSource(JoinPath(root_, "s")).value()->Fitted(options_);
  EXPECT_EQ(source->Size(Split::kTest).value(), 2);
  EXPECT_THAT(said_, HasSubstr("1 of 3 pictures could not be read"));
}

// The same holds for images that were set apart from a training split whose bad pictures are
// replaced.
TEST_F(ReadLaterTest, BadPicturesThatWereSetApartAreLeftOut) {
  options_.skip_bad = true;
  const std::vector<std::string> whole = NamesOf(Load(Split::kValidation, 0.4).value());
  ASSERT_GE(whole.size(), 2u);
  const int64_t training = Load(Split::kTrain, 0.4)->size();
  Write("d/" + whole[0], "no picture");
  const Dataset side = Load(Split::kValidation, 0.4).value();
  EXPECT_EQ(NamesOf(side), std::vector<std::string>(whole.begin() + 1, whole.end()));
  for (int64_t i = 0; i < side.size(); ++i) {
    EXPECT_EQ(absl::StrCat(side.labels[i] == 0 ? "a/" : "b/", First(side, i) / 10, ".png"),
              whole[i + 1]);
  }
  EXPECT_THAT(said_, HasSubstr(whole[0]));
  EXPECT_EQ(Load(Split::kTrain, 0.4)->size(), training);
  for (const std::string& name : whole) Write("d/" + name, "no picture");
  EXPECT_THAT(std::string(Load(Split::kValidation, 0.4).status().message()),
              HasSubstr("none of the images set apart for validation can be read"));
}

class CacheTest : public ReadLaterTest {
 protected:
  void SetUp() override {
    ReadLaterTest::SetUp();
    options_.cache = JoinPath(root_, "cache");
  }
  int Packings() const {
    int count = 0;
    for (size_t at = said_.find("packing"); at != std::string::npos;
         at = said_.find("packing", at + 1))
      ++count;
    return count;
  }
  int Files() const {
    int files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(options_.cache))
      files += entry.is_regular_file() ? 1 : 0;
    return files;
  }
};

TEST_F(CacheTest, IsMadeOnceAndAnewWhenPicturesChange) {
  for (const int64_t most : {0, 1 << 20}) {
    options_.most_bytes_in_memory = most;
    const auto dataset = Load();
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_EQ(dataset->is_in_memory(), most > 0);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(First(*dataset, i), 10 * i);
  }
  EXPECT_EQ(Packings(), 1);
  Paint("d/a/2.png", 222, 5, 5);
  const auto changed = Load();
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(First(*changed, 2), 222);
  EXPECT_EQ(Packings(), 2);
  EXPECT_EQ(Files(), 1);
}

// If transforms draw parts, the cache (a packed file) holds whole pictures. Parts have the same
// bytes as if they were cut from the picture files, whether the pictures fit in memory or not.
TEST_F(CacheTest, HoldsWholePicturesWherePartsOfThemAreDrawn) {
  Image large = {9, 7, {}};
  for (int i = 0; i < 3 * 63; ++i) large.rgb.push_back(static_cast<uint8_t>(37 * i));
  ASSERT_TRUE(WritePng(JoinPath(root_, "d/a/2.png"), large).ok());
  options_.draws_parts = true;
  const std::string cache = options_.cache;
  const auto read = [&](const std::string& from, int64_t most) {
    options_.cache = from;
    options_.most_bytes_in_memory = most;
    const auto dataset = Load();
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    EXPECT_TRUE(dataset->reader->has_pictures());
    std::vector<uint8_t> bytes(3 * dataset->image_bytes());
    uint8_t* to = bytes.data();
    const auto part = [](int, int) { return std::optional<Rectangle>({2, 1, 5, 6}); };
    EXPECT_TRUE(dataset->reader->ReadPart(2, part, to).ok());
    EXPECT_TRUE(dataset->reader->Read(2, to + dataset->image_bytes()).ok());
    EXPECT_TRUE(dataset->reader->Read(5, to + 2 * dataset->image_bytes()).ok());
    return bytes;
  };
  for (const int side : {4, 3}) {
    options_.shape = {3, side, side};
    const std::vector<uint8_t> from_files = read("", 0);
    EXPECT_EQ(read(cache, 0), from_files);
    EXPECT_EQ(read(cache, 1 << 20), from_files);
    EXPECT_EQ(read("", 1 << 20), from_files);
  }
  options_.cache = cache;
  EXPECT_EQ(Packings(), 1);
  EXPECT_EQ(Files(), 1);
}

TEST_F(CacheTest, HoldsTheErrorOfABadPicture) {
  options_.skip_bad = true;
  Write("d/a/3.png", "no picture");
  for (const bool draws_parts : {false, true}) {
    options_.draws_parts = draws_parts;
    const Dataset dataset = Load().value();
    said_.clear();
    EXPECT_EQ(First(dataset, 2), 20);
    EXPECT_EQ(First(dataset, 3), 0);
    EXPECT_THAT(said_, AllOf(HasSubstr("a/3.png: neither"), HasSubstr("when the cache was made")));
  }
  options_.skip_bad = false;
  const Dataset dataset = Load().value();
  EXPECT_EQ(First(dataset, 3), -1);
}

// The record of a picture that could not be read never has the length of an image's record.
TEST(ErrorRecordTest, IsNoImage) {
  for (int64_t image_bytes = 1; image_bytes < 40; ++image_bytes) {
    std::vector<uint8_t> record;
    MakeErrorRecord(absl::InvalidArgumentError("3.png: no picture"), image_bytes, record);
    EXPECT_NE(static_cast<int64_t>(record.size()), image_bytes);
  }
}

int64_t AllocatedBytes() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

// In memory, the list takes for each picture the bytes of its name and 12 more.
TEST(PictureListTest, TakesLittleMemory) {
  constexpr int64_t kPictures = 100'000, kNameBytes = 13;
  const int64_t before = AllocatedBytes();
  PictureList all("/folder");
  for (int64_t i = 0; i < kPictures; ++i) all.Add({absl::StrFormat("a/%07d.png", i), 0});
  all.ShrinkToFit();
  EXPECT_LE(AllocatedBytes() - before, kPictures * (kNameBytes + 12) + 4096);
  EXPECT_EQ(all.path(kPictures - 1), "/folder/a/0099999.png");
}

TEST(PictureListTest, GivesBackWhatWasAdded) {
  PictureList list("/folder", "list.csv", 2);
  const std::vector<float> targets = {1.5f, -2};
  list.Add({"a/1.png", 3, 12, targets});
  list.Add({"b/./2.png", 4, 70'000, {}});
  EXPECT_EQ(list.path(1), "/folder/b/2.png");
  EXPECT_EQ(list.place(1), "list.csv:70000: ");
  EXPECT_THAT(list.targets(0), ElementsAre(1.5f, -2));
  const PictureList some = list.Some({1});
  EXPECT_EQ(some.size(), 1);
  EXPECT_EQ(some.name(0), "b/./2.png");
  EXPECT_EQ(some.label(0), 4);
}

}  // namespace
}  // namespace cotangent::data
