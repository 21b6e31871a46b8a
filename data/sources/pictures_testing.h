#ifndef COTANGENT_DATA_SOURCES_PICTURES_TESTING_H_
#define COTANGENT_DATA_SOURCES_PICTURES_TESTING_H_

// What the tests of data sources of pictures share: a folder of pictures that a test paints. A
// picture is what a file holds, of any size; an image has the size that a network takes. A bad
// picture cannot be read.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/status_macros.h"
#include "data/file.h"
#include "data/image_file.h"
#include "data/sources/source.h"
#include "gtest/gtest.h"

namespace cotangent::data {

inline std::vector<std::string> NamesOf(const Dataset& dataset) {
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

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_PICTURES_TESTING_H_
