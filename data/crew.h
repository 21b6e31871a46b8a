#ifndef COTANGENT_DATA_CREW_H_
#define COTANGENT_DATA_CREW_H_

// Batches made ahead of whoever takes them, by threads, in memory that never moves.

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace cotangent::data {

struct Batch {
  const void* images;   // [size, ...], 64-byte aligned
  const void* targets;  // [size, ...]
  const int32_t* labels() const { return static_cast<const int32_t*>(targets); }
  int size;
  int64_t epoch;
  int64_t index;             // In the epoch.
  absl::Status status = {};  // Where an image could not be read; the batch is then of no use.
};

// 64-byte aligned memory, touched when made so that the first batches do not wait for the system.
class AlignedBytes {
 public:
  explicit AlignedBytes(int64_t bytes);
  AlignedBytes(AlignedBytes&& other) noexcept;
  ~AlignedBytes() { ::operator delete(data_, std::align_val_t(64)); }
  void* data() const { return data_; }

 private:
  void* data_;
};

// Places in a ring, each for one batch; batches have numbers, and number n lies at n modulo the
// places. The caller reads one; those after it are ready or being made, each by one worker.
class Crew {
 public:
  // Writes batch `index` of an epoch and returns how many images it has. One worker calls it.
  using Make =
      std::function<absl::StatusOr<int>(int64_t epoch, int64_t index, void* images, void* targets)>;
  struct Options {
    int64_t batches_per_epoch = 0;
    bool one_epoch = false;                     // makes no batch after the first epoch's
    int64_t image_bytes = 0, target_bytes = 0;  // of a full batch
    int places = 2;
  };
  // One worker for each of `makes`. Starts with batch 0 of epoch 0.
  Crew(const Options& options, std::vector<Make> makes);
  ~Crew();
  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  const Options& options() const { return options_; }
  // Waits for the next batch, whose memory stays as it is until the next call of Next() or Seek().
  Batch Next();
  // Makes batch `index` of `epoch` the next one.
  void Seek(int64_t epoch, int64_t index);

 private:
  struct Place {
    AlignedBytes images;
    AlignedBytes targets;
    Batch batch;
    int64_t number = -1;  // of the batch that it holds
  };
  Place& PlaceOf(int64_t number) { return places_[number % static_cast<int64_t>(places_.size())]; }
  // Whether there is a place for the next batch, and a batch to be made.
  bool HasWork() const;
  void Work(const Make& make);

  const Options options_;
  const std::vector<Make> makes_;
  std::vector<Place> places_;

  std::mutex mutex_;  // Guards what follows.
  std::condition_variable room_, filled_;
  int64_t first_ = 0, first_batch_ = 0;  // number first_ is batch first_batch_, counted over epochs
  int64_t next_to_make_ = 0, next_to_read_ = 0;
  int64_t oldest_ = 0;  // the one that the caller reads, or will
  int busy_ = 0;        // workers at work
  bool seeking_ = false, stop_ = false;

  std::vector<std::thread> threads_;
};

}  // namespace cotangent::data

#endif  // COTANGENT_DATA_CREW_H_
