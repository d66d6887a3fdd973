// One transfer of an HttpClient: its options, what curl hands it, and what its end means.
#include <algorithm>
#include <cctype>
#include <memory>
#include <string>
#include <utility>

#include <sys/socket.h>

#include "fmt/format.h"

#include "service/base/check.h"
#include "service/functions/http/client.h"
#include "service/jobs/utf8.h"

namespace muster::functions {
namespace {

constexpr size_t kHeaderBytesMax = 64 << 10;
constexpr size_t kUrlMax = 8192;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

std::string UrlPart(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy = text;
  curl_free(text);
  return copy;
}

// "https://host:443" of a URL that may be fetched.
absl::StatusOr<std::string> HostKey(const std::string& url) {
  if (url.size() > kUrlMax) {
    return HttpFailure("InvalidUrl", fmt::format("url: {} bytes, must be at most {}", url.size(), kUrlMax));
  }
  const bool printable = std::all_of(url.begin(), url.end(), [](char c) { return c > ' ' && c < 0x7F; });
  if (!printable) {
    return HttpFailure("InvalidUrl", "url: must be printable ASCII without spaces; percent-encode all else");
  }
  const std::unique_ptr<CURLU, FreeUrl> parsed(curl_url());
  const CURLUcode code = curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), CURLU_NON_SUPPORT_SCHEME);
  if (code != CURLUE_OK) {
    return HttpFailure("InvalidUrl", fmt::format("url: \"{}\": {}", url.substr(0, 200), curl_url_strerror(code)));
  }
  const std::string scheme = UrlPart(parsed.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return HttpFailure("InvalidUrl", fmt::format("url: scheme \"{}\", must be http or https", scheme));
  }
  if (!UrlPart(parsed.get(), CURLUPART_USER).empty() || !UrlPart(parsed.get(), CURLUPART_PASSWORD).empty()) {
    return HttpFailure("InvalidUrl", "url: must not hold a user or password; send an authorization header");
  }
  return fmt::format("{}://{}:{}", scheme, UrlPart(parsed.get(), CURLUPART_HOST),
                     UrlPart(parsed.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT));
}

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

HttpTransfer::HttpTransfer(HttpClient& client, coro::CancelToken& token, HttpRequest request)
    : Suspension(token), Timer(&OnTimeout), client_(client), request_(std::move(request)) {
  if (client_.queued_ >= client_.options_.queue_max) {
    failure_ = HttpFailure("Overloaded", fmt::format("{} requests wait already, as many as may; try again later",
                                                     client_.options_.queue_max));
  } else if (const absl::StatusOr<std::string> key = HostKey(request_.url); !key.ok()) {
    failure_ = key.status();
  }
}

HttpTransfer::~HttpTransfer() {
  MUSTER_CHECK(host_ == nullptr && easy_ == nullptr) << "a transfer died while it was under way";
  curl_slist_free_all(header_list_);
}

bool HttpTransfer::await_suspend(coro::Continuation waiter) {
  if (!Suspend(waiter)) return false;
  started_ = executor()->Now();
  executor()->AddTimer(*this, base::Later(started_, request_.timeout));
  client_.Enqueue(*this, HostKey(request_.url).value());
  return true;
}

absl::StatusOr<HttpResponse> HttpTransfer::await_resume() {
  if (executor() == nullptr) return failure_;  // refused before it began
  if (absl::Status status = Resume(); !status.ok()) return status;
  if (!failure_.ok()) return failure_;
  response_.elapsed = executor()->Now() - started_;
  return std::move(response_);
}

coro::Suspension::CancelReply HttpTransfer::OnCancel() {
  if (executor() != nullptr) executor()->RemoveTimer(*this);
  client_.Remove(*this);
  return CancelReply::kWake;
}

void HttpTransfer::OnTimeout(coro::Timer& timer) {
  auto& self = static_cast<HttpTransfer&>(timer);
  const double seconds = std::chrono::duration<double>(self.request_.timeout).count();
  self.End(HttpFailure("Timeout", fmt::format("no complete response within {} s", seconds)));
}

void HttpTransfer::End(absl::Status failure) {
  failure_ = std::move(failure);
  executor()->RemoveTimer(*this);
  client_.Remove(*this);
  Wake();
}

void HttpTransfer::End(CURLcode code) {
  absl::Status failure;
  if (code == CURLE_OK) {
    long status = 0;
    const char* url = nullptr;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(easy_, CURLINFO_EFFECTIVE_URL, &url);
    response_.status = static_cast<int>(status);
    response_.url = url == nullptr ? request_.url : url;
  } else {
    failure = FailureFor(code);
  }
  End(std::move(failure));
}

absl::Status HttpTransfer::FailureFor(CURLcode code) const {
  const std::string said = message_[0] != '\0' ? jobs::MakeUtf8(message_) : curl_easy_strerror(code);
  if (too_large_ || code == CURLE_FILESIZE_EXCEEDED) {
    return HttpFailure("TooLarge", fmt::format("the response is larger than max_bytes, {}", request_.bytes_max));
  }
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      if (refused_) {
        return HttpFailure("AddressRefused",
                           "the host's address is not a public one, and http.allow_private does not list it");
      }
      return HttpFailure("ConnectionFailed", said);
    case CURLE_UNSUPPORTED_PROTOCOL:
      // A redirect to another scheme; or an answer without a status line, which curl takes for the HTTP of 1991.
      return HttpFailure(said.find("HTTP/0.9") != std::string::npos ? "ProtocolError" : "InvalidUrl", said);
    case CURLE_URL_MALFORMAT:
      return HttpFailure("InvalidUrl", said);
    case CURLE_TOO_MANY_REDIRECTS:
      return HttpFailure("TooManyRedirects", fmt::format("more than {} redirects", request_.redirects_max));
    case CURLE_COULDNT_RESOLVE_HOST:
      return HttpFailure("NameNotResolved", said);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
      return HttpFailure("TlsError", said);
    case CURLE_OPERATION_TIMEDOUT:
      return HttpFailure("Timeout", said);
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      return HttpFailure("ConnectionFailed", said);
    default:
      return HttpFailure("ProtocolError", said);
  }
}

absl::Status HttpTransfer::Prepare() {
  easy_ = curl_easy_init();
  if (easy_ == nullptr) return HttpFailure("Overloaded", "no memory for another transfer");
  for (const auto& [name, value] : request_.headers) {
    // curl drops "name:" and sends "name;" as a header without a value.
    const std::string line = value.empty() ? name + ";" : name + ": " + value;
    header_list_ = curl_slist_append(header_list_, line.c_str());
  }
  // Without a pause for "100 Continue" that many servers never send.
  header_list_ = curl_slist_append(header_list_, "Expect:");
  return SetOptions();
}

absl::Status HttpTransfer::SetOptions() {
  CURLcode first_error = CURLE_OK;
  const auto set = [this, &first_error](CURLoption option, auto value) {
    const CURLcode code = curl_easy_setopt(easy_, option, value);
    if (first_error == CURLE_OK) first_error = code;
  };
  set(CURLOPT_PRIVATE, this);
  set(CURLOPT_ERRORBUFFER, message_);
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_HTTPHEADER, header_list_);
  set(CURLOPT_USERAGENT, "muster");
  set(CURLOPT_NOSIGNAL, 1L);
  // Removing a transfer must not wait for the thread that resolves its host's name.
  set(CURLOPT_QUICK_EXIT, 1L);

  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_2TLS});
  // Neither the environment's proxy variables nor anything else comes between us and the address that is checked.
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOPROXY, "*");
  set(CURLOPT_OPENSOCKETFUNCTION, &OnOpenSocket);
  set(CURLOPT_OPENSOCKETDATA, this);
  set(CURLOPT_SSL_VERIFYPEER, 1L);
  set(CURLOPT_SSL_VERIFYHOST, 2L);
  if (!client_.options_.ca_file.empty()) set(CURLOPT_CAINFO, client_.options_.ca_file.c_str());
  set(CURLOPT_FOLLOWLOCATION, request_.redirects_max > 0 ? 1L : 0L);
  set(CURLOPT_MAXREDIRS, long{request_.redirects_max});

  set(CURLOPT_WRITEFUNCTION, &OnBody);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_HEADERFUNCTION, &OnHeader);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(request_.bytes_max));

  if (request_.has_body) {
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
    set(CURLOPT_POSTFIELDS, request_.body.data());
  }
  if (request_.method == "HEAD") {
    set(CURLOPT_NOBODY, 1L);
  } else if (request_.method == "POST") {
    if (!request_.has_body) set(CURLOPT_POSTFIELDS, "");
  } else if (request_.method != "GET" || request_.has_body) {
    set(CURLOPT_CUSTOMREQUEST, request_.method.c_str());
  }
  if (first_error == CURLE_OK) return absl::OkStatus();
  return HttpFailure("ProtocolError", fmt::format("curl: {}", curl_easy_strerror(first_error)));
}

size_t HttpTransfer::OnBody(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const size_t bytes = size * count;
  if (transfer.response_.body.size() + bytes > transfer.request_.bytes_max) {
    transfer.too_large_ = true;
    return CURL_WRITEFUNC_ERROR;
  }
  transfer.response_.body.append(data, bytes);
  return bytes;
}

size_t HttpTransfer::OnHeader(char* data, size_t size, size_t count, void* self) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  const std::string_view line(data, size * count);
  auto& headers = transfer.response_.headers;
  if (line.substr(0, 5) == "HTTP/") {  // of an interim response, a redirect, or the last one
    headers.clear();
    transfer.header_bytes_ = 0;
  }
  transfer.header_bytes_ += line.size();
  if (transfer.header_bytes_ > kHeaderBytesMax) return CURL_WRITEFUNC_ERROR;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return line.size();
  std::string name = jobs::MakeUtf8(Trimmed(line.substr(0, colon)));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  headers.emplace_back(std::move(name), jobs::MakeUtf8(Trimmed(line.substr(colon + 1))));
  return line.size();
}

curl_socket_t HttpTransfer::OnOpenSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto& transfer = *static_cast<HttpTransfer*>(self);
  transfer.refused_ = !transfer.client_.policy_.Allows(&address->addr);
  if (transfer.refused_) return CURL_SOCKET_BAD;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

}  // namespace muster::functions
