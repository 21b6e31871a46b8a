// An HTTP client that sends any bytes. HTTP libraries refuse to send broken requests.
#ifndef COTANGENT_TESTS_ENDURANCE_HTTP_CLIENT_H_
#define COTANGENT_TESTS_ENDURANCE_HTTP_CLIENT_H_

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace cotangent::tests {

class HttpClient {
 public:
  // `status` is the HTTP status; 0 if the server closes the connection before the end of its
  // answer; and -1 if nothing arrives for kPatience seconds, or on another error. `body` is empty
  // if `status` is 0 or -1.
  struct Response {
    int status = 0;
    std::string body;
  };

  explicit HttpClient(int port) : port_(port) {}
  ~HttpClient() { Close(); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Connects, unless there is a connection that the server has not closed. Returns whether there is
  // a connection afterwards.
  bool Connect() {
    char byte;
    if (socket_ >= 0 && recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) Close();
    if (socket_ >= 0) return true;
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port_));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socket_ = socket(AF_INET, SOCK_STREAM, 0);
    const timeval patience = {kPatience, 0};
    const int yes = 1;
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) return true;
    Close();
    return false;
  }
  // Sends `bytes`. Stops early, without an error, if the server closes the connection or takes no
  // byte for kPatience seconds.
  void Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // Tells the server that nothing more will be sent.
  void EndSending() { shutdown(socket_, SHUT_WR); }

  Response Receive() {
    std::string bytes;
    size_t head;
    while ((head = bytes.find("\r\n\r\n")) == std::string::npos) {
      if (const int end = More(bytes); end <= 0) return {end, ""};
    }
    head += 4;
    static const std::string kLength = "\r\nContent-Length: ";
    const size_t length_at = bytes.find(kLength);
    const size_t length =
        length_at < head ? strtoull(bytes.c_str() + length_at + kLength.size(), nullptr, 10) : 0;
    while (bytes.size() < head + length) {
      if (const int end = More(bytes); end <= 0) return {end, ""};
    }
    const bool closes = absl::StrContains(bytes.substr(0, head), "\r\nConnection: close");
    if (closes) Close();
    return {atoi(bytes.c_str() + sizeof("HTTP/1.1")), bytes.substr(head, length)};
  }

  void Close() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }
  // Closes the connection with a reset instead of an orderly end.
  void Abort() {
    const linger at_once = {1, 0};
    setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    Close();
  }

 private:
  static constexpr int kPatience = 60;  // seconds

  // Appends the next bytes that arrive to `bytes`. Returns 1; 0 at the end of the connection; -1 if
  // nothing arrives for kPatience seconds, or on another error.
  int More(std::string& bytes) {
    char buffer[16384];
    const ssize_t size = recv(socket_, buffer, sizeof(buffer), 0);
    if (size > 0) bytes.append(buffer, static_cast<size_t>(size));
    if (size > 0) return 1;
    const int end = size == 0 || errno == ECONNRESET || errno == EPIPE ? 0 : -1;
    Close();
    return end;
  }

  const int port_;
  int socket_ = -1;
};

}  // namespace cotangent::tests

#endif  // COTANGENT_TESTS_ENDURANCE_HTTP_CLIENT_H_
