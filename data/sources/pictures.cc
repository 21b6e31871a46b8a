#include "data/sources/pictures.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <thread>

#include "absl/strings/str_cat.h"
#include "data/image_file.h"

namespace cotangent::data {
namespace {

// How many pictures that cannot be read are told one by one.
constexpr int kMostTold = 20;

// Bytes of memory the machine has free for programs.
int64_t AvailableBytes() {
  return static_cast<int64_t>(sysconf(_SC_AVPHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Source>> PictureSource::Create(
    const std::string& text, std::vector<std::string> classes,
    std::vector<Picture> (&pictures)[3]) {
  if (pictures[0].empty())
    return absl::InvalidArgumentError(absl::StrCat(text, ": there are no training pictures in it"));
  if (classes.size() < 2) {
    return absl::InvalidArgumentError(absl::StrCat(
        text, ": there is one class only, \"", classes.empty() ? "" : classes[0],
        "\"; there is nothing to tell apart: a class is a folder (in a CSV file, a label)"));
  }
  auto source = std::make_shared<PictureSource>();
  std::error_code error;
  source->name = std::filesystem::absolute(text, error).lexically_normal().string();
  source->title = text;
  source->classes = std::move(classes);
  for (int split = 0; split < 3; ++split) source->pictures_[split] = std::move(pictures[split]);
  return source;
}

absl::StatusOr<std::vector<std::string>> PictureSource::ImageNames(Split split) const {
  std::vector<std::string> names;
  for (const Picture& picture : pictures(split)) names.push_back(picture.name);
  return names;
}

std::vector<absl::Status> PictureSource::ReadAll(
    Split split, const std::function<void(int64_t, const Image&)>& take, bool stop_at_bad) const {
  const std::vector<Picture>& list = pictures(split);
  const int64_t count = static_cast<int64_t>(list.size());
  std::vector<absl::Status> statuses(count);
  std::atomic<int64_t> next{0};
  std::atomic<bool> stop{false};
  const auto read = [&] {
    for (int64_t i = next++; i < count && !stop; i = next++) {
      const absl::StatusOr<Image> picture = ReadImage(list[i].path);
      if (picture.ok()) {
        take(i, *picture);
      } else {
        statuses[i] =
            absl::InvalidArgumentError(absl::StrCat(list[i].place, picture.status().message()));
        if (stop_at_bad) stop = true;
      }
    }
  };
  std::vector<std::thread> threads;
  for (int t = 1; t < options_.threads; ++t) threads.emplace_back(read);
  read();
  for (std::thread& thread : threads) thread.join();
  return statuses;
}

void PictureSource::RemoveBad(Split split) {
  const std::vector<absl::Status> statuses = ReadAll(
      split, [](int64_t, const Image&) {}, /*stop_at_bad=*/false);
  std::vector<Picture>& list = pictures_[static_cast<int>(split)];
  std::vector<Picture> good;
  int bad = 0;
  for (size_t i = 0; i < list.size(); ++i) {
    if (statuses[i].ok()) {
      good.push_back(std::move(list[i]));
    } else if (++bad <= kMostTold) {
      options_.say(absl::StrCat("skipped: ", statuses[i].message()));
    }
  }
  if (bad > 0)
    options_.say(absl::StrCat("note: ", bad, " of ", list.size(), " pictures could not be read"));
  list = std::move(good);
}

std::shared_ptr<const Source> PictureSource::Fitted(const FitOptions& options) const {
  auto fitted = std::make_shared<PictureSource>(*this);
  fitted->options_ = options;
  fitted->channels = options.shape.channels;
  fitted->height = options.shape.height;
  fitted->width = options.shape.width;
  if (options.skip_bad) {
    for (Split split : {Split::kTrain, Split::kValidation, Split::kTest}) fitted->RemoveBad(split);
  }
  return fitted;
}

absl::StatusOr<Dataset> PictureSource::Load(const std::string&, Split split) const {
  Dataset dataset = EmptyDataset(*this);
  const std::vector<Picture>& list = pictures(split);
  const int64_t count = static_cast<int64_t>(list.size()), bytes = dataset.image_bytes();
  if (count > AvailableBytes() / bytes) {
    return absl::ResourceExhaustedError(absl::StrCat(
        title, ": ", count, " pictures of ", channels, "x", height, "x", width, " take ",
        count * bytes >> 20, " MiB of memory, of which ", AvailableBytes() >> 20,
        " MiB are free; take a smaller input { height width }, or fewer pictures"));
  }
  dataset.images.resize(count * bytes);
  const auto put = [&](int64_t i, const Image& picture) {
    const std::vector<uint8_t> image = FitPicture(picture, options_.shape, options_.fit);
    std::copy(image.begin(), image.end(), dataset.images.begin() + i * bytes);
  };
  for (const absl::Status& status : ReadAll(split, put, /*stop_at_bad=*/true)) {
    if (status.ok()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(status.message(), "; or train without such pictures: --on_bad_image=skip"));
  }
  for (const Picture& picture : list) {
    dataset.labels.push_back(picture.label);
    dataset.names.push_back(picture.name);
  }
  return dataset;
}

}  // namespace cotangent::data
