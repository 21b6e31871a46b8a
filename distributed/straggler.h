// Finds the rank (process of distributed training) that keeps the others waiting.
#ifndef COTANGENT_DISTRIBUTED_STRAGGLER_H_
#define COTANGENT_DISTRIBUTED_STRAGGLER_H_

#include <string>
#include <vector>

#include "distributed/communicator.h"

namespace cotangent::distributed {

// Returns "straggler: rank 3 on node7, 1.8 times the median" if the slowest rank computed for more
// than kStragglerFactor times as long as the median rank; otherwise "". `seconds` (of computing)
// and `hosts` are by rank. With an even number of ranks the median is the faster of the two in the
// middle.
inline constexpr double kStragglerFactor = 1.5;
std::string DescribeStraggler(const std::vector<double>& seconds,
                              const std::vector<std::string>& hosts);

// Returns the values of `here` on all ranks, indexed by rank; all ranks must call it.
std::vector<double> GatherNumber(Communicator& ranks, double here);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_STRAGGLER_H_
