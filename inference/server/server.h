// A trained network behind HTTP:
//
//   GET  /              a page on which one drops or photographs a picture
//   POST /v1/classify   a picture (raw), or several (multipart/form-data): what they show, as JSON;
//                       ?top=N classes of each (5), ?explain=1 which parts of it the answer rests on
//   GET  /v1/network    sizes and classes, as JSON
//   GET  /healthz       200 while pictures are taken, 503 while the server ends
//   GET  /metrics       what it has done, for Prometheus
//
// Errors are JSON, {"error": "what was found, and the mend"}: 400 a damaged picture or a wrong
// parameter, 413 too many bytes or pixels, 415 bytes that are no picture, 429 too many wait already
// (Retry-After says when to try again), 503 too slow or ending.
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
  int port = 8080;                               // 0: any that is free
  int connections = 64;                          // that are served at once; others wait
  int64_t most_bytes = int64_t{16} << 20;        // of a request
  int64_t most_pixels = 40'000'000;              // of a picture
  int most_pictures = 64;                        // of a request
  absl::Duration read_time = absl::Seconds(20);  // for all of a request's body
  BatcherOptions batcher;
};

class Server {
 public:
  // Listens. Errors: InvalidArgument for options that make no sense, Unavailable for an address or
  // port that cannot be had.
  static absl::StatusOr<std::unique_ptr<Server>> Start(std::shared_ptr<Classifier> classifier,
                                                       const ServerOptions& options);
  // Stop().
  virtual ~Server() = default;

  virtual int port() const = 0;
  // Answers from the next batch on with another network. No request is lost.
  virtual void Replace(std::shared_ptr<Classifier> classifier) = 0;
  // Takes no more connections, answers what was begun, and returns.
  virtual void Stop() = 0;
};

}  // namespace cotangent::inference

#endif  // COTANGENT_INFERENCE_SERVER_SERVER_H_
