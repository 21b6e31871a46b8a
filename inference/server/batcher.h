// Gathers pictures that come one by one, from many threads, into batches.
#ifndef COTANGENT_INFERENCE_SERVER_BATCHER_H_
#define COTANGENT_INFERENCE_SERVER_BATCHER_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "data/image.h"
#include "inference/classifier.h"

namespace cotangent::inference {

struct BatcherOptions {
  // How long a picture waits, at most, for others that are on their way when the network is free.
  absl::Duration delay = absl::Milliseconds(2);
  int64_t most_waiting = 256;  // pictures
  // How long a picture waits in all before it is given up.
  absl::Duration patience = absl::Seconds(10);
};

class Batcher {
 public:
  Batcher(std::shared_ptr<Classifier> classifier, const BatcherOptions& options);
  // Answers what waits, then ends.
  ~Batcher();

  // A request that is on its way, from its first byte to its answer: pictures that wait are held
  // back for it.
  class Arrival {
   public:
    explicit Arrival(Batcher& batcher) : batcher_(batcher) { batcher_.CountArrivals(1); }
    ~Arrival() { batcher_.CountArrivals(-1); }
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;

   private:
    Batcher& batcher_;
  };

  // The probabilities of a picture's classes, and which network said so.
  struct Answer {
    std::shared_ptr<const Classifier> classifier;
    std::vector<float> probabilities;
  };
  // Waits until the picture is classified. Errors: ResourceExhausted where too many wait,
  // DeadlineExceeded, what the classifier finds.
  absl::StatusOr<Answer> Classify(const data::Image& image);

  // Another network from the next batch on. Nothing that waits is lost.
  void Replace(std::shared_ptr<Classifier> classifier);
  std::shared_ptr<Classifier> classifier() const;

  // Counts since the beginning, and how many pictures wait now.
  struct Numbers {
    int64_t batches = 0, pictures = 0, waiting = 0;
  };
  Numbers numbers() const;

 private:
  struct Item {
    const data::Image* image;
    absl::Time deadline;
    absl::StatusOr<Answer> answer = absl::UnknownError("");
    bool done = false;
    std::condition_variable ready;
  };

  void CountArrivals(int64_t change);
  void Work();
  // Blocks until there is a batch; empty at the end.
  std::vector<Item*> NextBatch(std::unique_lock<std::mutex>& lock);
  static void Compute(const std::shared_ptr<Classifier>& classifier,
                      const std::vector<Item*>& batch);

  const BatcherOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::shared_ptr<Classifier> classifier_;
  std::deque<Item*> waiting_;
  Numbers numbers_;
  int64_t arrivals_ = 0;  // those that wait included
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_BATCHER_H_
