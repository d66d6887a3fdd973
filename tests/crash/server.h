// A musterd of the test's own, that is started, killed and started again over one store.
//
// Threading: one thread starts and ends it (the kernel kills the child when that thread ends). Lifetime: the destructor
// kills what still runs.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

namespace muster::crash {

struct ServerOptions {
  std::string program;
  std::string folder;  // exists; holds its files, its store and its log
  std::vector<std::string> flags;
};

class Server {
 public:
  enum class Started {
    kReady,
    kDied,  // before it was ready
    kLate,  // neither; it was killed
  };

  explicit Server(ServerOptions options) : options_(std::move(options)) {}
  ~Server() { Kill(); }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // With MUSTER_FAILPOINT=`failpoint` when there is one. Blocks until it is ready or dead.
  Started StartBlocking(const std::string& failpoint = "");
  // SIGKILL, and waits until it is gone. Nothing when it is gone already.
  void Kill();
  void Terminate();
  // True once it is gone; waits at most so long.
  bool WaitGoneBlocking(std::chrono::milliseconds timeout);

  bool running() const { return pid_ > 0; }
  // Of the last one that ended, as waitpid tells.
  int status() const { return status_; }
  const std::string& address() const { return address_; }
  std::string files() const { return options_.folder + "/files"; }
  // The end of what it wrote.
  std::string LogTail() const;

 private:
  void Spawn(const std::string& failpoint);
  bool ReadAddress();

  const ServerOptions options_;
  pid_t pid_ = 0;
  int status_ = 0;
  std::string address_;
};

// "exit status 1", "signal 9".
std::string StatusText(int status);

}  // namespace muster::crash
