// Which rank keeps the others waiting.
#ifndef COTANGENT_DISTRIBUTED_STRAGGLER_H_
#define COTANGENT_DISTRIBUTED_STRAGGLER_H_

#include <string>
#include <vector>

#include "distributed/communicator.h"

namespace cotangent::distributed {

// "straggler: rank 3 on node7, 1.8 times the median" where the slowest rank computed for more than
// kStragglerFactor times as long as the median rank (of an even number, the faster of the two in the
// middle); else empty. `seconds` and `hosts` are by rank.
inline constexpr double kStragglerFactor = 1.5;
std::string DescribeStraggler(const std::vector<double>& seconds,
                              const std::vector<std::string>& hosts);

// The numbers of all ranks, by rank; a call that all make.
std::vector<double> GatherNumber(Communicator& ranks, double here);

}  // namespace cotangent::distributed

#endif  // COTANGENT_DISTRIBUTED_STRAGGLER_H_
