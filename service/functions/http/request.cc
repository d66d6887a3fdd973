// `http.request`: one HTTP exchange, redirects included.
#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <curl/curl.h>

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"
#include "fmt/format.h"

#include "service/base/mutex.h"
#include "service/base/status.h"
#include "service/functions/http/client.h"
#include "service/functions/http/register.h"
#include "service/functions/input.h"
#include "service/jobs/error.h"
#include "service/jobs/json.h"
#include "service/jobs/utf8.h"

namespace muster::functions {
namespace {

constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
// The transfer's own: what they say must fit what is sent, or two servers on the way may read two different requests.
constexpr std::string_view kReservedHeaders[] = {
    "host", "content-length", "transfer-encoding", "connection", "te", "trailer", "upgrade", "expect", "keep-alive"};
constexpr size_t kHeadersMax = 100;
constexpr size_t kHeaderBytesMax = 32 << 10;
constexpr double kTimeoutSeconds = 30;
constexpr int64_t kRedirects = 5;

// One client for each loop that asks; what the function's registration owns.
class HttpClients {
 public:
  HttpClients(HttpOptions options, AddressPolicy policy, executor::Reactor& reactor)
      : options_(std::move(options)), policy_(std::move(policy)), reactor_(reactor) {}

  const HttpOptions& options() const { return options_; }
  HttpClient& OfThisLoop() {
    coro::Executor* const executor = coro::Executor::Current();
    base::MutexLock lock(mutex_);
    std::unique_ptr<HttpClient>& client = clients_[executor];
    if (client == nullptr) client = std::make_unique<HttpClient>(options_, policy_, reactor_, *executor);
    return *client;
  }

 private:
  const HttpOptions options_;
  const AddressPolicy policy_;
  executor::Reactor& reactor_;
  base::Mutex mutex_;
  std::map<coro::Executor*, std::unique_ptr<HttpClient>> clients_ MUSTER_GUARDED_BY(mutex_);
};

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// RFC 9110: a token.
bool IsHeaderName(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

// No CR, LF or NUL: a value must not become another header or another request.
bool IsHeaderValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(),
                     [](char c) { return c == '\t' || (static_cast<unsigned char>(c) >= ' ' && c != 0x7F); });
}

void AddHeader(Input& input, const std::string& name, const nlohmann::json& value, HttpRequest& request) {
  if (!IsHeaderName(name)) return input.Fail(fmt::format("headers: {} is no header's name", Shown(name)));
  const std::string lower = Lower(name);
  const bool reserved =
      lower.substr(0, 6) == "proxy-" ||
      std::find(std::begin(kReservedHeaders), std::end(kReservedHeaders), lower) != std::end(kReservedHeaders);
  if (reserved) return input.Fail(fmt::format("headers: {} is set by the service", Shown(name)));
  if (!value.is_string() || !IsHeaderValue(value.get_ref<const std::string&>())) {
    return input.Fail(fmt::format("headers: {}: {}, must be a string without control characters", name, Shown(value)));
  }
  request.headers.emplace_back(name, value.get<std::string>());
}

void ParseHeaders(Input& input, HttpRequest& request) {
  const nlohmann::json* headers = input.Find("headers");
  if (headers == nullptr) return;
  if (!headers->is_object()) return input.Fail(fmt::format("headers: {}, must be an object", Shown(*headers)));
  size_t bytes = 0;
  for (const auto& [name, value] : headers->items()) {
    if (!value.is_array()) {
      AddHeader(input, name, value, request);
    } else {
      for (const nlohmann::json& one : value) AddHeader(input, name, one, request);
    }
    if (!input.ok()) return;
  }
  for (const auto& [name, value] : request.headers) bytes += name.size() + value.size() + 4;
  if (request.headers.size() > kHeadersMax || bytes > kHeaderBytesMax) {
    input.Fail(fmt::format("headers: {} of {} bytes, must be at most {} of {}", request.headers.size(), bytes,
                           kHeadersMax, kHeaderBytesMax));
  }
}

struct Call {
  HttpRequest request;
  bool raw = false;
};

absl::StatusOr<Call> Parse(const jobs::Payload& payload, const HttpOptions& options) {
  Input input = Input::Object(payload,
                              {"url", "method", "headers", "body", "body_base64", "timeout_seconds", "max_bytes",
                               "follow_redirects", "max_redirects", "raw"},
                              "url");
  Call call;
  HttpRequest& request = call.request;
  request.url = input.RequiredText("url", SIZE_MAX);
  if (input.Has("method")) request.method = input.Text("method", 16);
  if (std::find(std::begin(kMethods), std::end(kMethods), request.method) == std::end(kMethods)) {
    input.Fail(
        fmt::format("method: {}, must be GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS", Shown(request.method)));
  }
  ParseHeaders(input, request);
  if (input.Has("body") && input.Has("body_base64")) input.Fail("at most one of body and body_base64 may be given");
  request.has_body = input.Has("body") || input.Has("body_base64");
  request.body = input.Has("body_base64") ? input.Base64("body_base64") : input.Text("body", SIZE_MAX);
  if (request.body.size() > options.request_bytes_max) {
    input.Fail(fmt::format("body: {} bytes, must be at most {}", request.body.size(), options.request_bytes_max));
  }
  if (request.has_body && request.method == "HEAD") input.Fail("body: a HEAD request has none");
  const double timeout_max = std::chrono::duration<double>(options.timeout_max).count();
  const double timeout = input.Number("timeout_seconds", std::min(kTimeoutSeconds, timeout_max), 0.001, timeout_max);
  request.timeout = base::Duration(std::llround(timeout * 1e6));
  const auto bytes_max = static_cast<int64_t>(options.body_bytes_max);
  request.bytes_max = static_cast<uint64_t>(input.Integer("max_bytes", bytes_max, 1, bytes_max));
  const int64_t redirects =
      input.Integer("max_redirects", std::min<int64_t>(kRedirects, options.redirects_max), 1, options.redirects_max);
  request.redirects_max = input.Bool("follow_redirects", true) ? static_cast<int>(redirects) : 0;
  call.raw = input.Bool("raw", false);
  MUSTER_RETURN_IF_ERROR(input.status());
  return call;
}

jobs::Payload RawResult(HttpResponse response) {
  values::Payload::Content content;
  content.encoding = values::Encoding::kBytes;
  for (const auto& [name, value] : response.headers) {
    if (name == "content-type") content.content_type = value;
  }
  content.metadata = {{"http_status", std::to_string(response.status)}, {"http_url", jobs::MakeUtf8(response.url)}};
  content.body = std::move(response.body);
  return jobs::Payload(std::move(content));
}

jobs::Payload JsonResult(const HttpResponse& response) {
  nlohmann::json headers = nlohmann::json::object();
  for (const auto& [name, value] : response.headers) {
    nlohmann::json& present = headers[name];
    if (name == "set-cookie") {
      present.push_back(value);  // the one header whose repetitions may not be joined (RFC 9110, 5.3)
    } else {
      present = present.is_null() ? value : present.get<std::string>() + ", " + value;
    }
  }
  nlohmann::json result = {{"status", response.status},
                           {"url", response.url},
                           {"headers", std::move(headers)},
                           {"bytes", response.body.size()},
                           {"elapsed_seconds", std::chrono::duration<double>(response.elapsed).count()}};
  if (jobs::IsUtf8(response.body)) {
    result["body"] = response.body;
  } else {
    result["body_base64"] = absl::Base64Escape(response.body);
  }
  return jobs::JsonPayload(result);
}

coro::Task<absl::StatusOr<jobs::Payload>> Request(HttpClients& clients, jobs::JobContext& context,
                                                  jobs::Payload payload) {
  absl::StatusOr<Call> call = Parse(payload, clients.options());
  if (!call.ok()) co_return call.status();
  HttpTransfer transfer(clients.OfThisLoop(), context.token(), std::move(call->request));
  absl::StatusOr<HttpResponse> response = co_await transfer;
  if (!response.ok()) co_return response.status();
  if (call->raw) co_return RawResult(*std::move(response));
  co_return JsonResult(*response);
}

std::string Description(const HttpOptions& options) {
  return fmt::format(
      "One HTTP request. \"url\" (http or https; plain text is the URL), \"method\" (GET, HEAD, POST, PUT, PATCH, "
      "DELETE, "
      "OPTIONS), \"headers\" (an object of strings, or of arrays of them), \"body\" (text) or \"body_base64\" (at most "
      "{} bytes), \"timeout_seconds\" (30; at most {}), \"max_bytes\" of the response ({}), \"follow_redirects\" "
      "(true) "
      "and \"max_redirects\" (5; at most {}). A redirect keeps a method other than GET, HEAD and POST. Returns "
      "{{\"status\", \"headers\" (names in lower case), \"url\" (of the last request), \"body\" if it is UTF-8, else "
      "\"body_base64\", \"bytes\", \"elapsed_seconds\"}}; with \"raw\": true the bytes themselves under the response's "
      "content type. Any status is a result. HTTP/1.1 and, over TLS, HTTP/2; certificates are always verified; no "
      "proxy "
      "is used. Only public addresses are called unless the configuration lists others (http.allow_private). Failures "
      "have type HttpError, with details {{\"kind\"}}: AddressRefused, TooLarge, Timeout, TooManyRedirects, "
      "NameNotResolved, ConnectionFailed, TlsError, InvalidUrl, ProtocolError, Overloaded.",
      options.request_bytes_max, std::chrono::duration_cast<std::chrono::seconds>(options.timeout_max).count(),
      options.body_bytes_max, options.redirects_max);
}

}  // namespace

absl::Status RegisterHttpRequest(jobs::Registry& registry, const HttpOptions& options, executor::Reactor& reactor) {
  absl::StatusOr<AddressPolicy> policy = AddressPolicy::Make(options.allow_private);
  if (!policy.ok()) {
    return absl::InvalidArgumentError(fmt::format("http.allow_private: {}", std::string(policy.status().message())));
  }
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
    return absl::FailedPreconditionError("http.request: libcurl cannot be initialised");
  }
  auto clients = std::make_shared<HttpClients>(options, *std::move(policy), reactor);
  return registry.AddAsync("http.request", Description(options), jobs::JsonPayload({{"url", "https://example.com/"}}),
                           [clients](jobs::JobContext& context, jobs::Payload input) {
                             return Request(*clients, context, std::move(input));
                           });
}

}  // namespace muster::functions
