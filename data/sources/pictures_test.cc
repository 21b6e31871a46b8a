// Tests of data sources that are folders of pictures and CSV files. A picture is what a file holds,
// of any size; an image has the size that a network takes. A bad picture cannot be read.

#include "data/sources/pictures.h"

#include <malloc.h>

#include <filesystem>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "data/file.h"
#include "data/fit.h"
#include "data/image_file.h"
#include "data/sources/picture_reader.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace cotangent::data {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> NamesOf(const Dataset& dataset) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < dataset.size(); ++i) names.push_back(dataset.name_of_image(i));
  return names;
}

class PicturesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    root_ = JoinPath(::testing::TempDir(), "pictures_test");
    std::filesystem::remove_all(root_);
    ASSERT_TRUE(MakeDirectories(root_).ok());
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // Writes a picture with the same value in all channels of all pixels.
  void Paint(const std::string& path, uint8_t value, int width = 3, int height = 2) {
    const std::string whole = JoinPath(root_, path);
    ASSERT_TRUE(MakeDirectories(std::filesystem::path(whole).parent_path()).ok());
    ASSERT_TRUE(
        WritePng(whole, {width, height, std::vector<uint8_t>(size_t{3} * width * height, value)})
            .ok());
  }
  void Write(const std::string& path, const std::string& text) {
    const std::string whole = JoinPath(root_, path);
    ASSERT_TRUE(MakeDirectories(std::filesystem::path(whole).parent_path()).ok());
    ASSERT_TRUE(WriteFileAtomically(whole, text).ok());
  }
  absl::StatusOr<Dataset> Load(const std::string& path, Split split, bool skip_bad = false,
                               int threads = 1) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Source> source, FindSource(JoinPath(root_, path)));
    FitOptions options;
    options.shape = {1, 4, 4};
    options.skip_bad = skip_bad;
    options.threads = threads;
    options.say = [this](const std::string& line) { said_ += line + "\n"; };
    return source->Fitted(options)->Load("", split);
  }
  std::string Message(const std::string& path) {
    return std::string(Load(path, Split::kTrain).status().message());
  }

  std::string root_, said_;
};

TEST_F(PicturesTest, AFolderForEachClass) {
  Paint("b c/2.png", 20);
  Paint("b c/1.png", 10, 7, 9);
  Paint("a/deep/er/x.png", 30);
  Write("a/.DS_Store", "x");
  const auto dataset = Load("", Split::kTrain);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->classes, ElementsAre("a", "b c"));
  EXPECT_THAT(dataset->labels, ElementsAre(1, 1, 0));
  EXPECT_THAT(NamesOf(*dataset), ElementsAre("b c/1.png", "b c/2.png", "a/deep/er/x.png"));
  EXPECT_EQ(dataset->channels, 1);
  EXPECT_EQ(dataset->image(2)[15], 30);
  EXPECT_EQ(dataset->image(0)[0], 10);
  const auto source = FindSource(root_).value();
  EXPECT_FALSE(source->Has(Split::kTest));
  EXPECT_EQ(source->Size(Split::kTrain).value(), 3);
}

TEST_F(PicturesTest, AreNumberedInNaturalOrderOverAllClasses) {
  for (const char* path : {"a/10.png", "b/9.png", "a/x2y10.png", "b/x2y9.png", "a/x10.png",
                           "b/010.png", "b/10.png", "a/s/1.png", "b/\xc3\xa4.png"})
    Paint(path, 1);
  EXPECT_THAT(NamesOf(*Load("", Split::kTrain)),
              ElementsAre("b/9.png", "b/010.png", "a/10.png", "b/10.png", "a/s/1.png", "b/x2y9.png",
                          "a/x2y10.png", "a/x10.png", "b/\xc3\xa4.png"));
}

// Writes the sample's training images as files, in folders named after its classes. The data set
// loaded from the files must have the classes, labels and images of the source "sample", in the
// same order, so that both make the same batches.
TEST_F(PicturesTest, ASourceWrittenOutMakesTheBatchesThatItMakesItself) {
  const auto sample = FindSource("sample").value();
  const Dataset images = sample->Load("", Split::kTrain).value();
  for (int64_t i = 0; i < images.size(); ++i) {
    const std::string path = absl::StrCat(images.classes[images.labels[i]], "/", i, ".png");
    ASSERT_TRUE(MakeDirectories(std::filesystem::path(JoinPath(root_, path)).parent_path()).ok());
    const auto planar = absl::MakeConstSpan(images.image(i), images.image_bytes());
    ASSERT_TRUE(WritePng(JoinPath(root_, path), FromPlanar(planar, 32, 32)).ok());
  }
  FitOptions options;
  options.shape = {3, 32, 32};
  const Dataset written =
      FindSource(root_).value()->Fitted(options)->Load("", Split::kTrain).value();
  EXPECT_EQ(written.classes, images.classes);
  EXPECT_EQ(written.labels, images.labels);
  EXPECT_EQ(written.images, images.images);
}

TEST_F(PicturesTest, ThreadsDoNotMatter) {
  for (int i = 0; i < 40; ++i)
    Paint("c" + std::to_string(i % 3) + "/" + std::to_string(i), i, 5, 3);
  const auto one = Load("", Split::kTrain), four = Load("", Split::kTrain, false, 4);
  ASSERT_TRUE(one.ok() && four.ok());
  EXPECT_EQ(one->images, four->images);
  EXPECT_EQ(one->labels, four->labels);
}

TEST_F(PicturesTest, MoreThan256Classes) {
  for (int i = 0; i < 300; ++i) Paint("class" + std::to_string(1000 + i) + "/x.png", 1, 1, 1);
  EXPECT_EQ(Load("", Split::kTrain)->labels[299], 299);
}

TEST_F(PicturesTest, TrainValAndTest) {
  Paint("train/a/1.png", 1);
  Paint("train/b/1.png", 2);
  Paint("val/b/1.png", 3);
  Paint("test/a/1.png", 4);
  EXPECT_EQ(Load("", Split::kTrain)->size(), 2);
  EXPECT_THAT(Load("", Split::kValidation)->labels, ElementsAre(1));
  EXPECT_EQ(Load("", Split::kTest)->image(0)[0], 4);
  Paint("test/c/1.png", 4);
  EXPECT_THAT(Message(""), AllOf(HasSubstr("test/c"), HasSubstr("no class \"c\"")));
}

// Tests other names of the splits; the errors for a folder of class folders that is no split, and
// for two folders of one split; and that "train" is a class if its folder contains no folders.
TEST_F(PicturesTest, SplitsByOtherNames) {
  Paint("Training/a/1.png", 1);
  Paint("Training/b/1.png", 2);
  Paint("valid/b/1.png", 3);
  Paint("Testing/a/1.png", 4);
  Paint("notes/1.png", 4);
  EXPECT_THAT(Load("", Split::kTrain)->classes, ElementsAre("a", "b"));
  EXPECT_EQ(Load("", Split::kValidation)->image(0)[0], 3);
  EXPECT_EQ(Load("", Split::kTest)->image(0)[0], 4);
  Paint("dev/b/1.png", 5);
  EXPECT_THAT(Message(""), AllOf(HasSubstr("/dev: it has a folder \"b\""), HasSubstr("rename it")));
  std::filesystem::remove_all(JoinPath(root_, "dev"));
  Paint("train/a/1.png", 1);
  EXPECT_THAT(Message(""), HasSubstr("Training/ and train/ both"));

  Paint("traffic/bus/1.png", 1);
  Paint("traffic/train/1.png", 2);
  EXPECT_THAT(Load("traffic", Split::kTrain)->classes, ElementsAre("bus", "train"));
}

TEST_F(PicturesTest, WhatSystemsLeaveInFoldersIsPassedOver) {
  Paint("a/1.png", 1);
  Paint("b/1.png", 2);
  for (const char* path : {"a/Thumbs.db", "b/desktop.ini", "a/._1.png", "__MACOSX/a/1.png",
                           "b/@eaDir/1.png", ".ipynb_checkpoints/1.png"})
    Write(path, "x");
  const auto dataset = Load("", Split::kTrain);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->classes, ElementsAre("a", "b"));
  EXPECT_EQ(dataset->size(), 2);
}

TEST_F(PicturesTest, PicturesBesideTheFoldersOfClassesAreTold) {
  Paint("a/1.png", 1);
  Paint("b/1.png", 2);
  Write("README.txt", "x");
  Write(".10.png", "x");
  EXPECT_EQ(Load("", Split::kTrain)->size(), 2);
  EXPECT_THAT(said_, IsEmpty());
  Paint("10.png", 3);
  EXPECT_EQ(Load("", Split::kTrain)->size(), 2);
  EXPECT_EQ(said_, absl::StrCat("note: 1 picture lies in ", JoinPath(root_, ""),
                                " beside the folders of the classes and belongs to none of them: "
                                "not used (10.png)\n"));
  said_.clear();
  Write("9.JPG", "no picture, but meant as one");
  EXPECT_EQ(Load("", Split::kTrain)->size(), 2);
  EXPECT_THAT(said_, AllOf(HasSubstr("2 pictures lie in"), HasSubstr("(the first: 9.JPG)")));

  for (const char* const path : {"train/a/1.png", "train/b/1.png", "test/a/1.png", "test/2.png"})
    Paint(absl::StrCat("s/", path), 1);
  said_.clear();
  EXPECT_EQ(Load("s", Split::kTest)->size(), 1);
  EXPECT_THAT(said_, AllOf(HasSubstr("note: 1 picture lies in"), HasSubstr("s/test/"),
                           HasSubstr("(2.png)")));
}

TEST_F(PicturesTest, NamesOfClassesAreValidUtf8OfOneLine) {
  Paint("\xc3\xa4/1.png", 1);
  Paint("cl\xff\xc3s/1.png", 2);
  Paint("a\x1b[31m\n/1.png", 3);
  EXPECT_THAT(
      Load("", Split::kTrain)->classes,
      ElementsAre("a\xef\xbf\xbd[31m\xef\xbf\xbd", "cl\xef\xbf\xbd\xef\xbf\xbds", "\xc3\xa4"));
}

TEST_F(PicturesTest, BadFoldersAreNamed) {
  EXPECT_THAT(Message("nowhere"), HasSubstr("there is no data set"));
  EXPECT_THAT(Message(""), HasSubstr("there is no folder in it; expected one for each class"));
  Paint("a/1.png", 1);
  EXPECT_THAT(Message(""), AllOf(HasSubstr("one class only"), HasSubstr("\"a\"")));
  ASSERT_TRUE(MakeDirectories(JoinPath(root_, "b")).ok());
  EXPECT_THAT(Message(""), AllOf(HasSubstr("/b: the folder of a class is empty")));
  Write("b/notes.txt", "no picture");
  EXPECT_THAT(Message(""), AllOf(HasSubstr("b/notes.txt"), HasSubstr("--on_bad_image=skip")));
  Paint("b/1.png", 1);
  const auto rest = Load("", Split::kTrain, /*skip_bad=*/true);
  EXPECT_EQ(rest->size(), 2);
  EXPECT_THAT(said_,
              AllOf(HasSubstr("skipped: "), HasSubstr("notes.txt"), HasSubstr("1 of 3 pictures")));
}

TEST_F(PicturesTest, LoopsOfLinksAreNotFollowed) {
  Paint("a/1.png", 1);
  Paint("b/1.png", 1);
  std::filesystem::create_directory_symlink(root_, JoinPath(root_, "a/loop"));
  EXPECT_EQ(Load("", Split::kTrain)->size(), 2);
  for (const char* const target : {"nowhere", "c"}) {
    std::filesystem::create_symlink(target, JoinPath(root_, "c"));
    EXPECT_THAT(Message(""), HasSubstr("/c: a link that cannot be followed"));
    std::filesystem::remove(JoinPath(root_, "c"));
  }
}

TEST_F(PicturesTest, ACsvFile) {
  Paint("one.png", 1);
  Paint("x/two, \"2\".png", 2);
  Write("list.csv", "one.png,zebra\n\"x/two, \"\"2\"\".png\",<b>ant</b>\none.png,zebra,test\n");
  const auto dataset = Load("list.csv", Split::kTrain);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->classes, ElementsAre("<b>ant</b>", "zebra"));
  EXPECT_THAT(dataset->labels, ElementsAre(1, 0));
  EXPECT_EQ(dataset->image(1)[0], 2);
  EXPECT_THAT(Load("list.csv", Split::kTest)->labels, ElementsAre(1));
  Write("named.csv",
        "split,Label,extra,path\r\n,a,1,one.png\r\nvalidation,a,2,one.png\r\n,b,3,one.png\r\n");
  EXPECT_THAT(Load("named.csv", Split::kTrain)->labels, ElementsAre(0, 1));
  EXPECT_EQ(Load("named.csv", Split::kValidation)->size(), 1);
}

TEST_F(PicturesTest, ACsvFileOfLabelsAndOfNumbers) {
  Paint("one.png", 1);
  Paint("two.png", 2);
  const auto load = [this](const std::string& text, TargetKind targets) -> absl::StatusOr<Dataset> {
    Write("list.csv", text);
    ASSIGN_OR_RETURN(const std::shared_ptr<const Source> source,
                     FindSource(JoinPath(root_, "list.csv"), targets));
    FitOptions options;
    options.shape = {1, 1, 1};
    return source->Fitted(options)->Load("", Split::kTrain);
  };
  const auto message = [&](const std::string& text, TargetKind targets) {
    return std::string(load(text, targets).status().message());
  };
  auto dataset = load("one.png,dog; cat\ntwo.png,\none.png,cat\n", TargetKind::kLabels);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_EQ(dataset->target_kind, TargetKind::kLabels);
  EXPECT_THAT(dataset->classes, ElementsAre("cat", "dog"));
  EXPECT_THAT(dataset->targets, ElementsAre(1, 1, 0, 0, 1, 0));
  dataset = load("path,split,fever,cough\none.png,,1,\ntwo.png,train,0,1\n", TargetKind::kLabels);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->classes, ElementsAre("fever", "cough"));
  EXPECT_THAT(dataset->targets, ElementsAre(1, 0, 0, 1));
  dataset = load("age,file,height\n34,one.png,1.8\n-2e1,two.png,0\n", TargetKind::kNumbers);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->classes, ElementsAre("age", "height"));
  EXPECT_THAT(dataset->targets, ElementsAre(34, 1.8f, -20, 0));
  EXPECT_THAT(load("one.png,5\ntwo.png,6\n", TargetKind::kNumbers)->targets, ElementsAre(5, 6));

  EXPECT_THAT(message("path,a\none.png,2\n", TargetKind::kLabels),
              HasSubstr("list.csv:2: column \"a\" holds \"2\"; expected 1 or 0"));
  EXPECT_THAT(message("one.png,5\ntwo.png,old\n", TargetKind::kNumbers),
              HasSubstr("list.csv:2: column \"value\" holds \"old\"; expected a number"));
  EXPECT_THAT(message("one.png,nan\n", TargetKind::kNumbers), HasSubstr("expected a number"));
  EXPECT_THAT(message("path,split\none.png,\n", TargetKind::kNumbers),
              HasSubstr("a column is missing"));
  EXPECT_THAT(message("one.png,\n", TargetKind::kLabels),
              HasSubstr("no training picture has a label"));
  Paint("d/a/1.png", 1);
  Paint("d/b/1.png", 1);
  EXPECT_THAT(
      std::string(FindSource(JoinPath(root_, "d"), TargetKind::kNumbers).status().message()),
      HasSubstr("its images have classes, and the loss is of numbers"));
  EXPECT_TRUE(FindSource(JoinPath(root_, "d"), TargetKind::kLabels).ok());
}

TEST_F(PicturesTest, BadCsvFilesAreNamedWithTheirLine) {
  const auto message = [this](const std::string& text) {
    Write("list.csv", text);
    return Message("list.csv");
  };
  EXPECT_THAT(message(""), HasSubstr("empty"));
  EXPECT_THAT(message("path,kind\n1.png,a\n"), HasSubstr("list.csv:1: a column is missing"));
  EXPECT_THAT(message("path;label\n1.png;a\n"), HasSubstr("by commas; this row has semicolons"));
  EXPECT_THAT(message("1.png\ta\n"), HasSubstr("by commas; this row has tabs"));
  EXPECT_THAT(message("\xff\xfe"
                      "1"),
              HasSubstr("in UTF-16"));
  EXPECT_THAT(message("1.png,a\n2.png\n"),
              HasSubstr("list.csv:2: a row of 1 columns without a label"));
  EXPECT_THAT(message("1.png,a\n\"2.png,b\n"), HasSubstr("list.csv:2: a quote"));
  EXPECT_THAT(message("1.png,a\n../2.png,b\n"),
              HasSubstr("list.csv:2: the path ../2.png leads out"));
  EXPECT_THAT(message("/1.png,a\n"), HasSubstr("leads out"));
  EXPECT_THAT(message("1.png,a,dev\n"), HasSubstr("list.csv:1: the split is \"dev\""));
  EXPECT_THAT(message("1.png,a\n2.png,b\n3.png,c,test\n"), HasSubstr("list.csv:3: no training"));
  EXPECT_THAT(message("path,label\n1.png,a\n2.png,b, too\n"),
              HasSubstr("list.csv:3: a row of 3 columns; expected 2, as the first line has"));
  EXPECT_THAT(message("1.png,a\n2.png,b,test,c\n"), HasSubstr("list.csv:2: a row of 4 columns"));
  EXPECT_THAT(message("path,label,class\n1.png,a,b\n"),
              HasSubstr("list.csv:1: there are two columns for what \"class\" holds"));
  EXPECT_THAT(message(std::string("1.png,a\n2\0.png,b\n", 16)),
              HasSubstr("list.csv:2: a byte 0, which no text has"));
  EXPECT_THAT(message("path,label\n"), HasSubstr("list.csv: there is no line below the names"));
  EXPECT_THAT(message("1.png,a,val\n2.png,b,test\n"),
              HasSubstr("no training pictures in it: the split of all 2 lines"));
  EXPECT_THAT(message("1.png,a\n2.png,b\n"),
              AllOf(HasSubstr("list.csv:1: "), HasSubstr("1.png: No such file")));
}

TEST_F(PicturesTest, ValidationIsAStableShare) {
  const auto paint = [this](int from, int to) {
    for (int i = from; i < to; ++i) {
      Paint((i % 2 == 0 ? "a/" : "b/") + std::to_string(i) + ".png", i, 1, 1);
    }
  };
  paint(0, 200);
  const auto names = [this](Split split) {
    std::vector<std::string> all;
    EXPECT_TRUE(
        WithValidation(FindSource(root_).value(), 0.25)
            ->VisitImageNames(split, [&](absl::string_view name) { all.emplace_back(name); })
            .ok());
    return all;
  };
  const std::vector<std::string> before = names(Split::kValidation);
  EXPECT_NEAR(static_cast<double>(before.size()), 50, 15);
  EXPECT_EQ(before.size() + names(Split::kTrain).size(), 200);
  paint(200, 240);
  const std::vector<std::string> after = names(Split::kValidation);
  for (const std::string& name : before) EXPECT_THAT(after, Contains(name));

  FitOptions options;
  options.shape = {3, 1, 1};
  const auto divided = WithValidation(FindSource(root_).value()->Fitted(options), 0.25);
  const Dataset validation = divided->Load("", Split::kValidation).value();
  EXPECT_EQ(NamesOf(validation), after);
  EXPECT_EQ(validation.size(), divided->Size(Split::kValidation).value());
  EXPECT_EQ(std::stoi(after[3].substr(2)), validation.image(3)[0]);
  EXPECT_EQ(validation.labels[3], after[3][0] == 'b');
}

TEST(ValidationTest, OfASourceWithoutFiles) {
  const auto divided = WithValidation(FindSource("sample").value(), 0.1);
  const Dataset train = divided->Load("", Split::kTrain).value();
  const Dataset validation = divided->Load("", Split::kValidation).value();
  EXPECT_EQ(train.size() + validation.size(), 400);
  EXPECT_EQ(validation.size(), divided->Size(Split::kValidation).value());
  EXPECT_NEAR(static_cast<double>(validation.size()), 40, 15);
  EXPECT_EQ(divided->Load("", Split::kTest)->size(), 200);
}

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
