#include "inference/classifier.h"

#include <algorithm>
#include <cmath>
#include <condition_variable>
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
// batch_size. Each run takes the largest plan that lacks at most 1/kMissing of its pictures, so for
// a batch_size of 16, 11 pictures are computed as 4, 4 and 3: a larger plan takes less time for
// each picture, but not so much less that it would pay to leave more of it empty.
constexpr int64_t kBatchFactor = 4, kMissing = 4;

constexpr int64_t kMostBatch = 4096;
constexpr int kMostThreads = 1024;

absl::Status Check(const ClassifierOptions& options) {
  if (options.batch_size < 1 || options.batch_size > kMostBatch)
    return absl::InvalidArgumentError(absl::StrCat("batch_size is ", options.batch_size,
                                                   ": expected 1 to ", kMostBatch, " pictures"));
  if (options.threads < 0 || options.threads > kMostThreads)
    return absl::InvalidArgumentError(absl::StrCat("threads is ", options.threads,
                                                   ": expected 0, one a core, to ", kMostThreads));
  if (options.simultaneous < 1)
    return absl::InvalidArgumentError(
        absl::StrCat("simultaneous is ", options.simultaneous, ": expected at least 1 picture"));
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
    // SetThreads() may not be called while other threads compute (base/parallel.h), so it is not
    // called without need.
    if (Threads() != step.threads) SetThreads(step.threads);
    const bool is_bf16 = options.precision == Precision::kBf16 && tensor::onednn::Bf16Available();
    step.precision = is_bf16 ? ElementType::kBf16 : ElementType::kF32;
    training::CachedTuner tuner(
        step.threads, {.before_measuring = options.before_measuring, .stuck = options.stuck}, path);
    const auto make = [&](int64_t size) -> absl::StatusOr<std::unique_ptr<training::Evaluator>> {
      ASSIGN_OR_RETURN(auto plan, training::Evaluator::Create(
                                      trained_.network, static_cast<int64_t>(classes().size()),
                                      size, step, *trained_.store, *tuner, trained_.quantisation));
      std::fill_n(plan->images(), size * image_bytes_, 0.0f);
      plan->Run();  // also packs the weights
      return plan;
    };
    for (int i = 0; i < std::min(step.threads, options.simultaneous); ++i) {
      ASSIGN_OR_RETURN(singles_.emplace_back(), make(1));
      free_singles_.push_back(singles_.back().get());
    }
    for (int64_t size = kBatchFactor; size < options.batch_size; size *= kBatchFactor) {
      ASSIGN_OR_RETURN(batches_.emplace_back(), make(size));
    }
    if (options.batch_size > 1) {
      ASSIGN_OR_RETURN(batches_.emplace_back(), make(options.batch_size));
    }
    return absl::OkStatus();
  }

  TargetKind answers() const override { return singles_.front()->target_kind(); }
  const std::vector<std::string>& classes() const override { return trained_.classes; }
  int channels() const override { return fit_.shape.channels; }
  int height() const override { return fit_.shape.height; }
  int width() const override { return fit_.shape.width; }
  int64_t batch_size() const override {
    return batches_.empty() ? 1 : batches_.back()->batch_size();
  }
  int simultaneous() const override { return static_cast<int>(singles_.size()); }

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
      training::Evaluator* batch = BatchFor(pictures.size());
      const size_t size =
          batch == nullptr ? 1 : std::min<size_t>(pictures.size(), batch->batch_size());
      Compute(pictures.subspan(0, size), batch, *scratch, probabilities.subspan(0, size * count));
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

  // Returns the largest plan in batches_ that `pictures` pictures fill but for at most 1/kMissing;
  // null if there is none, and a single picture's plan is used.
  training::Evaluator* BatchFor(size_t pictures) const {
    const auto is_full_enough = [&](const std::unique_ptr<training::Evaluator>& plan) {
      return plan->batch_size() - plan->batch_size() / kMissing <= static_cast<int64_t>(pictures);
    };
    const auto found = std::find_if(batches_.rbegin(), batches_.rend(), is_full_enough);
    return found == batches_.rend() ? nullptr : found->get();
  }
  // Classifies pictures by the plan `batch`, which has room for them; one picture by a plan of one
  // picture if `batch` is null.
  void Compute(absl::Span<const Picture> pictures, training::Evaluator* batch, Scratch& scratch,
               absl::Span<float> result) {
    for (size_t i = 0; i < pictures.size(); ++i) {
      const Picture& picture = pictures[i];
      scratch.fitter.Write({picture.rgb, picture.width, picture.height, int64_t{3} * picture.width},
                           scratch.images.data() + static_cast<int64_t>(i) * image_bytes_);
    }
    if (batch != nullptr) {
      const std::lock_guard<std::mutex> lock(batch_mutex_);
      Run(*batch, pictures.size(), scratch, result);
    } else {
      training::Evaluator* single = TakeSingle();
      Run(*single, 1, scratch, result);
      GiveBack(single);
    }
    const size_t count = classes().size();
    for (size_t i = 0; i < pictures.size(); ++i) {
      singles_.front()->AnswersOf(result.data() + i * count, absl::MakeSpan(scratch.answers));
      std::copy(scratch.answers.begin(), scratch.answers.end(), result.begin() + i * count);
    }
  }

  // Computes the network's results for the first `size` of scratch.images.
  void Run(training::Evaluator& plan, size_t size, const Scratch& scratch,
           absl::Span<float> result) {
    for (size_t i = 0; i < size; ++i) {
      const int64_t begin = static_cast<int64_t>(i) * image_bytes_;
      writer_.Write(scratch.images.data() + begin, {}, plan.images() + begin);
    }
    std::copy_n(plan.Run(), result.size(), result.begin());
  }

  // Waits until one of singles_ is free, and returns it.
  training::Evaluator* TakeSingle() {
    std::unique_lock<std::mutex> lock(singles_mutex_);
    single_freed_.wait(lock, [this] { return !free_singles_.empty(); });
    training::Evaluator* single = free_singles_.back();
    free_singles_.pop_back();
    return single;
  }
  void GiveBack(training::Evaluator* single) {
    {
      const std::lock_guard<std::mutex> lock(singles_mutex_);
      free_singles_.push_back(single);
    }
    single_freed_.notify_one();
  }

  const training::TrainedNetwork trained_;
  const data::FitOptions fit_;
  const int64_t image_bytes_;
  const data::ImageWriter writer_;
  std::mutex batch_mutex_;  // guards batches_: each plan uses all threads
  // For several pictures each, the smallest first.
  std::vector<std::unique_ptr<training::Evaluator>> batches_;
  // Plans of one picture, all alike. Each of their operations uses all threads or, while another
  // plan's operation does, only its caller's thread (base/parallel.h).
  std::vector<std::unique_ptr<training::Evaluator>> singles_;
  std::mutex singles_mutex_;
  std::condition_variable single_freed_;
  std::vector<training::Evaluator*> free_singles_;
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
