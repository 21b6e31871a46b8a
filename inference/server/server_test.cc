#include "inference/server/server.h"

#include <arpa/inet.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "data/image_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "inference/inference_file.h"
#include "inference/trained_testing.h"
#include "nlohmann/json.hpp"

namespace cotangent::inference {
namespace {

// The type of the parts that a client sends. Its name changed after Debian 13's version of the
// library; only newer versions define CPPHTTPLIB_VERSION_NUM.
#ifdef CPPHTTPLIB_VERSION_NUM
using Parts = httplib::UploadFormDataItems;
#else
using Parts = httplib::MultipartFormDataItems;
#endif

using nlohmann::json;
using ::testing::HasSubstr;

constexpr char kNetwork[] = R"(
  input { height: 8 width: 8 }
  layer { convolution { channels: 4 kernel: 3 } }
  layer { activation { kind: RELU } }
  layer { linear {} })";

std::shared_ptr<Classifier> Loaded(const std::vector<std::string>& classes, int64_t batch = 8) {
  const std::string path = ::testing::TempDir() + "/served.safetensors";
  EXPECT_TRUE(WriteInferenceFile(path, MakeTrained(kNetwork, classes)).ok());
  return *Classifier::Load(path, {.batch_size = batch});
}

data::Image Drawn(int side, int seed) {
  data::Image image = {side, side, std::vector<uint8_t>(size_t{3} * side * side)};
  for (size_t i = 0; i < image.rgb.size(); ++i)
    image.rgb[i] = static_cast<uint8_t>((i * 7919 + seed * 104729) % 251);
  return image;
}

std::string Png(int side, int seed) { return *data::EncodePng(Drawn(side, seed)); }

// Runs a server on a free port, and makes clients for it.
class ServerTest : public ::testing::Test {
 protected:
  void Start(ServerOptions options = {}, std::shared_ptr<Classifier> classifier = nullptr) {
    options.port = 0;
    classifier_ = classifier != nullptr ? classifier : Loaded({"cat", "dog", "bird"});
    auto server = Server::Start(classifier_, options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  httplib::Client Client() const { return httplib::Client("127.0.0.1", server_->port()); }
  // Returns the status and the body.
  std::pair<int, json> Post(const std::string& body, const std::string& query = "") const {
    httplib::Client client = Client();
    client.set_read_timeout(60);
    const auto result = client.Post("/v1/classify" + query, body, "application/octet-stream");
    if (!result) return {0, json(httplib::to_string(result.error()))};
    return {result->status, json::parse(result->body, nullptr, false)};
  }

  std::shared_ptr<Classifier> classifier_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, ClassifiesARawPicture) {
  Start();
  const auto [status, body] = Post(Png(20, 1));
  ASSERT_EQ(status, 200) << body;
  const json& classes = body["pictures"][0]["classes"];
  ASSERT_EQ(classes.size(), 3u);
  const data::Image image = Drawn(20, 1);
  std::vector<float> expected(3);
  ASSERT_TRUE(classifier_->Classify({image.rgb.data(), 20, 20}, absl::MakeSpan(expected)).ok());
  for (const json& one : classes) {
    const size_t number = one["number"];
    EXPECT_EQ(one["name"], classifier_->classes()[number]);
    EXPECT_NEAR(one["probability"].get<double>(), expected[number], 1e-6);
  }
  EXPECT_GE(classes[0]["probability"], classes[1]["probability"]);
  EXPECT_EQ(Post(Png(20, 1), "?top=1").second["pictures"][0]["classes"].size(), 1u);
}

TEST_F(ServerTest, ClassifiesSeveralAsParts) {
  Start();
  const Parts items = {{"a", Png(8, 1), "first.png", "image/png"},
                       {"b", Png(9, 2), "", "image/png"}};
  httplib::Client client = Client();
  const auto result = client.Post("/v1/classify", items);
  ASSERT_TRUE(result);
  ASSERT_EQ(result->status, 200) << result->body;
  const json pictures = json::parse(result->body)["pictures"];
  ASSERT_EQ(pictures.size(), 2u);
  EXPECT_EQ(pictures[0]["name"], "first.png");
  EXPECT_EQ(pictures[1]["name"], "b");
}

TEST_F(ServerTest, ExplainsByOcclusion) {
  Start();
  const auto [status, body] = Post(Png(20, 1), "?explain=1");
  ASSERT_EQ(status, 200) << body;
  const json& explanation = body["pictures"][0]["explanation"];
  EXPECT_EQ(explanation["rows"], 7);
  EXPECT_EQ(explanation["drop"].size(), 49u);
  EXPECT_EQ(explanation["number"], body["pictures"][0]["classes"][0]["number"]);
}

TEST_F(ServerTest, AnswersWithLabelsAndNumbers) {
  const auto loaded = [](const std::string& loss) {
    const std::string path = ::testing::TempDir() + "/values.safetensors";
    EXPECT_TRUE(
        WriteInferenceFile(path, MakeTrained(kNetwork + loss, {"age", "height", "weight"})).ok());
    return std::shared_ptr<Classifier>(*Classifier::Load(path, {.batch_size = 8}));
  };
  Start({}, loaded("loss { binary_cross_entropy {} }"));
  json picture = Post(Png(20, 1), "?top=2&explain=1").second["pictures"][0];
  ASSERT_EQ(picture["labels"].size(), 2u) << picture;
  EXPECT_GE(picture["labels"][0]["probability"], picture["labels"][1]["probability"]);
  EXPECT_EQ(picture["explanation"]["number"], picture["labels"][0]["number"]);
  EXPECT_EQ(json::parse(Client().Get("/v1/network")->body)["answers"], "labels");
  server_->Replace(loaded("loss { squared_error {} }"));
  picture = Post(Png(20, 1), "?top=2&explain=1").second["pictures"][0];
  ASSERT_EQ(picture["numbers"].size(), 3u) << picture;
  EXPECT_EQ(picture["numbers"][1]["name"], "height");
  EXPECT_TRUE(picture["numbers"][1]["value"].is_number());
  EXPECT_EQ(picture["explanation"]["number"], 0);
}

TEST_F(ServerTest, RefusesWhatItShould) {
  ServerOptions options;
  options.most_bytes = 20'000;
  options.most_pixels = 1000;
  options.most_pictures = 2;
  Start(options);
  const auto expect = [&](const std::string& body, const std::string& query, int status,
                          const std::string& says) {
    const auto [found, answer] = Post(body, query);
    EXPECT_EQ(found, status) << answer;
    EXPECT_THAT(answer["error"].dump(), HasSubstr(says));
  };
  expect("no picture at all", "", 415, " nor PNG");
  expect("", "", 415, "the file is empty");
  expect(Png(20, 1).substr(0, 60), "", 400, "not a sound PNG");
  expect(Png(40, 1), "", 413, "at most 1000");
  expect(std::string(30'000, 'x'), "", 413, "more than 20000 bytes");
  expect(Png(8, 1), "?top=0", 400, "top=0: expected a number from 1 to 1000");
  expect(Png(8, 1), "?explain=yes", 400, "explain=yes");
  const Parts items = {{"a", "x", "", ""}, {"b", "x", "", ""}, {"c", "x", "", ""}};
  httplib::Client client = Client();
  EXPECT_EQ(client.Post("/v1/classify", items)->status, 413);
  const auto expect_error = [](const httplib::Result& result, int status, const std::string& says) {
    ASSERT_TRUE(result);
    EXPECT_EQ(result->status, status);
    EXPECT_THAT(json::parse(result->body)["error"].dump(), HasSubstr(says));
  };
  expect_error(client.Get("/nowhere"), 404, "there is no /nowhere; expected /, /v1/classify, ");
  expect_error(client.Put("/v1/classify", "x", "image/png"), 405,
               "PUT /v1/classify: expected POST");
  EXPECT_EQ(client.Get("/v1/classify")->get_header_value("Allow"), "POST");
  expect_error(client.Delete("/healthz"), 405, "DELETE /healthz: expected GET, HEAD");
  expect_error(client.Get(("/" + std::string(9000, 'a')).c_str()), 414, "at most 8192 bytes");
  expect_error(client.Post("/v1/classify", "--b\r\nno part", "multipart/form-data; boundary=b"),
               400, "multipart/form-data with a boundary");
  EXPECT_EQ(Post(Png(8, 1)).first, 200);  // the server still answers
}

// Sends a request whose picture arrives only after `time`, so that the server holds back the batch
// of other requests for it. Sets *status to the answer's status, or to 0 if there is no answer.
void PostSlowly(httplib::Client client, const std::string& body, absl::Duration time, int* status) {
  const auto result = client.Post(
      "/v1/classify", body.size(),
      [&](size_t offset, size_t length, httplib::DataSink& sink) {
        if (offset == 0) {
          sink.write(body.data(), 1);
          absl::SleepFor(time);
          return true;
        }
        sink.write(body.data() + offset, length);
        return true;
      },
      "image/png");
  *status = result ? result->status : 0;
}

TEST_F(ServerTest, TooManyAreTurnedAway) {
  ServerOptions options;
  options.batcher.most_waiting = 1;
  options.batcher.delay = absl::Seconds(5);
  Start(options);
  int slow = 0;
  std::thread holder([&] { PostSlowly(Client(), Png(8, 0), absl::Milliseconds(600), &slow); });
  absl::SleepFor(absl::Milliseconds(150));
  std::vector<std::thread> threads;
  std::vector<int> statuses(4);
  for (int i = 0; i < 4; ++i) threads.emplace_back([&, i] { statuses[i] = Post(Png(8, i)).first; });
  for (std::thread& thread : threads) thread.join();
  holder.join();
  EXPECT_THAT(statuses, ::testing::Contains(200));
  EXPECT_THAT(statuses, ::testing::Contains(429));
  for (int status : statuses) EXPECT_TRUE(status == 200 || status == 429) << status;
}

TEST_F(ServerTest, GathersBatches) {
  ServerOptions options;
  options.batcher.delay = absl::Seconds(5);
  Start(options);
  int slow = 0;
  std::thread holder([&] { PostSlowly(Client(), Png(8, 9), absl::Milliseconds(500), &slow); });
  absl::SleepFor(absl::Milliseconds(150));
  std::vector<std::thread> threads;
  for (int i = 0; i < 7; ++i)
    threads.emplace_back([&, i] { EXPECT_EQ(Post(Png(8, i)).first, 200); });
  for (std::thread& thread : threads) thread.join();
  holder.join();
  EXPECT_EQ(slow, 200);
  const std::string metrics = Client().Get("/metrics")->body;
  EXPECT_THAT(metrics, HasSubstr("cotangent_pictures_total 8\n"));
  EXPECT_THAT(metrics, HasSubstr("cotangent_requests_total{status=\"200\"} 8\n"));
  EXPECT_THAT(metrics, HasSubstr("cotangent_request_seconds_count 8\n"));
  const std::string batches = "cotangent_batches_total ";
  const size_t at = metrics.rfind(batches) + batches.size();
  EXPECT_LT(std::stoi(metrics.substr(at)), 8);
}

// A picture waits, up to BatcherOptions::delay, only for other requests that are arriving. If there
// are none, it does not wait.
TEST_F(ServerTest, ALonePictureDoesNotWait) {
  ServerOptions options;
  options.batcher.delay = absl::Seconds(100);
  Start(options);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Post(Png(8, i)).first, 200);
}

TEST_F(ServerTest, SaysWhatItIs) {
  Start();
  EXPECT_EQ(Client().Get("/healthz")->body, "ok\n");
  EXPECT_EQ(json::parse(Client().Get("/v1/network")->body)["classes"],
            (json{"cat", "dog", "bird"}));
  const auto page = Client().Get("/");
  EXPECT_THAT(page->body, HasSubstr("<!DOCTYPE html>"));
  EXPECT_THAT(page->get_header_value("Content-Type"), HasSubstr("text/html"));
}

TEST_F(ServerTest, AnotherNetworkTakesOverWithoutALoss) {
  Start();
  std::atomic<bool> going = true;
  std::atomic<int> answers = 0, others = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      while (going) ++(Post(Png(8, t)).first == 200 ? answers : others);
    });
  }
  for (int i = 0; i < 5; ++i) {
    absl::SleepFor(absl::Milliseconds(20));
    server_->Replace(Loaded(i % 2 == 0 ? std::vector<std::string>{"one", "two"}
                                       : std::vector<std::string>{"a", "b", "c", "d"}));
  }
  going = false;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(answers, 5);
  EXPECT_EQ(others, 0);
  EXPECT_EQ(json::parse(Client().Get("/v1/network")->body)["classes"], (json{"one", "two"}));
}

TEST_F(ServerTest, StopAnswersWhatWasBegun) {
  Start();
  int status = 0;
  std::thread client([&] { PostSlowly(Client(), Png(8, 1), absl::Milliseconds(400), &status); });
  absl::SleepFor(absl::Milliseconds(150));
  server_->Stop();
  client.join();
  EXPECT_EQ(status, 200);
  EXPECT_FALSE(Client().Get("/healthz"));
}

// Connects to a server, sends `bytes`, and returns the socket.
int Begin(int port, const std::string& bytes) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  EXPECT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(send(client, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  return client;
}

// Clients that send nothing at first, never end their headers, or never end a body occupy all
// threads and send a byte now and then. The server closes their connections and answers others.
TEST_F(ServerTest, EndsWhatNeverEnds) {
  ServerOptions options;
  options.connections = 2;
  options.read_time = absl::Seconds(5);
  Start(options);
  constexpr char kBegins[] = "POST /v1/classify HTTP/1.1\r\n";
  std::vector<int> clients;
  for (int i = 0; i < 2; ++i) {
    clients.push_back(Begin(server_->port(), ""));
    clients.push_back(Begin(server_->port(), kBegins));
    clients.push_back(Begin(server_->port(), absl::StrCat(kBegins, "Content-Length: 9\r\n\r\n")));
  }
  std::atomic<bool> going = true;
  std::thread drip([&] {
    while (going) {
      for (int client : clients) send(client, "x", 1, MSG_NOSIGNAL);
      absl::SleepFor(absl::Milliseconds(900));
    }
  });
  EXPECT_EQ(Post(Png(8, 1)).first, 200);
  going = false;
  drip.join();
  for (int client : clients) close(client);
}

// Sends a request and returns the beginning of the answer, or nothing if none comes within three
// seconds.
std::string AnswerTo(int port, const std::string& request) {
  const int client = Begin(port, request);
  const timeval patience = {3, 0};  // seconds, and microseconds
  setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  std::string answer(1000, '\0');
  answer.resize(std::max<ssize_t>(0, recv(client, answer.data(), answer.size(), 0)));
  close(client);
  return answer;
}

// Without a length, the HTTP library would wait five seconds for a body; it would decompress parts
// without a limit.
TEST_F(ServerTest, BodiesOfUnknownSizeAreErrors) {
  Start();
  constexpr char kBegins[] = "POST /v1/classify HTTP/1.1\r\n";
  EXPECT_THAT(AnswerTo(server_->port(), absl::StrCat(kBegins, "\r\n")), HasSubstr("HTTP/1.1 411"));
  const std::string parts = AnswerTo(
      server_->port(), absl::StrCat(kBegins, "Content-Type: multipart/form-data; boundary=b\r\n",
                                    "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nbomb"));
  EXPECT_THAT(parts, HasSubstr("HTTP/1.1 415"));
  EXPECT_THAT(parts, HasSubstr("Connection: close"));
}

TEST_F(ServerTest, APortInUseIsAnError) {
  Start();
  ServerOptions options;
  options.port = server_->port();
  EXPECT_THAT(Server::Start(classifier_, options).status().message(),
              HasSubstr("is another program using it"));
  options.port = 8080;
  options.address = "203.0.113.1";  // TEST-NET-3: no machine has it
  const auto server = Server::Start(classifier_, options);
  EXPECT_THAT(server.status().message(), HasSubstr("cannot listen at 203.0.113.1:8080"));
}

}  // namespace
}  // namespace cotangent::inference
