// Keeps connections that send nothing, or requests that never end, from occupying a server's
// threads.
#ifndef COTANGENT_INFERENCE_SERVER_DOORKEEPER_H_
#define COTANGENT_INFERENCE_SERVER_DOORKEEPER_H_

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "absl/time/time.h"

namespace cotangent::inference {

// The time limits for a server's connections.
struct DoorkeeperOptions {
  int port = 0;  // of the server
  // The longest that a request may take to arrive, counted from the connection's beginning or from
  // the previous answer.
  absl::Duration patience = absl::Seconds(20);
  // Takes the place of `patience` while there are more connections than threads, so that some
  // connections wait for a thread.
  absl::Duration patience_when_full = absl::Seconds(2);
  int threads = 64;
};

// Looks at all connections to a port of this process several times a second, and ends those to
// which nothing was sent for as long as `patience` or, if there are more connections than threads,
// `patience_when_full`. It does not end those whose request has arrived and is being served or
// waits for a thread. (The HTTP library limits only the time between two bytes, so it waits for as
// long as a client sends a byte now and then.)
class Doorkeeper {
 public:
  explicit Doorkeeper(const DoorkeeperOptions& options);
  ~Doorkeeper();
  Doorkeeper(const Doorkeeper&) = delete;
  Doorkeeper& operator=(const Doorkeeper&) = delete;

  // Tells the doorkeeper, as long as the object lives, that the server serves a request that has
  // arrived. `client_port` is the port of the connection on the client's side.
  class Service {
   public:
    Service(Doorkeeper& doorkeeper, int client_port);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

   private:
    Doorkeeper& doorkeeper_;
    const int client_port_;
  };

 private:
  void LookAtAll();

  const DoorkeeperOptions options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  // The requests that came from one port of a client.
  struct Served {
    int requests = 0;  // number of requests under way
    absl::Time last;   // when the last request ended
  };
  std::map<int, Served> served_;  // by the client's port
  // Connections (descriptor and the client's port) that are to be ended if the next look finds them
  // slow again. Used by thread_ only.
  std::set<std::pair<int, int>> suspects_;
  std::thread thread_;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_DOORKEEPER_H_
