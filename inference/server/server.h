// Serves a trained network over HTTP:
//
//   GET  /              a page on which to drop or photograph a picture
//   POST /v1/classify   classifies a picture (raw) or several (multipart/form-data): their classes
//                       as JSON. ?top=N: the N most probable classes (5 if not given); ?explain=1:
//                       also the parts of the picture that the answer depends on. Instead of
//                       "classes", the answer has "labels" or "numbers" if the network finds those
//   GET  /v1/network    the network's input size and classes, as JSON
//   GET  /healthz       200 while requests are accepted, 503 while the server is ending
//   GET  /metrics       statistics for Prometheus
//
// Errors are JSON: {"error": "what was found and how to mend it"}. Statuses: 400 damaged picture,
// damaged request or wrong parameter, 404 no such path, 405 not the path's method, 411 a body of no
// length, 413 too many bytes, pixels or pictures, 415 not a picture, 429 too many pictures
// waiting (Retry-After says when to try again), 503 too slow, or the server is ending.
#ifndef COTANGENT_INFERENCE_SERVER_SERVER_H_
#define COTANGENT_INFERENCE_SERVER_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "inference/classifier.h"
#include "inference/server/batcher.h"

namespace cotangent::inference {

struct ServerOptions {
  std::string address = "127.0.0.1";
  int port = 8080;                               // 0: any free port
  int connections = 64;                          // served at once; further ones wait
  int64_t most_bytes = int64_t{16} << 20;        // of a request
  int64_t most_pixels = 40'000'000;              // of a picture
  int most_pictures = 64;                        // in a request
  absl::Duration read_time = absl::Seconds(20);  // to receive a request's body
  BatcherOptions batcher;
};

class Server {
 public:
  // Starts to listen. Errors: InvalidArgument for invalid options, Unavailable if the address or
  // port cannot be used.
  static absl::StatusOr<std::unique_ptr<Server>> Start(std::shared_ptr<Classifier> classifier,
                                                       const ServerOptions& options);
  // Stops the server, as Stop() does.
  virtual ~Server() = default;

  virtual int port() const = 0;
  // Uses another network from the next batch on. No request is lost.
  virtual void Replace(std::shared_ptr<Classifier> classifier) = 0;
  // Accepts no more connections, answers the requests under way, and returns.
  virtual void Stop() = 0;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_SERVER_H_
