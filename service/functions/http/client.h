// HttpClient: HTTP transfers of one loop, on libcurl's multi interface, its sockets watched by the reactor.
//
//   HttpTransfer transfer(client, token, std::move(request));
//   absl::StatusOr<HttpResponse> response = co_await transfer;
//
// Connections are kept and reused. At most transfers_max run at a time and transfers_per_host_max of one host; the rest
// waits, host by host in turn, up to queue_max. A transfer's timeout counts from its start, the wait included. A cancel
// removes it at once. Errors are jobs::Failure of type HttpError whose details hold the kind: AddressRefused, TooLarge,
// Timeout, TooManyRedirects, NameNotResolved, ConnectionFailed, TlsError, InvalidUrl, ProtocolError, Overloaded.
//
// Names are resolved by threads that curl starts itself, one a resolution (its threaded resolver); they are the only
// ones that base::Thread does not know. The resolution of a cancelled transfer is left to end on its own.
//
// Threading: the loop's. Lifetime: outlives its transfers; dies after the last one, on the loop's thread or when the
// loop runs no more. The reactor outlives the transfers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <curl/curl.h>

#include "absl/status/statusor.h"

#include "service/base/intrusive_list.h"
#include "service/coro/cancel.h"
#include "service/executor/reactor.h"
#include "service/functions/http/address.h"
#include "service/functions/http/options.h"

namespace muster::functions {

struct HttpRequest {
  std::string url;
  std::string method = "GET";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  bool has_body = false;
  base::Duration timeout = std::chrono::seconds(30);
  uint64_t bytes_max = 1 << 20;
  int redirects_max = 5;  // 0: not followed
};

struct HttpResponse {
  int status = 0;
  std::string url;                                           // of the last request
  std::vector<std::pair<std::string, std::string>> headers;  // of the last response; names in lower case
  std::string body;
  base::Duration elapsed{};
};

class HttpClient;

// Awaited once.
class [[nodiscard]] HttpTransfer final : public coro::Suspension, private coro::Timer {
 public:
  HttpTransfer(HttpClient& client, coro::CancelToken& token, HttpRequest request);
  ~HttpTransfer() override;

  bool await_ready() const { return !failure_.ok(); }
  bool await_suspend(coro::Continuation waiter);
  absl::StatusOr<HttpResponse> await_resume();

 private:
  friend class HttpClient;
  struct Host;

  static void OnTimeout(coro::Timer& timer);
  CancelReply OnCancel() override;

  // Makes the easy handle. An error when curl cannot.
  absl::Status Prepare();
  absl::Status SetOptions();
  absl::Status FailureFor(CURLcode code) const;
  void End(absl::Status failure);
  void End(CURLcode code);

  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static curl_socket_t OnOpenSocket(void* self, curlsocktype purpose, curl_sockaddr* address);

  HttpClient& client_;
  HttpRequest request_;
  HttpResponse response_;
  absl::Status failure_;
  base::Instant started_{};
  Host* host_ = nullptr;  // while queued or running
  base::ListHook hook_;   // while queued
  CURL* easy_ = nullptr;  // while running
  curl_slist* header_list_ = nullptr;
  size_t header_bytes_ = 0;
  bool too_large_ = false;
  bool refused_ = false;  // the last socket asked for was
  char message_[CURL_ERROR_SIZE] = {};
};

struct HttpTransfer::Host {
  std::string key;
  base::ListHook turn_hook;  // linked while something waits that may start
  base::IntrusiveList<HttpTransfer, &HttpTransfer::hook_> waiting;
  uint32_t running = 0;
};

class HttpClient {
 public:
  // `policy` and `reactor` outlive it.
  HttpClient(const HttpOptions& options, const AddressPolicy& policy, executor::Reactor& reactor,
             coro::Executor& executor);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  uint32_t running() const { return running_; }
  uint32_t queued() const { return queued_; }

 private:
  friend class HttpTransfer;
  using Host = HttpTransfer::Host;

  class MultiTimer final : public coro::Timer {
   public:
    explicit MultiTimer(HttpClient& owner) : Timer(&OnFire), owner_(owner) {}

   private:
    static void OnFire(coro::Timer& timer);
    HttpClient& owner_;
  };

  void Enqueue(HttpTransfer& transfer, std::string host_key);
  // Takes a transfer out, queued or running, and starts others in its place.
  void Remove(HttpTransfer& transfer);
  void Admit();
  void OfferTurn(Host& host);
  void DropIfIdle(Host& host);
  void Drive(curl_socket_t socket, int events);
  // Ends all that has ended.
  void Reap();

  static int OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void*);
  static int OnTimer(CURLM*, long milliseconds, void* self);
  void Watch(CURL* easy, curl_socket_t socket, int what);

  const HttpOptions options_;
  const AddressPolicy& policy_;
  executor::Reactor& reactor_;
  coro::Executor& executor_;
  CURLM* const multi_;
  MultiTimer timer_{*this};
  std::unordered_map<curl_socket_t, std::unique_ptr<executor::Reactor::Watch>> watches_;
  std::unordered_map<std::string, std::unique_ptr<Host>> hosts_;
  base::IntrusiveList<Host, &Host::turn_hook> turns_;
  std::vector<CURL*> unwatched_;  // whose socket the reactor did not take
  uint32_t running_ = 0;
  uint32_t queued_ = 0;
};

// The error of a transfer, or of a request that never became one.
absl::Status HttpFailure(std::string_view kind, std::string_view message);

}  // namespace muster::functions
