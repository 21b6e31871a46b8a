#ifndef COTANGENT_DATA_SOURCES_PICTURES_H_
#define COTANGENT_DATA_SOURCES_PICTURES_H_

// What sources of picture files share: a list of labelled files, read when a split is loaded.

#include <functional>
#include <string>
#include <vector>

#include "data/sources/source.h"

namespace cotangent::data {

struct Picture {
  std::string path;                 // to be opened
  std::string name;                 // below the source's folder
  int32_t label = 0;                // of classes
  std::string place;                // of its mention, "list.csv:12: ", for errors; or empty
  std::vector<float> targets = {};  // of labels and numbers
};

class PictureSource : public Source {
 public:
  // `text` is what --dataset said; `classes` the names of what there is to be found out; `pictures`
  // are those of kTrain, kValidation, kTest. An error where there are no training pictures or fewer
  // than two classes. Each split is brought into the order of NumberPictures().
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

  // Decodes on options.threads threads; the result does not depend on how many. The split's images
  // lie in memory as bytes of the network's size, or are read when they are asked for where these
  // are more than options.most_bytes_in_memory.
  absl::StatusOr<Dataset> Load(const std::string& data_dir, Split split) const override;

 private:
  // Decodes all pictures of a split on options_.threads threads and calls `take` with each as it is
  // done; where that returns false, or with `stop_at_bad` after a picture that cannot be read,
  // begins no others. Returns a status for each picture.
  std::vector<absl::Status> ReadAll(Split split, const std::function<bool(int64_t, Image)>& take,
                                    bool stop_at_bad) const;
  void RemoveBad(Split split);
  absl::Status LoadIntoMemory(Split split, Dataset& dataset) const;
  // Gives the data set whole pictures, for transforms that draw parts of them: from memory or,
  // where they are too many, from their files.
  absl::Status KeepPictures(Split split, Dataset& dataset) const;
  // Lets the data set read images when they are asked for: from the cache, which is written where
  // it is missing, or from the files themselves.
  absl::Status ReadLater(Split split, Dataset& dataset) const;

  const std::vector<Picture>& pictures(Split split) const {
    return pictures_[static_cast<int>(split)];
  }

  std::vector<Picture> pictures_[3];
  FitOptions options_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_SOURCES_PICTURES_H_
