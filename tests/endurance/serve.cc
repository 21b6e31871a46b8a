// Sends many requests to a running `serve`, a part of them broken, and checks every answer. Equal
// valid requests must get equal answers, except for rounding; broken requests must get the answers
// that requests.cc allows; and the server's memory must not grow:
//
//   bazel-bin/tools/serve --checkpoint=runs/x --port=8080 &
//   serve --port=8080 --process=$! --requests=1000000 --broken=0.01
//   serve --port=8080 --process=$! --requests=10000 --broken=0 --per_second=500   (for latencies)

#include <stdio.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "tests/endurance/http_client.h"
#include "tests/endurance/requests.h"
#include "tests/endurance/resident.h"

ABSL_FLAG(int, port, 8080, "the server's");
ABSL_FLAG(int, process, 0, "the server's, whose memory is watched");
ABSL_FLAG(int64_t, requests, 1'000'000, "to send");
ABSL_FLAG(int, connections, 16, "that send at the same time");
ABSL_FLAG(double, broken, 0.01, "part of the requests that are broken");
ABSL_FLAG(double, per_second, 0, "requests a second in all; 0: as many as are answered");
ABSL_FLAG(uint64_t, seed, 1, "of what is random");

namespace cotangent::tests {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

// The allowed difference of probabilities. Batches of different sizes round differently, most of
// all in bf16.
constexpr double kTolerance = 0.02;
// From the moment when the share kWarmUp of the requests has been sent until the end, the server's
// memory may grow by at most the factor kMostGrowth.
constexpr double kWarmUp = 0.2, kMostGrowth = 1.1;

bool IsAlike(const json& a, const json& b) {
  if (a.is_number_float() && b.is_number())
    return std::abs(a.get<double>() - b.get<double>()) <= kTolerance;
  if (!a.is_structured() || a.size() != b.size()) return a == b;
  return std::equal(a.begin(), a.end(), b.begin(), IsAlike);
}

// Returns the probability of each class of the first picture, by the class's name; null if the
// status is not 200. (The order of classes in a response may vary, since some have nearly equal
// probabilities.)
json Answers(const HttpClient::Response& response) {
  json found = json::parse(response.body, nullptr, false);
  json answers;
  if (response.status != 200 || !found.is_object()) return answers;
  for (const json& one : found["pictures"][0].value("classes", json::array()))
    answers[one["name"].get<std::string>()] = one["probability"];
  return answers;
}

class Load {
 public:
  Load() : requests_(SoundRequests()) {}

  int Run() {
    const int64_t most = absl::GetFlag(FLAGS_requests);
    HttpClient client(absl::GetFlag(FLAGS_port));
    for (std::string& request : requests_) {
      request.insert(request.find(" HTTP"), "?top=1000");
      if (!client.Connect()) return Fail("nobody listens at the port");
      client.Send(request);
      expected_.push_back(Answers(client.Receive()));
      if (expected_.back().empty()) return Fail("a sound request was not answered");
    }
    start_ = Clock::now();
    std::vector<std::thread> threads;
    for (int t = 0; t < absl::GetFlag(FLAGS_connections); ++t)
      threads.emplace_back([this, t] { Send(static_cast<uint64_t>(t)); });
    const double begin = Resident();
    double warm = 0;
    for (int64_t tenth = 1; sent_ < most;) {
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      const int64_t sent = std::min<int64_t>(sent_, most);
      if (warm == 0 && static_cast<double>(sent) >= kWarmUp * static_cast<double>(most))
        warm = Resident();
      if (sent < tenth * most / 10) continue;
      fprintf(stderr, "%lld requests in %.0f s, %.1f MiB resident, %lld unexpected\n",
              static_cast<long long>(sent), Passed(), Resident(),
              static_cast<long long>(unexpected_));
      tenth = sent * 10 / most + 1;
    }
    for (std::thread& thread : threads) thread.join();
    return Report(begin, warm, Resident());
  }

 private:
  static int Fail(const std::string& message) {
    fprintf(stderr, "%s\n", message.c_str());
    return 1;
  }
  static double Resident() { return ResidentMib(absl::StrCat(absl::GetFlag(FLAGS_process))); }
  double Passed() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  void Send(uint64_t thread) {
    std::mt19937_64 random(absl::GetFlag(FLAGS_seed) * 1000 + thread);
    HttpClient client(absl::GetFlag(FLAGS_port));
    const double per_second = absl::GetFlag(FLAGS_per_second);
    for (int64_t i; (i = sent_++) < absl::GetFlag(FLAGS_requests);) {
      if (std::uniform_real_distribution<double>()(random) < absl::GetFlag(FLAGS_broken)) {
        SendBroken(random);
        continue;
      }
      // If requests are sent at a given rate (--per_second), a request's time also includes how
      // long it waits until this connection is free.
      double due = Passed();
      if (per_second > 0) {
        due = static_cast<double>(i) / per_second;
        std::this_thread::sleep_until(start_ + std::chrono::duration_cast<Clock::duration>(
                                                   std::chrono::duration<double>(due)));
      }
      SendSound(client, random() % requests_.size());
      const std::lock_guard<std::mutex> lock(mutex_);
      milliseconds_.push_back(static_cast<float>((Passed() - due) * 1000));
    }
  }

  void SendSound(HttpClient& client, size_t which) {
    if (!client.Connect()) return Count("a sound request", -2, false);
    client.Send(requests_[which]);
    const HttpClient::Response response = client.Receive();
    const bool is_alike = IsAlike(expected_[which], Answers(response));
    Count("a sound request", response.status, is_alike, response.body);
  }

  void SendBroken(std::mt19937_64& random) {
    const Breakage& breakage = Breakages()[random() % Breakages().size()];
    HttpClient client(absl::GetFlag(FLAGS_port));
    const double start = Passed();
    if (!client.Connect()) return Count(breakage.name, -2, false);
    client.Send(breakage.make(random));
    if (breakage.then == Breakage::Then::kAbort) {
      client.Abort();
      return Count(breakage.name, 0, true);
    }
    if (breakage.then == Breakage::Then::kEndSending) client.EndSending();
    const HttpClient::Response response = client.Receive();
    const std::vector<int>& statuses = breakage.statuses;
    const bool is_expected =
        statuses.empty() ? response.status >= 0 && response.status < 500
                         : std::count(statuses.begin(), statuses.end(), response.status) > 0;
    Count(breakage.name, response.status, is_expected, response.body);
    const std::lock_guard<std::mutex> lock(mutex_);
    double& slowest = slowest_[breakage.name];
    slowest = std::max(slowest, Passed() - start);
  }

  void Count(const char* name, int status, bool is_expected, const std::string& body = "") {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++counts_[name][status];
    constexpr int64_t kMostTold = 10;
    if (!is_expected && ++unexpected_ <= kMostTold)
      fprintf(stderr, "%s: status %d %s\n", name, status, body.substr(0, 200).c_str());
  }

  int Report(double begin, double warm, double end) {
    for (const auto& [name, by_status] : counts_) {
      printf("%-40s", name.c_str());
      for (const auto& [status, count] : by_status)
        printf("  %d: %lld", status, static_cast<long long>(count));
      printf(slowest_[name] > 0 ? "  (%.1f s at most)\n" : "\n", slowest_[name]);
    }
    std::sort(milliseconds_.begin(), milliseconds_.end());
    const auto percentile = [&](double p) {
      return milliseconds_.empty()
                 ? 0
                 : milliseconds_[static_cast<size_t>(p * (milliseconds_.size() - 1))];
    };
    const auto requests = static_cast<double>(absl::GetFlag(FLAGS_requests));
    printf("%.0f requests in %.1f s, %.0f a second; p50 %.2f ms, p99 %.2f ms\n", requests, Passed(),
           requests / Passed(), percentile(0.5), percentile(0.99));
    printf("%lld unexpected; MiB resident: %.1f at the start, %.1f when warm, %.1f at the end\n",
           static_cast<long long>(unexpected_), begin, warm, end);
    return unexpected_ == 0 && end <= warm * kMostGrowth ? 0 : 1;
  }

  std::vector<std::string> requests_;
  std::vector<json> expected_;
  Clock::time_point start_;
  std::atomic<int64_t> sent_ = 0;
  std::mutex mutex_;
  std::map<std::string, std::map<int, int64_t>> counts_;
  std::map<std::string, double> slowest_;  // by kind of broken request: most seconds to the answer
  std::vector<float> milliseconds_;
  std::atomic<int64_t> unexpected_ = 0;
};

}  // namespace
}  // namespace cotangent::tests

int main(int argc, char** argv) {
  absl::ParseCommandLine(argc, argv);
  return cotangent::tests::Load().Run();
}
