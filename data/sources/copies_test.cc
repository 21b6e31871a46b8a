#include "data/sources/copies.h"

#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "data/file.h"
#include "data/sources/pictures_testing.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

// The files that the tests write are no pictures, since FindCopies() decodes none.
class CopiesTest : public PicturesTest {
 protected:
  Copies Find(Split held_back) { return FindCopies(*FindSource(root_).value(), held_back).value(); }
};

TEST_F(CopiesTest, AreOfTheSameBytesWhateverTheirNamesAndClasses) {
  Write("train/a/1.png", "one");
  Write("train/a/2.png", "two");
  Write("train/b/3.png", "three");
  Write("test/a/7.png", "2.0");
  Write("test/b/8.png", "two");
  Write("test/b/9.png", "three");
  const Copies copies = Find(Split::kTest);
  EXPECT_EQ(copies.compared, 3);
  EXPECT_EQ(copies.count, 2);
  EXPECT_EQ(copies.held_back, JoinPath(root_, "test/b/8.png"));
  EXPECT_EQ(copies.training, JoinPath(root_, "train/a/2.png"));
  EXPECT_EQ(Find(Split::kValidation).compared, 0);
}

// The files have the same length and the same first and last 5000 bytes, more than the 4096 that
// are hashed; they differ in one byte between these.
TEST_F(CopiesTest, AreTheSameInTheMiddleToo) {
  const std::string end(5000, 'x');
  Write("train/a/1.png", absl::StrCat(end, "a", end));
  Write("train/b/1.png", absl::StrCat(end, "b", end));
  Write("test/a/1.png", absl::StrCat(end, "c", end));
  Write("test/b/1.png", absl::StrCat(end, "b", end));
  const Copies copies = Find(Split::kTest);
  EXPECT_EQ(copies.count, 1);
  EXPECT_EQ(copies.held_back, JoinPath(root_, "test/b/1.png"));
  EXPECT_EQ(copies.training, JoinPath(root_, "train/b/1.png"));
}

TEST_F(CopiesTest, WhatCannotBeReadIsNone) {
  Write("train/a/1.png", "");
  Write("train/b/1.png", "one");
  Write("test/a/1.png", "");
  Write("test/b/1.png", "one");
  ASSERT_EQ(symlink("nowhere", JoinPath(root_, "test/a/2.png").c_str()), 0);
  ASSERT_EQ(mkfifo(JoinPath(root_, "test/a/3.png").c_str(), 0600), 0);
  const Copies copies = Find(Split::kTest);
  EXPECT_EQ(copies.compared, 4);
  EXPECT_EQ(copies.count, 1);
}

TEST_F(CopiesTest, OfImagesThatWereSetApart) {
  for (int i = 0; i < 100; ++i) {
    for (const char* const name : {"a", "b"})
      Write(absl::StrCat(name, "/", i, ".png"), std::to_string(i));
  }
  const auto divided = WithValidation(FindSource(root_).value(), 0.2);
  const Copies copies = FindCopies(*divided, Split::kValidation).value();
  EXPECT_EQ(copies.compared, divided->Size(Split::kValidation).value());
  EXPECT_GT(copies.count, 0);
  EXPECT_LE(copies.count, copies.compared);
}

// There are first 7500 test images, then 15,000, of which 10,000 are compared. Each is a copy of a
// training image.
TEST_F(CopiesTest, OfManyPicturesSomeAreCompared) {
  std::string list = "path,label,split\n";
  Write("1.png", "one");
  Write("2.png", "two");
  for (int i = 0; i < 15000; ++i)
    absl::StrAppend(&list, "1.png,a,\n2.png,b,", i % 2 == 0 ? "test" : "", "\n");
  Write("list.csv", list);
  const auto source = FindSource(JoinPath(root_, "list.csv")).value();
  EXPECT_EQ(FindCopies(*source, Split::kTest)->compared, 7500);
  EXPECT_EQ(FindCopies(*source, Split::kTest)->count, 7500);
  for (int i = 0; i < 7500; ++i) absl::StrAppend(&list, "1.png,a,test\n");
  Write("list.csv", list);
  const auto more = FindSource(JoinPath(root_, "list.csv")).value();
  EXPECT_EQ(FindCopies(*more, Split::kTest)->compared, 10000);
}

TEST(CopiesOfTest, SourcesWithoutFilesHaveNone) {
  EXPECT_EQ(FindCopies(*FindSource("sample").value(), Split::kTest)->count, 0);
}

}  // namespace
}  // namespace cotangent::data
