// Requests to the program `serve`: valid ones, which ask its path /v1/classify what a picture
// shows, and broken ones.
#ifndef COTANGENT_TESTS_ENDURANCE_REQUESTS_H_
#define COTANGENT_TESTS_ENDURANCE_REQUESTS_H_

#include <random>
#include <string>
#include <vector>

namespace cotangent::tests {

// Returns valid requests, each with a different picture.
std::vector<std::string> SoundRequests();

// A way in which requests are broken.
struct Breakage {
  const char* name;
  std::string (*make)(std::mt19937_64& random);
  // The HTTP statuses with which the server may answer; 0 means that it may close the connection
  // without an answer. An empty list allows 0 and every status below 500.
  std::vector<int> statuses;
  // What the client does after it has sent the request.
  enum class Then { kWait, kEndSending, kAbort } then = Then::kWait;
};
const std::vector<Breakage>& Breakages();

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_ENDURANCE_REQUESTS_H_
