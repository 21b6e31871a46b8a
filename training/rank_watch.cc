#include "training/rank_watch.h"

#include <algorithm>

#include "distributed/straggler.h"

namespace cotangent::training {

RankWatch::RankWatch(distributed::Communicator& ranks)
    : ranks_(ranks), hosts_(ranks.Gather(ranks.host())) {}

std::string RankWatch::Look(const Totals& now, nlohmann::json& line) {
  const double steps = static_cast<double>(std::max<int64_t>(1, now.steps - last_.steps)),
               waited = (now.waited - last_.waited) / steps,
               computed = (now.seconds - last_.seconds) / steps - waited;
  line["communication_seconds"] = (now.under_way - last_.under_way) / steps;
  line["waited_seconds"] = waited;
  const std::vector<double> of_ranks = distributed::GatherNumber(ranks_, computed);
  line["computing_seconds_by_rank"] = of_ranks;
  const std::string straggler = distributed::DescribeStraggler(of_ranks, hosts_);
  // The first call reports no slow rank (process of the training run): it covers the first steps,
  // during which each rank also does other things for the first time.
  const bool tells = last_.steps > 0 && !straggler.empty() && !was_straggler_;
  was_straggler_ = !straggler.empty();
  last_ = now;
  return tells ? straggler : "";
}

}  // namespace cotangent::training
