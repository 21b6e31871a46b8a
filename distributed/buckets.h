// How gradients are gathered into buckets, each averaged over the ranks at once as soon as the last
// of it is there.
#ifndef COTANGENT_DISTRIBUTED_BUCKETS_H_
#define COTANGENT_DISTRIBUTED_BUCKETS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/means.h"

namespace cotangent::distributed {

// What the ranks are joined by, as Means see it: small ones take `seconds`, large ones a second for
// so many bytes more.
struct Link {
  double seconds = 0, bytes_per_second = 0;
};
// Measured, the same on all ranks; a call that all make. Takes as long as 16 MB do.
Link MeasureLink(Communicator& ranks);

// A gradient's place in the buffer of all, and the operation after which it is there.
struct GradientPlace {
  int64_t begin = 0, size = 0;  // in floats
  size_t operation = 0;
};

struct Bucket {
  Stretch stretch;
  size_t operation = 0;  // after which all of it is there
};

// The least size, in bytes, of buckets that spend most of their time on their bytes.
int64_t BucketBytes(const Link& link);

// Buckets of at least `bytes` each, where gradients that lie beside each other make so many, in the
// order in which they are there. Places that are at most `gap` floats apart lie beside each other.
std::vector<Bucket> MakeBuckets(std::vector<GradientPlace> gradients, int64_t bytes, int64_t gap);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_BUCKETS_H_
