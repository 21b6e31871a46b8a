#ifndef COTANGENT_TOOLS_NETWORK_REPORT_H_
#define COTANGENT_TOOLS_NETWORK_REPORT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "layers/network/network_check.h"

// What `differentiate --network=FILE --check` prints: the derivatives of a network by reverse mode,
// forward mode and differences, held against each other (layers/network/network_check.h).
namespace cotangent::tools {

struct NetworkReportOptions {
  std::string network;                 // of the zoo, or a path
  std::vector<std::string> overrides;  // field.path=value
  int64_t batch_size = 4;
  uint64_t seed = 1;
  int threads = 0;  // 0: one a core
};

struct NetworkReport {
  std::string network;
  int64_t batch_size = 0, parameters = 0;
  layers::NetworkCheck check;
};

// Errors: those of the network text, its overrides and the number of threads. Standard error is
// told every few seconds how far it is.
absl::StatusOr<NetworkReport> MakeNetworkReport(const NetworkReportOptions& options);

std::string NetworkReportAsText(const NetworkReport& report);
std::string NetworkReportAsJson(const NetworkReport& report);

}  // namespace cotangent::tools

#endif  // COTANGENT_TOOLS_NETWORK_REPORT_H_
