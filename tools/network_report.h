#ifndef COTANGENT_TOOLS_NETWORK_REPORT_H_
#define COTANGENT_TOOLS_NETWORK_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "layers/network/network_check.h"

// The report that `differentiate --network=FILE --check` prints: it compares a network's
// derivatives by reverse mode, forward mode and finite differences
// (layers/network/network_check.h).
namespace cotangent::tools {

struct NetworkReportOptions {
  std::string network;                 // a name in layers/zoo, or the path of a network text
  std::vector<std::string> overrides;  // field.path=value
  int64_t batch_size = 4;
  uint64_t seed = 1;
  int threads = 0;  // 0: one for each core
};

struct NetworkReport {
  std::string network;
  int64_t batch_size = 0, parameters = 0;
  layers::NetworkCheck check;
};

// Makes the report. Returns an error if the network text (the .textproto file that describes the
// network), an override or the number of threads is wrong, or if the derivatives cannot be
// computed. Reports progress on standard error every few seconds.
absl::StatusOr<NetworkReport> MakeNetworkReport(const NetworkReportOptions& options);

std::string NetworkReportAsText(const NetworkReport& report);
std::string NetworkReportAsJson(const NetworkReport& report);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_NETWORK_REPORT_H_
