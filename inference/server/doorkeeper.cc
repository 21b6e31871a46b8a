#include "inference/server/doorkeeper.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <chrono>
#include <filesystem>
#include <iterator>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/clock.h"

namespace cotangent::inference {
namespace {

constexpr auto kBetweenLooks = std::chrono::milliseconds(200);
constexpr absl::Duration kStillSends = absl::Seconds(1);
// The time allowed from the end of a request's Service (doorkeeper.h) to the last byte of its
// answer.
constexpr absl::Duration kToSendAnswer = absl::Seconds(5);

int PortOf(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET)
    return ntohs(reinterpret_cast<const sockaddr_in&>(address).sin_port);
  if (address.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6&>(address).sin6_port);
  return 0;
}

using Connection = std::pair<int, int>;  // the socket's descriptor, and the client's port

// Returns the connections of this process whose end on this machine has the port `port`.
std::vector<Connection> ConnectionsAt(int port) {
  std::vector<Connection> connections;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    int descriptor = 0;
    sockaddr_storage own = {}, client = {};
    socklen_t own_size = sizeof(own), client_size = sizeof(client);
    if (absl::SimpleAtoi(entry->path().filename().string(), &descriptor) &&
        getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &own_size) == 0 &&
        PortOf(own) == port &&
        getpeername(descriptor, reinterpret_cast<sockaddr*>(&client), &client_size) == 0)
      connections.emplace_back(descriptor, PortOf(client));
  }
  return connections;
}

// Returns whether this process sent nothing on a connection for `most`, and no received bytes wait
// there to be read. Such bytes do not count if nothing was sent for `patience` and the client goes
// on sending.
bool IsSlow(int connection, absl::Duration most, absl::Duration patience) {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  int unread = 0;
  if (getsockopt(connection, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
      ioctl(connection, FIONREAD, &unread) != 0)
    return false;
  // If nothing was sent or received yet, both times count from the connection's beginning.
  const auto sent = absl::Milliseconds(info.tcpi_last_data_sent);
  const auto received = absl::Milliseconds(info.tcpi_last_data_recv);
  // Bytes that were not read yet wait for a thread. They do not excuse a client that goes on
  // sending.
  return sent > most && (unread == 0 || (sent > patience && received < kStillSends));
}

}  // namespace

Doorkeeper::Doorkeeper(const DoorkeeperOptions& options)
    : options_(options), thread_([this] {
        std::unique_lock<std::mutex> lock(mutex_);
        while (!changed_.wait_for(lock, kBetweenLooks, [this] { return ending_; })) {
          lock.unlock();
          LookAtAll();
          lock.lock();
        }
      }) {}

Doorkeeper::~Doorkeeper() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Doorkeeper::Service::Service(Doorkeeper& doorkeeper, int client_port)
    : doorkeeper_(doorkeeper), client_port_(client_port) {
  const std::lock_guard<std::mutex> lock(doorkeeper_.mutex_);
  ++doorkeeper_.served_[client_port_].requests;
}

Doorkeeper::Service::~Service() {
  const std::lock_guard<std::mutex> lock(doorkeeper_.mutex_);
  Served& served = doorkeeper_.served_[client_port_];
  --served.requests;
  served.last = absl::Now();
}

void Doorkeeper::LookAtAll() {
  const std::vector<Connection> connections = ConnectionsAt(options_.port);
  const bool is_full = connections.size() > static_cast<size_t>(options_.threads);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (auto it = served_.begin(); it != served_.end();) {
      const Served& served = it->second;
      const bool is_over = served.requests == 0 && absl::Now() - served.last > kToSendAnswer;
      it = is_over ? served_.erase(it) : std::next(it);
    }
  }
  const absl::Duration most = is_full ? options_.patience_when_full : options_.patience;
  std::set<Connection> suspects;
  for (const Connection& connection : connections) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (served_.find(connection.second) == served_.end() &&
        IsSlow(connection.first, most, options_.patience))
      suspects.insert(connection);
  }
  // Ends connections that two calls of LookAtAll() in a row found slow, because the first may find
  // a request that a thread has read but does not serve yet.
  for (const Connection& connection : suspects) {
    if (suspects_.count(connection) > 0) shutdown(connection.first, SHUT_RDWR);
  }
  suspects_ = std::move(suspects);
}

}  // namespace cotangent::inference
