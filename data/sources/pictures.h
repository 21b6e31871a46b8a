#ifndef COTANGENT_DATA_SOURCES_PICTURES_H_
#define COTANGENT_DATA_SOURCES_PICTURES_H_

// The base of data sources whose images are picture files. Such a source is a list of files with
// their targets: what a network is to predict about each. The files are read when a split is
// loaded, or later when a batch needs them. A picture is what a file holds, of any size; an image
// has the network's size.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/image.h"
#include "data/packed_file.h"
#include "data/sources/picture_list.h"
#include "data/sources/source.h"

namespace cotangent::data {

// Returns the split that a folder, or a field of a CSV file, of this name holds: train or training,
// val, valid or validation, test or testing, in upper or lower case. Returns nothing if the name is
// not that of a split.
std::optional<Split> SplitNamed(absl::string_view name);

class PictureSource : public Source {
 public:
  // `text` is the value of --dataset; `classes` are the names of the classes, labels or numbers to
  // be predicted; `pictures` are the lists for kTrain, kValidation and kTest, in this order.
  // `notes` are lines that Fitted() tells the user. Returns InvalidArgument if there are no
  // training pictures or, for classes, fewer than two classes.
  static absl::StatusOr<std::shared_ptr<const Source>> Create(const std::string& text,
                                                              TargetKind targets,
                                                              std::vector<std::string> classes,
                                                              PictureList (&pictures)[3],
                                                              std::vector<std::string> notes = {});

  bool Has(Split split) const override { return !pictures(split).empty(); }
  absl::StatusOr<int64_t> Size(Split split) const override { return pictures(split).size(); }
  absl::Status VisitImages(Split split, const Visit& visit) const override;
  std::string FileOf(absl::string_view image_name) const override {
    return pictures(Split::kTrain).PathOf(image_name);
  }
  std::shared_ptr<const Source> Fitted(const FitOptions& options) const override;

  // Reads a split; "options" are those given to Fitted(). The result does not depend on
  // options.threads, the number of threads. If the split's images take at most
  // options.most_bytes_in_memory bytes, they are kept in memory; otherwise they are read when they
  // are needed. (If transforms draw parts of a training split's pictures, the whole pictures are
  // kept or read.) If options.cache is set, images or pictures come from a packed file in that
  // folder, which is written if it is missing, damaged, or made from other pictures.
  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override;

 private:
  // Decodes all pictures of a split with options_.threads threads and calls `take` with the index
  // and the decoded picture of each. No further pictures are begun once `take` has returned false
  // or, with `stop_at_bad`, a picture could not be read. Returns a status for each picture.
  std::vector<absl::Status> ReadAll(Split split, const std::function<bool(int64_t, Image)>& take,
                                    bool stop_at_bad) const;
  // Removes from a split's list the pictures that cannot be read, and reports them to the user.
  void RemoveBad(Split split);
  // Returns whether a split's images take at most options_.most_bytes_in_memory bytes; if
  // transforms draw parts of its pictures, whether the picture files do.
  bool IsSmall(Split split) const;
  bool DrawsParts(Split split) const { return options_.draws_parts && split == Split::kTrain; }
  // Returns a hash of the names, targets, file sizes in bytes and modification times of a split's
  // picture files, by which OpenCache() recognises a packed file made from other pictures. If
  // `as_images`, the hash also covers how pictures are fitted to images of the network's size; that
  // hash is also the fingerprint of a data set whose images are not in memory.
  std::string Fingerprint(Split split, bool as_images) const;

  // Give the data set its images. TakeImages() fills dataset.images if there is room in memory, and
  // otherwise sets dataset.reader. TakePictures() sets dataset.reader to one with whole pictures,
  // for transforms that draw parts of them; the pictures lie in memory if there is room.
  absl::Status TakeImages(Split split, Dataset& dataset) const;
  absl::Status TakePictures(Split split, Dataset& dataset) const;
  absl::Status DecodeImages(Split split, Dataset& dataset) const;
  // Decodes all pictures of a split. Returns an empty list if the files or the decoded pictures
  // take more bytes than options_.most_bytes_in_memory.
  absl::StatusOr<std::vector<Image>> DecodePictures(Split split) const;
  // Opens the packed file, in the folder options_.cache, of a split's images (if `as_images`) or
  // whole pictures. Writes the file first if it is missing, damaged, or made from other pictures.
  absl::StatusOr<std::shared_ptr<const PackedFile>> OpenCache(Split split, bool as_images) const;

  const PictureList& pictures(Split split) const { return *pictures_[static_cast<int>(split)]; }

  std::shared_ptr<const PictureList> pictures_[3];
  std::vector<std::string> notes_;
  FitOptions options_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_PICTURES_H_
