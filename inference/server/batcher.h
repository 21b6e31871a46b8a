// Collects pictures that arrive one by one, on many threads, into batches.
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
  // The longest that a picture waits, while the network is idle, for requests that are still
  // arriving.
  absl::Duration delay = absl::Milliseconds(2);
  int64_t most_waiting = 256;  // pictures; when more wait, Classify() fails
  // A picture that has waited longer than this when its batch begins is left out; Classify() fails.
  absl::Duration patience = absl::Seconds(10);
};

class Batcher {
 public:
  Batcher(std::shared_ptr<Classifier> classifier, const BatcherOptions& options);
  // Answers all waiting pictures before destruction ends.
  ~Batcher();

  // Tells the batcher, as long as the object lives, that a request is under way. The server makes
  // one object for each request, from the arrival of its headers to its answer. While fewer
  // pictures wait than requests are under way, the batcher holds the pictures back, to compute as
  // many as possible in one batch; but not if they fill a batch, and no longer than
  // BatcherOptions::delay.
  class Arrival {
   public:
    explicit Arrival(Batcher& batcher) : batcher_(batcher) { batcher_.CountArrivals(1); }
    ~Arrival() { batcher_.CountArrivals(-1); }
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;

   private:
    Batcher& batcher_;
  };

  // The probabilities of a picture's classes or labels (or its numbers), and the network that
  // computed them.
  struct Answer {
    std::shared_ptr<Classifier> classifier;
    std::vector<float> probabilities;
  };
  // Waits until the picture is classified. Errors: ResourceExhausted if too many pictures wait,
  // DeadlineExceeded if the picture waited longer than BatcherOptions::patience, or the
  // classifier's own error.
  absl::StatusOr<Answer> Classify(const data::Image& image);

  // Uses another network from the next batch on. Waiting pictures are not lost: the new network
  // classifies them.
  void Replace(std::shared_ptr<Classifier> classifier);
  std::shared_ptr<Classifier> classifier() const;

  // Batches computed so far; the pictures in them; and pictures waiting now.
  struct Numbers {
    int64_t batches = 0, pictures = 0, waiting = 0;
  };
  Numbers numbers() const;

 private:
  // A picture that waits for its batch, and its answer.
  struct Item {
    const data::Image* image;
    absl::Time deadline;
    absl::StatusOr<Answer> answer = absl::UnknownError("");
    bool done = false;
    std::condition_variable ready;
  };

  void CountArrivals(int64_t change);
  void Work();
  // Waits until there is a batch and returns it, or returns an empty one when the batcher ends.
  std::vector<Item*> NextBatch(std::unique_lock<std::mutex>& lock);
  // Answers the pictures of a batch. Returns how many it has computed: those that have not waited
  // for too long.
  static int64_t Compute(const std::shared_ptr<Classifier>& classifier,
                         const std::vector<Item*>& batch);

  const BatcherOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::shared_ptr<Classifier> classifier_;
  std::deque<Item*> waiting_;
  Numbers numbers_;
  int64_t arrivals_ = 0;  // requests under way, including those whose pictures wait
  bool stopping_ = false;
  std::thread worker_;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_BATCHER_H_
