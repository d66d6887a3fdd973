// http.request against a server of the test's own.
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "service/coro/scope.h"
#include "service/coro/sleep.h"
#include "service/executor/loop.h"
#include "service/executor/reactor.h"
#include "service/executor/sync_wait.h"
#include "service/functions/http/family.h"
#include "tests/unit/functions/call.h"
#include "tests/unit/functions/http_server.h"

namespace muster::functions {
namespace {

using nlohmann::json;

HttpOptions LoopbackAllowed() {
  HttpOptions options;
  options.allow_private = {"127.0.0.1"};
  options.body_bytes_max = 100'000;
  options.request_bytes_max = 50'000;
  options.timeout_max = std::chrono::seconds(60);
  return options;
}

// A loop, a reactor and the function; what a service would give it.
class Http {
 public:
  explicit Http(HttpOptions options = LoopbackAllowed())
      : reactor_(executor::Reactor::Create({}).value()), loop_(executor::Loop::Options()) {
    Environment environment;
    environment.reactor = reactor_.get();
    EXPECT_TRUE(HttpFamily(std::move(options)).Register(registry_, environment).ok());
  }
  ~Http() { loop_.StopAndJoin(); }

  absl::StatusOr<jobs::Payload> Call(const json& input) {
    FakeJobContext context;
    return executor::SyncWait(loop_.loop(), Body(context, jobs::JsonPayload(input)));
  }
  coro::Task<absl::StatusOr<jobs::Payload>> Body(FakeJobContext& context, jobs::Payload input) {
    return registry_.Find("http.request")->async(context, std::move(input));
  }
  const jobs::Registry& registry() const { return registry_; }
  executor::Loop& loop() { return loop_.loop(); }

 private:
  std::unique_ptr<executor::Reactor> reactor_;
  jobs::Registry registry_;
  executor::LoopThread loop_;
};

// A call under way.
class Started {
 public:
  Started(Http& http, const json& input)
      : http_(http), thread_("caller", [this, input] {
          result_ = executor::SyncWait(http_.loop(), http_.Body(context_, jobs::JsonPayload(input)));
        }) {}
  void Cancel() {
    http_.loop().Post([this] { context_.token().Cancel("enough"); });
  }
  const absl::StatusOr<jobs::Payload>& Join() {
    thread_.Join();
    return result_;
  }

 private:
  Http& http_;
  FakeJobContext context_;
  absl::StatusOr<jobs::Payload> result_ = absl::UnknownError("not over");
  base::Thread thread_;
};

struct Slot {
  FakeJobContext context;
  absl::StatusOr<jobs::Payload> result = absl::UnknownError("not over");
};

coro::Task<void> CallInto(Http* http, Slot* slot, jobs::Payload input) {
  slot->result = co_await http->Body(slot->context, std::move(input));
}

// Starts a call for each slot, in order and in one turn of the loop; opens the gate when all have begun.
coro::Task<void> CallTogether(Http* http, std::vector<Slot>* slots, json input, HttpServer* server) {
  coro::CancelToken token;
  coro::Scope scope;
  for (Slot& slot : *slots) scope.Spawn(CallInto(http, &slot, jobs::JsonPayload(input)));
  absl::Status status = co_await coro::Yield(token);
  EXPECT_TRUE(status.ok());
  server->Open();
  status = co_await scope.Join(token);
  EXPECT_TRUE(status.ok());
}

std::string Kind(const absl::StatusOr<jobs::Payload>& result) {
  const values::OutcomeRef outcome = jobs::ToOutcome(result);
  if (outcome->error == nullptr) return "none";
  if (outcome->error->type != "HttpError") return outcome->error->type;
  return jobs::ParseJson(outcome->error->details)->at("kind");
}

TEST(HttpRequest, FetchesAPageAndSaysHow) {
  HttpServer server;
  Http http;
  const json result = JsonOf(http.Call({{"url", server.Url("/text/hello")}}));
  EXPECT_EQ(result["status"], 200);
  EXPECT_EQ(result["body"], "hello");
  EXPECT_EQ(result["bytes"], 5);
  EXPECT_EQ(result["url"], server.Url("/text/hello"));
  EXPECT_GE(result["elapsed_seconds"], 0);
  EXPECT_LT(result["elapsed_seconds"], 5);
  EXPECT_EQ(JsonOf(http.Call(server.Url("/text/plain")))["body"], "plain") << "a string is the URL";
}

TEST(HttpRequest, SendsMethodHeadersAndBody) {
  HttpServer server;
  Http http;
  const json posted = JsonOf(http.Call({{"url", server.Url("/echo?q=1")},
                                        {"method", "POST"},
                                        {"headers", {{"X-One", "1"}, {"X-Two", {"a", "b"}}, {"X-Empty", ""}}},
                                        {"body", "h\u00e4llo"}}));
  const std::string request = posted["body"];
  EXPECT_EQ(request.substr(0, 25), "POST /echo?q=1 HTTP/1.1\r\n");
  for (const char* part : {"X-One: 1\r\n", "X-Two: a\r\n", "X-Two: b\r\n", "X-Empty:\r\n", "Content-Length: 6\r\n",
                           "\r\n\r\nh\u00e4llo"}) {
    EXPECT_NE(request.find(part), std::string::npos) << part << " is not in\n" << request;
  }
  EXPECT_EQ(request.find("Expect"), std::string::npos);
  for (const char* method : {"GET", "PUT", "PATCH", "DELETE", "OPTIONS", "POST"}) {
    const json echoed = JsonOf(http.Call({{"url", server.Url("/echo")}, {"method", method}}));
    EXPECT_EQ(echoed["body"].get<std::string>().find(std::string(method) + " /echo"), 0u) << method;
  }
  const json binary = JsonOf(http.Call({{"url", server.Url("/echo")}, {"method", "PUT"}, {"body_base64", "AAEC"}}));
  EXPECT_NE(binary["body"].get<std::string>().find(std::string("\0\1\2", 3)), std::string::npos);
  const json head = JsonOf(http.Call({{"url", server.Url("/echo")}, {"method", "HEAD"}}));
  EXPECT_EQ(head["bytes"], 0);
  EXPECT_EQ(head["headers"]["content-length"], "1000");
}

TEST(HttpRequest, AnyStatusIsAResult) {
  HttpServer server;
  Http http;
  for (const int status : {404, 500, 204}) {
    EXPECT_EQ(JsonOf(http.Call({{"url", server.Url("/status/" + std::to_string(status))}}))["status"], status);
  }
}

TEST(HttpRequest, GivesBytesAsBase64OrRawUnderTheirContentType) {
  HttpServer server;
  Http http;
  const json result = JsonOf(http.Call(server.Url("/binary")));
  EXPECT_EQ(result["body_base64"], "/wCA");
  EXPECT_FALSE(result.contains("body"));
  EXPECT_EQ(result["bytes"], 3);
  const absl::StatusOr<jobs::Payload> raw = http.Call({{"url", server.Url("/binary")}, {"raw", true}});
  ASSERT_TRUE(raw.ok());
  EXPECT_EQ(raw->encoding(), values::Encoding::kBytes);
  EXPECT_EQ(raw->body(), std::string("\xFF\x00\x80", 3));
  EXPECT_EQ(raw->content_type(), "image/x");
  EXPECT_EQ(raw->content->metadata.at("http_status"), "200");
}

TEST(HttpRequest, JoinsRepeatedHeadersButCookies) {
  HttpServer server;
  Http http;
  const json headers = JsonOf(http.Call(server.Url("/headers")))["headers"];
  EXPECT_EQ(headers["x-twice"], "one, two");
  EXPECT_EQ(headers["set-cookie"], json({"a=1, b", "c=2"}));
  EXPECT_EQ(headers["x-odd"], "\xEF\xBF\xBD");
}

TEST(HttpRequest, ReadsChunks) {
  HttpServer server;
  Http http;
  EXPECT_EQ(JsonOf(http.Call(server.Url("/chunked")))["body"], "hello world");
}

TEST(HttpRequest, ReusesConnections) {
  HttpServer server;
  Http http;
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(http.Call(server.Url("/text/x")).ok());
  EXPECT_EQ(server.connections(), 1);
}

TEST(HttpRequest, FollowsRedirectsToItsLimit) {
  HttpServer server;
  Http http;
  const json result = JsonOf(http.Call(server.Url("/redirect/5")));
  EXPECT_EQ(result["body"], "arrived");
  EXPECT_EQ(result["url"], server.Url("/redirect/0"));
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(Kind(http.Call(server.Url("/redirect/6"))), "TooManyRedirects");
  EXPECT_EQ(Kind(http.Call(server.Url("/loop"))), "TooManyRedirects");
  EXPECT_EQ(Kind(http.Call({{"url", server.Url("/redirect/2")}, {"max_redirects", 1}})), "TooManyRedirects");
  EXPECT_EQ(JsonOf(http.Call({{"url", server.Url("/redirect/9")}, {"max_redirects", 20}}))["body"], "arrived");
  const json stayed = JsonOf(http.Call({{"url", server.Url("/redirect/1")}, {"follow_redirects", false}}));
  EXPECT_EQ(stayed["status"], 302);
  EXPECT_EQ(stayed["headers"]["location"], "/redirect/0");
  EXPECT_EQ(stayed["body"], "moved");
}

TEST(HttpRequest, ARedirectedPostBecomesAGet) {
  HttpServer server;
  Http http;
  const json result =
      JsonOf(http.Call({{"url", server.Url("/see-other/echo")}, {"method", "POST"}, {"body", "secret"}}));
  EXPECT_EQ(result["body"].get<std::string>().find("GET /echo"), 0u);
  EXPECT_EQ(result["body"].get<std::string>().find("secret"), std::string::npos);
}

TEST(HttpRequest, ResponsesOverTheCapAreCutOffWhereverTheirSizeShows) {
  HttpServer server;
  Http http;
  EXPECT_EQ(Kind(http.Call(server.Url("/huge"))), "TooLarge");
  EXPECT_EQ(Kind(http.Call(server.Url("/endless"))), "TooLarge");
  EXPECT_TRUE(server.WaitForAbortsBlocking(2)) << "the connections stayed open";
  EXPECT_EQ(Kind(http.Call({{"url", server.Url("/text/123456")}, {"max_bytes", 5}})), "TooLarge");
  EXPECT_EQ(JsonOf(http.Call({{"url", server.Url("/text/12345")}, {"max_bytes", 5}}))["body"], "12345");
  EXPECT_EQ(Kind(http.Call({{"url", server.Url("/chunked")}, {"max_bytes", 10}})), "TooLarge");
  EXPECT_EQ(Kind(http.Call(server.Url("/manyheaders"))), "ProtocolError");
}

TEST(HttpRequest, ASlowServerTimesOut) {
  HttpServer server;
  Http http;
  for (const char* path : {"/hang", "/slow"}) {
    const absl::StatusOr<jobs::Payload> result = http.Call({{"url", server.Url(path)}, {"timeout_seconds", 0.05}});
    EXPECT_EQ(Kind(result), "Timeout");
    EXPECT_NE(ErrorMessage(result).find("0.05"), std::string::npos) << result.status();
  }
  EXPECT_TRUE(server.WaitForAbortsBlocking(2));
}

TEST(HttpRequest, ACancelClosesTheConnectionAtOnce) {
  HttpServer server;
  Http http;
  int aborts = 0;
  for (const char* path : {"/hang", "/slow"}) {
    Started call(http, {{"url", server.Url(path)}});
    ASSERT_TRUE(server.WaitForRequestsBlocking(static_cast<size_t>(aborts) + 1));
    call.Cancel();
    EXPECT_EQ(call.Join().status(), absl::CancelledError("enough"));
    EXPECT_TRUE(server.WaitForAbortsBlocking(++aborts));
  }
  EXPECT_EQ(JsonOf(http.Call(server.Url("/text/after")))["body"], "after");
}

TEST(HttpRequest, BrokenServersAreErrorsOfTheirKind) {
  HttpServer server;
  Http http;
  EXPECT_EQ(Kind(http.Call(server.Url("/close"))), "ConnectionFailed");
  EXPECT_EQ(Kind(http.Call(server.Url("/garbage"))), "ProtocolError");
  EXPECT_EQ(Kind(http.Call("https://127.0.0.1:" + std::to_string(server.port()) + "/")), "TlsError");
  int free_port = 0;
  {
    HttpServer gone;
    free_port = gone.port();
  }
  EXPECT_EQ(Kind(http.Call("http://127.0.0.1:" + std::to_string(free_port) + "/")), "ConnectionFailed");
  EXPECT_EQ(Kind(http.Call("http://name.invalid/")), "NameNotResolved");
}

TEST(HttpRequest, RefusesAddressesThatAreNotPublicHoweverTheyAreWritten) {
  HttpServer server;
  HttpOptions options = LoopbackAllowed();
  options.allow_private.clear();
  Http http(options);
  const std::string port = std::to_string(server.port());
  for (const std::string& host :
       {std::string("127.0.0.1"), std::string("localhost"), std::string("127.1"), std::string("2130706433"),
        std::string("0x7f.0.0.1"), std::string("0177.0.0.1"), std::string("[::1]"), std::string("[::ffff:127.0.0.1]"),
        std::string("0.0.0.0"), std::string("[::]"), std::string("[64:ff9b::7f00:1]"), std::string("169.254.169.254"),
        std::string("10.0.0.1"), std::string("[fe80::1]")}) {
    EXPECT_EQ(Kind(http.Call({{"url", "http://" + host + ":" + port + "/text/x"}, {"timeout_seconds", 5}})),
              "AddressRefused")
        << host;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpRequest, ARedirectToARefusedAddressOrSchemeIsRefused) {
  HttpServer server;
  Http http;
  const std::string port = std::to_string(server.port());
  EXPECT_EQ(Kind(http.Call(server.Url("/to/http://127.0.0.2:" + port + "/text/x"))), "AddressRefused");
  EXPECT_EQ(Kind(http.Call(server.Url("/to/http://[::1]:" + port + "/text/x"))), "AddressRefused");
  for (const char* target :
       {"file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "dict://127.0.0.1/", "data:text/plain,x"}) {
    EXPECT_EQ(Kind(http.Call(server.Url("/to/" + std::string(target)))), "InvalidUrl") << target;
  }
}

TEST(HttpRequest, RefusesOtherSchemesAndBrokenUrls) {
  HttpServer server;
  Http http;
  for (const std::string& url :
       {std::string("file:///etc/passwd"), std::string("ftp://127.0.0.1/"), std::string("gopher://127.0.0.1/"),
        std::string("127.0.0.1/no-scheme"), std::string("http://"), std::string(""), server.Url("/a b"),
        server.Url("/a\r\nX-Injected: 1"), server.Url("/a\nb"), server.Url(std::string("/\0", 2)),
        server.Url("/\u00e4"), std::string("http://user:pass@127.0.0.1/"), std::string("http://127.0.0.1:99999/"),
        "http://127.0.0.1/" + std::string(9000, 'x')}) {
    EXPECT_EQ(Kind(http.Call({{"url", url}})), "InvalidUrl") << url;
  }
  EXPECT_EQ(server.connections(), 0);
}

TEST(HttpRequest, HeadersCannotSmuggle) {
  HttpServer server;
  Http http;
  const json cases[] = {
      {{"X-A", "1\r\nX-B: 2"}},
      {{"X-A", "1\nX-B: 2"}},
      {{"X-A", "1\rX"}},
      {{"X-A", std::string("1\0", 2)}},
      {{"X-A\r\nX-B", "1"}},
      {{"X A", "1"}},
      {{"X-A:", "1"}},
      {{"", "1"}},
      {{"Host", "other"}},
      {{"Content-Length", "5"}},
      {{"TRANSFER-ENCODING", "chunked"}},
      {{"Connection", "close"}},
      {{"Proxy-Authorization", "x"}},
      {{"X-A", 1}},
      {{"X-A", {"1", "2\r\n"}}},
  };
  for (const json& headers : cases) {
    EXPECT_EQ(Kind(http.Call({{"url", server.Url("/echo")}, {"headers", headers}})), "InvalidInput") << headers;
  }
  json many = json::object();
  for (int i = 0; i < 101; ++i) many["X-" + std::to_string(i)] = "v";
  EXPECT_EQ(Kind(http.Call({{"url", server.Url("/echo")}, {"headers", many}})), "InvalidInput");
  EXPECT_EQ(Kind(http.Call({{"url", server.Url("/echo")}, {"headers", {{"X", std::string(40'000, 'v')}}}})),
            "InvalidInput");
  EXPECT_TRUE(server.requests().empty());
}

TEST(HttpRequest, RefusesOtherNonsense) {
  HttpServer server;
  Http http;
  const std::string url = server.Url("/echo");
  const json cases[] = {
      json::object(),
      {{"url", 1}},
      {{"url", url}, {"method", "BREW"}},
      {{"url", url}, {"method", "GET / HTTP/1.1\r\n"}},
      {{"url", url}, {"body", "a"}, {"body_base64", "YQ=="}},
      {{"url", url}, {"method", "HEAD"}, {"body", "a"}},
      {{"url", url}, {"body_base64", "*"}},
      {{"url", url}, {"body", std::string(50'001, 'b')}},
      {{"url", url}, {"timeout_seconds", 0}},
      {{"url", url}, {"timeout_seconds", 61}},
      {{"url", url}, {"max_bytes", 100'001}},
      {{"url", url}, {"max_redirects", 21}},
      {{"url", url}, {"timeout", 1}},
  };
  for (const json& input : cases) EXPECT_EQ(Kind(http.Call(input)), "InvalidInput") << input.dump().substr(0, 100);
  EXPECT_TRUE(server.requests().empty());
}

TEST(HttpRequest, RunsManyAtATimeButNoMoreThanAllowed) {
  HttpServer server;
  HttpOptions options = LoopbackAllowed();
  options.transfers_max = 8;
  options.transfers_per_host_max = 3;
  Http http(options);
  std::deque<Started> calls;
  for (int i = 0; i < 10; ++i) calls.emplace_back(http, json(server.Url("/gate")));
  ASSERT_TRUE(server.WaitForGateBlocking(3));
  // Another host is not held up by this one's queue.
  HttpServer other;
  EXPECT_TRUE(http.Call(other.Url("/text/x")).ok());
  EXPECT_EQ(server.gate_peak(), 3);
  server.Open();
  for (Started& call : calls) EXPECT_TRUE(call.Join().ok());
  EXPECT_EQ(server.gate_peak(), 3);
  EXPECT_EQ(server.connections(), 3);
}

TEST(HttpRequest, TheQueueIsBoundedAndWaitersCanLeaveIt) {
  HttpServer server;
  HttpOptions options = LoopbackAllowed();
  options.transfers_max = 1;
  options.queue_max = 2;
  Http http(options);
  Started running(http, json(server.Url("/gate")));
  ASSERT_TRUE(server.WaitForGateBlocking(1));
  // Its timeout runs while it waits.
  EXPECT_EQ(Kind(http.Call({{"url", server.Url("/text/late")}, {"timeout_seconds", 0.02}})), "Timeout");
  Started cancelled(http, json(server.Url("/text/never")));
  cancelled.Cancel();
  EXPECT_EQ(cancelled.Join().status().code(), absl::StatusCode::kCancelled);

  std::vector<Slot> slots(4);
  executor::SyncWait(http.loop(), CallTogether(&http, &slots, json(server.Url("/text/queued")), &server));
  EXPECT_TRUE(running.Join().ok());
  EXPECT_TRUE(slots[0].result.ok());
  EXPECT_TRUE(slots[1].result.ok());
  EXPECT_EQ(Kind(slots[2].result), "Overloaded");
  EXPECT_EQ(Kind(slots[3].result), "Overloaded");
  EXPECT_EQ(server.requests().size(), 3u) << "a request that timed out, was cancelled or refused was sent";
}

TEST(HttpRequest, TwoLoopsHaveAClientEach) {
  HttpServer server;
  Http http;
  executor::LoopThread second{executor::Loop::Options()};
  EXPECT_TRUE(http.Call(server.Url("/text/x")).ok());
  FakeJobContext context;
  EXPECT_TRUE(executor::SyncWait(second.loop(), http.Body(context, jobs::Payload::Text(server.Url("/text/y")))).ok());
  EXPECT_EQ(server.connections(), 2);
  second.StopAndJoin();
}

TEST(HttpRequest, ProxyVariablesChangeNothing) {
  HttpServer server;
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "socks5://127.0.0.1:1", 1);
  Http http;
  EXPECT_TRUE(http.Call(server.Url("/text/x")).ok());
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
}

TEST(HttpRequest, ItsExampleWorksWithAnotherUrl) {
  HttpServer server;
  Http http;
  json example = *jobs::ParseJson(http.registry().Find("http.request")->input_example);
  EXPECT_EQ(example["url"], "https://example.com/");
  example["url"] = server.Url("/text/x");
  EXPECT_TRUE(http.Call(example).ok());
}

TEST(HttpRequest, ABadEntryInAllowPrivateIsAnErrorAtStart) {
  const std::unique_ptr<executor::Reactor> reactor = executor::Reactor::Create({}).value();
  jobs::Registry registry;
  Environment environment;
  environment.reactor = reactor.get();
  HttpOptions options;
  options.allow_private = {"intranet"};
  EXPECT_EQ(HttpFamily(options).Register(registry, environment).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace muster::functions
