// Serves a trained network over HTTP.

#include <signal.h>
#include <stdio.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "inference/classifier.h"
#include "inference/server/server.h"
#include "tools/checkpoint_flag.h"
#include "tools/command_line.h"
#include "tools/precision.h"
#include "tools/shared_flags.h"
#include "tools/tuner_watch.h"

COTANGENT_CHECKPOINT_FLAG;
ABSL_FLAG(int, port, 8080, "where to listen; 0: any port that is free");
ABSL_FLAG(std::string, address, "127.0.0.1",
          "the address to listen at; 0.0.0.0 lets every machine of the network in");
COTANGENT_THREADS_FLAG;
ABSL_FLAG(int64_t, batch_size, 16, "the most pictures that are computed at once");
ABSL_FLAG(double, delay, 2,
          "milliseconds that a picture waits, at most, for others that are on their way");
ABSL_FLAG(int64_t, most_waiting, 256, "pictures that may wait before others are refused (429)");
ABSL_FLAG(int, connections, 64, "connections that are served at once");
ABSL_FLAG(int64_t, most_bytes, int64_t{16} << 20, "bytes of a request (413 above)");
ABSL_FLAG(int64_t, most_pixels, 40'000'000, "pixels of a picture (413 above)");
ABSL_FLAG(std::string, precision, "f32", "f32 or bf16");

namespace cotangent::tools {
namespace {

constexpr int kMostConnections = 4096;  // of --connections; each has a thread
constexpr int kMostSimultaneous = 4;    // pictures; each takes the memory of a plan

constexpr char kUsage[] =
    "Answers over HTTP what pictures show: a page at /, JSON at /v1/classify, /healthz, /metrics.\n"
    "SIGTERM ends it after what was begun is answered; SIGHUP loads the checkpoint anew.\n"
    "\n"
    "  serve --checkpoint=runs/convnet --port=8080\n";

absl::StatusOr<std::shared_ptr<inference::Classifier>> Load() {
  RETURN_IF_ERROR(CheckCheckpointFlag(absl::GetFlag(FLAGS_checkpoint)));
  inference::ClassifierOptions options;
  layers::TunerWatch watch = TerminalWatch();
  options.before_measuring = std::move(watch.before_measuring);
  options.stuck = std::move(watch.stuck);
  options.threads = absl::GetFlag(FLAGS_threads);
  options.batch_size = absl::GetFlag(FLAGS_batch_size);
  options.simultaneous = kMostSimultaneous;
  ASSIGN_OR_RETURN(const ElementType precision,
                   ParsePrecision("precision", absl::GetFlag(FLAGS_precision)));
  if (precision == ElementType::kBf16) options.precision = inference::Precision::kBf16;
  ASSIGN_OR_RETURN(auto classifier,
                   inference::Classifier::Load(absl::GetFlag(FLAGS_checkpoint), options));
  return std::shared_ptr<inference::Classifier>(std::move(classifier));
}

absl::StatusOr<inference::ServerOptions> OptionsOfFlags() {
  if (const int port = absl::GetFlag(FLAGS_port); port < 0 || port > 65'535)
    return FlagError("port", absl::StrCat(port), "0 to 65535");
  if (const double delay = absl::GetFlag(FLAGS_delay); !(delay >= 0 && delay <= 10'000))
    return FlagError("delay", absl::StrCat(delay), "0 to 10000 milliseconds");
  for (const auto& [name, value] :
       {std::pair<const char*, int64_t>{"most_waiting", absl::GetFlag(FLAGS_most_waiting)},
        {"connections", absl::GetFlag(FLAGS_connections)},
        {"most_bytes", absl::GetFlag(FLAGS_most_bytes)},
        {"most_pixels", absl::GetFlag(FLAGS_most_pixels)}}) {
    if (value < 1) return FlagError(name, absl::StrCat(value), "1 or more");
  }
  if (const int connections = absl::GetFlag(FLAGS_connections); connections > kMostConnections)
    return FlagError("connections", absl::StrCat(connections),
                     absl::StrCat("at most ", kMostConnections, ", each of which has a thread"));
  if (absl::GetFlag(FLAGS_address).empty())
    return FlagError("address", "", "an address of this machine, or 0.0.0.0 for all of them");
  inference::ServerOptions options;
  options.address = absl::GetFlag(FLAGS_address);
  options.port = absl::GetFlag(FLAGS_port);
  options.connections = absl::GetFlag(FLAGS_connections);
  options.most_bytes = absl::GetFlag(FLAGS_most_bytes);
  options.most_pixels = absl::GetFlag(FLAGS_most_pixels);
  options.batcher.delay = absl::Milliseconds(absl::GetFlag(FLAGS_delay));
  options.batcher.most_waiting = absl::GetFlag(FLAGS_most_waiting);
  return options;
}

absl::Status Serve(const CommandLine&) {
  // Threads that are started from here on inherit the blocked signals, so only this thread receives
  // them, by sigwait() below.
  sigset_t signals;
  sigemptyset(&signals);
  for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);

  ASSIGN_OR_RETURN(const inference::ServerOptions options, OptionsOfFlags());
  ASSIGN_OR_RETURN(std::shared_ptr<inference::Classifier> classifier, Load());
  ASSIGN_OR_RETURN(const auto server, inference::Server::Start(std::move(classifier), options));
  printf("http://%s:%d/\n", options.address.c_str(), server->port());
  fflush(stdout);
  for (;;) {
    int signal = 0;
    if (sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) break;
    absl::StatusOr<std::shared_ptr<inference::Classifier>> next = Load();
    if (next.ok()) {
      server->Replace(*std::move(next));
      fprintf(stderr, "the checkpoint was loaded anew\n");
    } else {
      Say(absl::StrCat("going on with the network there is: ", next.status().message()));
    }
  }
  fprintf(stderr, "ending: no more connections; what was begun is answered\n");
  server->Stop();
  return absl::OkStatus();
}

}  // namespace
}  // namespace cotangent::tools

int main(int argc, char** argv) {
  using namespace cotangent::tools;
  return RunProgram(argc, argv, kUsage, "serve", Serve);
}
