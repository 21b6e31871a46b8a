// Groups gradients into buckets. Each bucket is averaged over the ranks (the processes that train
// together) as one message, as soon as the last gradient in it is computed.
#ifndef COTANGENT_DISTRIBUTED_BUCKETS_H_
#define COTANGENT_DISTRIBUTED_BUCKETS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/means.h"

namespace cotangent::distributed {

// The connection between the ranks: averaging a message of n bytes over them (means.h) takes
// `seconds` + n / bytes_per_second seconds. `seconds` is called the latency.
struct Link {
  double seconds = 0, bytes_per_second = 0;
};
// Measures the link between the ranks: averages a message of 1 KiB 21 times and one of 4 MiB 7
// times, and computes the Link from the median time of each message (a time is that of the slowest
// rank). All ranks must call it, and all get the same result.
Link MeasureLink(Communicator& ranks);

// The position of a gradient in the buffer of all gradients, and the index (in order of execution)
// of the operation that computes the gradient.
struct GradientPlace {
  int64_t begin = 0, size = 0;  // in floats
  size_t operation = 0;
};

// A range of the buffer of all gradients that is averaged as one message.
struct Bucket {
  Stretch stretch;
  size_t operation = 0;  // index of the last operation that computes a part of the range
};

// Returns the size of a bucket in bytes for which sending the bytes takes 8 times as long as the
// latency `link.seconds`, but at least 64 KiB and at most 16 MiB. Smaller buckets would spend more
// of their time on latency.
int64_t BucketBytes(const Link& link);

// Makes buckets from gradients that are neighbours in the buffer, and closes each bucket when it
// has at least `bytes` bytes. Gradients are neighbours if at most `gap` floats lie between them.
// Returns the buckets in the order in which backpropagation completes them.
std::vector<Bucket> MakeBuckets(std::vector<GradientPlace> gradients, int64_t bytes, int64_t gap);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_BUCKETS_H_
