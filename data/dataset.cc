#include "data/dataset.h"

#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "data/file.h"

namespace cotangent::data {

absl::StatusOr<const uint8_t*> Dataset::Pixels(int64_t index, std::vector<uint8_t>& scratch) const {
  if (is_in_memory()) return image(index);
  scratch.resize(image_bytes());
  RETURN_IF_ERROR(Read(index, scratch.data()));
  return scratch.data();
}

absl::Status Dataset::Read(int64_t index, uint8_t* image, const ImageReader::PartOf* part) const {
  constexpr int kMostTries = 100;
  const auto read = [&](int64_t which) {
    return part == nullptr ? reader->Read(which, image) : reader->ReadPart(which, *part, image);
  };
  absl::Status status = read(index);
  // Only an image that cannot be read (kInvalidArgument) is replaced. kDataLoss means that a packed
  // file (a cache of images, data/packed_file.h) is damaged; no other image is tried then.
  if (status.ok() || skipped == nullptr || !absl::IsInvalidArgument(status)) return status;
  skipped->Note(status);
  const auto each = static_cast<int64_t>(targets.empty() ? 0 : classes.size());
  const auto targets_of = [&](int64_t which) { return targets.begin() + which * each; };
  int tries = 0;
  for (int64_t step = 1; step < size() && tries < kMostTries; ++step) {
    const int64_t other = (index + step) % size();
    if (labels[other] != labels[index] ||
        !std::equal(targets_of(index), targets_of(index) + each, targets_of(other)))
      continue;
    ++tries;
    if (read(other).ok()) return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat(status.message(), "; nor can others with its label be read in its place"));
}

void Dataset::WriteTargets(int64_t index, float* to) const {
  const auto count = static_cast<int64_t>(classes.size());
  if (target_kind == TargetKind::kClass) {
    std::fill_n(to, count, 0.0f);
    to[labels[index]] = 1;
  } else {
    std::copy_n(targets.begin() + index * count, count, to);
  }
}

namespace {

// Image number i of this reader is image number indices[i] of the reader `all`.
class SomeReader final : public ImageReader {
 public:
  using Indices = std::shared_ptr<const std::vector<int32_t>>;
  SomeReader(std::shared_ptr<const ImageReader> all, Indices indices)
      : all_(std::move(all)), indices_(std::move(indices)) {}
  absl::Status Read(int64_t index, uint8_t* image) const override {
    return all_->Read((*indices_)[index], image);
  }
  bool has_pictures() const override { return all_->has_pictures(); }
  absl::Status ReadPart(int64_t index, const PartOf& part, uint8_t* image) const override {
    return all_->ReadPart((*indices_)[index], part, image);
  }

 private:
  const std::shared_ptr<const ImageReader> all_;
  const Indices indices_;
};

// Keeps only the rows with these indices; a row consists of `each` consecutive values.
template <typename Value>
void KeepRows(const std::vector<int32_t>& indices, int64_t each, std::vector<Value>& values) {
  if (values.empty()) return;
  auto to = values.begin();
  for (const int32_t index : indices) to = std::copy_n(values.begin() + index * each, each, to);
  values.erase(to, values.end());
  values.shrink_to_fit();
}

}  // namespace

void Dataset::Keep(std::vector<int32_t> indices) {
  KeepRows(indices, image_bytes(), images);
  KeepRows(indices, 1, labels);
  KeepRows(indices, static_cast<int64_t>(classes.size()), targets);
  const auto kept = std::make_shared<const std::vector<int32_t>>(std::move(indices));
  if (reader != nullptr) reader = std::make_shared<SomeReader>(std::move(reader), kept);
  if (name_of_image != nullptr)
    name_of_image = [all = std::move(name_of_image), kept](int64_t index) {
      return all((*kept)[index]);
    };
}

namespace {

// Rounds to five decimals.
double Rounded(double value) { return std::round(value * 1e5) / 1e5; }

// Returns, in memory, up to 512 evenly spaced images of a data set that reads its images from
// files. Images that cannot be read are left out.
Dataset Some(const Dataset& dataset) {
  constexpr int64_t kSome = 512;
  Dataset some;
  some.channels = dataset.channels, some.height = dataset.height, some.width = dataset.width;
  const int64_t count = std::min(kSome, dataset.size());
  std::vector<uint8_t> scratch;
  for (int64_t i = 0; i < count; ++i) {
    const absl::StatusOr<const uint8_t*> pixels =
        dataset.Pixels(i * dataset.size() / count, scratch);
    if (!pixels.ok()) continue;
    some.images.insert(some.images.end(), *pixels, *pixels + dataset.image_bytes());
    some.labels.push_back(0);
  }
  return some;
}

}  // namespace

Normalisation ComputeNormalisation(const Dataset& dataset) {
  if (!dataset.is_in_memory()) return ComputeNormalisation(Some(dataset));
  Normalisation result;
  const int64_t plane = int64_t{dataset.height} * dataset.width;
  for (int channel = 0; channel < dataset.channels; ++channel) {
    // The sums of bytes and of their squares are exact, since they fit in 64 bits. Runs of kRun
    // bytes are summed in 32 bits, which suffice for a run: processors add several such numbers at
    // once.
    constexpr int64_t kRun = (int64_t{1} << 32) / (256 * 256);
    int64_t sum = 0, squares = 0;
    for (int64_t image = 0; image < dataset.size(); ++image) {
      const uint8_t* pixels = dataset.image(image) + channel * plane;
      for (int64_t begin = 0; begin < plane; begin += kRun) {
        uint32_t sum_of_run = 0, squares_of_run = 0;
        for (int64_t i = begin; i < std::min(begin + kRun, plane); ++i) {
          const uint32_t value = pixels[i];
          sum_of_run += value;
          squares_of_run += value * value;
        }
        sum += sum_of_run;
        squares += squares_of_run;
      }
    }
    const double count = std::max<double>(1, static_cast<double>(dataset.size() * plane));
    const double mean = sum / count;
    const double variance = squares / count - mean * mean;
    result.mean[channel] = Rounded(mean / 255);
    const double deviation = Rounded(std::sqrt(std::max(0.0, variance)) / 255);
    result.deviation[channel] = deviation > 0 ? deviation : 1;
  }
  return result;
}

std::string DefaultDataDir() {
  // By the XDG base directory specification, a relative path in the variable is to be ignored.
  const char* cache = getenv("XDG_CACHE_HOME");
  if (cache != nullptr && cache[0] == '/') return JoinPath(cache, "cotangent");
  const char* home = getenv("HOME");
  return JoinPath(home != nullptr && home[0] != '\0' ? home : ".", ".cache/cotangent");
}

}  // namespace cotangent::data
