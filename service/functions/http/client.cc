#include "service/functions/http/client.h"

#include <algorithm>
#include <utility>

#include "fmt/format.h"

#include "service/base/check.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"

namespace muster::functions {

absl::Status HttpFailure(std::string_view kind, std::string_view message) {
  return jobs::Failure("HttpError", message, jobs::JsonPayload({{"kind", std::string(kind)}}));
}

HttpClient::HttpClient(const HttpOptions& options, const AddressPolicy& policy, executor::Reactor& reactor,
                       coro::Executor& executor)
    : options_(options), policy_(policy), reactor_(reactor), executor_(executor), multi_(curl_multi_init()) {
  MUSTER_CHECK(multi_ != nullptr) << "curl_multi_init failed";
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, long{options_.transfers_max});
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, long{options_.transfers_max});
  // A redirect may lead to a host that is busy already: this keeps it to the bound too.
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, long{options_.transfers_per_host_max});
}

HttpClient::~HttpClient() {
  MUSTER_CHECK(running_ == 0 && queued_ == 0) << "an HttpClient died under its transfers";
  // The idle connections are closed; nobody watches them, and the executor may be gone.
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, nullptr);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, nullptr);
  curl_multi_cleanup(multi_);
}

void HttpClient::Enqueue(HttpTransfer& transfer, std::string host_key) {
  std::unique_ptr<Host>& host = hosts_[host_key];
  if (host == nullptr) {
    host = std::make_unique<Host>();
    host->key = std::move(host_key);
  }
  transfer.host_ = host.get();
  host->waiting.PushBack(transfer);
  ++queued_;
  OfferTurn(*host);
  Admit();
}

void HttpClient::OfferTurn(Host& host) {
  const bool may_start = !host.waiting.empty() && host.running < options_.transfers_per_host_max;
  if (!may_start) {
    host.turn_hook.Unlink();
  } else if (!host.turn_hook.linked()) {
    turns_.PushBack(host);
  }
}

void HttpClient::DropIfIdle(Host& host) {
  if (!host.waiting.empty() || host.running != 0) return;
  const std::string key = std::move(host.key);
  hosts_.erase(key);
}

void HttpClient::Admit() {
  while (running_ < options_.transfers_max) {
    Host* host = turns_.PopFront();
    if (host == nullptr) return;
    HttpTransfer& transfer = *host->waiting.PopFront();
    --queued_;
    ++running_;
    ++host->running;
    OfferTurn(*host);
    absl::Status prepared = transfer.Prepare();
    if (prepared.ok() && curl_multi_add_handle(multi_, transfer.easy_) != CURLM_OK) {
      prepared = HttpFailure("ConnectionFailed", "the transfer could not be started");
    }
    if (!prepared.ok()) transfer.End(std::move(prepared));
  }
}

void HttpClient::Remove(HttpTransfer& transfer) {
  Host* const host = std::exchange(transfer.host_, nullptr);
  if (host == nullptr) return;
  if (transfer.hook_.linked()) {
    transfer.hook_.Unlink();
    --queued_;
  } else {
    --running_;
    --host->running;
    if (transfer.easy_ != nullptr) {
      curl_multi_remove_handle(multi_, transfer.easy_);
      std::erase(unwatched_, transfer.easy_);
      curl_easy_cleanup(std::exchange(transfer.easy_, nullptr));
    }
  }
  OfferTurn(*host);
  DropIfIdle(*host);
  Admit();
  if (running_ == 0) executor_.RemoveTimer(timer_);
}

void HttpClient::MultiTimer::OnFire(coro::Timer& timer) {
  static_cast<MultiTimer&>(timer).owner_.Drive(CURL_SOCKET_TIMEOUT, 0);
}

void HttpClient::Drive(curl_socket_t socket, int events) {
  int still_running = 0;
  const CURLMcode code = curl_multi_socket_action(multi_, socket, events, &still_running);
  MUSTER_CHECK(code == CURLM_OK) << "curl_multi_socket_action: " << curl_multi_strerror(code);
  Reap();
}

void HttpClient::Reap() {
  int left = 0;
  while (const CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    const CURLcode result = message->data.result;
    HttpTransfer* transfer = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    transfer->End(result);
  }
  while (!unwatched_.empty()) {
    HttpTransfer* transfer = nullptr;
    curl_easy_getinfo(unwatched_.back(), CURLINFO_PRIVATE, &transfer);
    unwatched_.pop_back();
    if (transfer == nullptr) continue;  // a handle of curl's own, for closing connections
    transfer->End(HttpFailure("Overloaded", "the service watches as many sockets as it may; try again later"));
  }
}

int HttpClient::OnTimer(CURLM*, long milliseconds, void* self) {
  auto& client = *static_cast<HttpClient*>(self);
  client.executor_.RemoveTimer(client.timer_);
  if (milliseconds >= 0) {
    client.executor_.AddTimer(client.timer_,
                              base::Later(client.executor_.Now(), std::chrono::milliseconds(milliseconds)));
  }
  return 0;
}

int HttpClient::OnSocket(CURL* easy, curl_socket_t socket, int what, void* self, void*) {
  static_cast<HttpClient*>(self)->Watch(easy, socket, what);
  return 0;
}

void HttpClient::Watch(CURL* easy, curl_socket_t socket, int what) {
  if (what == CURL_POLL_REMOVE) {
    watches_.erase(socket);
    return;
  }
  using executor::Reactor;
  const unsigned interest = (what & CURL_POLL_IN ? Reactor::kReadable : Reactor::kNone) |
                            (what & CURL_POLL_OUT ? Reactor::kWritable : Reactor::kNone);
  if (const auto found = watches_.find(socket); found != watches_.end()) {
    found->second->SetInterest(interest);
    return;
  }
  auto watch = reactor_.Add(socket, interest, executor_, [this, socket](unsigned ready) {
    const int events = (ready & Reactor::kReadable ? CURL_CSELECT_IN : 0) |
                       (ready & Reactor::kWritable ? CURL_CSELECT_OUT : 0) |
                       (ready & Reactor::kError ? CURL_CSELECT_ERR : 0);
    Drive(socket, events);
  });
  if (watch.ok()) {
    watches_.emplace(socket, *std::move(watch));
    return;
  }
  // Inside a callback of curl's no handle may be removed: Reap ends the transfer, and the timer sees to it.
  unwatched_.push_back(easy);
  OnTimer(multi_, 0, this);
}

}  // namespace muster::functions
