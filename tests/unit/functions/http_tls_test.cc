// http.request over TLS and HTTP/2, against nginx with a certificate made for the occasion.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/executor/loop.h"
#include "service/executor/reactor.h"
#include "service/executor/sync_wait.h"
#include "service/functions/http/family.h"
#include "tests/unit/functions/call.h"
#include "tests/unit/functions/temporary_directory.h"

namespace muster::functions {
namespace {

using nlohmann::json;

// nginx on a free port, with a certificate for 127.0.0.1 (and for no other address).
class HttpTls : public testing::Test {
 protected:
  void SetUp() override {
    if (std::system("command -v nginx openssl >/dev/null") != 0) GTEST_SKIP() << "nginx or openssl is not installed";
    const std::string make =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test"
        " -addext subjectAltName=IP:127.0.0.1 -keyout " +
        directory_ / "key.pem" + " -out " + directory_ / "cert.pem" + " 2>" + directory_ / "openssl.log";
    ASSERT_EQ(std::system(make.c_str()), 0) << directory_.Read("openssl.log");
    Listen();
    WriteConfiguration();
    StartNginx();
  }
  void TearDown() override {
    if (nginx_ > 0) {
      kill(nginx_, SIGTERM);
      waitpid(nginx_, nullptr, 0);
    }
    if (listener_ >= 0) close(listener_);
  }

  // Connections wait here until nginx is up, so that nobody has to wait for that.
  void Listen() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);  // as nginx expects of what it inherits
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    ASSERT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    ASSERT_EQ(listen(listener_, 16), 0);
    ASSERT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = std::to_string(ntohs(address.sin_port));
  }
  void WriteConfiguration() {
    const std::string root = directory_.path();
    std::string paths;
    for (const char* kind : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"}) {
      paths += std::string(kind) + "_temp_path " + root + "/" + kind + ";\n";
    }
    directory_.Write("nginx.conf",
                     "daemon off;\nworker_processes 1;\npid " + root + "/pid;\nerror_log " + root +
                         "/error.log;\nevents {}\nhttp {\naccess_log off;\n" + paths + "server {\nlisten 127.0.0.1:" +
                         port_ + " ssl http2;\nssl_certificate " + root + "/cert.pem;\nssl_certificate_key " + root +
                         "/key.pem;\nlocation / { return 200 \"$server_protocol $connection\"; }\n}\n}\n");
  }
  void StartNginx() {
    const std::string configuration = directory_ / "nginx.conf";
    const std::string log = directory_ / "error.log";
    const std::string inherited = std::to_string(listener_) + ";";
    nginx_ = fork();
    ASSERT_GE(nginx_, 0);
    if (nginx_ == 0) {
      setenv("NGINX", inherited.c_str(), 1);  // how nginx hands its sockets to the next nginx
      execlp("nginx", "nginx", "-c", configuration.c_str(), "-e", log.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
  }

  absl::StatusOr<jobs::Payload> Call(const std::string& ca_file, const std::string& host, int times = 1) {
    const std::unique_ptr<executor::Reactor> reactor = executor::Reactor::Create({}).value();
    jobs::Registry registry;
    Environment environment;
    environment.reactor = reactor.get();
    HttpOptions options;
    options.allow_private = {"127.0.0.1"};
    options.ca_file = ca_file;
    EXPECT_TRUE(HttpFamily(options).Register(registry, environment).ok());
    executor::LoopThread loop{executor::Loop::Options()};
    absl::StatusOr<jobs::Payload> result;
    for (int i = 0; i < times; ++i) {
      FakeJobContext context;
      const jobs::Payload input =
          jobs::JsonPayload({{"url", "https://" + host + ":" + port_ + "/"}, {"timeout_seconds", 10}});
      result = executor::SyncWait(loop.loop(), registry.Find("http.request")->async(context, input));
    }
    loop.StopAndJoin();
    return result;
  }
  static std::string Kind(const absl::StatusOr<jobs::Payload>& result) {
    const values::OutcomeRef outcome = jobs::ToOutcome(result);
    if (outcome->error == nullptr) return "none";
    return jobs::ParseJson(outcome->error->details)->value("kind", outcome->error->type);
  }

  TemporaryDirectory directory_;
  std::string port_;
  int listener_ = -1;
  pid_t nginx_ = -1;
};

TEST_F(HttpTls, SpeaksHttp2WithAServerItTrustsOverOneConnection) {
  const json result = JsonOf(Call(directory_ / "cert.pem", "127.0.0.1", 3));
  EXPECT_EQ(result["status"], 200) << directory_.Read("error.log");
  EXPECT_EQ(result["body"], "HTTP/2.0 1") << "protocol and number of the connection";
}

TEST_F(HttpTls, RefusesACertificateThatNobodyVouchesFor) {
  EXPECT_EQ(Kind(Call("", "127.0.0.1")), "TlsError") << directory_.Read("error.log");
}

TEST_F(HttpTls, RefusesACertificateOfAnotherName) {
  EXPECT_EQ(Kind(Call(directory_ / "cert.pem", "localhost")), "TlsError") << directory_.Read("error.log");
}

}  // namespace
}  // namespace muster::functions
