// Classifies pictures that many threads hand in: as a batch if many wait, and otherwise each by
// itself, up to Classifier::simultaneous() of them at the same time.
#ifndef COTANGENT_INFERENCE_SERVER_BATCHER_H_
#define COTANGENT_INFERENCE_SERVER_BATCHER_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "data/image.h"
#include "inference/classifier.h"

namespace cotangent::inference {

struct BatcherOptions {
  // The longest that a picture waits, while no batch is computed, for requests that are under way or
  // expected (Batcher::Arrival).
  absl::Duration delay = absl::Milliseconds(2);
  int64_t most_waiting = 256;  // pictures; if so many wait already, Classify() fails
  // A picture that has waited longer than this when its batch begins is left out; Classify() fails.
  absl::Duration patience = absl::Seconds(10);
};

class Batcher {
 public:
  Batcher(std::shared_ptr<Classifier> classifier, const BatcherOptions& options);
  // Answers all waiting pictures before destruction ends.
  ~Batcher();

  // Tells the batcher, as long as the object lives, that a request of a client is under way. The
  // server makes one object for each request, from the arrival of its headers to its answer.
  // `client` is a number that the client's connection has as long as it is open.
  //
  // The batcher holds pictures back, to compute as many as possible in one batch, while fewer wait
  // than requests are under way (without those whose pictures are being computed) or expected; but
  // not if the pictures fill a batch, and no longer than BatcherOptions::delay after the first of
  // them came or, if that was later, after the end of the last batch of several pictures. A request
  // is expected for `delay` after each answer to a client that sent its request within `delay` of
  // the answer before: such a client probably waits for an answer only to send the next picture.
  class Arrival {
   public:
    Arrival(Batcher& batcher, int client) : batcher_(batcher), client_(client) {
      batcher_.Begin(client_);
    }
    ~Arrival() { batcher_.End(client_); }
    Arrival(const Arrival&) = delete;
    Arrival& operator=(const Arrival&) = delete;

   private:
    Batcher& batcher_;
    const int client_;
  };

  // The probabilities of a picture's classes or labels (or its numbers), and the network that
  // computed them.
  struct Answer {
    std::shared_ptr<Classifier> classifier;
    std::vector<float> probabilities;
  };
  // Waits until the pictures are classified, and returns the answers in their order. Errors:
  // ResourceExhausted if most_waiting pictures wait already, DeadlineExceeded if one of `images`
  // waited longer than BatcherOptions::patience, or the classifier's error for their batch.
  absl::StatusOr<std::vector<Answer>> Classify(absl::Span<const data::Image> images);

  // Uses another network from the next batch on. Waiting pictures are not lost: the new network
  // classifies them.
  void Replace(std::shared_ptr<Classifier> classifier);
  std::shared_ptr<Classifier> classifier() const;

  // Batches computed so far (a picture computed by itself counts as one); the pictures in all of
  // them; and pictures waiting now.
  struct Numbers {
    int64_t batches = 0, pictures = 0, waiting = 0;
  };
  Numbers numbers() const;

 private:
  // A picture that waits for its batch, and its answer.
  struct Item {
    Item(const data::Image* image, absl::Time deadline) : image(image), deadline(deadline) {}
    const data::Image* const image;
    const absl::Time deadline;
    absl::StatusOr<Answer> answer = absl::UnknownError("");
    bool is_done = false;  // guarded by mutex_, as what `done` waits for
    std::condition_variable done;
  };

  // A client with a request under way, or answered at most BatcherOptions::delay ago.
  struct Client {
    int under_way = 0;  // requests
    absl::Time answered = absl::InfinitePast();
    bool hurries = false;  // its last request came within BatcherOptions::delay of an answer
  };

  void Begin(int client);
  void End(int client);
  // Returns whether nothing would be gained by waiting for further pictures: the pictures fill a
  // batch, the batcher ends, or no request is under way or expected but those whose pictures wait or
  // are being computed. Forgets idle clients that were answered longer than BatcherOptions::delay
  // ago.
  bool IsComplete();
  // Returns whether a worker may begin: if nothing is being computed, or if only single pictures are
  // and those that wait are too few for a batch, which needs all threads.
  bool MayBegin() const;
  void Work();
  // Waits until a worker may begin, and returns the pictures that it computes next, several or one;
  // none if the batcher ends and no picture waits. `lock` holds mutex_. One worker calls this at a
  // time.
  std::vector<Item*> NextBatch(std::unique_lock<std::mutex>& lock);
  // Answers the pictures of a batch. Returns how many it has computed: those that have not waited
  // for too long.
  static int64_t Compute(const std::shared_ptr<Classifier>& classifier,
                         const std::vector<Item*>& batch);

  const BatcherOptions options_;
  std::mutex next_mutex_;            // locked by the worker that is in NextBatch()
  mutable std::mutex mutex_;         // guards all below, except workers_
  std::condition_variable changed_;  // notified if NextBatch() may have to go on
  std::shared_ptr<Classifier> classifier_;
  std::deque<Item*> waiting_;
  Numbers numbers_;
  // Since when pictures wait, or since the end of the last batch of several pictures if that was
  // later.
  absl::Time waiting_since_;
  std::map<int, Client> clients_;
  int64_t under_way_ = 0;  // requests, including those whose pictures wait or are computed
  int64_t computed_ = 0;   // pictures that are being computed
  int computing_ = 0;      // workers that compute
  absl::Time idle_since_ = absl::InfinitePast();     // the end of the last computation
  absl::Duration last_took_ = absl::ZeroDuration();  // how long it took
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_BATCHER_H_
