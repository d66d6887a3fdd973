// A web server for tests: plain HTTP/1.1 on a free port of 127.0.0.1, with pages that misbehave in ways a proper server
// does not. A thread a connection.
//
//   /echo            the request as it arrived        /status/404       that status
//   /text/TEXT       TEXT                             /redirect/3       to /redirect/2 ... to a page
//   /to/URL          a redirect to URL                /loop             a redirect to itself
//   /gate            answers once Open() was called   /hang             no answer until the client goes away
//   /slow            a head, then the same            /huge             announces and sends 1 GB
//   /endless         chunks until the client goes     /chunked          "hello world" in chunks
//   /binary          bytes that are no text           /headers          repeated headers
//   /manyheaders     a megabyte of them               /garbage          no HTTP
//   /close           the end without an answer
//
// Threading: any. Lifetime: destruction ends all connections.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace muster::functions {

class HttpServer {
 public:
  HttpServer();
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  int port() const { return port_; }
  std::string Url(const std::string& path) const { return "http://127.0.0.1:" + std::to_string(port_) + path; }

  int connections() const MUSTER_EXCLUDES(mutex_);
  // Requests that have arrived, whole heads and bodies.
  std::vector<std::string> requests() const MUSTER_EXCLUDES(mutex_);
  // Lets everyone at /gate go on, now and later.
  void Open() MUSTER_EXCLUDES(mutex_);
  // The most that stood at /gate at a time.
  int gate_peak() const MUSTER_EXCLUDES(mutex_);
  // Block until it has come to that; false after ten seconds.
  bool WaitForRequestsBlocking(size_t count) MUSTER_EXCLUDES(mutex_);
  bool WaitForGateBlocking(int waiting) MUSTER_EXCLUDES(mutex_);
  // Until that many clients have gone away while they were kept waiting.
  bool WaitForAbortsBlocking(int count) MUSTER_EXCLUDES(mutex_);

 private:
  void AcceptMain() MUSTER_EXCLUDES(mutex_);
  void ServeMain(int fd) MUSTER_EXCLUDES(mutex_);
  // False: close the connection.
  bool Answer(int fd, const std::string& request) MUSTER_EXCLUDES(mutex_);
  void StandAtGate() MUSTER_EXCLUDES(mutex_);
  void WaitUntilGone(int fd) MUSTER_EXCLUDES(mutex_);

  int listener_ = -1;
  int port_ = 0;
  mutable base::Mutex mutex_;
  base::CondVar changed_;
  bool stopping_ MUSTER_GUARDED_BY(mutex_) = false;
  bool open_ MUSTER_GUARDED_BY(mutex_) = false;
  int at_gate_ MUSTER_GUARDED_BY(mutex_) = 0;
  int gate_peak_ MUSTER_GUARDED_BY(mutex_) = 0;
  int aborts_ MUSTER_GUARDED_BY(mutex_) = 0;
  std::vector<int> fds_ MUSTER_GUARDED_BY(mutex_);
  std::vector<std::string> requests_ MUSTER_GUARDED_BY(mutex_);
  std::vector<base::Thread> servers_ MUSTER_GUARDED_BY(mutex_);
  base::Thread acceptor_;
};

}  // namespace muster::functions
