// Predicts how fast many ranks (processes that train one network together) train, from one rank's
// times and the speed of the network between them.
//
// In the model a rank computes its operations one after the other. A bucket (gradients that are
// sent as one message, buckets.h) is sent as soon as it is computed and the link is free, so
// buckets follow each other on the link. The step ends when the last bucket has arrived and the
// parameters are updated. The model neglects that ranks may differ in speed, that several machines
// may share a link, and that a processor which sends does not compute meanwhile.
#ifndef COTANGENT_DISTRIBUTED_SCALING_H_
#define COTANGENT_DISTRIBUTED_SCALING_H_

#include <cstdint>
#include <vector>

#include "distributed/buckets.h"

namespace cotangent::distributed {

// The times of one rank's training step.
struct StepTimes {
  std::vector<double> operations;        // seconds of each operation, in order
  std::vector<GradientPlace> gradients;  // each with the index of the operation that computes it
  double update = 0;                     // seconds of the optimizer, which runs on every rank
  double images = 0;                     // that one rank processes in a step
};

// How the mean of a message of n bytes over P ranks is computed. Each line gives the seconds that
// this takes if a message takes `a` seconds plus 1 / b seconds per byte in each direction, and a
// rank begins to send messages at least `g` seconds apart (Thakur, Rabenseifner and Gropp,
// "Optimization of collective communication operations in MPICH", 2005; g is the gap of Culler et
// al., "LogP", 1993):
enum class Exchange {
  // Each rank averages one of P shares (means.h): 2 a + 2 (P - 2) g + 2 n (P - 1) / P / b
  kDirect,
  kRing,  // shares go from neighbour to neighbour: 2 (P - 1) a + 2 n (P - 1) / P / b
  kTree,  // sums go up a binary tree, the mean down: 2 ceil(log2 P) (a + n / b)
};

// The ranks and their network; a, b and g are those of Exchange.
struct Cluster {
  int ranks = 2;
  Exchange exchange = Exchange::kDirect;
  double seconds_per_message = 0, bytes_per_second = 0;  // a, b
  double seconds_between_messages = 0;                   // g
  int bytes_per_number = 4;                              // of a gradient: 4 in f32, 2 in bf16
};

// Returns the seconds that computing the mean of a message of `bytes` bytes over the cluster's
// ranks takes; 0 for one rank.
double SecondsOfExchange(const Cluster& cluster, double bytes);

struct Prediction {
  double seconds = 0;            // of a step
  double images_per_second = 0;  // of all ranks together
  double efficiency = 0;         // images/s divided by those of as many ranks that send nothing
  double communication = 0;      // seconds during which gradients are sent
  double waited = 0;             // seconds from the last operation's end to the last sum received
};
// Predicts the time of a training step with buckets of at least `bucket_bytes` bytes, counted as if
// gradients were sent in f32; 0 means the size that BucketBytes() gives for the cluster's link.
Prediction Predict(const StepTimes& step, const Cluster& cluster, int64_t bucket_bytes = 0);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_SCALING_H_
