// Tests of data sources that are folders of pictures and CSV files: which pictures there are, with
// which targets.

#include "data/sources/pictures.h"

#include <filesystem>
#include <optional>

#include "absl/strings/str_cat.h"
#include "data/file.h"
#include "data/image_file.h"
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

// Without a folder of the training images, "val" and "test" are classes, unless their folders show
// that they hold classes themselves.
TEST_F(PicturesTest, SplitsWithoutTrainingImagesAreNoClasses) {
  const auto refuses = [this](const char* split, const char* other) {
    EXPECT_THAT(Message(""), AllOf(HasSubstr("there is no folder train/ in it, but "),
                                   HasSubstr(absl::StrCat(split, "/ has a folder \"b\"")),
                                   HasSubstr(absl::StrCat("as ", other, "/ has")),
                                   HasSubstr("name the folder of the training images train")));
    std::filesystem::remove_all(root_);
  };
  Paint("trian/a/1.png", 1);
  Paint("trian/b/1.png", 2);
  Paint("Test/b/1.png", 3);
  refuses("Test", "trian");
  Paint("val/b/1.png", 1);
  Paint("test/a/1.png", 2);
  Paint("test/b/1.png", 3);
  refuses("val", "test");

  Paint("val/b/1.png", 1);
  Paint("test/a/1.png", 2);
  EXPECT_THAT(Load("", Split::kTrain)->classes, ElementsAre("test", "val"));
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
  Paint("s/more/3.png", 1);  // in no split
  said_.clear();
  EXPECT_EQ(Load("s", Split::kTrain)->size(), 2);
  EXPECT_THAT(said_, AllOf(HasSubstr("s/more beside the folders"), HasSubstr("(3.png)")));
}

TEST_F(PicturesTest, NamesOfClassesAreValidUtf8OfOneLine) {
  Paint("\xc3\xa4/1.png", 1);
  Paint("cl\xff\xc3s/1.png", 2);
  Paint("a\x1b[31m\n/1.png", 3);
  EXPECT_THAT(
      Load("", Split::kTrain)->classes,
      ElementsAre("a\xef\xbf\xbd[31m\xef\xbf\xbd", "cl\xef\xbf\xbd\xef\xbf\xbds", "\xc3\xa4"));
}

TEST_F(PicturesTest, NamesThatAreEqualAreRefused) {
  Paint("caf\xe8/1.png", 1);  // Latin 1
  Paint("caf\xe9/1.png", 2);
  EXPECT_THAT(Message(""), AllOf(HasSubstr("two classes have the name \"caf\xef\xbf\xbd\", where "),
                                 HasSubstr("UTF-8; rename one of them")));
  Write("list.csv", "path,age,age\n1.png,1,2\n");
  EXPECT_THAT(
      std::string(FindSource(JoinPath(root_, "list.csv"), TargetKind::kNumbers).status().message()),
      HasSubstr("list.csv: two numbers have the name \"age\"; rename one of them"));
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
  EXPECT_THAT(said_,
              AllOf(HasSubstr("note: 1 link to a folder inside the folders of classes is not "
                              "followed ("),
                    HasSubstr("a/loop); ")));
  for (const std::string& target : {std::string("."), std::string(".."), root_}) {
    std::filesystem::create_directory_symlink(target, JoinPath(root_, "c"));
    EXPECT_THAT(Message(""), HasSubstr("/c: a link to a folder that contains it, a loop; remove"));
    std::filesystem::remove(JoinPath(root_, "c"));
  }
  for (const char* const target : {"nowhere", "c"}) {
    std::filesystem::create_symlink(target, JoinPath(root_, "c"));
    EXPECT_THAT(Message(""), HasSubstr("/c: a link that cannot be followed"));
    std::filesystem::remove(JoinPath(root_, "c"));
  }
}

TEST_F(PicturesTest, TheFolderOfAClassMayBeALink) {
  Paint("d/a/1.png", 1);
  Paint("elsewhere/b/1.png", 2);
  std::filesystem::create_directory_symlink("../elsewhere/b", JoinPath(root_, "d/b"));
  const auto dataset = Load("d", Split::kTrain);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->classes, ElementsAre("a", "b"));
  EXPECT_THAT(said_, IsEmpty());
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

// Tests names of splits that folders may have, too, and a path that begins with two dots but leads
// nowhere else.
TEST_F(PicturesTest, ACsvFileWithOtherNames) {
  for (const char* path : {"..a.png", "..b/1.png", "c.png", "d.png"}) Paint(path, 1);
  Write("list.csv",
        "..a.png,a,Training\n..b/1.png,b,train\nc.png,a,valid\nd.png,b,testing\n./..a.png,a\n");
  EXPECT_EQ(Load("list.csv", Split::kTrain)->size(), 3);
  EXPECT_EQ(Load("list.csv", Split::kValidation)->size(), 1);
  EXPECT_EQ(Load("list.csv", Split::kTest)->size(), 1);
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
            ->VisitImages(split, [&](absl::string_view name, int32_t) { all.emplace_back(name); })
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

}  // namespace
}  // namespace cotangent::data
