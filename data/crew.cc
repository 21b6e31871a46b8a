#include "data/crew.h"

#include <utility>

namespace cotangent::data {

Crew::Crew(const Options& options, std::vector<Make> makes)
    : options_(options), makes_(std::move(makes)) {
  for (int i = 0; i < options_.places; ++i) {
    places_.push_back({BigVector<std::byte>(options_.image_bytes),
                       BigVector<std::byte>(options_.target_bytes),
                       {}});
  }
  for (const Make& make : makes_) threads_.emplace_back([this, &make] { Work(make); });
}

Crew::~Crew() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  room_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

Batch Crew::Next() {
  std::unique_lock<std::mutex> lock(mutex_);
  const int64_t number = next_to_read_++;
  oldest_ = number;
  room_.notify_all();
  Place& place = PlaceOf(number);
  filled_.wait(lock, [&] { return place.number == number; });
  return place.batch;
}

void Crew::Seek(int64_t epoch, int64_t index) {
  std::unique_lock<std::mutex> lock(mutex_);
  // Batches that workers are making now are not wanted after Seek(), but the workers still write to
  // their places (memory for batches). Waits until they have finished.
  seeking_ = true;
  filled_.wait(lock, [this] { return busy_ == 0; });
  seeking_ = false;
  for (Place& place : places_) place.number = -1;
  first_ = oldest_ = next_to_read_ = next_to_make_;
  first_batch_ = epoch * options_.batches_per_epoch + index;
  room_.notify_all();
}

bool Crew::HasWork() const {
  if (seeking_ || next_to_make_ - oldest_ >= static_cast<int64_t>(places_.size())) return false;
  return !options_.one_epoch ||
         first_batch_ + (next_to_make_ - first_) < options_.batches_per_epoch;
}

void Crew::Work(const Make& make) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    room_.wait(lock, [this] { return stop_ || HasWork(); });
    if (stop_) return;
    const int64_t number = next_to_make_++;
    const int64_t batch = first_batch_ + (number - first_);
    const int64_t epoch = batch / options_.batches_per_epoch,
                  index = batch % options_.batches_per_epoch;
    Place& place = PlaceOf(number);
    ++busy_;
    lock.unlock();
    const absl::StatusOr<int> size = make(epoch, index, place.images.data(), place.targets.data());
    lock.lock();
    place.batch = {place.images.data(), place.targets.data(), size.value_or(0), epoch, index,
                   size.status()};
    place.number = number;
    --busy_;
    filled_.notify_all();
  }
}

}  // namespace cotangent::data
