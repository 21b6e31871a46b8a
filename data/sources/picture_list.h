#ifndef COTANGENT_DATA_SOURCES_PICTURE_LIST_H_
#define COTANGENT_DATA_SOURCES_PICTURE_LIST_H_

// Which files are the pictures of a split, and what there is to be found out about each.
//
// This is all that lies in memory of pictures that are read when they are asked for, so it is kept
// small: the bytes of its name and twelve more for a picture of a class.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cotangent::data {

class PictureList {
 public:
  // Names are below `folder`. `listed_in` is the file, if any, whose lines name the pictures, and
  // `targets` how many numbers stand for what there is to be found out about each; of classes 0.
  explicit PictureList(std::string folder = "", std::string listed_in = "", int64_t targets = 0)
      : folder_(std::move(folder)), listed_in_(std::move(listed_in)), targets_each_(targets) {}

  struct Picture {
    absl::string_view name;
    int32_t label = 0;                     // of classes
    int64_t line = 0;                      // of `listed_in`
    absl::Span<const float> targets = {};  // of labels and numbers
  };
  void Add(const Picture& picture);
  // Gives back memory that was kept for more.
  void ShrinkToFit();

  int64_t size() const { return static_cast<int64_t>(labels_.size()); }
  bool empty() const { return labels_.empty(); }
  absl::string_view name(int64_t index) const;
  int32_t label(int64_t index) const { return labels_[index]; }
  const std::vector<int32_t>& labels() const { return labels_; }
  absl::Span<const float> targets(int64_t index) const;
  const std::vector<float>& targets() const { return targets_; }
  // As it is opened.
  std::string path(int64_t index) const;
  // Where it is mentioned, "list.csv:12: ", for errors; or nothing.
  std::string place(int64_t index) const;
  Picture operator[](int64_t index) const;

  // A list of some of the pictures, in the order of `indices`.
  PictureList Some(absl::Span<const int32_t> indices) const;

 private:
  std::string folder_, listed_in_;
  int64_t targets_each_;
  std::string names_;           // one after the other
  std::vector<int64_t> ends_;   // of each in `names_`
  std::vector<int32_t> lines_;  // of `listed_in_`, else empty
  std::vector<int32_t> labels_;
  std::vector<float> targets_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_PICTURE_LIST_H_
