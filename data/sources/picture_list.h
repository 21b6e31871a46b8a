#ifndef COTANGENT_DATA_SOURCES_PICTURE_LIST_H_
#define COTANGENT_DATA_SOURCES_PICTURE_LIST_H_

// Lists the picture files of a split (training, validation or test images). Each picture has a
// target, which is what a network is to predict about it: a class, labels or numbers.
//
// If pictures are read only when a batch needs them, the list is all that lies in memory, so it is
// kept small: a picture with a class takes the bytes of its name and twelve more, or sixteen if a
// file lists the pictures.

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace cotangent::data {

class PictureList {
 public:
  // Pictures have names relative to `folder`. `listed_in` is the file, such as a CSV file, whose
  // lines name the pictures; empty: there is none. `targets` is the number of labels or numbers of
  // each picture; it is 0 for classes.
  explicit PictureList(std::string folder = "", std::string listed_in = "", int64_t targets = 0)
      : folder_(std::move(folder)), listed_in_(std::move(listed_in)), targets_each_(targets) {}

  struct Picture {
    absl::string_view name;
    int32_t label = 0;                     // the number of the class, if the target is a class
    int64_t line = 0;                      // the line of `listed_in` that names the picture
    absl::Span<const float> targets = {};  // labels (1 or 0) or numbers
  };
  void Add(const Picture& picture);
  // Gives back memory that was reserved for more pictures. Call it after the last Add().
  void ShrinkToFit();

  int64_t size() const { return static_cast<int64_t>(labels_.size()); }
  bool empty() const { return labels_.empty(); }
  absl::string_view name(int64_t index) const;
  int32_t label(int64_t index) const { return labels_[index]; }
  const std::vector<int32_t>& labels() const { return labels_; }
  absl::Span<const float> targets(int64_t index) const;
  const std::vector<float>& targets() const { return targets_; }
  // Returns the path by which the picture is opened.
  std::string path(int64_t index) const { return PathOf(name(index)); }
  // Returns the path of a picture of this name, which need not be in the list.
  std::string PathOf(absl::string_view name) const;
  // Returns the file and line that name the picture, such as "list.csv:12: ", to begin errors with;
  // "" if the pictures are not listed in a file.
  std::string place(int64_t index) const;
  Picture operator[](int64_t index) const;

  // Returns a list of the pictures with these indices, in the order of `indices`.
  PictureList Some(absl::Span<const int32_t> indices) const;

 private:
  std::string folder_, listed_in_;
  int64_t targets_each_;
  std::string names_;           // the names one after the other
  std::vector<int64_t> ends_;   // the end of each name in `names_`
  std::vector<int32_t> lines_;  // the pictures' lines in `listed_in_`, if there is one
  std::vector<int32_t> labels_;
  std::vector<float> targets_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_PICTURE_LIST_H_
