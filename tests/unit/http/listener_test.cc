#include "service/http/listener.h"

#include <atomic>
#include <string>
#include <vector>

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "service/http/admin_pages.h"
#include "service/http/router.h"

namespace muster::http {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// A client that may be as rude as it likes. Every read ends after ten seconds at the latest.
class Client {
 public:
  explicit Client(const std::string& address, int receive_buffer = 0) {
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (receive_buffer > 0) setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof(receive_buffer));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(address.rfind(':') + 1))));
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // False when the server has closed.
  bool Send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }

  // What came until `until` was seen `times` times, or until the server closed.
  std::string ReadUntil(std::string_view until, int times = 1) {
    while (Count(until) < times && ReadSome()) {
    }
    return received_;
  }
  std::string ReadToEnd() {
    while (ReadSome()) {
    }
    return received_;
  }
  bool closed_by_server() const { return closed_; }

 private:
  int Count(std::string_view part) const {
    int count = 0;
    for (size_t at = received_.find(part); at != std::string::npos; at = received_.find(part, at + 1)) ++count;
    return count;
  }
  bool ReadSome() {
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, 10'000) != 1) {
      ADD_FAILURE() << "nothing came for ten seconds; so far: " << received_.substr(0, 200);
      return false;
    }
    char buffer[4096];
    const ssize_t size = recv(fd_, buffer, sizeof(buffer), 0);
    if (size <= 0) {
      closed_ = true;
      return false;
    }
    received_.append(buffer, static_cast<size_t>(size));
    return true;
  }

  int fd_ = -1;
  std::string received_;
  bool closed_ = false;
};

class AdminPort : public ::testing::Test {
 protected:
  void Start(ListenerOptions options = {}) {
    AdminPages pages;
    pages.metrics = [this] { return metrics_; };
    pages.metrics_content_type = "text/plain; version=0.0.4; charset=utf-8";
    pages.readiness = [this] { return Readiness{ready_.load(), "draining"}; };
    pages.title = "musterd 1.2.3";
    Router router;
    AddAdminPages(router, std::move(pages));
    if (commands_) {
      router.Add(Method::kPost, "/do/it", [](std::string_view) { return AnswerOf(std::string("done\n")); });
    }
    auto server = Listener::Start(std::move(options), std::move(router));
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  std::string Get(const std::string& path) {
    Client client(server_->address());
    client.Send("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    return client.ReadToEnd();
  }

  std::string metrics_ = "muster_waits_open 3\n";
  std::atomic<bool> ready_{true};
  bool commands_ = false;
  std::unique_ptr<Listener> server_;
};

TEST_F(AdminPort, ServesItsPages) {
  Start();
  EXPECT_THAT(server_->address(), StartsWith("127.0.0.1:"));
  const std::string metrics = Get("/metrics");
  EXPECT_THAT(metrics, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(metrics, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(metrics, EndsWith("\r\n\r\nmuster_waits_open 3\n"));
  EXPECT_THAT(Get("/metrics?name[]=x"), HasSubstr("muster_waits_open"));
  EXPECT_THAT(Get("/healthz"), EndsWith("ok\n"));
  EXPECT_THAT(Get("/"), HasSubstr("<h1>musterd 1.2.3</h1>"));
  EXPECT_THAT(Get("/nothing"), StartsWith("HTTP/1.1 404 "));
  EXPECT_THAT(Get("/../../etc/passwd"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(AdminPort, ReadinessSaysWhyNot) {
  Start();
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 200 "));
  ready_ = false;
  EXPECT_THAT(Get("/readyz"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(Get("/readyz"), EndsWith("\r\n\r\ndraining\n"));
  EXPECT_THAT(Get("/healthz"), StartsWith("HTTP/1.1 200 ")) << "liveness does not fail while draining";
}

TEST_F(AdminPort, HeadHasTheLengthAndNoBody) {
  Start();
  Client client(server_->address());
  client.Send("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.ReadToEnd();
  EXPECT_THAT(answer, HasSubstr("Content-Length: 20\r\n"));
  EXPECT_THAT(answer, EndsWith("\r\n\r\n"));
}

TEST_F(AdminPort, OtherMethodsAndBodiesAreRefused) {
  Start();
  for (const char* method : {"POST", "DELETE", "OPTIONS", "NONSENSE"}) {
    Client client(server_->address());
    client.Send(std::string(method) + " /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 4")) << method;
  }
  Client post(server_->address());
  post.Send("POST / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(post.ReadToEnd(), HasSubstr("Allow: GET, HEAD\r\n"));
  Client with_body(server_->address());
  with_body.Send("GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello");
  EXPECT_THAT(with_body.ReadToEnd(), StartsWith("HTTP/1.1 413 "));
  Client chunked(server_->address());
  chunked.Send("GET /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  EXPECT_THAT(chunked.ReadToEnd(), StartsWith("HTTP/1.1 413 "));
}

TEST_F(AdminPort, CommandsArePostedWhereThereAreAny) {
  commands_ = true;
  Start();
  const auto post = [&](const std::string& target) {
    Client client(server_->address());
    client.Send("POST " + target + " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return client.ReadToEnd();
  };
  EXPECT_THAT(post("/do/it"), EndsWith("\r\n\r\ndone\n"));
  EXPECT_THAT(post("/do/that"), StartsWith("HTTP/1.1 404 "));
  Client other(server_->address());
  other.Send("PUT /do/it HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(other.ReadToEnd(), HasSubstr("Allow: GET, HEAD, POST\r\n"));
  EXPECT_THAT(Get("/do/it"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(AdminPort, GarbageIsAnsweredAndClosed) {
  Start();
  const std::string garbage[] = {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                                 "GET\r\n\r\n",
                                 "\r\n\r\n\r\nfoo bar baz\r\n\r\n",
                                 "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                                 std::string(500, '\0'),
                                 "GET / HTTP/1.1\r\nBad Header\r\n\r\n",
                                 "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
                                 "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n"};
  for (const std::string& text : garbage) {
    Client client(server_->address());
    client.Send(text + "\r\n\r\n");
    EXPECT_THAT(client.ReadToEnd(), StartsWith("HTTP/1.1 400 ")) << text;
  }
  EXPECT_THAT(Get("/healthz"), EndsWith("ok\n"));
}

TEST_F(AdminPort, HugeHeadersAreRefused) {
  Start();
  Client one(server_->address());
  one.Send("GET / HTTP/1.1\r\nX: " + std::string(100'000, 'a'));
  EXPECT_THAT(one.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  Client many(server_->address());
  std::string headers = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 5000; ++i) headers += "X-" + std::to_string(i) + ": y\r\n";
  many.Send(headers + "\r\n");
  EXPECT_THAT(many.ReadToEnd(), StartsWith("HTTP/1.1 431 "));
  Client target(server_->address());
  target.Send("GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n");
  EXPECT_THAT(target.ReadToEnd(), StartsWith("HTTP/1.1 4"));
}

TEST_F(AdminPort, PipelinedRequestsAreAnsweredInOrderOnOneConnection) {
  Start();
  Client client(server_->address());
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
  client.Send(requests + "GET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answers = client.ReadToEnd();
  size_t count = 0;
  for (size_t at = 0; (at = answers.find("HTTP/1.1 200 OK", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 50u);
  EXPECT_GT(answers.find("HTTP/1.1 404"), answers.rfind("HTTP/1.1 200"));
}

TEST_F(AdminPort, AConnectionServesABoundedNumberOfRequests) {
  ListenerOptions options;
  options.requests_max = 3;
  Start(options);
  Client client(server_->address());
  for (int i = 0; i < 5; ++i) client.Send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string answers = client.ReadToEnd();
  size_t count = 0;
  for (size_t at = 0; (at = answers.find("200 OK", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 3u);
}

TEST_F(AdminPort, ASilentOrDrippingClientIsCutOff) {
  ListenerOptions options;
  options.request_timeout = std::chrono::milliseconds(150);
  Start(options);
  Client silent(server_->address());
  EXPECT_EQ(silent.ReadToEnd(), "");
  EXPECT_TRUE(silent.closed_by_server());
  // A byte now and then does not prolong the time for the whole request.
  Client dripping(server_->address());
  pollfd never{-1, 0, 0};
  bool open = true;
  for (int i = 0; i < 100 && open; ++i) {
    open = dripping.Send(i == 0 ? "GET / HTTP/1.1\r\nX: " : "a");
    poll(&never, 1, 20);
  }
  EXPECT_FALSE(open);
}

TEST_F(AdminPort, AClientThatReadsNothingIsCutOff) {
  metrics_.assign(64 << 20, 'm');
  ListenerOptions options;
  options.answer_timeout = std::chrono::milliseconds(150);
  options.connections_max = 1;
  Start(options);
  Client lazy(server_->address(), 4096);
  lazy.Send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  pollfd never{-1, 0, 0};
  poll(&never, 1, 400);  // the server's patience is 150 ms
  EXPECT_LT(lazy.ReadToEnd().size(), metrics_.size());
}

TEST_F(AdminPort, ACrowdOfIdleConnectionsKeepsNobodyOut) {
  ListenerOptions options;
  options.connections_max = 8;
  options.request_timeout = std::chrono::minutes(1);  // nobody is closed for being slow
  Start(options);
  std::vector<std::unique_ptr<Client>> crowd;
  for (int i = 0; i < 40; ++i) {
    crowd.push_back(std::make_unique<Client>(server_->address()));
    crowd.back()->Send("GET / HTTP/1.1\r\n");
  }
  EXPECT_THAT(Get("/healthz"), EndsWith("ok\n"));
  EXPECT_EQ(crowd.front()->ReadToEnd(), "") << "the one that was silent longest went first";
}

TEST_F(AdminPort, StoppingClosesOpenConnections) {
  Start();
  Client idle(server_->address());
  Client used(server_->address());
  used.Send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  used.ReadUntil("ok\n");
  server_.reset();
  used.ReadToEnd();
  EXPECT_TRUE(used.closed_by_server());
  idle.ReadToEnd();
  EXPECT_TRUE(idle.closed_by_server());
}

TEST_F(AdminPort, AnAddressInUseIsAnErrorThatSaysSo) {
  Start();
  ListenerOptions options;
  options.port = static_cast<uint16_t>(std::stoi(server_->address().substr(server_->address().rfind(':') + 1)));
  const auto second = Listener::Start(options, {});
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("can't bind 127.0.0.1:"));
  options.address = "example.org";
  EXPECT_THAT(std::string(Listener::Start(options, {}).status().message()), HasSubstr("no numeric address"));
}

}  // namespace
}  // namespace muster::http
