// Requests to a server's /v1/classify, sound and broken.
#ifndef COTANGENT_TESTS_ENDURANCE_REQUESTS_H_
#define COTANGENT_TESTS_ENDURANCE_REQUESTS_H_

#include <random>
#include <string>
#include <vector>

namespace cotangent::tests {

// Returns sound requests, each with another picture.
std::vector<std::string> SoundRequests();

// A way in which requests can be broken.
struct Breakage {
  const char* name;
  std::string (*make)(std::mt19937_64& random);
  // What the server may answer; 0: it closes the connection without an answer. Empty: any of these
  // statuses but those of 500 and above.
  std::vector<int> statuses;
  enum class Then { kWait, kEndSending, kAbort } then = Then::kWait;
};
const std::vector<Breakage>& Breakages();

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_ENDURANCE_REQUESTS_H_
