// How fast many ranks train, foretold from one rank's times and the network between them.
//
// A rank computes the operations of its plan one after the other. A bucket of gradients begins when
// it is there and the link is free, so that on the link buckets follow each other; the step ends
// when the last has come and the parameters are updated. What the model leaves out: ranks of
// different speed, links that are shared beyond a machine, and the time a processor spends on
// sending.
#ifndef COTANGENT_DISTRIBUTED_SCALING_H_
#define COTANGENT_DISTRIBUTED_SCALING_H_

#include <cstdint>
#include <vector>

#include "distributed/buckets.h"

namespace cotangent::distributed {

// One rank's step.
struct StepTimes {
  std::vector<double> operations;        // seconds, in order
  std::vector<GradientPlace> gradients;  // each with the operation after which it is there
  double update = 0;                     // seconds of the optimizer, which every rank spends
  double images = 0;                     // of a rank and step
};

// How a mean over P ranks of n bytes is taken, and the time of it with `a` seconds to send a message
// and b bytes a second in each direction (Thakur, Rabenseifner and Gropp, "Optimization of
// collective communication operations in MPICH", 2005):
enum class Exchange {
  kDirect,  // every rank has a share, to which all send: 2 a + 2 n (P - 1) / P / b; as means.h
  kRing,    // shares go from neighbour to neighbour: 2 (P - 1) a + 2 n (P - 1) / P / b
  kTree,    // sums go up a binary tree, the mean down: 2 ceil(log2 P) (a + n / b)
};

struct Cluster {
  int ranks = 2;
  Exchange exchange = Exchange::kDirect;
  double seconds_per_message = 0, bytes_per_second = 0;
  int bytes_per_number = 4;  // of gradients: 2 in bf16
};

double SecondsOfExchange(const Cluster& cluster, double bytes);

struct Prediction {
  double seconds = 0;            // of a step
  double images_per_second = 0;  // of all ranks
  double efficiency = 0;         // images/s, divided by those of as many ranks that send nothing
  double communication = 0;      // seconds in which gradients are under way
  double waited = 0;             // of these, not hidden behind computing
};
// With buckets of at least so many bytes of f32; 0: as BucketBytes() for the link.
Prediction Predict(const StepTimes& step, const Cluster& cluster, int64_t bucket_bytes = 0);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_SCALING_H_
