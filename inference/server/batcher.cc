#include "inference/server/batcher.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"

namespace cotangent::inference {

Batcher::Batcher(std::shared_ptr<Classifier> classifier, const BatcherOptions& options)
    : options_(options), classifier_(std::move(classifier)), worker_([this] { Work(); }) {}

Batcher::~Batcher() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  worker_.join();
}

absl::StatusOr<Batcher::Answer> Batcher::Classify(const data::Image& image) {
  Item item = {.image = &image, .deadline = absl::Now() + options_.patience, .ready = {}};
  std::unique_lock<std::mutex> lock(mutex_);
  if (static_cast<int64_t>(waiting_.size()) >= options_.most_waiting)
    return absl::ResourceExhaustedError(
        absl::StrCat(waiting_.size(), " pictures wait already; try again in a second"));
  waiting_.push_back(&item);
  arrived_.notify_one();
  item.ready.wait(lock, [&] { return item.done; });
  return std::move(item.answer);
}

void Batcher::Replace(std::shared_ptr<Classifier> classifier) {
  const std::lock_guard<std::mutex> lock(mutex_);
  classifier_ = std::move(classifier);
}

std::shared_ptr<Classifier> Batcher::classifier() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return classifier_;
}

Batcher::Numbers Batcher::numbers() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  Numbers numbers = numbers_;
  numbers.waiting = static_cast<int64_t>(waiting_.size());
  return numbers;
}

void Batcher::CountArrivals(int64_t change) {
  const std::lock_guard<std::mutex> lock(mutex_);
  arrivals_ += change;
  if (change < 0) arrived_.notify_one();
}

std::vector<Batcher::Item*> Batcher::NextBatch(std::unique_lock<std::mutex>& lock) {
  arrived_.wait(lock, [&] { return stopping_ || !waiting_.empty(); });
  const auto is_full = [&] {
    const int64_t waiting = static_cast<int64_t>(waiting_.size());
    return stopping_ || waiting >= classifier_->batch_size() || waiting >= arrivals_;
  };
  if (!waiting_.empty())
    arrived_.wait_for(lock, absl::ToChronoNanoseconds(options_.delay), is_full);
  const size_t size = std::min(waiting_.size(), static_cast<size_t>(classifier_->batch_size()));
  std::vector<Item*> batch(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(size));
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(size));
  return batch;
}

int64_t Batcher::Compute(const std::shared_ptr<Classifier>& classifier,
                         const std::vector<Item*>& batch) {
  const size_t classes = classifier->classes().size();
  const absl::Time now = absl::Now();
  std::vector<Picture> pictures;
  std::vector<Item*> items;
  for (Item* item : batch) {
    if (item->deadline < now) {
      item->answer = absl::DeadlineExceededError("the picture has waited for too long; try again");
      continue;
    }
    pictures.push_back({item->image->rgb.data(), item->image->width, item->image->height});
    items.push_back(item);
  }
  if (items.empty()) return 0;
  std::vector<float> probabilities(items.size() * classes);
  const absl::Status status = classifier->ClassifyBatch(pictures, absl::MakeSpan(probabilities));
  for (size_t i = 0; i < items.size(); ++i) {
    const auto begin = probabilities.begin() + static_cast<ptrdiff_t>(i * classes);
    if (status.ok()) {
      items[i]->answer = Answer{classifier, {begin, begin + static_cast<ptrdiff_t>(classes)}};
    } else {
      items[i]->answer = status;
    }
  }
  return static_cast<int64_t>(items.size());
}

void Batcher::Work() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    const std::vector<Item*> batch = NextBatch(lock);
    if (batch.empty()) {
      if (stopping_) return;
      continue;
    }
    const std::shared_ptr<Classifier> classifier = classifier_;
    lock.unlock();
    const int64_t computed = Compute(classifier, batch);
    lock.lock();
    numbers_.batches += computed > 0 ? 1 : 0;
    numbers_.pictures += computed;
    for (Item* item : batch) {
      item->done = true;
      item->ready.notify_one();
    }
  }
}

}  // namespace cotangent::inference
