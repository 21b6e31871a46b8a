#ifndef COTANGENT_DATA_SOURCES_PICTURES_H_
#define COTANGENT_DATA_SOURCES_PICTURES_H_

// The base of data sources whose images are picture files: a list of files and their targets. Files
// are read when a split is loaded.

#include <functional>
#include <string>
#include <vector>

#include "data/sources/source.h"

namespace cotangent::data {

struct Picture {
  std::string path;   // path of the file to open
  std::string name;   // path below the source's folder
  int32_t label = 0;  // for sources of classes: the index of the class
  // Where a list mentions the picture, "list.csv:12: ", for errors; or empty.
  std::string place;
  std::vector<float> targets = {};  // for sources of labels or numbers: the targets
};

class PictureSource : public Source {
 public:
  // `text` is the value of --dataset, `classes` are the names of the classes, labels or numbers,
  // and `pictures` are the pictures of kTrain, kValidation and kTest. Returns an error if there are
  // no training pictures, or fewer than two classes.
  static absl::StatusOr<std::shared_ptr<const Source>> Create(const std::string& text,
                                                              TargetKind targets,
                                                              std::vector<std::string> classes,
                                                              std::vector<Picture> (&pictures)[3]);

  bool Has(Split split) const override { return !pictures(split).empty(); }
  absl::StatusOr<int64_t> Size(Split split) const override {
    return static_cast<int64_t>(pictures(split).size());
  }
  absl::StatusOr<std::vector<std::string>> ImageNames(Split split) const override;
  std::shared_ptr<const Source> Fitted(const FitOptions& options) const override;

  // Decodes pictures with options.threads threads; the result does not depend on their number. The
  // images of the split are brought to the network's size and kept in memory or, if they are more
  // than options.most_bytes_in_memory bytes, read when they are needed.
  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override;

 private:
  // Decodes all pictures of a split with options_.threads threads and calls `take` with the index
  // and the picture of each. No further pictures are begun once `take` has returned false or, with
  // `stop_at_bad`, a picture could not be read. Returns a status for each picture.
  std::vector<absl::Status> ReadAll(Split split, const std::function<bool(int64_t, Image)>& take,
                                    bool stop_at_bad) const;
  // Removes the pictures of a split that cannot be read from the list, and tells the user which.
  void RemoveBad(Split split);
  // Decodes all images of a split into dataset.images.
  absl::Status LoadIntoMemory(Split split, Dataset& dataset) const;
  // Gives the data set a reader of whole pictures, for transforms that cut parts from them. The
  // decoded pictures are kept in memory if there is room for them.
  absl::Status KeepPictures(Split split, Dataset& dataset) const;
  // Gives the data set a reader that reads images when they are needed: from the cache, which is
  // written if it is missing, or from the picture files.
  absl::Status ReadLater(Split split, Dataset& dataset) const;

  const std::vector<Picture>& pictures(Split split) const {
    return pictures_[static_cast<int>(split)];
  }

  std::vector<Picture> pictures_[3];
  FitOptions options_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_PICTURES_H_
