#include "inference/server/server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/status_macros.h"
#include "data/image_file.h"
#include "inference/server/doorkeeper.h"
#include "inference/server/metrics.h"
#include "inference/server/occlusion.h"
#include "inference/server/page.h"
#include "nlohmann/json.hpp"

namespace cotangent::inference {
namespace {

using nlohmann::json;

constexpr char kJson[] = "application/json; charset=utf-8";
constexpr int kMostTop = 1000;
constexpr int kDefaultTop = 5;
// A connection occupies a thread, so it is closed after this many idle seconds, or this many
// requests.
constexpr int kIdleSeconds = 2, kMostRequestsOfConnection = 1'000'000;

constexpr int kOk = 200, kBadRequest = 400, kNotFound = 404, kWrongMethod = 405,
              kLengthRequired = 411, kTooLarge = 413, kAddressTooLong = 414, kUnsupported = 415,
              kTooMany = 429, kInternal = 500, kUnavailable = 503;

int HttpStatus(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kOk;
    case absl::StatusCode::kInvalidArgument:
      return kBadRequest;
    case absl::StatusCode::kFailedPrecondition:
      return kLengthRequired;
    case absl::StatusCode::kOutOfRange:
      return kTooLarge;
    case absl::StatusCode::kUnimplemented:
      return kUnsupported;
    case absl::StatusCode::kResourceExhausted:
      return kTooMany;
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kUnavailable:
      return kUnavailable;
    default:
      return kInternal;
  }
}

std::string Text(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

// Returns the number that the parameter `name` of the request's query has, or `otherwise` if the
// query lacks it. Returns an error if it is not a number from `least` to `most`.
absl::StatusOr<int> Parameter(const httplib::Request& request, const char* name, int otherwise,
                              int least, int most) {
  if (!request.has_param(name)) return otherwise;
  int value = 0;
  const std::string text = request.get_param_value(name);
  if (!absl::SimpleAtoi(text, &value) || value < least || value > most)
    return absl::InvalidArgumentError(absl::StrCat("parameter ", name, "=", text.substr(0, 20),
                                                   ": expected a number from ", least, " to ",
                                                   most));
  return value;
}

// A path of the server, and the methods with which it may be requested.
struct Path {
  std::string name, methods;
};

// Adds a message to a response with an error status that the HTTP library found itself; turns 404
// for one of `paths` into 405.
void Explain(const httplib::Request& request, const std::vector<Path>& paths,
             const absl::Status& too_many_bytes, httplib::Response& response) {
  std::string says = absl::StrCat("status ", response.status);
  if (response.status == kNotFound) {
    says = absl::StrCat("there is no ", request.path.substr(0, 100), "; expected ",
                        absl::StrJoin(paths, ", ", [](std::string* out, const Path& path) {
                          absl::StrAppend(out, path.name);
                        }));
    for (const Path& path : paths) {
      if (request.path != path.name) continue;
      response.status = kWrongMethod;
      response.set_header("Allow", path.methods);
      says = absl::StrCat(request.method, " ", path.name, ": expected ", path.methods);
    }
  } else if (response.status == kTooLarge) {
    says = std::string(too_many_bytes.message());
  } else if (response.status == kAddressTooLong) {
    says = "the address is too long; expected at most 8192 bytes";
  } else if (response.status == kBadRequest) {
    says = "not a request in HTTP/1.1, or one with a header of more than 8192 bytes";
  }
  response.set_content(Text({{"error", says}}), kJson);
}

// Returns whether the body of a request is multipart/form-data that is compressed. The HTTP library
// decompresses such a body before it looks for parts, and passes only parts on to Receive(). So
// Receive() could not limit the bytes and the time that the rest takes: 16 MB can become 16 GB.
bool HasCompressedParts(const httplib::Request& request) {
  return request.is_multipart_form_data() && request.has_header("Content-Encoding");
}

// A picture file in a request.
struct Upload {
  std::string name, bytes;
};

// Returns as JSON the `top` most probable classes or labels of a picture, the most probable first;
// or all numbers, if the network computes numbers.
json Ranking(const Batcher::Answer& answer, int top) {
  const std::vector<float>& p = answer.probabilities;
  json found = json::array();
  if (answer.classifier->answers() == TargetKind::kNumbers) {
    for (size_t k = 0; k < p.size(); ++k)
      found.push_back({{"name", answer.classifier->classes()[k]}, {"number", k}, {"value", p[k]}});
    return found;
  }
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  const size_t count = std::min<size_t>(static_cast<size_t>(top), p.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(count), order.end(),
                    [&](size_t a, size_t b) { return p[a] != p[b] ? p[a] > p[b] : a < b; });
  for (size_t i = 0; i < count; ++i)
    found.push_back({{"name", answer.classifier->classes()[order[i]]},
                     {"number", order[i]},
                     {"probability", p[order[i]]}});
  return found;
}

class HttpServer : public Server {
 public:
  HttpServer(std::shared_ptr<Classifier> classifier, const ServerOptions& options)
      : options_(options), batcher_(std::move(classifier), options.batcher) {}
  ~HttpServer() override { Stop(); }

  absl::Status Listen() {
    if (options_.connections < 1 || options_.most_bytes < 1 || options_.most_pixels < 1 ||
        options_.most_pictures < 1 || options_.port < 0 || options_.port > 65'535)
      return absl::InvalidArgumentError(
          "the server's limits must be 1 or more, and its port 0 to 65535");
    http_.new_task_queue = [this] { return new httplib::ThreadPool(options_.connections); };
    http_.set_payload_max_length(static_cast<size_t>(options_.most_bytes));
    http_.set_keep_alive_timeout(kIdleSeconds);
    http_.set_keep_alive_max_count(kMostRequestsOfConnection);
    http_.set_tcp_nodelay(true);
    // The library's own options (SO_REUSEPORT) would let several servers listen at one port.
    http_.set_socket_options([this](int socket) {
      const int yes = 1;
      setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
      listening_ = socket;
    });
    AddRoutes();
    port_ = options_.port == 0 ? http_.bind_to_any_port(options_.address) : options_.port;
    if (port_ <= 0 || (options_.port != 0 && !http_.bind_to_port(options_.address, port_)))
      return absl::UnavailableError(
          absl::StrCat("cannot listen at ", options_.address, ":", options_.port,
                       ": is another program using it, or is the address not this machine's? "
                       "Choose another --port or --address"));
    // The HTTP library asks for a short queue of connections that are not accepted yet; connections
    // that do not fit into it are delayed by a second or more.
    listen(listening_, SOMAXCONN);
    // The doorkeeper closes a connection whose request takes longer than its patience, which is a
    // little longer than read_time, so that Receive() is first to report a body that took too long.
    doorkeeper_ = std::make_unique<Doorkeeper>(
        DoorkeeperOptions{.port = port_,
                          .patience = options_.read_time + absl::Seconds(1),
                          .threads = options_.connections});
    listener_ = std::thread([this] { http_.listen_after_bind(); });
    while (!http_.is_running()) absl::SleepFor(absl::Milliseconds(1));
    return absl::OkStatus();
  }

  int port() const override { return port_; }
  void Replace(std::shared_ptr<Classifier> classifier) override {
    batcher_.Replace(std::move(classifier));
  }
  void Stop() override {
    stopping_ = true;
    http_.stop();
    if (listener_.joinable()) listener_.join();
    doorkeeper_.reset();
  }

 private:
  void AddRoutes();
  // Add a path and what answers it.
  void AddPage(const std::string& path, httplib::Server::Handler handler) {
    paths_.push_back({path, "GET, HEAD"});
    http_.Get(path, std::move(handler));
  }
  void AddUpload(const std::string& path, httplib::Server::HandlerWithContentReader handler) {
    paths_.push_back({path, "POST"});
    http_.Post(path, std::move(handler));
  }
  void Classify(const httplib::Request& request, httplib::Response& response,
                const httplib::ContentReader& content);
  absl::StatusOr<std::vector<Upload>> Receive(const httplib::Request& request,
                                              const httplib::Response& response,
                                              const httplib::ContentReader& content) const;
  absl::Status TooManyBytes() const {
    return absl::OutOfRangeError(absl::StrCat("a request of more than ", options_.most_bytes,
                                              " bytes; make the picture smaller"));
  }
  static absl::Status TooSlow() {
    return absl::DeadlineExceededError("the request took too long to arrive");
  }
  absl::StatusOr<data::Image> Decode(const Upload& upload) const;
  absl::StatusOr<json> Describe(const std::vector<Upload>& uploads, int top, bool explain);
  json DescribeNetwork() const;

  const ServerOptions options_;
  Batcher batcher_;
  Metrics metrics_;
  httplib::Server http_;
  std::vector<Path> paths_;
  int listening_ = -1;  // the listening socket
  std::unique_ptr<Doorkeeper> doorkeeper_;
  std::thread listener_;
  std::atomic<bool> stopping_ = false;
  int port_ = 0;
};

void HttpServer::AddRoutes() {
  AddPage("/", [](const httplib::Request&, httplib::Response& response) {
    response.set_header("Content-Security-Policy",
                        "default-src 'none'; style-src 'unsafe-inline'; script-src "
                        "'unsafe-inline'; img-src blob: data:; connect-src 'self'");
    response.set_content(kPage, "text/html; charset=utf-8");
  });
  AddUpload("/v1/classify", [this](const httplib::Request& request, httplib::Response& response,
                                   const httplib::ContentReader& content) {
    Classify(request, response, content);
  });
  AddPage("/v1/network", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(Text(DescribeNetwork()), kJson);
  });
  AddPage("/healthz", [this](const httplib::Request&, httplib::Response& response) {
    response.status = stopping_ ? kUnavailable : kOk;
    response.set_content(stopping_ ? "ending\n" : "ok\n", "text/plain");
  });
  AddPage("/metrics", [this](const httplib::Request&, httplib::Response& response) {
    response.set_content(metrics_.ToText(batcher_.numbers()), "text/plain; version=0.0.4");
  });
  http_.set_error_handler([this](const httplib::Request& request, httplib::Response& response) {
    if (response.body.empty()) Explain(request, paths_, TooManyBytes(), response);
  });
}

json HttpServer::DescribeNetwork() const {
  const std::shared_ptr<Classifier> classifier = batcher_.classifier();
  return {{"answers", PluralOf(classifier->answers())},
          {"classes", classifier->classes()},
          {"channels", classifier->channels()},
          {"height", classifier->height()},
          {"width", classifier->width()}};
}

absl::StatusOr<std::vector<Upload>> HttpServer::Receive(
    const httplib::Request& request, const httplib::Response& response,
    const httplib::ContentReader& content) const {
  // Without either, the HTTP library would wait for the connection to end.
  if (!request.has_header("Content-Length") && !request.has_header("Transfer-Encoding"))
    return absl::FailedPreconditionError(
        "the request does not say how long its body is; send a picture with Content-Length or in "
        "chunks");
  if (HasCompressedParts(request))
    return absl::UnimplementedError(
        "multipart/form-data with a Content-Encoding; send the parts without, since pictures are "
        "compressed already");
  std::vector<Upload> uploads;
  int64_t bytes = 0;
  absl::Status status;
  const absl::Time deadline = absl::Now() + options_.read_time;
  const auto receive = [&](const char* data, size_t size) {
    bytes += static_cast<int64_t>(size);
    if (bytes > options_.most_bytes) status = TooManyBytes();
    if (absl::Now() > deadline) status = TooSlow();
    if (status.ok()) uploads.back().bytes.append(data, size);
    return status.ok();
  };
  bool is_whole;
  if (request.is_multipart_form_data()) {
    is_whole = content(
        [&](const auto& part) {  // its type's name depends on the library's version
          if (static_cast<int>(uploads.size()) >= options_.most_pictures)
            status =
                absl::OutOfRangeError(absl::StrCat("more than ", options_.most_pictures,
                                                   " pictures in a request; send them in several"));
          else
            uploads.push_back({part.filename.empty() ? part.name : part.filename, ""});
          return status.ok();
        },
        receive);
  } else {
    uploads.push_back({"picture", ""});
    is_whole = content(receive);
  }
  RETURN_IF_ERROR(status);
  // The HTTP library refuses a body whose announced length is too large.
  if (!is_whole && response.status == kTooLarge) return TooManyBytes();
  if (!is_whole && absl::Now() > deadline) return TooSlow();  // ended by the doorkeeper
  if (!is_whole)
    return absl::InvalidArgumentError(
        "the request ended before it was complete, or its parts or its encoding cannot be read; "
        "send the bytes of a picture, or multipart/form-data with a boundary");
  if (uploads.empty())
    return absl::InvalidArgumentError(
        "the request holds no picture; send one as its body, or "
        "some as parts of multipart/form-data");
  return uploads;
}

absl::StatusOr<data::Image> HttpServer::Decode(const Upload& upload) const {
  const auto bytes = absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(upload.bytes.data()),
                                         upload.bytes.size());
  absl::StatusOr<data::Image> image = data::DecodeImage(bytes, upload.name, options_.most_pixels);
  // Distinguishes bytes that are no picture at all from a picture that is damaged.
  if (!image.ok() && !data::IsPicture(bytes))
    return absl::UnimplementedError(image.status().message());
  return image;
}

absl::StatusOr<json> HttpServer::Describe(const std::vector<Upload>& uploads, int top,
                                          bool explain) {
  json pictures = json::array();
  for (size_t next = 0; next < uploads.size();) {
    // Pictures are decoded and computed together until they have as many pixels as one may have.
    std::vector<data::Image> images;
    for (int64_t pixels = 0; next + images.size() < uploads.size();) {
      ASSIGN_OR_RETURN(data::Image image, Decode(uploads[next + images.size()]));
      pixels += int64_t{image.width} * image.height;
      images.push_back(std::move(image));
      if (pixels >= options_.most_pixels) break;
    }
    ASSIGN_OR_RETURN(const std::vector<Batcher::Answer> answers, batcher_.Classify(images));
    for (size_t i = 0; i < images.size(); ++i, ++next) {
      const Batcher::Answer& answer = answers[i];
      json result = {{"name", uploads[next].name},
                     {PluralOf(answer.classifier->answers()), Ranking(answer, top)}};
      if (explain) {
        ASSIGN_OR_RETURN(const Occlusion occlusion, Occlude(*answer.classifier, images[i]));
        result["explanation"] = {{"rows", occlusion.rows},
                                 {"columns", occlusion.columns},
                                 {"number", occlusion.top},
                                 {"drop", occlusion.drop}};
      }
      pictures.push_back(std::move(result));
    }
  }
  return pictures;
}

void HttpServer::Classify(const httplib::Request& request, httplib::Response& response,
                          const httplib::ContentReader& content) {
  const absl::Time start = absl::Now();
  const Batcher::Arrival arrival(batcher_, request.remote_port);
  std::optional<Doorkeeper::Service> service;
  const auto answer = [&]() -> absl::StatusOr<json> {
    ASSIGN_OR_RETURN(const std::vector<Upload> uploads, Receive(request, response, content));
    service.emplace(*doorkeeper_, request.remote_port);
    ASSIGN_OR_RETURN(const int top, Parameter(request, "top", kDefaultTop, 1, kMostTop));
    ASSIGN_OR_RETURN(const int explain, Parameter(request, "explain", 0, 0, 1));
    ASSIGN_OR_RETURN(json pictures, Describe(uploads, top, explain == 1));
    return json{{"pictures", std::move(pictures)}};
  }();
  const double seconds = absl::ToDoubleSeconds(absl::Now() - start);
  response.status = HttpStatus(answer.status());
  json body = answer.ok() ? *answer : json{{"error", std::string(answer.status().message())}};
  if (answer.ok()) body["milliseconds"] = seconds * 1000;
  // The body of such a request was not read: the connection cannot be used for another.
  if (HasCompressedParts(request)) response.set_header("Connection", "close");
  if (response.status == kTooMany || response.status == kUnavailable)
    response.set_header("Retry-After", "1");
  response.set_content(Text(body), kJson);
  metrics_.Count(response.status, seconds);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(std::shared_ptr<Classifier> classifier,
                                                      const ServerOptions& options) {
  auto server = std::make_unique<HttpServer>(std::move(classifier), options);
  RETURN_IF_ERROR(server->Listen());
  return server;
}

}  // namespace cotangent::inference
