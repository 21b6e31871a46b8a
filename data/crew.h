#ifndef COTANGENT_DATA_CREW_H_
#define COTANGENT_DATA_CREW_H_

// Makes batches in worker threads before the caller asks for them. The memory of the batches is
// allocated once and does not move.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/memory.h"

namespace cotangent::data {

struct Batch {
  const void* images;   // [size, ...], aligned to 64 bytes
  const void* targets;  // [size, ...]
  const int32_t* labels() const { return static_cast<const int32_t*>(targets); }
  int size;
  int64_t epoch;
  int64_t index;             // of the batch within its epoch
  absl::Status status = {};  // if not OK, an image could not be read; ignore the batch
};

// The worker threads and a ring of places; a place is memory for one batch. Batches are numbered
// from 0 in the order in which they are made; batch number n lies in place n modulo
// Options::places. While the caller reads one batch, workers fill the other places with the next
// batches.
class Crew {
 public:
  // A function that makes batch `index` of an epoch: writes its images and targets, and returns the
  // number of images. Each worker has its own function.
  using Make =
      std::function<absl::StatusOr<int>(int64_t epoch, int64_t index, void* images, void* targets)>;
  struct Options {
    int64_t batches_per_epoch = 0;
    bool one_epoch = false;                     // no batch is made after the first epoch
    int64_t image_bytes = 0, target_bytes = 0;  // bytes of a full batch
    int places = 2;
  };
  // Starts one worker thread for each function in `makes`. The first batch is batch 0 of epoch 0.
  Crew(const Options& options, std::vector<Make> makes);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  const Options& options() const { return options_; }
  // Waits for the next batch and returns it. Its memory stays unchanged until the next call of
  // Next() or Seek(). REQUIRES: there is a next batch; with one_epoch there is none after the last
  // batch of the first epoch.
  Batch Next();
  // Makes batch `index` of `epoch` the one that Next() returns next. Waits until the workers have
  // finished the batches that they are making, which are then dropped.
  void Seek(int64_t epoch, int64_t index);

 private:
  struct Place {
    BigVector<std::byte> images, targets;
    Batch batch;
    int64_t number = -1;  // the number of the batch in this place; -1: none
  };
  Place& PlaceOf(int64_t number) { return places_[number % static_cast<int64_t>(places_.size())]; }
  // Returns whether a worker may begin the next batch: no call of Seek() waits, a place is free,
  // and the batch is to be made (with one_epoch, only those of epoch 0 are).
  bool HasWork() const;
  void Work(const Make& make);

  const Options options_;
  const std::vector<Make> makes_;
  std::vector<Place> places_;

  std::mutex mutex_;  // guards the members from here to stop_, and places_
  std::condition_variable room_, filled_;
  // Since the latest Seek() (or the start) batch number n is batch first_batch_ + (n - first_),
  // counted from batch 0 of epoch 0 on, over all epochs.
  int64_t first_ = 0, first_batch_ = 0;
  int64_t next_to_make_ = 0, next_to_read_ = 0;
  int64_t oldest_ = 0;  // number of the batch that the caller reads now or next
  int busy_ = 0;        // number of workers that are making a batch
  bool seeking_ = false, stop_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_CREW_H_
