#ifndef COTANGENT_TOOLS_LAB_REPORT_TESTING_H_
#define COTANGENT_TOOLS_LAB_REPORT_TESTING_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"
#include "tools/lab/claim.h"

namespace cotangent::tools::lab {

// Returns the ids of the claims that have this verdict, in order. If there is no report, the test
// fails.
inline std::vector<std::string> Ids(const absl::StatusOr<Report>& report, Verdict verdict) {
  std::vector<std::string> ids;
  if (!report.ok()) {
    ADD_FAILURE() << report.status();
    return ids;
  }
  for (const Claim& claim : report->claims) {
    if (claim.verdict == verdict) ids.push_back(claim.id);
  }
  return ids;
}

inline std::vector<std::string> Failing(const absl::StatusOr<Report>& report) {
  return Ids(report, Verdict::kFails);
}

}  // namespace cotangent::tools::lab

#endif  // COTANGENT_TOOLS_LAB_REPORT_TESTING_H_
