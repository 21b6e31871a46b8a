#ifndef COTANGENT_DATA_SOURCES_PICTURES_H_
#define COTANGENT_DATA_SOURCES_PICTURES_H_

// The base of data sources whose images are picture files: a list of files and their targets. Files
// are read when a split is loaded.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/packed_file.h"
#include "data/sources/picture_list.h"
#include "data/sources/source.h"

namespace cotangent::data {

class PictureSource : public Source {
 public:
  // `text` is what --dataset said; `classes` the names of what there is to be found out; `pictures`
  // are those of kTrain, kValidation, kTest, in the order of their numbers. An error where there
  // are no training pictures or fewer than two classes.
  static absl::StatusOr<std::shared_ptr<const Source>> Create(const std::string& text,
                                                              TargetKind targets,
                                                              std::vector<std::string> classes,
                                                              PictureList (&pictures)[3]);

  bool Has(Split split) const override { return !pictures(split).empty(); }
  absl::StatusOr<int64_t> Size(Split split) const override { return pictures(split).size(); }
  absl::Status VisitImageNames(
      Split split, const std::function<void(absl::string_view name)>& visit) const override;
  std::shared_ptr<const Source> Fitted(const FitOptions& options) const override;

  // Decodes on options.threads threads; the result does not depend on how many. The split's images
  // lie in memory as bytes of the network's size, or are read when they are asked for where these
  // are more than options.most_bytes_in_memory. With options.cache they come from there.
  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override;

 private:
  // Decodes all pictures of a split with options_.threads threads and calls `take` with the index
  // and the picture of each. No further pictures are begun once `take` has returned false or, with
  // `stop_at_bad`, a picture could not be read. Returns a status for each picture.
  std::vector<absl::Status> ReadAll(Split split, const std::function<bool(int64_t, Image)>& take,
                                    bool stop_at_bad) const;
  // Removes the pictures of a split that cannot be read from the list, and tells the user which.
  void RemoveBad(Split split);
  // Of names, labels, sizes and times of a split's files, and, `as_images`, of what is made of
  // them.
  std::string Fingerprint(Split split, bool as_images) const;

  // Give the data set images of the network's size, or whole pictures for transforms that draw
  // parts of them: in memory where there is room, else as a reader.
  absl::Status TakeImages(Split split, Dataset& dataset) const;
  absl::Status TakePictures(Split split, Dataset& dataset) const;
  absl::Status DecodeImages(Split split, Dataset& dataset) const;
  // Empty where they are too large.
  absl::StatusOr<std::vector<Image>> DecodePictures(Split split) const;
  // The packed file of a split's images, or of its pictures, in options_.cache; it is written where
  // it is missing or of other pictures.
  absl::StatusOr<std::shared_ptr<const PackedFile>> OpenCache(Split split, bool as_images) const;

  const PictureList& pictures(Split split) const { return *pictures_[static_cast<int>(split)]; }

  std::shared_ptr<const PictureList> pictures_[3];
  FitOptions options_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_PICTURES_H_
