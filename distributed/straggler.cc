#include "distributed/straggler.h"

#include <algorithm>

#include "absl/strings/str_format.h"

namespace cotangent::distributed {

std::string DescribeStraggler(const std::vector<double>& seconds,
                              const std::vector<std::string>& hosts) {
  std::vector<double> sorted = seconds;
  std::sort(sorted.begin(), sorted.end());
  const double median = sorted[(sorted.size() - 1) / 2];
  const size_t slowest = std::max_element(seconds.begin(), seconds.end()) - seconds.begin();
  if (!(median > 0) || seconds[slowest] <= kStragglerFactor * median) return "";
  return absl::StrFormat("straggler: rank %d on %s, %.1f times the median", slowest, hosts[slowest],
                         seconds[slowest] / median);
}

std::vector<double> GatherNumber(Communicator& ranks, double here) {
  std::vector<double> numbers(ranks.ranks(), 0.0);
  numbers[ranks.rank()] = here;
  ranks.Sum(absl::MakeSpan(numbers));
  return numbers;
}

}  // namespace cotangent::distributed
