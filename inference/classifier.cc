#include "inference/classifier.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/parallel.h"
#include "base/status_macros.h"
#include "data/augment.h"
#include "data/fit.h"
#include "tensor/onednn.h"
#include "training/evaluation.h"
#include "training/plan_cache.h"
#include "training/source.h"
#include "training/trained_network.h"

namespace cotangent::inference {
namespace {

// Plans (networks compiled for a fixed batch size) exist for 1, 4, 16, ... pictures and for
// batch_size. A batch runs on the smallest plan that holds it, so less than three quarters of a
// plan's work is wasted on missing pictures.
constexpr int64_t kBatchFactor = 4;

constexpr int64_t kMostBatch = 4096;
constexpr int kMostThreads = 1024;

absl::Status Check(const ClassifierOptions& options) {
  if (options.batch_size < 1 || options.batch_size > kMostBatch)
    return absl::InvalidArgumentError(absl::StrCat("batch_size is ", options.batch_size,
                                                   ": expected 1 to ", kMostBatch, " pictures"));
  if (options.threads < 0 || options.threads > kMostThreads)
    return absl::InvalidArgumentError(absl::StrCat("threads is ", options.threads,
                                                   ": expected 0, one a core, to ", kMostThreads));
  return absl::OkStatus();
}

absl::Status Check(const Picture& picture) {
  if (picture.rgb != nullptr && picture.width > 0 && picture.height > 0 &&
      int64_t{picture.width} * picture.height <= data::kMaxPixels)
    return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a picture of ", picture.width, "x", picture.height,
                   picture.rgb == nullptr ? " pixels that are nowhere" : " pixels",
                   ": expected at least one and at most ", data::kMaxPixels));
}

class PlannedClassifier : public Classifier {
 public:
  explicit PlannedClassifier(training::TrainedNetwork trained)
      : trained_(std::move(trained)),
        fit_(training::FitOptionsOf(trained_.network)),
        image_bytes_(int64_t{fit_.shape.channels} * fit_.shape.height * fit_.shape.width),
        writer_(fit_.shape.channels, fit_.shape.height, fit_.shape.width, trained_.normalisation,
                data::BatchFormat::kF32Nchw) {}

  absl::Status Plan(const std::string& path, const ClassifierOptions& options) {
    training::StepOptions step;
    step.threads = options.threads == 0 ? UsefulThreads() : options.threads;
    // Setting the same number of threads again could disturb other threads that are computing.
    if (Threads() != step.threads) SetThreads(step.threads);
    const bool is_bf16 = options.precision == Precision::kBf16 && tensor::onednn::Bf16Available();
    step.precision = is_bf16 ? ElementType::kBf16 : ElementType::kF32;
    training::CachedTuner tuner(
        step.threads, {.before_measuring = options.before_measuring, .stuck = options.stuck}, path);
    std::vector<int64_t> sizes;
    for (int64_t size = 1; size < options.batch_size; size *= kBatchFactor) sizes.push_back(size);
    sizes.push_back(options.batch_size);
    for (int64_t size : sizes) {
      ASSIGN_OR_RETURN(auto plan, training::Evaluator::Create(
                                      trained_.network, static_cast<int64_t>(classes().size()),
                                      size, step, *trained_.store, *tuner, trained_.quantisation));
      std::fill_n(plan->images(), size * image_bytes_, 0.0f);
      plan->Run();  // also packs the weights
      plans_.push_back(std::move(plan));
    }
    return absl::OkStatus();
  }

  TargetKind answers() const override { return plans_.back()->target_kind(); }
  const std::vector<std::string>& classes() const override { return trained_.classes; }
  int channels() const override { return fit_.shape.channels; }
  int height() const override { return fit_.shape.height; }
  int width() const override { return fit_.shape.width; }
  int64_t batch_size() const override { return plans_.back()->batch_size(); }

  absl::Status ClassifyBatch(absl::Span<const Picture> pictures,
                             absl::Span<float> probabilities) override {
    const size_t count = classes().size();
    if (probabilities.size() != pictures.size() * count)
      return absl::InvalidArgumentError(
          absl::StrCat("room for ", probabilities.size(), " probabilities: expected that for ",
                       pictures.size(), " pictures of ", count, " classes each"));
    for (const Picture& picture : pictures) RETURN_IF_ERROR(Check(picture));
    std::unique_ptr<Scratch> scratch = TakeScratch();
    while (!pictures.empty()) {
      const size_t size = std::min<size_t>(pictures.size(), batch_size());
      Compute(pictures.subspan(0, size), *scratch, probabilities.subspan(0, size * count));
      pictures.remove_prefix(size);
      probabilities.remove_prefix(size * count);
    }
    GiveBack(std::move(scratch));
    return absl::OkStatus();
  }

 private:
  // The memory that one call needs to resize a batch of pictures.
  struct Scratch {
    Scratch(const data::FitOptions& fit, int64_t bytes, size_t classes)
        : fitter(fit.shape, fit.fit), images(bytes), answers(classes) {}
    data::PictureFitter fitter;
    std::vector<uint8_t> images;
    std::vector<double> answers;  // for one picture
  };

  std::unique_ptr<Scratch> TakeScratch() {
    const std::lock_guard<std::mutex> lock(scratch_mutex_);
    if (scratch_.empty()) {
      // Reserves room in scratch_ for every Scratch that exists, so that GiveBack() never
      // allocates.
      scratch_.reserve(static_cast<size_t>(++scratch_made_));
      return std::make_unique<Scratch>(fit_, batch_size() * image_bytes_, classes().size());
    }
    std::unique_ptr<Scratch> scratch = std::move(scratch_.back());
    scratch_.pop_back();
    return scratch;
  }
  void GiveBack(std::unique_ptr<Scratch> scratch) {
    const std::lock_guard<std::mutex> lock(scratch_mutex_);
    scratch_.push_back(std::move(scratch));
  }

  // Classifies at most batch_size() pictures, as one batch.
  void Compute(absl::Span<const Picture> pictures, Scratch& scratch, absl::Span<float> result) {
    for (size_t i = 0; i < pictures.size(); ++i) {
      const Picture& picture = pictures[i];
      scratch.fitter.Write({picture.rgb, picture.width, picture.height, int64_t{3} * picture.width},
                           scratch.images.data() + static_cast<int64_t>(i) * image_bytes_);
    }
    const auto fits = [&](const std::unique_ptr<training::Evaluator>& plan) {
      return plan->batch_size() >= static_cast<int64_t>(pictures.size());
    };
    training::Evaluator& plan = **std::find_if(plans_.begin(), plans_.end(), fits);
    {
      const std::lock_guard<std::mutex> lock(plan_mutex_);
      for (size_t i = 0; i < pictures.size(); ++i) {
        const int64_t begin = static_cast<int64_t>(i) * image_bytes_;
        writer_.Write(scratch.images.data() + begin, {}, plan.images() + begin);
      }
      std::copy_n(plan.Run(), result.size(), result.begin());
    }
    const size_t count = classes().size();
    for (size_t i = 0; i < pictures.size(); ++i) {
      plan.AnswersOf(result.data() + i * count, absl::MakeSpan(scratch.answers));
      std::copy(scratch.answers.begin(), scratch.answers.end(), result.begin() + i * count);
    }
  }

  const training::TrainedNetwork trained_;
  const data::FitOptions fit_;
  const int64_t image_bytes_;
  const data::ImageWriter writer_;
  std::mutex plan_mutex_;  // guards all plans, since each uses all threads
  std::vector<std::unique_ptr<training::Evaluator>> plans_;  // in order of batch size
  std::mutex scratch_mutex_;
  std::vector<std::unique_ptr<Scratch>> scratch_;  // those not in use
  int64_t scratch_made_ = 0;
};

absl::StatusOr<std::unique_ptr<Classifier>> Make(const training::Checkpoint& checkpoint,
                                                 const std::string& path,
                                                 const ClassifierOptions& options) {
  RETURN_IF_ERROR(Check(options));
  ASSIGN_OR_RETURN(training::TrainedNetwork trained, training::LoadTrained(checkpoint, path));
  const int64_t channels = trained.network.input().channels();
  if (channels != 1 && channels != 3)
    return absl::InvalidArgumentError(absl::StrCat(path, ": the network takes images of ", channels,
                                                   " channels; pictures have 1 or 3"));
  auto classifier = std::make_unique<PlannedClassifier>(std::move(trained));
  RETURN_IF_ERROR(classifier->Plan(path, options));
  return classifier;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Classifier>> Classifier::Load(const std::string& path,
                                                             const ClassifierOptions& options) {
  ASSIGN_OR_RETURN(const training::FoundCheckpoint found, training::OpenCheckpoint(path));
  return Make(found.checkpoint, found.path, options);
}

absl::StatusOr<std::unique_ptr<Classifier>> Classifier::LoadBytes(
    std::string bytes, const std::string& name, const ClassifierOptions& options) {
  ASSIGN_OR_RETURN(const training::Checkpoint checkpoint,
                   training::ParseCheckpoint(std::move(bytes), name));
  return Make(checkpoint, name, options);
}

}  // namespace cotangent::inference
