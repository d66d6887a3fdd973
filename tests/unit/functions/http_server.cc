#include "tests/unit/functions/http_server.h"

#include <algorithm>
#include <cctype>
#include <chrono>
#include <cstdlib>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/base/check.h"

namespace muster::functions {
namespace {

bool Send(int fd, const std::string& data) {
  size_t sent = 0;
  while (sent < data.size()) {
    const ssize_t count = send(fd, data.data() + sent, data.size() - sent, MSG_NOSIGNAL);
    if (count <= 0) return false;
    sent += static_cast<size_t>(count);
  }
  return true;
}

std::string Response(const std::string& status, const std::string& headers, const std::string& body) {
  return "HTTP/1.1 " + status + "\r\n" + headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

bool SendMany(int fd, const std::string& piece, int64_t times) {
  for (int64_t i = 0; i < times; ++i) {
    if (!Send(fd, piece)) return false;
  }
  return true;
}

std::string Chunk(const std::string& data) {
  char size[16];
  std::snprintf(size, sizeof size, "%zx\r\n", data.size());
  return size + data + "\r\n";
}

// How many bytes of body the head announces.
size_t BodySize(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  const size_t at = head.find("content-length:");
  return at == std::string::npos ? 0 : std::strtoull(head.c_str() + at + 15, nullptr, 10);
}

}  // namespace

HttpServer::HttpServer() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  MUSTER_CHECK(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
  MUSTER_CHECK(listen(listener_, 128) == 0);
  MUSTER_CHECK(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = base::Thread("web-accept", [this] { AcceptMain(); });
}

HttpServer::~HttpServer() {
  std::vector<base::Thread> servers;
  shutdown(listener_, SHUT_RDWR);
  acceptor_.Join();
  {
    base::MutexLock lock(mutex_);
    stopping_ = true;
    open_ = true;
    changed_.NotifyAll();
    for (const int fd : fds_) shutdown(fd, SHUT_RDWR);
    servers = std::move(servers_);
  }
  for (base::Thread& server : servers) server.Join();
  for (const int fd : fds_) close(fd);
  close(listener_);
}

void HttpServer::AcceptMain() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    base::MutexLock lock(mutex_);
    fds_.push_back(fd);
    servers_.emplace_back("web-serve", [this, fd] { ServeMain(fd); });
  }
}

void HttpServer::ServeMain(int fd) {
  std::string buffer;
  char piece[65536];
  for (;;) {
    const size_t head_end = buffer.find("\r\n\r\n");
    if (head_end != std::string::npos) {
      const size_t size = head_end + 4 + BodySize(buffer.substr(0, head_end));
      if (buffer.size() >= size) {
        const std::string request = buffer.substr(0, size);
        buffer.erase(0, size);
        {
          base::MutexLock lock(mutex_);
          requests_.push_back(request);
          changed_.NotifyAll();
        }
        if (!Answer(fd, request)) break;
        continue;
      }
    }
    const ssize_t count = recv(fd, piece, sizeof piece, 0);
    if (count <= 0) break;
    buffer.append(piece, static_cast<size_t>(count));
    if (buffer[0] == 0x16) {  // a TLS handshake
      Send(fd, Response("400 Bad Request", "", "this is plain HTTP"));
      break;
    }
  }
  shutdown(fd, SHUT_RDWR);  // closed at the end, so that its number names nothing else meanwhile
}

bool HttpServer::Answer(int fd, const std::string& request) {
  const size_t path_start = request.find(' ') + 1;
  const std::string path = request.substr(path_start, request.find(' ', path_start) - path_start);
  const auto rest = [&path](const std::string& prefix) { return path.substr(prefix.size()); };
  const auto is = [&path](const std::string& prefix) { return path.compare(0, prefix.size(), prefix) == 0; };
  const bool head_only = request.compare(0, 5, "HEAD ") == 0;

  if (head_only) return Send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
  if (is("/echo")) return Send(fd, Response("200 OK", "Content-Type: text/plain\r\n", request));
  if (is("/text/")) return Send(fd, Response("200 OK", "", rest("/text/")));
  if (is("/status/")) return Send(fd, Response(rest("/status/") + " Whatever", "", "body of an error"));
  if (is("/redirect/")) {
    const int left = std::atoi(rest("/redirect/").c_str());
    if (left == 0) return Send(fd, Response("200 OK", "", "arrived"));
    return Send(fd, Response("302 Found", "Location: /redirect/" + std::to_string(left - 1) + "\r\n", "moved"));
  }
  if (is("/loop")) return Send(fd, Response("302 Found", "Location: /loop\r\n", ""));
  if (is("/to/")) return Send(fd, Response("302 Found", "Location: " + rest("/to/") + "\r\n", ""));
  if (is("/see-other/")) return Send(fd, Response("303 See Other", "Location: " + rest("/see-other") + "\r\n", ""));
  if (is("/gate")) {
    StandAtGate();
    return Send(fd, Response("200 OK", "", "through"));
  }
  if (is("/hang") || is("/slow")) {
    if (is("/slow")) Send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    WaitUntilGone(fd);
    return false;
  }
  if (is("/huge")) {
    Send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n");
    if (!SendMany(fd, std::string(100'000, 'x'), 10'000)) WaitUntilGone(fd);
    return false;
  }
  if (is("/endless")) {
    Send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (!SendMany(fd, Chunk(std::string(10'000, 'x')), 1'000'000'000)) WaitUntilGone(fd);
    return false;
  }
  if (is("/chunked")) {
    return Send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + Chunk("hello ") + Chunk("world") +
                        "0\r\nX-Trailer: after\r\n\r\n");
  }
  if (is("/binary")) return Send(fd, Response("200 OK", "Content-Type: image/x\r\n", std::string("\xFF\x00\x80", 3)));
  if (is("/headers")) {
    return Send(
        fd, Response("200 OK",
                     "X-Twice: one\r\nx-twice:two \r\nSet-Cookie: a=1, b\r\nSet-Cookie: c=2\r\nX-Odd: \xFF\r\n", ""));
  }
  if (is("/manyheaders")) {
    std::string headers;
    for (int i = 0; i < 1000; ++i) headers += "X-" + std::to_string(i) + ": " + std::string(1000, 'h') + "\r\n";
    return Send(fd, Response("200 OK", headers, ""));
  }
  if (is("/garbage")) Send(fd, "hello, this is no HTTP at all\r\n\r\n");
  return false;
}

void HttpServer::StandAtGate() {
  base::MutexLock lock(mutex_);
  gate_peak_ = std::max(gate_peak_, ++at_gate_);
  changed_.NotifyAll();
  while (!open_) changed_.Wait(mutex_);
  --at_gate_;
}

void HttpServer::WaitUntilGone(int fd) {
  char ignored[4096];
  while (recv(fd, ignored, sizeof ignored, 0) > 0) {
  }
  base::MutexLock lock(mutex_);
  if (!stopping_) ++aborts_;
  changed_.NotifyAll();
}

int HttpServer::connections() const {
  base::MutexLock lock(mutex_);
  return static_cast<int>(fds_.size());
}

std::vector<std::string> HttpServer::requests() const {
  base::MutexLock lock(mutex_);
  return requests_;
}

void HttpServer::Open() {
  base::MutexLock lock(mutex_);
  open_ = true;
  changed_.NotifyAll();
}

int HttpServer::gate_peak() const {
  base::MutexLock lock(mutex_);
  return gate_peak_;
}

bool HttpServer::WaitForRequestsBlocking(size_t count) {
  base::MutexLock lock(mutex_);
  while (requests_.size() < count) {
    if (!changed_.WaitFor(mutex_, std::chrono::seconds(10))) return false;
  }
  return true;
}

bool HttpServer::WaitForGateBlocking(int waiting) {
  base::MutexLock lock(mutex_);
  while (at_gate_ < waiting) {
    if (!changed_.WaitFor(mutex_, std::chrono::seconds(10))) return false;
  }
  return true;
}

bool HttpServer::WaitForAbortsBlocking(int count) {
  base::MutexLock lock(mutex_);
  while (aborts_ < count) {
    if (!changed_.WaitFor(mutex_, std::chrono::seconds(10))) return false;
  }
  return true;
}

}  // namespace muster::functions
