#include "inference/server/batcher.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/serial_section.h"
#include "base/status_macros.h"

namespace cotangent::inference {
namespace {

// Returns from how many waiting pictures on they are computed as a batch, by all threads; never if a
// batch is one picture. Fewer are computed each by itself, by one thread (by all if requests are
// rare, see Work()). Side by side, that takes no more time for each picture, and no thread waits
// for another one, which the system may have suspended to run the threads of connections and
// clients. If only one is computed at a time, other threads are idle, so a batch pays sooner.
// Measured on 2 cores with resnet20, cifar94 and resnet18.
int64_t FewestOfBatch(const Classifier& classifier) {
  constexpr int64_t kOnOneThread = 3, kOnSeveral = 12;
  if (classifier.batch_size() == 1) return std::numeric_limits<int64_t>::max();
  return std::min(classifier.batch_size(),
                  classifier.simultaneous() == 1 ? kOnOneThread : kOnSeveral);
}

}  // namespace

Batcher::Batcher(std::shared_ptr<Classifier> classifier, const BatcherOptions& options)
    : options_(options), classifier_(std::move(classifier)) {
  for (int i = 0; i < classifier_->simultaneous(); ++i) workers_.emplace_back([this] { Work(); });
}

Batcher::~Batcher() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

absl::StatusOr<std::vector<Batcher::Answer>> Batcher::Classify(
    absl::Span<const data::Image> images) {
  std::deque<Item> items;
  for (const data::Image& image : images)
    items.emplace_back(&image, absl::Now() + options_.patience);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    if (static_cast<int64_t>(waiting_.size()) >= options_.most_waiting)
      return absl::ResourceExhaustedError(
          absl::StrCat(waiting_.size(), " pictures wait already; try again in a second"));
    if (waiting_.empty()) waiting_since_ = absl::Now();
    for (Item& item : items) waiting_.push_back(&item);
    changed_.notify_one();
    for (Item& item : items) item.done.wait(lock, [&item] { return item.is_done; });
  }
  std::vector<Answer> answers;
  for (Item& item : items) {
    RETURN_IF_ERROR(item.answer.status());
    answers.push_back(*std::move(item.answer));
  }
  return answers;
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

void Batcher::Begin(int client) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Client& state = clients_[client];
  state.hurries = absl::Now() - state.answered <= options_.delay;
  ++state.under_way;
  ++under_way_;
}

void Batcher::End(int client) {
  const std::lock_guard<std::mutex> lock(mutex_);
  Client& state = clients_[client];
  state.answered = absl::Now();
  --state.under_way;
  --under_way_;
  if (!waiting_.empty() && IsComplete()) changed_.notify_one();
}

bool Batcher::IsComplete() {
  const auto waiting = static_cast<int64_t>(waiting_.size());
  if (stopping_ || waiting >= classifier_->batch_size()) return true;
  if (waiting < under_way_ - computed_) return false;
  int64_t expected = 0;
  const absl::Time oldest = absl::Now() - options_.delay;
  for (auto it = clients_.begin(); it != clients_.end();) {
    const Client& client = it->second;
    const bool is_idle = client.under_way == 0;
    if (is_idle && client.hurries && client.answered >= oldest) ++expected;
    it = is_idle && client.answered < oldest ? clients_.erase(it) : std::next(it);
  }
  return waiting >= under_way_ - computed_ + expected;
}

bool Batcher::MayBegin() const {
  const bool is_batch = static_cast<int64_t>(waiting_.size()) >= FewestOfBatch(*classifier_);
  return computing_ == 0 || (computed_ == computing_ && !is_batch);
}

std::vector<Batcher::Item*> Batcher::NextBatch(std::unique_lock<std::mutex>& lock) {
  do {
    changed_.wait(lock, [&] { return waiting_.empty() ? stopping_ : MayBegin(); });
    if (waiting_.empty()) return {};
    changed_.wait_until(lock, absl::ToChronoTime(waiting_since_ + options_.delay),
                        [&] { return IsComplete(); });
  } while (!MayBegin());
  const auto waiting = static_cast<int64_t>(waiting_.size());
  const int64_t size =
      waiting < FewestOfBatch(*classifier_) ? 1 : std::min(waiting, classifier_->batch_size());
  std::vector<Item*> batch(waiting_.begin(), waiting_.begin() + size);
  waiting_.erase(waiting_.begin(), waiting_.begin() + size);
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
  for (;;) {
    std::unique_lock<std::mutex> next(next_mutex_);
    std::unique_lock<std::mutex> lock(mutex_);
    const std::vector<Item*> batch = NextBatch(lock);
    if (batch.empty()) return;
    const std::shared_ptr<Classifier> classifier = classifier_;
    const absl::Time begin = absl::Now();
    // Requests are rare if nothing has been computed for longer than the last computation took.
    // Then all threads compute even a single picture: no other will need them soon.
    const bool is_rare = computing_ == 0 && begin - idle_since_ > last_took_;
    ++computing_;
    computed_ += static_cast<int64_t>(batch.size());
    lock.unlock();
    next.unlock();

    std::optional<SerialSection> serial;
    if (batch.size() == 1 && !is_rare) serial.emplace();
    const int64_t computed = Compute(classifier, batch);

    lock.lock();
    --computing_;
    computed_ -= static_cast<int64_t>(batch.size());
    idle_since_ = absl::Now();
    last_took_ = idle_since_ - begin;
    if (batch.size() > 1) waiting_since_ = idle_since_;
    numbers_.batches += computed > 0 ? 1 : 0;
    numbers_.pictures += computed;
    changed_.notify_one();
    for (Item* item : batch) {
      item->is_done = true;
      item->done.notify_one();
    }
  }
}

}  // namespace cotangent::inference
