#include "tests/crash/server.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/base/check.h"

extern char** environ;

namespace muster::crash {
namespace {

// Generous: the machine may be busy and the build an instrumented one.
constexpr auto kStartMax = std::chrono::seconds(60);
constexpr auto kPoll = std::chrono::milliseconds(1);
constexpr size_t kTail = 8'000;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string StatusText(int status) {
  return WIFSIGNALED(status) ? fmt::format("signal {}", WTERMSIG(status))
                             : fmt::format("exit status {}", WEXITSTATUS(status));
}

void Server::Spawn(const std::string& failpoint) {
  std::vector<std::string> arguments = {
      options_.program,    "--grpc-listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0",
      "--log-format=json", "--files-root=" + files(),   "--ready-file=" + options_.folder + "/ready.json"};
  arguments.insert(arguments.end(), options_.flags.begin(), options_.flags.end());
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    if (strncmp(*variable, "MUSTER_", 7) != 0) variables.emplace_back(*variable);
  }
  if (!failpoint.empty()) variables.push_back("MUSTER_FAILPOINT=" + failpoint);
  std::vector<char*> argv, envp;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  for (std::string& variable : variables) envp.push_back(variable.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);

  const std::string log = options_.folder + "/log";
  rename(log.c_str(), (log + ".before").c_str());
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  MUSTER_CHECK(out >= 0) << log << ": " << strerror(errno);
  pid_ = fork();
  if (pid_ == 0) {
    // Only what is safe after a fork of a process with threads. Nobody is left behind when the test itself is killed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  MUSTER_CHECK(pid_ > 0) << "fork: " << strerror(errno);
  close(out);
}

bool Server::ReadAddress() {
  const std::string text = ReadFile(options_.folder + "/ready.json");
  constexpr std::string_view kField = "\"grpc\":\"";
  const size_t from = text.find(kField);
  if (from == std::string::npos) return false;
  const size_t to = text.find('"', from + kField.size());
  if (to == std::string::npos) return false;
  address_ = text.substr(from + kField.size(), to - from - kField.size());
  return true;
}

Server::Started Server::StartBlocking(const std::string& failpoint) {
  MUSTER_CHECK(!running()) << "a server runs already";
  unlink((options_.folder + "/ready.json").c_str());
  Spawn(failpoint);
  const auto end = std::chrono::steady_clock::now() + kStartMax;
  while (!ReadAddress()) {
    if (WaitGoneBlocking(kPoll)) return Started::kDied;
    if (std::chrono::steady_clock::now() > end) {
      Kill();
      return Started::kLate;
    }
  }
  return Started::kReady;
}

void Server::Kill() {
  if (!running()) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
}

void Server::Terminate() {
  if (running()) kill(pid_, SIGTERM);
}

bool Server::WaitGoneBlocking(std::chrono::milliseconds timeout) {
  const auto end = std::chrono::steady_clock::now() + timeout;
  while (running()) {
    if (waitpid(pid_, &status_, WNOHANG) == pid_) {
      pid_ = 0;
      break;
    }
    if (std::chrono::steady_clock::now() >= end) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

std::string Server::LogTail() const {
  const std::string text = ReadFile(options_.folder + "/log");
  return text.size() > kTail ? text.substr(text.size() - kTail) : text;
}

}  // namespace muster::crash
