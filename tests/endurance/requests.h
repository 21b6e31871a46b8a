// Requests to the path /v1/classify of the program `serve`, valid and broken.
#ifndef COTANGENT_TESTS_ENDURANCE_REQUESTS_H_
#define COTANGENT_TESTS_ENDURANCE_REQUESTS_H_

#include <random>
#include <string>
#include <vector>

namespace cotangent::tests {

// Returns valid requests, each with another picture.
std::vector<std::string> SoundRequests();

// A way in which requests are broken.
struct Breakage {
  const char* name;
  std::string (*make)(std::mt19937_64& random);
  // The statuses of the answers that the server may give; 0: it closes the connection without an
  // answer. Empty: 0, or any status below 500.
  std::vector<int> statuses;
  // What the client does after it has sent the request.
  enum class Then { kWait, kEndSending, kAbort } then = Then::kWait;
};
const std::vector<Breakage>& Breakages();

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_ENDURANCE_REQUESTS_H_
